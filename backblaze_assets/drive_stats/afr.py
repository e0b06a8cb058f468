"""Annualized failure rates with their intervals, per model, maker and size.

AFR % = 100 x failures / (drive days / 365), as Backblaze computes it.
"""

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import get_args

import polars as pl

from backblaze_assets.drive_stats.daily import DAILY_SCHEMA
from backblaze_assets.drive_stats.groups import GROUPS, terabytes
from backblaze_assets.drive_stats.lifetimes import Lifetimes, entry_hours, in_service
from backblaze_assets.drive_stats.parquet import read_tables
from backblaze_assets.drive_stats.publication import (
    BOOT,
    PublicationRule,
    Window,
    rule_for,
    with_status,
)
from backblaze_assets.drive_stats.quarters import FIRST_DAY, next_quarter, quarter_name
from backblaze_assets.drive_stats.rates import (
    CONFIDENCE,
    NOT_TOLD_APART,
    afr_interval,
    afr_percent,
    benjamini_hochberg,
    compare_rates,
)

WINDOWS: tuple[Window, ...] = get_args(Window)

AFR_SCHEMA = pl.Schema(
    {
        "kind": pl.String(),
        "group": pl.String(),
        "window": pl.String(),
        "maker": pl.String(),
        "model": pl.String(),
        "boot": pl.Boolean(),
        "capacity_bytes": pl.Int64(),
        "capacity_tb": pl.Float64(),
        "drives_end": pl.Int64(),
        "drives_seen": pl.Int64(),
        "drives_added": pl.Int64(),
        "drives_failed": pl.Int64(),
        "drives_removed": pl.Int64(),
        "drive_days": pl.Int64(),
        "failures": pl.Int64(),
        "afr": pl.Float64(),
        "afr_low": pl.Float64(),
        "afr_high": pl.Float64(),
        "mean_age_months": pl.Float64(),
        "mean_age_of_failed_months": pl.Float64(),
        "first_seen": pl.Date(),
        "last_seen": pl.Date(),
        "status": pl.String(),
    }
)
"""Of `afr_table`.

- kind: what the row is about: `model`, `maker`, `size`, `maker_size`, `all` or `boot`. Rows of one
  kind, and of one window, can be added up; those of different kinds count the same drives again.
- group: its name: the model, `HGST`, `4 TB`, `HGST 4 TB`, `data drives`, `boot drives`.
- window: `quarter`, `year` (the twelve months that end with the quarter), `calendar_year` (up to
  the quarter's end) or `lifetime`.
- maker, model, capacity_bytes, capacity_tb: null where the group is not of one.
- boot: whether these are boot drives. All kinds but `model` and `boot` leave them out.
- drives_end: in service on the last reported day; drives_seen: reported in the window.
- drives_added: that came in the window, by the model they came as; drives_failed: that failed for
  the first time in it, by their last model; drives_removed: that left in it without failing, by
  their last model.
- drive_days: rows; failures: rows that report a failure.
- afr: percent a year, of 365 days; afr_low, afr_high: its exact interval at 95 %.
- mean_age_months: of `drives_end`, by power-on hours, or since first seen for a drive that does
  not tell them. mean_age_of_failed_months: of `drives_failed`, on the day of failure.
- first_seen: first day of the group in all history; last_seen: its last day.
- status: what a table published by the rule of the time does with a model; see `with_status`.
  Null for other kinds.
"""

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

_MONTH_HOURS = 365.25 * 24 / 12

SURE = 0.05
"""Below this adjusted p-value a difference is said to be more than chance."""


def window_starts(quarter: date) -> dict[Window, date]:
    """The first day of each window that ends with `quarter`.

    The year is the twelve calendar months up to the quarter's end, whichever of their quarters
    there are: where one is missing, nothing older stands in for it.
    """
    after = next_quarter(quarter)
    return {
        "quarter": quarter,
        "year": after.replace(year=after.year - 1),
        "calendar_year": date(quarter.year, 1, 1),
        "lifetime": FIRST_DAY,
    }


