"""Backblaze's zips as typed Parquet: one partition a quarter, in it one file a day.

Read straight from the zip, every column of the CSVs, days in parallel. The annual zips of 2013 to
2015 serve several quarters each.
"""

import time
from collections.abc import Callable
from datetime import date
from functools import cache
from pathlib import Path

import dagster as dg

from backblaze_assets.assets.step import Step, step
from backblaze_assets.drive_stats.archive import archive_of, sha256
from backblaze_assets.drive_stats.importer import DayReport, import_days, read_report
from backblaze_assets.drive_stats.quarters import quarter_name
from backblaze_assets.files.origin import Origin, digest_versions
from backblaze_assets.files.stamps import kept
from backblaze_assets.lineage.rules import DAY_VERSIONS, RULES
from backblaze_assets.partitions import quarters
from backblaze_assets.resources import Data


@dg.asset(
    description=__doc__,
    partitions_def=quarters,
    backfill_policy=dg.BackfillPolicy.single_run(),
    code_version=RULES["raw_quarter"].code_version,
    group_name="drive_stats",
    kinds={"parquet", "polars"},
    tags={"stage": "import"},
    pool="import",
)
def raw_quarter(context: dg.AssetExecutionContext, data: Data) -> dg.MaterializeResult[None]:
    """One quarter of raw rows. See the module's docstring, which is the description in the UI."""
    zip_digest = cache(sha256)
    with step(context, data) as this:
        for quarter in this.requested():
            _import_quarter(this, quarter, zip_digest)
        return this.result()


def _import_quarter(this: Step, quarter: date, zip_digest: Callable[[Path], str]) -> None:
    started = time.perf_counter()
    archive = archive_of(this.folder.root, quarter)
    folder = this.folder.raw_quarter(quarter)
    sources = {archive.path.name: zip_digest(archive.path)}
    origin = this.origin(quarter.isoformat(), sources)
    days = archive.days(quarter)
    if not days:
        raise dg.Failure(
            f"{archive.path} holds no day of {quarter_name(quarter)}; it has "
            f"{min(archive.members)} to {max(archive.members)}.",
            allow_retries=False,
        )
    done = _kept_days(folder, days, origin)
    todo = [day for day in days if day not in done]
    reports = done | {r.day: r for r in import_days(archive, todo, folder, origin)}
    _remove_others(folder, days)
    ordered = [reports[day] for day in days]
    versions = {report.day.isoformat(): report.data_version for report in ordered}
    rows = sum(report.rows_kept for report in ordered)
    seconds = time.perf_counter() - started
    this.made(
        origin,
        digest_versions(versions),
        folder,
        {
            "dagster/row_count": rows,
            "rows_in": sum(report.rows_in for report in ordered),
            "rows_set_aside": sum(report.rows_rejected for report in ordered),
            "days": len(days),
            "first_day": str(days[0]),
            "last_day": str(days[-1]),
            "days_without_report": sum(report.rows_in == 0 for report in ordered),
            "drives_last_day": next((r.drives for r in reversed(ordered) if r.drives), 0),
            "failures": sum(report.failures for report in ordered),
            "columns": max(report.columns for report in ordered),
            "bytes": sum(report.parquet_bytes for report in ordered),
            "zip": archive.path.name,
            "zip_bytes": archive.path.stat().st_size,
            "zip_sha256": sources[archive.path.name],
            "synthetic": archive.synthetic,
            "seconds": round(seconds, 2),
            "rows_per_second": round(rows / seconds),
            "days_reused": len(done),
            "preview": dg.MetadataValue.md(_table(ordered)),
            DAY_VERSIONS: dg.MetadataValue.json(versions),
        },
    )


def _kept_days(folder: Path, days: list[date], origin: Origin) -> dict[date, DayReport]:
    """Reports of the days that an earlier, killed run has already imported."""
    paths = {day: folder / f"{day}.parquet" for day in days}
    return {
        day: read_report(path)
        for day, path in paths.items()
        if kept(path, Origin(origin.asset, str(day), origin.code_version, inputs=origin.inputs))
    }


def _remove_others(folder: Path, days: list[date]) -> None:
    """Remove days that an earlier version of the zip had and this one has not."""
    for path in folder.glob("*.parquet"):
        if path.stem not in {str(day) for day in days}:
            path.unlink()


def _table(reports: list[DayReport]) -> str:
    """First and last days and all days with something to look at, as Markdown."""
    odd = [r for r in reports if r.rows_rejected or r.rows_in == 0 or r.rounded_numbers]
    shown = sorted({r.day: r for r in [*reports[:3], *odd[:20], *reports[-3:]]}.items())
    lines = ["| day | rows | drives | failures | set aside |", "|---|--:|--:|--:|--:|"]
    lines += [
        f"| {day} | {r.rows_kept:,} | {r.drives:,} | {r.failures} | {r.rows_rejected} |"
        for day, r in shown
    ]
    return "\n".join(lines)
