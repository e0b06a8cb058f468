"""Pictures of the film for showing it elsewhere: a poster, a link picture, loops of 12 seconds."""

from collections.abc import Mapping
from typing import Any

import dagster as dg
import polars as pl

from backblaze_assets.drive_stats.parquet import read_table
from backblaze_assets.film.cards import story
from backblaze_assets.film.frames import thumbnail
from backblaze_assets.film.layout import read_layout
from backblaze_assets.film.share import POSTER, ShareReport, make_share, spread
from backblaze_assets.lineage.metadata import picture, viewed_picture
from backblaze_assets.lineage.parts import Part
from backblaze_assets.lineage.step import Step


def share(step: Step) -> None:
    """Choose frames all over the film, and make poster, link picture and loops."""
    for part in step.parts():
        with step.making(part.key):
            layouts = [path for _, path in sorted(part.inputs["film_layout"].items(), key=str)]
            frames = [path for _, path in sorted(part.inputs["frames"].items(), key=str)]
            step.fetch([layouts[0], layouts[-1], *spread(frames)])
            drives = read_table(
                part.input("drive_lifetimes") / "drives.parquet",
                columns=["boot", "failed_on"],
            )
            afr = read_table(part.input("afr_table"))
            models = afr.filter(pl.col("kind") == "model")
            first, last = read_layout(layouts[0]), read_layout(layouts[-1])
            told = story(first, last, drives, models, step.style)
            made = make_share(frames, told, part.path, step.style, part.origin)
            step.made(part, made.data_version, made)


def metadata(part: Part, made: ShareReport) -> Mapping[str, Any]:
    """The poster, and how large each file is."""
    poster = (
        viewed_picture(part.viewer, "share/poster.jpg", "poster")
        if part.viewer
        else picture(thumbnail(part.path / POSTER, 320), "poster")
    )
    return {
        "poster": poster,
        "path": dg.MetadataValue.path(part.path),
        **{f"{name}_kilobytes": round(size / 1e3, 1) for name, size in made.bytes.items()},
        "gif_width": made.gif_width,
    }
