"""What the drive statistics are checked for after they are made, the import aside.

Each function takes what was made and gives a verdict. They read single columns.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import get_args

import polars as pl

from backblaze_assets.drive_stats import published
from backblaze_assets.drive_stats.afr import Window
from backblaze_assets.drive_stats.import_quality import imported_days
from backblaze_assets.drive_stats.lifetimes import LONGEST_DIP, partial_days
from backblaze_assets.drive_stats.quarters import quarter_name
from backblaze_assets.drive_stats.schema import HEADER_ONLY_DAYS
from backblaze_assets.verdict import Verdict

HISTORY = LONGEST_DIP + timedelta(days=14)
"""How far before a day drives are counted to judge whether it is partial."""

ALL_MODELS = "all models"
"""Stands in the place of the model where only totals are known."""

_EXPOSURE = ("drive_days", "failures")
_DAILY_SCHEMA = pl.Schema(
    {"date": pl.Date(), "model": pl.String(), "drive_days": pl.Int64(), "failures": pl.Int64()}
)


# daily_stats


def days_whole(drives: Mapping[date, int], judged: Iterable[date]) -> Verdict:
    """Every day has a report of the whole fleet, save the known days without one.

    Args:
        drives: drives reported on each day, also of the `HISTORY` before those judged.
        judged: the days to judge.
    """
    days = sorted(drives)
    partial = partial_days(days, [drives[day] for day in days])
    table = pl.DataFrame(
        {"day": days, "drives": [drives[day] for day in days], "partial": partial},
        schema={"day": pl.Date, "drives": pl.Int64, "partial": pl.Boolean},
    ).with_columns(
        pl.when(~pl.col("partial") & (pl.col("drives") > 0))
        .then("drives")
        .forward_fill()
        .alias("on the last full day")
    )
    mine = table.filter(pl.col("day").is_in(list(judged)))
    silent = (pl.col("drives") == 0) & ~pl.col("day").is_in(list(HEADER_ONLY_DAYS))
    odd = mine.filter(silent | pl.col("partial")).drop("partial")
    partly, silently = int(mine["partial"].sum()), mine.filter(silent).height
    return Verdict(
        passed=odd.is_empty(),
        message=(
            f"All days have a report of the whole fleet: {mine.height} of {mine.height}."
            if odd.is_empty()
            else f"Days with a report of only a part of the fleet: {partly} of {mine.height}; with "
            f"none: {silently}. Absent drives are not taken for removed, but their drive days are "
            "missing, so that failure rates may come out too high."
        ),
        figures={"days": mine.height, "days_partial": partly, "days_without_report": silently},
        table=odd,
    )


def read_daily(paths: Iterable[Path]) -> pl.DataFrame:
    """Files of `daily_stats` together: date, model, drive_days, failures."""
    found = list(paths)
    if not found:
        return pl.DataFrame(schema=_DAILY_SCHEMA)
    daily = pl.read_parquet(found, columns=["date", "model", "drives", "failures"], glob=False)
    return daily.rename({"drives": "drive_days"})


def drives_by_day(paths: Mapping[date, Path]) -> dict[date, int]:
    """Drives reported on each day, from the files of `daily_stats`; 0 for a file without rows."""
    sums = read_daily(paths.values()).group_by("date").agg(pl.col("drive_days").sum())
    return dict.fromkeys(paths, 0) | dict(sums.iter_rows())


# drive_lifetimes


def drives_once(quarters: Iterable[tuple[date, Path, Sequence[Path]]]) -> Verdict:
    """Every drive of the quarter's raw rows is in `drive_lifetimes`, and none is there twice.

    The drives are compared with those that have spells, and with the raw rows of one day a week.
    That no spell lost a row is for `exposure_agrees` to show.

    Args:
        quarters: first day, folder of `drive_lifetimes` and raw files of each, in order.
    """
    tables, drives = [], 0
    at_fault: list[date] = []
    for quarter, folder, raw in quarters:
        known = pl.read_parquet(folder / "drives.parquet", columns=["serial_number"], glob=False)
        drives = known.height
        schema = pl.Schema({"serial_number": pl.String()})
        rows = pl.scan_parquet(_weekly(raw), schema=schema, extra_columns="ignore", glob=False)
        spells = pl.scan_parquet(folder / "spells.parquet", glob=False).select("serial_number")
        reported = pl.concat([rows, spells]).unique().collect(engine="streaming")
        twice = known.filter(pl.col("serial_number").is_duplicated()).unique()
        missing = reported.join(known, on="serial_number", how="anti")
        tables += [_problem(quarter, twice, "twice"), _problem(quarter, missing, "missing")]
        if at_fault or twice.height or missing.height:
            at_fault.append(quarter)  # and those after it, which continue it
    table = pl.concat(tables)
    return Verdict(
        passed=table.is_empty(),
        message=(
            f"Every drive of the quarter is there once; {drives:,} drives in all."
            if table.is_empty()
            else f"Drives that are missing or there twice: {table.height:,}. Film and failure "
            "rates would be wrong. Materialize drive_lifetimes of these quarters again, in order."
        ),
        figures={"drives": drives, "drives_wrong": table.height},
        table=table,
        at_fault=frozenset(at_fault),
    )


def _weekly(paths: Sequence[Path]) -> list[Path]:
    """The last day's file and every seventh before it, in order."""
    return list(paths[::-7][::-1])


