"""The band at the top of the picture: date, figures, legend, chart."""

from dataclasses import dataclass
from datetime import date
from functools import cache

import numpy as np
import numpy.typing as npt
from PIL import Image

from backblaze_assets.film import chart, text
from backblaze_assets.film.rings import shape
from backblaze_assets.film.style import Colour, Style

MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
"""Not from the locale, so that a film looks the same everywhere."""

CREDIT = "Data: Backblaze Drive Stats"
FIGURES_X = 452
FIGURE_PITCH = 190
CAPTION_Y = 32
FIGURE_Y = 70
LEGEND_Y = 112
CREDIT_Y = 140
CHART_X = 1920 - 24 - chart.DAYS
CHART_Y = 20
RING_AGE = 7
"""Days since the failure for which the legend shows a ring."""
RED: Colour = (255, 47, 47)


@dataclass(frozen=True)
class Figures:
    """What the panel says about a day.

    Attributes:
        day: the date shown.
        capacity_bytes: of all drives in service.
        in_service: drives in service, for each day that the chart shows.
        failed: drives failed so far.
        weekly: failures of the last seven days, for each day that the chart shows.
        notice: a remark, such as a cut in the film; empty for none.
    """

    day: date
    capacity_bytes: int
    in_service: npt.NDArray[np.int64]
    failed: int
    weekly: npt.NDArray[np.int64]
    notice: str = ""


def long_date(day: date) -> str:
    """A date as it stands on the picture, such as `30 September 2016`."""
    return f"{day.day} {MONTHS[day.month - 1]} {day.year}"


def capacity(size: int) -> str:
    """Bytes with a decimal unit and three or four figures, such as `276.3 PB`."""
    value, unit = size / 1e12, "TB"
    for larger in ("PB", "EB"):
        if value < 1000:
            break
        value, unit = value / 1000, larger
    if unit == "TB":
        return f"{value:,.0f} TB"
    return f"{value:.2f} {unit}" if value < 10 else f"{value:.1f} {unit}"


def capacity_of_drive(size: int) -> str:
    """A drive's capacity as its maker sells it, such as `1.5 TB` or `500 GB`."""
    return f"{size / 1e12:.2g} TB" if size >= 0.95e12 else f"{size / 1e9:.0f} GB"


@cache
def background(style: Style, *, synthetic: bool) -> Image.Image:
    """What stays on the panel: captions, legend, credit or a warning. Not to be drawn on.

    Of mode RGBX, whose pixels are in memory as they are on the canvas.
    """
    scale = style.scale
    panel = Image.new("RGBX", (style.width, style.panel * scale), style.panel_background)
    captions = ("Total capacity", "Drives in service", "Failed so far")
    for number, caption in enumerate(captions):
        x = (FIGURES_X + number * FIGURE_PITCH) * scale
        text.put(panel, x, CAPTION_Y * scale, caption, text.REGULAR, 15 * scale, style.muted)
    _beside_chart(panel, chart.AREA[0] + 12, "Drives in service", style)
    _beside_chart(panel, chart.BARS[0] + 12, "Failures a week", style)
    _legend(panel, style)
    credit_x = style.margin * scale
    size = 14 * scale
    if synthetic:
        label = "SYNTHETIC DATA"
        end = text.width(label, text.NARROW_MEDIUM, 15 * scale) + credit_x + 16 * scale
        panel.paste(style.warning, (credit_x, (CREDIT_Y - 17) * scale, end, (CREDIT_Y + 6) * scale))
        middle = (credit_x + end) // 2
        dark = style.panel_background
        text.put(panel, middle, CREDIT_Y * scale, label, text.NARROW_MEDIUM, 15 * scale, dark, "m")
        credit_x = end + 14 * scale
        note = "Made up by a generator in the form of Backblaze Drive Stats; no real drive is shown"
        text.put(panel, credit_x, CREDIT_Y * scale, note, text.REGULAR, size, style.warning)
    else:
        text.put(panel, credit_x, CREDIT_Y * scale, CREDIT, text.REGULAR, size, style.muted)
    return panel


def _legend(panel: Image.Image, style: Style) -> None:
    """What a square is and what its colours mean, in one line."""
    scale = style.scale
    size, side = 15 * scale, 12 * scale
    baseline = LEGEND_Y * scale
    x = style.margin * scale
    x = text.put(panel, x, baseline, "One square is one drive", text.REGULAR, size, style.text)
    entries: tuple[tuple[str, Colour], ...] = (
        ("new", (255, 255, 255)),
        ("in service", (151, 151, 151)),
        ("removed", (0, 0, 0)),
        ("failed", RED),
    )
    for meaning, colour in entries:
        x += 26 * scale
        top = baseline - side
        if sum(colour) == 0:  # black on nearly black needs an edge
            edge = scale
            panel.paste(style.muted, (x - edge, top - edge, x + side + edge, baseline + edge))
        panel.paste(colour, (x, top, x + side, baseline))
        x += side + 8 * scale
        x = text.put(panel, x, baseline, meaning, text.REGULAR, size, style.muted)
    ring, tint = shape(RING_AGE, side, scale), 5 * (RING_AGE + 1)
    x += 22 * scale
    top = baseline - side // 2 - len(ring) // 2
    box = (x, top, x + len(ring), top + len(ring))
    panel.paste((255, tint, tint), box, Image.fromarray(ring))
    x += len(ring) + 6 * scale
    meaning = "in the last 50 days"
    text.put(panel, x, baseline, meaning, text.REGULAR, size, style.muted)


def draw(image: Image.Image, figures: Figures, style: Style) -> None:
    """Draw what changes from day to day on `image`, on which `background` already is."""
    scale = style.scale
    x = style.margin * scale
    day = f"{figures.day.day} "
    month = f"{MONTHS[figures.day.month - 1]} {figures.day.year}"
    for part in (day, month):  # apart, so that each is found among the texts drawn before
        x = text.put(image, x, FIGURE_Y * scale, part, text.LIGHT, 46 * scale, style.text)
    values: tuple[tuple[str, Colour], ...] = (
        (capacity(figures.capacity_bytes), style.text),
        (f"{figures.in_service[-1]:,}", style.text),
        (f"{figures.failed:,}", style.failure),
    )
    for number, (value, colour) in enumerate(values):
        x = (FIGURES_X + number * FIGURE_PITCH) * scale
        text.put(image, x, FIGURE_Y * scale, value, text.LIGHT, 36 * scale, colour)
    if figures.notice:
        x = (CHART_X - 170) * scale
        text.put(
            image, x, CREDIT_Y * scale, figures.notice, text.REGULAR, 15 * scale, style.warning, "r"
        )
    strip = chart.draw(figures.in_service, figures.weekly, figures.day, style)
    image.paste(strip, (CHART_X * scale, CHART_Y * scale))
    for (top, _), values_shown in ((chart.AREA, figures.in_service), (chart.BARS, figures.weekly)):
        highest = f"up to {values_shown.max():,}"
        _beside_chart(image, top + 29, highest, style)


def _beside_chart(image: Image.Image, y: int, words: str, style: Style) -> None:
    """Write at the chart's left, `y` pixels of a 1080p canvas below its upper edge."""
    scale = style.scale
    x, baseline = (CHART_X - 14) * scale, (CHART_Y + y) * scale
    text.put(image, x, baseline, words, text.NARROW, 14 * scale, style.muted, "r")
