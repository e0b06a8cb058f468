"""How a file or a folder is written whole or not at all."""

import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


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


def link(source: Path, target: Path) -> None:
    """Let `target` be the file `source` as well, whole or not at all, in place of what was there.

    A hard link, which costs nothing; a copy where the file system has none, or forbids it.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = target.with_name(f".tmp-{uuid.uuid4().hex[:8]}-{target.name}")
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


def remove_unfinished(folder: Path) -> None:
    """Remove what killed processes have left below `folder`, where nobody else is at work now."""
    for path in list(folder.rglob(".tmp-*")):
        remove(path)
