"""From the zips to typed Parquet, one file a day: days in parallel, nothing unpacked to disk."""

import csv
import io
import json
import os
import threading
import zlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass, replace
from datetime import date
from pathlib import Path

import polars as pl
import pyarrow as pa

from backblaze_assets.drive_stats import schema
from backblaze_assets.drive_stats.archive import Archive
from backblaze_assets.drive_stats.capacity import LARGEST_CAPACITY
from backblaze_assets.drive_stats.daily_csv import (
    MOST_ROWS,
    DailyTable,
    Reject,
    read_clean,
    read_with_care,
)
from backblaze_assets.drive_stats.fields import WORTH_COMPILING, Workspace, compiled
from backblaze_assets.drive_stats.inflate import MemberStream, StoppedError
from backblaze_assets.drive_stats.member import Member
from backblaze_assets.drive_stats.parquet import read_extra, write_parquet
from backblaze_assets.drive_stats.reading import ReplacedError, reading
from backblaze_assets.errors import DataError
from backblaze_assets.files.atomic import write_atomic
from backblaze_assets.files.origin import KEY, Origin
from backblaze_assets.work import progress

REPORT_KEY = "backblaze_assets.report"
"""Key under which a day's Parquet file holds its report."""

REJECT_COLUMNS = ("line", "reason", "row", "rows")
"""Columns of a rejects file: `rows` is 1, or how many are summed up, which have no text."""

MOST_NAMED = 20
"""Days whose fault one message names at most."""

MOST_WORKERS = 16
"""Days in flight at most: each takes up to 0.5 GB."""

_PARQUET = {
    "compression": "zstd",
    "compression_level": 1,
    "dictionary_pagesize_limit": 1 << 14,
    "write_statistics": list(schema.REQUIRED),
    "store_schema": False,
}
"""How a day is written, chosen by measured time and size; see `benchmarks/bench_import.py`."""


