"""The film of one quarter: its frames as H.264, 60 days a second unless the pace is another."""

from collections.abc import Mapping
from typing import Any

from backblaze_assets.files.origin import Origin
from backblaze_assets.files.stamps import kept
from backblaze_assets.film import quality
from backblaze_assets.film.encode import ClipJob, encode_clips
from backblaze_assets.film.probe import VideoInfo, probe
from backblaze_assets.lineage.checking import Scope
from backblaze_assets.lineage.parts import Part
from backblaze_assets.lineage.step import Step
from backblaze_assets.verdict import Verdict


def movie_clip(step: Step) -> None:
    """Encode the quarters that are asked for, save those that stand already."""

    def make(parts: list[Part]) -> None:
        jobs = [
            ClipJob(list(part.inputs["frames"].values()), part.path, part.origin)
            for part in parts
            if not kept(part.path, part.origin)
        ]
        encode_clips(jobs, step.style.fps, repeat=step.style.frames_a_day)
        for part in parts:
            video = probe(part.path)
            step.made(part, Origin.from_json(video.comment).data_version, video)

    step.make_all(list(step.parts()), make)


def metadata(part: Part, video: VideoInfo) -> Mapping[str, Any]:
    """How long and how large the clip is."""
    return {
        "frames": video.frames,
        "film_seconds": round(video.seconds, 3),
        "bytes": part.path.stat().st_size,
        "size": f"{video.width} x {video.height}",  # as text: numbers get a plot
    }


def clips_complete(scope: Scope) -> Verdict:
    """The clip has one frame for each of the quarter's days, in the film's size, rate and codec."""
    clips = {
        quarter: (scope.file(made), len(scope.view.calendar.days(quarter)))
        for quarter, made in zip(scope.days, scope.made, strict=True)
    }
    return quality.clips_complete(clips, scope.style)


CHECKS = (clips_complete,)
