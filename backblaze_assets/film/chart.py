"""The chart of the whole film so far: drives in service, and the failure rate of the trailing year.

Its axis of time begins with the first January of the history and has a fixed length of sixteen
years, longer than all data there are. Only the first years have shorter ones, of one year and then
of four: sixteen would show a film of forty days, or that of the demo, as a line four pixels wide,
and the rise of 2014 in a tenth of the width; and an axis that is always as long as the data would
let all that stands creep to the left in every frame. From one length to the next the axis glides,
as the squares do when an era begins: what is drawn shrinks to the left from the first of January on
within `GLIDE_DAYS`, so the eye keeps hold of it. The other axes change when an era begins, or where
more than they hold is to be shown. It is drawn anew only when it gains a column.
"""

from collections.abc import Sequence
from datetime import date, timedelta
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from backblaze_assets.film import text
from backblaze_assets.film.layout import FilmLayout, drives_axis, rate_axis
from backblaze_assets.film.style import GLIDE_DAYS, Colour, Style, eased, mix
from backblaze_assets.film.words import MONTHS

YEARS = (1, 4, 16, 32, 64)
"""How many years there is room for, from the first January on: the first that holds the day."""
_FINE = 3
"""Drawn so many times larger and reduced, for smooth edges."""


class Chart:
    """Draws the chart of a layout at the size that the panel has for it."""

    def __init__(self, layout: FilmLayout, style: Style, width: int, height: int) -> None:
        """Prepare a chart of `width` x `height` canvas pixels, its labels included."""
        self.layout, self.style = layout, style
        scale = style.scale
        self.size = (width, height)
        self.left, self.right = 14 * scale, width - 56 * scale
        self.top, self.bottom = 6 * scale, height - 22 * scale
        self.year = layout.start.year
        self.offset = (layout.start - date(self.year, 1, 1)).days
        self.most_drives = np.maximum.accumulate(layout.service).tolist()
        self.highest_rate = np.maximum.accumulate(layout.rate).tolist()
        self.drawn = lru_cache(maxsize=4)(self._drawn)
        self.columns = lru_cache(maxsize=2)(self._columns)
        self.hatch = lru_cache(maxsize=2)(self._hatch)

    def at(self, day: int) -> Image.Image:
        """The chart as it stands on `day`: an image of mode RGBX."""
        years, span = self.axis(day)
        scene = self.layout.scene
        column = int(self.columns(span)[day])
        service = max(scene.service_axis, drives_axis(self.most_drives[day]))
        rate = max(scene.rate_axis, rate_axis(self.highest_rate[day] / 100))
        return self.drawn(years, span, column, service, rate)

    def axis(self, day: int) -> tuple[int, int]:
        """How long the axis of time is on `day`: in years, and in days, which glide to as many."""
        year = (self.layout.start + timedelta(days=day)).year
        at = next((at for at, some in enumerate(YEARS) if year < self.year + some), len(YEARS) - 1)
        span = self._days_to(self.year + YEARS[at])
        if at == 0:
            return YEARS[at], span
        before = self._days_to(self.year + YEARS[at - 1])
        part = min(1.0, (self.offset + day - before + 1) / GLIDE_DAYS)
        return YEARS[at], round(before * (span / before) ** eased(part))

    def _columns(self, span: int) -> npt.NDArray[np.int64]:
        """Pixel of each day, and of the one after the last, on an axis of `span` days."""
        days = np.arange(self.offset, self.offset + len(self.layout.service) + 1)
        width = self.right - self.left
        return np.minimum(days * width // span, width)

    def _days_to(self, year: int, month: int = 1) -> int:
        """Days from the left end of the axis to the first one of a month."""
        return (date(year, month, 1) - date(self.year, 1, 1)).days

    def _drawn(
        self, years: int, span: int, last_column: int, service_axis: int, rate_axis: int
    ) -> Image.Image:
        layout, style = self.layout, self.style
        scale, fine = style.scale, _FINE
        columns = self.columns(span)
        # The first day of each column.
        firsts = np.flatnonzero(np.diff(columns[:-1], prepend=-1))
        days = firsts[columns[firsts] <= last_column].tolist()
        x = [(self.left + column) * fine for column in columns[days].tolist()]
        x[-1] += max(1, int(columns[days[-1] + 1]) - last_column) * fine - 1
        height = (self.bottom - self.top) * fine

        def y(part: float) -> float:
            return self.bottom * fine - min(1.0, part) * height

        big = Image.new("RGB", (self.size[0] * fine, self.size[1] * fine), style.panel_background)
        pen = ImageDraw.Draw(big)
        area = [
            (at, y(layout.service[day] / service_axis)) for at, day in zip(x, days, strict=True)
        ]
        base = self.bottom * fine
        pen.polygon([(x[0], base), *area, (x[-1], base)], fill=style.chart_area)
        odd = [day for day, _ in layout.odd_days if day <= days[-1]]
        spans = zip(columns[odd].tolist(), columns[[day + 1 for day in odd]].tolist(), strict=True)
        hatched = sorted({x for first, end in spans for x in range(first, max(end, first + 1))})
        for colour, marks in self.hatch(tuple(hatched)):
            big.paste(colour, (0, 0), marks)
        line: list[tuple[float, float]] = []
        for at, day in zip(x, days, strict=True):
            if layout.rate[day] >= 0:
                line.append((at, y(layout.rate[day] / 100 / rate_axis)))
        if len(line) > 1:
            pen.line(line, fill=style.high, width=round(2.4 * scale * fine), joint="curve")
        axis = mix(style.panel_background, style.text, 0.45)
        pen.line(
            [(self.left * fine, base), (self.right * fine, base)], fill=axis, width=fine * scale
        )
        chart = big.reduce(fine).convert("RGBX")
        self._words(chart, years, span, service_axis, rate_axis)
        return chart

    def _hatch(self, columns: Sequence[int]) -> list[tuple[Colour, Image.Image]]:
        """How columns, in order, of days on which not all drives reported are marked.

        Returns:
            Colours, and where they are drawn, as images of mode 1. They are kept: these are many
            short lines, and the chart gains a column far more often than such a day comes.
        """
        if not columns:
            return []
        fine, scale = _FINE, self.style.scale
        size = ((self.left + columns[-1] + 2) * fine, self.size[1] * fine)
        lone, hatched = (Image.new("1", size) for _ in range(2))
        lone_pen, pen = ImageDraw.Draw(lone), ImageDraw.Draw(hatched)
        for number, column in enumerate(columns):
            x0 = (self.left + column) * fine
            alone = column - 1 not in columns[max(0, number - 1) : number] and (
                column + 1 not in columns[number + 1 : number + 2]
            )
            if alone:
                box = (x0 + fine // 2, self.top * fine, x0 + fine // 2, self.bottom * fine)
                lone_pen.line(box, fill=1)
                continue
            step = 5 * scale * fine
            for y in range(self.top * fine, self.bottom * fine, step):
                shift = (column * fine) % step
                pen.line(
                    (x0, y + step - shift, x0 + fine, y + step - shift - fine),
                    fill=1,
                    width=max(1, scale * fine // 2),
                )
        below, above = self.style.panel_background, self.style.text
        return [(mix(below, above, 0.22), lone), (mix(below, above, 0.42), hatched)]

    def _words(
        self, chart: Image.Image, years: int, span: int, service_axis: int, rate_axis: int
    ) -> None:
        style = self.style
        scale = style.scale
        size = 14 * scale
        axis = mix(style.panel_background, style.text, 0.45)
        for begin, word in self._ticks(years):
            if begin > span:
                break
            x = self.left + begin * (self.right - self.left) // span
            tall = (7 if word else 4) * scale
            chart.paste(axis, (x, self.bottom, x + scale, self.bottom + tall))
            if word:
                x = max(x, text.width(word, text.NARROW, size) // 2)
                baseline = self.bottom + 20 * scale
                text.put(chart, x, baseline, word, text.NARROW, size, style.muted, "m")
        top, middle = self.top + 6 * scale, (self.top + self.bottom) // 2 + 5 * scale
        at = self.right + 8 * scale
        for y, percent in ((top, f"{rate_axis} %"), (middle, f"{rate_axis // 2} %")):
            text.put(chart, at, y, percent, text.NARROW, size, style.high)
        drives = f"{service_axis:,} drives"
        text.put(chart, self.right - 4 * scale, top, drives, text.NARROW, size, style.muted, "r")

    def _ticks(self, years: int) -> list[tuple[int, str]]:
        """Days on which the axis of time has a tick, and what stands below it."""
        if years == 1:
            months = [
                (self._days_to(self.year, month), MONTHS[month - 1][:3] if month % 3 == 1 else "")
                for month in range(2, 13)
            ]
            ends = [(self._days_to(year), str(year)) for year in (self.year, self.year + 1)]
            return [ends[0], *months, ends[1]]
        step = max(1, years // 8)
        return [
            (self._days_to(self.year + after), "" if after % step else str(self.year + after))
            for after in range(years + 1)
        ]
