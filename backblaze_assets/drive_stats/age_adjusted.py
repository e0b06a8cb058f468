"""Rates for their age: each model against all others at the ages that its drives had."""

from datetime import date

import numpy as np
import polars as pl

from backblaze_assets.drive_stats.lifetimes import entry_hours
from backblaze_assets.drive_stats.rates import HOURS_PER_YEAR, NOT_TOLD_APART, poisson_interval

STEP_HOURS = HOURS_PER_YEAR // 2
"""Ages are compared by half a year."""

FEWEST_OTHER_YEARS = 50.0
"""Drive years that the others must have had at an age for it to be compared."""

LEAST_COVERED = 0.8
"""The share of a model's drive years at such ages, below which nothing is said."""

AGE_ADJUSTED_SCHEMA = pl.Schema(
    {
        "model": pl.String(),
        "drive_years": pl.Float64(),
        "covered": pl.Float64(),
        "failures": pl.Int64(),
        "expected": pl.Float64(),
        "for_its_age": pl.Float64(),
        "for_its_age_low": pl.Float64(),
        "for_its_age_high": pl.Float64(),
        "verdict": pl.String(),
    }
)
"""Of `for_its_age`.

- drive_years: of the model in the span; covered: the share of them at ages that are compared.
- failures: at these ages; expected: if its drives had failed like the others at the same ages.
- for_its_age: failures over expected, with the exact Poisson interval of the failures; the
  expected number is taken as known. Null where less than `LEAST_COVERED` is covered.
- verdict: `above` or `below` when the interval leaves out 1, else `not told apart`; null likewise.
"""


def for_its_age(drives: pl.DataFrame, first: date, last: date) -> pl.DataFrame:
    """How often each model failed beside all others of the same age.

    An old model has a high rate beside a young fleet, although its drives may fail less often than
    others did at their age. This is the indirect standardisation of mortality tables: expected are
    the failures at the rate of the others, age by age.

    Args:
        drives: `Lifetimes.drives`; boot drives and those that never told their age are left out.
        first: first day of the span.
        last: its last day.

    Returns:
        Columns `AGE_ADJUSTED_SCHEMA`, sorted by model.
    """
    known = (
        drives.filter(~pl.col("boot"))
        .with_columns(
            entry=entry_hours(),
            begin=pl.max_horizontal("first_seen", pl.lit(first)),
            end=pl.min_horizontal(pl.coalesce("failed_on", "last_seen"), pl.lit(last)),
        )
        .filter(pl.col("entry").is_not_null(), pl.col("begin") <= pl.col("end"))
    )
    if known.is_empty():
        return AGE_ADJUSTED_SCHEMA.to_frame()

    def age_on(day: str) -> pl.Expr:
        return pl.col("entry") + 24 * (pl.col(day) - pl.col("first_seen")).dt.total_days()

    models = known["model"].unique().sort()
    rows = known.select(
        model=pl.col("model").replace_strict(models, pl.int_range(models.len(), eager=True)),
        entry=age_on("begin"),
        exit=age_on("end") + 24,
        failed=pl.col("failed_on").is_between(first, last).fill_null(value=False),
    )
    model, entry, exit_ = (rows[name].to_numpy() for name in ("model", "entry", "exit"))
    steps = int(exit_.max() // STEP_HOURS) + 1
    years, failures = np.zeros((2, models.len(), steps))
    for step in range(steps):
        watched = np.minimum(exit_, (step + 1) * STEP_HOURS) - np.maximum(entry, step * STEP_HOURS)
        hours = np.bincount(model, np.maximum(watched, 0), minlength=models.len())
        years[:, step] = hours / HOURS_PER_YEAR
    failed = rows["failed"].to_numpy()
    np.add.at(failures, (model[failed], (exit_[failed] - 1) // STEP_HOURS), 1)
    other_years = years.sum(axis=0) - years
    other_failures = failures.sum(axis=0) - failures
    compared = other_years >= FEWEST_OTHER_YEARS
    rate = np.divide(other_failures, other_years, out=np.zeros_like(years), where=compared)
    covered = (years * compared).sum(axis=1) / years.sum(axis=1)
    expected = (years * rate).sum(axis=1)
    counted = (failures * compared).sum(axis=1).astype(int)
    bounds = np.array([poisson_interval(int(count)) for count in counted])
    told = (covered >= LEAST_COVERED) & (expected > 0)

    def over_expected(values: pl.Series) -> pl.Series:
        return pl.select(
            pl.when(pl.Series(told)).then(values / pl.Series(np.where(told, expected, 1.0)))
        ).to_series()

    low, high = (over_expected(pl.Series(bounds[:, side])) for side in (0, 1))
    return (
        pl.DataFrame(
            {
                "model": models,
                "drive_years": years.sum(axis=1),
                "covered": covered,
                "failures": counted,
                "expected": expected,
                "for_its_age": over_expected(pl.Series(counted.astype(float))),
                "for_its_age_low": low,
                "for_its_age_high": high,
            }
        )
        .with_columns(
            verdict=pl.when(pl.col("for_its_age").is_not_null()).then(
                pl.when(pl.col("for_its_age_low") > 1)
                .then(pl.lit("above"))
                .when(pl.col("for_its_age_high") < 1)
                .then(pl.lit("below"))
                .otherwise(pl.lit(NOT_TOLD_APART))
            )
        )
        .cast(AGE_ADJUSTED_SCHEMA)
    )
