"""What lies in the data folder and looks like data."""

from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from backblaze_assets.drive_stats.archive import Archive, find_archives, scan
from backblaze_assets.errors import DataError


@dataclass(frozen=True)
class Survey:
    """What lies in the data folder and looks like data.

    Attributes:
        archives: the source that serves each quarter, with at least one day of it, in order.
        unusable: what looks like data but cannot be read, and why.
        unused: what looks like data and is not used, and why.
    """

    archives: dict[date, Archive] = field(default_factory=dict)
    unusable: dict[Path, DataError] = field(default_factory=dict)
    unused: dict[Path, str] = field(default_factory=dict)


def survey(folder: Path) -> Survey:
    """Look at a data folder; only central directories are read."""
    paths = find_archives(folder)
    scanned: dict[Path, Archive] = {}
    unusable: dict[Path, DataError] = {}
    for path in set(paths.values()):
        try:
            scanned[path] = scan(path)
        except DataError as error:
            unusable[path] = error
    archives = {
        quarter: scanned[path]
        for quarter, path in paths.items()
        if path in scanned and scanned[path].days(quarter)
    }
    return Survey(archives, unusable)
