"""What the data folder itself knows of its results: the records that each run leaves in it.

They say of a partition what Dagster's event says, so that a person with a Dagster instance of his
own, or a result that comes back after it was replaced, needs no computing to be told of. They lie
in the hidden folder `.kept`, compressed, one file for each step of a run.
"""

import gzip
import json
import uuid
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from backblaze_assets.files.atomic import write_atomic
from backblaze_assets.files.origin import digest

HIDDEN = ".kept"
"""Folder in the data folder for all that is kept beside the results."""

_LEVEL = 1  # of compression: thousands of records in some milliseconds


@dataclass(frozen=True)
class Record:
    """One result.

    Attributes:
        asset, partition: which; the partition is None for assets without partitions.
        code_version, data_version: digests of the code and of the content.
        inputs: version of each input, by name.
        metadata: what people are told of it, in the form of `lineage.metadata.to_plain`.
        run_id, timestamp: of the run that made it; seconds since 1970.
        digests: of those of its files that do not carry one, by the name below the asset's folder.
    """

    asset: str
    partition: str | None
    code_version: str
    data_version: str
    inputs: Mapping[str, str]
    metadata: Mapping[str, Any]
    run_id: str
    timestamp: float
    digests: Mapping[str, str] = field(default_factory=dict)

    @property
    def identity(self) -> str:
        """What it was made from, see `identity`."""
        return identity(self.asset, self.partition, self.code_version, self.inputs)


def identity(asset: str, partition: str | None, code: str, inputs: Mapping[str, str]) -> str:
    """One name for what a partition is made from: its code and the versions of its inputs."""
    versions = [text for name in sorted(inputs) for text in (name, inputs[name])]
    return digest([asset, str(partition), code, *versions])


class Records:
    """The records in a data folder."""

    def __init__(self, root: Path) -> None:
        self._folder = root / HIDDEN / "records"

    def folder(self, asset: str) -> Path:
        """Where the records of an asset are."""
        return self._folder / asset

    def files(self, asset: str) -> list[Path]:
        """The files with records of an asset, the oldest first."""
        found = [(path.stat().st_mtime_ns, path) for path in self.folder(asset).glob("*.gz")]
        return [path for _, path in sorted(found)]

    def all(self, asset: str) -> dict[str, Record]:
        """The records of an asset by their identities; where there are several, the newest."""
        return {it.identity: it for path in self.files(asset) for it in read_records(path)}

    def add(self, asset: str, run_id: str, records: Iterable[Record]) -> None:
        """Store what one step of a run has made."""
        name = f"{run_id}-{uuid.uuid4().hex[:8]}.json.gz"  # a step may be tried twice in a run
        write_records(self.folder(asset) / name, records)


def write_records(path: Path, records: Iterable[Record]) -> None:
    """Write a file of records, whole or not at all."""
    write_plain(path, [asdict(record) for record in records])


def read_records(path: Path) -> list[Record]:
    """What `write_records` wrote; nothing where the file is damaged or of another version."""
    return [record for each in read_plain(path) if (record := to_record(each))]


def to_record(values: Any) -> Record | None:  # noqa: ANN401 - JSON
    """The record with these values; None where they are not those of a record."""
    try:
        return Record(**values)
    except TypeError:
        return None


def write_plain(path: Path, values: Sequence[Mapping[str, Any]]) -> None:
    """Write plain values as compressed JSON, whole or not at all."""
    packed = gzip.compress(json.dumps(values).encode(), _LEVEL, mtime=0)
    write_atomic(path, packed, sync=False)


def read_plain(path: Path) -> list[dict[str, Any]]:
    """What `write_plain` wrote; nothing where the file is damaged or gone."""
    try:
        found = json.loads(gzip.decompress(path.read_bytes()))
    except (OSError, EOFError, ValueError, zlib.error):
        return []
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []
