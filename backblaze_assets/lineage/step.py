"""What every asset does around its own work: take what is there, and tell Dagster what was made.

An asset makes all partitions of a run in one step. Each one gets an event of its own, with its
provenance and its figures. Files that already stand, whole and made by the same code from the same
inputs (a killed run leaves such), are kept: their origin says so. One partition that cannot be made
costs that partition alone: the others are made and recorded, and then the step fails.
"""

import platform
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from datetime import date
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from itertools import groupby
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl

from backblaze_assets.drive_stats.quarters import quarter_of
from backblaze_assets.errors import DamagedError, DataError
from backblaze_assets.files.atomic import remove_unfinished
from backblaze_assets.files.origin import digest_versions
from backblaze_assets.files.records import Record, Records
from backblaze_assets.files.sources import Sources
from backblaze_assets.files.store import StoreError
from backblaze_assets.graph import GRAPH, Source
from backblaze_assets.lineage.code_version import PACKAGE, code_version, source_below
from backblaze_assets.lineage.ledger import PROVENANCE, RUNNING, Materialization
from backblaze_assets.lineage.metadata import from_plain
from backblaze_assets.lineage.parts import Part, Parts, what
from backblaze_assets.lineage.publishing import Publishing
from backblaze_assets.lineage.reuse import Reuse
from backblaze_assets.lineage.status import Lineage
from backblaze_assets.lineage.verifying import result_at
from backblaze_assets.partitions import Key, Partitioning, day_of
from backblaze_assets.resources import Data
from backblaze_assets.work.locks import one_at_a_time
from backblaze_assets.work.progress import Lines, listening, somebody_listens

LIBRARIES = ("polars", "pyarrow", "numpy", "pillow", "imageio-ffmpeg", "isal", "numba")
"""Those whose version can shape a result."""

WAITS_S = (30, 60, 120)
"""Seconds after which a step is tried again that a store has failed for the moment."""


