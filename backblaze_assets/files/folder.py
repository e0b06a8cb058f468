"""Where each asset's files live below one root."""

import os
from dataclasses import dataclass
from datetime import date
from pathlib import Path


def _entries(folder: Path) -> list["os.DirEntry[str]"]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except FileNotFoundError:
        return []


@dataclass(frozen=True)
class DataFolder:
    """The files of one data folder. Quarters are named by their first day, days by themselves."""

    root: Path

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

    def raw_quarter(self, quarter: date) -> Path:
        """Folder with one Parquet file a day, `YYYY-MM-DD.parquet`, and `rejects/` beside them."""
        return self.root / "raw_quarter" / quarter.isoformat()

    def daily_stats(self, day: date) -> Path:
        """Parquet file of one day, one row per model."""
        return self.root / "daily_stats" / f"{day}.parquet"

    def drive_lifetimes(self, quarter: date) -> Path:
        """Folder with `drives.parquet`, `spells.parquet` and `days.parquet`."""
        return self.root / "drive_lifetimes" / quarter.isoformat()

    def afr_table(self, quarter: date) -> Path:
        """Parquet file of one quarter, one row per window and model."""
        return self.root / "afr_table" / f"{quarter}.parquet"

    @property
    def film_layout(self) -> Path:
        """JSON file with the place of every model's block."""
        return self.root / "film_layout" / "layout.json"

    def frame(self, day: date) -> Path:
        """JPEG file of one day."""
        return self.root / "frames" / f"{day}.jpg"

    def movie_clip(self, quarter: date) -> Path:
        """MP4 file of one quarter."""
        return self.root / "movie_clip" / f"{quarter}.mp4"

    @property
    def movie(self) -> Path:
        """The film, MP4."""
        return self.root / "movie" / "movie.mp4"