def afr_table(
    lifetimes: Lifetimes,
    daily: Mapping[date, Path],
    quarter: date,
    rules: Mapping[Window, PublicationRule] | None = None,
) -> pl.DataFrame:
    """Failure rates over each window that ends with `quarter`.

    Args:
        lifetimes: the history at the end of `quarter`.
        daily: files of `daily_stats` by day: those of the quarter and of the quarters before it
            that there are. Days outside of the twelve months that end with `quarter` are not read.
        quarter: its first day.
        rules: which models count as published; `rule_for` each window unless given.

    Returns:
        One row per kind, window and group that was reported in it, in this order, groups sorted;
        columns `AFR_SCHEMA`. `capacity_bytes` and `boot` are what all history says of the model.
    """
    if lifetimes.drives.is_empty():
        return AFR_SCHEMA.to_frame()
    starts = window_starts(quarter)
    after = next_quarter(quarter)
    recent = _read_daily(
        [path for day, path in sorted(daily.items()) if starts["year"] <= day < after]
    )
    models = lifetimes.models().with_columns(capacity_tb=terabytes(pl.col("capacity_bytes")))
    lives = _lives(lifetimes)
    end = _at_end(lifetimes)
    of_model = {
        window: _counts(
            lifetimes, lives, end, recent.filter(pl.col("date") >= start), window, start
        )
        for window, start in starts.items()
    }
    days = lifetimes.spells.group_by("model").agg(
        pl.col("first_seen").min(), pl.col("last_seen").max()
    )
    models = models.join(days, on="model")
    # Drives that were seen under two models of one group must not count twice.
    again = lifetimes.spells.filter(pl.col("serial_number").is_duplicated())
    table = _with_rates(
        pl.concat(
            _roll_up(of_model[window], models, again, kind, window, start)
            for kind in GROUPS
            for window, start in starts.items()
        )
    )
    in_use = rules or {window: rule_for(quarter, window) for window in WINDOWS}
    is_model = pl.col("kind") == "model"
    judged = with_status(table.filter(is_model), in_use)
    others = table.filter(~is_model).with_columns(status=pl.lit(None, pl.String))
    return pl.concat([judged, others]).select(AFR_SCHEMA.names()).cast(AFR_SCHEMA)


def totals(table: pl.DataFrame, *by: str) -> pl.DataFrame:
    """Rows of models added up by some of their columns, with the rate of all together.

    Args:
        table: rows of one window and of the kind `model`.
        by: columns to keep apart, such as `status`; without any, one row for all.

    Returns:
        Columns `by`, models, drives_end, drives_seen, drive_days, failures, afr, afr_low,
        afr_high and mean_age_months, sorted by `by`. A drive that changed its model within the
        window is in `drives_seen` of both.
    """
    counts = ("drives_end", "drives_seen", "drive_days", "failures")
    aged = pl.col("drives_end").filter(pl.col("mean_age_months").is_not_null())
    age = (pl.col("mean_age_months") * pl.col("drives_end")).sum() / aged.sum()
    sums = [pl.len().cast(pl.Int64).alias("models"), pl.col(counts).sum()]
    mean_age = pl.when(aged.sum() > 0).then(age).alias("mean_age_months")
    added = (
        table.group_by(by).agg(*sums, mean_age).sort(by) if by else table.select(*sums, mean_age)
    )
    return _with_rates(added)


