"""The definitions with a short title and end of the film, for the processes that tests start."""

import dagster as dg

from backblaze_assets.definitions import build_definitions
from backblaze_assets.settings import Settings
from backblaze_assets_tests.project import Brief


@dg.definitions
def defs() -> dg.Definitions:
    settings = Settings.from_environment()
    return build_definitions(Brief.from_settings(settings), settings)