class Step:
    """One asset's step in one run."""

    def __init__(
        self,
        context: dg.AssetExecutionContext,
        data: Data,
        describe: Callable[[Part, Any], Mapping[str, Any]],
    ) -> None:
        self.context = context
        self._describe = describe
        self.asset = context.asset_key.to_user_string()
        self.lineage: Lineage = data.lineage(context.instance)
        self.view = self.lineage.view
        self.style = data.style
        self._parts = Parts(self.asset, self.lineage, data.viewer)
        self.publishing = Publishing(self.asset, self.view.folder)
        self._reuse = Reuse(self.lineage, data.kept)
        self._started = time.perf_counter()
        self._made: dict[Key, tuple[str, dict[str, Any]]] = {}
        self._records: dict[Key, Record] = {}  # of those that were not made but taken
        self._sources = Sources(data.root)
        self._failed: dict[Key, DataError] = {}

    def requested(self) -> list[Key]:
        """The partitions of this run, at least one.

        Raises:
            DataError: the range that was asked for is reversed, which Dagster takes for an empty
                one, or reaches beyond the partitions that there are.
        """
        if GRAPH[self.asset].partitioning is Partitioning.NONE:
            return [None]  # though the run may be one over a range, of other assets
        there = self.context.assets_def.partitions_def.get_partition_keys()
        asked = self.context.partition_key_range
        unknown = {asked.start, asked.end} - set(there)
        if unknown:
            raise DataError(
                f"There are no data of {self.asset} {' and '.join(sorted(unknown))}. There are "
                f"data of {there[0]} to {there[-1]}: ask for that, or put the zips into "
                f"{self.view.folder.root}."
            )
        if asked.start > asked.end:
            raise DataError(
                f"The partition range {asked.start}...{asked.end} is reversed: write the earlier "
                "key first."
            )
        return [key for key in there if asked.start <= key <= asked.end]

    def parts(self) -> Iterator[Part]:
        """The partitions to make, in order; those whose inputs are not there fail here.

        Those that somebody has made from the same code and inputs are recorded, and left out.
        """
        for keys in self._together():
            parts: list[Part] = []
            for key in keys:
                with self.making(key):
                    parts.append(self._parts.find(key))
            try:
                self._parts.fetch_inputs(parts)
                taken = self._take({part.key: part for part in parts})
            except StoreError as error:
                self._failed |= {part.key: error for part in parts}
                continue
            yield from (part for part in parts if part.key not in taken)

    def _together(self) -> Iterator[list[Key]]:
        """The partitions in groups that do not hang on each other: the days of a quarter."""
        keys = self.requested()
        if GRAPH[self.asset].partitioning is not Partitioning.DAYS:
            yield from ([key] for key in keys)
            return
        for _, days in groupby(keys, key=lambda key: quarter_of(day_of(key))):
            yield list(days)

    def _take(self, parts: Mapping[Key, Part]) -> set[Key]:
        """Record those partitions that need not be made."""
        try:
            wanted = {key: part.origin for key, part in parts.items()}
            taken = self._reuse.take(self.asset, wanted, self.context.run.run_id)
        except OSError as error:  # a folder of somebody else's, a full disk
            self.context.log.warning(f"Nothing is kept or brought back: {error}")
            return set()
        for each in taken:
            part, record = parts[each.key], each.record
            if Source.ZIP in GRAPH[self.asset].sources:
                self.remove_vanished_days(part.day)
            described = {name: from_plain(value) for name, value in record.metadata.items()}
            self._note(part, record.data_version, {each.how: each.sentence, **described})
            self._records[each.key] = record
        if taken:  # a line for each would take longer than all else
            more = f" and {len(taken) - 1} more" if len(taken) > 1 else ""
            first = what(self.asset, taken[0].key)
            self.context.log.info(f"{first}{more} need not be made: {taken[0].sentence}")
        return {each.key for each in taken}

    @contextmanager
    def making(self, key: Key) -> Iterator[None]:
        """Note a DataError inside the block as the failure of one partition, and go on."""
        try:
            yield
        except DataError as error:
            self._failed[key] = self._without_damage(error)

    def make_all(self, parts: list[Part], make: Callable[[list[Part]], None]) -> None:
        """Make many partitions in one go; if that fails, find the bad ones by halves.

        Args:
            parts: the partitions.
            make: makes and records them; must keep what an earlier attempt has made already.
        """
        try:
            if parts:
                make(parts)
        except DataError as error:
            error = self._without_damage(error)
            if len(parts) == 1:
                self._failed[parts[0].key] = error
                return
            middle = len(parts) // 2
            self.make_all(parts[:middle], make)
            self.make_all(parts[middle:], make)

    def _without_damage(self, error: DataError) -> DataError:
        """Remove the damaged result that an error is about, if it can be made anew."""
        if not isinstance(error, DamagedError):
            return error
        found = result_at(self.lineage, error.path)
        if found is None or not self.lineage.can_be_made(found.asset, found.key):
            return error
        if not self.view.folder.has_content(error.path):
            return DataError(f"{error.path} was read before it was fetched. Run the same again.")
        self.view.folder.remove(error.path)
        return DataError(
            f"{error.path} was damaged: {error.reason}. It is removed, and the same command again "
            f"makes {what(found.asset, found.key)} anew, and what is made from it."
        )

    def fetch(self, paths: Iterable[Path]) -> None:
        """See that the content of files, and of all files in folders, is on this machine.

        For what an asset chooses of its inputs; all others are there already.
        """
        self.view.folder.fetch(paths)

    def fetched(self, asset: str, key: Key) -> Path:
        """The file of a partition of any asset, or the folder of its files, with its content."""
        path = self._parts.path(asset, key)
        self.fetch([path])
        return path

    def remove_vanished_days(self, quarter: date) -> None:
        """Remove results of days that an earlier version of a quarter had and this one has not."""
        days = {str(day) for day in self.view.calendar.days(quarter)}
        for asset in (it for it in GRAPH.values() if it.partitioning is Partitioning.DAYS):
            gone = {
                day: name
                for name in self.view.folder.names(asset.name)
                if (day := name.partition(".")[0]) not in days and _is_in_quarter(day, quarter)
            }
            with suppress(OSError):  # to be kept is nothing that must be
                self._reuse.keep(asset.name, gone)
            for name in gone.values():
                self.view.folder.remove(self.view.folder.path(asset.name, name))

    def made(self, part: Part, data_version: str, content: Any = None) -> None:  # noqa: ANN401
        """Record that a partition is there.

        Args:
            part: the partition.
            data_version: digest of its content.
            content: what the asset's `metadata` needs to know in order to describe it.
        """
        self._note(part, data_version, self._describe(part, content))

    def _note(self, part: Part, data_version: str, described: Mapping[str, Any]) -> None:
        self.publishing.begin(part)
        if self.view.folder.store:
            self.view.folder.make_room(before=self._parts.fetched[part.key])
        own = {
            **described,
            "path": dg.MetadataValue.path(self.view.folder.address(part.path)),
            PROVENANCE: dg.MetadataValue.json(
                {
                    "code_version": part.origin.code_version,
                    "data_version": data_version,
                    "inputs": part.origin.inputs,
                }
            ),
        }
        self._made[part.key] = (data_version, own)
        self.lineage.ledger.note(
            Materialization(
                asset=self.asset,
                partition=part.key,
                code_version=part.origin.code_version,
                data_version=data_version,
                inputs=part.origin.inputs,
                metadata={name: getattr(value, "value", value) for name, value in own.items()},
                run_id=self.context.run.run_id,
                storage_id=RUNNING,
                timestamp=time.time(),
            )
        )

    def result(self) -> dg.MaterializeResult[None]:
        """What the asset returns to Dagster.

        Raises:
            dg.Failure: partitions could not be made; those that could are recorded first.
            dg.RetryRequested: the same, where the store may well have recovered a little later.
        """
        not_stored = self.publishing.failed()
        self._failed |= not_stored
        for key in not_stored:
            del self._made[key]
        shared: dict[str, Any] = {
            "run_seconds": round(time.perf_counter() - self._started, 2),
            "libraries": _libraries(),
        }
        self._remember(shared)
        if self._failed:
            for key, (_, own) in self._made.items():
                event = dg.AssetMaterialization(
                    self.asset, metadata=own | shared | own, partition=key
                )
                self.context.log_event(event)
            told = self.view.folder.told(_complaint(self.asset, self._failed))
            failure = dg.Failure(told, allow_retries=False)
            tried = self.context.retry_number
            if tried < len(WAITS_S) and all(map(_passes, self._failed.values())):
                self.context.log.warning(f"{told}\nTrying again in {WAITS_S[tried]} seconds.")
                raise dg.RetryRequested(len(WAITS_S), WAITS_S[tried]) from failure
            raise failure
        versions = {str(key): data_version for key, (data_version, _) in self._made.items()}
        whole: dict[str, Any] = {}
        for key, (_, own) in self._made.items():
            if key is None:
                whole = own | shared | own
            else:  # what is returned with the result stands before what is added here
                self.context.add_asset_metadata(own | shared | own, partition_key=key)
        one = next(iter(versions.values())) if len(versions) == 1 else digest_versions(versions)
        return dg.MaterializeResult(metadata=whole, data_version=dg.DataVersion(one))

    def _remember(self, shared: dict[str, Any]) -> None:
        """Leave in the folder what is known of the results, and the source of their code."""
        ledger = self.lineage.ledger
        records = [
            self._records.get(key) or self._reuse.record(made, own | shared)
            for key, (_, own) in self._made.items()
            if (made := ledger.get(self.asset, key))
        ]
        code = code_version(self.asset)
        try:
            if records:
                self._reuse.remember(self.asset, self.context.run.run_id, records)
            if records and not self._sources.has(self.asset, code):
                self._sources.keep(self.asset, code, source_below(PACKAGE, self.asset))
            root = self.view.folder.root
            self.view.folder.publish([Records(root).folder(self.asset), Sources(root).folder])
        except (OSError, StoreError) as error:
            self.context.log.warning(f"No record is left in the folder: {error}")


