"""A data folder with a tiny made-up fleet, and what a person or the automation can do with it."""

import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import dagster as dg
import pyarrow.parquet as pq
import pytest
from filelock import FileLock

from backblaze_assets.cli.update import Ran, bring_up_to_date
from backblaze_assets.definitions import build_definitions
from backblaze_assets.drive_stats.demo import write_zips
from backblaze_assets.drive_stats.importer import REPORT_KEY
from backblaze_assets.drive_stats.parquet import read_extra, read_origin, write_parquet
from backblaze_assets.files.atomic import this_process
from backblaze_assets.film.style import Style
from backblaze_assets.graph import GRAPH, upstream_of
from backblaze_assets.lineage.status import Lineage, Status
from backblaze_assets.partitions import Key, Partitioning
from backblaze_assets.resources import Data
from backblaze_assets.settings import Settings
from backblaze_assets_tests.quick import close_databases

FIRST, LAST = date(2013, 6, 25), date(2013, 7, 6)
"""Twelve days on both sides of a quarter's end: two quarters in one zip."""

DAYS = (LAST - FIRST).days + 1
Q2, Q3 = "2013-04-01", "2013-07-01"

_DAILY = [it.name for it in GRAPH.values() if it.partitioning is Partitioning.DAYS]
_QUARTERLY = [
    name
    for name in GRAPH
    if all(GRAPH[it].partitioning is Partitioning.QUARTERS for it in upstream_of([name]))
]
RUNS = (
    tuple(_QUARTERLY),
    tuple(_DAILY),
    tuple(name for name in GRAPH if name not in {*_QUARTERLY, *_DAILY}),
)
"""The assets of each run on the way from a zip to everything: those that are made from quarters
alone, those of days, and what is made from both."""

FRAMES_AROUND = (4 + 1 + 8) * 60
"""Frames of a film beside those of its days: title, closing frames and end card, in seconds."""

START, END = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"
"""Tags of a run over a range, as Dagster's command line and UI set them."""


NOBODYS_PROCESS = 2**31 - 1
"""The number of a process that no system has given."""

TITLE, CLOSING, END_CARD = 3, 4, 5
"""Frames of each in the film of a test: encoding more of them takes its time."""

AROUND = {"title_frames": TITLE, "closing_frames": CLOSING, "end_frames": END_CARD}
"""The same as a style has it."""


@dataclass(frozen=True)
class Brief(Data):
    """A data folder whose film has next to no title and end."""

    @property
    def style(self) -> Style:
        return replace(super().style, **AROUND)


@dataclass(frozen=True)
class Small(Brief):
    """One whose pictures are the smallest in which the panel has room: for years of them."""

    @property
    def style(self) -> Style:
        return replace(super().style, base_width=1280, base_height=480)


@dataclass(frozen=True)
class Project:
    """A data folder and the Dagster instance that goes with it; the folder is looked at anew."""

    root: Path
    instance: dg.DagsterInstance
    store: str = ""
    kind: type[Brief] = Brief

    @property
    def data(self) -> Data:
        return self.kind(self.root, store=self.store, copy_bytes=10**12)

    @property
    def definitions(self) -> dg.Definitions:
        return build_definitions(self.data, Settings(data=self.root))

    def lineage(self) -> Lineage:
        return self.data.lineage(self.instance)

    def status(self, asset: str) -> dict[Key, Status]:
        lineage = self.lineage()
        return {key: lineage.status(asset, key) for key in lineage.expected(asset)}

    def file(self, name: str) -> Path:
        """A file or folder below the data folder."""
        return self.root / name

    def update(self, *targets: str) -> list[Ran]:
        """Bring assets up to date as the command line does; by default all."""
        return bring_up_to_date(self.instance, self.data, targets or list(GRAPH))

    def run(
        self, *assets: str, first: object = None, last: object = None, tags: Mapping[str, str] = {}
    ) -> dg.ExecuteInProcessResult:
        """One run of assets with their checks, over a range of partitions if one is given."""
        span = {START: str(first), END: str(last or first)} if first else {}
        return self._job.execute_in_process(
            instance=self.instance,
            asset_selection=[dg.AssetKey(asset) for asset in assets],
            tags={**span, **tags},
            raise_on_error=False,
        )

    def check(self, asset: str, *names: str, tags: Mapping[str, str] = {}) -> "Found":
        """Checks without their asset, as a person can start them in the UI; by default all."""
        graph = self.definitions.resolve_asset_graph()
        keys = {
            key
            for key in graph.asset_check_keys
            if key.asset_key == dg.AssetKey(asset) and (not names or key.name in names)
        }
        job = self._job.get_subset(asset_selection=frozenset(), asset_check_selection=keys)
        return found(
            job.execute_in_process(instance=self.instance, tags=tags, raise_on_error=False)
        )

    @property
    def _job(self) -> dg.JobDefinition:
        return self.definitions.resolve_implicit_global_asset_job_def()


