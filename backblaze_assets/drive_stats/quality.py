"""What the drive statistics are checked for after they are made, the import aside.

Each function takes what was made and gives a verdict. They read single columns.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path

import polars as pl

from backblaze_assets.drive_stats import publication, published
from backblaze_assets.drive_stats.import_quality import imported_days
from backblaze_assets.drive_stats.lifetimes import LONGEST_DIP, partial_days
from backblaze_assets.drive_stats.parquet import read_table, read_tables
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
    daily = read_tables(found, ["date", "model", "drives", "failures"])
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
        known = read_table(folder / "drives.parquet", ["serial_number"])
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
            read_table(folder / "drives.parquet", ["model", "slot"])
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
    return exposure(read_table(folder / "spells.parquet", ["model", *_EXPOSURE]))


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


def windows_agree(
    quarters: Iterable[tuple[date, pl.DataFrame, Path]], daily: Mapping[date, Path]
) -> Verdict:
    """Drive days and failures of each window and model are those of `daily_stats`.

    Which days belong to a window is found by counting months here, apart from the code that makes
    the tables, so that a year made of too few or too many quarters is noticed. Those of all
    history are compared with `drive_lifetimes`.

    Args:
        quarters: first day, `afr_table`, and folder of `drive_lifetimes` of each.
        daily: every file of `daily_stats` that there is, by day.
    """
    return exposure_agrees(_windows(quarters, daily), "daily_stats and drive_lifetimes")


def _windows(
    quarters: Iterable[tuple[date, pl.DataFrame, Path]], daily: Mapping[date, Path]
) -> Iterator[tuple[str, pl.DataFrame, pl.DataFrame]]:
    for quarter, table, lifetimes in quarters:
        last = _month(quarter) + 2
        models = table.filter(pl.col("kind") == "model")
        days = {
            "quarter": [day for day in daily if 0 <= last - _month(day) < 3],
            "year": [day for day in daily if 0 <= last - _month(day) < 12],
            "calendar_year": [
                day for day in daily if day.year == quarter.year and _month(day) <= last
            ],
        }
        counted = read_daily(daily[day] for day in days["year"])
        others = {
            window: exposure(counted.filter(pl.col("date").is_in(found)))
            for window, found in days.items()
        } | {"lifetime": exposure_of_history(lifetimes)}
        for window, other in others.items():
            ours = exposure(models.filter(pl.col("window") == window))
            yield f"{quarter_name(quarter)} {window}", ours, other


def _month(day: date) -> int:
    """Months since the year 0."""
    return day.year * 12 + day.month


def agrees_with_published(quarters: Iterable[tuple[date, pl.DataFrame]]) -> Verdict:
    """All figures are those that Backblaze published, where we have them.

    Differences that are known and explained do not count, nor do figures that others derived.

    Args:
        quarters: first day and `afr_table` of each quarter, those of made-up data left out.
    """
    rows = published.reconcile(dict(quarters))
    if rows.is_empty():
        return Verdict(
            passed=True,
            message="Of these quarters no published table is known that real data could be "
            "compared with.",
        )
    real = pl.col("status") == publication.PUBLISHED
    agreeing = pl.col("verdict").is_in([published.MATCH, published.KNOWN])
    differing = rows.filter(real & ~agreeing)
    compared = rows.filter(real)
    known = compared.filter(pl.col("verdict") == published.KNOWN)
    derived = rows.filter(~real)
    periods = published.by_period(rows)
    names = ", ".join(
        f"{quarter_name(period)} {window}"
        for period, window in periods.select("period", "window").iter_rows()
    )
    because = "; ".join(known["reason"].unique(maintain_order=True))
    explained = f" Known differences: {known.height} ({because})." if known.height else ""
    return Verdict(
        passed=differing.is_empty(),
        message=(
            f"All published rows agree ({compared.height} compared): {names}.{explained}"
            if differing.is_empty()
            else f"Rows that are not as published: {differing.height} of {compared.height} "
            f"({names}). `backblaze-assets reconcile` shows ours beside theirs.{explained}"
        ),
        figures={
            "rows_compared": compared.height,
            "rows_known_to_differ": known.height,
            "rows_differing": differing.height,
            "derived_rows_compared": derived.height,
            "derived_rows_differing": derived.filter(~agreeing).height,
            "largest_rate_difference": _largest(compared["afr_difference"]),
        },
        table=differing.select(
            pl.format(
                "{} {}", pl.col("period").map_elements(quarter_name, pl.String), "window"
            ).alias("table"),
            "model",
            "verdict",
            *(
                f"{name}{suffix}"
                for name in ("drives", "drive_days", "failures", "afr")
                for suffix in ("", "_published")
            ),
        ),
    )


def _largest(differences: pl.Series) -> float:
    """The largest distance from 0, nulls aside."""
    return max((abs(value) for value in differences.drop_nulls()), default=0.0)
