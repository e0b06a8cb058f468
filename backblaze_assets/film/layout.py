"""Where each model's block stands on the canvas.

The canvas below the panel is divided into columns from left to right. A column is a stack of
blocks, from the bottom up; a block is a rectangle of cells, one for each drive, above the label of
its model. A block's cells fill from the bottom up, row by row. Models come in the order in which
they were first seen, so time runs across the picture.

A layout is made by a fold over the quarters. As long as everything finds room, a quarter only adds:
segments for new models, and further segments for models that have outgrown theirs, to the right of
all others. Otherwise everything is packed anew. So between two packings nothing moves, and where a
drive stands depends on nothing that came after it.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, timedelta
from functools import cache
from pathlib import Path

import polars as pl

from backblaze_assets.drive_stats.quarters import next_quarter
from backblaze_assets.errors import DataError
from backblaze_assets.files.origin import digest
from backblaze_assets.film.style import Style

FREE = 0.15
"""Part of the width that a packing leaves free at the right for models still to come."""


@dataclass(frozen=True)
class Segment:
    """A rectangle of cells for drives of one model, with a label below it. Lengths in pixels.

    Attributes:
        model: whose drives.
        first_slot: slot of the drive in the lower left cell; slots go right, then up.
        slots: how many drives have room.
        x: left edge.
        bottom: lower edge of the lowest cells; the label begins there.
        per_row: cells in a row.
    """

    model: str
    first_slot: int
    slots: int
    x: int
    bottom: int
    per_row: int


@dataclass(frozen=True)
class Layout:
    """All segments, and what is needed to add further ones.

    Attributes:
        style: name of the style that it was made for.
        cell: side of a cell in pixels, the gap to the next one included.
        anchor: digest of the last full packing. Frames depend on the layout only through it.
        segments: in the order in which they were placed.
        x: left edge of the last column.
        width: width of the last column.
        top: free room in the last column ends here, in pixels from the canvas's top.
    """

    style: str
    cell: int
    anchor: str
    segments: tuple[Segment, ...]
    x: int
    width: int
    top: int

    def to_json(self) -> str:
        """As JSON that `from_json` reads, one line a segment."""
        values = asdict(self)
        segments = ",\n".join(json.dumps(segment) for segment in values.pop("segments"))
        return f'{json.dumps(values)[:-1]},\n"segments": [\n{segments}\n]}}\n'

    @classmethod
    def from_json(cls, text: str) -> "Layout":
        """The layout that `to_json` wrote."""
        values = json.loads(text)
        segments = tuple(Segment(**segment) for segment in values.pop("segments"))
        return cls(segments=segments, **values)

    def capacity(self) -> dict[str, int]:
        """Slots that have a place, by model."""
        slots: dict[str, int] = {}
        for segment in self.segments:
            slots[segment.model] = slots.get(segment.model, 0) + segment.slots
        return slots


def census(
    drives: pl.DataFrame, end: date | None = None, boot_drives: bool = False
) -> pl.DataFrame:
    """What a layout needs to know of the drives seen up to the day `end`, by default all.

    Args:
        drives: `drives.parquet` of `drive_lifetimes`.
        end: the last day that counts.
        boot_drives: whether boot drives count.

    Returns:
        One row per model, in the order in which they were first seen (then by name): model, maker,
        capacity_bytes, first_seen, drives (slots in use), gained (slots of the last 365 days;
        drives that were there on the first day of all are not a gain).
    """
    start, last = drives.select(pl.col("first_seen").min(), last=pl.col("first_seen").max()).row(0)
    if not boot_drives:
        drives = drives.filter(~pl.col("boot"))
    end = end or last
    recent = pl.col("first_seen") > pl.lit(end - timedelta(days=365))
    return (
        drives.filter(pl.col("first_seen") <= end)
        .group_by("model")
        .agg(
            pl.col("maker").first(),
            pl.col("capacity_bytes").first(),
            pl.col("first_seen").min(),
            drives=pl.len(),
            gained=(recent & (pl.col("first_seen") > start)).sum(),
        )
        .sort("first_seen", "model")
    )


def censuses(
    drives: pl.DataFrame, quarters: Iterable[date], boot_drives: bool = False
) -> list[pl.DataFrame]:
    """The census at the end of each of `quarters` (first days), from the newest table of drives."""
    last_days = [next_quarter(quarter) - timedelta(days=1) for quarter in sorted(quarters)]
    return [census(drives, last_day, boot_drives) for last_day in last_days]


def build(census_by_quarter: Sequence[pl.DataFrame], style: Style) -> Layout:
    """The layout after all quarters, whose censuses are given in order."""
    layout: Layout | None = None
    for quarter in census_by_quarter:
        layout = extend(layout, quarter, style)
    if layout is None:
        raise DataError("There is no film without drives: import a quarter first.")
    return layout


def extend(previous: Layout | None, quarter: pl.DataFrame, style: Style) -> Layout:
    """The layout after one more quarter, given that quarter's census.

    Raises:
        DataError: the drives do not fit on the canvas even as the smallest squares.
    """
    if previous is None:
        return _pack(quarter, style)
    extended: Layout | None = previous
    capacity = previous.capacity()
    for model, drives, gained in quarter.select("model", "drives", "gained").iter_rows():
        first_slot = capacity.get(model, 0)
        if extended is not None and drives > first_slot:
            missing = drives - first_slot
            extended = _append(extended, style, model, first_slot, missing, missing + gained)
    return extended or _pack(quarter, style)


def _floor(style: Style) -> int:
    """Lower edge of the labels at the bottom."""
    return style.height - 12 * style.scale


def _ceiling(style: Style) -> int:
    """Upper edge of the room for blocks."""
    return (style.panel + 12) * style.scale


def _columns(width: int, cell: int, style: Style) -> int:
    """Cells that have room side by side in `width` pixels; the last one's gap may stick out."""
    return (width + style.gap(cell)) // cell


