"""The picture of a day, and all pictures of quarters in parallel.

A frame is a pure function of the quarter's table of drives, the layout and the style. To be fast,
a renderer keeps the picture of the day drawn last and draws and encodes only what changes; a frame
drawn from nothing is the same to the byte.
"""

import hashlib
import io
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl
from PIL import Image

from backblaze_assets.files.atomic import write_atomic
from backblaze_assets.files.origin import Origin
from backblaze_assets.film import chart, jpeg, panel
from backblaze_assets.film.fleet import fleet
from backblaze_assets.film.labels import Labels, labels
from backblaze_assets.film.layout import Layout
from backblaze_assets.film.rings import Rings
from backblaze_assets.film.style import FADE_DAYS, NEW_DAYS, RING_DAYS, Style
from backblaze_assets.work import progress
from backblaze_assets.work.processes import go_on_or_stop, in_processes

FAR = 100
"""Days between two frames from which on drawing everything is as cheap as drawing the changes."""
MIN_PARALLEL = 40
"""Frames below which starting processes takes longer than drawing."""
NOTICE_DAYS = 60
"""Frames for which a cut is said on the picture."""

Bytes = npt.NDArray[np.uint8]

_GREY = np.array([max(247 - 8 * age, 151) for age in range(NEW_DAYS + 1)], np.uint8)
"""Of a drive in service, by age in days."""
_FADE = np.array([max(250 - 5 * age, 47) for age in range(FADE_DAYS + 1)], np.uint8)
"""Green and blue of a failed drive, by days since the failure; its red is 255."""


