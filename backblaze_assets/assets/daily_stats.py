"""Per day and model: drives that reported, failures, capacity. One partition a day.

A day without a report has no rows; nothing is invented for it.
"""

from collections.abc import Mapping
from typing import Any

from backblaze_assets.drive_stats import quality
from backblaze_assets.drive_stats.daily import DAILY_SCHEMA, DailyReport, write_daily_stats
from backblaze_assets.lineage.checking import Scope
from backblaze_assets.lineage.metadata import chart
from backblaze_assets.lineage.parts import Part
from backblaze_assets.lineage.step import Step
from backblaze_assets.verdict import Verdict


def daily_stats(step: Step) -> None:
    """Count the drives and failures of all days that are asked for."""

    def make(parts: list[Part]) -> None:
        by_day = {part.day: part for part in parts}
        raw = {day: part.input("raw_quarter") / f"{day}.parquet" for day, part in by_day.items()}
        reports = write_daily_stats(
            {day: path if path.exists() else None for day, path in raw.items()},
            lambda day: by_day[day].path,
            {day: part.origin for day, part in by_day.items()},
        )
        for part in parts:
            step.made(part, reports[part.day].data_version, reports[part.day])

    step.make_all(list(step.parts()), make)


def metadata(part: Part, report: DailyReport) -> Mapping[str, Any]:
    """What the plots show: drives, failures, capacity."""
    return {
        **chart(part.viewer, "daily_stats", part.path, "drives and failures by size", many=True),
        "dagster/row_count": report.models,
        "drives": report.drives,
        "failures": report.failures,
        "capacity_pb": round(report.capacity_bytes_total / 1e15, 3),
        "reported": report.reported,
    }


def days_whole(scope: Scope) -> Verdict:
    """Every day has a report of the whole fleet, save the known ones without a report."""
    first, last = min(scope.days), max(scope.days)
    near = {d: path for d, path in scope.daily.items() if first - quality.HISTORY <= d <= last}
    return quality.days_whole(quality.drives_by_day(near), scope.days)


CHECKS = (days_whole,)
COLUMNS = DAILY_SCHEMA
