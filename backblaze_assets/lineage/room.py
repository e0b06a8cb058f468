"""How much room what is still to be made takes on the disk, about."""

from backblaze_assets.files.folder import file_names
from backblaze_assets.graph import GRAPH, Source, keys_of
from backblaze_assets.lineage.view import View
from backblaze_assets.partitions import day_of

AS_PACKED = 0.9
"""Size of imported days, as a part of what they take in their zip."""

TYPICAL = {
    "daily_stats": 8_000,
    "drive_lifetimes": 60_000,
    "afr_table": 30_000,
    "survival": 60_000,
    "report": 100_000,
    "film_layout": 30_000,
    "frames": 150_000,
    "movie_clip": 300_000,
    "movie": 1_000_000,
    "share": 600_000,
}
"""Bytes of a partition of which there is no example in the folder: of a small fleet, at least."""

RECORDS = 4_000
"""Bytes that Dagster's records of a partition take."""


def needed(view: View) -> int:
    """Bytes that all partitions take that are not there, by those that are."""
    total = 0
    for asset in GRAPH:
        there = view.folder.names(asset)
        absent = [
            key
            for key in keys_of(asset, view.calendar)
            if not there.issuperset(_names(view, asset, key))
        ]
        total += sum(_size(view, asset, key) for key in absent) + RECORDS * len(absent)
        if absent and Source.ZIP not in GRAPH[asset].sources:
            present = [view.folder.path(asset, name) for name in sorted(there)][-20:]
            sizes = [path.stat().st_size for path in present if path.is_file()]
            each = sum(sizes) // len(sizes) * len(GRAPH[asset].files) if sizes else TYPICAL[asset]
            total += each * len(absent)
    return total


def _names(view: View, asset: str, key: str | None) -> list[str]:
    days = view.calendar.days(day_of(key)) if Source.ZIP in GRAPH[asset].sources else []
    return file_names(GRAPH[asset].files, key, map(str, days))


def _size(view: View, asset: str, key: str | None) -> int:
    """What a quarter takes that is imported from a zip, without the days that are there."""
    if Source.ZIP not in GRAPH[asset].sources or day_of(key) not in view.archives:
        return 0
    archive = view.archives[day_of(key)]
    folder = view.folder.path(asset, str(key))
    packed = sum(
        archive.members[day].compressed_size
        for day in archive.days(day_of(key))
        if not (folder / f"{day}.parquet").exists()
    )
    return int(packed * AS_PACKED)
