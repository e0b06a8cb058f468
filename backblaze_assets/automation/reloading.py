"""Having the UI load the definitions anew, when there are data beyond the partitions it shows.

Runs load the definitions themselves, so they do not depend on it; only what is shown does.
"""

import httpx
from dagster_graphql import (
    DagsterGraphQLClient,
    DagsterGraphQLClientError,
    ReloadRepositoryLocationStatus,
)

TIMEOUT_S = 40
"""Dagster gives a tick of a sensor 60 seconds."""


def reload_definitions(port: int, location: str) -> bool:
    """Ask the UI on this machine to load a code location anew; say whether it has.

    Args:
        port: where the UI listens.
        location: name of the code location.
    """
    try:
        httpx.get(f"http://127.0.0.1:{port}/server_info", timeout=5).raise_for_status()
        client = DagsterGraphQLClient("127.0.0.1", port_number=port, timeout=TIMEOUT_S)
        done = client.reload_repository_location(location)
    except (httpx.HTTPError, DagsterGraphQLClientError, OSError):
        return False
    return done.status is ReloadRepositoryLocationStatus.SUCCESS
