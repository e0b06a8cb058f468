"""Parquet files that carry their origin and whose data version is a digest of their content."""

import hashlib
import io
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from backblaze_assets.files.atomic import atomic_path
from backblaze_assets.files.origin import KEY, Origin


class _HashingFile(io.RawIOBase):
    """Writes to a file and digests what passes through it."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.hasher = hashlib.blake2b(digest_size=16)

    def writable(self) -> bool:
        """Yes."""
        return True

    def write(self, data: Any, /) -> int:  # noqa: ANN401 - whatever has a buffer
        """Write and digest `data`, bytes or a pyarrow buffer; return the number of bytes."""
        self.hasher.update(data)
        return self.file.write(data)


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
        table: what to write.
        path: the file; its folder is made when missing.
        origin: what the file says about itself; its data version is filled in here.
        extra: further key-value metadata.
        options: passed to `pyarrow.parquet.ParquetWriter`; compression is zstd unless given.
    """
    options.setdefault("compression", "zstd")
    with atomic_path(path) as unfinished, unfinished.open("wb") as file:
        sink = _HashingFile(file)
        sink.hasher.update(str(table.schema.remove_metadata()).encode())
        with pq.ParquetWriter(pa.PythonFile(sink, mode="w"), table.schema, **options) as writer:
            writer.write_table(table)
            data_version = sink.hasher.hexdigest()
            stamped = origin.with_data_version(data_version)
            writer.add_key_value_metadata({KEY: stamped.to_json(), **(extra or {})})
    return data_version


def read_extra(path: Path) -> dict[str, str]:
    """Key-value metadata of a Parquet file, with its origin under `origin.KEY`."""
    metadata = pq.read_metadata(path).metadata or {}
    return {key.decode(): value.decode() for key, value in metadata.items()}


def read_origin(path: Path) -> Origin:
    """The origin of a Parquet file that `write_parquet` wrote; raises KeyError for any other."""
    return Origin.from_json(read_extra(path)[KEY])
