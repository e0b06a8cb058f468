"""How every partition stands: what it is made from, and whether it is up to date.

A partition is up to date when it was materialized by the same code from the same versions of its
inputs as there are now, its files are there, and its blocking checks have passed since. This comes
from the graph, from Dagster's records and from one look at the data folder, and from nothing else,
so the command line, the daemon and the assets themselves agree.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from backblaze_assets.files.folder import file_names
from backblaze_assets.files.origin import digest, digest_versions
from backblaze_assets.film.style import Style
from backblaze_assets.graph import GRAPH, Source, keys_of, reads_of
from backblaze_assets.instance.records import Evaluation
from backblaze_assets.lineage.code_version import code_version
from backblaze_assets.lineage.ledger import Ledger, Materialization
from backblaze_assets.lineage.view import View
from backblaze_assets.partitions import Key, day_of

ABSENT = ""
"""Version of an input that is not there."""

NO_REPORT = "no report"
"""Version of a day that the zip has no file for."""

Attempt = tuple[str, Key, str]
"""An attempt at a partition: asset, key, and the identity of what it is made from."""

DAY_VERSIONS = "day_versions"
"""Metadata of an asset whose partitions hold days: the data version of each day, by its date."""

SOURCES = "sources"
"""Metadata of an asset that is made from zips: SHA-256 of each, by its name."""

UNREADABLE_DAYS = "unreadable_days"
"""Metadata of an asset that is made from zips: why days of them could not be read, by the date."""

DIGESTS = "digests"
"""Metadata of an asset with files that do not say what they are: CRC-32 of each, by its name."""

STAMP = "stamp"
"""Metadata of an asset that is made from zips: what tells them from others in their place."""


class Status(Enum):
    """How one partition stands."""

    UP_TO_DATE = "up to date"
    OUT_OF_DATE = "out of date"
    UNCHECKED = "not checked yet"
    REFUSED = "refused by a check"
    MISSING = "missing"


@dataclass(frozen=True)
class Cause:
    """One reason why a partition is not up to date.

    Attributes:
        what: `code`, or the name of the input that changed.
        before, now: its version then and now; ABSENT where there is or was none.
    """

    what: str
    before: str
    now: str


class Lineage:
    """How everything in a data folder stands, by one view of it and one instance's records."""

    def __init__(self, ledger: Ledger, view: View, style: Style) -> None:
        self.ledger = ledger
        self.view = view
        self.style = style
        self._names: dict[str, set[str]] = {}

    def forget(self) -> None:
        """Read records and result folders anew when asked next; the view stays."""
        self.ledger.forget()
        self._names.clear()

    def expected(self, asset: str) -> list[Key]:
        """Partitions that there ought to be of an asset, in order."""
        return keys_of(asset, self.view.calendar)

    def reads(self, asset: str, key: Key) -> dict[str, list[Key]]:
        """For one partition, the partitions of each upstream asset that it is made from."""
        return reads_of(asset, key, self.view.calendar)

    def inputs(self, asset: str, key: Key) -> dict[str, str]:
        """Current version of each input of one partition; ABSENT for one that is not there.

        Where many partitions of an asset are read, their version is a digest of all of theirs.
        """
        found = {
            upstream: self._day_version(upstream, keys[0], str(key))
            if GRAPH[asset].reads[upstream].by_day
            else self._version_of(upstream, keys)
            for upstream, keys in self.reads(asset, key).items()
        }
        return found | {
            source.value: self._source_version(source, key) for source in GRAPH[asset].sources
        }

    def _version_of(self, asset: str, keys: list[Key]) -> str:
        versions = {str(key): self.ledger.version(asset, key) for key in keys}
        there = {key: version for key, version in versions.items() if version}
        if not there or len(there) < len(versions):
            return ABSENT
        return digest_versions(there) if len(there) > 1 else next(iter(there.values()))

    def _day_version(self, asset: str, key: Key, day: str) -> str:
        """The version of one day: a zip published anew seldom changes all its days."""
        made = self.ledger.get(asset, key)
        return str(made.metadata[DAY_VERSIONS].get(day, NO_REPORT)) if made else ABSENT

    def _source_version(self, source: Source, key: Key) -> str:
        match source:
            case Source.LAYOUT_STYLE:
                return self.style.layout_version
            case Source.FRAME_STYLE:
                return self.style.frame_version
            case Source.PACE:
                return str(self.style.frames_a_day)
            case Source.FILM_STYLE:
                return self.style.version
        archive = self.view.archives.get(day_of(key))
        return archive.version(day_of(key)) if archive else ABSENT

    def identity(self, asset: str, key: Key) -> str:
        """Identity of what a partition would be made from now: its code and its inputs.

        And of its zip as a file: a damaged one has the versions of the whole one in its directory,
        and is to be tried again when a person has replaced it.
        """
        inputs = self.inputs(asset, key)
        parts = [text for name in sorted(inputs) for text in (name, inputs[name])]
        if Source.ZIP in GRAPH[asset].sources:
            parts.append(self.stamp(key))
        return digest([code_version(asset), *parts])

    def stamp(self, key: Key) -> str:
        """What tells the zip of a quarter from others in its place; ABSENT where there is none."""
        archive = self.view.archives.get(day_of(key))
        shared = bool(self.view.folder.store)
        return archive.stamp(day_of(key), inodes=not shared) if archive else ABSENT

    # How partitions stand

    def status(self, asset: str, key: Key) -> Status:
        """How one partition stands."""
        made = self.ledger.get(asset, key)
        if made is None or (not self.has_files(made) and not self._has_lost_source(made)):
            return Status.MISSING
        if self.causes(made):
            return Status.OUT_OF_DATE
        judgements = self.ledger.judgements(made, GRAPH[asset].blocking)
        if any(judgement and judgement.refuses(key) for judgement in judgements):
            return Status.REFUSED
        return Status.UP_TO_DATE if all(judgements) else Status.UNCHECKED

    def files(self, made: Materialization) -> list[Path]:
        """The files of a materialized partition."""
        folder = self.view.folder
        return [folder.path(made.asset, name) for name in _file_names(made)]

    def has_files(self, made: Materialization) -> bool:
        """Whether all files of a materialized partition are there."""
        if made.asset not in self._names:
            self._names[made.asset] = self.view.folder.names(made.asset)
        return self._names[made.asset].issuperset(_file_names(made))

    def can_be_made(self, asset: str, key: Key) -> bool:
        """Whether what a partition is made from is there, or can be made itself."""
        if Source.ZIP in GRAPH[asset].sources:
            return day_of(key) in self.view.archives
        return all(
            self._is_there(upstream, other) or self.can_be_made(upstream, other)
            for upstream, keys in self.reads(asset, key).items()
            for other in keys
        )

    def _is_there(self, asset: str, key: Key) -> bool:
        made = self.ledger.get(asset, key)
        return made is not None and self.has_files(made)

    def _has_lost_source(self, made: Materialization) -> bool:
        """Whether the zip is gone that a quarter was imported from: it cannot be made anew."""
        sources = GRAPH[made.asset].sources
        return any(self._source_version(source, made.partition) == ABSENT for source in sources)

    def causes(self, made: Materialization) -> list[Cause]:
        """Why a materialized partition is out of date; empty when it is not."""
        if self._has_lost_source(made):
            return []
        now = self.inputs(made.asset, made.partition)
        code = code_version(made.asset)
        changed = [Cause("code", made.code_version, code)] if made.code_version != code else []
        if made.metadata.get(UNREADABLE_DAYS):
            stamps = made.metadata[STAMP], self.stamp(made.partition)
            changed += [Cause(Source.ZIP.value, *stamps)] if stamps[0] != stamps[1] else []
        names = sorted({*made.inputs, *now})
        versions = [(name, made.inputs.get(name, ABSENT), now.get(name, ABSENT)) for name in names]
        return changed + [Cause(*version) for version in versions if version[1] != version[2]]

    def refusals(self, asset: str, key: Key) -> list[Evaluation]:
        """Blocking checks whose latest evaluation refuses a materialized partition."""
        made = self.ledger.get(asset, key)
        judgements = self.ledger.judgements(made, GRAPH[asset].blocking) if made else []
        return [found for found in judgements if found and found.refuses(key)]

    def errors(self, asset: str, key: Key) -> list[Evaluation]:
        """Checks that find an error in a materialized partition and hold nothing back."""
        made = self.ledger.get(asset, key)
        judgements = self.ledger.judgements(made, GRAPH[asset].errors) if made else []
        return [found for found in judgements if found and found.refuses(key)]

    def is_held(self, asset: str, key: Key) -> bool:
        """Whether a materialized partition is not to be worked from: its checks have not passed."""
        made = self.ledger.get(asset, key)
        judgements = self.ledger.judgements(made, GRAPH[asset].blocking) if made else []
        return any(found is None or found.refuses(key) for found in judgements)

    def held_by(self, asset: str, key: Key) -> dict[str, list[Key]]:
        """For one partition, what it is made from and is not to be worked from, by asset."""
        held = {
            upstream: [other for other in keys if self.is_held(upstream, other)]
            for upstream, keys in self.reads(asset, key).items()
        }
        return {upstream: keys for upstream, keys in held.items() if keys}

    def to_do(
        self,
        asset: str,
        changing: Mapping[str, set[Key]] | None = None,
        tried: Collection[Attempt] = frozenset(),
    ) -> list[Key]:
        """Partitions of an asset that can be made now and are not up to date, in order.

        These have all inputs, or get what they lack from an earlier partition of the list, as a
        quarter of a history that is being begun does. And the ones that continue one of the list,
        so that a history which changes in the middle takes one run, not one a quarter; those that
        come out the same are kept. Nothing is to be made from what a blocking check refuses.

        Args:
            asset: its key.
            changing: partitions of upstream assets that are about to be made, too.
            tried: attempts that have failed and are not to be made again.
        """
        found: set[Key] = set()
        about = {**(changing or {}), asset: found}
        settled = (Status.UP_TO_DATE, Status.REFUSED, Status.UNCHECKED)
        for key in self.expected(asset):
            reads = self.reads(asset, key)
            fresh = {name for name in about if not about[name].isdisjoint(reads.get(name, []))}
            if not fresh and self.status(asset, key) in settled:
                continue
            held = self.held_by(asset, key)
            if any(set(keys) - about.get(upstream, set()) for upstream, keys in held.items()):
                continue
            absent = {name for name, version in self.inputs(asset, key).items() if not version}
            if not all(name in fresh and self._gets(reads[name], name, about) for name in absent):
                continue
            if not tried or (asset, key, self.identity(asset, key)) not in tried:
                found.add(key)
        return [key for key in self.expected(asset) if key in found]

    def _gets(self, keys: list[Key], asset: str, about: Mapping[str, set[Key]]) -> bool:
        """Whether all these partitions of an upstream asset are there or about to be."""
        return all(key in about[asset] or self.ledger.get(asset, key) for key in keys)

    def to_judge(self, asset: str, *, refused: bool = False) -> list[Key]:
        """Partitions that are made, but that a blocking check has not looked at since.

        Args:
            asset: its key.
            refused: also those that it has looked at and refuses.
        """
        if not GRAPH[asset].blocking:
            return []
        wanted = {Status.UNCHECKED, Status.REFUSED} if refused else {Status.UNCHECKED}
        return [key for key in self.expected(asset) if self.status(asset, key) in wanted]


def _file_names(made: Materialization) -> list[str]:
    """The files of a materialized partition, relative to its asset's folder."""
    days = made.metadata.get(DAY_VERSIONS, {})
    return file_names(GRAPH[made.asset].files, made.partition, days)