class Renderer:
    """Draws the days of one quarter (and any before it, as that quarter knows them)."""

    def __init__(
        self, drives: pl.DataFrame, days: pl.DataFrame, layout: Layout, style: Style
    ) -> None:
        """Prepare for drawing.

        Args:
            drives: `drives.parquet` of the quarter.
            days: `days.parquet` of the quarter.
            layout: where the models stand.
            style: of the picture.
        """
        if not style.boot_drives:
            drives = drives.filter(~pl.col("boot"))
        self.style = style
        self.days = days
        self.start: date = days["date"][0]
        # By the calendar: the history may have a cut, whose days have no row.
        span = (days["date"][-1] - self.start).days + 1
        self.fleet = fleet(drives, self.start, span, layout, style)
        self.weekly = self.fleet.failed.copy()
        self.weekly[7:] -= self.fleet.failed[:-7]
        self.side = layout.cell - style.gap(layout.cell)
        self._corner = self.fleet.y * style.width + self.fleet.x
        down, right = np.divmod(np.arange(self.side * self.side), self.side)
        self._square = (down * style.width + right).astype(np.int32)
        rows, columns = jpeg.tiles(style.height, style.width)
        height = rows * jpeg.TILE_HEIGHT
        # Below the panel green and blue are the same everywhere, so two planes are enough.
        self._planes = np.empty((2, height, style.width), np.uint8)
        self._canvas = np.empty((height, style.width), jpeg.PIXEL)
        self._changed = np.ones((rows, columns), np.bool_)
        self._ringed = np.zeros((rows, columns), np.bool_)
        self._encoder = jpeg.Encoder(style.height, style.width, style.jpeg_quality)
        self._rings = Rings(self.side, rows, columns, style.scale)
        shown = labels(drives, self.start, span, layout, style)
        self._labels = Labels(shown, style, height, style.width)
        self._notices = _notices(days)
        synthetic = days.filter("synthetic")["date"]
        self._synthetic_from = date.max if synthetic.is_empty() else synthetic[0]
        self._day: int | None = None
        self._band: jpeg.Pixels | None = None

    def frame(self, day: date, shown: date | None = None) -> npt.NDArray[np.uint8]:
        """The frame of `day` as an array (height, width, 3), red green blue.

        Args:
            day: for which squares and rings are drawn; it may lie after the last day.
            shown: the day whose date and figures stand in the panel; by default `day`.
        """
        self._draw(day, shown or day)
        pixels = self._canvas[: self.style.height, :, None].view(np.uint8)
        return pixels[..., :3].copy()

    def encoded(self, day: date, shown: date | None = None) -> bytes:
        """As `frame`, as a JPEG file."""
        self._draw(day, shown or day)
        # What is below the picture in the last row of tiles is not seen, only encoded.
        self._canvas[self.style.height :] = self._canvas[self.style.height - 1]
        content = self._encoder.encode(self._canvas, self._changed)
        self._changed[:] = False
        return content

    def _draw(self, day: date, shown: date) -> None:
        """Bring the canvas to `day`, and mark the tiles that have changed."""
        number = (day - self.start).days
        changed = self._paint(number)
        failed = self.fleet.failures.between(number - RING_DAYS, number)
        ages = number - self.fleet.failed_on[failed]
        ringed = self._rings.place(self.fleet.x[failed], self.fleet.y[failed], ages)
        changed |= ringed | self._ringed
        self._ringed = ringed.copy()
        numbers = np.flatnonzero(changed)
        self._rings.blend(numbers, self._planes, self._labels.ring_limit, self._canvas)
        self._changed |= changed
        self._draw_panel(day, shown)

    def _draw_panel(self, day: date, shown: date) -> None:
        drawn = panel.background(self.style, synthetic=day >= self._synthetic_from).copy()
        panel.draw(drawn, self.figures(shown), self.style)
        band = np.asarray(drawn).view(jpeg.PIXEL)[..., 0]
        if self._band is not None:
            touched = jpeg.differing(band, self._band)
            self._changed[: len(touched)] |= touched
        self._canvas[: len(band)] = self._band = band

    def figures(self, day: date) -> panel.Figures:
        """What the panel says about `day`."""
        number = (day - self.start).days
        window = slice(max(0, number + 1 - chart.DAYS), number + 1)
        return panel.Figures(
            day,
            int(self.fleet.capacity[number]),
            self.fleet.in_service[window],
            int(self.fleet.failed[number]),
            self.weekly[window],
            self._notices.get(day, ""),
        )

    def _paint(self, day: int) -> jpeg.Mask:
        """Bring squares and labels to `day`, and tell the tiles in which some may have changed."""
        drives = self.fleet
        touched = np.zeros_like(self._changed)
        if self._day is None or not 0 <= day - self._day <= FAR:
            self._planes[:] = self.style.background[0]
            self._labels.forget()
            touched[:] = True
            changed = np.arange(np.searchsorted(drives.first_seen, np.int32(day), "right"))
        else:
            bounds = np.array((self._day - NEW_DAYS, day + 1), np.int32)
            young = np.searchsorted(drives.first_seen, bounds)
            changed = np.concatenate(
                [
                    np.arange(*young),
                    drives.failures.between(self._day - FADE_DAYS, day),
                    drives.removals.between(self._day, day),
                ]
            )
        red, cyan = self._colours(changed, day)
        pixels = self._corner[changed][:, None] + self._square
        flat = self._planes.reshape(2, -1)
        flat[0, pixels] = red[:, None]
        flat[1, pixels] = cyan[:, None]
        x, y = drives.x[changed], drives.y[changed]
        jpeg.touch(touched, x, y, x + self.side, y + self.side)
        self._labels.draw(self._planes, day, touched)
        self._day = day
        return touched

    def _colours(self, numbers: npt.NDArray[np.int64], day: int) -> tuple[Bytes, Bytes]:
        """Red, and green and blue, on `day` of drives that all have been seen by then."""
        drives = self.fleet
        red = _GREY[np.minimum(day - drives.first_seen[numbers], NEW_DAYS)]
        red[drives.removed_on[numbers] <= day] = 0
        cyan = red.copy()
        since = day - drives.failed_on[numbers]
        failed = since >= 0
        red[failed] = 255
        cyan[failed] = _FADE[np.minimum(since[failed], FADE_DAYS)]
        return red, cyan