def changes(now: pl.DataFrame, before: pl.DataFrame, *, fewest_drives: int = 45) -> pl.DataFrame:
    """Rates beside those of an earlier table: which differ by more than chance.

    Compared are groups that have `fewest_drives` in service at both ends and a failure in either.
    P-values are adjusted for the number of groups of the kind that are compared.

    Args:
        now: rows of one window of an `afr_table`.
        before: rows of the same window of an earlier one that does not overlap.
        fewest_drives: of `drives_end`.

    Returns:
        kind, group, maker, model, capacity_tb, drives_end, drive_days, failures and afr, those of
        `before` (ending in `_before`), ratio, ratio_low, ratio_high, p_value, p_adjusted, and the
        verdict: `up`, `down`, `within chance` or `no failure in both`. In the order of `now`.
        Boot drives are left out, save where `now` has no others.
    """
    key = ["kind", "group"]
    counts = ["drives_end", "drive_days", "failures", "afr"]
    both = now.select(*key, "maker", "model", "capacity_tb", "boot", *counts).join(
        before.select(*key, *counts), on=key, suffix="_before", maintain_order="left"
    )
    if not both["boot"].all():
        both = both.filter(~pl.col("boot"))
    both = both.filter(pl.min_horizontal("drives_end", "drives_end_before") >= fewest_drives).drop(
        "boot"
    )
    tests = [
        compare_rates(*row)
        for row in both.select(
            "failures", "drive_days", "failures_before", "drive_days_before"
        ).iter_rows()
    ]
    tested = pl.DataFrame(
        tests,
        schema={
            "ratio": pl.Float64,
            "ratio_low": pl.Float64,
            "ratio_high": pl.Float64,
            "p_value": pl.Float64,
        },
        orient="row",
    )
    adjusted = pl.Series("p_adjusted", [None] * both.height, dtype=pl.Float64)
    for kind in both["kind"].unique():
        places = (both["kind"] == kind).arg_true()
        values = benjamini_hochberg(tested["p_value"].gather(places).to_list())
        adjusted = adjusted.scatter(places, pl.Series(values, dtype=pl.Float64))
    sure = pl.col("p_adjusted") < SURE
    higher = pl.col("afr") > pl.col("afr_before")
    return (
        both.hstack(tested)
        .with_columns(
            adjusted,
        )
        .with_columns(
            verdict=pl.when(pl.col("p_value").is_null())
            .then(pl.lit("no failure in both"))
            .when(sure & higher)
            .then(pl.lit("up"))
            .when(sure)
            .then(pl.lit("down"))
            .otherwise(pl.lit("within chance"))
        )
    )


def against_the_rest(table: pl.DataFrame) -> pl.DataFrame:
    """Each group's rate beside that of all others together, for lists of good and bad ones.

    Args:
        table: rows of one window and kind, the groups that are to be compared with each other.

    Returns:
        `table` with rest_afr (null where there is no other), times_the_rest (null where the rest
        has no failure), excess_failures (failures less those at the rate of the rest), and the
        verdict: `above` or `below` when the interval leaves the rate of the rest out and
        `compare_rates` finds the difference to be more than chance, else `not told apart`. The
        second matters where the rest is small: its own rate is uncertain, too. In the order of
        `table`.
    """
    days, failures = pl.col("drive_days"), pl.col("failures")
    others = (failures.sum() - failures, days.sum() - days)
    found = table.with_columns(rest_afr=afr_percent(*others)).with_columns(
        times_the_rest=pl.when(pl.col("rest_afr") > 0).then(pl.col("afr") / pl.col("rest_afr")),
        excess_failures=failures - days * pl.col("rest_afr") / afr_percent(pl.lit(1), pl.lit(1)),
        verdict=pl.when(pl.col("afr_low") > pl.col("rest_afr"))
        .then(pl.lit("above"))
        .when(pl.col("afr_high") < pl.col("rest_afr"))
        .then(pl.lit("below"))
        .otherwise(pl.lit(NOT_TOLD_APART)),
    )
    counts = found.select("verdict", failures, days, rest=others[0], rest_days=others[1])
    verdicts = [
        verdict if verdict == NOT_TOLD_APART or _is_sure(*each) else NOT_TOLD_APART
        for verdict, *each in counts.iter_rows()
    ]
    return found.with_columns(verdict=pl.Series(verdicts, dtype=pl.String))


def _is_sure(failures: int, days: int, other_failures: int, other_days: int) -> bool:
    """Whether two rates differ by more than chance."""
    p_value = compare_rates(failures, days, other_failures, other_days).p_value
    return p_value is not None and p_value < 1 - CONFIDENCE


