"""Dagster's run launcher for one machine, which also tells whether a run's process is alive.

A run that is killed cannot say that it ended. Dagster's own launcher cannot either, so such a run
would count as running for ever, hold its places in the pools, and block whatever waits for them.
Here Dagster's run monitoring learns of it, whichever command had started the run.
"""

import os
from collections.abc import Mapping
from typing import Any

import dagster as dg
from dagster._core.launcher import CheckRunHealthResult, DefaultRunLauncher, WorkerStatus
from dagster._serdes import ConfigurableClassData


class LocalRunLauncher(DefaultRunLauncher):
    """Dagster's default launcher with a health check for runs of this machine."""

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> "LocalRunLauncher":
        """The launcher that `dagster.yaml` asks for."""
        return cls(inst_data=inst_data, **config_value)

    @property
    def supports_check_run_worker_health(self) -> bool:
        """Yes: this is what makes run monitoring ask."""
        return True

    def check_run_worker_health(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        """Whether the process that works on a started run is there."""
        pid = worker_pid(self._instance, run.run_id)
        if pid is None or _is_alive(pid):
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        return CheckRunHealthResult(WorkerStatus.FAILED, f"process {pid} is gone")


def worker_pid(instance: dg.DagsterInstance, run_id: str) -> int | None:
    """The process that executes the steps of a run, or None as long as it has not said so."""
    log = instance.all_logs(run_id, of_type=dg.DagsterEventType.ENGINE_EVENT)
    pids = [
        int(str(entry.get_dagster_event().engine_event_data.metadata["pid"].value))
        for entry in log
        if "pid" in entry.get_dagster_event().engine_event_data.metadata
    ]
    return pids[-1] if pids else None


def fail_dead_runs(instance: dg.DagsterInstance) -> list[str]:
    """End the started runs whose process is gone, and free their places in the pools.

    Nothing is done where another launcher is set, whose runs may be on other machines.

    Returns:
        The ids of these runs.
    """
    launcher = instance.run_launcher
    if not isinstance(launcher, LocalRunLauncher):
        return []
    dead = []
    for run in instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED])):
        health = launcher.check_run_worker_health(run)
        if health.status == WorkerStatus.FAILED:
            instance.report_run_failed(run, f"The run was killed: {health.msg}.")
            instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
            dead.append(run.run_id)
    return dead


def _is_alive(pid: int) -> bool:
    if os.name == "nt":
        return True  # There, signal 0 is not a question.
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
