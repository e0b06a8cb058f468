"""Schedules: looking for newly published quarters, and making by night what there is to do."""

import dagster as dg

from backblaze_assets.automation.requests import agenda, is_at_work
from backblaze_assets.drive_stats.quarters import next_quarter, quarter_name
from backblaze_assets.graph import GRAPH
from backblaze_assets.instance.asset_job import implicit_asset_job
from backblaze_assets.lineage.reasons import complaints
from backblaze_assets.resources import Data
from backblaze_assets.work.progress import Lines, listening


@dg.op(
    # A host that is down is back in minutes or hours: after 5, 10, 20 and 40 minutes.
    retry_policy=dg.RetryPolicy(max_retries=4, delay=300, backoff=dg.Backoff.EXPONENTIAL),
)
def fetch_new_quarters(context: dg.OpExecutionContext, data: dg.ResourceParam[Data]) -> None:
    """Download what was published after the newest zip in the data folder, and nothing older."""
    # Loads a client for HTTP, which every run would load with the definitions, for nothing.
    from backblaze_assets.drive_stats.download import download, published_since

    present = data.seen_anew().view.calendar.quarters
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
    data.folder.publish(data.folder.root / name for name in names)


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

    It is off by default, because the sensor does the same at once. It is for those who would rather
    have the machine for themselves by day: switch the sensor off, and this on. And it tries again
    what has failed, once a night, which the sensor does not.
    """

    @dg.schedule(
        job_name=implicit_asset_job(),
        cron_schedule="*/15 0-5 * * *",
        default_status=dg.DefaultScheduleStatus.STOPPED,
        description=f"Materializes what is missing or out of date, {limit:,} partitions at a time.",
    )
    def fill_by_night(
        context: dg.ScheduleEvaluationContext,
    ) -> list[dg.RunRequest] | dg.SkipReason:
        if is_at_work(context.instance):
            return dg.SkipReason("Runs are at work; what they leave is for the next time.")
        lineage = data.seen_anew().lineage(context.instance)
        night = str(context.scheduled_execution_time.date())
        found = agenda(lineage, context.instance, night, limit, data.days_per_run)
        if found.requests:
            return found.requests
        problems = complaints(lineage, list(GRAPH))
        if found.failed:
            problems.append("What could not be made is tried again tomorrow; see the last runs.")
        return dg.SkipReason("\n".join(problems) or "Everything is up to date.")

    return fill_by_night
