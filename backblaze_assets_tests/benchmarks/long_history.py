"""Zips of the whole history with a small fleet: 2013-04-10 to 2026-06-30, 4,830 days, one by one.

What grows with the number of days (Dagster's records, partitions, memory that is not given back)
shows here as it does with the full fleet, in minutes instead of hours.
"""

import zipfile
from datetime import date, timedelta
from itertools import groupby
from pathlib import Path

import polars as pl

from backblaze_assets.drive_stats.archive import archive_name
from backblaze_assets.drive_stats.quarters import quarter_of
from backblaze_assets.files.atomic import atomic_path
from backblaze_assets_tests.benchmarks.film_history import LAST, START, made_up_fleet

DRIVES, MODELS = 5_126, 100  # a hundredth of all drives of those years, in as many models


def write_zips(folder: Path, drives: int = DRIVES, last: date = LAST) -> list[Path]:
    """Write a zip for each that Backblaze has published; those that are there are kept.

    Args:
        folder: where they go.
        drives: drives that are ever seen; the fleet grows.
        last: the last day.

    Returns:
        The paths in order of time.
    """
    # Every fate is drawn for the whole time, so that fewer days have the same rows.
    fleet = made_up_fleet(drives, MODELS, (LAST - START).days + 1)
    days = [START + timedelta(days=number) for number in range((last - START).days + 1)]
    paths = []
    for name, group in groupby(days, lambda day: archive_name(quarter_of(day))):
        path = folder / name
        paths.append(path)
        if path.exists():
            continue
        with (
            atomic_path(path) as unfinished,
            zipfile.ZipFile(unfinished, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        ):
            archive.comment = b"SYNTHETIC: a made-up fleet for a benchmark"
            for day in group:
                archive.writestr(f"{path.stem}/{day}.csv", _report(fleet, day).write_csv())
    return paths


def _report(fleet: pl.DataFrame, day: date) -> pl.DataFrame:
    """The rows of one day: every drive that has come and neither failed before nor left."""
    today = pl.lit(day)
    hours = (today - pl.col("first_seen")).dt.total_days() * 24
    ended = pl.coalesce(pl.col("failed_on"), pl.col("removed_on") - timedelta(days=1), today)
    return fleet.filter((pl.col("first_seen") <= today) & (ended >= today)).select(
        date=pl.lit(str(day)),
        serial_number="serial_number",
        model="model",
        capacity_bytes="capacity_bytes",
        failure=(pl.col("failed_on") == today).fill_null(value=False).cast(pl.Int8),
        smart_5_raw=pl.lit(0),
        smart_9_raw=hours,
        smart_194_raw=25 + hours % 7,
    )
