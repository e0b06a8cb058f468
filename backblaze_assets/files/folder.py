"""Which files there are in the data folder, and where an asset's files lie in it."""

import os
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from backblaze_assets.files.atomic import remove

if TYPE_CHECKING:
    from backblaze_assets.files.working_copy import WorkingCopy


@dataclass(frozen=True)
class DataFolder:
    """One data folder: the zips, and beside them a folder for each asset.

    On a local disk the folder is all there is, and the methods that keep it in step with an object
    store do nothing.

    Attributes:
        root: the folder on this machine.
        store: address of the object store that it is a working copy of, if any.
        most_bytes: what the working copy may take on this machine.
        no_input: names of folders at the top that do not hold input.
    """

    root: Path
    store: str = ""
    most_bytes: int = 0
    no_input: frozenset[str] = frozenset()

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

    # In step with a store

    def look(self, age: float = 0) -> None:
        """See what there is now.

        Args:
            age: seconds; a look that is not older is as good.

        Raises:
            StoreError: the store does not say; the error says why, and what to do.
        """
        if self._copy:
            self._copy.look(age)

    def using(self) -> AbstractContextManager[None]:
        """What is fetched stays on this machine inside such a block."""
        return self._copy.using() if self._copy else nullcontext()

    def fetch(self, paths: Iterable[Path]) -> None:
        """See that the content of files, and of all files in folders, is on this machine.

        Raises:
            StoreError: the store does not give it.
        """
        if self._copy:
            self._copy.fetch(paths)

    def has_content(self, path: Path) -> bool:
        """Whether a file is there, with its content on this machine."""
        return self._copy.has_content(path) if self._copy else path.is_file()

    def publish(self, paths: Iterable[Path], last: Path | None = None) -> None:
        """See that files, and all files in folders, that were written are where they are to be.

        Args:
            paths: the files and folders.
            last: of several files that belong together, the one without which the others are not
                used.

        Raises:
            StoreError: the store does not take them.
        """
        if self._copy:
            self._copy.publish(paths, last)

    def remove(self, path: Path) -> None:
        """Delete a file or a folder, if it is there."""
        if self._copy:
            self._copy.remove(path)
        else:
            remove(path)

    def make_room(self, before: float) -> None:
        """Give up content on this machine beyond `most_bytes` that is in a store.

        Args:
            before: what was used since then stays, seconds since 1970.
        """
        if self._copy:
            self._copy.make_room(self.most_bytes, before)

    def inputs(self) -> Iterator[tuple[str, int, float]]:
        """Name, size and time of the last change of what lies in the store beside results."""
        return self._copy.inputs() if self._copy else iter(())

    def address(self, path: Path) -> str:
        """Where a file or folder is, for people: its path, or its address in the store."""
        if self.store and path.is_relative_to(self.root):
            return f"{self.store}/{path.relative_to(self.root).as_posix()}"
        return str(path)

    def told(self, text: str) -> str:
        """A text for people, in which what lies in a store has its address."""
        return text.replace(str(self.root), self.store) if self.store else text

    @property
    def _copy(self) -> "WorkingCopy | None":
        return _working_copy(self.root, self.store, self.no_input) if self.store else None


@lru_cache(maxsize=8)
def _working_copy(root: Path, store: str, no_input: frozenset[str]) -> "WorkingCopy":
    from backblaze_assets.files.working_copy import WorkingCopy

    return WorkingCopy(root, store, no_input)


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
