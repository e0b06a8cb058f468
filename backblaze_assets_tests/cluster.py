"""A cluster on this machine for tests and benchmarks: Postgres, Redis, a daemon, Celery workers.

All is as `deploy/` says it, but for shorter waits: each process has a DAGSTER_HOME of its own, and
nothing is shared but the servers and the data (a folder, or the address of a store).
"""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dagster as dg
import yaml
from dagster_celery.tags import DAGSTER_CELERY_TASK_ID_TAG

from backblaze_assets.graph import GRAPH
from backblaze_assets.instance.postgres_storage import with_driver
from backblaze_assets_tests.real_data import REPOSITORY
from backblaze_assets_tests.servers import postgres, redis

DEPLOY = REPOSITORY / "deploy"


@dataclass
class Cluster:
    """Where a cluster's records are, and its processes by name: `daemon`, `w1`, `w2`, …"""

    instance: dg.DagsterInstance
    folder: Path
    processes: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)

    def kill(self, name: str) -> None:
        """Kill a process and all its children, as the loss of a machine does."""
        os.killpg(self.processes[name].pid, signal.SIGKILL)
        self.processes[name].wait(30)

    def runs(self) -> list[dg.DagsterRun]:
        """All runs in order of their creation."""
        return [it.dagster_run for it in self.instance.get_run_records(ascending=True)]

    def is_idle(self) -> bool:
        """Whether no run is queued or at work."""
        return all(run.is_finished for run in self.runs())

    def started(self, asset: str) -> list[dg.DagsterRun]:
        """Runs of an asset at work."""
        statuses = [dg.DagsterRunStatus.STARTED]
        runs = self.instance.get_runs(dg.RunsFilter(statuses=statuses))
        return [run for run in runs if dg.AssetKey(asset) in (run.asset_selection or ())]

    def worker_of(self, run: dg.DagsterRun) -> str:
        """The name of the worker that has a run."""
        launcher: Any = self.instance.run_launcher
        task = launcher.celery.AsyncResult(run.tags[DAGSTER_CELERY_TASK_ID_TAG])
        return str(task.worker or task.info["hostname"]).partition("@")[0]

    def log(self, name: str) -> str:
        """What a process has printed."""
        return (self.folder / f"{name}.log").read_text(errors="replace")


@contextmanager
def cluster(
    folder: Path,
    data: str | Path,
    *,
    workers: int = 2,
    definitions: str = "brief",
    **variables: object,
) -> Iterator[Cluster]:
    """A running cluster that works on `data`; it ends with the block.

    Args:
        folder: for its files.
        data: what BACKBLAZE_DATA is to be; there is to be something in it already.
        workers: how many.
        definitions: which of those in `brief.py`.
        variables: further variables of its processes.
    """
    with ExitStack() as stack:
        database = stack.enter_context(postgres())
        broker = stack.enter_context(redis(folder))
        environment = {
            "BACKBLAZE_DATA": str(data),
            "BACKBLAZE_POSTGRES": with_driver(database),
            "BACKBLAZE_BROKER": f"{broker}/0",
            "BACKBLAZE_RESULTS": f"{broker}/1",
            "BACKBLAZE_VIEWER_PORT": "off",
            "PYTHONPATH": str(DEPLOY),
            "C_FORCE_ROOT": "1",
            **{name: str(value) for name, value in variables.items()},
        }
        stack.enter_context(_environment(environment))
        home = _home(folder / "here", workers)
        instance = stack.enter_context(dg.DagsterInstance.from_config(str(home)))
        running = Cluster(instance, folder)
        stack.callback(_end, running.processes)
        celery = ["celery", "-A", "dagster_celery.app", "worker", "--concurrency", "1"]
        commands = {
            f"w{n}": [*celery, "-n", f"w{n}@%h", "-l", "INFO"] for n in range(1, workers + 1)
        }
        location = ("-m", "backblaze_assets_tests.brief", "-a", definitions)
        commands["daemon"] = ["dagster-daemon", "run", *location]
        for name, command in commands.items():
            running.processes[name] = _started(name, command, folder, workers)
        yield running


def _home(home: Path, workers: int) -> Path:
    """A DAGSTER_HOME with the settings of `deploy/`, which looks more often."""
    settings = yaml.safe_load((DEPLOY / "dagster.yaml").read_text())
    settings["concurrency"]["runs"]["max_concurrent_runs"] = workers
    settings["run_monitoring"]["poll_interval_seconds"] = 3
    home.mkdir()
    (home / "dagster.yaml").write_text(yaml.safe_dump(settings))
    return home


def _started(
    name: str, command: Sequence[str], folder: Path, workers: int
) -> "subprocess.Popen[bytes]":
    program, *arguments = command
    home = _home(folder / name, workers)
    with (folder / f"{name}.log").open("wb") as log:
        return subprocess.Popen(
            [Path(sys.executable).with_name(program), *arguments],
            cwd=REPOSITORY,
            env={
                **os.environ,
                "DAGSTER_HOME": str(home),
                "BACKBLAZE_COPY": str(copies(folder, name)),
            },
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def copies(folder: Path, name: str) -> Path:
    """Where a process has its working copies of stores."""
    return folder / f"copies of {name}"


def _end(processes: Mapping[str, "subprocess.Popen[bytes]"]) -> None:
    for process in processes.values():
        process.terminate()
    for process in processes.values():
        with suppress(subprocess.TimeoutExpired):  # it has been asked
            process.wait(10)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(30)


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def results(root: Path) -> dict[str, bytes]:
    """The content of all results below a data folder."""
    return {
        str(path.relative_to(root)): path.read_bytes()
        for asset in GRAPH
        for path in sorted((root / asset).rglob("*"))
        if path.is_file()
    }
