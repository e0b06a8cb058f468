"""Going over all results: which of them are not what was written, and what to do about each.

A file that can be told by what it carries is told by that, whatever the records say; so this works
without records as well. The others, subtitles and rows set aside, have their digest in the records
or beside them.
"""

import os
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from backblaze_assets.drive_stats.importer import read_report
from backblaze_assets.drive_stats.parquet import check_columns
from backblaze_assets.drive_stats.quarters import quarter_name
from backblaze_assets.errors import DamagedError, DataError
from backblaze_assets.files.folder import DataFolder
from backblaze_assets.files.origin import Origin
from backblaze_assets.files.stamps import verify
from backblaze_assets.film.whole import rest_of
from backblaze_assets.graph import GRAPH, Source
from backblaze_assets.lineage.status import DAY_VERSIONS, DIGESTS, Lineage, Status
from backblaze_assets.partitions import Key, Partitioning, day_of
from backblaze_assets.work import progress

_OTHER = "its content is not what was written"


@dataclass(frozen=True)
class Result:
    """One file of a result: what it is of, and where."""

    asset: str
    key: Key
    name: str
    path: Path


@dataclass(frozen=True)
class Damage:
    """One file that is not what was written.

    Attributes:
        result: the file.
        reason: what is the matter with it.
        remedy: what to do.
        can_be_made: whether the next run makes it anew, once it is removed.
    """

    result: Result
    reason: str
    remedy: str
    can_be_made: bool

    def __str__(self) -> str:
        """As one line for people."""
        return f"{self.result.path}: {self.reason}. {self.remedy}"

    def remove(self, folder: DataFolder) -> None:
        """Remove the file; and with rows set aside their day, which they are made with."""
        folder.remove(self.result.path)
        if _is_rejects(self.result):
            folder.remove(_day_of_rejects(self.result))


def results(lineage: Lineage) -> list[Result]:
    """Every file of a result that is in the data folder, whether or not the records know it."""
    return [
        result
        for asset in GRAPH
        for name in sorted(lineage.view.folder.names(asset))
        for result in _results_in(lineage, asset, name)
    ]


def _results_in(lineage: Lineage, asset: str, name: str) -> Iterator[Result]:
    path = lineage.view.folder.path(asset, name)
    first, _, last = name.partition("/")
    if "/.tmp-" in f"/{name}":
        return
    key: Key = None
    if GRAPH[asset].partitioning is not Partitioning.NONE:
        key = first.partition(".")[0]
        try:
            day_of(key)
        except ValueError:
            return
    if last == "rejects" and path.is_dir():
        for each in sorted(path.glob("[0-9]*.csv")):
            yield Result(asset, key, f"{name}/{each.name}", each)
    elif path.suffix in {Path(pattern).suffix for pattern in GRAPH[asset].files}:
        yield Result(asset, key, name, path)


def result_at(lineage: Lineage, path: Path) -> Result | None:
    """Which result a file is of; None for any other file."""
    try:
        asset, *rest = path.relative_to(lineage.view.folder.root).parts
    except ValueError:
        return None
    found = _results_in(lineage, asset, "/".join(rest)) if asset in GRAPH else iter(())
    return next(found, None)


def damaged(lineage: Lineage, workers: int | None = None) -> tuple[int, list[Damage]]:
    """Read every result, several at a time.

    Memory does not depend on how many there are, nor on the size of tables and films. Nothing is
    written.

    Args:
        lineage: how the data folder stands.
        workers: files that are read at the same time; by default one for each core.

    Returns:
        How many files there are, and those that are not what was written, in the order of assets.
    """
    todo = results(lineage)
    found: dict[int, Damage] = {}
    with (
        progress.work("reading results", len(todo), "files") as listener,
        ThreadPoolExecutor(workers or os.cpu_count() or 1) as pool,
    ):
        tasks = {pool.submit(_origin, lineage, each): number for number, each in enumerate(todo)}
        try:
            for task in as_completed(tasks):
                number = tasks.pop(task)
                if damage := _judged(lineage, todo[number], task):
                    found[number] = damage
                listener.advance(1)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return len(todo), [found[number] for number in sorted(found)]


