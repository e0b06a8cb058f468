"""How a file or a folder is written whole or not at all."""

import os
import re
import shutil
import socket
import time
import uuid
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

ABANDONED_S = 86_400
"""Seconds after which what another machine has begun and not touched since counts as left by it."""

_UNFINISHED = re.compile(r"\.tmp-(?P<process>[0-9a-f]{6}-[0-9a-f]+)-[0-9a-f]{8}-")


@contextmanager
def atomic_path(path: Path, *, sync: bool = True) -> Iterator[Path]:
    """Yield a path beside `path` to write a file or a folder to; it becomes `path` on success.

    A file is fsynced (unless `sync` is False) and renamed over what was there. A folder replaces
    the folder that was there. On any exception, an interrupt included, what was written is removed
    and `path` stays as it was. Names of unfinished work start with `.tmp-`, so that no reader takes
    them for data; whose it is stands in the name, too.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = unfinished_path(path)
    try:
        yield unfinished
        if unfinished.is_dir():
            replace_folder(unfinished, path)
        else:
            if sync:
                with unfinished.open("rb") as handle:
                    os.fsync(handle.fileno())
            unfinished.replace(path)
    except BaseException:
        remove(unfinished)
        raise


def replace_folder(source: Path, target: Path) -> None:
    """Put the folder `source` in the place of `target`; a rename cannot replace a full folder."""
    old = unfinished_path(target.with_name(f"old-{target.name}"))
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


def link(source: Path, target: Path) -> None:
    """Let `target` be the file `source` as well, whole or not at all, in place of what was there.

    A hard link, which costs nothing; a copy where the file system has none, or forbids it.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = unfinished_path(target)
    try:
        try:
            os.link(source, unfinished)
        except FileNotFoundError:
            raise
        except OSError:
            shutil.copy2(source, unfinished)
        unfinished.replace(target)
    finally:
        unfinished.unlink(missing_ok=True)  # it stays where both were one file before


def remove(path: Path) -> None:
    """Remove a file or a folder, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def unfinished_path(path: Path) -> Path:
    """Where this process may begin what is to become `path`; the name says whose it is."""
    return path.with_name(f".tmp-{this_process()}-{uuid.uuid4().hex[:8]}-{path.name}")


def this_process() -> str:
    """A name for this process that tells it from those of other machines."""
    return f"{_machine()}-{os.getpid():x}"


def is_gone(process: str) -> bool:
    """Whether a process of such a name was one of this machine, and has ended."""
    machine, _, number = process.partition("-")
    return machine == _machine() and not is_alive(int(number, 16))


def finished_name(path: Path) -> str:
    """The name of what is to come of an unfinished path, or of any other path its own."""
    return _UNFINISHED.sub("", path.name, count=1)


def is_left(path: Path) -> bool:
    """Whether nobody will finish what was begun at an unfinished path.

    Of this machine the process is asked for. Of others only the time tells, and so it does where a
    new process has the number of the old one.
    """
    named = _UNFINISHED.match(path.name)
    if named and is_gone(named["process"]):
        return True
    try:
        return time.time() - path.stat().st_mtime > ABANDONED_S
    except FileNotFoundError:
        return False  # it has just been finished


def remove_unfinished(folder: Path) -> None:
    """Remove what dead processes have left below `folder`; what others are at is left alone."""
    for path in list(folder.rglob(".tmp-*")):
        if is_left(path):
            remove(path)


@cache
def _machine() -> str:
    """Six digits for what shares the numbers of processes: a machine, or a container of its own."""
    parts = [socket.gethostname()]
    with suppress(OSError):  # on Linux, where containers may be called alike
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii"))
        parts.append(str(Path("/proc/self/ns/pid").readlink()))
    return f"{zlib.crc32(' '.join(parts).encode()) & 0xFFFFFF:06x}"


def is_alive(process: int) -> bool:
    """Whether a process of this machine is there."""
    if os.name == "nt":
        return True  # there, signal 0 is not a question
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