def _problem(quarter: date, serials: pl.DataFrame, what: str) -> pl.DataFrame:
    return serials.sort("serial_number").select(
        pl.lit(quarter_name(quarter)).alias("quarter"),
        "serial_number",
        pl.lit(what).alias("problem"),
    )


def slots_gapless(quarters: Iterable[tuple[date, Path]]) -> Verdict:
    """The slots of each model's drives are 0, 1, 2, ... up to their number.

    Args:
        quarters: first day and folder of `drive_lifetimes` of each, in order.
    """
    tables, models = [], 0
    at_fault: list[date] = []
    for quarter, folder in quarters:
        slots = (
            pl.read_parquet(folder / "drives.parquet", columns=["model", "slot"], glob=False)
            .group_by("model")
            .agg(
                pl.len().alias("drives"),
                pl.col("slot").n_unique().alias("slots"),
                pl.col("slot").min().alias("lowest"),
                pl.col("slot").max().alias("highest"),
            )
        )
        models = slots.height
        drives = pl.col("drives").cast(pl.Int64)
        gaps = slots.filter(
            (pl.col("slots") != drives)
            | (pl.col("lowest") != 0)
            | (pl.col("highest") != drives - 1)
        )
        tables.append(
            gaps.sort("model").select(pl.lit(quarter_name(quarter)).alias("quarter"), pl.all())
        )
        if at_fault or gaps.height:
            at_fault.append(quarter)  # and those after it, which continue it
    table = pl.concat(tables)
    return Verdict(
        passed=table.is_empty(),
        message=(
            f"The slots of all models have no gap ({models} checked)."
            if table.is_empty()
            else f"Models with drives that share a slot, or slots without a drive: {table.height}. "
            "The film would show too few drives. Materialize drive_lifetimes again, in order."
        ),
        figures={"models": models, "models_wrong": table.height},
        table=table,
        at_fault=frozenset(at_fault),
    )


def exposure_agrees(
    periods: Iterable[tuple[str, pl.DataFrame, pl.DataFrame]], other: str
) -> Verdict:
    """Drive days and failures are the same as counted otherwise.

    Args:
        periods: name of each; its model, drive_days and failures; the same as counted otherwise.
        other: where the other counts are from, for the message.
    """
    tables, compared = [], 0
    for period, ours, theirs in periods:
        joined = ours.join(theirs, on="model", how="full", coalesce=True, suffix="_other")
        counts = [*_EXPOSURE, *(f"{name}_other" for name in _EXPOSURE)]
        joined = joined.with_columns(pl.col(counts).cast(pl.Int64).fill_null(0))
        compared += joined.height
        wrong = pl.any_horizontal(pl.col(name) != pl.col(f"{name}_other") for name in _EXPOSURE)
        differing = joined.filter(wrong).sort("model")
        tables.append(
            differing.select(
                pl.lit(period).alias("period"),
                "model",
                "drive_days",
                pl.col("drive_days_other").alias(f"in {other}"),
                "failures",
                pl.col("failures_other").alias(f"failures in {other}"),
            )
        )
    table = pl.concat(tables)
    return Verdict(
        passed=table.is_empty(),
        message=(
            f"Each model's drive days and failures are those of {other} ({compared:,} compared)."
            if table.is_empty()
            else f"Counts that are not those of {other}: {table.height} of {compared:,}. "
            "Failure rates would be wrong. One of the two is out of date or damaged: "
            "`backblaze-assets movie` makes anew what is out of date."
        ),
        figures={"counts_compared": compared, "counts_differing": table.height},
        table=table,
    )


