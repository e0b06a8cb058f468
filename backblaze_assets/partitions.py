"""The two partitionings, quarters and days: which keys there are, and what Dagster is told of them.

Partitions go from the first to the last day of the data that the folder has; quarters without data
in between are left out. Both are time windows, so Dagster knows which days belong to which quarter.
Arithmetic of quarters is in `drive_stats/quarters.py`.

https://docs.dagster.io/guides/build/partitions-and-backfills
"""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import Enum
from functools import cached_property
from itertools import groupby, pairwise

import dagster as dg

from backblaze_assets.drive_stats.quarters import FIRST_DAY, days_of, next_quarter, quarter_of

Key = str | None
"""A partition's key, its first day; None for an asset without partitions."""


class Partitioning(Enum):
    """How an asset is partitioned."""

    QUARTERS = "quarters"
    DAYS = "days"
    NONE = "none"


def day_of(key: Key) -> date:
    """The date of the key of an asset with partitions."""
    return date.fromisoformat(str(key))


@dataclass(frozen=True)
class Calendar:
    """The quarters that there are data of, and the days of each.

    Attributes:
        spans: first and last day of each quarter, by the quarter's first day, in order.
    """

    spans: Mapping[date, tuple[date, date]]

    @classmethod
    def of_days(cls, quarters: Mapping[date, Sequence[date]]) -> "Calendar":
        """The calendar of quarters of which these days are known, at least one of each.

        Only the first quarter begins with its first known day, all others with their own first day.
        Otherwise Dagster (1.13) would map a quarter whose first days are excluded to its own days
        and the last one before it.
        """
        first = min(quarters, default=None)
        return cls(
            {
                quarter: (min(days) if quarter == first else quarter, max(days))
                for quarter, days in sorted(quarters.items())
            }
        )

    @classmethod
    def published(cls, last: date) -> "Calendar":
        """All quarters from the first that was published to `last`, each with all its days."""
        quarters = [quarter_of(FIRST_DAY)]
        while quarters[-1] < last:
            quarters.append(next_quarter(quarters[-1]))
        return cls.of_days({quarter: days_of(quarter) for quarter in quarters})

    @cached_property
    def quarters(self) -> list[date]:
        """The quarters, in order."""
        return list(self.spans)

    def days(self, quarter: date) -> list[date]:
        """All days of a quarter up to the last that has data; none if unknown."""
        if quarter not in self.spans:
            return []
        first, last = self.spans[quarter]
        return [first + timedelta(days=n) for n in range((last - first).days + 1)]

    @cached_property
    def _keys(self) -> dict[Partitioning, list[Key]]:
        return {
            Partitioning.QUARTERS: [str(quarter) for quarter in self.quarters],
            Partitioning.DAYS: [str(day) for q in self.quarters for day in self.days(q)],
            Partitioning.NONE: [None] if self.quarters else [],
        }

    def keys(self, partitioning: Partitioning) -> list[Key]:
        """All partition keys, in order; one None for an asset without partitions."""
        return self._keys[partitioning]

    @cached_property
    def _definitions(self) -> dict[Partitioning, dg.TimeWindowPartitionsDefinition]:
        first, last = self.quarters[0], self.quarters[-1]
        missing = set(_quarters_between(first, last)) - set(self.quarters)
        known = {date.fromisoformat(str(key)) for key in self.keys(Partitioning.DAYS)}
        (first_day, _), (_, last_day) = self.spans[first], self.spans[last]
        count = (last_day - first_day).days + 1
        no_data = {first_day + timedelta(days=n) for n in range(count)} - known
        today = datetime.now(UTC).date()
        quarters_since = len(_quarters_between(next_quarter(last), quarter_of(today))) - 1
        days_since = (today - last_day).days - 1
        return {
            Partitioning.QUARTERS: _windows(
                "0 0 1 */3 *", first, next_quarter(last), missing, quarters_since
            ),
            Partitioning.DAYS: _windows(
                "0 0 * * *", first_day, last_day + timedelta(days=1), no_data, days_since
            ),
        }

    def definition(self, partitioning: Partitioning) -> dg.TimeWindowPartitionsDefinition | None:
        """What Dagster is told; None for an asset without partitions.

        The calendar must have a quarter.
        """
        return self._definitions.get(partitioning)


