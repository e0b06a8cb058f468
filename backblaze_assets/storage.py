"""Where each asset's files live below one root, and how a file is written whole or not at all."""

import os
import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path

STALE_S = 3600
"""Seconds after which unfinished work that nobody has written to is taken for abandoned."""


@contextmanager
def atomic_path(path: Path, *, sync: bool = True) -> Iterator[Path]:
    """Yield a path beside `path` to write a file or a folder to; it becomes `path` on success.

    A file is fsynced (unless `sync` is False) and renamed over what was there. A folder replaces
    the folder that was there. On any exception, an interrupt included, what was written is removed
    and `path` stays as it was. Names of unfinished work start with `.tmp-`, so that no reader takes
    them for data.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".tmp-{uuid.uuid4().hex[:8]}-{path.name}")
    try:
        yield unfinished
        if unfinished.is_dir():
            _replace_folder(unfinished, path)
        else:
            if sync:
                with unfinished.open("rb") as handle:
                    os.fsync(handle.fileno())
            unfinished.replace(path)
    except BaseException:
        if unfinished.is_dir():
            shutil.rmtree(unfinished, ignore_errors=True)
        else:
            unfinished.unlink(missing_ok=True)
        raise


def _replace_folder(source: Path, target: Path) -> None:
    """Put the folder `source` in the place of `target`; a rename cannot replace a full folder."""
    old = target.with_name(f".tmp-{uuid.uuid4().hex[:8]}-old-{target.name}")
    if target.exists():
        target.rename(old)
    source.rename(target)
    shutil.rmtree(old, ignore_errors=True)


def write_atomic(path: Path, content: bytes, *, sync: bool = True) -> None:
    """Write `content` to `path`, whole or not at all.

    Without `sync` that holds when the process is killed, not when the machine loses its power. It
    is for small files of which there are thousands, for which fsync takes longer than their making.
    """
    with atomic_path(path, sync=sync) as unfinished:
        unfinished.write_bytes(content)


def remove_unfinished(folder: Path) -> None:
    """Remove what killed processes have left below `folder`.

    Whatever was written to within `STALE_S` may be the work of a process that goes on.
    """
    for path in list(folder.rglob(".tmp-*")):
        with suppress(FileNotFoundError):  # renamed in between, by the process that wrote it
            if time.time() - path.stat().st_mtime < STALE_S:
                continue
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink()


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