def over_time(tables: Mapping[date, pl.DataFrame], window: Window) -> pl.DataFrame:
    """One window of several quarters' tables, one below the other.

    Args:
        tables: `afr_table` of each quarter.
        window: what the rates are over. Of calendar years, the last quarter's row of each is kept.

    Returns:
        period (`2019-Q1`; `2019` for calendar years) before the columns of the tables, by quarter.
    """
    wanted = sorted(tables)
    if window == "calendar_year":
        wanted = list({quarter.year: quarter for quarter in wanted}.values())
    pieces = [
        tables[quarter]
        .filter(pl.col("window") == window)
        .select(pl.lit(period_name(quarter, window)).alias("period"), *AFR_SCHEMA.names())
        for quarter in wanted
    ]
    return pl.concat(pieces) if pieces else pl.DataFrame(schema={"period": pl.String, **AFR_SCHEMA})


def came_and_went(table: pl.DataFrame, quarter: date) -> pl.DataFrame:
    """Models that are new in a quarter, or whose last drive went in it.

    Args:
        table: `afr_table` of the quarter.
        quarter: its first day.

    Returns:
        Rows of data models over the quarter with the column `event`, `new` or `gone`, by event
        and model.
    """
    new = pl.col("first_seen") >= max(quarter, FIRST_DAY)
    gone = pl.col("drives_end") == 0
    if quarter <= FIRST_DAY:
        new = pl.lit(value=False)
    event = pl.when(new & ~gone).then(pl.lit("new")).when(gone).then(pl.lit("gone"))
    rows = table.filter(
        pl.col("kind") == "model", pl.col("window") == "quarter", pl.col("status") != BOOT
    )
    return rows.with_columns(event=event).drop_nulls("event").sort("event", "model")


def period_name(quarter: date, window: Window) -> str:
    """`2019-Q1` for a window that ends with a quarter, `2019` for a calendar year."""
    return str(quarter.year) if window == "calendar_year" else quarter_name(quarter)


_KEPT = {
    "model": ("maker", "model", "boot", "capacity_bytes", "capacity_tb"),
    "maker": ("maker", "boot"),
    "size": ("boot", "capacity_tb"),
    "maker_size": ("maker", "boot", "capacity_tb"),
    "all": ("boot",),
    "boot": ("boot",),
}
"""What all models of a group have in common, for each kind."""


def _read_daily(paths: list[Path]) -> pl.DataFrame:
    """The rows of `daily_stats` of some days: date, model, drives, failures."""
    columns = ["date", "model", "drives", "failures"]
    if not paths:
        return DAILY_SCHEMA.to_frame().select(columns)
    return read_tables(paths, columns)


def _lives(lifetimes: Lifetimes) -> pl.DataFrame:
    """One row per drive: model, last_model, first_seen, failed_on, removed_on, hours_at_failure."""
    lived = (pl.col("failed_on") - pl.col("first_seen")).dt.total_days() * 24
    last = lifetimes.spells.select("serial_number", "last_seen", last_model="model")
    return (
        lifetimes.drives.with_columns(hours_at_failure=entry_hours() + lived)
        .join(last, on=["serial_number", "last_seen"], how="left")
        .select("model", "last_model", "first_seen", "failed_on", "removed_on", "hours_at_failure")
    )


def _at_end(lifetimes: Lifetimes) -> pl.DataFrame:
    """Per model: drives_end, and hours_end, the sum of their ages."""
    last = lifetimes.days.filter("reported")["date"][-1]
    since = (pl.lit(last) - pl.coalesce("hours_on", "first_seen")).dt.total_days()
    hours = pl.col("power_on_hours").fill_null(0) + 24 * since
    return (
        in_service(lifetimes, last)
        .group_by("model")
        .agg(drives_end=pl.len().cast(pl.Int64), hours_end=hours.sum())
    )


