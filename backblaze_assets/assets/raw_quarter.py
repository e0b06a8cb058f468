"""Backblaze's zips as typed Parquet: one partition a quarter, in it one file a day.

Read straight from the zip, every column of the CSVs, days in parallel. The annual zips of 2013 to
2015 serve several quarters each.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl

from backblaze_assets.drive_stats import import_quality
from backblaze_assets.drive_stats.archive import Archive
from backblaze_assets.drive_stats.importer import (
    DayReport,
    ImportFailedError,
    import_days,
    read_report,
)
from backblaze_assets.drive_stats.quarters import quarter_of
from backblaze_assets.errors import DataError
from backblaze_assets.files.origin import Origin, digest_versions
from backblaze_assets.files.stamps import kept
from backblaze_assets.lineage.checking import Scope
from backblaze_assets.lineage.metadata import table
from backblaze_assets.lineage.parts import Part
from backblaze_assets.lineage.status import DAY_VERSIONS, SOURCES, STAMP, UNREADABLE_DAYS
from backblaze_assets.lineage.step import Step
from backblaze_assets.lineage.view import View
from backblaze_assets.verdict import Verdict


@dataclass(frozen=True)
class Imported:
    """What a quarter's import has found.

    Attributes:
        archive: where the rows are from.
        stamp: what tells its files from others in their place.
        sources: SHA-256 of each zip, by its name.
        reports: of each day, in order.
        unreadable: why others could not be imported.
        reused: how many days an earlier, killed run had made.
        seconds: how long it took.
    """

    archive: Archive
    stamp: str
    sources: Mapping[str, str]
    reports: list[DayReport]
    unreadable: Mapping[date, DataError]
    reused: int
    seconds: float


def raw_quarter(step: Step) -> None:
    """Import the quarters that are asked for, one after the other: each uses all cores.

    A day that cannot be read costs that day: it counts as one without a report, and the check
    `days_readable` says so.
    """
    known: dict[tuple[Path, ...], dict[str, str]] = {}  # an annual zip serves several quarters
    for part in step.parts():
        with step.making(part.key):
            started = time.perf_counter()
            archive = step.view.survey.archive(part.day)
            days = archive.days(part.day)
            files = tuple(archive.files(part.day))
            known[files] = known.get(files) or archive.sources(part.day)
            origin = replace(part.origin, sources=known[files])
            done = _kept_days(part.path, days, origin)
            todo = [day for day in days if day not in done]
            unreadable: dict[date, DataError] = {}
            try:
                imported = import_days(archive, todo, part.path, origin)
            except ImportFailedError as error:
                imported, unreadable = error.reports, error.failed
                if not imported and not done:
                    raise
            _remove_others(part.path, [day for day in days if day not in unreadable])
            step.remove_vanished_days(part.day)
            reports = sorted([*done.values(), *imported], key=lambda report: report.day)
            seconds = time.perf_counter() - started
            stamp = step.lineage.stamp(part.key)
            made = Imported(archive, stamp, origin.sources, reports, unreadable, len(done), seconds)
            step.made(part, digest_versions(_day_versions(reports)), made)


def _day_versions(reports: list[DayReport]) -> dict[str, str]:
    return {str(report.day): report.data_version for report in reports}


def _kept_days(folder: Path, days: list[date], origin: Origin) -> dict[date, DayReport]:
    """Reports of the days that an earlier, killed run has already imported."""
    paths = {day: folder / f"{day}.parquet" for day in days}
    return {
        day: read_report(path)
        for day, path in paths.items()
        if kept(path, replace(origin, partition=str(day)))
    }


def _remove_others(folder: Path, days: list[date]) -> None:
    """Remove days that an earlier version of the zip had and this one has not."""
    for path in folder.glob("*.parquet"):
        if path.stem not in {str(day) for day in days}:
            path.unlink()


def metadata(part: Part, made: Imported) -> Mapping[str, Any]:
    """Rows, days and failures first, then a table of days to look at, then provenance."""
    reports, archive = made.reports, made.archive
    rows = sum(report.rows_kept for report in reports)
    odd = [r for r in reports if r.rows_rejected or r.rows_in == 0 or r.rounded_numbers]
    shown = {r.day: r for r in [*reports[:3], *odd[:20], *reports[-3:]]}
    return {
        "dagster/row_count": rows,
        "days": len(reports),
        "drives_last_day": next((r.drives for r in reversed(reports) if r.drives), 0),
        "failures": sum(report.failures for report in reports),
        "rows_set_aside": sum(report.rows_rejected for report in reports),
        **table(
            "days_to_look_at",
            (
                {
                    "day": str(r.day),
                    "rows": r.rows_kept,
                    "drives": r.drives,
                    "failures": r.failures,
                    "set aside": r.rows_rejected,
                }
                for _, r in sorted(shown.items())
            ),
        ),
        "first_day": str(reports[0].day),
        "last_day": str(reports[-1].day),
        "rows_in": sum(report.rows_in for report in reports),
        "days_without_report": sum(report.rows_in == 0 for report in reports),
        "columns": max(report.columns for report in reports),
        "bytes": sum(report.parquet_bytes for report in reports),
        "seconds": round(made.seconds, 2),
        "rows_per_second": round(rows / made.seconds),
        "days_reused": made.reused,
        "synthetic": archive.synthetic,
        "left_out": [f"{it.name} {it.reason}" for it in archive.account(part.day)],
        UNREADABLE_DAYS: {str(day): str(error) for day, error in made.unreadable.items()},
        STAMP: made.stamp,
        SOURCES: dg.MetadataValue.json(dict(made.sources)),
        "source_bytes": sum(path.stat().st_size for path in archive.files(part.day)),
        DAY_VERSIONS: dg.MetadataValue.json(_day_versions(reports)),
    }


def zips_readable(view: View) -> Verdict:
    """All zips in the data folder can be read."""
    return view.verdict()


def days_readable(scope: Scope) -> Verdict:
    """No day of the zips is damaged or lacks a required column; such days are left out."""
    found = {
        day: reason
        for made in scope.made
        for day, reason in made.metadata.get(UNREADABLE_DAYS, {}).items()
    }
    return Verdict(
        passed=not found,
        message="\n".join(found.values()) or "All days could be read.",
        figures={"days_unreadable": len(found)},
        table=pl.DataFrame({"day": list(found), "reason": list(found.values())}),
        at_fault=frozenset(quarter_of(date.fromisoformat(day)) for day in found),
    )


def days_used(scope: Scope) -> Verdict:
    """Everything in the zips that looks like a day's CSV is imported."""
    archives = scope.view.archives
    return import_quality.members_accounted_for(
        {
            quarter: archives[quarter].account(quarter)
            for quarter in scope.days
            if quarter in archives
        }
    )


