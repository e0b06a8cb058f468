"""The drives as arrays: where each one stands, when it changes, and the totals of every day.

Days are counted from the first day of the history, which is day 0.
"""

from dataclasses import dataclass
from datetime import date

import numpy as np
import numpy.typing as npt
import polars as pl

from backblaze_assets.film.layout import Layout
from backblaze_assets.film.style import Style

NEVER = 1_000_000
"""A day after all others, for what does not happen."""

Ints = npt.NDArray[np.int32]


@dataclass(frozen=True)
class Events:
    """Something that happens to drives, in the order of the days.

    Attributes:
        on: the days, ascending.
        drives: numbers of the drives.
    """

    on: Ints
    drives: Ints

    def between(self, after: int, until: int) -> Ints:
        """Numbers of the drives to which it happens with `after` < day <= `until`."""
        bounds = np.array((after, until), np.int32)  # of another type, all days would be converted
        return self.drives[slice(*np.searchsorted(self.on, bounds, "right"))]


@dataclass(frozen=True)
class Fleet:
    """All drives of the film in the order in which they were first seen.

    Attributes:
        start: day 0.
        x: left edge of each drive's square in pixels.
        y: upper edge.
        first_seen: day on which each appears.
        failed_on: day on which each fails, or `NEVER`.
        removed_on: first day on which each is gone without having failed, or `NEVER`.
        failures: the drives' failures.
        removals: the drives' removals.
        in_service: drives in service, for each day.
        failed: drives that have failed so far, for each day.
        capacity: bytes in service, for each day.
    """

    start: date
    x: Ints
    y: Ints
    first_seen: Ints
    failed_on: Ints
    removed_on: Ints
    failures: Events
    removals: Events
    in_service: npt.NDArray[np.int64]
    failed: npt.NDArray[np.int64]
    capacity: npt.NDArray[np.int64]


def fleet(drives: pl.DataFrame, start: date, days: int, layout: Layout, style: Style) -> Fleet:
    """The fleet of `drives` (columns as in `drives.parquet`, without boot drives).

    Drives without a place in the layout are counted and not drawn.

    Args:
        drives: one row per drive, sorted by model and slot.
        start: first day of the history.
        days: how many days the totals are for.
        layout: where the models stand.
        style: size of the canvas.
    """
    x, y = _places(drives, layout, style)
    first_seen = days_since(start, drives["first_seen"])
    failed_on = days_since(start, drives["failed_on"])
    removed_on = days_since(start, drives["removed_on"])
    removed_on[failed_on < NEVER] = NEVER
    left_on = np.minimum(failed_on, removed_on)
    size = drives["capacity_bytes"].fill_null(0).to_numpy()

    order = np.argsort(first_seen, kind="stable")
    order = order[x[order] >= 0]
    return Fleet(
        start=start,
        x=x[order],
        y=y[order],
        first_seen=first_seen[order],
        failed_on=failed_on[order],
        removed_on=removed_on[order],
        failures=_events(failed_on[order]),
        removals=_events(removed_on[order]),
        in_service=running(first_seen, days) - running(left_on, days),
        failed=running(failed_on, days),
        capacity=running(first_seen, days, size) - running(left_on, days, size),
    )


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


def model_rows(drives: pl.DataFrame) -> dict[str, tuple[int, int]]:
    """First row and number of rows of each model in a table sorted by model."""
    blocks = drives.with_row_index("row").group_by("model").agg(pl.col("row").min(), count=pl.len())
    return {model: (row, count) for model, row, count in blocks.iter_rows()}


def _events(on: Ints) -> Events:
    order = np.argsort(on, kind="stable").astype(np.int32)
    order = order[: np.count_nonzero(on < NEVER)]
    return Events(on[order], order)


def _places(drives: pl.DataFrame, layout: Layout, style: Style) -> tuple[Ints, Ints]:
    """Left and upper edge of each drive's square; -1 for a drive without a place."""
    x = np.full(len(drives), -1, np.int32)
    y = np.full(len(drives), -1, np.int32)
    blocks = model_rows(drives)
    for segment in layout.segments:
        row, count = blocks.get(segment.model, (0, 0))
        here = min(segment.slots, count - segment.first_slot)
        if here > 0:
            slots = np.arange(here, dtype=np.int32)
            span = slice(row + segment.first_slot, row + segment.first_slot + here)
            x[span] = segment.x + slots % segment.per_row * layout.cell
            above = (slots // segment.per_row + 1) * layout.cell
            y[span] = segment.bottom - above + style.gap(layout.cell)
    return x, y
