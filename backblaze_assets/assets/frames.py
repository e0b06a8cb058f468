"""The film's frames: one picture a day in which every drive ever seen is a small square.

A drive appears white, cools to slate in service, bursts into a ring when it fails, and goes when it
is removed. Every frame is a pure function of its quarter's drive lifetimes and layout.
"""

from collections.abc import Mapping
from datetime import date, timedelta
from itertools import groupby
from typing import Any

from backblaze_assets.drive_stats.quarters import quarter_of
from backblaze_assets.files.stamps import kept
from backblaze_assets.film import quality
from backblaze_assets.film.frames import (
    FrameReport,
    QuarterFrames,
    render_quarters,
    report_of,
    thumbnail,
)
from backblaze_assets.film.layout import read_layout
from backblaze_assets.lineage.checking import Scope
from backblaze_assets.lineage.metadata import link, picture, viewed_picture
from backblaze_assets.lineage.parts import Part
from backblaze_assets.lineage.step import Step
from backblaze_assets.verdict import Verdict


def frames(step: Step) -> None:
    """Draw the days that are asked for, save those that stand already."""

    def make(parts: list[Part]) -> None:
        stands = {part.day: origin for part in parts if (origin := kept(part.path, part.origin))}
        layouts = {path: read_layout(path) for path in {it.input("film_layout") for it in parts}}
        todo = [part for part in parts if part.day not in stands]
        jobs = [
            QuarterFrames(
                group[0].input("drive_lifetimes"),
                layouts[group[0].input("film_layout")],
                [part.day for part in group],
                group[0].origin,
            )
            for _, group in _by_quarter(todo)
        ]
        target = {part.day: part.path for part in parts}.__getitem__
        reports = dict(render_quarters(jobs, step.style, target))
        for part in parts:
            day = part.day
            if day in stands:
                layout, size = layouts[part.input("film_layout")], part.path.stat().st_size
                reports[day] = report_of(layout, day, stands[day].data_version, size)
            step.made(part, reports[day].data_version, reports[day])

    step.make_all(list(step.parts()), make)


def _by_quarter(parts: list[Part]) -> list[tuple[date, list[Part]]]:
    grouped = groupby(parts, key=lambda part: quarter_of(part.day))
    return [(quarter, list(group)) for quarter, group in grouped]


def metadata(part: Part, report: FrameReport) -> Mapping[str, Any]:
    """The figures on the panel, and the picture; without a viewer, on the last day of a month."""
    figures: dict[str, Any] = {
        "drives_in_service": report.drives_in_service,
        "drives_failed": report.failed_so_far,
        "capacity_pb": round(report.capacity_bytes / 1e15, 3),
        "bytes": report.bytes,
    }
    if part.viewer:
        shown = viewed_picture(part.viewer, f"frames/{part.key}.jpg", str(part.day))
        return {"picture": shown, **figures, **link(part.viewer, f"frames#{part.key}")}
    # Dagster stores every event twice, so not every day can have a picture inside it.
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
