"""Annualized failure rates with their intervals, per model, as Backblaze computes them."""

import itertools
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Literal

import polars as pl

from backblaze_assets.drive_stats.daily import DAILY_SCHEMA
from backblaze_assets.drive_stats.lifetimes import Lifetimes, in_service
from backblaze_assets.drive_stats.quarters import FIRST_DAY, next_quarter

Window = Literal["quarter", "year", "lifetime"]

AFR_SCHEMA = pl.Schema(
    {
        "window": pl.String(),
        "maker": pl.String(),
        "model": pl.String(),
        "boot": pl.Boolean(),
        "capacity_bytes": pl.Int64(),
        "capacity_tb": pl.Float64(),
        "drives_end": pl.Int64(),
        "drives_seen": pl.Int64(),
        "drive_days": pl.Int64(),
        "failures": pl.Int64(),
        "afr": pl.Float64(),
        "afr_low": pl.Float64(),
        "afr_high": pl.Float64(),
        "mean_age_months": pl.Float64(),
        "published": pl.Boolean(),
    }
)

TABLE_COLUMNS = (
    "maker",
    "model",
    "capacity_tb",
    "drives_end",
    "drives_seen",
    "drive_days",
    "failures",
    "afr",
    "afr_low",
    "afr_high",
    "mean_age_months",
)
"""The columns that people are shown, in order."""

DAYS_PER_YEAR = 365
"""Also in leap years: with 366, 15 of the 27 rates published for 2024 come out wrong."""

CONFIDENCE = 0.95

_LAST_STEP = 1e-10
"""Relative: Newton's method squares its error, so the step after would be lost in rounding."""

_MONTH_HOURS = 365.25 * 24 / 12


@dataclass(frozen=True)
class PublicationRule:
    """Which models a published table shows. Boot drives are never shown.

    Attributes:
        drives: fewest drives of a model.
        drive_days: fewest drive days in the window.
        counted: drives in service at the window's `end`, or all that were `seen` in it.
        last_quarter_days: fewest drive days in the window's last quarter.
    """

    drives: int
    drive_days: int = 0
    counted: Literal["end", "seen"] = "end"
    last_quarter_days: int = 0


def rule_for(quarter: date, window: Window) -> PublicationRule:
    """The rule that Backblaze followed, or is taken to have followed, for a table.

    45 drives up to 2019-Q1, 60 from then on; for the year 2019 also more than 5,000 drive days in
    its last quarter. Since 2024 more than 100 drives and 10,000 drive days for a quarter, 250 and
    50,000 for a year, 500 and 100,000 for the lifetime. The drives are those at the end; the
    table of 2026-Q1 has a model that is in it only if all drives seen are counted.
    """
    if quarter < date(2019, 4, 1):
        return PublicationRule(45)
    if quarter < date(2024, 1, 1):
        annual_2019 = window == "year" and quarter == date(2019, 10, 1)
        return PublicationRule(60, last_quarter_days=5_001 if annual_2019 else 0)
    counted: Literal["end", "seen"] = "seen" if quarter >= date(2026, 1, 1) else "end"
    if window == "quarter":
        return PublicationRule(101, 10_001, counted)
    if window == "year":
        return PublicationRule(251, 50_001, counted)
    return PublicationRule(501, 100_001, counted)


def afr_percent(failures: pl.Expr, drive_days: pl.Expr) -> pl.Expr:
    """Failures a year per hundred drives; null without a drive day."""
    return pl.when(drive_days > 0).then(100 * DAYS_PER_YEAR * failures / drive_days)


def afr_interval(failures: pl.Series) -> pl.DataFrame:
    """Bounds on the expected failures at `CONFIDENCE` for each observed count.

    Returns:
        Columns low and high, in the order of `failures`. `afr_percent` of them are the bounds of
        the rate.
    """
    bounds = [poisson_interval(count) for count in failures]
    return pl.DataFrame(bounds, schema={"low": pl.Float64, "high": pl.Float64}, orient="row")


@cache
def poisson_interval(count: int) -> tuple[float, float]:
    """Exact interval (Garwood 1936) for the mean of a Poisson count, at `CONFIDENCE`.

    The low bound is the mean at which `count` or more events have probability (1 - CONFIDENCE)/2,
    the high bound that at which `count` or fewer have it. They are half the chi-squared quantiles
    with 2 count and 2 count + 2 degrees of freedom. Newton's method on the logarithm of that
    probability: it is concave in the mean, and in its logarithm, so the method converges.
    """
    target = math.log((1 - CONFIDENCE) / 2)
    high = step = count + 1.0
    while abs(step) > _LAST_STEP * high:
        at_most = _sum_of_products((count - i) / high for i in range(count))
        step = (_log_poisson(count, high) + math.log(at_most) - target) * at_most
        high += step
    if count == 0:
        return 0.0, high
    low, relative = float(count), 1.0
    while abs(relative) > _LAST_STEP:
        at_least = _sum_of_products(low / (count + i) for i in itertools.count(1))
        excess = _log_poisson(count, low) + math.log(at_least) - target
        relative = -excess * at_least / count
        low *= math.exp(relative)
    return low, high


