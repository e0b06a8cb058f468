"""What Dagster sees, on one screen."""

import dagster as dg

from backblaze_assets.assets.afr_table import afr_table
from backblaze_assets.assets.daily_stats import daily_stats
from backblaze_assets.assets.drive_lifetimes import drive_lifetimes
from backblaze_assets.assets.film_layout import film_layout
from backblaze_assets.assets.frames import frames
from backblaze_assets.assets.movie import movie
from backblaze_assets.assets.movie_clip import movie_clip
from backblaze_assets.assets.raw_quarter import raw_quarter
from backblaze_assets.automation.following import follow_inputs, follow_inputs_sensor
from backblaze_assets.automation.new_zips import new_zips_sensor
from backblaze_assets.automation.schedules import download_schedule, nightly_schedule
from backblaze_assets.checks import ASSET_CHECKS
from backblaze_assets.resources import Data
from backblaze_assets.settings import Settings

ASSETS = [
    raw_quarter,
    daily_stats,
    drive_lifetimes,
    afr_table,
    film_layout,
    frames,
    movie_clip,
    movie,
]


def build_definitions(settings: Settings) -> dg.Definitions:
    """All definitions, for the data folder and the film of `settings`."""
    data = Data.from_settings(settings)
    return dg.Definitions(
        assets=follow_inputs(ASSETS, data),
        asset_checks=ASSET_CHECKS,
        sensors=[new_zips_sensor(data), follow_inputs_sensor()],
        schedules=[
            download_schedule(on=settings.download),
            nightly_schedule(data, settings.partitions_per_tick),
        ],
        resources={"data": data},
        # Each step works in parallel inside, so steps need no processes of their own.
        executor=dg.in_process_executor,
    )


defs = build_definitions(Settings.from_environment())
