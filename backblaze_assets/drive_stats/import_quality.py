"""What the import of a quarter is checked for after it is made.

Each function takes what was imported and gives a verdict. They read little: footers of Parquet
files, two columns, and of the zip one day a quarter.
"""

import csv
import gzip
import re
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import IO, cast

import polars as pl
import pyarrow.parquet as pq

from backblaze_assets.drive_stats import schema
from backblaze_assets.drive_stats.archive import Archive, LeftOut
from backblaze_assets.drive_stats.importer import REPORT_KEY, DayReport
from backblaze_assets.drive_stats.member import Member, Packing
from backblaze_assets.drive_stats.models import clean_model
from backblaze_assets.drive_stats.quarters import days_of, quarter_name, quarter_of
from backblaze_assets.drive_stats.reading import reading
from backblaze_assets.drive_stats.schema import HEADER_ONLY_DAYS
from backblaze_assets.errors import DataError
from backblaze_assets.verdict import Verdict

_PIECE = 1 << 20
_LINE = re.compile(rb"[^\r\n]+")

MOST_SHOWN = 5
"""Files that one message names at most; the table has more."""

TOLERATED_CAPACITIES = 0.001
"""Share of a quarter's rows that may have a false capacity.

In the published data it is 0.05 % in the worst year, 2021 (35,587 rows of -1). Nothing follows
from a few, because a model's capacity is what most of its rows say.
"""


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
    return ImportedDay(report, footer.num_rows, _rows_listed(rejects) if rejects.exists() else 0)


def _rows_listed(path: Path) -> int:
    """How many rows a rejects file lists or sums up."""
    with (
        reading(path, "Remove its day's Parquet file, and import it again."),
        path.open(encoding="utf-8", newline="") as file,
    ):
        return sum(int(row["rows"]) for row in csv.DictReader(file))


def recount(archive: Archive, days: Sequence[ImportedDay]) -> dict[date, int]:
    """Rows of one of `days`, counted in its CSV by other means than the import's.

    It is the day with most rows set aside, or with most rows where none were. Empty when the CSV
    is no longer the one that the day was imported from, or when it has quotation marks.
    """
    unquoted = [each.report for each in days if not each.report.quoted_rows]
    if not unquoted:
        return {}
    report = max(unquoted, key=lambda report: (report.rows_rejected, report.rows_kept))
    member = archive.members.get(report.day)
    if member is None or member.size not in (None, report.csv_bytes):
        return {}
    with suppress(DataError), reading(member, ""), _opened(member) as raw:
        lines = _lines(raw)
        return {} if lines is None else {report.day: lines - 1}
    return {}


@contextmanager
def _opened(member: Member) -> Iterator[IO[bytes]]:
    """A day's CSV, read with Python's own modules."""
    if member.packing is Packing.PLAIN:
        with member.path.open("rb") as file:
            yield file
    elif member.packing is Packing.GZIPPED:
        with gzip.open(member.path) as unpacked:
            yield cast("IO[bytes]", unpacked)
    else:
        with zipfile.ZipFile(member.path) as zipped:
            (info,) = [info for info in zipped.infolist() if info.header_offset == member.offset]
            with zipped.open(info) as file:
                yield file


def _lines(file: IO[bytes]) -> int | None:
    """Lines with something in them; None where quotation marks may hold line ends."""
    count, goes_on = 0, False
    while piece := file.read(_PIECE):
        if b'"' in piece:
            return None
        count += len(_LINE.findall(piece)) - (goes_on and piece[0] not in b"\r\n")
        goes_on = piece[-1] not in b"\r\n"
    return count


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
            f"Not in the zip, or without a row in it: {absent} of {expected} days. In the film "
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
            f"{rows:,} rows = {rows - aside:,} kept + {aside:,} set aside. Days counted again in "
            f"the zip: {len(recounted)} of {table.height}."
            if wrong.is_empty()
            else "Days on which rows were lost, added or changed after the import: "
            f"{wrong.height} of {table.height}. Remove the files of these days and run "
            "`dagster asset materialize --select raw_quarter --partition` with the quarter's first "
            "day; if that does not help, it is a fault of the import."
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
        "Rows that repeat a serial number of the same day: {duplicates:,}. The first row was kept; "
        "the others are in raw_quarter/<quarter>/rejects. Look whether they are the same drive.",
    )


