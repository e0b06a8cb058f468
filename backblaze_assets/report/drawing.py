"""Charts as inline SVG, in the page's own colours: they need no script, and they print."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date

from backblaze_assets.report.text import tag

ENDS = (1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 30, 40, 50, 60, 80, 100)
"""Where an axis may end."""

_LEFT = 40
"""Room for the labels of the y axis."""

_LINE = 13
"""From one label to the next."""

_INSIDE = 0.85
"""The share of upper bounds that an axis must hold; what goes over ends in an arrowhead."""


def axis_end(rates: Sequence[float], highs: Sequence[float]) -> int:
    """The least end of an axis from 0 that holds all rates and most of the upper bounds."""
    for end in ENDS:
        inside = sum(high <= end for high in highs)
        if all(rate <= end for rate in rates) and inside >= _INSIDE * len(highs):
            return end
    return ENDS[-1]


def drives_axis_end(most: float) -> int:
    """The least round end of an axis from 0 that holds `most`."""
    step = 1
    while True:
        for times in (1, 2, 3, 4, 5, 6, 8):
            if times * step >= most:
                return times * step
        step *= 10


def ticks(end: int) -> list[int]:
    """Round values on an axis from 0 to `end`, at most nine."""
    step = next(
        times * 10**power
        for power in range(10)
        for times in (1, 2, 5)
        if end <= 8 * times * 10**power
    )
    return list(range(0, end + 1, step))


def dot_and_interval(
    rate: float, low: float, high: float, *, end: int, rest: float | None, verdict: str
) -> str:
    """A rate with its interval in a cell of any width: coordinates are in percent.

    Above the rest is a filled square, below it a filled circle, neither a hollow circle. The
    dotted line is the rest.
    """

    def x(value: float) -> str:
        return f"{min(100 * value / end, 100):.2f}%"

    parts = [
        tag("line", x1=x(tick), x2=x(tick), y1="0", y2="34", class_="grid") for tick in ticks(end)
    ]
    if rest is not None and rest <= end:
        parts.append(tag("line", x1=x(rest), x2=x(rest), y1="0", y2="34", class_="rest"))
    parts.append(tag("line", x1=x(low), x2=x(high), y1="17", y2="17", class_="range"))
    if high > end:
        parts.append(tag("svg", '<path d="M-8 -5 0 0 -8 5z"/>', x="100%", y="17", class_="over"))
    if verdict == "above":
        parts.append(tag("svg", '<rect x="-5" y="-5" width="10" height="10"/>', x=x(rate), y="17"))
    else:
        parts.append(tag("circle", cx=x(rate), cy="17", r="5"))
    shape = "apart" if verdict in ("above", "below") else "open"
    return tag("svg", "".join(parts), class_=f"interval {shape}", aria_hidden="true")


def axis(end: int) -> str:
    """The labels of the axis that `dot_and_interval` is drawn on."""
    labels = [
        tag("text", f"{tick}%" if tick == 0 else str(tick), x=f"{100 * tick / end:.2f}%", y="12")
        for tick in ticks(end)
    ]
    return tag("svg", "".join(labels), class_="axis", aria_hidden="true")


def sparkline(values: Sequence[float | None], end: float = 5) -> str:
    """A line of 110 x 22; values over `end` leave through the top, missing ones break it."""
    step = 106 / max(len(values) - 1, 1)
    paths, pen = [], "M"
    for place, value in enumerate(values):
        if value is None:
            pen = "M"
            continue
        paths.append(f"{pen}{2 + place * step:.1f} {20 - 18 * value / end:.1f}")
        pen = "L"
    if not paths:
        return ""
    tip = ""
    if values[-1] is not None:
        tip = tag("circle", cx="108", cy=f"{20 - 18 * values[-1] / end:.1f}", r="2")
    return tag(
        "svg",
        tag("path", d="".join(paths)) + tip,
        class_="spark",
        width=110,
        height=22,
        viewBox="0 0 110 22",
        aria_hidden="true",
    )


@dataclass(frozen=True)
class Line:
    """A line of a chart.

    Attributes:
        values: one for each place on the x axis, None where there is none.
        label: stands at its end; without one the line is context, in grey.
        low: lower bounds of a band around it.
        high: upper bounds.
    """

    values: Sequence[float | None]
    label: str = ""
    low: Sequence[float | None] = ()
    high: Sequence[float | None] = ()


@dataclass(frozen=True)
class Frame:
    """The frame that a chart is drawn in.

    Attributes:
        title: what it shows, for screen readers.
        x_labels: text at places of the x axis.
        places: how many places the x axis has.
        end: the y axis goes from 0 to here.
        width: of the drawing; it scales with the page.
        height: likewise.
        right: room at the right for labels.
        unit: stands after the highest label of the y axis.
        name: a class of the drawing.
    """

    title: str
    x_labels: Sequence[tuple[int, str]]
    places: int
    end: int
    width: int = 560
    height: int = 300
    right: int = 130
    unit: str = "%"
    name: str = ""

    def narrow(self) -> "Frame":
        """The same for a phone, on which the wide one's text would be too small to read."""
        every = 1 + len(self.x_labels) // 8
        return replace(
            self,
            x_labels=self.x_labels[::every],
            width=350,
            height=270,
            right=min(self.right, 108),
            name="narrow",
        )

    def x(self, place: float) -> float:
        """From a place on the x axis."""
        return _LEFT + (self.width - _LEFT - self.right) * place / max(self.places - 1, 1)

    def y(self, value: float) -> float:
        """From a value on the y axis."""
        return self.height - 24 - (self.height - 36) * value / self.end

    def drawn(self, content: str) -> str:
        """The whole chart; what is above the axis' end is clipped, never clamped."""
        right = self.width - self.right
        grid = "".join(
            tag("line", x1=_LEFT, x2=right, y1=f"{self.y(tick):.1f}", y2=f"{self.y(tick):.1f}")
            + tag(
                "text",
                f"{tick}{self.unit if tick == ticks(self.end)[-1] else ''}",
                x=_LEFT - 6,
                y=f"{self.y(tick) + 4:.1f}",
                text_anchor="end",
            )
            for tick in ticks(self.end)
        )
        below = "".join(
            tag("text", label, x=f"{self.x(place):.1f}", y=self.height - 6, text_anchor="middle")
            for place, label in self.x_labels
        )
        return tag(
            "svg",
            tag("title", self.title) + tag("g", grid + below, class_="scale") + content,
            class_=f"chart {self.name}".strip(),
            viewBox=f"0 0 {self.width} {self.height}",
            role="img",
        )


