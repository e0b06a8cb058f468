"""One static picture of each table, for places that show no page: the Dagster UI.

In the report's colours and shapes, on paper. All lengths are for a picture 540 pixels wide and grow
with it.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import polars as pl
from PIL import Image, ImageDraw

from backblaze_assets.drive_stats.afr import against_the_rest
from backblaze_assets.drive_stats.daily import DAILY_SCHEMA
from backblaze_assets.drive_stats.groups import GROUPS, terabytes
from backblaze_assets.drive_stats.models import short_names
from backblaze_assets.drive_stats.parquet import read_table
from backblaze_assets.drive_stats.publication import PUBLISHED
from backblaze_assets.drive_stats.quarters import quarter_name
from backblaze_assets.film import text
from backblaze_assets.film.style import Colour
from backblaze_assets.report.drawing import axis_end, drives_axis_end, ticks

BASE = 540
"""Width for which lengths are given, in pixels."""

PAPER: Colour = (250, 249, 247)
INK: Colour = (27, 29, 34)
SOFT: Colour = (74, 79, 88)
MUTED: Colour = (98, 103, 113)
GRID: Colour = (228, 227, 223)
ABOVE: Colour = (168, 67, 0)
BELOW: Colour = (11, 106, 108)
NEITHER: Colour = (90, 97, 108)
EMBER: Colour = (217, 115, 13)
STEPS: Sequence[Colour] = (
    (60, 67, 80),
    (82, 90, 104),
    (104, 113, 128),
    (128, 137, 151),
    (154, 162, 174),
    (181, 187, 197),
    (208, 212, 219),
)
LINES: Sequence[Colour] = (ABOVE, BELOW, (106, 79, 192), (176, 48, 112), (45, 111, 181), NEITHER)
"""Of the page: `style.css` has them too."""

MOST_ROWS = 32
"""Models that a picture has room for."""

_ROW = 17
_SIDE = 12
_TOP = 62
_FOOT = 14


@dataclass
class Canvas:
    """A picture to draw on, in lengths of one that is `BASE` wide.

    Attributes:
        width: in pixels.
        height: in lengths of the base.
    """

    width: int
    height: float
    image: Image.Image = field(init=False)
    pen: ImageDraw.ImageDraw = field(init=False)

    def __post_init__(self) -> None:
        # Drawn at twice the size: Pillow has no smooth lines.
        self.scale = 2 * self.width / BASE
        size = (2 * self.width, round(self.height * self.scale))
        self.image = Image.new("RGB", size, PAPER)
        self.pen = ImageDraw.Draw(self.image)

    def write(
        self,
        x: float,
        y: float,
        said: str,
        *,
        size: float = 11,
        ink: Colour = INK,
        name: str = text.REGULAR,
        anchor: str = "l",
    ) -> None:
        """One line of text with its baseline at `y`."""
        s = self.scale
        place = (round(x * s), round(y * s))
        text.put(self.image, *place, text.readable(said), name, round(size * s), ink, anchor=anchor)

    def line(self, points: Sequence[tuple[float, float]], ink: Colour, width: float = 1) -> None:
        """A line through points."""
        s = self.scale
        path = [(x * s, y * s) for x, y in points]
        self.pen.line(path, fill=ink, width=max(1, round(width * s)), joint="curve")

    def area(self, points: Sequence[tuple[float, float]], ink: Colour) -> None:
        """A filled polygon."""
        self.pen.polygon([(x * self.scale, y * self.scale) for x, y in points], fill=ink)

    def box(self, left: float, top: float, right: float, bottom: float, ink: Colour) -> None:
        """A filled rectangle."""
        s = self.scale
        self.pen.rectangle((left * s, top * s, right * s, bottom * s), fill=ink)

    def dot(self, x: float, y: float, ink: Colour, *, filled: bool) -> None:
        """A circle, filled or hollow."""
        s, r = self.scale, 3.6 * self.scale
        where = (x * s - r, y * s - r, x * s + r, y * s + r)
        inside = ink if filled else PAPER
        self.pen.ellipse(where, fill=inside, outline=ink, width=round(1.5 * s))

    def png(self) -> bytes:
        """The picture as a PNG file of few colours."""
        size = (self.width, round(self.height * self.scale / 2))
        small = self.image.resize(size, Image.Resampling.BOX)
        buffer = io.BytesIO()
        small.quantize(64, dither=Image.Dither.NONE).save(buffer, "PNG", optimize=True)
        return buffer.getvalue()


def rates(table: pl.DataFrame, quarter: date, width: int = BASE) -> bytes:
    """AFR by model over twelve months with its interval, by upper bound, as a PNG file.

    Args:
        table: `afr_table` of `quarter`.
        quarter: its first day.
        width: in pixels.
    """
    rows = table.filter(
        pl.col("kind") == "model", pl.col("window") == "year", pl.col("status") == PUBLISHED
    )
    ranked = against_the_rest(rows).sort("afr_high", "group")
    shown = ranked.sort("drives_end", "group", descending=[True, False]).head(MOST_ROWS)
    body = shown.sort("afr_high", "group").to_dicts()
    canvas = Canvas(width, _TOP + _ROW * max(len(body), 1) + 2 * _FOOT)
    note = "square: above the rest beyond chance; full dot: below; hollow: not told apart"
    _title(canvas, f"Failures a year by model, twelve months to {quarter_name(quarter)}, %", note)
    if not body:
        return _nothing(canvas, "No model has enough drives for a table.")
    names = short_names([row["model"] for row in body])
    end = axis_end([row["afr"] for row in body], [row["afr_high"] for row in body])
    left, right = 172.0, BASE - 92.0

    def x(value: float) -> float:
        return left + (right - left) * min(value / end, 1)

    bottom = _TOP + _ROW * len(body)
    for tick in ticks(end):
        canvas.line([(x(tick), _TOP - 2), (x(tick), bottom)], GRID)
        canvas.write(x(tick), bottom + 13, str(tick), size=10, ink=MUTED, anchor="m")
    canvas.write(right + 12, _TOP - 6, "AFR %", size=10, ink=MUTED)
    canvas.write(BASE - _SIDE, _TOP - 6, "drives", size=10, ink=MUTED, anchor="r")
    for place, row in enumerate(body):
        y = _TOP + _ROW * (place + 0.5)
        verdict = row["verdict"]
        ink = {"above": ABOVE, "below": BELOW}.get(verdict, NEITHER)
        canvas.write(_SIDE, y + 4, names[row["model"]], name=text.NARROW_MEDIUM, size=12)
        canvas.write(left - 8, y + 4, _size(row["capacity_tb"]), size=10, ink=MUTED, anchor="r")
        canvas.line([(x(row["afr_low"]), y), (x(row["afr_high"]), y)], ink, 2)
        at = x(row["afr"])
        if verdict == "above":
            canvas.box(at - 3.6, y - 3.6, at + 3.6, y + 3.6, ink)
        else:
            canvas.dot(at, y, ink, filled=verdict == "below")
        canvas.write(right + 38, y + 4, f"{row['afr']:.2f}", ink=ink, anchor="r")
        canvas.write(BASE - _SIDE, y + 4, f"{row['drives_end']:,}", size=10, ink=MUTED, anchor="r")
    return canvas.png()


def fleet(drives: pl.DataFrame, last_day: date, width: int = BASE) -> bytes:
    """Data drives in service by size since the beginning, as a PNG file.

    Args:
        drives: columns first_seen, failed_on, removed_on, boot, capacity_bytes of
            `Lifetimes.drives`.
        last_day: of the known time.
        width: in pixels.
    """
    canvas = Canvas(width, 250)
    known = drives.filter(~pl.col("boot"), pl.col("first_seen") <= last_day)
    if known.is_empty():
        _title(canvas, "Drives in service by size", "")
        return _nothing(canvas, "There are no drives yet.")
    first = known["first_seen"].min()
    assert isinstance(first, date)
    every = max((last_day - first).days // 200, 1)
    days = pl.date_range(first, last_day, f"{every}d", eager=True).to_list()
    days = [*days[:-1], last_day] if len(days) > 1 else [first, last_day]
    gone = pl.min_horizontal(pl.col("failed_on") + pl.duration(days=1), pl.col("removed_on"))
    sized = known.select(
        "first_seen", gone=gone, tb=terabytes(pl.col("capacity_bytes")).alias("tb")
    )
    layers = [
        (tb, [_before(rows["first_seen"], day) - _before(rows["gone"], day) for day in days])
        for (tb,), rows in sorted(
            sized.partition_by("tb", as_dict=True).items(),
            key=lambda each: (each[0][0] is None, each[0][0] or 0),
        )
    ]
    total = sum(counts[-1] for _, counts in layers)
    top_most = max(sum(counts[place] for _, counts in layers) for place in range(len(days)))
    unit = 1_000 if top_most >= 10_000 else 1
    end = drives_axis_end(top_most / unit)
    _title(canvas, f"Drives in service by size: {total:,} on {last_day}", "boot drives left out")
    left, right, top, bottom = 44.0, BASE - 104.0, 54.0, 228.0

    span = max((last_day - first).days, 1)

    def x(place: int) -> float:
        return left + (right - left) * float((days[place] - first).days) / span

    def y(value: float) -> float:
        return bottom - (bottom - top) * value / (end * unit)

    for tick in ticks(end):
        canvas.line([(left, y(tick * unit)), (right, y(tick * unit))], GRID)
        said = f"{tick}{'k' if unit > 1 and tick else ''}"
        canvas.write(left - 6, y(tick * unit) + 4, said, size=10, ink=MUTED, anchor="r")
    base = [0] * len(days)
    free = bottom + 4
    for place, (tb, counts) in enumerate(layers):
        above = [low + count for low, count in zip(base, counts, strict=True)]
        outline = [(x(at), y(value)) for at, value in enumerate(above)]
        back = [(x(at), y(value)) for at, value in enumerate(base)]
        canvas.area([*outline, *reversed(back)], STEPS[place % len(STEPS)])
        canvas.line(outline, PAPER, 0.5)
        if counts[-1] >= 0.012 * total:
            middle = min(y((above[-1] + base[-1]) / 2) + 4, free)
            free = middle - 12
            canvas.write(right + 8, middle, f"{_size(tb)}  {counts[-1]:,}", size=10)
        base = above
    _years(canvas, first, last_day, left, right, bottom)
    return canvas.png()


def survival(curves: pl.DataFrame, quarter: date, width: int = BASE) -> bytes:
    """The share of drives that failed by age, of all and of the largest models, as a PNG file.

    Args:
        curves: `survival` of `quarter`.
        quarter: its first day.
        width: in pixels.
    """
    canvas = Canvas(width, 270)
    _title(
        canvas,
        f"Failed by age in years, %, up to {quarter_name(quarter)}",
        "if none is taken out before (Kaplan-Meier); the largest models, and all drives in black",
    )
    told = curves.filter(pl.col("supported"))
    models = told.filter(pl.col("kind") == "model", ~pl.col("boot").fill_null(value=False))
    largest = (
        models.group_by("group").agg(pl.col("followed").max(), pl.len())
        .filter(pl.col("len") > 1)
        .sort("followed", "group", descending=[True, False])["group"].head(len(LINES))
    )  # fmt: skip
    everyone = told.filter(pl.col("kind") == "all").sort("age_years")
    if everyone.height < 2:
        return _nothing(canvas, "No age is followed by enough drives yet.")
    names = short_names(largest.to_list())
    lines = [
        (names[group], _failed(models.filter(pl.col("group") == group)), ink)
        for group, ink in zip(largest, LINES, strict=False)
    ]
    lines.append(("all drives", _failed(everyone), INK))
    oldest = max(points[-1][0] for _, points, _ in lines)
    ends = [points[-1][1] for _, points, _ in lines]
    end = axis_end(ends, ends)
    left, right, top, bottom = 32.0, BASE - 128.0, 54.0, 246.0

    def at(age: float, share: float) -> tuple[float, float]:
        return left + (right - left) * age / oldest, bottom - (bottom - top) * share / end

    for tick in ticks(end):
        canvas.line([at(0, tick), at(oldest, tick)], GRID)
        canvas.write(left - 6, at(0, tick)[1] + 4, str(tick), size=10, ink=MUTED, anchor="r")
    for age in range(int(oldest) + 1):
        canvas.write(at(age, 0)[0], bottom + 14, str(age), size=10, ink=MUTED, anchor="m")
    free = bottom + 4
    for label, points, ink in sorted(lines, key=lambda each: each[1][-1][1]):
        canvas.line([at(*point) for point in points], ink, 2.5 if ink == INK else 1.5)
        tip = at(*points[-1])
        y = min(tip[1] + 4, free)
        free = y - 12
        if tip[0] < right - 2:
            canvas.line([tip, (right + 4, y - 4)], GRID)
        said = f"{label}  {points[-1][1]:.1f}"
        canvas.write(right + 6, y, said, size=11, ink=ink, name=text.NARROW_MEDIUM)
    return canvas.png()


def day(counts: pl.DataFrame, when: date, width: int = BASE) -> bytes:
    """The drives of a day by size, and those that failed, as a PNG file.

    Args:
        counts: `daily_stats` of the day.
        when: the day.
        width: in pixels.
    """
    sizes = (
        counts.filter(~pl.col("boot"))
        .with_columns(capacity_tb=terabytes(pl.col("capacity_bytes")))
        .group_by("capacity_tb", GROUPS["size"].alias("size"))
        .agg(pl.col("drives", "failures").sum())
        .sort("capacity_tb", nulls_last=True)
        .to_dicts()
    )
    canvas = Canvas(width, 52 + _ROW * max(len(sizes), 1) + _FOOT)
    drives, failed = (sum(row[name] for row in sizes) for name in ("drives", "failures"))
    _title(canvas, f"{when}: {drives:,} drives reported, {failed:,} failed", "by size")
    if not drives:
        return _nothing(canvas, "No drive reported on this day.")
    most = max(row["drives"] for row in sizes)
    left, right = 76.0, BASE - 120.0
    for place, row in enumerate(sizes):
        y = 52 + _ROW * (place + 0.5)
        canvas.write(left - 8, y + 4, row["size"], size=11, anchor="r")
        tip = left + (right - left) * row["drives"] / most
        canvas.box(left, y - 5, max(tip, left + 0.5), y + 5, STEPS[3])
        canvas.write(tip + 6, y + 4, f"{row['drives']:,}", size=10, ink=SOFT)
        if row["failures"]:
            said = f"{row['failures']:,} failed"
            canvas.write(BASE - _SIDE, y + 4, said, size=11, ink=ABOVE, anchor="r")
    return canvas.png()


def picture_of(asset: str, path: Path, width: int = BASE) -> bytes:
    """The picture of a partition of an asset that is a table, as a PNG file.

    Args:
        asset: its name.
        path: the partition's file, or folder; its name is the partition's key.
        width: in pixels.

    Raises:
        KeyError: the asset has none.
    """
    return _OF[asset](path, width)


def _of_rates(path: Path, width: int) -> bytes:
    return rates(read_table(path), date.fromisoformat(path.stem), width)


def _of_survival(path: Path, width: int) -> bytes:
    return survival(read_table(path), date.fromisoformat(path.stem), width)


def _of_fleet(path: Path, width: int) -> bytes:
    columns = ["first_seen", "failed_on", "removed_on", "boot", "capacity_bytes"]
    drives = read_table(path / "drives.parquet", columns)
    days = read_table(path / "days.parquet", ["date"])["date"]
    return fleet(drives, days[-1], width)


def _of_day(path: Path, width: int) -> bytes:
    counts = read_table(path, DAILY_SCHEMA.names())
    return day(counts, date.fromisoformat(path.stem), width)


_OF = {
    "afr_table": _of_rates,
    "survival": _of_survival,
    "drive_lifetimes": _of_fleet,
    "daily_stats": _of_day,
}
ASSETS = tuple(_OF)
"""Assets of which there is a picture."""


def _title(canvas: Canvas, title: str, note: str) -> None:
    canvas.write(_SIDE, 22, title, size=15)
    canvas.write(_SIDE, 38, note, size=10, ink=MUTED)


def _nothing(canvas: Canvas, said: str) -> bytes:
    canvas.write(_SIDE, 60, said, size=12, ink=SOFT)
    return canvas.png()


def _size(terabyte: float | None) -> str:
    return "?" if terabyte is None else f"{terabyte:g} TB"


def _before(days: pl.Series, day: date) -> int:
    """How many of `days` are on or before `day`."""
    return int((days <= day).sum())


def _failed(curve: pl.DataFrame) -> list[tuple[float, float]]:
    """Age and percent failed, from birth where the curve begins there."""
    rows = curve.sort("age_years").select("age_years", 100 * (1 - pl.col("survival"))).rows()
    return [(0.0, 0.0), *rows] if rows and rows[0][0] <= 0.25 else rows


def _years(
    canvas: Canvas, first: date, last: date, left: float, right: float, bottom: float
) -> None:
    """Labels of the time axis: years, or the first and the last day where there are few."""
    span = max((last - first).days, 1)
    years = [date(year, 1, 1) for year in range(first.year + 1, last.year + 1)]
    if len(years) < 2:
        canvas.write(left, bottom + 14, str(first), size=10, ink=MUTED)
        canvas.write(right, bottom + 14, str(last), size=10, ink=MUTED, anchor="r")
        return
    for year in years[:: 1 + len(years) // 10]:
        x = left + (right - left) * (year - first).days / span
        canvas.write(x, bottom + 14, str(year.year), size=10, ink=MUTED, anchor="m")
