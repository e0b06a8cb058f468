"""A cut of the film: the clips of some quarters, with a title and an end card of their own."""

from datetime import date
from pathlib import Path

import polars as pl

from backblaze_assets.drive_stats.parquet import read_table
from backblaze_assets.drive_stats.quarters import quarter_name
from backblaze_assets.errors import DataError
from backblaze_assets.files.atomic import write_atomic
from backblaze_assets.files.origin import Origin
from backblaze_assets.film.layout import read_layout
from backblaze_assets.film.movie import Part, make_movie
from backblaze_assets.lineage.code_version import code_version
from backblaze_assets.lineage.status import SOURCES, Lineage

FOLDER = "cuts"
"""Folder in the data folder that cuts are written to."""


def make_cut(lineage: Lineage, first: date, last: date) -> Path:
    """Join the clips from one quarter to another; no frame is drawn or encoded anew.

    Args:
        lineage: of a data folder whose film is up to date.
        first: first day of the first quarter.
        last: first day of the last one.

    Returns:
        The film, with its subtitles beside it.

    Raises:
        DataError: there are no data from `first` to `last`.
    """
    quarters = [quarter for quarter in lineage.view.calendar.quarters if first <= quarter <= last]
    if not quarters:
        raise DataError(
            f"There are no data from {quarter_name(first)} to {quarter_name(last)}: the film goes "
            f"from {quarter_name(lineage.view.calendar.quarters[0])} to "
            f"{quarter_name(lineage.view.calendar.quarters[-1])}."
        )
    folder = lineage.view.folder
    paths = [
        (
            folder.path("movie_clip", f"{quarter}.mp4"),
            folder.path("drive_lifetimes", str(quarter)),
            folder.path("film_layout", f"{quarter}.json"),
        )
        for quarter in quarters
    ]
    rates = folder.path("afr_table", f"{quarters[-1]}.parquet")
    folder.fetch([rates, *(path for each in paths for path in each)])
    parts = [Part(clip, lifetimes, read_layout(layout)) for clip, lifetimes, layout in paths]
    afr = read_table(rates)
    made = {f"movie_clip {quarter}": ("movie_clip", str(quarter)) for quarter in quarters}
    versions = {text: lineage.ledger.version(*clip) or "" for text, clip in made.items()}
    # Drives live from quarter to quarter, so all zips up to the last quarter have a part in it.
    imported = lineage.ledger.all("raw_quarter").items()
    sources = {
        file: sha256
        for key, raw in imported
        if str(key) <= str(quarters[-1])
        for file, sha256 in raw.metadata.get(SOURCES, {}).items()
    }
    name = f"{quarter_name(quarters[0])}_to_{quarter_name(quarters[-1])}"
    origin = Origin("movie", name, code_version("movie"), inputs=versions, sources=sources)
    target = folder.path(FOLDER, f"{name}.mp4")
    models = afr.filter(pl.col("kind") == "model")
    _, subtitles = make_movie(parts, models, target, lineage.style, origin)
    write_atomic(target.with_suffix(".srt"), subtitles.encode())
    return target
