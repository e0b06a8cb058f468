"""A local working copy of a data folder whose files are in an object store.

Everything that reads and writes files does so in a folder of this machine. The copy keeps that
folder and the store in step: a look lists the store once and gives every object a file of its name
and size here, without its content; `fetch` gets the content of those that are to be read, `publish`
stores what was made. So what a step costs the store can be counted: what it reads is fetched once,
what it makes is stored once.

A file without its content is *hollow*: a sparse file, which takes no room. Of a zip, a hollow file
has the list of members, so that the days in it are known. The content of files that were not used
for longest is given up again when the copy takes more room than it may.

What the copy knows of each file stands in an SQLite database in the hidden folder `.store`; several
processes of this machine share the copy. A file whose size or time is no longer what stands there
was written here and is not in the store yet.

Where an object is replaced while others read it, nobody reads a mixture: what is fetched has to be
what was listed (`ChangedError`), and where a partition has several files the one that stands for it
is deleted first and stored last.
"""

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO, TypeVar

import filelock

from backblaze_assets.drive_stats.zip_directory import ZipError, read_directory
from backblaze_assets.files.atomic import remove, unfinished_path
from backblaze_assets.files.records import HIDDEN
from backblaze_assets.files.store import Object, Store

LOCAL = frozenset({"dagster", "demo"})
"""Folders at the top that stay on this machine."""

_Value = TypeVar("_Value")

_STATE = ".store"
_THREADS = 8  # requests at the same time
_PIECE = 8 << 20  # bytes of one request for a zip
_MOMENT_S = 0.1
_BEGINNING = 4096  # bytes that say what a file is whose name does not


@dataclass(frozen=True)
class _Known:
    """What is known of one file: the object that it is a copy of, and how it was left here."""

    key: str
    etag: str
    size: int
    mtime_ns: int
    hollow: bool
    used: float = 0

    @property
    def object(self) -> Object:
        return Object(self.size, self.etag, self.mtime_ns)


