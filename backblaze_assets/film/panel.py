"""The band at the top of the picture: date, figures, chart, and a caption or the legend."""

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
from PIL import Image

from backblaze_assets.film import text
from backblaze_assets.film.captions import Caption
from backblaze_assets.film.chart import Chart
from backblaze_assets.film.jpeg import PIXEL, TILE_WIDTH, Mask, Pixels, differing, tiles
from backblaze_assets.film.layout import FilmLayout
from backblaze_assets.film.style import QUIET_DAYS, Colour, Style, mix
from backblaze_assets.film.words import MONTHS, capacity, long_date

CREDIT = "Data: Backblaze Drive Stats"
MADE_UP = "Made-up data: no real drive is shown"
NOTICE_DAYS = 60
"""Frames for which a notice stays after the last day that it is about."""
LINE = 3
"""Width of the line from a caption to its block, in pixels of a 1080p canvas."""
NO_RATE = "\N{EN DASH}"
LEGEND = "One square is one drive:"


@dataclass(frozen=True)
class Places:
    """Where things stand on the panel, in pixels of a 1080p canvas; baselines for text."""

    date_y: int
    figures_x: tuple[int, ...]
    words_y: int
    value_y: int
    chart: tuple[int, int, int, int]
    caption_y: int
    caption_text_y: int
    underline_y: int
    credit_y: int
    notice_y: int
    notice_right: bool
    head: tuple[int, int]
    """Width, of whole tiles or of all, and height of what has date and figures."""


WIDE = Places(
    date_y=60,
    figures_x=(520, 684, 846, 1006),
    words_y=23,
    value_y=60,
    chart=(1208, 8, 1908, 132),
    caption_y=140,
    caption_text_y=140,
    underline_y=152,
    credit_y=148,
    notice_y=86,
    notice_right=False,
    head=(1216, 92),
)
UPRIGHT = Places(
    date_y=60,
    figures_x=(20, 280, 540, 790),
    words_y=98,
    value_y=136,
    chart=(6, 172, 1076, 300),
    caption_y=332,
    caption_text_y=364,
    underline_y=378,
    credit_y=28,
    notice_y=54,
    notice_right=True,
    head=(1080, 170),
)


