"""The film: all clips joined without encoding them again, and a second in which it fades out."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import dagster as dg

from backblaze_assets.assets.film_layout import read_layout
from backblaze_assets.assets.movie_clip import video_figures
from backblaze_assets.assets.step import Step, step
from backblaze_assets.film.encode import encode_jpegs, join_clips
from backblaze_assets.film.render import render_closing
from backblaze_assets.lineage.rules import RULES
from backblaze_assets.resources import Data


@dg.asset(
    description=__doc__,
    deps=["movie_clip", "drive_lifetimes", "film_layout"],
    backfill_policy=dg.BackfillPolicy.single_run(),
    code_version=RULES["movie"].code_version,
    group_name="film",
    kinds={"mp4"},
    tags={"stage": "encode"},
    pool="encode",
)
def movie(context: dg.AssetExecutionContext, data: Data) -> dg.MaterializeResult[None]:
    """The film. See the module's docstring."""
    with step(context, data) as this:
        quarters = this.lineage.quarters()
        origin = this.origin(None, sources=this.lineage.sources())
        clips = [this.folder.movie_clip(quarter) for quarter in quarters]
        with tempfile.TemporaryDirectory() as folder:
            ending = Path(folder) / "ending.mp4"
            encode_jpegs(_closing(this), ending, this.style.fps, origin)
            join_clips([*clips, ending], this.folder.movie, origin)
        figures, data_version = video_figures(this.folder.movie)
        this.made(
            origin,
            data_version,
            this.folder.movie,
            {
                **figures,
                "first_day": str(this.lineage.days(quarters[0])[0]),
                "last_day": str(this.lineage.days(quarters[-1])[-1]),
                "zips": dg.MetadataValue.json(origin.sources),
            },
        )
        return this.result()


def _closing(this: Step) -> Iterator[bytes]:
    """JPEGs of the closing frames, drawn from the newest quarter."""
    newest = this.lineage.quarters()[-1]
    return render_closing(this.folder.drive_lifetimes(newest), read_layout(this), this.style)
