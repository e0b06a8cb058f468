"""Schedules: looking for newly published quarters, and making by night what there is to do."""

import dagster as dg
from dagster._core.definitions.assets.job.asset_job import IMPLICIT_ASSET_JOB_NAME

from backblaze_assets.automation.agenda import Agenda
from backblaze_assets.drive_stats.archive import find_archives
from backblaze_assets.drive_stats.download import download, published_since
from backblaze_assets.drive_stats.quarters import next_quarter, quarter_name
from backblaze_assets.lineage.ranges import range_tags, unbroken
from backblaze_assets.lineage.rules import BLOCKING, RULES, Key
from backblaze_assets.lineage.tracing import refusals
from backblaze_assets.resources import Data
from backblaze_assets.work.progress import Lines, listening

ACTIVE = [
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


@dg.op(
    pool="download",
    # A host that is down is back in minutes or hours: after 5, 10, 20 and 40 minutes.
    retry_policy=dg.RetryPolicy(max_retries=4, delay=300, backoff=dg.Backoff.EXPONENTIAL),
)
def fetch_new_quarters(context: dg.OpExecutionContext, data: Data) -> None:
    """Download what was published after the newest zip in the data folder, and nothing older."""
    present = find_archives(data.folder.root)
    if not present:
        context.log.info(
            f"There are no zips in {data.root}, so there is no newest one to go on from. "
            "`backblaze-assets download 2021-Q2` fetches a first one."
        )
        return
    newest = max(present)
    names = published_since(next_quarter(newest), base_url=data.url)
    if not names:
        context.log.info(f"Nothing is published yet after {quarter_name(newest)}.")
        return
    with listening(Lines(context.log.info)):
        for fetched in download(names, data.folder.root, base_url=data.url):
            context.log.info(str(fetched))


@dg.job(description="Downloads the quarters that have been published since the newest zip.")
def download_new_quarters() -> None:
    """One step; see the op."""
    fetch_new_quarters()


def download_schedule(*, on: bool) -> dg.ScheduleDefinition:
    """Every morning one question to the host; a quarter is published weeks after its end."""
    status = dg.DefaultScheduleStatus
    return dg.ScheduleDefinition(
        name="look_for_new_quarters",
        job=download_new_quarters,
        cron_schedule="0 6 * * *",
        default_status=status.RUNNING if on else status.STOPPED,
    )


def nightly_schedule(data: Data, limit: int) -> dg.ScheduleDefinition:
    """Every quarter of an hour of the night, up to `limit` partitions of what there is to do.

    It is off by default, because the sensors do the same at once. It is for those who would rather
    have the machine for themselves by day: switch the sensors off, and this on. And it tries again
    what has failed, once a night, which the sensors do not.
    """

    @dg.schedule(
        name="fill_by_night",
        job_name=IMPLICIT_ASSET_JOB_NAME,  # a job of ours could not have both quarters and days
        cron_schedule="*/15 0-5 * * *",
        default_status=dg.DefaultScheduleStatus.STOPPED,
        description=f"Materializes what is missing or out of date, {limit:,} partitions at a time.",
    )
    def fill_by_night(
        context: dg.ScheduleEvaluationContext,
    ) -> list[dg.RunRequest] | dg.SkipReason:
        if context.instance.get_runs_count(dg.RunsFilter(statuses=ACTIVE)):
            return dg.SkipReason("Runs are at work; what they leave is for the next time.")
        agenda = Agenda(data.lineage(context.instance), context.instance)
        pieces = _bounded(agenda, limit)
        night = context.scheduled_execution_time.date()
        if not pieces:
            refused = refusals(agenda.lineage, list(BLOCKING))
            return dg.SkipReason("\n".join(refused) or "Everything is up to date.")
        return [
            dg.RunRequest(
                run_key=f"{night} {asset} {keys[0]} {keys[-1]}",
                asset_selection=[dg.AssetKey(asset)],
                tags=range_tags(keys),
            )
            for asset, keys in pieces
        ]

    return fill_by_night


def _bounded(agenda: Agenda, limit: int) -> list[tuple[str, list[Key]]]:
    """For each asset that has something to do, one unbroken range, together at most `limit`.

    What failed last time comes after everything else, so that it does not stand in the way.
    """
    pieces: list[tuple[str, list[Key]]] = []
    for asset in RULES:
        ready, failed = agenda.ready(asset), agenda.failed(asset)
        fresh = [key for key in ready if key not in failed]
        if (keys := fresh or ready) and limit > 0:
            pieces.append((asset, unbroken(asset, keys)[0][:limit]))
            limit -= len(pieces[-1][1])
    return pieces