def afr_table(
    lifetimes: Lifetimes,
    daily: Mapping[date, Path],
    quarter: date,
    rule: PublicationRule | None = None,
) -> pl.DataFrame:
    """Failure rates for the quarter, for the four quarters that end with it and for all time.

    Args:
        lifetimes: the history at the end of `quarter`.
        daily: files of `daily_stats` by day, those of the four quarters that there are.
        quarter: its first day.
        rule: which models count as published; `rule_for` the quarter and window unless given.

    Returns:
        One row per window and model that was reported in it, by window and model; columns
        `AFR_SCHEMA`. `drives_end` are those in service on the last reported day, `drives_seen`
        all reported in the window; `capacity_bytes` and `boot` are what all history says of the
        model; `mean_age_months` is that of `drives_end`, by power-on hours, or since first seen
        for a drive that does not tell them, and null where there are none.
    """
    if lifetimes.drives.is_empty():
        return AFR_SCHEMA.to_frame()
    starts: dict[Window, date] = {
        "quarter": quarter,
        "year": next_quarter(quarter).replace(year=next_quarter(quarter).year - 1),
        "lifetime": FIRST_DAY,
    }
    end = _at_end(lifetimes)
    recent = _recent({day: path for day, path in daily.items() if day < next_quarter(quarter)})
    last_quarter = recent.filter(pl.col("date") >= quarter)
    last_quarter_days = last_quarter.group_by("model").agg(quarter_days=pl.col("drives").sum())
    tables = []
    for window, start in starts.items():
        seen = lifetimes.spells.filter(pl.col("last_seen") >= start)
        if window == "lifetime":
            exposure = seen.group_by("model").agg(
                pl.col("drive_days").cast(pl.Int64).sum(), pl.col("failures").cast(pl.Int64).sum()
            )
        else:
            exposure = (
                recent.filter(pl.col("date") >= start)
                .group_by("model")
                .agg(drive_days=pl.col("drives").sum(), failures=pl.col("failures").sum())
            )
        drives_seen = seen.group_by("model").agg(drives_seen=pl.len().cast(pl.Int64))
        table = (
            lifetimes.models()
            .join(exposure, on="model", how="inner")
            .join(drives_seen, on="model", how="left")
            .join(end, on="model", how="left")
            .join(last_quarter_days, on="model", how="left")
            .with_columns(pl.col("drives_seen", "drives_end", "quarter_days").fill_null(0))
            .sort("model")
        )
        tables.append(_with_rates(table, window, rule or rule_for(quarter, window)))
    return pl.concat(tables)


def _with_rates(table: pl.DataFrame, window: Window, rule: PublicationRule) -> pl.DataFrame:
    """One window of `afr_table` from its counts."""
    bounds = afr_interval(table["failures"])
    days = pl.col("drive_days")
    return table.hstack(bounds).select(
        window=pl.lit(window),
        maker="maker",
        model="model",
        boot="boot",
        capacity_bytes="capacity_bytes",
        capacity_tb=(pl.col("capacity_bytes") / 1e12).round(2),
        drives_end="drives_end",
        drives_seen="drives_seen",
        drive_days="drive_days",
        failures="failures",
        afr=afr_percent(pl.col("failures"), days),
        afr_low=afr_percent(pl.col("low"), days),
        afr_high=afr_percent(pl.col("high"), days),
        mean_age_months="mean_age_months",
        published=~pl.col("boot")
        & (pl.col(f"drives_{rule.counted}") >= rule.drives)
        & (days >= rule.drive_days)
        & (pl.col("quarter_days") >= rule.last_quarter_days),
    )


def _at_end(lifetimes: Lifetimes) -> pl.DataFrame:
    """Per model: drives_end and their mean_age_months, on the last reported day."""
    last = lifetimes.days.filter("reported")["date"][-1]
    since = pl.coalesce("hours_on", "first_seen")
    age = pl.col("power_on_hours").fill_null(0) + (pl.lit(last) - since).dt.total_days() * 24
    return (
        in_service(lifetimes, last)
        .group_by("model")
        .agg(drives_end=pl.len().cast(pl.Int64), mean_age_months=age.mean() / _MONTH_HOURS)
    )


def _recent(daily: Mapping[date, Path]) -> pl.DataFrame:
    """All rows of `daily_stats` of some days."""
    if not daily:
        return DAILY_SCHEMA.to_frame()
    return pl.read_parquet(
        list(daily.values()), columns=["date", "model", "drives", "failures"], glob=False
    )


def _log_poisson(count: int, mean: float) -> float:
    """Logarithm of the probability of `count` events."""
    return count * math.log(mean) - mean - math.lgamma(count + 1)


def _sum_of_products(factors: Iterable[float]) -> float:
    """1 + a + ab + abc + ... for falling factors a, b, c, ..., as far as it matters."""
    total = product = 1.0
    for factor in factors:
        product *= factor
        total += product
        if product < 1e-17 * total:
            break
    return total
