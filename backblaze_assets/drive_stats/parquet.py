"""Parquet files that carry their origin and whose data version is a digest of their content.

So that damage on the disk is noticed, the footer holds checksums of itself and of each column's
bytes. `check_columns` looks at those of some columns before they are read, `read_table` at those of
the columns that it reads, and `verify` goes over all of the file. Pages have checksums for other
programs; they are not used here, because only pyarrow verifies them, and reading with it takes up
to four times as long as with Polars.
"""

import hashlib
import os
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from isal import isal_zlib

from backblaze_assets.drive_stats.reading import faults, open_regular
from backblaze_assets.errors import DamagedError
from backblaze_assets.files.atomic import atomic_path
from backblaze_assets.files.origin import KEY, Origin

_SUMS_KEY = "backblaze_assets.crc32"
_FOOTER = b"crc32 of the footer "
_NO_VERSION = "." * 32  # in the place of digits until they are known, as the next two
_NO_CRC = b"." * 8
_NO_RANGE = b"." * 30  # offset, length and CRC-32: 12, 10 and 8 digits
_END = 8  # bytes behind the footer: its length, and the magic number
_PIECE = 1 << 20


def write_parquet(
    table: pa.Table,
    path: Path,
    origin: Origin,
    extra: dict[str, str] | None = None,
    **options: Any,  # noqa: ANN401 - pyarrow's writer options
) -> str:
    """Write `table` to `path`, whole or not at all, and return its data version.

    The data version is the digest of schema and data pages, everything before the footer. The
    footer holds the origin, so a file written anew by other code has the same data version as
    long as its content is the same (for one version of the Parquet writer).

    Args:
        table: what to write; no column may be nested.
        path: the file; its folder is made when missing.
        origin: what the file says about itself; its data version is filled in here.
        extra: further key-value metadata.
        options: passed to `pyarrow.parquet.ParquetWriter`; compression is zstd unless given.
    """
    options = {"compression": "zstd", "write_page_checksum": True, **options}
    # In memory, where what is known only in the end is filled in: pyarrow hands over many small
    # pieces, and each costs more than what is in it.
    sink, metadata = pa.BufferOutputStream(), list[pq.FileMetaData]()
    with pq.ParquetWriter(sink, table.schema, metadata_collector=metadata, **options) as writer:
        writer.write_table(table, row_group_size=max(1, table.num_rows))
        pages = sink.tell()
        unknown = origin.with_data_version(_NO_VERSION)
        sums = {_SUMS_KEY: _sums(table.column_names).decode()}
        writer.add_key_value_metadata({KEY: unknown.to_json(), **(extra or {}), **sums})
    content = memoryview(sink.getvalue())
    hasher = hashlib.blake2b(str(table.schema.remove_metadata()).encode(), digest_size=16)
    hasher.update(content[:pages])
    data_version = hasher.hexdigest()
    footer = bytearray(content[pages:-_END])
    stamped = origin.with_data_version(data_version)
    _put(footer, unknown.to_json().encode(), stamped.to_json().encode())
    _fill_in(footer, table.column_names, metadata[0], content)
    with atomic_path(path) as unfinished, unfinished.open("wb") as file:
        file.writelines((content[:pages], footer, content[-_END:]))
    return data_version


def read_extra(path: Path) -> dict[str, str]:
    """Key-value metadata of a Parquet file, with its origin under `origin.KEY`."""
    metadata = pq.read_metadata(path).metadata or {}
    return {key.decode(): value.decode() for key, value in metadata.items()}


def read_origin(path: Path) -> Origin:
    """The origin of a Parquet file that `write_parquet` wrote; raises KeyError for any other."""
    return Origin.from_json(read_extra(path)[KEY])


def read_table(path: Path, columns: list[str] | None = None) -> pl.DataFrame:
    """Some columns of a file, or all, if they are as they were written; see `check_columns`.

    Raises:
        DamagedError: the file is damaged.
    """
    check_columns(path, columns)
    with _damage(path):
        return pl.read_parquet(path, columns=columns, glob=False)


def read_tables(paths: Iterable[Path], columns: list[str]) -> pl.DataFrame:
    """The same columns of several files, one below the other; as `read_table`."""
    paths = list(paths)
    for path in paths:
        check_columns(path, columns)
    return pl.read_parquet(paths, columns=columns, glob=False)


