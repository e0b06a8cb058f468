"""Dagster's launcher of runs on Celery workers, which also notices when a whole worker is gone.

When a worker's child is killed, Celery says so. When the worker itself is, or its machine, nobody
does: the run would count as running for ever, and hold its place in the queue. Here Dagster's run
monitoring asks the worker that began a run whether it is still at it; if not, the run has failed,
and `run_retries` brings it to another worker.

Only for workers that answer while they work (`--pool prefork`, Celery's default): one with
`--pool solo` is deaf until its run has ended, so it takes Dagster's own launcher.
"""

import dagster as dg

# Unguarded, as dagster_celery itself needs them.
from dagster._core.launcher import CheckRunHealthResult, WorkerStatus
from dagster_celery.launcher import CeleryRunLauncher
from dagster_celery.tags import DAGSTER_CELERY_TASK_ID_TAG

from backblaze_assets.instance.run_launcher import is_of_dead_command

PATIENCE_S = (2, 4, 8)
"""Seconds to wait for a worker's answer, at each attempt: a busy network is not a dead worker."""


class WatchfulCeleryRunLauncher(CeleryRunLauncher):
    """Asks the worker that started a run's task whether it is still at it."""

    def check_run_worker_health(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        """Whether somebody works on a started run, as far as can be known."""
        task_id = run.tags.get(DAGSTER_CELERY_TASK_ID_TAG)
        if is_of_dead_command(run):
            return CheckRunHealthResult(WorkerStatus.FAILED, "the command line was killed")
        if task_id is None:  # of a command line, or handed to Celery this moment
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        health = super().check_run_worker_health(run)
        if health.status == WorkerStatus.SUCCESS:
            return self._ended(run)
        if health.status != WorkerStatus.RUNNING:
            return health
        began = self.celery.AsyncResult(task_id).info
        worker = began.get("hostname") if isinstance(began, dict) else None
        if worker is None or self._works_on(worker, task_id):
            return health
        # It may have ended between the two questions.
        health = super().check_run_worker_health(run)
        if health.status == WorkerStatus.SUCCESS:
            return self._ended(run)
        if health.status != WorkerStatus.RUNNING:
            return health
        return CheckRunHealthResult(WorkerStatus.FAILED, f"worker {worker} does not work on it")

    def _ended(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        """What the end of a task says: it ends well, too, when it could not reach the records."""
        now = self._instance.get_run_by_id(run.run_id)
        if now is None or now.is_finished:
            return CheckRunHealthResult(WorkerStatus.SUCCESS)
        return CheckRunHealthResult(
            WorkerStatus.FAILED, "its task has ended without a record of how the run ended"
        )

    def _works_on(self, worker: str, task_id: str) -> bool:
        for seconds in PATIENCE_S:
            answer = self.celery.control.inspect([worker], timeout=seconds).active()
            if answer is not None:  # None: it said nothing
                return any(task["id"] == task_id for task in answer.get(worker, []))
        return False
