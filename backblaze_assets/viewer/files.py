"""Which files of a data folder the viewer shows: those of some assets, by patterns, no others."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from backblaze_assets.files.folder import DataFolder

_DAY = r"(\d{4}-\d{2}-\d{2})"

SERVED: Mapping[str, re.Pattern[str]] = {
    "report": re.compile(r"report\.html", re.ASCII),
    "movie": re.compile(r"movie\.(?:mp4|srt)", re.ASCII),
    "share": re.compile(r"film/poster\.png", re.ASCII),
    "frames": re.compile(_DAY + r"\.jpg", re.ASCII),
    "afr_table": re.compile(_DAY + r"\.parquet", re.ASCII),
    "survival": re.compile(_DAY + r"\.parquet", re.ASCII),
    "drive_lifetimes": re.compile(_DAY + r"/(?:drives|days)\.parquet", re.ASCII),
    "daily_stats": re.compile(_DAY + r"\.parquet", re.ASCII),
}
"""Names of files that can be read, by asset; a group in them is the partition's key."""

_LOOKS_EVERY_S = 10
"""Seconds after which an object store is asked anew what there is."""

TABLES = ("afr_table", "survival", "daily_stats")
"""Assets that are one Parquet file a partition."""


@dataclass(frozen=True)
class ServedFiles:
    """The files of one data folder that the viewer may read.

    Attributes:
        folder: the data folder.
    """

    folder: DataFolder

    def find(self, asset: str, name: str) -> Path | None:
        """The file `name` of an asset; None where there is none, or it is not to be read.

        Symbolic links are followed within the data folder, and never out of it.
        """
        pattern = SERVED.get(asset)
        if pattern is None or not pattern.fullmatch(name):
            return None
        try:
            named = self.folder.path(asset, name)
            path = named.resolve(strict=True)
            inside = path.is_relative_to(self.folder.root.resolve(strict=True))
        except (OSError, RuntimeError):  # it is not there; a link that goes round
            return None
        if not inside or not path.is_file():
            return None
        self.folder.fetch([named])
        return path

    def keys(self, asset: str) -> list[str]:
        """The partition keys that an asset has files of, in order."""
        pattern = SERVED[asset]
        self.folder.look(_LOOKS_EVERY_S)
        try:
            with os.scandir(self.folder.root / asset) as entries:
                found = [pattern.fullmatch(entry.name) for entry in entries]
        except (FileNotFoundError, NotADirectoryError):
            return []
        return sorted(match[1] for match in found if match)