def check_columns(path: Path, names: Iterable[str] | None) -> None:
    """Look whether the footer and these columns of a file, or all, are as they were written.

    A file of another program, without checksums, passes.

    Raises:
        DamagedError: the file is damaged.
    """
    with _damage(path), open_regular(path) as file:
        sums = {
            name: text
            for name, tab, text in (
                line.rpartition(b"\t") for line in _check_footer(file).split(b"\n")
            )
            if tab and len(text) == len(_NO_RANGE) and text != _NO_RANGE
        }
        for name in sums if names is None else (name.encode() for name in names):
            if (text := sums.get(name)) is None:
                continue
            offset, length, crc = int(text[:12], 16), int(text[12:22], 16), int(text[22:], 16)
            file.seek(offset)
            if isal_zlib.crc32(file.read(length)) != crc:
                raise ValueError(f"its column {name.decode()} is not what was written")


def verify(path: Path) -> Origin:
    """Go over all of a file that `write_parquet` wrote, and return its origin.

    Raises:
        DamagedError: it is damaged, or another program wrote it.
    """
    with _damage(path), open_regular(path) as file:
        if not _check_footer(file):
            raise ValueError("it does not carry its checksums")
        length = _footer_length(file)
        origin = read_origin(path)
        hasher = hashlib.blake2b(digest_size=16)
        hasher.update(str(pq.read_schema(path).remove_metadata()).encode())
        left = file.seek(0, os.SEEK_END) - length - _END
        file.seek(0)
        while left > 0 and (piece := file.read(min(_PIECE, left))):
            hasher.update(piece)
            left -= len(piece)
        if hasher.hexdigest() != origin.data_version:
            raise ValueError("its content is not what was written")
        return origin


@contextmanager
def _damage(path: Path) -> Iterator[None]:
    """Whatever libraries raise in the block is damage of the file."""
    try:
        yield
    except faults() as error:
        text = str(error).strip().splitlines() or [type(error).__name__]
        raise DamagedError(path, text[0].rstrip(".")) from error


def _footer_length(file: BinaryIO) -> int:
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - _END))
    end = file.read(_END)
    length = int.from_bytes(end[:4], "little")
    if end[4:] != b"PAR1" or length > size - _END:
        raise ValueError("it is no whole Parquet file")
    return length


def _sums(names: list[str]) -> bytes:
    """The text for the checksums, with room for them."""
    lines = [_FOOTER + _NO_CRC, *(b"%s\t%s" % (name.encode(), _NO_RANGE) for name in names)]
    return b"\n".join([*lines, b""])


def _fill_in(
    footer: bytearray, names: list[str], metadata: pq.FileMetaData, content: memoryview
) -> None:
    """Write the checksums of the columns in `content`, and its own, into the footer."""
    for number, name in enumerate(names if metadata.num_row_groups else ()):
        chunk = metadata.row_group(0).column(number)
        offsets = (chunk.dictionary_page_offset, chunk.data_page_offset)
        start, length = min(filter(None, offsets), default=0), chunk.total_compressed_size
        crc = isal_zlib.crc32(content[start : start + length])
        line = b"\n%s\t" % name.encode()
        _put(footer, line + _NO_RANGE, line + b"%012x%010x%08x" % (start, length, crc))
    _put(footer, _FOOTER + _NO_CRC, _FOOTER + b"%08x" % zlib.crc32(footer))


def _put(text: bytearray, placeholder: bytes, known: bytes) -> None:
    """Replace a placeholder by as many bytes."""
    at = text.index(placeholder)
    text[at : at + len(placeholder)] = known


def _check_footer(file: BinaryIO) -> bytes:
    """The text with the checksums, empty where there are none.

    Raises:
        ValueError: that of the footer is another one.
    """
    length = _footer_length(file)
    file.seek(-length - _END, os.SEEK_END)
    footer = file.read(length)
    key = footer.find(_SUMS_KEY.encode())
    if key < 0:
        return b""
    at = footer.find(_FOOTER, key) + len(_FOOTER)
    crc = zlib.crc32(footer[:at] + _NO_CRC + footer[at + len(_NO_CRC) :])
    if footer[at : at + len(_NO_CRC)] != b"%08x" % crc:
        raise ValueError("its footer is not what was written")
    return footer[at:]
