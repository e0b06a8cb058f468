"""What need not be computed because somebody has: results that stand already, or were replaced.

A step asks here before it makes anything. A partition that was made from the same code and inputs
is taken

- as it is, where it stands in the asset's folder and this instance does not know of it: another
  person has made it, with an instance of his own;
- from what is kept of replaced results (`files/kept.py`).

Both need the record that the run which made it has left in the folder (`files/records.py`), and
both are taken only when the content is found to be what was made. What stands there and is about to
be replaced is kept first. By the graph's files and the origin that they carry, for every asset.
"""

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from backblaze_assets.errors import DataError
from backblaze_assets.files.folder import file_names
from backblaze_assets.files.kept import Kept
from backblaze_assets.files.origin import Origin
from backblaze_assets.files.records import Record, Records, identity
from backblaze_assets.files.stamps import read_origin
from backblaze_assets.files.verifying import digest_file, is_verifiable, verified_origin
from backblaze_assets.graph import GRAPH
from backblaze_assets.lineage.ledger import PROVENANCE, Materialization
from backblaze_assets.lineage.metadata import to_plain
from backblaze_assets.lineage.status import DAY_VERSIONS, UNREADABLE_DAYS, Lineage
from backblaze_assets.partitions import Key

RESTORED = "restored"
"""Metadata of a result that was replaced and has been brought back: who made it, and when."""

TAKEN = "taken_as_it_is"
"""Metadata of a result that another instance has made: by which run, and when."""

OWN = (PROVENANCE, "path", RESTORED, TAKEN)
"""Metadata that is written anew when a result is taken."""


@dataclass(frozen=True)
class Taken:
    """A partition that need not be made: its key, its record, and `RESTORED` or `TAKEN`."""

    key: Key
    record: Record
    how: str

    @property
    def sentence(self) -> str:
        """Where it comes from, for people."""
        made = datetime.fromtimestamp(self.record.timestamp, UTC).isoformat(timespec="seconds")
        by = f"made by run {self.record.run_id[:8]} at {made}"
        if self.how == RESTORED:
            return f"{by}, replaced since, and brought back without computing"
        return f"{by}, found in the folder, and taken without computing"


