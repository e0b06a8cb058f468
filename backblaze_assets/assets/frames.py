"""The film's frames: one picture a day in which every drive ever seen is a small square.

A drive appears white, turns grey in service, bursts into a red ring when it fails, and goes black
when it is removed. Every frame is a pure function of its quarter's drive lifetimes and the layout.
"""

import base64
from collections.abc import Sequence
from datetime import date, timedelta
from itertools import groupby
from pathlib import Path

import dagster as dg

from backblaze_assets.assets.film_layout import read_layout
from backblaze_assets.assets.step import Step, step
from backblaze_assets.drive_stats.quarters import quarter_of
from backblaze_assets.files.stamps import kept, read_origin
from backblaze_assets.film.layout import Layout
from backblaze_assets.film.render import (
    FrameReport,
    QuarterFrames,
    open_renderer,
    render_quarters,
    thumbnail,
)
from backblaze_assets.lineage.rules import RULES
from backblaze_assets.partitions import days, same_time
from backblaze_assets.resources import Data


@dg.asset(
    description=__doc__,
    deps=[dg.AssetDep("drive_lifetimes", partition_mapping=same_time), "film_layout"],
    partitions_def=days,
    backfill_policy=dg.BackfillPolicy.single_run(),
    code_version=RULES["frames"].code_version,
    group_name="film",
    kinds={"jpeg", "pillow", "numpy"},
    tags={"stage": "draw"},
    pool="render",
)
def frames(context: dg.AssetExecutionContext, data: Data) -> dg.MaterializeResult[None]:
    """One frame a day. See the module's docstring."""
    with step(context, data) as this:
        wanted = this.requested()
        origins = {day: this.origin(str(day)) for day in wanted}
        todo = [day for day in wanted if not kept(this.folder.frame(day), origins[day])]
        layout = read_layout(this)
        jobs = [
            QuarterFrames(this.folder.drive_lifetimes(quarter), days_of_it, origins[days_of_it[0]])
            for quarter, days_of_it in by_quarter(todo)
        ]
        reports = dict(render_quarters(jobs, layout, this.style, this.folder.frame))
        reports |= _reports_of_kept(this, layout, [day for day in wanted if day not in reports])
        for day in wanted:
            path = this.folder.frame(day)
            figures = _metadata(path, day, reports[day])
            this.made(origins[day], reports[day].data_version, path, figures)
        return this.result(width=this.style.width, height=this.style.height)


def by_quarter(wanted: Sequence[date]) -> list[tuple[date, list[date]]]:
    """Days in order, grouped by their quarter."""
    return [(quarter, list(group)) for quarter, group in groupby(wanted, key=quarter_of)]


def _reports_of_kept(this: Step, layout: Layout, wanted: list[date]) -> dict[date, FrameReport]:
    """What there is to say of frames that stand already."""
    reports: dict[date, FrameReport] = {}
    for quarter, days_of_it in by_quarter(wanted):
        renderer = open_renderer(this.folder.drive_lifetimes(quarter), layout, this.style)
        for day in days_of_it:
            origin = read_origin(this.folder.frame(day))
            figures = renderer.figures(day)
            reports[day] = FrameReport(
                data_version=origin.data_version if origin else "",
                bytes=this.folder.frame(day).stat().st_size,
                drives_in_service=int(figures.in_service[-1]),
                failed_so_far=figures.failed,
                capacity_bytes=figures.capacity_bytes,
            )
    return reports


def _metadata(path: Path, day: date, report: FrameReport) -> dict[str, object]:
    figures: dict[str, object] = {
        "drives_in_service": report.drives_in_service,
        "drives_failed": report.failed_so_far,
        "capacity_pb": round(report.capacity_bytes / 1e15, 3),
        "bytes": report.bytes,
    }
    # Dagster stores every event twice, so pictures go to the last day of a month only.
    if (day + timedelta(days=1)).month != day.month:
        picture = base64.b64encode(thumbnail(path, 320)).decode()
        markdown = f"![{day}](data:image/jpeg;base64,{picture})"
        figures["preview"] = dg.MetadataValue.md(markdown)
    return figures
