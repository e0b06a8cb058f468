"""The definitions with a short title and end of the film, for the processes that tests start.

dagster-daemon run -m backblaze_assets_tests.brief -a brief
"""

import dagster as dg

from backblaze_assets.definitions import build_definitions
from backblaze_assets.settings import Settings
from backblaze_assets_tests.project import Brief, Small


def _with(kind: type[Brief]) -> dg.Definitions:
    settings = Settings.from_environment()
    return build_definitions(kind.from_settings(settings), settings)


@dg.definitions
def brief() -> dg.Definitions:
    """Pictures as large as always."""
    return _with(Brief)


@dg.definitions
def small() -> dg.Definitions:
    """Small pictures."""
    return _with(Small)
