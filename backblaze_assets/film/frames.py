"""All pictures of quarters in parallel, as files that say what they are."""

import hashlib
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path

from PIL import Image

from backblaze_assets.files.atomic import write_atomic
from backblaze_assets.files.origin import Origin
from backblaze_assets.film import jpeg
from backblaze_assets.film.layout import FilmLayout
from backblaze_assets.film.render import open_renderer
from backblaze_assets.film.style import Style
from backblaze_assets.work import progress
from backblaze_assets.work.processes import go_on_or_stop, in_processes, most_workers

MIN_PARALLEL = 40
"""Frames below which starting processes takes longer than drawing."""


@dataclass(frozen=True)
class FrameReport:
    """What became of one frame.

    Attributes:
        data_version: digest of the JPEG file without its comment.
        bytes: size of the JPEG file.
        drives_in_service: on that day.
        failed_so_far: drives, not failure rows: a drive that fails twice counts once.
        capacity_bytes: of the drives in service.
    """

    data_version: str
    bytes: int
    drives_in_service: int
    failed_so_far: int
    capacity_bytes: int


@dataclass(frozen=True)
class QuarterFrames:
    """The frames to draw of one quarter.

    Attributes:
        lifetimes: folder of the quarter's `drive_lifetimes`.
        layout: of the quarter.
        days: which days, in order.
        origin: what each frame says about itself; partition and data version are filled in.
    """

    lifetimes: Path
    layout: FilmLayout
    days: Sequence[date]
    origin: Origin


def report_of(layout: FilmLayout, day: date, data_version: str, size: int) -> FrameReport:
    """What there is to say of a day's frame that stands already."""
    number = (day - layout.start).days
    return FrameReport(
        data_version,
        size,
        layout.service[number],
        layout.failed[number - layout.first],
        layout.capacity[number - layout.first],
    )


def render_quarters(
    quarters: Sequence[QuarterFrames],
    style: Style,
    target: Callable[[date], Path],
    workers: int | None = None,
) -> Iterator[tuple[date, FrameReport]]:
    """Draw the frames of several quarters in parallel, and yield each day when it is written.

    Days come in the order in which they are done. Processes, because encoding a JPEG holds the lock
    of the interpreter. Each process draws days that follow each other.

    Args:
        quarters: what to draw.
        style: of the picture.
        target: the file for a day.
        workers: how many processes; by default one for each core, if it may have any.
    """
    workers = workers or most_workers()
    parts = 1 if len(quarters) >= 2 * workers else workers
    chunks = [chunk for quarter in quarters for chunk in _chunks(quarter, parts)]
    total = sum(len(chunk.days) for chunk in chunks)
    with progress.work("drawing frames", total, "frames") as bar:
        if workers == 1 or total < MIN_PARALLEL:
            for chunk in chunks:
                for done in _render_chunk(chunk, style, [target(day) for day in chunk.days]):
                    bar.advance(1)
                    yield done
            return
        calls = [(chunk, style, [target(day) for day in chunk.days]) for chunk in chunks]
        for reports in in_processes(_render_list, calls, workers):
            bar.advance(len(reports))
            yield from reports


def _chunks(quarter: QuarterFrames, parts: int) -> list[QuarterFrames]:
    """A quarter's days in parts of about equal length."""
    size = max(1, -(-len(quarter.days) // parts))
    return [
        replace(quarter, days=quarter.days[start : start + size])
        for start in range(0, len(quarter.days), size)
    ]


def _render_list(
    chunk: QuarterFrames, style: Style, paths: Sequence[Path]
) -> list[tuple[date, FrameReport]]:
    return list(_render_chunk(chunk, style, paths))


def _render_chunk(
    chunk: QuarterFrames, style: Style, paths: Sequence[Path]
) -> Iterator[tuple[date, FrameReport]]:
    renderer = open_renderer(chunk.lifetimes, chunk.layout, style)
    for day, path in zip(chunk.days, paths, strict=True):
        go_on_or_stop()
        plain = renderer.encoded(day)
        version = hashlib.blake2b(plain, digest_size=16).hexdigest()
        origin = replace(chunk.origin, partition=day.isoformat(), data_version=version)
        content = jpeg.with_comment(plain, origin.to_json())
        write_atomic(path, content, sync=False)
        yield day, report_of(chunk.layout, day, version, len(content))


def render_closing(lifetimes: Path, layout: FilmLayout, style: Style) -> Iterator[bytes]:
    """JPEGs of the closing frames after the last day of `layout`.

    The last rings and colours fade on; date, figures and caption stay those of the last day.
    """
    renderer = open_renderer(lifetimes, layout, style)
    last = layout.days[-1]
    for number in range(1, style.closing_frames + 1):
        yield renderer.encoded(last + timedelta(days=number), last)


def thumbnail(path: Path, width: int) -> bytes:
    """The picture in the file `path` as a JPEG file `width` pixels wide, for a web page."""
    with Image.open(path) as image:
        height = round(image.height * width / image.width)
        image.draft("RGB", (width, height))
        small = image.resize((width, height), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=80, optimize=True)
    return buffer.getvalue()