def look(lineage: Lineage, result: Result) -> Damage | None:
    """Read one file; say what is wrong with it, None if nothing is."""
    task: Future[Origin | None] = Future()
    try:
        task.set_result(_origin(lineage, result))
    except DataError as error:
        task.set_exception(error)
    return _judged(lineage, result, task)


def _judged(lineage: Lineage, result: Result, read: Future[Origin | None]) -> Damage | None:
    try:
        reason = _wrong(lineage, result, read.result())
    except DamagedError as error:
        reason = error.reason
    except DataError as error:
        reason = str(error)
    return _damage(lineage, result, reason) if reason else None


def _origin(lineage: Lineage, result: Result) -> Origin | None:
    """What a file says of itself; None for one that says nothing.

    Raises:
        DataError: it is not what was written.
    """
    lineage.view.folder.fetch([result.path])
    crc = _crc_in_records(lineage, result)
    if _is_rejects(result):
        crc = _crc_of_rejects(result)
    elif result.path.suffix != ".srt":
        return verify(result.path)
    if crc and rest_of(result.path, b"") != crc:
        raise DamagedError(result.path, _OTHER)
    return None


def _crc_of_rejects(result: Result) -> str:
    """CRC-32 of rows set aside, by their day's file; empty where that does not tell."""
    try:
        day = _day_of_rejects(result)
        check_columns(day, [])
        known = read_report(day).rejects_crc32
    except (DataError, KeyError):
        return ""
    return f"{known:08x}" if known else ""


def _crc_in_records(lineage: Lineage, result: Result) -> str:
    made = lineage.ledger.get(result.asset, result.key)
    return str(made.metadata.get(DIGESTS, {}).get(result.name, "")) if made else ""


def _wrong(lineage: Lineage, result: Result, origin: Origin | None) -> str:
    """What is wrong with a whole file in this place; nothing if it is the one that belongs here."""
    if origin is None:
        return ""
    partition = result.path.stem if result.asset == "raw_quarter" else result.key
    if (origin.asset, origin.partition) != (result.asset, partition):
        return f"it is another file, {origin.asset} {origin.partition or ''}".rstrip()
    made = lineage.ledger.get(result.asset, result.key)
    if made is None or lineage.status(result.asset, result.key) is not Status.UP_TO_DATE:
        return ""
    recorded = made.metadata.get(DAY_VERSIONS, {}).get(result.path.stem)
    if len(GRAPH[result.asset].files) == 1 and DAY_VERSIONS not in made.metadata:
        recorded = made.data_version
    if recorded not in (None, origin.data_version):
        return "it is whole, but not the one that was recorded"
    return ""


def _damage(lineage: Lineage, result: Result, reason: str) -> Damage:
    known = result.key in lineage.expected(result.asset)
    can = known and lineage.can_be_made(result.asset, result.key)
    if can:
        remedy = "Once it is removed, `backblaze-assets movie` makes it anew"
        remedy += " from the data." if result.asset == "raw_quarter" else "."
    elif not known:
        remedy = "It belongs to no data of this folder; remove it."
    elif Source.ZIP in GRAPH[result.asset].sources:
        quarter = quarter_name(day_of(result.key))
        remedy = (
            f"Its zip is not here: `backblaze-assets download {quarter}`, then this command again."
        )
    else:
        remedy = "What it is made from is not here; `backblaze-assets why` says what is missing."
    return Damage(result, reason, remedy, can or not known)


def _is_rejects(result: Result) -> bool:
    return result.path.parent.name == "rejects"


def _day_of_rejects(result: Result) -> Path:
    return result.path.parents[1] / f"{result.path.stem}.parquet"
