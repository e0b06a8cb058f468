"""The real thing, as in `deploy/`: a daemon and two Celery workers, one of which is killed."""

import shutil
from pathlib import Path

import dagster as dg
import pytest

from backblaze_assets.graph import GRAPH
from backblaze_assets.lineage.status import Status
from backblaze_assets.resources import Data
from backblaze_assets.work.locks import one_at_a_time
from backblaze_assets_tests.automation.test_daemon import wait_until
from backblaze_assets_tests.cluster import Cluster, cluster, results
from backblaze_assets_tests.project import Q3, START, Brief, Project


def is_whole(data: Path, instance: dg.DagsterInstance) -> bool:
    """Whether everything is there and up to date."""
    if not all((data / asset).exists() for asset in GRAPH):
        return False
    lineage = Brief(data).lineage(instance)
    return all(
        lineage.status(asset, key) is Status.UP_TO_DATE
        for asset in GRAPH
        for key in lineage.expected(asset)
    )


def kill_at_work(running: Cluster, asset: str, key: str) -> tuple[dg.DagsterRun, str]:
    """Kill the worker that makes a partition of an asset, with all its processes."""
    found: list[dg.DagsterRun] = []

    def is_at_work() -> bool:
        found[:] = [it for it in running.started(asset) if it.tags[START] == key]
        return bool(found)

    wait_until(is_at_work, 300, pause=0.2)
    worker = running.worker_of(found[0])
    running.kill(worker)
    return found[0], worker


@pytest.mark.slow
def test_everything_arrives_though_one_of_two_workers_is_killed(
    tmp_path: Path, built: Project
) -> None:
    shared = tmp_path / "data"
    shared.mkdir()
    shutil.copy(built.file("data_2013.zip"), shared)
    with cluster(tmp_path, shared, BACKBLAZE_DAYS_PER_RUN=91) as running:
        # The step has begun, and goes on only when this is over.
        with one_at_a_time(Data(shared).locks, f"render-{Q3}", pytest.fail):
            killed, worker = kill_at_work(running, "frames", Q3)

        def is_noticed() -> bool:
            run = running.instance.get_run_by_id(killed.run_id)
            return run is not None and run.status is dg.DagsterRunStatus.FAILURE

        wait_until(is_noticed, 60)
        wait_until(lambda: running.is_idle() and is_whole(shared, running.instance), 400, pause=1)
        runs = [run for run in running.runs() if run.run_id != killed.run_id]
        assert {run.status for run in runs} == {dg.DagsterRunStatus.SUCCESS}
        (again,) = [run for run in runs if run.parent_run_id == killed.run_id]
        assert running.worker_of(again) != worker
        assert {running.worker_of(run) for run in runs} == {"w1", "w2"}
    assert results(shared) == results(built.root)
    assert not list(shared.rglob(".tmp-*"))
