"""Where each model's block of drives stands on the film's canvas, one partition a quarter.

Each quarter continues the one before it: blocks grow into room that is left for them, and when a
quarter no longer fits, a new era begins, in which everything is smaller. So a later quarter changes
nothing of an earlier one. With the blocks stand their labels, the captions and the figures by day.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl

from backblaze_assets.drive_stats.lifetimes import Lifetimes
from backblaze_assets.files.origin import digest
from backblaze_assets.film.extend import extend
from backblaze_assets.film.layout import FilmLayout, read_layout, write_layout
from backblaze_assets.film.measures import measures
from backblaze_assets.film.style import Style
from backblaze_assets.lineage.metadata import table
from backblaze_assets.lineage.parts import Part
from backblaze_assets.lineage.step import Step


def film_layout(step: Step) -> None:
    """Lay the film out quarter by quarter."""
    held: dict[Path, FilmLayout] = {}  # the last quarter, which the next one continues
    for part in step.parts():
        with step.making(part.key):
            before = next(iter(part.inputs.get("film_layout", {}).values()), None)
            previous = (held.get(before) or read_layout(before)) if before else None
            lifetimes = Lifetimes.load(part.input("drive_lifetimes"))
            layout = extend(previous, part.day, lifetimes, lifetimes.counts, step.style)
            version = digest([layout.to_json()])
            write_layout(part.path, layout, part.origin.with_data_version(version))
            step.made(part, version, (layout, lifetimes.drives, step.style))
            held = {part.path: layout}


def metadata(_: Part, made: tuple[FilmLayout, pl.DataFrame, Style]) -> Mapping[str, Any]:
    """How full the canvas is, how small a drive, how many move; then what the captions say."""
    layout, drives, style = made
    said = (
        {"from": str(caption.first), "text": f"{caption.name}: {caption.text}"}
        for caption in layout.captions
    )
    return {**measures(layout, drives, style), **table("captions", said)}
