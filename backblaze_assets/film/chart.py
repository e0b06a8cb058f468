"""The strip chart of the last two years: drives in service, and failures a week."""

from datetime import date, timedelta
from functools import cache

import numpy as np
import numpy.typing as npt
from PIL import Image

from backblaze_assets.film import text
from backblaze_assets.film.style import Colour, Style

DAYS = 730
"""How many days the chart shows, one pixel of a 1080p canvas each."""

AREA = (0, 66)
"""First and last row of the upper lane, in pixels of a 1080p canvas."""
BARS = (76, 111)
"""First and last row of the lower lane."""
LABEL_Y = 126
"""Baseline of the years."""
SHADES = 8
"""Steps from nothing to the full colour of a line, for smooth edges."""
BELOW, YEAR, AXIS, SERVICE, FAILURE = 0, 1, 2, 3, 3 + SHADES + 2
"""Numbers of colours: single ones, and the first of each lane's: shades of the line, then area."""
HEIGHT = 130
"""Rows of the whole chart, with the years below."""


def draw(
    in_service: npt.NDArray[np.int64], weekly: npt.NDArray[np.int64], day: date, style: Style
) -> Image.Image:
    """The chart as it stands on `day`.

    Args:
        in_service: drives in service on each day, at most `DAYS`, the last of which is `day`.
        weekly: failures of the seven days up to each of these days.
        day: the last day shown.
        style: colours and size.

    Returns:
        An image of mode RGBX, `DAYS` by `HEIGHT` times the style's scale.
    """
    scale = style.scale
    pixels = np.full((HEIGHT * scale, DAYS * scale), BELOW, np.uint8)
    years = [
        (year, (DAYS - 1 - (day - date(year, 1, 1)).days) * scale)
        for year in range((day - timedelta(days=DAYS - 2)).year + 1, day.year + 1)
    ]
    for lane, values, first_colour in ((AREA, in_service, SERVICE), (BARS, weekly, FAILURE)):
        top, bottom = lane[0] * scale, lane[1] * scale
        for _, x in years:
            pixels[top:bottom, x : x + scale] = YEAR
        _lane(pixels[top:bottom], values, first_colour, scale)
    indexed = Image.fromarray(pixels, "P")
    indexed.putpalette(_palette(style))
    strip = indexed.convert("RGBX")
    for year, x in years:
        label, size = str(year), 12 * scale
        half = text.width(label, text.NARROW, size) // 2
        if half <= x <= strip.width - half:
            text.put(strip, x, LABEL_Y * scale, label, text.NARROW, size, style.muted, "m")
    return strip


def _lane(
    pixels: npt.NDArray[np.uint8], values: npt.NDArray[np.int64], first_colour: int, scale: int
) -> None:
    """Draw an area under a line, scaled to its own maximum, ending at the right edge.

    Args:
        pixels: the lane's part of the chart, numbers of colours, changed in place.
        values: one for each day.
        first_colour: number of the first of the lane's colours.
        scale: of the style.
    """
    rows = len(pixels)
    exact = np.repeat(values, scale) * ((rows - scale) / max(1, values.max()))
    height = exact.astype(np.int16)  # rows that are covered wholly
    part = pixels[:, pixels.shape[1] - len(height) :]
    depth = np.arange(rows, dtype=np.int16)[:, None] + (height - rows)
    np.copyto(part, first_colour + SHADES, where=depth >= 0)
    np.copyto(part, first_colour + SHADES + 1, where=depth >= 2 * scale)
    edges = np.flatnonzero(exact)
    shade = ((exact - height)[edges] * SHADES).astype(np.uint8)
    part[rows - 1 - height[edges], edges] = first_colour + shade
    pixels[-scale:] = AXIS


@cache
def _palette(style: Style) -> bytes:
    """The chart's colours by number, three bytes each."""
    below = style.panel_background
    colours = [below, mix(below, style.text, 0.2), mix(below, style.text, 0.3)]
    for colour in (style.service, style.failure):
        colours += [mix(below, colour, shade / SHADES) for shade in range(SHADES + 1)]
        colours.append(mix(below, colour, 0.42))
    return bytes(part for colour in colours for part in colour)


def mix(below: Colour, above: Colour, opacity: float) -> Colour:
    """The colour `above` drawn with `opacity` over the colour `below`."""
    red, green, blue = (round(b + (a - b) * opacity) for b, a in zip(below, above, strict=True))
    return red, green, blue