class Reuse:
    """What a step can do without making it."""

    def __init__(self, lineage: Lineage, kept: Kept) -> None:
        self.lineage = lineage
        self.kept = kept
        self._folder = lineage.view.folder
        self._records = Records(self._folder.root)
        self._known: dict[str, dict[str, Record]] = {}
        self._there: dict[str, dict[str, list[str]]] = {}

    def take(self, asset: str, wanted: Mapping[Key, Origin], run_id: str = "") -> list[Taken]:
        """Those of the wanted partitions that need not be made; they are in their place then.

        What the others are going to replace is kept.

        Args:
            asset: their asset.
            wanted: what the files are to say of themselves, by partition.
            run_id: the run that asks; what it has recorded itself, before it was tried again, is
                taken as well.
        """
        self._folder.fetch(first for key in wanted if (first := self._first(asset, key)))
        stand = {key: said for key in wanted if (said := self._said(asset, key))}
        same = [key for key, said in stand.items() if _is_same(wanted[key], said)]
        self._folder.fetch(self._folder.path(asset, _top(asset, key)) for key in same)
        taken = self._as_they_are(asset, {key: stand[key] for key in same}, run_id)
        rest = {key: wanted[key] for key in wanted if key not in {it.key for it in taken}}
        names = {key: identity(asset, key, it.code_version, it.inputs) for key, it in rest.items()}
        kept = {key: found for key in rest if (found := self.kept.find(asset, names[key]))}
        self._keep(asset, {key: it for key, it in stand.items() if key not in same})
        back = dict(zip(kept, self.kept.bring_back(kept.values()), strict=True))
        self.kept.tidy(found for found, _ in back.values())
        return taken + [
            Taken(key, found.record, RESTORED) for key, (found, sound) in back.items() if sound
        ]

    def keep(self, asset: str, keys: Iterable[Key]) -> None:
        """Keep what stands there of partitions, where it is whole and its record is known."""
        self._keep(asset, {key: said for key in keys if (said := self._said(asset, key))})

    def _keep(self, asset: str, stand: Mapping[Key, Origin]) -> None:
        results = []
        for key, said in stand.items() if self.kept.limit else ():
            record = self._record(asset, key, said)
            if record and not self._is_doubtful(record):
                results.append((record, self._names(record)))
        if results:
            first = results[0][0].partition or "all"
            self.kept.keep(asset, first, results, _is_whole)

    def record(self, made: Materialization, metadata: Mapping[str, object]) -> Record:
        """What is to be known in the folder of a partition that was made."""
        names = _expected(made.asset, made.partition, made.metadata)
        return Record(
            asset=made.asset,
            partition=made.partition,
            code_version=made.code_version,
            data_version=made.data_version,
            inputs=made.inputs,
            metadata={name: to_plain(it) for name, it in metadata.items() if name not in OWN},
            run_id=made.run_id,
            timestamp=made.timestamp,
            digests={
                name: digest_file(self._folder.path(made.asset, name))
                for name in names
                if not is_verifiable(name)
            },
        )

    def remember(self, asset: str, run_id: str, records: Sequence[Record]) -> None:
        """Leave the records of what a step has made in the folder."""
        self._records.add(asset, run_id, records)

    def _as_they_are(self, asset: str, stand: Mapping[Key, Origin], run_id: str) -> list[Taken]:
        """Those partitions that somebody else has made from the same, and that are whole.

        Or the run itself.
        """
        candidates = []
        for key, said in stand.items():
            made = self.lineage.ledger.get(asset, key)
            if made and _is_same(made, said) and made.run_id != run_id:
                continue  # known, and to be made again all the same
            record = self._records_of(asset).get(
                identity(asset, key, said.code_version, said.inputs)
            )
            if record and not self._is_doubtful(record):
                candidates.append(record)
        with ThreadPoolExecutor(4) as pool:
            folder = self._folder.root / asset
            whole = pool.map(lambda it: _is_whole(it, folder, self._names(it)), candidates)
            return [
                Taken(it.partition, it, TAKEN)
                for it, sound in zip(candidates, whole, strict=True)
                if sound
            ]

    def _records_of(self, asset: str) -> dict[str, Record]:
        if asset not in self._known:
            self._known[asset] = self._records.all(asset)
        return self._known[asset]

    def _record(self, asset: str, key: Key, said: Origin) -> Record | None:
        """The record of what stands there: the folder's, or by Dagster's event."""
        name = identity(asset, key, said.code_version, said.inputs)
        found = self._records_of(asset).get(name)
        made = self.lineage.ledger.get(asset, key)
        if found or made is None or not _is_same(made, said):
            return found
        return self.record(made, made.metadata)

    def _is_doubtful(self, record: Record) -> bool:
        """Whether to make it anew is better: not all could be read, or a check refuses it."""
        unreadable = record.metadata.get(UNREADABLE_DAYS, {})
        if any(unreadable.values()):
            return True
        made = self.lineage.ledger.get(record.asset, record.partition)
        known = made and made.data_version == record.data_version
        return bool(known and self.lineage.refusals(record.asset, record.partition))

    def _said(self, asset: str, key: Key) -> Origin | None:
        """What the first file that stands there of a partition says; None if nothing does."""
        first = self._first(asset, key)
        try:
            return read_origin(first) if first else None
        except DataError:
            return None

    def _first(self, asset: str, key: Key) -> Path | None:
        """The first file that stands there of a partition, if any does."""
        there = self._standing(asset).get(_top(asset, key), [])
        own = [it for it in there if Path(it).suffix == Path(GRAPH[asset].files[0]).suffix]
        return self._folder.path(asset, min(own)) if own else None

    def _standing(self, asset: str) -> dict[str, list[str]]:
        """Names of files that stood in an asset's folder when it was first asked for."""
        if asset not in self._there:
            self._there[asset] = {}
            for name in self._folder.names(asset):
                self._there[asset].setdefault(name.partition("/")[0], []).append(name)
        return self._there[asset]

    def _names(self, record: Record) -> list[str]:
        """The files of a partition; of one that has a folder, all that is in it."""
        asset = record.asset
        expected = _expected(asset, record.partition, record.metadata)
        if "/" not in GRAPH[asset].files[0]:
            return expected
        folder = self._folder.path(asset, _top(asset, record.partition))
        there = [path for path in folder.rglob("*") if path.is_file()]
        top = self._folder.root / asset
        return sorted({*expected, *(path.relative_to(top).as_posix() for path in there)})


def _top(asset: str, key: Key) -> str:
    """The name of a partition's first file, or of its folder."""
    return file_names(GRAPH[asset].files, key, [""])[0].partition("/")[0]


def _expected(asset: str, key: Key, metadata: Mapping[str, object]) -> list[str]:
    """The files that a partition must have, by what was recorded of it."""
    days = metadata.get(DAY_VERSIONS, {})
    if isinstance(days, dict) and set(days) == {"json"}:
        days = days["json"]
    return file_names(GRAPH[asset].files, key, days if isinstance(days, dict) else {})


def _is_same(one: Materialization | Origin | Record, said: Origin) -> bool:
    """Whether what a file says is that it was made from the same."""
    return (one.asset, one.code_version, one.inputs) == (
        said.asset,
        said.code_version,
        said.inputs,
    )


def _is_whole(record: Record, folder: Path, names: Sequence[str]) -> bool:
    """Whether files are all there, and hold what was made."""
    expected = _expected(record.asset, record.partition, record.metadata)
    if not set(expected) <= set(names):
        return False
    days = "{day}" in GRAPH[record.asset].files[0]  # each file is one, and says so
    versions = set()
    for name in (it for it in names if is_verifiable(it)):
        said = verified_origin(folder / name)
        if said is None or not _is_same(record, said):
            return False
        if said.partition != (Path(name).stem if days else record.partition):
            return False
        versions.add(said.data_version)
    if len(expected) == len(versions) == 1 and not days and versions != {record.data_version}:
        return False
    try:
        return all(digest_file(folder / it) == was for it, was in record.digests.items())
    except OSError:
        return False
