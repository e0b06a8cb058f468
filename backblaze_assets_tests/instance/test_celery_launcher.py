"""A worker of Celery that is killed whole: Dagster's run monitoring is told."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import dagster as dg
import pytest
from celery import Celery
from dagster._core.launcher import WorkerStatus
from dagster_celery.tags import DAGSTER_CELERY_TASK_ID_TAG

from backblaze_assets.files.atomic import this_process
from backblaze_assets.instance.celery_launcher import WatchfulCeleryRunLauncher
from backblaze_assets.instance.run_launcher import COMMAND
from backblaze_assets_tests.automation.test_daemon import wait_until
from backblaze_assets_tests.project import NOBODYS_PROCESS
from backblaze_assets_tests.servers import redis

APP = """
import os, time
from celery import Celery
app = Celery("test", broker=os.environ["BROKER"] + "/0", backend=os.environ["BROKER"] + "/1")

@app.task(name="wait_for", track_started=True)
def wait_for(path):
    while not os.path.exists(path):
        time.sleep(0.05)
"""


@contextmanager
def worker(folder: Path, address: str) -> Iterator["subprocess.Popen[bytes]"]:
    (folder / "waiting.py").write_text(APP)
    command = [sys.executable, "-m", "celery", "-A", "waiting", "worker"]
    with subprocess.Popen(
        [*command, "--concurrency", "1", "-n", "one@%h", "-l", "WARNING"],
        cwd=folder,
        env={**os.environ, "BROKER": address, "PYTHONPATH": str(folder), "C_FORCE_ROOT": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        try:
            yield process
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


@pytest.mark.slow
def test_worker_at_work_ended_and_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backblaze_assets.instance.celery_launcher.PATIENCE_S", (3, 10))
    with redis(tmp_path) as address, dg.DagsterInstance.ephemeral() as instance:
        launcher = WatchfulCeleryRunLauncher("dagster", f"{address}/0", f"{address}/1")
        launcher.register_instance(instance)
        app = Celery(broker=f"{address}/0", backend=f"{address}/1")

        def sent(flag: str) -> dg.DagsterRun:
            task = app.send_task("wait_for", [str(tmp_path / flag)])
            tags = {DAGSTER_CELERY_TASK_ID_TAG: task.id}
            run = dg.DagsterRun("job", tags=tags, status=dg.DagsterRunStatus.STARTED)
            return instance.add_run(run)

        def health(run: dg.DagsterRun) -> WorkerStatus:
            return launcher.check_run_worker_health(run).status

        # Of a command line that uses the same records.
        assert health(dg.DagsterRun("job")) is WorkerStatus.RUNNING
        for process, expected in (
            (this_process(), WorkerStatus.RUNNING),
            (f"{this_process().partition('-')[0]}-{NOBODYS_PROCESS:x}", WorkerStatus.FAILED),
            (f"zzzzzz-{NOBODYS_PROCESS:x}", WorkerStatus.RUNNING),  # elsewhere
        ):
            assert health(dg.DagsterRun("job", tags={COMMAND: process})) is expected
        first = sent("end")
        assert health(first) is WorkerStatus.UNKNOWN  # nobody has taken it yet
        with worker(tmp_path, address) as process:
            wait_until(lambda: health(first) is WorkerStatus.RUNNING, 90)
            (tmp_path / "end").touch()
            # The records say that the run goes on, and its task has ended.
            wait_until(lambda: health(first) is WorkerStatus.FAILED, 60)
            assert "has ended" in str(launcher.check_run_worker_health(first).msg)
            instance.report_run_failed(first)
            assert health(first) is WorkerStatus.SUCCESS  # nothing more is to be done
            killed = sent("never")
            wait_until(lambda: health(killed) is WorkerStatus.RUNNING, 60)
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(60)
        said = launcher.check_run_worker_health(killed)
        assert said.status is WorkerStatus.FAILED
        assert "does not work on it" in str(said.msg)
