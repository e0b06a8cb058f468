"""What the drive statistics are checked for after they are made.

Each function takes what was made and gives a verdict. They read little: footers of Parquet files,
single columns, and of the zip one day a quarter.
"""

import csv
import io
import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import get_args

import polars as pl
import pyarrow.parquet as pq

from backblaze_assets.drive_stats import published
from backblaze_assets.drive_stats.afr import Window
from backblaze_assets.drive_stats.archive import Archive
from backblaze_assets.drive_stats.importer import REPORT_KEY, DayReport
from backblaze_assets.drive_stats.lifetimes import LONGEST_DIP, partial_days
from backblaze_assets.drive_stats.models import clean_model
from backblaze_assets.drive_stats.quarters import days_of, quarter_name, quarter_of
from backblaze_assets.drive_stats.schema import HEADER_ONLY_DAYS
from backblaze_assets.errors import DataError
from backblaze_assets.verdict import Verdict

TOLERATED_CAPACITIES = 0.001
"""Share of a quarter's rows that may have a false capacity.

In the published data it is 0.05 % in the worst year, 2021 (35,587 rows of -1). Nothing follows
from a few, because a model's capacity is what most of its rows say.
"""

HISTORY = LONGEST_DIP + timedelta(days=14)
"""How far before a day drives are counted to judge whether it is partial."""

ALL_MODELS = "all models"
"""Stands in the place of the model where only totals are known."""

_EXPOSURE = ("drive_days", "failures")
_DAILY_SCHEMA = pl.Schema(
    {"date": pl.Date(), "model": pl.String(), "drive_days": pl.Int64(), "failures": pl.Int64()}
)


# raw_quarter


@dataclass(frozen=True)
class ImportedDay:
    """One day's raw files.

    Attributes:
        report: what the import said that it did.
        rows_stored: rows that the Parquet file has.
        rows_listed: rows that the rejects file has, 0 without one.
    """

    report: DayReport
    rows_stored: int
    rows_listed: int


def imported_days(folder: Path) -> list[ImportedDay]:
    """The days in the folder of one quarter, in order.

    Raises:
        DataError: a file is damaged.
    """
    return [_imported_day(path) for path in sorted(folder.glob("[0-9]*.parquet"))]


def _imported_day(path: Path) -> ImportedDay:
    try:
        footer = pq.read_metadata(path)
        report = DayReport.from_json(footer.metadata[REPORT_KEY.encode()].decode())
    except (KeyError, ValueError) as error:
        raise DataError(f"{path} is damaged ({error}). Remove it and import it again.") from error
    rejects = path.parent / "rejects" / f"{report.day}.csv"
    listed = 0
    if rejects.exists():
        with rejects.open(encoding="utf-8", newline="") as file:
            listed = sum(1 for _ in csv.reader(file)) - 1
    return ImportedDay(report, footer.num_rows, listed)


def recount(archive: Archive, days: Sequence[ImportedDay]) -> dict[date, int]:
    """Rows of one of `days`, counted in the zip by other means than the import's.

    It is the day with most rows set aside, or with most rows where none were. Empty when the zip
    is no longer the one that the days were imported from.
    """
    if not days:
        return {}
    report = max(
        (each.report for each in days), key=lambda report: (report.rows_rejected, report.rows_kept)
    )
    member = archive.members.get(report.day)
    if member is None or member.size != report.csv_bytes:
        return {}
    with zipfile.ZipFile(archive.path) as zipped, zipped.open(member.name) as raw:
        # Any bytes are text in Latin-1, and all three line ends become one.
        lines = io.TextIOWrapper(raw, encoding="latin-1")
        return {report.day: sum(line != "\n" for line in lines) - 1}


def days_present(quarters: Mapping[date, Sequence[ImportedDay]]) -> Verdict:
    """Every day of each quarter has a file with rows, save the known days without a report."""
    table = pl.concat([_absent_days(quarter, days) for quarter, days in quarters.items()])
    expected = sum(len(days_of(quarter)) for quarter in quarters)
    found = sum(len(days) for days in quarters.values())
    absent = int(table["days"].sum())
    names = " ".join(quarter_name(quarter) for quarter in table["first"].dt.truncate("1q").unique())
    return Verdict(
        passed=absent == 0,
        message=(
            f"{absent} of {expected} days are not in the zip, or have no row in it. In the film "
            "they look like the day before. If Backblaze has published more, fetch it with "
            f"`backblaze-assets download {names}`."
            if absent
            else f"All {expected} days are there."
        ),
        figures={"days_expected": expected, "days_found": found, "days_absent": absent},
        table=table,
    )


