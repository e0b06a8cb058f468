"""Bringing assets up to date in this process, on the instance that the Dagster UI shows.

Each asset that has something to do gets one run for every unbroken range of partitions. What is up
to date gets none. What cannot be made costs itself and what is made from it, and nothing else.
"""

import os
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import dagster as dg

from backblaze_assets.drive_stats.quarters import quarter_name
from backblaze_assets.errors import DataError
from backblaze_assets.files.atomic import this_process
from backblaze_assets.files.space import NoSpaceError, says_full
from backblaze_assets.graph import GRAPH, upstream_of
from backblaze_assets.instance.opening import is_read_only
from backblaze_assets.instance.run_launcher import COMMAND
from backblaze_assets.lineage.plan import Batch, next_batches
from backblaze_assets.lineage.reasons import complaints
from backblaze_assets.lineage.reuse import RESTORED, TAKEN
from backblaze_assets.lineage.status import Attempt
from backblaze_assets.partitions import Partitioning, day_of
from backblaze_assets.resources import Data
from backblaze_assets.settings import Settings
from backblaze_assets.work.locks import one_at_a_time

NOT_COMPUTED = {
    RESTORED: "brought back, which were replaced before",
    TAKEN: "taken as they are, which another has made",
}
"""What people are told of partitions whose materialization has some metadata."""


@dataclass(frozen=True)
class Ran:
    """One run that was made: its asset, how many partitions, and whether it only checked them."""

    asset: str
    partitions: int
    judge_only: bool = False


def bring_up_to_date(
    instance: dg.DagsterInstance,
    data: Data,
    targets: Iterable[str],
    say: Callable[[str], None] = lambda _: None,
) -> list[Ran]:
    """Materialize what is missing or out of date of `targets` and everything upstream of them.

    The data folder is looked at once, before this. What comes in meanwhile is for the next time.
    No attempt is made twice, so this ends whatever happens in the folder.

    Args:
        instance: where runs and records are kept.
        data: the data folder.
        targets: names of assets.
        say: is told what is about to run.

    Returns:
        The runs that were made, none when everything is up to date.

    Raises:
        DataError: there is nothing to work from, or something could not be made, used or is refused
            by a check; all else is made first.
    """
    data.view.check_not_empty()
    targets = list(targets)
    lineage = data.lineage(instance)
    ran: list[Ran] = []
    errors: list[str] = []
    tried: set[Attempt] = set()

    def batches() -> list[Batch]:
        return next_batches(lineage, targets, tried, refused=True)

    if batches():
        if is_read_only(data.root) or not os.access(data.root, os.W_OK):
            raise DataError(
                f"{data.root} can only be read, and not everything in it is up to date; "
                "`backblaze-assets why` says what. Give --data a folder that can be written to."
            )
        waits = f"Another backblaze-assets is at work in {data.root}; waiting for it."
        with one_at_a_time(data.locks, "update", lambda: say(waits)):
            lineage.forget()
            job = _job(data)
            while todo := batches():
                for batch in todo:
                    say(_sentence(batch))
                    failed, told = _run(instance, job, batch, data.root)
                    errors += failed
                    for line in told:
                        say(line)
                    tried |= batch.attempts
                    ran.append(Ran(batch.assets[0], len(batch.keys), batch.judge_only))
                lineage.forget()
    errors += complaints(lineage, upstream_of(targets))
    if errors:
        raise DataError("\n".join(dict.fromkeys(errors)))
    return ran


def _job(data: Data) -> dg.JobDefinition:
    # Here, because where all is up to date nothing runs, and this brings every asset's libraries.
    from backblaze_assets.definitions import build_definitions

    return build_definitions(data, Settings()).resolve_implicit_global_asset_job_def()