class _Index:
    """What is known of all files, shared by the processes of this machine."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.RLock()
        self._connection = sqlite3.connect(
            path, timeout=60, isolation_level=None, check_same_thread=False
        )
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=NORMAL")
        self._connection.execute(
            "CREATE TABLE IF NOT EXISTS files (key TEXT PRIMARY KEY, etag TEXT, size INTEGER, "
            "mtime_ns INTEGER, hollow INTEGER, used REAL) WITHOUT ROWID"
        )

    def all(self) -> dict[str, _Known]:
        return {it.key: it for it in self._select("")}

    def below(self, key: str) -> list[_Known]:
        """The file `key`, or all in the folder of that name."""
        return self._select("WHERE key = ? OR (key > ? AND key < ?)", key, f"{key}/", f"{key}0")

    def longest_unused(self) -> list[_Known]:
        return self._select("WHERE NOT hollow ORDER BY used")

    def put(self, rows: Iterable[_Known]) -> None:
        values = [(it.key, it.etag, it.size, it.mtime_ns, it.hollow, it.used) for it in rows]
        with self._transaction() as connection:
            connection.executemany("INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?, ?)", values)

    def touch(self, keys: Iterable[str]) -> None:
        """Note that files are being used."""
        now = time.time()
        with self._transaction() as connection:
            connection.executemany(
                "UPDATE files SET used = ? WHERE key = ?", [(now, key) for key in keys]
            )

    def remove(self, keys: Iterable[str]) -> None:
        with self._transaction() as connection:
            connection.executemany("DELETE FROM files WHERE key = ?", [(key,) for key in keys])

    def _select(self, where: str, *values: object) -> list[_Known]:
        with self._lock:
            rows = self._connection.execute(
                f"SELECT key, etag, size, mtime_ns, hollow, used FROM files {where}",
                values,
            ).fetchall()
        return [_Known(row[0], row[1], row[2], row[3], bool(row[4]), row[5]) for row in rows]

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")


class WorkingCopy:
    """The copy in one folder of what is below one address; see the module.

    Args:
        root: the folder; made when missing.
        address: of the store.
        no_input: names of folders at the top that do not hold input, such as results.
    """

    def __init__(self, root: Path, address: str, no_input: Collection[str]) -> None:
        self.root = root
        self.store = Store(address)
        self._no_input = frozenset(no_input)
        self._index = _Index(root / _STATE / "index.sqlite")
        self._looking = filelock.FileLock(root / _STATE / "look.lock")
        self._looked = float("-inf")
        self._mine = threading.local()
        self._use = filelock.ReadWriteLock(root / _STATE / "use.lock")

    # Looking

    def look(self, age: float = 0) -> None:
        """Bring names here in step with the store, by one listing of it.

        Files that were written here and are not in the store stay, unless the store has others of
        their names now. Content that was here and has changed in the store is fetched anew.

        Args:
            age: seconds; a look of this process that is not older is as good.
        """
        self.store.check_process()
        if time.monotonic() - self._looked < age:
            return
        with self._looking:  # what another process finds out meanwhile is known then
            self._look()
            self._looked = time.monotonic()

    def _look(self) -> None:
        listed = {key: it for key, it in self.store.objects().items() if self._is_ours(key)}
        known = self._index.all()
        gone = known.keys() - listed.keys()
        for key in gone:
            if self._stands(known[key]):
                self._path(key).unlink(missing_ok=True)
        self._index.remove(gone)
        hollow: list[str] = []
        fetch: list[str] = []
        missing: list[str] = []
        for key, it in listed.items():
            row = known.get(key)
            if row is None or row.etag != it.etag:
                read = row is not None and not row.hollow and self._stands(row)
                (fetch if read and not self._is_input(key) else hollow).append(key)
            elif not self._path(key).exists():
                missing.append(key)
        if missing:  # what another process is just replacing is there again in a moment
            time.sleep(_MOMENT_S)
            hollow += [key for key in missing if not self._path(key).exists()]
        self._in_parallel(self._hollow_out, {key: listed[key] for key in hollow})
        self._in_parallel(self._get, {key: listed[key] for key in fetch})

    def inputs(self) -> Iterator[tuple[str, int, float]]:
        """Key, size and time of what lies in the store beside results, by a request a folder."""
        todo = [""]
        while todo:
            objects, folders = self.store.objects_in(todo.pop())
            for key, it in sorted(objects.items()):
                if self._is_input(key):
                    yield key, it.size, it.modified_ns / 1e9
            todo += [it for it in folders if self._is_input(it)]

    def _is_ours(self, key: str) -> bool:
        first, *_ = parts = key.split("/")
        if not {"", ".", ".."}.isdisjoint(parts):  # a key can be any text
            return False
        return first not in LOCAL and (first == HIDDEN or not first.startswith("."))

    def _is_input(self, key: str) -> bool:
        first = key.partition("/")[0]
        return self._is_ours(key) and first != HIDDEN and first not in self._no_input

    # Content

    def fetch(self, paths: Iterable[Path]) -> None:
        """See that files, and all files in folders, have their content; all at the same time.

        What is not in the store, or outside of the copy, is left alone.

        Raises:
            StoreError: the store does not give one of them, or has another one since the last look.
        """
        wanted = [row for key in self._keys(paths) for row in self._index.below(key)]
        self._index.touch(row.key for row in wanted if not row.hollow)
        self._in_parallel(
            self._get, {row.key: row.object for row in wanted if row.hollow and self._stands(row)}
        )

    def publish(self, paths: Iterable[Path], last: Path | None = None) -> None:
        """Store files, and all files in folders, that were written here.

        What is gone from a folder since the last look is deleted in the store.

        Args:
            paths: files and folders.
            last: of several files that belong together, the one without which the others are not
                used: if any has changed it is deleted first and stored last.
        """
        changed: list[str] = []
        for path in paths:
            (key,) = self._keys([path])
            known = {row.key: row for row in self._index.below(key)}
            here = {self._key(each) for each in _files(path)}
            if path.is_dir():
                self._delete(known.keys() - here)
            changed += [each for each in sorted(here) if not self._stands(known.get(each))]
        final = [self._key(last)] if last and changed else []
        if final and len(changed) > 1:
            self.store.delete(each.key for each in self._index.below(final[0]))
        self._in_parallel(self._put, dict.fromkeys(set(changed) - {*final}))
        self._in_parallel(self._put, dict.fromkeys(final))

    def remove(self, path: Path) -> None:
        """Delete a file or a folder here and in the store."""
        for key in self._keys([path]):
            self._delete({row.key for row in self._index.below(key)})
        remove(path)

    def has_content(self, path: Path) -> bool:
        """Whether a file's content is on this machine."""
        rows = [row for key in self._keys([path]) for row in self._index.below(key)]
        return path.is_file() and not any(row.hollow and self._stands(row) for row in rows)

    def _delete(self, keys: Collection[str]) -> None:
        self.store.delete(sorted(keys))
        for key in keys:
            self._path(key).unlink(missing_ok=True)
        self._index.remove(keys)

    # Room

    @contextmanager
    def using(self) -> Iterator[None]:
        """What is fetched stays while any process is inside such a block."""
        self._use.acquire_read()
        self._mine.holds = self._holds + 1
        try:
            yield
        finally:
            self._mine.holds -= 1
            self._use.release()

    @property
    def _holds(self) -> int:
        """How many such blocks this thread is in."""
        return getattr(self._mine, "holds", 0)

    def make_room(self, limit: int, before: float) -> None:
        """Give up content until the copy takes at most `limit` bytes; that unused longest first.

        Args:
            limit: bytes.
            before: what was used since then stays, seconds since 1970.

        Nothing happens while somebody else uses the copy.
        """
        rows = self._index.longest_unused()
        excess = sum(row.size for row in rows) - limit
        if excess <= 0:
            return
        for _ in range(self._holds):  # those of this thread, which says what it needs no more
            self._use.release()
        try:
            # RuntimeError where another thread of this process uses it.
            with (
                suppress(filelock.Timeout, RuntimeError),
                self._use.write_lock(blocking=False),
            ):
                for row in rows:
                    if excess <= 0 or row.used >= before:
                        break
                    if self._stands(row):
                        self._hollow_out(row.key, row.object)
                        excess -= row.size
        finally:
            for _ in range(self._holds):
                self._use.acquire_read()

    # One file

    def _get(self, key: str, it: Object) -> None:
        path = self._path(key)
        if self._is_input(key):  # in place, as whoever has looked at it expects it to be the same
            with path.open("r+b") as file:
                for start in range(0, it.size, _PIECE):
                    file.seek(start)
                    file.write(self.store.read(key, it, start, start + _PIECE))
            os.utime(path, ns=(it.modified_ns, it.modified_ns))
        else:
            content = self.store.read(key, it)
            self._replace(path, it, lambda file: file.write(content))
        self._note(key, it, hollow=False)

    def _hollow_out(self, key: str, it: Object) -> None:
        def fill(file: BinaryIO) -> object:
            file.truncate(it.size)
            if self._is_input(key):
                self._begin(_Parts(self.store, key, it, file))
            return None

        self._replace(self._path(key), it, fill)
        self._note(key, it, hollow=True)

    def _begin(self, parts: "_Parts") -> None:
        """Get what tells of an input what it is: of a zip its list of members, else its start."""
        if parts.key.lower().endswith(".zip"):
            with suppress(ZipError):
                read_directory(parts, parts.object.size)  # type: ignore[arg-type]  # reads, seeks
        parts.seek(0)
        parts.read(_BEGINNING)

    def _put(self, key: str, _: None) -> None:
        path = self._path(key)
        status = path.stat()
        etag = self.store.put(key, path)
        if self._is_input(key):  # whose time is to be the same on all machines
            time_ns = self.store.head(key).modified_ns
            os.utime(path, ns=(time_ns, time_ns))
            status = path.stat()
        row = _Known(key, etag, status.st_size, status.st_mtime_ns, hollow=False, used=time.time())
        self._index.put([row])

    def _replace(self, path: Path, it: Object, fill: Callable[[BinaryIO], object]) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = unfinished_path(path)
        try:
            with unfinished.open("w+b") as file:
                fill(file)
            os.utime(unfinished, ns=(it.modified_ns, it.modified_ns))
            unfinished.replace(path)
        finally:
            unfinished.unlink(missing_ok=True)

    def _note(self, key: str, it: Object, *, hollow: bool) -> None:
        mtime_ns = self._path(key).stat().st_mtime_ns  # as precise as the file system has it
        self._index.put([_Known(key, it.etag, it.size, mtime_ns, hollow, time.time())])

    def _stands(self, row: _Known | None) -> bool:
        """Whether a file is as it was left."""
        if row is None:
            return False
        try:
            status = self._path(row.key).stat()
        except OSError:
            return False
        return (status.st_size, status.st_mtime_ns) == (row.size, row.mtime_ns)

    # Names

    def _path(self, key: str) -> Path:
        return self.root.joinpath(*PurePosixPath(key).parts)

    def _key(self, path: Path) -> str:
        return path.relative_to(self.root).as_posix()

    def _keys(self, paths: Iterable[Path]) -> list[str]:
        return [self._key(path) for path in paths if path.is_relative_to(self.root)]

    def _in_parallel(self, do: Callable[[str, _Value], None], todo: Mapping[str, _Value]) -> None:
        if len(todo) < 2:
            for key, value in todo.items():
                do(key, value)
            return
        with ThreadPoolExecutor(_THREADS) as pool:
            tasks = [pool.submit(do, key, value) for key, value in todo.items()]
            try:
                for task in tasks:
                    task.result()
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise


class _Parts:
    """An object as a file to read in parts; what is read is written to a file in its place."""

    def __init__(self, store: Store, key: str, it: Object, target: BinaryIO) -> None:
        self.key = key
        self.object = it
        self._store = store
        self._target = target
        self._at = 0
        self._start, self._content = 0, b""

    def seek(self, at: int) -> int:
        self._at = at
        return at

    def read(self, size: int) -> bytes:
        end = min(self._at + size, self.object.size)
        known = self._start, self._start + len(self._content)
        if not known[0] <= self._at <= end <= known[1]:
            self._start = self._at
            self._content = self._store.read(self.key, self.object, self._at, end)
            self._target.seek(self._at)
            self._target.write(self._content)
        found = self._content[self._at - self._start : end - self._start]
        self._at = end
        return found


def _files(path: Path) -> list[Path]:
    """A file, or all in a folder; unfinished ones left out."""
    if not path.is_dir():
        return [path] if path.is_file() else []
    found = (Path(where) / name for where, _, names in os.walk(path) for name in names)
    return [each for each in found if not any(it.startswith(".tmp-") for it in each.parts)]
