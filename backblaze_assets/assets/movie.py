"""The film: all clips joined without encoding them again, and a second in which it fades out."""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import dagster as dg

from backblaze_assets.files.origin import Origin
from backblaze_assets.film import quality
from backblaze_assets.film.encode import encode_jpegs, join_clips
from backblaze_assets.film.layout import read_layout
from backblaze_assets.film.probe import VideoInfo, probe
from backblaze_assets.film.render import render_closing, thumbnail
from backblaze_assets.lineage.checking import Scope
from backblaze_assets.lineage.metadata import picture
from backblaze_assets.lineage.status import SOURCES
from backblaze_assets.lineage.step import Part, Step
from backblaze_assets.verdict import Verdict


@dataclass(frozen=True)
class Film:
    """What a person wants to know of the film.

    Attributes:
        video: its format and length.
        poster: a JPEG of its last day.
        first_day, last_day: of the data.
        sources: SHA-256 of each zip, by file name.
    """

    video: VideoInfo
    poster: Path
    first_day: str
    last_day: str
    sources: Mapping[str, str]


def movie(step: Step) -> None:
    """Join the clips in the order of their quarters, and the closing frames."""
    for part in step.parts():
        with step.making(part.key):
            clips = list(part.inputs["movie_clip"].values())
            layout = read_layout(part.input("film_layout"))
            origin = replace(part.origin, sources=_sources(step))
            with tempfile.TemporaryDirectory() as folder:
                ending = Path(folder) / "ending.mp4"
                closing = render_closing(part.input("drive_lifetimes"), layout, step.style)
                encode_jpegs(closing, ending, step.style.fps, origin)
                join_clips([*clips, ending], part.path, origin)
            video = probe(part.path)
            days = [str(key) for key in step.lineage.expected("frames")]
            poster = step.path("frames", days[-1])
            film = Film(video, poster, days[0], days[-1], origin.sources)
            step.made(part, Origin.from_json(video.comment).data_version, film)


def _sources(step: Step) -> dict[str, str]:
    """SHA-256 of every imported zip, by file name."""
    imported = step.lineage.ledger.all("raw_quarter").values()
    found = [made.metadata[SOURCES] for made in imported]
    return {name: digest for sources in found for name, digest in sources.items()}


def metadata(part: Part, film: Film) -> Mapping[str, Any]:
    """The poster, where the film is, and five figures first."""
    return {
        "poster": picture(thumbnail(film.poster, 900), f"{film.last_day}, the last day"),
        "path": dg.MetadataValue.path(part.path),
        "first_day": film.first_day,
        "last_day": film.last_day,
        "film_seconds": round(film.video.seconds, 3),
        "megabytes": round(part.path.stat().st_size / 1e6, 1),
        "frames": film.video.frames,
        "width": film.video.width,
        "height": film.video.height,
        "zips": dg.MetadataValue.json(dict(film.sources)),
    }


def film_complete(scope: Scope) -> Verdict:
    """The film has a frame for each day and the closing frames, and lasts as long as they take."""
    days = len(scope.lineage.expected("frames"))
    return quality.film_complete(scope.file(scope.made[0]), days, scope.style)


def film_plays(scope: Scope) -> Verdict:
    """The film is H.264 in yuv420p of the canvas's size, with the index in front of the frames."""
    return quality.film_plays(scope.file(scope.made[0]), scope.style)


CHECKS = (film_complete, film_plays)
