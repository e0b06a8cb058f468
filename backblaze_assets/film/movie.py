"""The film from its clips: title, days, closing frames, end card; subtitles and chapters."""

import itertools
import tempfile
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from backblaze_assets.drive_stats.parquet import read_table
from backblaze_assets.errors import DataError
from backblaze_assets.files.origin import Origin
from backblaze_assets.film import captions, cards
from backblaze_assets.film.encode import Chapter, ClipReport, encode_jpegs, join_clips
from backblaze_assets.film.frames import render_closing
from backblaze_assets.film.layout import FilmLayout
from backblaze_assets.film.style import Style


@dataclass(frozen=True)
class Part:
    """A quarter of the film.

    Attributes:
        clip: its `movie_clip`.
        lifetimes: folder of its `drive_lifetimes`.
        layout: its `film_layout`.
    """

    clip: Path
    lifetimes: Path
    layout: FilmLayout


def make_movie(
    parts: Sequence[Part], afr: pl.DataFrame, target: Path, style: Style, origin: Origin
) -> tuple[ClipReport, str]:
    """Join the clips of quarters to a film, between a title and an end card.

    Args:
        parts: quarters in order, all of the history or a cut of it.
        afr: `afr_table` of the last quarter.
        target: the MP4 file, written whole or not at all.
        style: of the film.
        origin: goes into the file's comment, with the data version filled in.

    Returns:
        What was written, and the subtitles in the SubRip format, which are a track of the film too.

    Raises:
        DataError: there are no parts, or clips do not fit together.
    """
    if not parts:
        raise DataError(f"no clips to join to {target}")
    first, last = parts[0], parts[-1]
    drives = read_table(
        last.lifetimes / "drives.parquet",
        columns=["boot", "failed_on"],
    )
    told = cards.story(first.layout, last.layout, drives, afr, style)
    words = subtitles(parts, style)
    opening = cards.title_frames(told, first.lifetimes, first.layout, style)
    closing = itertools.chain(
        render_closing(last.lifetimes, last.layout, style), cards.end_frames(told, style)
    )
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(2) as pool:
        before = pool.submit(_encoded, opening, Path(folder, "title"), style.fps, origin)
        after = pool.submit(_encoded, closing, Path(folder, "end"), style.fps, origin)
        clips = [*before.result(), *(part.clip for part in parts), *after.result()]
        return join_clips(clips, target, origin, words, chapters(parts, style)), words


def _encoded(frames: Iterable[bytes], folder: Path, fps: int, origin: Origin) -> list[Path]:
    """Clips of JPEGs.

    Of a picture that stands still one frame is decoded, and at most a second encoded, which is
    repeated.
    """
    folder.mkdir()
    runs = [(frame, len(list(run))) for frame, run in itertools.groupby(frames)]
    clips: dict[tuple[tuple[bytes, ...], int], Path] = {}
    parts: list[tuple[tuple[bytes, ...], int]]
    found = []
    for stands, group in itertools.groupby(runs, lambda run: run[1] >= fps // 2):
        if stands:
            parts = [((frame,), length) for frame, count in group for length in _even(count, fps)]
        else:
            parts = [(tuple(frame for frame, count in group for _ in range(count)), 1)]
        for part in parts:
            if part not in clips:
                clips[part] = folder / f"{len(clips)}.mp4"
                shown, repeat = part
                encode_jpegs(shown, clips[part], fps, origin, repeat)
            found.append(clips[part])
    return found


def _even(count: int, most: int) -> list[int]:
    """`count` as a sum of numbers of at most `most`, as large as they can be and all alike."""
    length = max(it for it in range(1, most + 1) if count % it == 0)
    if length < most // 2:  # a key frame for each would cost too much
        return [most] * (count // most) + [count % most]
    return [length] * (count // length)


def subtitles(parts: Sequence[Part], style: Style) -> str:
    """The captions of the film in the SubRip format."""
    said = [caption for part in parts for caption in part.layout.captions]
    days = [day for part in parts for day in part.layout.days]
    return captions.subtitles(said, days, style.title_frames / style.fps, style.pace)


def chapters(parts: Sequence[Part], style: Style) -> list[Chapter]:
    """Title, a chapter for each year, and the end."""
    found = [Chapter("Title", 0.0)]
    days = [day for part in parts for day in part.layout.days]
    before = style.title_frames / style.fps
    for place, day in enumerate(days):
        if str(day.year) != found[-1].name:
            found.append(Chapter(str(day.year), before + place / style.pace))
    found.append(Chapter("End", before + len(days) / style.pace + style.closing_frames / style.fps))
    return found