def days_present(scope: Scope) -> Verdict:
    """All days of the quarter are in the zip, save the known ones without a report."""
    return import_quality.days_present(scope.imported)


def rows_accounted_for(scope: Scope) -> Verdict:
    """Rows in = rows kept + rows set aside, for every day, as the files have them.

    The rows of one day a quarter are counted again in the zip, by other means.
    """
    recounted: dict[date, int] = {}
    for quarter, days in scope.imported.items():
        if quarter in scope.view.archives:
            archive = scope.view.archives[quarter]
            scope.view.folder.fetch(archive.files(quarter))
            recounted |= import_quality.recount(archive, days)
    return import_quality.rows_accounted_for(scope.imported, recounted)


def no_duplicates(scope: Scope) -> Verdict:
    """No serial number occurs twice on a day."""
    return import_quality.no_duplicates(scope.imported)


def rows_readable(scope: Scope) -> Verdict:
    """No row had to be set aside for another reason, and no number to be blanked."""
    return import_quality.rows_readable(scope.imported)


def dates_agree(scope: Scope) -> Verdict:
    """The rows' dates are those of their files' names."""
    return import_quality.dates_agree(scope.imported)


def capacities_plausible(scope: Scope) -> Verdict:
    """At most one row in a thousand has a capacity that no drive can have."""
    return import_quality.capacities_plausible(scope.imported)


def columns_known(scope: Scope) -> Verdict:
    """No column is unknown to the schema."""
    return import_quality.columns_known(scope.imported)


def models_stable(scope: Scope) -> Verdict:
    """No drive changes its model within the quarter, other spellings of the same one aside."""
    return import_quality.models_stable((quarter, scope.raw(quarter)) for quarter in scope.days)


FOLDER_CHECKS = (zips_readable,)
CHECKS = (
    days_readable,
    days_used,
    days_present,
    rows_accounted_for,
    no_duplicates,
    rows_readable,
    dates_agree,
    capacities_plausible,
    columns_known,
    models_stable,
)
