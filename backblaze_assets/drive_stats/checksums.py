"""CRC-32 and size of CSVs that lie unpacked or gzipped in the data folder.

A zip lists them; here each file has to be read once. What was found is kept beside the data, as
long as size and time of the file stay the same.
"""

import json
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from backblaze_assets.drive_stats.inflate import MemberStream
from backblaze_assets.drive_stats.member import Member
from backblaze_assets.errors import DataError
from backblaze_assets.files.atomic import write_atomic
from backblaze_assets.work import progress

NAME = ".csv_checksums.json"
"""The file in the data folder that keeps them; it can be deleted at any time."""

_PIECE = 1 << 20


class Checksums:
    """What is known of the files of one data folder.

    Args:
        folder: the data folder.
    """

    def __init__(self, folder: Path) -> None:
        self._store = folder / NAME
        self._known: dict[str, list[int]] | None = None

    def of(self, members: Iterable[Member]) -> list[tuple[int, int] | None]:
        """CRC-32 and size of each of `members`, None of those that cannot be read.

        Reads the files that are new or have changed.
        """
        members = list(members)
        known = self._load()
        new = self.unknown(members)
        unread: set[Member] = set()
        if new:
            with (
                progress.work("reading unpacked CSVs", len(new), "days") as listener,
                ThreadPoolExecutor() as pool,
            ):
                for member, found in zip(new, pool.map(_read, new), strict=True):
                    if found:
                        known[str(member.path)] = [*_key(member), *found]
                    else:
                        unread.add(member)
                    listener.advance(1)
            with suppress(OSError):  # a folder that is not to be written to
                write_atomic(self._store, json.dumps(known).encode(), sync=False)
        return [None if each in unread else _found(known[str(each.path)]) for each in members]

    def unknown(self, members: Iterable[Member]) -> list[Member]:
        """Those of `members` that `of` has to read."""
        known = self._load()
        return [each for each in members if known.get(str(each.path), [])[:2] != _key(each)]

    def _load(self) -> dict[str, list[int]]:
        if self._known is None:
            self._known = {}
            with suppress(OSError, ValueError):
                stored = json.loads(self._store.read_text("utf-8"))
                self._known = {
                    path: entry
                    for path, entry in stored.items()
                    if len(entry) == 4 and all(type(number) is int for number in entry)
                }
        return self._known


def _key(member: Member) -> list[int]:
    return [member.stamp.size, member.stamp.mtime_ns]


def _found(entry: list[int]) -> tuple[int, int]:
    return entry[2], entry[3]


def _read(member: Member) -> tuple[int, int] | None:
    try:
        with MemberStream(member) as stream:
            while stream.read(_PIECE):
                pass
            return stream.crc, stream.size
    except DataError:
        return None