def for_both(frame: Frame, draw: Callable[[Frame], str]) -> str:
    """A chart twice: for wide screens and for phones, of which the style shows one."""
    return draw(replace(frame, name="broad")) + draw(frame.narrow())


def line_chart(frame: Frame, lines: Sequence[Line]) -> str:
    """Lines over places; those with a label are bold, with a band, the others grey."""
    parts = []
    for line in sorted(lines, key=lambda line: bool(line.label)):
        if line.low and line.high:
            parts.append(_band(frame, line.low, line.high))
        path = _path(frame, line.values)
        if path:
            parts.append(tag("path", d=path, class_="bold" if line.label else "context"))
    return frame.drawn(tag("g", "".join(parts), class_="lines"))


def rate_over_drives(frame: Frame, rate: Line, drives: Sequence[float | None]) -> str:
    """A rate with its band, and behind it how many drives it is of: up to the frame's top."""
    most = max((count or 0 for count in drives), default=0) or 1
    outline = [
        f"{frame.x(place):.1f} {frame.y(frame.end * (count or 0) / most):.1f}"
        for place, count in enumerate(drives)
    ]
    first, last = f"{frame.x(0):.1f}", f"{frame.x(frame.places - 1):.1f}"
    floor = f"{frame.y(0):.1f}"
    area = tag("path", d=f"M{first} {floor}L{'L'.join(outline)}L{last} {floor}Z", class_="behind")
    line = tag("path", d=_path(frame, rate.values), class_="bold")
    return frame.drawn(tag("g", area + _band(frame, rate.low, rate.high) + line, class_="lines"))