def _quarters_between(first: date, last: date) -> list[date]:
    found, quarter = [], first
    while quarter <= last:
        found.append(quarter)
        quarter = next_quarter(quarter)
    return found


def _windows(
    cron: str, first: date, end: date, missing: set[date], windows_since: int
) -> dg.TimeWindowPartitionsDefinition:
    """Time windows from `first` to before `end`, which is `windows_since` windows before now.

    The end is given twice, because the plots of an asset's page ask for the latest partitions
    counted from now and heed the offset only (Dagster 1.13, `get_paginated_partition_keys`).
    """
    return dg.TimeWindowPartitionsDefinition(
        start=_midnight(first),
        end=_midnight(end),
        cron_schedule=cron,
        fmt="%Y-%m-%d",
        end_offset=-windows_since,
        exclusions=[_midnight(day) for day in sorted(missing)] or None,
    )


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def unbroken(keys: Sequence[Key], wanted: Sequence[Key]) -> list[list[Key]]:
    """`wanted` cut wherever other keys lie between two of them.

    Args:
        keys: all keys of the asset, in order.
        wanted: some of them, in the same order.
    """
    pieces: list[list[Key]] = []
    at = -2
    position = {key: n for n, key in enumerate(keys)}
    for key in wanted:
        if position[key] == at + 1:
            pieces[-1].append(key)
        else:
            pieces.append([key])
        at = position[key]
    return pieces


def quarters_per_run(days_per_run: int) -> int:
    """How many quarters come closest to this many days, at least one."""
    return max(1, round(days_per_run / _DAYS_OF_A_QUARTER))


_DAYS_OF_A_QUARTER = 91.3


def portions(partitioning: Partitioning, keys: Sequence[Key], days_per_run: int) -> list[list[Key]]:
    """`keys`, in order, in portions of about so many days.

    Each is some whole quarters, or a part of one: what is read of a quarter is read for one portion
    or for few.
    """
    if partitioning is Partitioning.NONE:
        return [list(keys)]
    quarters = [list(group) for _, group in groupby(keys, lambda key: quarter_of(day_of(key)))]
    if days_per_run < _DAYS_OF_A_QUARTER / 1.5 and partitioning is Partitioning.DAYS:
        return [part for days in quarters for part in _parts(days, round(len(days) / days_per_run))]
    count = quarters_per_run(days_per_run)
    return [
        [key for quarter in quarters[start : start + count] for key in quarter]
        for start in range(0, len(quarters), count)
    ]


def _parts(keys: Sequence[Key], count: int) -> list[list[Key]]:
    """`keys` in so many parts of about the same length, none empty."""
    count = min(max(count, 1), len(keys))
    cuts = [len(keys) * n // count for n in range(count + 1)]
    return [list(keys[start:end]) for start, end in pairwise(cuts)]


def range_tags(keys: Sequence[Key]) -> dict[str, str]:
    """Tags with which Dagster materializes an unbroken range of partitions in one run.

    There are none for an asset without partitions.
    """
    if keys[0] is None:
        return {}
    return {
        "dagster/asset_partition_range_start": str(keys[0]),
        "dagster/asset_partition_range_end": str(keys[-1]),
    }


def window_of_quarters(calendar: Calendar, quarter: date, start: int, end: int) -> list[date]:
    """The quarters at positions `start` to `end` from `quarter` among those that there are."""
    at = bisect_left(calendar.quarters, quarter)
    return calendar.quarters[max(0, at + start) : max(0, at + end + 1)]