def _append(
    layout: Layout, style: Style, model: str, first_slot: int, need: int, want: int
) -> Layout | None:
    """`layout` with a segment for at least `need` and at best `want` drives; None without room.

    A segment is not lower than its label if it can be, so that a model needs few of them.
    """
    cell = layout.cell
    label = style.label * style.scale
    per_row = _columns(layout.width, cell, style)
    rows = (layout.top - label - _ceiling(style)) // cell
    x, width, top = layout.x, layout.width, layout.top
    if rows * per_row < need:
        x += width + style.gutter * style.scale
        top = _floor(style)
        rows = (top - label - _ceiling(style)) // cell
        available = style.width - style.margin * style.scale - x
        width = min(available, max(style.column * style.scale, -(-want // rows) * cell))
        per_row = _columns(width, cell, style)
        if width < style.column * style.scale or rows * per_row < need:
            return None
    rows = min(rows, max(-(-want // per_row), label // cell))
    segment = Segment(model, first_slot, rows * per_row, x, top - label, per_row)
    top -= label + rows * cell + style.stack * style.scale
    return replace(layout, segments=(*layout.segments, segment), x=x, width=width, top=top)


def _pack(quarter: pl.DataFrame, style: Style) -> Layout:
    """All models in new places, with the largest cells that leave room for growth.

    Each model gets room for as many drives again as it gained in the last year. Room that is left
    over for want of cells of a fitting size goes between the columns.
    """
    models = quarter["model"].to_list()
    available = (style.width - 2 * style.margin * style.scale) * (1 - FREE)
    slots = (quarter["drives"] + quarter["gained"]).to_list()
    for cell in style.cells:
        columns = _break_columns(slots, cell, style)
        if columns is None:
            continue
        spare = available - sum(width for _, width in columns)
        gutters = max(1, len(columns) - 1)
        if spare >= gutters * style.gutter * style.scale:
            gutter = min(int(spare / gutters), 2 * style.gutter * style.scale) // 2 * 2
            return _stack(models, slots, columns, gutter, cell, style)
    raise DataError(
        f"{quarter['drives'].sum():,} drives of {len(models)} models do not fit on a canvas of "
        f"{style.width}x{style.height}: choose the film style 2160p."
    )


def _break_columns(slots: Sequence[int], cell: int, style: Style) -> list[tuple[int, int]] | None:
    """Divide models, in order, among columns of the least total width.

    As a paragraph is broken into lines: the best division up to each model comes from the best
    divisions up to the models before it.

    Args:
        slots: for each model, for how many drives it needs room.
        cell: side of a cell in pixels.
        style: lengths.

    Returns:
        For each column the number of the model after its last one, and its width in pixels. None
        if there is no division in which every column is high enough.
    """
    gutter = style.gutter * style.scale
    best: list[tuple[float, int, int]] = [(0.0, 0, 0)]  # total width, start of last column, width
    for end in range(1, len(slots) + 1):
        candidates = [(float("inf"), 0, 0)]
        for start in range(end - 1, -1, -1):
            width = _column_width(tuple(slots[start:end]), cell, style)
            if width is None:
                break
            candidates.append((best[start][0] + width + gutter, start, width))
        best.append(min(candidates))
    if best[-1][0] == float("inf"):
        return None
    columns = []
    end = len(slots)
    while end:
        _, start, width = best[end]
        columns.append((end, width))
        end = start
    return columns[::-1]


@cache
def _column_width(slots: tuple[int, ...], cell: int, style: Style) -> int | None:
    """Least width in pixels of a column that holds blocks of these slots; None if none is right.

    A block alone may be of any width. Blocks above each other share a column that is not wider
    than two labels, since beside a few drives in a wide column much would stay empty.
    """
    label = (style.label + style.stack) * style.scale
    height = _floor(style) - _ceiling(style) + style.stack * style.scale - len(slots) * label
    rows = height // cell
    if rows < len(slots):
        return None
    narrowest = style.column * style.scale
    per_row = max(_columns(narrowest, cell, style), -(-sum(slots) // rows))
    while sum(-(-count // per_row) for count in slots) > rows:
        per_row += 1
    width = max(narrowest, per_row * cell - style.gap(cell))
    return width if len(slots) == 1 or width <= 2 * narrowest else None


def _stack(
    models: Sequence[str],
    slots: Sequence[int],
    columns: Sequence[tuple[int, int]],
    gutter: int,
    cell: int,
    style: Style,
) -> Layout:
    """The layout in which models stand in these columns with `gutter` pixels between them."""
    segments = []
    x = style.margin * style.scale
    start, width, top = 0, 0, 0
    for end, width in columns:
        per_row = _columns(width, cell, style)
        top = _floor(style)
        for model, count in zip(models[start:end], slots[start:end], strict=True):
            rows = -(-count // per_row)
            bottom = top - style.label * style.scale
            segments.append(Segment(model, 0, rows * per_row, x, bottom, per_row))
            top = bottom - rows * cell - style.stack * style.scale
        start = end
        x += width + gutter
    packed = Layout(style.name, cell, "", tuple(segments), x - width - gutter, width, top)
    return replace(packed, anchor=digest([packed.to_json()]))


def read_layout(path: Path) -> Layout:
    """The layout in a file of the asset `film_layout`."""
    content = json.loads(path.read_text(encoding="utf-8"))
    return Layout.from_json(json.dumps(content["layout"]))
