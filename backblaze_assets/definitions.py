"""What Dagster sees, assembled from the graph: assets, checks, automation."""

import dagster as dg

from backblaze_assets.automation.keep_up_to_date import keep_up_to_date_sensor
from backblaze_assets.automation.schedules import download_schedule, nightly_schedule
from backblaze_assets.drive_stats.archive import quarters_of
from backblaze_assets.lineage.building import build_assets, build_checks
from backblaze_assets.partitions import Calendar
from backblaze_assets.resources import Data
from backblaze_assets.settings import Settings


def build_definitions(data: Data, settings: Settings) -> dg.Definitions:
    """All definitions for a data folder, with partitions for the data that it has.

    A folder without data gets the partitions of all that is published.
    """
    calendar = data.view.calendar if data.view.calendar.quarters else published_history()
    return dg.Definitions(
        assets=build_assets(calendar, data.days_per_run),
        asset_checks=build_checks(calendar),
        sensors=[keep_up_to_date_sensor(data, settings.port)],
        schedules=[
            download_schedule(on=settings.download),
            nightly_schedule(data, settings.partitions_per_tick),
        ],
        resources={"data": data},
        # Each step works in parallel inside, so steps need no processes of their own.
        executor=dg.in_process_executor,
    )


def published_history() -> Calendar:
    """The quarters that Backblaze has published, as far as this version knows."""
    # Loads a client for HTTP, which no run needs.
    from backblaze_assets.drive_stats.download import known_archives

    quarters = [quarter for name in known_archives() for quarter in quarters_of(name)]
    return Calendar.published(max(quarters))


@dg.definitions
def defs() -> dg.Definitions:
    """The definitions for the settings of this process; what is wrong with them is said here."""
    settings = Settings.from_environment()
    return build_definitions(Data.from_settings(settings), settings)
