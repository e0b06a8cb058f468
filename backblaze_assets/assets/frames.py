"""The film's frames: one picture a day in which every drive ever seen is a small square.

A drive appears white, turns grey in service, bursts into a red ring when it fails, and goes black
when it is removed. Every frame is a pure function of its quarter's drive lifetimes and the layout.
"""

from collections.abc import Mapping
from datetime import timedelta
from itertools import groupby
from typing import Any

from backblaze_assets.drive_stats.quarters import quarter_of
from backblaze_assets.files.stamps import kept
from backblaze_assets.film import quality
from backblaze_assets.film.layout import Layout, read_layout
from backblaze_assets.film.render import (
    FrameReport,
    QuarterFrames,
    open_renderer,
    render_quarters,
    thumbnail,
)
from backblaze_assets.film.style import Style
from backblaze_assets.lineage.checking import Scope
from backblaze_assets.lineage.metadata import picture
from backblaze_assets.lineage.step import Part, Step
from backblaze_assets.verdict import Verdict


def frames(step: Step) -> None:
    """Draw the days that are asked for, save those that stand already."""

    def make(parts: list[Part]) -> None:
        by_day = {part.day: part for part in parts}
        stands = {part.day: origin for part in parts if (origin := kept(part.path, part.origin))}
        layout = read_layout(parts[0].input("film_layout"))
        jobs = [
            QuarterFrames(
                group[0].input("drive_lifetimes"), [part.day for part in group], group[0].origin
            )
            for group in _by_quarter([part for part in parts if part.day not in stands])
        ]
        target = {part.day: part.path for part in parts}.__getitem__
        reports = dict(render_quarters(jobs, layout, step.style, target))
        for group in _by_quarter([by_day[day] for day in stands]):
            reports |= _reports_of_kept(group, stands, layout, step.style)
        for part in parts:
            step.made(part, reports[part.day].data_version, reports[part.day])

    step.make_all(list(step.parts()), make)


def _by_quarter(parts: list[Part]) -> list[list[Part]]:
    return [list(group) for _, group in groupby(parts, key=lambda part: quarter_of(part.day))]


def _reports_of_kept(
    parts: list[Part], stands: Mapping[Any, Any], layout: Layout, style: Style
) -> dict[Any, FrameReport]:
    """What there is to say of frames of one quarter that stand already."""
    renderer = open_renderer(parts[0].input("drive_lifetimes"), layout, style)
    reports = {}
    for part in parts:
        figures = renderer.figures(part.day)
        reports[part.day] = FrameReport(
            data_version=stands[part.day].data_version,
            bytes=part.path.stat().st_size,
            drives_in_service=int(figures.in_service[-1]),
            failed_so_far=figures.failed,
            capacity_bytes=figures.capacity_bytes,
        )
    return reports


def metadata(part: Part, report: FrameReport) -> Mapping[str, Any]:
    """The figures on the panel, and a picture on the last day of each month."""
    figures: dict[str, Any] = {
        "drives_in_service": report.drives_in_service,
        "drives_failed": report.failed_so_far,
        "capacity_pb": round(report.capacity_bytes / 1e15, 3),
        "bytes": report.bytes,
    }
    # Dagster stores every event twice, so not every day can have one.
    if (part.day + timedelta(days=1)).month != part.day.month:
        figures = {"picture": picture(thumbnail(part.path, 320), str(part.day)), **figures}
    return figures


def frames_whole(scope: Scope) -> Verdict:
    """Every frame is a whole JPEG file of the canvas's size.

    The size is read from every file's head, and its last bytes show that it does not end early.
    Eight frames of each run are decoded.
    """
    files = {day: scope.file(made) for day, made in zip(scope.days, scope.made, strict=True)}
    return quality.frames_whole(files, scope.style)


CHECKS = (frames_whole,)