def year_labels(quarters: Sequence[date], most: int) -> list[tuple[int, str]]:
    """Years where they begin among quarters, at most so many: every second, every third, ..."""
    labels = [(place, str(each.year)) for place, each in enumerate(quarters) if each.month == 1]
    return labels[:: -(-len(labels) // most) or 1]


@dataclass(frozen=True)
class Curve:
    """A line of a chart that readers compare models in.

    Attributes:
        model: which model it is of.
        line: its values.
    """

    model: str
    line: Line


def compare_chart(frame: Frame, curves: Sequence[Curve], picks: Sequence[str]) -> str:
    """All models as grey lines, those that are picked in colour, with band and name.

    Everything is drawn; which of it shows is the page's script's to say. Without scripts the
    models of `picks` do.
    """
    parts = []
    for curve in sorted(curves, key=lambda curve: curve.model in picks):
        known = [
            (place, value)
            for place, value in enumerate(curve.line.values)
            if value is not None and value <= frame.end
        ]
        if not known:
            continue
        place, value = known[-1]
        label = tag(
            "text", curve.line.label, x=f"{frame.x(place) + 6:.1f}", y=f"{frame.y(value) + 4:.1f}"
        )
        pick = str(picks.index(curve.model) + 1) if curve.model in picks else None
        inside = (
            _band(frame, curve.line.low, curve.line.high)
            + tag("path", d=_path(frame, curve.line.values), class_="line")
            + label
        )
        parts.append(tag("g", inside, class_="curve", data_model=curve.model, data_pick=pick))
    guide = tag("line", y1=f"{frame.y(frame.end):.1f}", y2=f"{frame.y(0):.1f}", class_="guide")
    ends = {"data_left": frame.x(0), "data_right": frame.x(frame.places - 1)}
    scale = {"data_top": frame.y(frame.end), "data_bottom": frame.y(0), "data_end": frame.end}
    return frame.drawn(guide + tag("g", "".join(parts), class_="curves", **ends, **scale))


def stacked_areas(frame: Frame, layers: Sequence[tuple[str, str, Sequence[float]]]) -> str:
    """Areas one above the other, the first below: label, class and values of each.

    Labels stand at the right, in the middle of where their layer ends.
    """
    base = [0.0] * frame.places
    parts, labels = [], []
    free = float(frame.height)
    for label, name, values in layers:
        top = [low + value for low, value in zip(base, values, strict=True)]
        outline = [f"{frame.x(place):.1f} {frame.y(value):.1f}" for place, value in enumerate(top)]
        back = [f"{frame.x(place):.1f} {frame.y(value):.1f}" for place, value in enumerate(base)]
        parts.append(tag("path", d=f"M{'L'.join([*outline, *reversed(back)])}Z", class_=name))
        if label:
            middle = min(frame.y((top[-1] + base[-1]) / 2) + 4, free)
            free = middle - _LINE
            labels.append(tag("text", label, x=frame.width - frame.right + 8, y=f"{middle:.1f}"))
        base = top
    return frame.drawn(
        tag("g", "".join(parts), class_="areas") + tag("g", "".join(labels), class_="labels")
    )


def dots(frame: Frame, points: Sequence[tuple[float, float, float, float]]) -> str:
    """Values with intervals: place, value, low and high of each."""
    parts = "".join(
        tag(
            "line",
            x1=f"{frame.x(place):.1f}",
            x2=f"{frame.x(place):.1f}",
            y1=f"{frame.y(low):.1f}",
            y2=f"{max(frame.y(high), 0):.1f}",
        )
        + tag("circle", cx=f"{frame.x(place):.1f}", cy=f"{frame.y(value):.1f}", r="3.5")
        for place, value, low, high in points
    )
    return frame.drawn(tag("g", parts, class_="dots"))


def _path(frame: Frame, values: Sequence[float | None]) -> str:
    """Through the values; missing ones break it, and so do those far above the axis."""
    path, pen = "", "M"
    for place, value in enumerate(values):
        if value is None or value > 1.5 * frame.end:
            pen = "M"
            continue
        path += f"{pen}{frame.x(place):.1f} {frame.y(value):.1f}"
        pen = "L"
    return path


def _band(frame: Frame, low: Sequence[float | None], high: Sequence[float | None]) -> str:
    known = [
        (place, bottom, min(top, frame.end))
        for place, (bottom, top) in enumerate(zip(low, high, strict=True))
        if bottom is not None and top is not None and bottom <= frame.end
    ]
    if not known:
        return ""
    upper = [f"{frame.x(place):.1f} {frame.y(top):.1f}" for place, _, top in known]
    lower = [f"{frame.x(place):.1f} {frame.y(bottom):.1f}" for place, bottom, _ in known]
    return tag("path", d=f"M{'L'.join([*upper, *reversed(lower)])}Z", class_="band")
