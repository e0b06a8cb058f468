"""Opening and reading what lies in the data folder, whatever it turns out to be.

A name may stand for a pipe or a device, a file may change while it is read, and the libraries that
read it raise dozens of exceptions. All of this becomes a DataError that names the file.
"""

import os
import stat
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from backblaze_assets.errors import DataError


def faults() -> tuple[type[BaseException], ...]:
    """What libraries raise on content that they cannot read."""
    # Here, because commands that only look, or tell of themselves, need none of these libraries.
    import polars as pl
    import pyarrow as pa
    from isal import igzip_lib, isal_zlib

    return (
        OSError,
        EOFError,
        ValueError,  # also UnicodeDecodeError and pa.ArrowInvalid
        LookupError,
        ArithmeticError,
        RuntimeError,  # also NotImplementedError and RecursionError
        MemoryError,
        struct.error,
        zlib.error,
        isal_zlib.error,  # type: ignore[return-value]  # its stub is wrong
        igzip_lib.error,
        pa.ArrowException,
        pl.exceptions.PolarsError,
        pl.exceptions.PanicException,  # a BaseException, as a fault of Polars itself
    )


_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


class ReplacedError(DataError):
    """A file is no longer the one that was looked at."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"{path} was replaced or changed while it was being imported. Run the same again."
        )


@dataclass(frozen=True)
class Stamp:
    """What tells a file from another one in its place: size, time of the last change, inode."""

    size: int
    mtime_ns: int
    inode: int

    @classmethod
    def of(cls, found: os.stat_result) -> "Stamp":
        """The stamp of a file that `os.stat` has looked at."""
        return cls(found.st_size, found.st_mtime_ns, found.st_ino)


@contextmanager
def reading(where: object, advice: str) -> Iterator[None]:
    """Turn whatever libraries raise in the block into a DataError of `where`.

    Args:
        where: the file, and the member if it is one of several.
        advice: what to do, one or more sentences.
    """
    try:
        yield
    except faults() as error:
        text = str(error).strip().splitlines() or [type(error).__name__]
        raise DataError(f"{where} cannot be read: {text[0].rstrip('.')}. {advice}") from error


def check_unchanged(path: Path, expected: Stamp) -> None:
    """Raise ReplacedError unless the file in the place `path` is the `expected` one."""
    try:
        found = path.stat()
    except OSError as error:
        raise ReplacedError(path) from error
    if Stamp.of(found) != expected:
        raise ReplacedError(path)


def open_regular(path: Path, expected: Stamp | None = None) -> BinaryIO:
    """Open a regular file for reading, unbuffered; never waits, not even for a pipe.

    Args:
        path: the file.
        expected: what it was when it was looked at.

    Raises:
        DataError: it is not there, may not be read, or is no regular file.
        ReplacedError: it is not the `expected` one.
    """
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    try:
        handle = os.open(path, flags)
    except FileNotFoundError as error:
        if path.is_symlink():
            raise DataError(
                f"{path} is a link to a file that is not there ({path.readlink()}). "
                "Mend or remove it."
            ) from error
        raise DataError(f"{path} is not there any more. Run the same again.") from error
    except OSError as error:
        raise DataError(
            f"{path} cannot be read: {error.strerror or error}. See to its permissions, or remove "
            "it from the data folder."
        ) from error
    try:
        _check_kind(path, os.fstat(handle), expected)
        return os.fdopen(handle, "rb", buffering=0)
    except BaseException:
        os.close(handle)
        raise


def _check_kind(path: Path, found: os.stat_result, expected: Stamp | None) -> None:
    if not stat.S_ISREG(found.st_mode):
        kind = next((name for is_kind, name in _KINDS if is_kind(found.st_mode)), "no file")
        raise DataError(f"{path} is {kind}, not a file. Remove it from the data folder.")
    if expected is not None and Stamp.of(found) != expected:
        raise ReplacedError(path)