def _absent_days(quarter: date, days: Sequence[ImportedDay]) -> pl.DataFrame:
    """Stretches of days without a file or without a row: quarter, first, last, days, why."""
    rows = {each.report.day: each.report.rows_in for each in days}
    absent = [
        (day, "no row" if day in rows else "no file")
        for day in days_of(quarter)
        if not rows.get(day) and not (day in rows and day in HEADER_ONLY_DAYS)
    ]
    table = pl.DataFrame(absent, schema={"day": pl.Date, "why": pl.String}, orient="row")
    # Days in a row have the same distance to their number in the list.
    stretch = pl.col("day") - pl.duration(days=pl.int_range(pl.len()))
    return (
        table.group_by(stretch.alias("stretch"), "why")
        .agg(pl.col("day").min().alias("first"), pl.col("day").max().alias("last"), days=pl.len())
        .sort("first")
        .select("first", "last", "days", "why")
    )


def rows_accounted_for(
    quarters: Mapping[date, Sequence[ImportedDay]], recounted: Mapping[date, int]
) -> Verdict:
    """Rows in = rows kept + rows set aside, each as the files have them.

    Args:
        quarters: the imported days.
        recounted: rows of some of the days, counted in the zip.
    """
    counts = [
        {
            "day": (report := each.report).day,
            "rows in": report.rows_in,
            "kept": report.rows_kept,
            "in Parquet file": each.rows_stored,
            "set aside": report.rows_rejected,
            "in rejects file": each.rows_listed,
            "in zip": recounted.get(report.day),
        }
        for each in _all(quarters)
    ]
    table = pl.DataFrame(counts, infer_schema_length=None)
    wrong = table.filter(
        (pl.col("rows in") != pl.col("kept") + pl.col("set aside"))
        | (pl.col("kept") != pl.col("in Parquet file"))
        | (pl.col("set aside") != pl.col("in rejects file"))
        | (pl.col("rows in") != pl.col("in zip").cast(pl.Int64).fill_null(pl.col("rows in")))
    )
    rows, aside = int(table["rows in"].sum()), int(table["set aside"].sum())
    return Verdict(
        passed=wrong.is_empty(),
        message=(
            f"{rows:,} rows = {rows - aside:,} kept + {aside:,} set aside; {len(recounted)} days "
            "counted again in the zip."
            if wrong.is_empty()
            else f"On {wrong.height} days rows were lost, added or changed after the import. "
            "Remove the files of these days and run `dagster asset materialize --select "
            "raw_quarter --partition` with the quarter's first day; if that does not help, it is "
            "a fault of the import."
        ),
        figures={
            "rows_in": rows,
            "rows_kept": int(table["kept"].sum()),
            "rows_set_aside": aside,
            "days_recounted": len(recounted),
            "days_wrong": wrong.height,
        },
        table=wrong,
        at_fault=frozenset(quarter_of(day) for day in wrong["day"]),
    )


def no_duplicates(quarters: Mapping[date, Sequence[ImportedDay]]) -> Verdict:
    """No serial number occurs twice on a day."""
    return _counted(
        quarters,
        {"duplicates": lambda report: report.duplicates},
        "No serial number occurs twice on a day.",
        "{duplicates:,} rows repeat a serial number of the same day. The first row was kept; the "
        "others are in raw_quarter/<quarter>/rejects. Look whether they are the same drive.",
    )


def rows_readable(quarters: Mapping[date, Sequence[ImportedDay]]) -> Verdict:
    """No row was set aside but for its serial number, and no number was blanked."""
    return _counted(
        quarters,
        {
            "rows_set_aside": lambda report: report.rows_rejected - report.duplicates,
            "numbers_rounded": lambda report: sum(report.rounded_numbers.values()),
            "numbers_unusable": lambda report: sum(report.unusable_numbers.values()),
        },
        "Every row was readable, and every number in it.",
        "{rows_set_aside:,} rows could not be used (see raw_quarter/<quarter>/rejects), "
        "{numbers_rounded:,} numbers like 4.00079E+12 and {numbers_unusable:,} that are no "
        "integers were blanked. Their drive days count, unless the row was set aside.",
    )


def dates_agree(quarters: Mapping[date, Sequence[ImportedDay]]) -> Verdict:
    """The rows' dates are those of their files' names."""
    return _counted(
        quarters,
        {"rows_of_other_dates": lambda report: report.dates_differing},
        "All rows have the date of their file's name.",
        "{rows_of_other_dates:,} rows have another date than their file's name, which counts. Look "
        "whether the file repeats the rows of that other day.",
    )


def capacities_plausible(quarters: Mapping[date, Sequence[ImportedDay]]) -> Verdict:
    """Next to no row has a capacity that no drive can have (0 or less, above 100 TB)."""
    rows = sum(each.report.rows_kept for each in _all(quarters))
    verdict = _counted(
        quarters,
        {"false_capacities": lambda report: report.bad_capacities},
        "All capacities are possible.",
        "{false_capacities:,} rows have a capacity that is impossible. A model's capacity is what "
        "most of its rows say, so look at the capacities in the AFR table if there are many.",
    )
    share = int(verdict.figures["false_capacities"]) / max(rows, 1)
    return Verdict(
        share <= TOLERATED_CAPACITIES,
        verdict.message,
        {**verdict.figures, "percent_of_rows": round(100 * share, 4)},
        verdict.table,
    )