@dataclass(frozen=True)
class DayReport:
    """What the import found in one day's CSV.

    Attributes:
        day: the day of the file's name.
        rows_in: rows of the CSV, `rows_kept + rows_rejected`.
        rows_kept: rows in the Parquet file.
        rows_rejected: rows set aside, listed in the rejects file with line and reason.
        duplicates: how many of these repeat a serial number.
        failures: rows kept with `failure` 1.
        drives: distinct serial numbers kept.
        dates_differing: rows kept whose own date is another day, or none.
        rounded_numbers: values such as 4.00079E+12 that were blanked, by column.
        unusable_numbers: other values that are no integers or too large for their column and were
            blanked, by column.
        rewritten: values used though they are written in another form than the published one, such
            as 29948.0, `true` or a date with the time of midnight, by column.
        trimmed: texts that had blanks around them, by column.
        quoted_rows: rows kept with a field in quotation marks.
        bad_capacities: rows kept with a capacity of 0 or less, or of more than 100 TB.
        unknown_columns: columns that no era up to 2026 has.
        columns: number of columns.
        line_end: LF, CRLF or CR.
        csv_bytes: size of the CSV.
        data_version: digest of the Parquet file's content.
        parquet_bytes: size of the Parquet file.
        rejects_crc32: CRC-32 of the rejects file, 0 where there is none.
    """

    day: date
    rows_in: int
    rows_kept: int
    rows_rejected: int
    duplicates: int
    failures: int
    drives: int
    dates_differing: int
    rounded_numbers: dict[str, int]
    unusable_numbers: dict[str, int]
    rewritten: dict[str, int]
    trimmed: dict[str, int]
    quoted_rows: int
    bad_capacities: int
    unknown_columns: list[str]
    columns: int
    line_end: str
    csv_bytes: int
    data_version: str = ""
    parquet_bytes: int = 0
    rejects_crc32: int = 0

    def to_json(self) -> str:
        """One line of JSON."""
        return json.dumps({**asdict(self), "day": self.day.isoformat()}, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> "DayReport":
        """The report that `to_json` wrote."""
        fields = json.loads(text)
        return cls(**{**fields, "day": date.fromisoformat(fields["day"])})


class _Known:
    """What the days imported so far tell of the next ones; each thread adds to it.

    Args:
        size: bytes of all CSVs.
    """

    def __init__(self, size: int) -> None:
        self.filled: set[str] = set()
        self._rows = 0
        self._cut = compiled() if size >= WORTH_COMPILING else None
        self._threads = threading.local()

    def add(self, table: pa.Table) -> None:
        """Learn from a day."""
        self._rows = max(self._rows, table.num_rows)
        columns = zip(table.column_names, table.columns, strict=True)
        self.filled.update(name for name, it in columns if it.null_count < table.num_rows)

    def workspace(self) -> Workspace | None:
        """This thread's, for a day with a few more rows than there were; None without Numba."""
        if self._cut is None or not self.filled:
            return None
        found: Workspace | None = getattr(self._threads, "workspace", None)
        if found is None:
            pa.default_memory_pool().release_unused()  # of the days that Arrow has read
            found = self._threads.workspace = Workspace(self._cut)
        found.rows = min(self._rows + self._rows // 16 + 1000, MOST_ROWS)
        return found


class ImportFailedError(DataError):
    """Some days could not be imported; all others were.

    Attributes:
        reports: the days that were imported, in order.
        failed: what was wrong with each of the others.
    """

    def __init__(self, reports: list[DayReport], failed: dict[date, DataError]) -> None:
        self.reports = reports
        self.failed = failed
        shown = [str(error) for _, error in sorted(failed.items())]
        if len(shown) > MOST_NAMED:
            shown[MOST_NAMED:] = [f"and {len(shown) - MOST_NAMED} more."]
        what = f"{len(failed)} {'day' if len(failed) == 1 else 'days'} could not be imported."
        others = f" The other {len(reports)} days were imported." if reports else ""
        super().__init__("\n".join([what + others, *shown]))

    def __reduce__(self) -> tuple[type, tuple[object, ...]]:
        return type(self), (self.reports, self.failed)


def import_days(
    archive: Archive,
    days: Sequence[date],
    folder: Path,
    origin: Origin,
    workers: int | None = None,
) -> list[DayReport]:
    """Import `days` of an archive as `folder/YYYY-MM-DD.parquet`, in parallel.

    Every column of the CSV is there, in its order, typed by `schema.column_type`. Rows that were
    set aside are in `folder/rejects/YYYY-MM-DD.csv`. Files that are there are written anew.
    Memory is bounded by the number of days at work, not by the number of days. A day that cannot
    be read keeps no other one from being imported, and leaves no file, not even an older one. On an
    interrupt, or any other error, no further day is begun and those at work are given up.

    Args:
        archive: the zip, as scanned.
        days: days that the archive has.
        folder: where to write; made when missing.
        origin: what the files say about themselves, without a partition: that is the day.
        workers: days at work at the same time; one for each processor by default.

    Returns:
        Reports in the order of `days`.

    Raises:
        ImportFailedError: a file is damaged, or a CSV lacks a required column. It has the reports
            of all other days.
        ReplacedError: a file was replaced or changed meanwhile.
    """
    workers = workers or min(os.cpu_count() or 1, MOST_WORKERS)
    stop = threading.Event()
    known = _Known(sum(archive.members[day].size or 0 for day in days))
    failed: dict[date, DataError] = {}
    with (
        progress.work(f"importing {archive.path.name}", len(days), "days") as listener,
        ThreadPoolExecutor(workers, thread_name_prefix="import") as pool,
    ):
        tasks = {
            pool.submit(_import_day, archive, day, folder, origin, known, stop): day for day in days
        }
        try:
            for task in as_completed(tasks):
                try:
                    task.result()
                except ReplacedError:
                    raise
                except DataError as error:
                    failed[tasks[task]] = error
                listener.advance(1)
        except BaseException:
            stop.set()
            pool.shutdown(cancel_futures=True)
            raise
    reports = [task.result() for task, day in tasks.items() if day not in failed]
    if failed:
        raise ImportFailedError(reports, failed)
    return reports


def read_report(path: Path) -> DayReport:
    """The report of an imported day, from its Parquet file's footer.

    Raises:
        KeyError: the file was not written by `import_days`.
    """
    extra = read_extra(path)
    return replace(
        DayReport.from_json(extra[REPORT_KEY]),
        data_version=Origin.from_json(extra[KEY]).data_version,
        parquet_bytes=path.stat().st_size,
    )


def _import_day(
    archive: Archive,
    day: date,
    folder: Path,
    origin: Origin,
    known: _Known,
    stop: threading.Event,
) -> DayReport:
    """Import one day, and learn from it."""
    path, rejects = folder / f"{day}.parquet", folder / "rejects" / f"{day}.csv"
    try:
        daily, csv_bytes = _read(archive.members[day], known, stop)
    except ReplacedError:
        raise
    except DataError:
        path.unlink(missing_ok=True)
        rejects.unlink(missing_ok=True)
        raise
    if stop.is_set():
        raise StoppedError
    known.add(daily.table)
    # The rejects first: where a day's Parquet file is, all of the day is.
    rejects_crc32 = _write_rejects(rejects, daily.rejects)
    report = replace(_report(daily, day, csv_bytes), rejects_crc32=rejects_crc32)
    data_version = write_parquet(
        daily.table,
        path,
        replace(origin, partition=day.isoformat()),
        {REPORT_KEY: report.to_json()},
        **_PARQUET,
    )
    return replace(report, data_version=data_version, parquet_bytes=path.stat().st_size)


def _read(member: Member, known: _Known, stop: threading.Event) -> tuple[DailyTable, int]:
    """Read a day's CSV in the fastest way that it allows; also its size in bytes.

    Raises:
        DataError: it cannot be read.
    """
    filled, workspace = frozenset(known.filled), known.workspace()  # a copy: other days add to it
    ways = [(filled, workspace)] if workspace else []
    with reading(member, "It is not as the published files are; use the file as published."):
        for expected, room in [*ways, (filled, None), (frozenset[str](), None)]:
            with MemberStream(member, stop) as stream:
                daily = read_clean(stream, member.day, expected, room)
            if daily is not None:
                return daily, stream.size
        with MemberStream(member, stop) as stream:
            return read_with_care(stream, member.day), stream.size


def _report(daily: DailyTable, day: date, csv_bytes: int) -> DayReport:
    table = daily.table
    capacity = pl.Series(table["capacity_bytes"])
    rejected = sum(reject.rows for reject in daily.rejects)
    return DayReport(
        day=day,
        rows_in=table.num_rows + rejected,
        rows_kept=table.num_rows,
        rows_rejected=rejected,
        duplicates=daily.duplicates,
        failures=int(pl.Series(table["failure"]).cast(pl.Int64).sum()),
        drives=table.num_rows,  # every serial number is kept once
        dates_differing=daily.dates_differing,
        rounded_numbers=daily.rounded_numbers,
        unusable_numbers=daily.unusable_numbers,
        rewritten=daily.rewritten,
        trimmed=daily.trimmed,
        quoted_rows=daily.quoted_rows,
        bad_capacities=int((~capacity.is_between(1, LARGEST_CAPACITY)).sum()),
        unknown_columns=schema.unknown_columns(table.column_names),
        columns=table.num_columns,
        line_end=daily.line_end,
        csv_bytes=csv_bytes,
    )


def _write_rejects(path: Path, rejects: list[Reject]) -> int:
    """Write the rows set aside, or remove what an earlier import has left; give their CRC-32."""
    if not rejects:
        path.unlink(missing_ok=True)
        return 0
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(REJECT_COLUMNS)
    writer.writerows((each.line, each.reason, each.text, each.rows) for each in rejects)
    content = text.getvalue().encode()
    write_atomic(path, content)
    return zlib.crc32(content)