def rows_readable(quarters: Mapping[date, Sequence[ImportedDay]]) -> Verdict:
    """No row was set aside but for its serial number, and no number was blanked.

    What is written in another form than in the published files and was used is told, too.
    """
    verdict = _counted(
        quarters,
        {
            "rows_set_aside": lambda report: report.rows_rejected - report.duplicates,
            "numbers_rounded": lambda report: sum(report.rounded_numbers.values()),
            "numbers_unusable": lambda report: sum(report.unusable_numbers.values()),
        },
        "Every row was readable, and every number in it.",
        "Rows that could not be used: {rows_set_aside:,} (see raw_quarter/<quarter>/rejects). "
        "Numbers blanked: {numbers_rounded:,} rounded like 4.00079E+12, {numbers_unusable:,} "
        "otherwise no integer. Their drive days count, unless the row was set aside.",
    )
    reports = [each.report for each in _all(quarters)]
    forms = {
        "values_rewritten": sum(sum(report.rewritten.values()) for report in reports),
        "texts_trimmed": sum(sum(report.trimmed.values()) for report in reports),
        "rows_quoted": sum(report.quoted_rows for report in reports),
    }
    told = (
        " Used though written in another form than published: {values_rewritten:,} values (as "
        "29948.0, true, or a date with a time), {texts_trimmed:,} texts with blanks around them, "
        "{rows_quoted:,} rows with quotation marks."
    )
    if not any(forms.values()):
        return verdict
    return replace(
        verdict,
        message=verdict.message + told.format_map(forms),
        figures={**verdict.figures, **forms},
    )


def members_accounted_for(left_out: Mapping[date, Sequence[LeftOut]]) -> Verdict:
    """Everything in the archives that looks like a day was imported.

    Args:
        left_out: `Archive.account` of each quarter.
    """
    rows = [
        (quarter_name(quarter), each.path.name, each.name, each.reason)
        for quarter, others in left_out.items()
        for each in others
    ]
    names = ["quarter", "file", "name", "why it is not used"]
    shown = "; ".join(f"{name} {reason}" for _, _, name, reason in rows[:MOST_SHOWN])
    table = pl.DataFrame(rows, schema=dict.fromkeys(names, pl.String), orient="row")
    return Verdict(
        passed=table.is_empty(),
        message=(
            "Everything that looks like a day was imported."
            if table.is_empty()
            else f"Files that look like a day and were not imported: {table.height}. {shown}"
        ),
        figures={"files_left_out": table.height},
        table=table,
    )


def dates_agree(quarters: Mapping[date, Sequence[ImportedDay]]) -> Verdict:
    """The rows' dates are those of their files' names."""
    return _counted(
        quarters,
        {"rows_of_other_dates": lambda report: report.dates_differing},
        "All rows have the date of their file's name.",
        "Rows with another date than their file's name, which counts: {rows_of_other_dates:,}. "
        "Look whether the file repeats the rows of that other day.",
    )


def capacities_plausible(quarters: Mapping[date, Sequence[ImportedDay]]) -> Verdict:
    """Next to no row has a capacity that no drive can have (0 or less, above 100 TB)."""
    rows = sum(each.report.rows_kept for each in _all(quarters))
    verdict = _counted(
        quarters,
        {"false_capacities": lambda report: report.bad_capacities},
        "All capacities are possible.",
        "Rows with an impossible capacity: {false_capacities:,}. A model's capacity is what "
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
            else f"New columns: {', '.join(map(_column_shown, table['column']))}. They are kept as "
            "text; add those with a name to drive_stats/schema.py to give them a type."
        ),
        figures={
            "columns": max((each.report.columns for each in _all(quarters)), default=0),
            "columns_unknown": table.height,
        },
        table=table,
    )


def _column_shown(name: str) -> str:
    number = name.removeprefix(schema.UNNAMED)
    return f"one without a name (column {number})" if number != name else name


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
            f"Drives that change model: {changes:,}. Their drive days count for the model of each "
            "day, and the film shows them as what they were first. If both names mean the same "
            "drive, add the one to ALIASES in drive_stats/models.py."
            if changes
            else "No drive changes model within a quarter."
        ),
        figures={"drives_changing_model": changes},
        table=table,
    )


def _model_changes(quarter: date, paths: Sequence[Path]) -> pl.DataFrame:
    """How many drives were reported under several models: quarter, models, drives."""
    columns = pl.Schema({"serial_number": pl.String(), "model": pl.String()})
    pairs = (
        pl.scan_parquet(list(paths), schema=columns, extra_columns="ignore", glob=False)
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