def _run(
    instance: dg.DagsterInstance, job: dg.JobDefinition, batch: Batch, root: Path
) -> tuple[list[str], list[str]]:
    """Make a batch in one run; give what its steps failed of, and what else is to be told."""
    from backblaze_assets.lineage.building import checks_of

    run_id = str(uuid4())
    keys = {dg.AssetKey(asset) for asset in batch.assets}
    if batch.judge_only:
        # Not the blocking ones alone: where a run that failed in part has made something, none of
        # its checks has run, and what they warn of would never be said.
        checks = {check for asset in batch.assets for check in checks_of(asset)}
        subset = job.get_subset(asset_selection=set(), asset_check_selection=checks)
    else:
        subset = job.get_subset(asset_selection=keys)
    interrupt: BaseException | None = None
    try:
        result = subset.execute_in_process(
            instance=instance,
            run_id=run_id,
            raise_on_error=False,
            # The daemon is not to try again what a person has stopped.
            tags={**batch.tags, "dagster/max_retries": "0", COMMAND: this_process()},
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
        )
    except dg.DagsterExecutionInterruptedError as error:  # between steps
        interrupt = error
    if interrupt or _was_interrupted(result):
        # A failure to Dagster, which knows of no request to stop; but a person has stopped it.
        if stopped := instance.get_run_by_id(run_id):
            instance.report_run_canceled(stopped)
        raise KeyboardInterrupt from interrupt
    failed = _failures(result)
    if any(says_full(text, root) for text in failed):
        raise NoSpaceError  # whatever comes next would fail as well
    return failed, [*_reused(result), *_warnings(result)]


def _was_interrupted(result: dg.ExecuteInProcessResult) -> bool:
    """Whether a step of the run has ended by an interrupt."""
    errors = [
        event.step_failure_data.error
        for event in result.filter_events(lambda event: event.is_step_failure)
    ]
    names = {it.cls_name for error in errors if error for it in (error, error.cause) if it}
    return dg.DagsterExecutionInterruptedError.__name__ in names


def _reused(result: dg.ExecuteInProcessResult) -> list[str]:
    """How many partitions of each asset have not been computed, and why."""
    events = result.filter_events(lambda event: event.is_step_materialization)
    counts = Counter(
        (each.asset_key.to_user_string(), how)
        for event in events
        for each in [event.step_materialization_data.materialization]
        for how in NOT_COMPUTED
        if how in each.metadata
    )
    return [f"{count:,} of {asset} {NOT_COMPUTED[how]}" for (asset, how), count in counts.items()]


def _warnings(result: dg.ExecuteInProcessResult) -> list[str]:
    """What the checks of one run warn of; what they find wrong is said in the end."""
    return [
        f"{found.asset_key.to_user_string()}, {found.check_name}: {found.description}"
        for found in result.get_asset_check_evaluations()
        if not found.passed and found.severity is dg.AssetCheckSeverity.WARN
    ]


def _failures(result: dg.ExecuteInProcessResult) -> list[str]:
    """What the steps of one run failed of, blocking checks aside."""
    errors = []
    for event in result.filter_events(lambda event: event.is_step_failure):
        failure = event.step_failure_data
        if failure.user_failure_data and failure.user_failure_data.description:
            errors.append(failure.user_failure_data.description)
        elif failure.error and "CheckFailed" not in str(failure.error.cls_name):
            cause = failure.error.cause or failure.error  # a fault of this program
            errors.append(f"{event.step_key}: {cause.message.strip()}")
    return errors


def _sentence(batch: Batch) -> str:
    """What is about to run, for people."""
    asset = batch.assets[0]
    what = f"checking {asset}" if batch.judge_only else asset
    if batch.keys[0] is None:
        return what
    names = [str(key) for key in batch.keys]
    if GRAPH[asset].partitioning is Partitioning.QUARTERS:
        names = [quarter_name(day_of(key)) for key in batch.keys]
    return f"{what} {names[0]}" + (f" to {names[-1]} ({len(names)})" if len(names) > 1 else "")
