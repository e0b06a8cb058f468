"""The real thing, as in `deploy/`: a daemon and two Celery workers, one of which is killed."""

import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import dagster as dg
import pytest

from backblaze_assets.files.store import Store
from backblaze_assets.graph import GRAPH
from backblaze_assets.lineage.status import Status
from backblaze_assets.resources import Data
from backblaze_assets.settings import Settings
from backblaze_assets.work.locks import one_at_a_time
from backblaze_assets_tests.automation.test_daemon import wait_until
from backblaze_assets_tests.benchmarks import history
from backblaze_assets_tests.cluster import Cluster, cluster, copies, results
from backblaze_assets_tests.project import Q3, START, Brief, Project, Small, kept_project
from backblaze_assets_tests.repack import shortened
from backblaze_assets_tests.servers import s3


def is_whole(data: Data, instance: dg.DagsterInstance) -> bool:
    """Whether everything is there and up to date."""
    lineage = data.seen_anew().lineage(instance)
    return all(
        bool(keys := lineage.expected(asset))
        and all(lineage.status(asset, key) is Status.UP_TO_DATE for key in keys)
        for asset in GRAPH
    )


def kill_at_work(running: Cluster, asset: str, key: str) -> tuple[dg.DagsterRun, str]:
    """Kill the worker that makes a partition of an asset, with all its processes."""
    found: list[dg.DagsterRun] = []

    def is_at_work() -> bool:
        found[:] = [it for it in running.started(asset) if it.tags[START] == key]
        return bool(found)

    wait_until(is_at_work, 600, pause=0.2)
    worker = running.worker_of(found[0])
    running.kill(worker)
    return found[0], worker


@dataclass(frozen=True)
class Case:
    """What a cluster is to do.

    Attributes:
        data: where the zips are.
        alone: a data folder in which one process has made everything of the same zips.
        definitions: which of those in `brief.py` that process had.
        days_per_run: about how many days a run has.
        killed: the first day of the run of `frames` whose worker is killed.
    """

    data: Data
    alone: Path
    definitions: str
    days_per_run: int
    killed: str


@pytest.fixture
def two_quarters(tmp_path: Path, built: Project) -> Iterator[Case]:
    """In a folder that all share."""
    root = tmp_path / "data"
    root.mkdir()
    shutil.copy(built.file("data_2013.zip"), root)
    yield Case(Brief(root), built.root, "brief", 91, Q3)
    assert not list(root.rglob(".tmp-*"))


@pytest.fixture
def fourteen_quarters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Case]:
    """In a store that refuses one request in fifty: six zips with one drive in fifty.

    The drives are real ones where the tool that rebuilds their days is at hand. Of each quarter
    there are the first twenty days; the benchmark `cluster` has all.
    """
    folder = tmp_path / "zips"
    folder.mkdir()
    zips = [shortened(path, folder, 20) for path in history.zips(tmp_path, 0.02)]
    alone = history.data_folder(tmp_path / "alone", zips)
    with kept_project(alone, Small) as project:
        project.update()
    with s3(tmp_path, every=50) as running:
        for name, value in running.variables.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("BACKBLAZE_DATA", running.address)
        monkeypatch.setenv("BACKBLAZE_COPY", str(tmp_path / "copies"))
        for path in zips:
            Store(running.address).put(path.name, path)
        data = Small.from_settings(Settings.from_environment())
        yield Case(data, alone, "small", 640, "2015-01-01")
        assert [line for line in running.requests() if " refused " in line]


@pytest.mark.slow(minutes=9)
@pytest.mark.parametrize("what", ["two_quarters", "fourteen_quarters"])
def test_everything_arrives_though_one_of_two_workers_is_killed(
    what: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    case: Case = request.getfixturevalue(what)
    data, days = case.data, case.days_per_run
    with cluster(
        tmp_path,
        data.store or data.root,
        definitions=case.definitions,
        BACKBLAZE_DAYS_PER_RUN=days,
    ) as running:
        places = [copies(tmp_path, name) / data.root.name for name in ("w1", "w2")]
        with ExitStack() as held:  # the step has begun, and goes on only when this is over
            for place in places if data.store else [data.root]:
                locks = replace(data, root=place).locks
                held.enter_context(one_at_a_time(locks, f"render-{case.killed}", pytest.fail))
            killed, worker = kill_at_work(running, "frames", case.killed)

        def is_noticed() -> bool:
            run = running.instance.get_run_by_id(killed.run_id)
            return run is not None and run.status is dg.DagsterRunStatus.FAILURE

        wait_until(is_noticed, 60)
        wait_until(lambda: running.is_idle() and is_whole(data, running.instance), 900, pause=3)
        runs = [run for run in running.runs() if run.run_id != killed.run_id]
        assert {run.status for run in runs} == {dg.DagsterRunStatus.SUCCESS}
        (again,) = [run for run in runs if run.parent_run_id == killed.run_id]
        assert running.worker_of(again) != worker
        assert {running.worker_of(run) for run in runs} == {"w1", "w2"}
    data.folder.fetch([data.root / asset for asset in GRAPH])
    assert results(data.root) == results(case.alone)
