"""Failure rates of the trailing year, for every day, by the formula of `drive_stats.afr`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt
import polars as pl

from backblaze_assets.drive_stats.rates import afr_percent, poisson_interval

Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]


def trailing_year(day: date) -> date:
    """The first day of the year that ends with `day`, as in `afr_table` at a quarter's end."""
    after = day + timedelta(days=1)
    if (after.month, after.day) == (2, 29):
        return date(after.year - 1, 3, 1)
    return after.replace(year=after.year - 1)


@dataclass(frozen=True)
class Rates:
    """Rates of groups of models, (groups, days). NaN where there is no drive day.

    Attributes:
        failures: of the year that ends with the day.
        drive_days: of that year.
        afr: percent a year.
        low: lower bound at 95 % (Garwood).
        high: upper bound.
    """

    failures: Counts
    drive_days: Counts
    afr: Floats
    low: Floats
    high: Floats

    @classmethod
    def of(cls, failures: Counts, drive_days: Counts) -> "Rates":
        """The rates that follow from counts, by the formula of `afr_table`."""
        counts, places = np.unique(failures, return_inverse=True)
        bounds = np.array([poisson_interval(int(count)) for count in counts]).reshape(-1, 2)
        low, high = bounds[places.reshape(failures.shape)].transpose(2, 0, 1)
        table = pl.DataFrame(
            {
                "failures": failures.ravel(),
                "low": low.ravel(),
                "high": high.ravel(),
                "days": drive_days.ravel(),
            }
        ).select(
            afr_percent(pl.col(name), pl.col("days")).alias(name)
            for name in ("failures", "low", "high")
        )
        afr, low, high = (
            table[name].fill_null(float("nan")).to_numpy().reshape(failures.shape)
            for name in ("failures", "low", "high")
        )
        return cls(failures, drive_days, afr, low, high)


def yearly_counts(
    daily: pl.DataFrame, models: Sequence[str], days: Sequence[date]
) -> tuple[Counts, Counts]:
    """Failures and drive days of the year that ends with each day.

    Args:
        daily: rows of `daily_stats`: date, model, drives, failures; those of the trailing years.
        models: one row of the result each.
        days: one column each, in order.
    """
    shape = (len(models), len(days))
    if not days or daily.is_empty():
        return np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    first = trailing_year(days[0])
    span = (days[-1] - first).days + 1
    numbers = pl.DataFrame({"model": list(models), "row": np.arange(len(models))})
    rows = daily.filter(pl.col("date").is_between(first, days[-1])).join(numbers, on="model")
    at = rows["row"].to_numpy(), (rows["date"] - first).dt.total_days().to_numpy()
    starts = np.array([(trailing_year(day) - first).days for day in days])
    ends = np.array([(day - first).days + 1 for day in days])
    sums = []
    for column in ("failures", "drives"):
        by_day = np.zeros((len(models), span + 1), np.int64)
        np.add.at(by_day, (at[0], at[1] + 1), rows[column].to_numpy())
        total = by_day.cumsum(axis=1)
        sums.append(total[:, ends] - total[:, starts])
    return sums[0], sums[1]


def gathered(counts: Counts, models: Sequence[str], groups: Mapping[str, Sequence[str]]) -> Counts:
    """Counts of groups of models, in the order of `groups`."""
    number = {model: row for row, model in enumerate(models)}
    rows = [
        counts[[number[model] for model in members if model in number]].sum(axis=0)
        for members in groups.values()
    ]
    return np.array(rows, np.int64).reshape(len(groups), counts.shape[1])