def columns_known(quarters: Mapping[date, Sequence[ImportedDay]]) -> Verdict:
    """No column is unknown to the schema."""
    found = [
        (name, each.report.day) for each in _all(quarters) for name in each.report.unknown_columns
    ]
    table = (
        pl.DataFrame(found, schema={"column": pl.String, "day": pl.Date}, orient="row")
        .group_by("column")
        .agg(
            pl.col("day").min().alias("first day"),
            pl.col("day").max().alias("last day"),
            days=pl.len(),
        )
        .sort("column")
    )
    return Verdict(
        passed=table.is_empty(),
        message=(
            "All columns are known."
            if table.is_empty()
            else f"New columns: {', '.join(table['column'])}. They are kept as text; add them to "
            "drive_stats/schema.py to give them a type."
        ),
        figures={
            "columns": max((each.report.columns for each in _all(quarters)), default=0),
            "columns_unknown": table.height,
        },
        table=table,
    )


def models_stable(quarters: Iterable[tuple[date, Sequence[Path]]]) -> Verdict:
    """No drive changes its model within a quarter, other spellings of the same one aside.

    Args:
        quarters: first day and raw files of each.
    """
    table = pl.concat([_model_changes(quarter, paths) for quarter, paths in quarters])
    changes = int(table["drives"].sum())
    return Verdict(
        passed=changes == 0,
        message=(
            f"{changes:,} drives change model. Their drive days count for the model of each day, "
            "and the film shows them as what they were first. If both names mean the same drive, "
            "add the one to ALIASES in drive_stats/models.py."
            if changes
            else "No drive changes model within a quarter."
        ),
        figures={"drives_changing_model": changes},
        table=table,
    )


def _model_changes(quarter: date, paths: Sequence[Path]) -> pl.DataFrame:
    """How many drives were reported under several models: quarter, models, drives."""
    schema = pl.Schema({"serial_number": pl.String(), "model": pl.String()})
    pairs = (
        pl.scan_parquet(list(paths), schema=schema, extra_columns="ignore", glob=False)
        .unique()
        .collect(engine="streaming")
    )
    changing = (
        pairs.filter(pl.col("serial_number").is_duplicated())
        .with_columns(clean_model(pl.col("model")))
        .unique()
        .group_by("serial_number")
        .agg(pl.col("model").sort().str.join(" and ").alias("models"), count=pl.len())
        .filter(pl.col("count") > 1)
    )
    return (
        changing.group_by("models")
        .agg(drives=pl.len())
        .sort("drives", "models", descending=[True, False])
        .select(pl.lit(quarter_name(quarter)).alias("quarter"), "models", "drives")
    )


def _counted(
    quarters: Mapping[date, Sequence[ImportedDay]],
    counts: Mapping[str, Callable[[DayReport], int]],
    fine: str,
    wrong: str,
) -> Verdict:
    """A verdict on counts that ought to be 0 on every day.

    Args:
        quarters: the imported days.
        counts: how each is read from a day's report, by name.
        fine: the message when all are 0.
        wrong: the message otherwise, with the names of the counts in braces.
    """
    rows = [
        {"day": each.report.day} | {name: count(each.report) for name, count in counts.items()}
        for each in _all(quarters)
    ]
    table = pl.DataFrame(rows, schema={"day": pl.Date} | dict.fromkeys(counts, pl.Int64))
    odd = table.filter(pl.any_horizontal(pl.col(name) > 0 for name in counts))
    totals = {name: int(odd[name].sum()) for name in counts}
    return Verdict(
        passed=odd.is_empty(),
        message=fine if odd.is_empty() else wrong.format_map(totals),
        figures={**totals, "days_concerned": odd.height},
        table=odd,
    )


def _all(quarters: Mapping[date, Sequence[ImportedDay]]) -> Iterable[ImportedDay]:
    return (day for days in quarters.values() for day in days)


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
            f"All {mine.height} days have a report of the whole fleet."
            if odd.is_empty()
            else f"{partly} days have a report of only a part of the fleet, {silently} have none. "
            "Absent drives are not taken for removed, but their drive days are missing, so that "
            "failure rates may come out too high."
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
            else f"{table.height:,} drives are missing or there twice: film and failure rates "
            "would be wrong. Materialize drive_lifetimes of these quarters again, in order."
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
            f"The slots of all {models} models have no gap."
            if table.is_empty()
            else f"{table.height} models have drives that share a slot, or slots without a drive: "
            "the film would show too few drives. Materialize drive_lifetimes again, in order."
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
            f"All {compared:,} counts of a model's drive days and failures are those of {other}."
            if table.is_empty()
            else f"{table.height} of {compared:,} counts are not those of {other}, so "
            "failure rates would be wrong. One of the two is out of date or damaged: "
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
            f"All {rows.height} published rows agree: {periods}."
            if differing.is_empty()
            else f"{differing.height} of {rows.height} models are not as published ({periods}). "
            "Backblaze leaves out drives under test, which nothing in the data marks, so a few "
            "drive days more are normal; a rate that is off by more than 0.02 is not."
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
