"""The drives as arrays, what happens to them and when, who stands in an era's blocks, and where.

Days are counted from the first day of the history, which is day 0.
"""

import base64
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import numpy.typing as npt
import polars as pl

from backblaze_assets.film.packing import Packing
from backblaze_assets.film.style import QUARTERS, Style

NEVER = 1_000_000
"""A day after all others, for what does not happen."""

Ints = npt.NDArray[np.int32]
Mask = npt.NDArray[np.bool_]
Rows = npt.NDArray[np.intp]
Counts = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Drives:
    """All drives of the film, sorted by model and slot.

    Attributes:
        start: day 0.
        rows: first row and number of rows of each model.
        first_seen: day on which each appears.
        failed_on: day on which each fails, or `NEVER`.
        removed_on: first day on which each is gone without having failed, or `NEVER`.
        capacity: bytes of each.
    """

    start: date
    rows: Mapping[str, tuple[int, int]]
    first_seen: Ints
    failed_on: Ints
    removed_on: Ints
    capacity: npt.NDArray[np.int64]

    @classmethod
    def of(cls, drives: pl.DataFrame, start: date, *, boot_drives: bool) -> "Drives":
        """The drives of a table as `drive_lifetimes` stores it (`drives.parquet`).

        Args:
            drives: columns model, boot, capacity_bytes, first_seen, failed_on and removed_on;
                sorted by model and slot.
            start: first day of the history.
            boot_drives: whether boot drives are kept.
        """
        if not boot_drives:
            drives = drives.filter(~pl.col("boot"))
        blocks = (
            drives.select("model")
            .with_row_index("row")
            .group_by("model")
            .agg(pl.col("row").min(), count=pl.len())
        )
        failed_on = days_since(start, drives["failed_on"])
        removed_on = days_since(start, drives["removed_on"])
        removed_on[failed_on < NEVER] = NEVER
        return cls(
            start,
            {model: (row, count) for model, row, count in blocks.sort("model").iter_rows()},
            days_since(start, drives["first_seen"]),
            failed_on,
            removed_on,
            drives["capacity_bytes"].fill_null(0).to_numpy(),
        )

    def number(self, day: date) -> int:
        """`day` counted from the start."""
        return (day - self.start).days

    def gone(self, since: date) -> dict[str, str]:
        """The drives that had been removed by the day `since`, for `here` to leave out."""
        mask = self.removed_on <= self.number(since)
        return {
            model: _packed(mask[row : row + count])
            for model, (row, count) in self.rows.items()
            if mask[row : row + count].any()
        }

    def here(self, gone: Mapping[str, str]) -> Mask:
        """Which drives have a cell in an era that began without those in `gone`.

        A drive that comes back after an era has begun without it is drawn from the next one on:
        otherwise all drives after it would move.
        """
        mask = np.ones(len(self.first_seen), np.bool_)
        for model, packed in gone.items():
            if model in self.rows:
                row, count = self.rows[model]
                missing = _unpacked(packed)[:count]
                mask[row : row + len(missing)] &= ~missing
        return mask

    def members(self, models: Sequence[str], since: date, here: Mask) -> npt.NDArray[np.intp]:
        """Rows of the drives in a block, in the order of its cells.

        First those that failed before the era, by day of failure; then all others by the day they
        were first seen.
        """
        spans = [self.rows[model] for model in models if model in self.rows]
        if not spans:
            return np.empty(0, np.intp)
        rows = np.concatenate([np.arange(row, row + count) for row, count in spans])
        rows = rows[here[rows]]
        failed = self.failed_on[rows] < self.number(since)
        key = np.where(failed, self.failed_on[rows] - NEVER, self.first_seen[rows])
        ordered: npt.NDArray[np.intp] = rows[np.argsort(key, kind="stable")]
        return ordered


def days_since(start: date, dates: pl.Series) -> Ints:
    """Days from `start` to each date; `NEVER` for null."""
    days = dates.to_physical() - (start - date(1970, 1, 1)).days
    return days.fill_null(NEVER).to_numpy().astype(np.int32)


def running(
    on: Ints, days: int, weights: npt.NDArray[np.int64] | None = None
) -> npt.NDArray[np.int64]:
    """For each of the first `days` days, how much has happened up to it.

    Args:
        on: the day of each event.
        days: how many days.
        weights: of each event; by default 1.
    """
    daily = np.zeros(days, np.int64)
    within = on < days
    np.add.at(daily, on[within], 1 if weights is None else weights[within])
    return np.cumsum(daily)


@dataclass(frozen=True)
class Events:
    """Something that happens to drives, in the order of the days.

    Attributes:
        on: the days, ascending.
        rows: of the drives.
    """

    on: Ints
    rows: Rows

    @classmethod
    def of(cls, on: Ints, rows: Rows) -> "Events":
        """What happens to `rows` on the days `on`, of which there is one for every drive."""
        rows = rows[on[rows] < NEVER]
        rows = rows[np.argsort(on[rows], kind="stable")]
        return cls(on[rows], rows)

    def between(self, first: int, last: int) -> Rows:
        """Rows of the drives to which it happens from `first` to `last`."""
        bounds = np.array((first, last + 1), np.int32)  # of another type, all would be converted
        return self.rows[slice(*np.searchsorted(self.on, bounds))]


@dataclass(frozen=True)
class Totals:
    """Drives in service, their bytes, and drives failed so far, for each day of the history."""

    service: Counts
    capacity: Counts
    failed: Counts

    @classmethod
    def of(cls, drives: Drives, days: int) -> "Totals":
        """Those of the first `days` days."""
        left = np.minimum(drives.failed_on, drives.removed_on)
        size = drives.capacity
        return cls(
            running(drives.first_seen, days) - running(left, days),
            running(drives.first_seen, days, size) - running(left, days, size),
            running(drives.failed_on, days),
        )


@dataclass(frozen=True)
class Places:
    """Where each drive's square stands, in canvas pixels; -1 for a drive without a place.

    Attributes:
        x: left edge.
        y: upper edge.
        width: of the square, without the gap.
        height: of the square.
    """

    x: Ints
    y: Ints
    width: Ints
    height: Ints


def places(
    drives: Drives, packing: Packing, since: date, gone: Mapping[str, str], style: Style
) -> Places:
    """Where the drives stand in an era."""
    count = len(drives.first_seen)
    found = Places(*(np.full(count, -1, np.int32) for _ in range(4)))
    here = drives.here(gone)
    width, height = (side * style.scale for side in packing.cell)
    gap = packing.gap * style.scale
    for block in packing.blocks:
        rows = drives.members(block.models, since, here)[: block.slots]
        up, right = np.divmod(np.arange(len(rows)), block.per_row)
        left, low = right * width // QUARTERS, up * height // QUARTERS
        beyond, high = (right + 1) * width // QUARTERS, (up + 1) * height // QUARTERS
        found.x[rows] = block.x * style.scale + left
        found.y[rows] = block.bottom * style.scale - high + gap
        found.width[rows] = beyond - left - gap
        found.height[rows] = high - low - gap
    return found


def _packed(mask: Mask) -> str:
    return base64.b64encode(zlib.compress(np.packbits(mask).tobytes(), 9)).decode()


def _unpacked(text: str) -> Mask:
    packed = np.frombuffer(zlib.decompress(base64.b64decode(text)), np.uint8)
    return np.unpackbits(packed).astype(np.bool_)
