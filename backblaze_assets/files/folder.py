"""Which files there are in the data folder, and where an asset's files lie in it."""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class DataFolder:
    """One data folder: the zips, and beside them a folder for each asset."""

    root: Path

    def path(self, asset: str, name: str) -> Path:
        """A file or folder of an asset."""
        return self.root / asset / name

    def names(self, asset: str) -> set[str]:
        """What stands in an asset's folder: names of files, and `folder/name` of those in folders.

        Each folder is listed once, which costs far less than asking for each file.
        """
        found: set[str] = set()
        top = self.root / asset
        for entry in _entries(top):
            if entry.is_dir():
                found |= {f"{entry.name}/{inner.name}" for inner in _entries(top / entry.name)}
            else:
                found.add(entry.name)
        return found


def file_names(patterns: Iterable[str], key: str | None, days: Iterable[str]) -> list[str]:
    """The files of one partition, relative to the asset's folder.

    Args:
        patterns: with `{key}` and `{day}` in them.
        key: the partition's key.
        days: what `{day}` stands for.
    """
    days = list(days)
    return [
        pattern.format(key=key, day=day)
        for pattern in patterns
        for day in (days if "{day}" in pattern else [""])
    ]


def _entries(folder: Path) -> list["os.DirEntry[str]"]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except (FileNotFoundError, NotADirectoryError):
        return []