class Panel:
    """Draws the panel of the days of a quarter."""

    def __init__(self, layout: FilmLayout, style: Style) -> None:
        """Prepare for the days of `layout`."""
        self.layout, self.style = layout, style
        self.places = UPRIGHT if style.upright else WIDE
        left, top, right, bottom = (side * style.scale for side in self.places.chart)
        self.chart = Chart(layout, style, right - left, bottom - top)
        self.background = self._background()
        self._held: tuple[Image.Image, object, Image.Image] | None = None
        rows, columns = tiles(style.panel * style.scale, style.width)
        self._pixels = np.zeros((style.panel * style.scale, columns * TILE_WIDTH), PIXEL)
        self._all = np.ones((rows, columns), np.bool_)
        self._shows: Image.Image | None = None

    def caption(self, day: date) -> Caption | None:
        """The caption shown on `day`."""
        shown = [one for one in self.layout.captions if one.first <= day <= one.last]
        return shown[-1] if shown else None

    def at(self, number: int, line: int | None = None) -> tuple[Pixels, Mask]:
        """The panel of a day: pixels, and the tiles that may look different than at the last call.

        Args:
            number: of the day, counted from the first day of the history.
            line: x of the line that leads from the caption to its block, in pixels of a 1080p
                canvas; None if there is none.

        Returns:
            Pixels as wide as the canvas's tiles, which the next call writes over; (rows, columns)
            of tiles.
        """
        slow = self._slow(number, self.caption(self.layout.start + timedelta(days=number)), line)
        head = self._head(slow, number)
        height, width = head.shape
        if slow is not self._shows:
            self._shows = slow
            self._pixels[:, : self.style.width] = np.asarray(slow).view(PIXEL)[..., 0]
            self._pixels[:height, :width] = head
            self._pad(self._pixels)
            return self._pixels, self._all
        columns = -(-width // TILE_WIDTH) * TILE_WIDTH
        before = self._pixels[:height, :columns]
        now = before.copy()
        now[:, :width] = head
        self._pad(now)
        changed = np.zeros_like(self._all)
        some = differing(now, np.ascontiguousarray(before))
        changed[: some.shape[0], : some.shape[1]] = some
        before[:] = now
        return self._pixels, changed

    def _pad(self, pixels: Pixels) -> None:
        """Repeat the last column of the picture in what is beyond it."""
        width = self.style.width
        if pixels.shape[1] > width:
            pixels[:, width:] = pixels[:, width - 1 : width]

    def _head(self, slow: Image.Image, number: int) -> Pixels:
        """The part of the panel in which date and figures stand, with those of a day."""
        style, places, layout = self.style, self.places, self.layout
        scale = style.scale
        day = layout.start + timedelta(days=number)
        wide, high = (side * scale for side in places.head)
        image = slow.crop((0, 0, wide, high))
        margin = style.margin * scale
        size = 54 * scale
        month_x = margin + text.width("30 ", text.LIGHT, size)
        baseline = places.date_y * scale
        end = month_x - text.width(" ", text.LIGHT, size)
        text.put(image, end, baseline, str(day.day), text.LIGHT, size, style.muted, "r")
        month = f"{MONTHS[day.month - 1]} "
        x = text.put(image, month_x, baseline, month, text.LIGHT, size, style.text)
        text.put(image, x, baseline, str(day.year), text.LIGHT, size, style.text)
        at = number - layout.first
        rate = layout.rate[number]
        values: tuple[tuple[str, Colour], ...] = (
            (f"{layout.service[number]:,}", style.text),
            (capacity(layout.capacity[at]), style.text),
            (f"{layout.failed[at]:,}", style.high),
        )
        baseline, size = places.value_y * scale, 34 * scale
        for (value, colour), x in zip(values, places.figures_x, strict=False):
            text.put(image, x * scale, baseline, value, text.LIGHT, size, colour)
        x = places.figures_x[3] * scale
        said = f"{rate / 100:.2f} %" if rate >= 0 and number >= QUIET_DAYS else NO_RATE
        text.put(image, x, baseline, said, text.REGULAR, size, style.high)
        if layout.interval[at]:
            below = baseline + 24 * scale
            text.put(image, x, below, layout.interval[at], text.NARROW, 15 * scale, style.soft)
        return np.asarray(image).view(PIXEL)[..., 0]

    def _slow(self, number: int, caption: Caption | None, line: int | None) -> Image.Image:
        """What is the same on many days: all but the date and the figures."""
        chart = self.chart.at(number)
        shown = (caption, line, self._credit(number), notice_of(self.layout, number))
        if self._held is None or self._held[0] is not chart or self._held[1] != shown:
            image = self.background.copy()
            left, top, _, _ = self.places.chart
            image.paste(chart, (left * self.style.scale, top * self.style.scale))
            self._sources(image, number)
            if caption:
                end = self._caption(image, caption)
                if line is not None:
                    self._lead(image, line, end)
            else:
                self._legend(image)
            self._held = chart, shown, image
        return self._held[2]

    def _background(self) -> Image.Image:
        """What stays. Of mode RGBX, whose pixels are in memory as they are on the canvas."""
        style, scale = self.style, self.style.scale
        panel = Image.new("RGBX", (style.width, style.panel * scale), style.panel_background)
        words = ("Drives in service", "Capacity", "Failed so far", "Fail in a year (AFR)")
        for x, word in zip(self.places.figures_x, words, strict=True):
            baseline = self.places.words_y * scale
            text.put(panel, x * scale, baseline, word, text.REGULAR, 16 * scale, style.muted)
        return panel

    def _sources(self, image: Image.Image, number: int) -> None:
        """Whose data they are, and what is not right about them."""
        style, places, layout = self.style, self.places, self.layout
        scale = style.scale
        right = image.width - style.margin * scale
        credit, colour = self._credit(number)
        baseline = places.credit_y * scale
        text.put(image, right, baseline, credit, text.NARROW, 15 * scale, colour, "r")
        notice = notice_of(layout, number)
        if notice:
            x = right if places.notice_right else places.figures_x[0] * scale
            baseline = places.notice_y * scale
            anchor = "r" if places.notice_right else "l"
            text.put(image, x, baseline, notice, text.NARROW, 16 * scale, style.high, anchor)

    def _credit(self, number: int) -> tuple[str, Colour]:
        """Whose data they are on a day, and the colour to say it in."""
        since = self.layout.synthetic_from
        if since is None or number < since:
            return CREDIT, self.style.muted
        start = self.layout.start
        said = credit(start, start + timedelta(days=since))
        return said, self.style.high if said == MADE_UP else self.style.muted

    def _caption(self, image: Image.Image, caption: Caption) -> int:
        """Write a caption; returns the x after it, in pixels of a 1080p canvas."""
        style, places, scale = self.style, self.places, self.style.scale
        left, sizes = style.margin * scale, (30 * scale, 26 * scale)
        room = image.width - 2 * left
        if not style.upright:
            room -= 340 * scale
        name = f"{text.readable(caption.name)}:"
        said = text.readable(caption.text)
        name = text.shortened(name, text.NARROW_MEDIUM, sizes[0], room * 2 // 3)
        end = text.put(
            image, left, places.caption_y * scale, name, text.NARROW_MEDIUM, sizes[0], style.high
        )
        x = left if style.upright else end + 14 * scale
        said = text.shortened(said, text.REGULAR, sizes[1], left + room - x)
        baseline = places.caption_text_y * scale
        last = text.put(image, x, baseline, said, text.REGULAR, sizes[1], style.text)
        return max(last, end) // scale

    def _lead(self, image: Image.Image, x: int, end: int) -> None:
        """Underline a caption that ends at `end`, and lead the line down to a block at `x`."""
        scale, y = self.style.scale, self.places.underline_y
        left, right = min(self.style.margin, x), max(end, x + LINE)
        boxes = ((left, y, right, y + LINE), (x, y, x + LINE, self.style.panel))
        for box in boxes:
            image.paste(
                self.style.high,
                (box[0] * scale, box[1] * scale, box[2] * scale, box[3] * scale),
            )

    def _legend(self, image: Image.Image) -> None:
        """What a square is and what its colours mean, in one line."""
        style, scale = self.style, self.style.scale
        size, side = (22 if style.upright else 18) * scale, 14 * scale
        baseline = self.places.caption_y * scale
        x = style.margin * scale
        x = text.put(image, x, baseline, LEGEND, text.REGULAR, size, style.soft)
        for meaning, colour in legend(style):
            x += 20 * scale
            top = baseline - side
            edge = scale
            if colour == style.removed:  # nearly black needs an edge
                edged = mix(style.panel_background, style.text, 0.4)
                image.paste(edged, (x - edge, top - edge, x + side + edge, baseline + edge))
            image.paste(colour, (x, top, x + side, baseline))
            x += side + 9 * scale
            x = text.put(image, x, baseline, meaning, text.REGULAR, size, style.soft)


def credit(first: date, made_up_from: date | None) -> str:
    """Whose data they are, that begin on the day `first` and are made up from some day on."""
    if made_up_from is None:
        return CREDIT
    if made_up_from <= first:
        return MADE_UP
    last = made_up_from - timedelta(days=1)
    return f"{CREDIT} to {MONTHS[last.month - 1][:3]} {last.year}, then made up from counts"


def legend(style: Style) -> tuple[tuple[str, Colour], ...]:
    """What the colours of a square mean."""
    return (
        ("new", style.new),
        ("in service", style.service),
        ("failed", style.failed),
        ("taken out", style.removed),
    )


def notice_of(layout: FilmLayout, number: int) -> str:
    """What is to be said on a day of days on which not all drives reported; empty for nothing."""
    odd = [(day, share) for day, share in layout.odd_days if day <= number]
    if not odd or number - odd[-1][0] > NOTICE_DAYS:
        return ""
    last, _ = odd[-1]
    spell = [odd[-1]]
    for day, share in reversed(odd[:-1]):
        if spell[-1][0] - day > 1 or (share < 0) != (spell[-1][1] < 0):
            break
        spell.append((day, share))
    first = spell[-1][0]
    begin, end = (long_date(layout.start + timedelta(days=day)) for day in (first, last))
    lowest = min(share for _, share in spell)
    span = begin if first == last else f"{begin} to {end}"
    if lowest < 0:
        return f"No data: {span}"
    if lowest == 0 and first == last:
        return f"No report on {begin}: the day before stands"
    if last == number and first < last:
        span = f"Since {begin}"
    shares = sorted(share for _, share in spell)
    return f"{span}: only {shares[len(shares) // 2]} % of the drives reported"
