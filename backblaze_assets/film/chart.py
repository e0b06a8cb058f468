"""The chart of the whole film so far: drives in service, and the failure rate of the trailing year.

Its axis of time is fixed from the first frame on; the others change only when an era begins. It
gains a column every nine days, so that it is drawn anew only then.
"""

from collections.abc import Sequence
from datetime import date
from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw

from backblaze_assets.film import text
from backblaze_assets.film.layout import FilmLayout
from backblaze_assets.film.style import Style, mix

YEARS = 16
"""How many years there is room for, from the first January on."""
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
        self.span = (date(self.year + YEARS, 1, 1) - date(self.year, 1, 1)).days
        self.offset = (layout.start - date(self.year, 1, 1)).days
        days = np.arange(len(layout.service))
        width = self.right - self.left
        # Pixel of each day, counted from the left end of the axis.
        self.columns = np.minimum((self.offset + days) * width // self.span, width - 1)
        # The first day of each column.
        self.firsts = np.flatnonzero(np.diff(self.columns, prepend=-1))
        self.drawn = lru_cache(maxsize=4)(self._drawn)

    def at(self, day: int) -> Image.Image:
        """The chart as it stands on `day`: an image of mode RGBX."""
        scene = self.layout.scene
        return self.drawn(int(self.columns[day]), scene.service_axis, scene.rate_axis)

    def _drawn(self, last_column: int, service_axis: int, rate_axis: int) -> Image.Image:
        layout, style = self.layout, self.style
        scale, fine = style.scale, _FINE
        days = self.firsts[self.columns[self.firsts] <= last_column].tolist()
        x = [(self.left + column) * fine for column in self.columns[days].tolist()]
        x[-1] += fine - 1
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
        self._hatch(pen, [day for day, _ in layout.odd_days if day <= days[-1]])
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
        self._words(chart, service_axis, rate_axis)
        return chart

    def _hatch(self, pen: ImageDraw.ImageDraw, odd: Sequence[int]) -> None:
        """Mark days on which not all drives reported."""
        fine, scale = _FINE, self.style.scale
        tint = mix(self.style.panel_background, self.style.text, 0.42)
        columns = sorted(set(self.columns[list(odd)].tolist()))
        for number, column in enumerate(columns):
            x0 = (self.left + column) * fine
            alone = column - 1 not in columns[max(0, number - 1) : number] and (
                column + 1 not in columns[number + 1 : number + 2]
            )
            if alone:
                box = (x0 + fine // 2, self.top * fine, x0 + fine // 2, self.bottom * fine)
                pen.line(box, fill=mix(self.style.panel_background, self.style.text, 0.22))
                continue
            step = 5 * scale * fine
            for y in range(self.top * fine, self.bottom * fine, step):
                shift = (column * fine) % step
                pen.line(
                    (x0, y + step - shift, x0 + fine, y + step - shift - fine),
                    fill=tint,
                    width=max(1, scale * fine // 2),
                )

    def _words(self, chart: Image.Image, service_axis: int, rate_axis: int) -> None:
        style = self.style
        scale = style.scale
        size = 14 * scale
        for year in range(self.year, self.year + YEARS + 1):
            day = (date(year, 1, 1) - date(self.year, 1, 1)).days
            x = self.left + day * (self.right - self.left) // self.span
            tall = (7 if (year - self.year) % 2 == 0 else 4) * scale
            chart.paste(
                mix(style.panel_background, style.text, 0.45),
                (x, self.bottom, x + scale, self.bottom + tall),
            )
            if (year - self.year) % 2 == 0:
                x = max(x, text.width(str(year), text.NARROW, size) // 2)
                baseline = self.bottom + 20 * scale
                text.put(chart, x, baseline, str(year), text.NARROW, size, style.muted, "m")
        top, middle = self.top + 6 * scale, (self.top + self.bottom) // 2 + 5 * scale
        at = self.right + 8 * scale
        for y, percent in ((top, f"{rate_axis} %"), (middle, f"{rate_axis // 2} %")):
            text.put(chart, at, y, percent, text.NARROW, size, style.high)
        drives = f"{service_axis:,} drives"
        text.put(chart, self.right - 4 * scale, top, drives, text.NARROW, size, style.muted, "r")