def _counts(
    lifetimes: Lifetimes,
    lives: pl.DataFrame,
    end: pl.DataFrame,
    recent: pl.DataFrame,
    window: Window,
    start: date,
) -> pl.DataFrame:
    """What can be added up, by model, of those with a drive day in the window."""
    seen = lifetimes.spells.filter(pl.col("last_seen") >= start)
    if window == "lifetime":
        exposure = seen.group_by("model").agg(pl.col("drive_days", "failures").cast(pl.Int64).sum())
    else:
        exposure = recent.group_by("model").agg(
            drive_days=pl.col("drives").sum(), failures=pl.col("failures").sum()
        )
    added = _count(lives.filter(pl.col("first_seen") >= start), "model", "drives_added")
    removed = _count(lives.filter(pl.col("removed_on") >= start), "last_model", "drives_removed")
    told = pl.col("hours_at_failure")
    failed = (
        lives.filter(pl.col("failed_on") >= start)
        .group_by(model="last_model")
        .agg(
            drives_failed=pl.len().cast(pl.Int64),
            hours_failed=told.sum(),
            failed_with_hours=told.count().cast(pl.Int64),
        )
    )
    counts = exposure
    for each in (_count(seen, "model", "drives_seen"), end, added, removed, failed):
        counts = counts.join(each, on="model", how="left")
    return counts.with_columns(pl.all().exclude("model").fill_null(0))


def _count(rows: pl.DataFrame, model: str, name: str) -> pl.DataFrame:
    """How many rows each model has: model and `name`."""
    return rows.group_by(model=model).agg(pl.len().cast(pl.Int64).alias(name))


def _roll_up(
    counts: pl.DataFrame,
    models: pl.DataFrame,
    again: pl.DataFrame,
    kind: str,
    window: Window,
    start: date,
) -> pl.DataFrame:
    """The rows of one kind and window of `afr_table`, without the rates and `status`.

    Args:
        counts: what can be added up, by model.
        models: every model, with its first and last day.
        again: spells of the drives that have several.
        kind: what a row is about.
        window: over what.
        start: first day of the window.
    """
    if kind != "model":
        models = models.filter(pl.col("boot") == (kind == "boot"))
    groups = models.with_columns(group=GROUPS[kind])
    table = (
        groups.join(counts, on="model")
        .group_by("group")
        .agg(
            pl.col(_KEPT[kind]).first(),
            pl.col("first_seen").min(),
            pl.col("last_seen").max(),
            pl.all().exclude("group", *models.columns).sum(),
        )
    )
    several = (
        again.filter(pl.col("last_seen") >= start)
        .join(groups.select("model", "group"), on="model")
        .group_by("group")
        .agg(counted_again=pl.len() - pl.col("serial_number").n_unique())
    )
    missing = [name for name in AFR_SCHEMA.names() if name not in table.columns]
    table = (
        table.join(several, on="group", how="left")
        .with_columns(
            kind=pl.lit(kind),
            window=pl.lit(window),
            drives_seen=pl.col("drives_seen") - pl.col("counted_again").fill_null(0).cast(pl.Int64),
            mean_age_months=_mean_months("hours_end", "drives_end"),
            mean_age_of_failed_months=_mean_months("hours_failed", "failed_with_hours"),
        )
        .sort("group")
    )
    nulls = {name: pl.lit(None, AFR_SCHEMA[name]) for name in missing if name not in table.columns}
    return table.with_columns(**nulls).select(AFR_SCHEMA.names()).cast(AFR_SCHEMA)


def _mean_months(hours: str, drives: str) -> pl.Expr:
    """The mean age in months, null where there are no drives."""
    return pl.when(pl.col(drives) > 0).then(pl.col(hours) / pl.col(drives) / _MONTH_HOURS)


def _with_rates(table: pl.DataFrame) -> pl.DataFrame:
    """`table` with afr, afr_low and afr_high of its drive_days and failures."""
    bounds = afr_interval(table["failures"])
    days = pl.col("drive_days")
    return (
        table.hstack(bounds)
        .with_columns(
            afr=afr_percent(pl.col("failures"), days),
            afr_low=afr_percent(pl.col("low"), days),
            afr_high=afr_percent(pl.col("high"), days),
        )
        .drop("low", "high")
    )
