"""Results that newer ones have replaced, kept under what they were made from.

One entry is a folder with what one step has replaced of one quarter (or of one partition that is
larger): its files under their names, as hard links to what stood in the asset's folder, so that
nothing is copied; and a list of records with the digest of each file. An entry appears whole, by
one rename, before anything is replaced, and goes when all of it has been brought back, or when it
is the one that was used least recently and there is no room for it.
"""

import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

from backblaze_assets.files.atomic import link, remove, replace_folder, unfinished_path
from backblaze_assets.files.origin import digest
from backblaze_assets.files.records import HIDDEN, Record, read_plain, to_record, write_plain
from backblaze_assets.files.verifying import digest_file

_LIST = "records.json.gz"
_THREADS = 4  # digests are computed without Python's lock


@dataclass(frozen=True)
class Entry:
    """One entry: its folder, the bytes of its files, and when it was last used (nanoseconds)."""

    path: Path
    asset: str
    bytes: int
    used: int


@dataclass(frozen=True)
class Found:
    """A kept result: its record, its files' digests by their names, and the entry it is in."""

    record: Record
    digests: Mapping[str, str]
    entry: Path


@dataclass
class Kept:
    """The kept results of a data folder.

    Attributes:
        root: the data folder.
        limit: the most bytes to keep; 0 keeps nothing and brings nothing back.
    """

    root: Path
    limit: int
    _indexes: dict[str, dict[str, Found]] = field(default_factory=dict)

    def entries(self) -> list[Entry]:
        """All entries, the one that was used least recently first."""
        found = []
        for path in (self.root / HIDDEN / "results").glob("*/*"):
            size = path.name.rpartition(".")[2]
            if size.isdecimal() and not path.name.startswith(".tmp-"):
                with suppress(FileNotFoundError):  # another process has just removed it
                    used = path.stat().st_mtime_ns
                    found.append(Entry(path, path.parent.name, int(size), used))
        return sorted(found, key=lambda entry: (entry.used, entry.path))

    def beyond_limit(self) -> list[Entry]:
        """The entries that there is no room for."""
        room, found = self.limit, []
        for entry in reversed(self.entries()):
            room -= entry.bytes
            if room < 0:
                found.append(entry)
        return found[::-1]

    def find(self, asset: str, identity: str) -> Found | None:
        """The kept result that was made from just this."""
        if not self.limit:
            return None
        if asset not in self._indexes:
            self._indexes[asset] = {
                found.record.identity: found
                for path in sorted((self.root / HIDDEN / "results" / asset).glob("*.*"))
                for found in _read(path)
            }
        return self._indexes[asset].get(identity)

    def code_versions(self, asset: str) -> set[str]:
        """The versions of the code that made the kept results of an asset."""
        entries = (entry.path for entry in self.entries() if entry.asset == asset)
        return {found.record.code_version for path in entries for found in _read(path)}

    def keep(
        self,
        asset: str,
        label: str,
        results: Sequence[tuple[Record, Sequence[str]]],
        is_whole: Callable[[Record, Path, Sequence[str]], bool],
    ) -> int:
        """Keep results as one entry, as far as they fit and are whole; return how many.

        Args:
            asset: their asset.
            label: what the entry is called, for people who look.
            results: records with the names of their files below the asset's folder.
            is_whole: whether the files of a result in a folder hold what was made.
        """
        names = [name for _, files in results for name in files]
        size = sum((self.root / asset / name).stat().st_size for name in names)
        if not results or size > self.limit:
            return 0
        top = self.root / HIDDEN / "results" / asset
        unfinished = unfinished_path(top / label)
        try:
            for name in names:
                link(self.root / asset / name, unfinished / name)
            # What is looked at is what is kept, even where somebody replaces the file meanwhile.
            with ThreadPoolExecutor(_THREADS) as pool:
                whole = list(pool.map(lambda it: is_whole(it[0], unfinished, it[1]), results))
                good = [it for it, sound in zip(results, whole, strict=True) if sound]
                found = [
                    Found(record, dict(zip(files, digests, strict=True)), unfinished)
                    for record, files in good
                    if (digests := list(pool.map(digest_file, [unfinished / it for it in files])))
                ]
            if not found:
                return 0
            name = digest(it.record.identity for it in found)[:12]
            target = top / f"{label}.{name}.{size}"
            write_plain(
                unfinished / _LIST,
                [{"record": asdict(it.record), "digests": dict(it.digests)} for it in found],
            )
            replace_folder(unfinished, target)
        finally:
            remove(unfinished)
        for each in _read(target):
            self._indexes.setdefault(asset, {})[each.record.identity] = each
        self.make_room()
        return len(found)

    def make_room(self) -> None:
        """Remove what was used least recently, until the rest is within the limit."""
        for entry in self.beyond_limit():
            self.discard(entry.path)

    def discard(self, entry: Path) -> None:
        """Remove an entry: it vanishes at once, its files after that."""
        index = self._indexes.get(entry.parent.name, {})
        for identity in [it for it, found in index.items() if found.entry == entry]:
            del index[identity]
        gone = unfinished_path(entry)
        with suppress(FileNotFoundError):
            entry.rename(gone)
            shutil.rmtree(gone, ignore_errors=True)

    def bring_back(self, found: Iterable[Found]) -> Iterator[tuple[Found, bool]]:
        """Put kept results in their place again, each whole or not at all; say which are there.

        What is not what was kept any more is not taken, and goes.
        """
        found = list(found)
        with ThreadPoolExecutor(_THREADS) as pool:
            for each, sound in zip(found, pool.map(_is_sound, found), strict=True):
                if sound:
                    self._put(each)
                else:
                    for name in each.digests:
                        (each.entry / name).unlink(missing_ok=True)
                yield each, sound

    def _put(self, found: Found) -> None:
        asset = self.root / found.record.asset
        folders = {name.partition("/")[0] for name in found.digests if "/" in name}
        if folders:
            (folder,) = folders
            unfinished = unfinished_path(asset / folder)
            try:
                for name in found.digests:
                    link(found.entry / name, unfinished / name.partition("/")[2])
                replace_folder(unfinished, asset / folder)
            finally:
                remove(unfinished)
            return
        # The first is the one that says what the result is, so it comes last.
        for name in reversed(list(found.digests)):
            link(found.entry / name, asset / name)

    def tidy(self, used: Iterable[Found]) -> None:
        """Remove entries all of which has been brought back or lost; mark the others as used."""
        by_entry: dict[Path, set[str]] = {}
        for each in used:
            by_entry.setdefault(each.entry, set()).add(each.record.identity)
        for entry, identities in by_entry.items():
            if {it.record.identity for it in _read(entry)} <= identities:
                self.discard(entry)
            else:
                with suppress(FileNotFoundError):
                    os.utime(entry, ns=(time.time_ns(), time.time_ns()))


def _read(entry: Path) -> list[Found]:
    plain = read_plain(entry / _LIST)
    records = [(to_record(it.get("record")), it.get("digests")) for it in plain]
    return [Found(it, names, entry) for it, names in records if it is not None and names]


def _is_sound(found: Found) -> bool:
    """Whether all files are what was kept."""
    try:
        return all(digest_file(found.entry / it) == was for it, was in found.digests.items())
    except OSError:
        return False