Found = dict[str, dg.AssetCheckEvaluation]


def found(result: dg.ExecuteInProcessResult) -> Found:
    """What the checks of a run have found, by their names."""
    return {each.check_name: each for each in result.get_asset_check_evaluations()}


def made(result: dg.ExecuteInProcessResult) -> list[tuple[str, Key]]:
    """What a run has made: asset and partition."""
    events = result.filter_events(lambda event: event.is_step_materialization)
    return [
        (str(event.asset_key and event.asset_key.to_user_string()), event.partition)
        for event in events
    ]


def failure(result: dg.ExecuteInProcessResult) -> str:
    """What the one step that has failed tells a person."""
    (event,) = result.filter_events(lambda event: event.is_step_failure)
    data = event.step_failure_data
    assert data.user_failure_data is not None, data.error
    return str(data.user_failure_data.description)


def write_fleet(folder: Path, first: date = FIRST, last: date = LAST, drives: int = 60) -> None:
    """Zips of a fleet of about sixty drives, some of which fail within days."""
    write_zips(folder, drives=drives, first=first, last=last, hazard=20)


@contextmanager
def new_project(root: Path, store: str = "") -> Iterator[Project]:
    """A project on a data folder, which need not exist, with records that end with it.

    With the address of a store the folder is a working copy of it.
    """
    root.mkdir(parents=True, exist_ok=True)
    with dg.DagsterInstance.ephemeral() as instance:
        yield Project(root, instance, store)


@contextmanager
def kept_project(root: Path, kind: type[Brief] = Brief) -> Iterator[Project]:
    """A project on a data folder, which need not exist, with records in a folder beside it."""
    root.mkdir(parents=True, exist_ok=True)
    records_of(root).mkdir(exist_ok=True)
    # Events are stored as the product stores them, which writes and waits for the disk less often.
    storage = {
        "module": "backblaze_assets.instance.storage",
        "class": "Storage",
        "config": {"base_dir": str(records_of(root))},
    }
    overrides = {**_QUIET, "storage": {"custom": storage}}
    try:
        with dg.DagsterInstance.local_temp(str(records_of(root)), overrides=overrides) as instance:
            yield Project(root, instance, kind=kind)
    finally:
        close_databases()


def records_of(root: Path) -> Path:
    """Where `kept_project` keeps the records of a data folder."""
    return root.with_name(f"records of {root.name}")


_QUIET = {
    "telemetry": {"enabled": False},
    "compute_logs": {
        "module": "dagster._core.storage.noop_compute_log_manager",
        "class": "NoOpComputeLogManager",
    },
}


@contextmanager
def copy_of(root: Path, new_root: Path) -> Iterator[Project]:
    """A project that is a copy of another one, with its records."""
    shutil.copytree(root, new_root)
    shutil.copytree(records_of(root), records_of(new_root))
    with kept_project(new_root) as project:
        yield project


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """A folder that is made once for all processes of a test run, by the first that asks for it.

    Args:
        factory: pytest's.
        name: the folder's.
        make: is given the folder, which is not there yet.
    """
    base = factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "made once" / name
    folder.parent.mkdir(exist_ok=True)
    with FileLock(folder.with_name(f"{name}.lock")):
        whole = folder.with_name(f"{name} is whole")
        if not whole.exists():
            make(folder)
            whole.touch()
    return folder


def everything_built(factory: pytest.TempPathFactory) -> Path:
    """The data folder of a project with everything made, to be copied."""

    def make(root: Path) -> None:
        with kept_project(root) as project:
            write_fleet(project.root)
            project.update()

    return made_once(factory, "everything", make)


def left(path: Path) -> Path:
    """Where a process that is dead has begun what was to become `path`."""
    machine = this_process().partition("-")[0]
    return path.with_name(f".tmp-{machine}-{NOBODYS_PROCESS:x}-12345678-{path.name}")


def spoil(path: Path, day: date) -> None:
    """Damage the packed rows of one day in a zip, whose directory stays as it is."""
    content = bytearray(path.read_bytes())
    at = content.index(f"{day}.csv".encode()) + 200
    content[at : at + 50] = bytes(50)
    path.write_bytes(content)


def lose_a_row(path: Path) -> None:
    """Write a table anew without its last row, but with all it says about itself."""
    table = pq.read_table(path).replace_schema_metadata()
    report = {key: value for key, value in read_extra(path).items() if key == REPORT_KEY}
    write_parquet(table.slice(0, table.num_rows - 1), path, read_origin(path), report)
