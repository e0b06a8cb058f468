"""Dagster's run launcher for one machine, which also tells whether a run's process is alive.

A run that is killed cannot say that it ended. Dagster's own launcher cannot either, so such a run
would count as running for ever, and block whatever waits for it. Here Dagster's run monitoring
learns of it, whichever command had started the run. Where the installed Dagster has no health
checks, this is Dagster's own launcher, and only the command line ends such runs.
"""

from collections.abc import Mapping
from typing import Any

import dagster as dg

# Without this class there is no launcher to build on; dagster.yaml can name no other.
from dagster._core.launcher import DefaultRunLauncher

from backblaze_assets.files.atomic import is_alive, is_gone

try:
    from dagster._core.launcher import CheckRunHealthResult, WorkerStatus
except ImportError:
    CheckRunHealthResult = WorkerStatus = None  # type: ignore[assignment,misc]


COMMAND = "backblaze/command"
"""Tag of a run that a command line makes in its own process: which."""


class LocalRunLauncher(DefaultRunLauncher):
    """Dagster's default launcher with a health check for runs of this machine."""

    @classmethod
    def from_config_value(
        cls,
        inst_data: Any,  # noqa: ANN401 - of a private class
        config_value: Mapping[str, Any],
    ) -> "LocalRunLauncher":
        """The launcher that `dagster.yaml` asks for."""
        return cls(inst_data=inst_data, **config_value)

    @property
    def supports_check_run_worker_health(self) -> bool:
        """Whether run monitoring may ask."""
        return WorkerStatus is not None

    def check_run_worker_health(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        """Whether the process that works on a started run is there."""
        gone = dead_worker(self._instance, run.run_id)
        if gone is None:
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        return CheckRunHealthResult(WorkerStatus.FAILED, f"process {gone} is gone")


def worker_pid(instance: dg.DagsterInstance, run_id: str) -> int | None:
    """The process that executes the steps of a run, or None as long as it has not said so."""
    log = instance.all_logs(run_id, of_type=dg.DagsterEventType.ENGINE_EVENT)
    pids = [
        int(str(entry.get_dagster_event().engine_event_data.metadata["pid"].value))
        for entry in log
        if "pid" in entry.get_dagster_event().engine_event_data.metadata
    ]
    return pids[-1] if pids else None


def dead_worker(instance: dg.DagsterInstance, run_id: str) -> int | None:
    """The process that worked on a run and is gone; None if it is there, or has not said so."""
    pid = worker_pid(instance, run_id)
    return pid if pid is not None and not is_alive(pid) else None


def fail_dead_runs(instance: dg.DagsterInstance) -> list[str]:
    """End the started runs whose process is gone.

    Where another launcher is set, whose runs may be on other machines, only those of command lines
    of this machine.

    Returns:
        The ids of these runs.
    """
    all_are_here = isinstance(instance.run_launcher, LocalRunLauncher)
    dead = []
    for run in instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED])):
        gone: str | int | None = run.tags.get(COMMAND) if is_of_dead_command(run) else None
        if gone is None and all_are_here:
            gone = dead_worker(instance, run.run_id)
        if gone is not None:
            instance.report_run_failed(run, f"The run was killed: process {gone} is gone.")
            dead.append(run.run_id)
    return dead


def is_of_dead_command(run: dg.DagsterRun) -> bool:
    """Whether a command line of this machine worked on a run, and is gone."""
    return is_gone(run.tags.get(COMMAND, ""))