def run_step(
    context: dg.AssetExecutionContext,
    data: Data,
    make: Callable[[Step], None],
    describe: Callable[[Part, Any], Mapping[str, Any]],
) -> dg.MaterializeResult[None]:
    """Do an asset's work in a run.

    Of one pool, one step at a time works on a data folder, unless the work is divided among runs.
    Progress goes to the log. What the user can mend is not retried.

    Args:
        context: Dagster's.
        data: the data folder.
        make: makes the partitions of the step and records them.
        describe: what people are told of a partition that was made, in the order in which they
            are to see it.

    Raises:
        dg.Failure: partitions could not be made.
    """
    asset = context.asset_key.to_user_string()
    log = context.log.info
    with ExitStack() as stack:
        # The command line runs steps in its own process and has a progress bar.
        stack.enter_context(nullcontext() if somebody_listens() else listening(Lines(log)))
        pool = GRAPH[asset].pool or asset
        if data.days_per_run and GRAPH[asset].is_divisible:
            # Others work on other partitions; a run that is tried again waits for its own remains.
            pool = f"{pool}-{context.partition_key_range.start}"
        waits = f"Waits for another run that works in pool {pool}."
        stack.enter_context(one_at_a_time(data.locks, pool, lambda: log(waits)))
        remove_unfinished(data.folder.root / asset)
        stack.enter_context(data.folder.using())
        try:
            data.folder.look()  # others may have made something since this process began
            data.folder.fetch([Records(data.root).folder(asset)])
            step = Step(context, data, describe)
            stack.callback(step.publishing.close)
            make(step)
        except DataError as error:
            raise dg.Failure(data.folder.told(str(error)), allow_retries=False) from error
        except pl.exceptions.PanicException as error:  # which passes by whoever catches errors
            raise RuntimeError(f"Polars: {error}") from error
        return step.result()


def _passes(error: DataError) -> bool:
    """Whether the same may go well a little later, without anybody doing anything."""
    return isinstance(error, StoreError) and error.passes


def _complaint(asset: str, failed: Mapping[Key, DataError]) -> str:
    """What could not be made and why: each reason once, with the partitions that it holds for."""
    reasons: dict[str, list[str]] = {}
    for key, error in failed.items():
        reasons.setdefault(str(error), []).append(str(key or ""))
    lines = []
    for reason, keys in reasons.items():
        more = f" to {keys[-1]} ({len(keys):,})" if len(keys) > 1 else ""
        lines.append(f"{asset} {keys[0]}{more}: {reason}" if keys[0] else reason)
    return "\n".join(lines)


@cache
def _libraries() -> str:
    names = [f"Python {platform.python_version()}"]
    for name in LIBRARIES:
        with suppress(PackageNotFoundError):  # Numba can be done without
            names.append(f"{name} {version(name)}")
    return ", ".join(names)


def _is_in_quarter(text: str, quarter: date) -> bool:
    """Whether `text` is a day of a quarter."""
    try:
        return quarter_of(date.fromisoformat(text)) == quarter
    except ValueError:
        return False
