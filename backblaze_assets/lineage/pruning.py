"""What lies in the data folder and is of no use any more, or only perhaps; and its removal.

Nothing that is up to date, or that a record of Dagster or of the folder knows as a result, is ever
among it. What is not known to be ours by its name is not looked at.
"""

import re
import time
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from backblaze_assets.files.atomic import is_left
from backblaze_assets.files.folder import DataFolder
from backblaze_assets.files.kept import Kept
from backblaze_assets.files.records import HIDDEN, Records, read_records
from backblaze_assets.files.sources import Sources
from backblaze_assets.graph import GRAPH
from backblaze_assets.lineage.code_version import code_version
from backblaze_assets.lineage.status import Lineage
from backblaze_assets.partitions import Key, Partitioning
from backblaze_assets.work.locks import if_free

_DAY_S = 86_400


@dataclass(frozen=True)
class Waste:
    """One line of what `prune` shows.

    Attributes:
        what: it is.
        why: it can go; or why it stays.
        paths: files and folders.
        stays: whether it is only told of, and not removed.
    """

    what: str
    why: str
    paths: tuple[Path, ...]
    stays: bool = False

    @property
    def bytes(self) -> int:
        """Size of all files; what another process has just removed has none."""
        return sum(_size(path) for path in self.paths)


def find_waste(
    lineage: Lineage, kept: Kept, logs: Path, log_days: int, *, all_kept: bool = False
) -> list[Waste]:
    """What can go, and what of it stays for a while; lines without any files are left out.

    Args:
        lineage: how everything stands.
        kept: the kept results.
        logs: folder with what steps have printed, a folder for each run.
        log_days: days after which that can go.
        all_kept: whether all kept results go, also those that there is room for.
    """
    root = lineage.view.folder.root
    entries = kept.entries()
    beyond = entries if all_kept else kept.beyond_limit()
    limit = f"{kept.limit / 1e9:g} GB"
    found = [
        Waste(
            "replaced results",
            "asked for with --kept" if all_kept else f"beyond the limit of {limit}, longest unused",
            tuple(entry.path for entry in beyond),
        ),
        Waste(
            "replaced results",
            f"within the limit of {limit}; --kept removes them, too",
            tuple(entry.path for entry in entries if entry not in beyond),
            stays=True,
        ),
        *_orphans(lineage),
        Waste(
            "unfinished files",
            "left by processes that are dead",
            tuple(_unfinished(root)),
        ),
        Waste(
            "printed by steps",
            f"older than {log_days} days",
            tuple(_old(logs, log_days * _DAY_S)),
        ),
        Waste("records of runs", "all in them was made anew since", tuple(_superseded(root))),
        Waste(
            "source of code", "no result of that code is left", tuple(_unused_source(lineage, kept))
        ),
    ]
    return [waste for waste in found if waste.paths]


def remove_waste(waste: Iterable[Waste], locks: Path, folder: DataFolder) -> int:
    """Remove what does not stay; return how many bytes that has freed.

    Where somebody has begun to work on an asset meanwhile, what is in its folder is left alone.

    Args:
        waste: as `find_waste` found it while nobody else brought the folder up to date.
        locks: where the locks are of those who work in the data folder.
        folder: the data folder.
    """
    freed = 0
    for path in (path for each in waste if not each.stays for path in each.paths):
        asset = next((part for part in reversed(path.parent.parts) if part in GRAPH), None)
        if path.name.startswith(".tmp-"):
            asset = None  # what the dead have left is nobody's work
        with if_free(locks, _pool(asset)) if asset else nullcontext(enter_result=True) as free:
            if free:
                freed += _size(path)
                folder.remove(path)
    return freed


def _orphans(lineage: Lineage) -> Iterator[Waste]:
    """Results of days and quarters that no zip has and no record, asset by asset."""
    for name, asset in GRAPH.items():
        if asset.partitioning is Partitioning.NONE:
            continue
        known: set[Key] = {*lineage.expected(name), *lineage.ledger.all(name)}
        paths: dict[Path, None] = {}
        for file in lineage.view.folder.names(name):
            key = _key_of(name, file)
            if key and key not in known:
                first = file.partition("/")[0]
                paths[lineage.view.folder.path(name, first)] = None
        if not paths:
            continue
        recorded = {it.partition for it in Records(lineage.view.folder.root).all(name).values()}
        orphans = sorted(path for path in paths if path.name.partition(".")[0] not in recorded)
        if orphans:
            yield Waste(f"{name} of {_unit(asset.partitioning)}", _NO_ONE, tuple(orphans))


_NO_ONE = "no zip and no record has them"


def _unit(partitioning: Partitioning) -> str:
    return "days" if partitioning is Partitioning.DAYS else "quarters"


def _key_of(asset: str, name: str) -> Key:
    """The partition that a file is of by its name; None if it is none of the asset's own."""
    for pattern in GRAPH[asset].files:
        date_like = r"\d{4}-\d\d-\d\d"
        regex = re.escape(pattern).replace(r"\{key\}", f"(?P<key>{date_like})")
        found = re.fullmatch(regex.replace(r"\{day\}", date_like), name)
        if found:
            try:
                return str(date.fromisoformat(found["key"]))
            except ValueError:
                return None
    return None


def _unfinished(root: Path) -> Iterator[Path]:
    """What was begun by processes that are dead."""
    for asset in GRAPH:
        for place in (root / asset, *(root / HIDDEN / it / asset for it in ("results", "records"))):
            yield from (path for path in _begun(place) if is_left(path))


def _begun(folder: Path) -> Iterator[Path]:
    """Unfinished files and folders below a folder, those inside of others left out."""
    for path in sorted(folder.rglob(".tmp-*")):
        inside = path.relative_to(folder).parts[:-1]
        if not any(part.startswith(".tmp-") for part in inside):
            yield path


def _pool(asset: str) -> str:
    return GRAPH[asset].pool or asset


def _old(logs: Path, seconds: float) -> Iterator[Path]:
    """What the steps of old runs have printed, as Dagster's local log manager stores it."""
    before = time.time() - seconds
    for folder in sorted(logs.glob("*/compute_logs")):
        times = [path.stat().st_mtime for path in folder.rglob("*") if path.is_file()]
        if times and max(times) < before:
            yield folder


def _superseded(root: Path) -> Iterator[Path]:
    """Files of records of which each tells of a partition that a newer one tells of, too."""
    records = Records(root)
    for asset in GRAPH:
        newer: set[Key] = set()
        for path in reversed(records.files(asset)):
            keys = {record.partition for record in read_records(path)}
            if keys <= newer:
                yield path
            newer |= keys


def _unused_source(lineage: Lineage, kept: Kept) -> Iterator[Path]:
    """Source of versions that made no result that there is, and files that no version has."""
    root = lineage.view.folder.root
    sources, records = Sources(root), Records(root)
    used: list[Path] = []
    for asset in GRAPH:
        lists = sources.files(asset)
        if not lists:
            continue
        versions = {code_version(asset)}
        versions |= {made.code_version for made in lineage.ledger.all(asset).values()}
        versions |= {record.code_version for record in records.all(asset).values()}
        versions |= kept.code_versions(asset)
        for path in lists:
            if path.name.partition(".")[0] in versions:
                used.append(path)
            else:
                yield path
    yield from sources.unused(used)


def _size(path: Path) -> int:
    try:
        if not path.is_dir():
            return path.stat().st_size
        return sum(each.stat().st_size for each in path.rglob("*") if each.is_file())
    except FileNotFoundError:
        return 0
