"""The real thing, as in `deploy/`: a daemon and two Celery workers, one of which is killed."""

import shutil
from datetime import date
from pathlib import Path

import dagster as dg
import pytest

from backblaze_assets.graph import GRAPH
from backblaze_assets.lineage.status import Status
from backblaze_assets_tests.automation.test_daemon import wait_until
from backblaze_assets_tests.cluster import Cluster, cluster, results
from backblaze_assets_tests.project import START, Brief, kept_project, write_fleet

FIRST, LAST = date(2013, 6, 25), date(2013, 10, 5)
"""A whole quarter and a few days around it."""


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


def kill_at_work(running: Cluster, data: Path) -> tuple[dg.DagsterRun, str]:
    """Kill the worker that draws the frames of the longest quarter, once some are there."""
    whole = "2013-07-01"
    found: list[dg.DagsterRun] = []

    def is_at_work() -> bool:
        if len(list((data / "frames").glob("2013-07-*.jpg"))) < 3:
            return False
        found[:] = [it for it in running.started("frames") if it.tags[START] == whole]
        return True

    wait_until(is_at_work, 240, pause=0.02)
    worker = running.worker_of(found[0])
    running.kill(worker)
    return found[0], worker


@pytest.mark.slow
def test_a_film_made_by_two_workers_of_which_one_is_killed(tmp_path: Path) -> None:
    alone, shared = tmp_path / "alone", tmp_path / "shared"
    write_fleet(alone, FIRST, LAST)
    shutil.copytree(alone, shared)
    with kept_project(alone) as project:
        project.update()
    with cluster(tmp_path, shared, BACKBLAZE_DAYS_PER_RUN=91) as running:
        killed, worker = kill_at_work(running, shared)

        def is_noticed() -> bool:
            run = running.instance.get_run_by_id(killed.run_id)
            return run is not None and run.status is dg.DagsterRunStatus.FAILURE

        wait_until(is_noticed, 60)
        wait_until(lambda: running.is_idle() and is_whole(shared, running.instance), 400, pause=1)
        runs = running.runs()
        others = {run.status for run in runs if run.run_id != killed.run_id}
        assert others == {dg.DagsterRunStatus.SUCCESS}
        (again,) = [run for run in runs if run.parent_run_id == killed.run_id]
        assert running.worker_of(again) != worker
        workers = {running.worker_of(run) for run in runs if run.run_id != killed.run_id}
        assert workers == {"w1", "w2"}
    assert results(shared) == results(alone)
    assert not list(shared.rglob(".tmp-*"))
