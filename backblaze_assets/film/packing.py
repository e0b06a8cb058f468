"""Blocks on shelves: how a fleet is packed when an era begins, and how it grows within one.

Lengths are in pixels of a 1080p canvas; sizes of cells in quarters of one. A block's cells fill
from the lower left, row by row upwards. All blocks of a shelf have one height and one baseline, the
largest blocks stand on the top shelf. The rules and what else was tried stand in the issue of the
film's design; measured figures in `backblaze_assets_tests/benchmarks/bench_frames.py`.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date

import numpy as np
import numpy.typing as npt

from backblaze_assets.errors import DataError
from backblaze_assets.film.style import CELLS, QUARTERS, Style

LEAST_HORIZON = 0.3
"""Years of growth that a packing has room for at least."""
MOST_HORIZON = 1.5
_HORIZON_STEPS = 7
ON_A_SHELF = 22
"""Blocks on a shelf at most."""
MOST_SPREAD = 14
"""Pixels of spare height that go between two shelves at most."""
SMALL = 0.01
"""Part of the fleet below which a block gets ample room: it is cheap and must not end an era."""
FOOTER_LINE = 18
"""Height of a line of retired models."""
FREE = -1
"""Number of the shelf of blocks that stand in the free part at the right."""

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Demand:
    """What a block needs at the end of a quarter.

    Attributes:
        name: of the block: its model, or `Other` and the maker.
        models: whose drives it holds.
        maker: of all of them.
        first_seen: of the first of its drives.
        need: cells in use.
        gain: drives first seen in the last quarter.
        year_gain: drives first seen in the last 365 days.
    """

    name: str
    models: tuple[str, ...]
    maker: str
    first_seen: date
    need: int
    gain: int
    year_gain: int


@dataclass(frozen=True)
class Block:
    """A rectangle of cells with a label below it.

    Attributes:
        name: as in `Demand`.
        models: whose drives stand in it.
        x: left edge.
        bottom: lower edge of the lowest cells; the label begins there.
        per_row: cells in a row.
        rows: rows of cells.
        shelf: number of its shelf from above, or `FREE`.
    """

    name: str
    models: tuple[str, ...]
    x: int
    bottom: int
    per_row: int
    rows: int
    shelf: int

    @property
    def slots(self) -> int:
        """How many drives have room."""
        return self.per_row * self.rows

    def width(self, cell: tuple[int, int]) -> int:
        """Width in whole pixels."""
        return -(-self.per_row * cell[0] // QUARTERS)

    def height(self, cell: tuple[int, int]) -> int:
        """Height of the cells in whole pixels."""
        return -(-self.rows * cell[1] // QUARTERS)


@dataclass(frozen=True)
class Packing:
    """Where all blocks stand.

    Attributes:
        cell: width and height of a cell in quarters of a pixel, the gap to the next one included.
        blocks: in the order in which they were placed.
        holes: left edge, bottom, width and height of room at the end of a shelf that a block has
            left.
        tops: upper edge of each shelf's cells.
        footer: height of the lines of retired models.
    """

    cell: tuple[int, int]
    blocks: tuple[Block, ...]
    holes: tuple[tuple[int, int, int, int], ...]
    tops: tuple[int, ...]
    footer: int

    @property
    def gap(self) -> int:
        """Pixels of a cell that stay free, so that squares stand apart."""
        width, height = self.cell
        return max(1, width // 48) if height >= 4 * QUARTERS else 0


def pack(demands: Sequence[Demand], footer: int, style: Style) -> Packing | None:
    """All blocks in new places, with the largest cells that leave room for growth.

    Returns:
        None when there is no room even with the smallest cells.
    """
    fleet = sum(demand.need for demand in demands)
    order = sorted(demands, key=lambda demand: (-demand.need, demand.name))
    for cell in CELLS:
        shelves = _shelves(_rooms(order, fleet, LEAST_HORIZON), cell, footer, style)
        if shelves is None:
            continue
        horizon, step = LEAST_HORIZON, MOST_HORIZON - LEAST_HORIZON
        for _ in range(_HORIZON_STEPS):
            step /= 2
            more = _shelves(_rooms(order, fleet, horizon + step), cell, footer, style)
            if more is not None:
                horizon, shelves = horizon + step, more
        rooms = _rooms(order, fleet, horizon)
        return _stand(order, rooms, shelves, cell, footer, style)
    return None


def require(packing: Packing | None, drives: int, style: Style) -> Packing:
    """`packing`, or an error that says what to do."""
    if packing is None:
        raise DataError(
            f"{drives:,} drives do not fit on a canvas of {style.width}x{style.height}, "
            "not even as squares of one pixel: choose the film's format 2160p, or fewer drives."
        )
    return packing


def _rooms(demands: Sequence[Demand], fleet: int, horizon: float) -> list[int]:
    """Cells that each block gets."""
    rooms = []
    for demand in demands:
        gain = 0.5 * demand.year_gain + 2 * demand.gain
        small = demand.need < SMALL * fleet
        margin = 1.12 * demand.need + 0.0006 * fleet if small else 1.01 * demand.need + 6
        rooms.append(math.ceil(margin + horizon * gain))
    return rooms


def _shelves(
    rooms: Sequence[int], cell: tuple[int, int], footer: int, style: Style
) -> list[tuple[int, int, int]] | None:
    """Break blocks, in order, into shelves of the least total height.

    As a paragraph is broken into lines: the best division up to each block comes from the best
    divisions up to the blocks before it.

    Returns:
        First block, end and rows of each shelf; None when they are too high together.
    """
    count = len(rooms)
    available = style.base_height - style.panel - 12 - style.below - footer
    width = int(style.used * (style.base_width - 2 * style.margin)) * QUARTERS
    # What cannot fit in any way is not tried: shelves of the narrowest blocks, and the area.
    fewest = -(
        -count * (style.narrowest + style.gutter) * QUARTERS // (width + style.gutter * QUARTERS)
    )
    labels = fewest * (style.label + style.shelf_gap)
    area = sum(rooms) * cell[0] * cell[1] / QUARTERS**2
    if labels + area * QUARTERS / width > available + style.shelf_gap:
        return None
    most_rows = max(1, (style.base_height - style.panel) * QUARTERS // cell[1])
    starts, ends = (
        np.array(part)
        for part in zip(
            *((s, e) for s in range(count) for e in range(s + 1, min(count, s + ON_A_SHELF) + 1)),
            strict=True,
        )
    )
    offsets = np.arange(ON_A_SHELF)
    taken = starts[:, None] + offsets < ends[:, None]
    slots = np.asarray(rooms)[np.minimum(starts[:, None] + offsets, count - 1)]
    gutters = (ends - starts - 1) * style.gutter * QUARTERS

    def widths(rows: Ints) -> Ints:
        each = np.maximum(style.narrowest * QUARTERS, -(-slots // rows[:, None]) * cell[0])
        total: Ints = np.where(taken, each, 0).sum(axis=1) + gutters
        return total

    low, high = np.ones(len(starts), np.int64), np.full(len(starts), most_rows)
    possible = widths(high) <= width
    while (low < high).any():
        middle = (low + high) // 2
        fits = widths(middle) <= width
        high = np.where(fits, middle, high)
        low = np.where(fits, low, np.minimum(middle + 1, high))
    beside = style.label + style.shelf_gap
    heights = -(-high * cell[1] // QUARTERS) + beside
    best = [0.0] + [math.inf] * count
    chosen = [(0, 0)] * (count + 1)
    for start, end, rows, height, fits in zip(
        starts.tolist(),
        ends.tolist(),
        high.tolist(),
        heights.tolist(),
        possible.tolist(),
        strict=True,
    ):
        if fits and best[start] + height < best[end]:
            best[end] = best[start] + height
            chosen[end] = (start, rows)
    if best[count] > available + style.shelf_gap:
        return None
    found = []
    end = count
    while end:
        start, rows = chosen[end]
        found.append((start, end, rows))
        end = start
    return found[::-1]


def _stand(
    demands: Sequence[Demand],
    rooms: Sequence[int],
    shelves: Sequence[tuple[int, int, int]],
    cell: tuple[int, int],
    footer: int,
    style: Style,
) -> Packing:
    """The blocks in their places. Within a shelf they stand by maker and age."""
    heights = [-(-rows * cell[1] // QUARTERS) + style.label for _, _, rows in shelves]
    top = style.panel + 12
    floor = style.base_height - style.below - footer
    spare = floor - top - sum(heights) - style.shelf_gap * (len(shelves) - 1)
    spread = min(MOST_SPREAD, max(0, spare) // max(1, len(shelves) - 1)) if shelves[1:] else 0
    blocks, tops = [], []
    for number, ((start, end, rows), height) in enumerate(zip(shelves, heights, strict=True)):
        x = style.margin
        tops.append(top)
        members = sorted(
            range(start, end),
            key=lambda at: (demands[at].maker, demands[at].first_seen, demands[at].name),
        )
        for at in members:
            per_row = max(-(-rooms[at] // rows), -(-style.narrowest * QUARTERS // cell[0]))
            block = Block(
                demands[at].name,
                demands[at].models,
                x,
                top + height - style.label,
                per_row,
                rows,
                number,
            )
            blocks.append(block)
            x += block.width(cell) + style.gutter
        top += height + style.shelf_gap + spread
    return Packing(cell, tuple(blocks), (), tuple(tops), footer)


def grow(packing: Packing, demands: Sequence[Demand], style: Style) -> Packing | None:
    """`packing` after one more quarter of its era; None when something finds no room.

    A new block, or one that is full, goes into a hole that is large enough, or into the free part
    at the right, in columns from the bottom up. What stood at its right on the shelf closes up.

    Args:
        packing: after the quarter before.
        demands: of all blocks, at the end of the quarter.
        style: lengths.
    """
    for demand in sorted(demands, key=lambda demand: (-demand.need, demand.name)):
        # Where it stands now: what has left its shelf in this quarter has moved it.
        block = next((block for block in packing.blocks if block.name == demand.name), None)
        if block is not None and demand.need <= block.slots:
            if block.models != demand.models:
                packing = _with_block(packing, replace(block, models=demand.models))
            continue
        growth = 1.2 * max(demand.gain, demand.year_gain / 4)
        room = math.ceil(1.03 * demand.need + 6 + growth * (1 if block else 1.5))
        placed = _in_hole(packing, demand, room, style) or _in_free_part(
            packing, demand, room, style
        )
        if placed is None:
            return None
        packing = placed
        if block is not None and block.shelf != FREE:
            packing = _closed_up(packing, block, style)
    return packing


def _closed_up(packing: Packing, left: Block, style: Style) -> Packing:
    """`packing` after `left` has left its shelf: the others move up, the hole is at the end."""
    cell = packing.cell
    step = left.width(cell) + style.gutter
    blocks = tuple(
        replace(block, x=block.x - step)
        if block.shelf == left.shelf and block.x > left.x
        else block
        for block in packing.blocks
    )
    ends = [block.x + block.width(cell) for block in blocks if block.shelf == left.shelf]
    begin = max(ends, default=style.margin - style.gutter) + style.gutter
    others = tuple(hole for hole in packing.holes if hole[1] != left.bottom)
    width = step - style.gutter
    width += sum(hole[2] + style.gutter for hole in packing.holes if hole[1] == left.bottom)
    hole = (begin, left.bottom, width, left.height(cell))
    return replace(packing, blocks=blocks, holes=(*others, hole))


def _with_block(packing: Packing, block: Block) -> Packing:
    others = tuple(other for other in packing.blocks if other.name != block.name)
    return replace(packing, blocks=(*others, block))


def _in_hole(packing: Packing, demand: Demand, room: int, style: Style) -> Packing | None:
    """`packing` with a block in the smallest hole that has `room` cells."""
    width, height = packing.cell
    fitting = []
    for hole in packing.holes:
        per_row, rows = hole[2] * QUARTERS // width, hole[3] * QUARTERS // height
        if per_row * rows >= room:
            fitting.append((per_row * rows, hole, per_row, rows))
    if not fitting:
        return None
    _, hole, most, rows = min(fitting)
    per_row = max(-(-room // rows), -(-style.narrowest * QUARTERS // width))
    rest = hole[2] - -(-per_row * width // QUARTERS) - style.gutter
    if rest < style.narrowest:
        per_row = most
    shelf = packing.tops.index(hole[1] - hole[3])
    block = Block(demand.name, demand.models, hole[0], hole[1], per_row, rows, shelf)
    holes = tuple(other for other in packing.holes if other != hole)
    if rest >= style.narrowest:
        holes = (*holes, (hole[0] + hole[2] - rest, hole[1], rest, hole[3]))
    return replace(_with_block(packing, block), holes=holes)


def _in_free_part(packing: Packing, demand: Demand, room: int, style: Style) -> Packing | None:
    """`packing` with a block at the right of all shelves."""
    cell = packing.cell
    on_shelves = [block for block in packing.blocks if block.shelf != FREE]
    column = [block for block in packing.blocks if block.shelf == FREE]
    begin = max(
        [block.x + block.width(cell) for block in on_shelves]
        + [hole[0] + hole[2] for hole in packing.holes]
        + [style.margin - style.gutter]
    )
    ceiling, floor = style.panel + 12, style.base_height - style.below - packing.footer
    right = style.base_width - style.margin
    if column:
        x = max(block.x for block in column)
        there = [block for block in column if block.x == x]
        wide = max(block.width(cell) for block in there)
        top = min(block.bottom - block.height(cell) for block in there) - style.shelf_gap
        placed = _in_column(packing, demand, room, (x, wide, ceiling, top), style)
        if placed is not None:
            return placed
        x += wide + style.gutter
    else:
        x = begin + style.gutter
    tallest = max(1, (floor - style.label - ceiling) * QUARTERS // cell[1])
    wide = max(style.narrowest, -(-(-(-room // tallest) * cell[0]) // QUARTERS))
    if x + wide > right:
        return None
    if x + 2 * wide + style.gutter > right:  # the last column takes what is left
        wide = right - x
    return _in_column(packing, demand, room, (x, wide, ceiling, floor), style)


def _in_column(
    packing: Packing,
    demand: Demand,
    room: int,
    column: tuple[int, int, int, int],
    style: Style,
) -> Packing | None:
    """`packing` with a block in a column: left edge, width, upper and lower end of its room."""
    x, wide, ceiling, floor = column
    width, height = packing.cell
    per_row = wide * QUARTERS // width
    rows = -(-room // max(1, per_row))
    bottom = floor - style.label
    if per_row == 0 or bottom - -(-rows * height // QUARTERS) < ceiling:
        return None
    # Not lower than its label, so that the block is seen.
    rows = max(rows, min(style.label, bottom - ceiling) * QUARTERS // height // 2)
    return _with_block(packing, Block(demand.name, demand.models, x, bottom, per_row, rows, FREE))