def exposure_of_quarter(folder: Path, before: Path | None) -> pl.DataFrame:
    """What a quarter added to `drive_lifetimes`: model, drive_days, failures.

    Args:
        folder: the quarter's folder of `drive_lifetimes`.
        before: that of the quarter which it continues, None for the first.
    """
    total = exposure_of_history(folder)
    if before is None:
        return total
    negative = [-pl.col(name) for name in _EXPOSURE]
    added = exposure(pl.concat([total, exposure_of_history(before).with_columns(negative)]))
    return added.filter((pl.col("drive_days") != 0) | (pl.col("failures") != 0))


def exposure_of_history(folder: Path) -> pl.DataFrame:
    """What `drive_lifetimes` in `folder` has in all: model, drive_days, failures."""
    return exposure(
        pl.read_parquet(folder / "spells.parquet", columns=["model", *_EXPOSURE], glob=False)
    )


def exposure_of_raw(folder: Path) -> pl.DataFrame:
    """Rows and failures of a quarter's raw files, by their reports: one row for `ALL_MODELS`."""
    reports = [day.report for day in imported_days(folder)]
    return pl.DataFrame(
        {
            "model": [ALL_MODELS],
            "drive_days": [sum(report.rows_kept for report in reports)],
            "failures": [sum(report.failures for report in reports)],
        }
    )


def exposure(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows with model, drive_days and failures added up by model."""
    return rows.group_by("model").agg(pl.col(_EXPOSURE).cast(pl.Int64).sum())


# afr_table


def agrees_with_published(quarters: Iterable[tuple[date, pl.DataFrame]]) -> Verdict:
    """Drive days, failures and rates are those that Backblaze published, where we have them.

    Args:
        quarters: first day and `afr_table` of each quarter, those of made-up data left out.
    """
    known = set(published.published().select("period", "window").iter_rows())
    windows: tuple[Window, ...] = get_args(Window)
    compared = [
        published.compare(table, quarter, window).select(
            pl.lit(f"{quarter_name(quarter)} {window}").alias("period"), pl.all()
        )
        for quarter, table in quarters
        for window in windows
        if (quarter, window) in known
    ]
    rows = pl.concat(compared) if compared else pl.DataFrame()
    if rows.is_empty():
        return Verdict(
            passed=True,
            message="Of these quarters no published table is known that real data could be "
            "compared with.",
        )
    differing = rows.filter(pl.col("verdict") != published.MATCH)
    periods = ", ".join(rows["period"].unique(maintain_order=True))
    return Verdict(
        passed=differing.is_empty(),
        message=(
            f"All published rows agree ({rows.height} compared): {periods}."
            if differing.is_empty()
            else f"Models that are not as published: {differing.height} of {rows.height} "
            f"({periods}). Backblaze leaves out drives under test, which nothing in the data "
            "marks, so a few drive days more are normal; a rate that is off by more than 0.02 is "
            "not."
        ),
        figures={
            "models_compared": rows.height,
            "models_differing": differing.height,
            "largest_rate_difference": _largest(rows["afr_difference"]),
        },
        table=differing.drop("maker"),
    )


def _largest(differences: pl.Series) -> float:
    """The largest distance from 0, nulls aside."""
    return max((abs(value) for value in differences.drop_nulls()), default=0.0)
