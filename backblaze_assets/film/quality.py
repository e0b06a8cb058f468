"""What pictures and films are checked for after they are made."""

from collections.abc import Mapping
from datetime import date
from os import SEEK_END
from pathlib import Path

import polars as pl
from PIL import Image

from backblaze_assets.errors import DataError
from backblaze_assets.film.probe import VideoInfo, probe
from backblaze_assets.film.style import Style
from backblaze_assets.verdict import Verdict

DECODED = 8
"""Frames of a run that are decoded, spread evenly; each takes as long as drawing one."""

_END = b"\xff\xd9"


def frames_whole(frames: Mapping[date, Path], style: Style) -> Verdict:
    """Every frame is a JPEG file of the canvas's size that does not end early.

    Of all frames the head, which tells the size, and the last bytes are read. `DECODED` of them
    are decoded.
    """
    days = sorted(frames)
    step = max(1, -(-len(days) // DECODED))
    sample = set(days[::step])
    found = [
        (day, fault)
        for day in days
        if (fault := _fault(frames[day], style, decode=day in sample)) is not None
    ]
    table = pl.DataFrame(found, schema={"day": pl.Date, "what": pl.String}, orient="row")
    return Verdict(
        passed=table.is_empty(),
        message=(
            f"All frames are whole and {style.width} x {style.height} pixels. Decoded: "
            f"{len(sample)} of {len(days)}."
            if table.is_empty()
            else f"Frames that are broken or of the wrong size: {table.height} of {len(days)}. "
            "Delete them and materialize frames for these days again."
        ),
        figures={
            "frames": len(days),
            "frames_decoded": len(sample),
            "frames_wrong": table.height,
            "width": style.width,
            "height": style.height,
        },
        table=table,
        at_fault=frozenset(table["day"]),
    )


def _fault(path: Path, style: Style, *, decode: bool) -> str | None:
    """What is wrong with a frame, None if nothing is found."""
    try:
        with path.open("rb") as file, Image.open(file, formats=("JPEG",)) as image:
            if image.size != (style.width, style.height):
                return f"{image.width} x {image.height} pixels"
            file.seek(-len(_END), SEEK_END)
            if file.read() != _END:
                return "it ends early"
            if decode:
                image.load()
            return None
    except OSError as error:
        return error.strerror or f"cannot be decoded: {error}"


def clips_complete(clips: Mapping[date, tuple[Path, int]], style: Style) -> Verdict:
    """Every clip shows each of its quarter's days as long as the pace wants, in the film's format.

    Args:
        clips: file and number of days, by quarter.
        style: of the film.
    """
    found = [
        (quarter, fault)
        for quarter, (path, days) in clips.items()
        for fault in _video_faults(path, days * style.frames_a_day, style)
    ]
    table = pl.DataFrame(found, schema={"quarter": pl.Date, "what": pl.String}, orient="row")
    frames = sum(days for _, days in clips.values()) * style.frames_a_day
    return Verdict(
        passed=table.is_empty(),
        message=(
            f"The clips have all frames of their days: {frames} of {frames}."
            if table.is_empty()
            else f"Clips that are not as they should be: {table['quarter'].n_unique()} of "
            f"{len(clips)}. Delete them and materialize movie_clip for these quarters again."
        ),
        figures={"clips": len(clips), "frames_expected": frames},
        table=table,
        at_fault=frozenset(table["quarter"]),
    )


def film_complete(path: Path, days: int, style: Style) -> Verdict:
    """The film has title, days, closing frames and end card, and lasts as long as that takes."""
    expected = style.film_frames(days)
    video, fault = _open(path)
    frames, seconds = (video.frames, video.seconds) if video else (0, 0.0)
    right = frames == expected and abs(seconds - expected / style.fps) < 0.5 / style.fps
    return Verdict(
        passed=right,
        message=(
            f"Days: {days}; frames: {frames}; seconds: {seconds:.2f}."
            if right
            else fault
            or f"The film has {frames} frames and lasts {seconds:.2f} seconds; title, {days} days "
            f"and end make {expected} and {expected / style.fps:.2f}. Materialize movie_clip, "
            "then movie again."
        ),
        figures={
            "days": days,
            "frames_expected": expected,
            "frames": frames,
            "film_seconds": round(seconds, 3),
        },
    )


def film_plays(path: Path, style: Style) -> Verdict:
    """The film is what browsers play: H.264, yuv420p, index in front, and has the canvas's size."""
    video, fault = _open(path)
    faults = _format_faults(video, style) if video else [fault]
    return Verdict(
        passed=not faults,
        message=(
            "Browsers can play the film while it loads."
            if not faults
            else f"Not every browser will play the film: {'; '.join(faults)}. Materialize movie "
            "again; if that does not help, look at the version of imageio-ffmpeg."
        ),
        figures={
            "codec": video.codec,
            "pixel_format": video.pixel_format,
            "width": video.width,
            "height": video.height,
            "frames_per_second": round(video.fps, 3),
        }
        if video
        else {},
    )


def _video_faults(path: Path, frames: int, style: Style) -> list[str]:
    video, fault = _open(path)
    if video is None:
        return [fault]
    count = [] if video.frames == frames else [f"{video.frames} frames, not {frames}"]
    return count + _format_faults(video, style)


def _format_faults(video: VideoInfo, style: Style) -> list[str]:
    """In what a video is not as browsers and the film want it."""
    size = (video.width, video.height)
    wanted = {
        f"codec {video.codec}": video.codec == "avc1",
        f"pixel format {video.pixel_format or 'unknown'}": video.pixel_format == "yuv420p",
        f"{size[0]} x {size[1]} pixels": size == (style.width, style.height),
        f"{video.fps:g} frames a second": video.constant_rate and round(video.fps) == style.fps,
        "its index stands behind the frames": video.faststart,
    }
    return [fault for fault, right in wanted.items() if not right]


def _open(path: Path) -> tuple[VideoInfo | None, str]:
    """The video, or why it cannot be read."""
    try:
        return probe(path), ""
    except DataError as error:
        return None, str(error)