def _notices(days: pl.DataFrame) -> dict[date, str]:
    """What is said after each cut, by day."""
    notices: dict[date, str] = {}
    covered = days.filter("in_zip")["date"].to_list()
    for before, after in pairwise(covered):
        if (after - before).days > 1:
            first, last = before + timedelta(days=1), after - timedelta(days=1)
            notice = f"No data from {panel.long_date(first)} to {panel.long_date(last)}"
            notices |= {after + timedelta(days=n): notice for n in range(NOTICE_DAYS)}
    return notices


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
        days: which days, in order.
        origin: what each frame says about itself; partition and data version are filled in.
    """

    lifetimes: Path
    days: Sequence[date]
    origin: Origin


def render_days(
    lifetimes: Path,
    layout: Layout,
    style: Style,
    days: Sequence[date],
    target: Callable[[date], Path],
    origin: Origin,
    workers: int | None = None,
) -> dict[date, FrameReport]:
    """Draw `days` of one quarter in parallel and write each to the file `target(day)`."""
    quarter = QuarterFrames(lifetimes, days, origin)
    return dict(render_quarters([quarter], layout, style, target, workers))


def render_quarters(
    quarters: Sequence[QuarterFrames],
    layout: Layout,
    style: Style,
    target: Callable[[date], Path],
    workers: int | None = None,
) -> Iterator[tuple[date, FrameReport]]:
    """Draw the frames of several quarters in parallel, and yield each day when it is written.

    Days come in the order in which they are done. Processes, because encoding a JPEG holds the lock
    of the interpreter. Each process draws days that follow each other.

    Args:
        quarters: what to draw.
        layout: where the models stand.
        style: of the picture.
        target: the file for a day.
        workers: how many processes; by default one for each core.
    """
    workers = workers or os.cpu_count() or 1
    chunks = [chunk for quarter in quarters for chunk in _chunks(quarter, workers)]
    total = sum(len(chunk.days) for chunk in chunks)
    with progress.work("drawing frames", total, "frames") as bar:
        if workers == 1 or total < MIN_PARALLEL:
            for chunk in chunks:
                for done in _render_chunk(
                    chunk, layout, style, [target(day) for day in chunk.days]
                ):
                    bar.advance(1)
                    yield done
            return
        calls = [(chunk, layout, style, [target(day) for day in chunk.days]) for chunk in chunks]
        for reports in in_processes(_render_list, calls, workers):
            bar.advance(len(reports))
            yield from reports


def _chunks(quarter: QuarterFrames, workers: int) -> list[QuarterFrames]:
    """A quarter's days in parts of about equal length, one for each worker."""
    size = max(1, -(-len(quarter.days) // workers))
    return [
        replace(quarter, days=quarter.days[start : start + size])
        for start in range(0, len(quarter.days), size)
    ]


def _render_list(
    chunk: QuarterFrames, layout: Layout, style: Style, paths: Sequence[Path]
) -> list[tuple[date, FrameReport]]:
    return list(_render_chunk(chunk, layout, style, paths))


def open_renderer(lifetimes: Path, layout: Layout, style: Style) -> Renderer:
    """A renderer for the tables in the folder `lifetimes`."""
    columns = ["model", "maker", "boot", "capacity_bytes", "first_seen", "failed_on", "removed_on"]
    drives = pl.read_parquet(lifetimes / "drives.parquet", columns=columns, glob=False)
    days = pl.read_parquet(lifetimes / "days.parquet", glob=False)
    return Renderer(drives, days, layout, style)


def _render_chunk(
    chunk: QuarterFrames, layout: Layout, style: Style, paths: Sequence[Path]
) -> Iterator[tuple[date, FrameReport]]:
    renderer = open_renderer(chunk.lifetimes, layout, style)
    for day, path in zip(chunk.days, paths, strict=True):
        go_on_or_stop()
        plain = renderer.encoded(day)
        version = hashlib.blake2b(plain, digest_size=16).hexdigest()
        origin = replace(chunk.origin, partition=day.isoformat(), data_version=version)
        content = jpeg.with_comment(plain, origin.to_json())
        write_atomic(path, content, sync=False)
        figures = renderer.figures(day)
        yield (
            day,
            FrameReport(
                version,
                len(content),
                int(figures.in_service[-1]),
                figures.failed,
                figures.capacity_bytes,
            ),
        )


def render_closing(lifetimes: Path, layout: Layout, style: Style) -> Iterator[bytes]:
    """JPEGs of the closing frames after the last day of `lifetimes`.

    The last rings and colours fade on; date and figures stay those of the last day.
    """
    renderer = open_renderer(lifetimes, layout, style)
    last: date = renderer.days["date"][-1]
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
