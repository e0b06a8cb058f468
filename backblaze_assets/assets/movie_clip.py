"""The film of one quarter: its frames as H.264, 60 of them a second."""

from pathlib import Path

import dagster as dg

from backblaze_assets.assets.step import step
from backblaze_assets.files.origin import Origin
from backblaze_assets.files.stamps import kept
from backblaze_assets.film.encode import ClipJob, encode_clips
from backblaze_assets.film.probe import probe
from backblaze_assets.lineage.rules import RULES
from backblaze_assets.partitions import quarters, same_time
from backblaze_assets.resources import Data


@dg.asset(
    description=__doc__,
    deps=[dg.AssetDep("frames", partition_mapping=same_time)],
    partitions_def=quarters,
    backfill_policy=dg.BackfillPolicy.single_run(),
    code_version=RULES["movie_clip"].code_version,
    group_name="film",
    kinds={"mp4"},
    tags={"stage": "encode"},
    pool="encode",
)
def movie_clip(context: dg.AssetExecutionContext, data: Data) -> dg.MaterializeResult[None]:
    """One quarter of the film. See the module's docstring."""
    with step(context, data) as this:
        jobs = [
            ClipJob(
                frames=[this.folder.frame(day) for day in this.lineage.days(quarter)],
                target=this.folder.movie_clip(quarter),
                origin=this.origin(str(quarter)),
            )
            for quarter in this.requested()
        ]
        todo = [job for job in jobs if not kept(job.target, job.origin)]
        encode_clips(todo, this.style.fps)
        for job in jobs:
            figures, data_version = video_figures(job.target)
            this.made(job.origin, data_version, job.target, figures)
        return this.result()


def video_figures(path: Path) -> tuple[dict[str, object], str]:
    """What Dagster is told of a film, and the film's data version."""
    video = probe(path)
    figures: dict[str, object] = {
        "frames": video.frames,
        "film_seconds": round(video.seconds, 3),
        "bytes": path.stat().st_size,
        "width": video.width,
        "height": video.height,
    }
    return figures, Origin.from_json(video.comment).data_version
