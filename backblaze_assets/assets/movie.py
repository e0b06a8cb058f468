"""The film: title, all clips joined without encoding them again, end card; subtitles, chapters."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl

from backblaze_assets.drive_stats.parquet import read_table
from backblaze_assets.files.atomic import write_atomic
from backblaze_assets.film import quality
from backblaze_assets.film.encode import ClipReport
from backblaze_assets.film.frames import thumbnail
from backblaze_assets.film.layout import read_layout
from backblaze_assets.film.movie import Part as Quarter
from backblaze_assets.film.movie import make_movie
from backblaze_assets.film.whole import crc
from backblaze_assets.lineage.checking import Scope
from backblaze_assets.lineage.metadata import link, picture, viewed_picture
from backblaze_assets.lineage.parts import Part
from backblaze_assets.lineage.status import DIGESTS, SOURCES
from backblaze_assets.lineage.step import Step
from backblaze_assets.verdict import Verdict


@dataclass(frozen=True)
class Film:
    """What a person wants to know of the film.

    Attributes:
        video: its format and length.
        poster: a JPEG of its last day.
        first_day, last_day: of the data.
        sources: SHA-256 of each zip, by file name.
        digests: CRC-32 of the subtitles, by their file's name.
    """

    video: ClipReport
    poster: Path
    first_day: str
    last_day: str
    sources: Mapping[str, str]
    digests: Mapping[str, str]


def movie(step: Step) -> None:
    """Join title, clips in the order of their quarters, closing frames and end card."""
    for part in step.parts():
        with step.making(part.key):
            clips, layouts = part.inputs["movie_clip"], part.inputs["film_layout"]
            lifetimes = part.inputs["drive_lifetimes"]
            quarters = [
                Quarter(clip, lifetimes[key], read_layout(layouts[key]))
                for key, clip in sorted(clips.items(), key=str)
            ]
            step.fetch([quarters[0].lifetimes, quarters[-1].lifetimes])
            afr = read_table(part.input("afr_table"))
            origin = replace(part.origin, sources=_sources(step))
            models = afr.filter(pl.col("kind") == "model")
            written, words = make_movie(quarters, models, part.path, step.style, origin)
            subtitles = part.path.with_suffix(".srt")
            write_atomic(subtitles, words.encode())
            days = [str(key) for key in step.lineage.expected("frames")]
            poster = step.fetched("frames", days[-1])
            digests = {subtitles.name: crc(words.encode())}
            film = Film(written, poster, days[0], days[-1], origin.sources, digests)
            step.made(part, written.data_version, film)


def _sources(step: Step) -> dict[str, str]:
    """SHA-256 of every imported zip, by file name."""
    imported = step.lineage.ledger.all("raw_quarter").values()
    found = [made.metadata[SOURCES] for made in imported]
    return {name: digest for sources in found for name, digest in sources.items()}


def metadata(part: Part, film: Film) -> Mapping[str, Any]:
    """The poster, where the film is, and five figures first."""
    text = f"{film.last_day}, the last day"
    poster = (
        viewed_picture(part.viewer, f"frames/{film.last_day}.jpg", text)
        if part.viewer
        else picture(thumbnail(film.poster, 900), text)
    )
    return {
        "poster": poster,
        **link(part.viewer, "film"),
        "path": dg.MetadataValue.path(part.path),
        "first_day": film.first_day,
        "last_day": film.last_day,
        "film_seconds": round(film.video.seconds, 3),
        "megabytes": round(part.path.stat().st_size / 1e6, 1),
        "frames": film.video.frames,
        "size": f"{film.video.width} x {film.video.height}",  # as text: numbers get a plot
        DIGESTS: dg.MetadataValue.json(dict(film.digests)),
        "zips": dg.MetadataValue.json(dict(film.sources)),
    }


def film_complete(scope: Scope) -> Verdict:
    """The film has a frame for each day and the closing frames, and lasts as long as they take."""
    days = len(scope.lineage.expected("frames"))
    return quality.film_complete(scope.path("movie", "movie.mp4"), days, scope.style)


def film_plays(scope: Scope) -> Verdict:
    """The film is H.264 in yuv420p of the canvas's size, with the index in front of the frames."""
    return quality.film_plays(scope.path("movie", "movie.mp4"), scope.style)


CHECKS = (film_complete, film_plays)
