"""Having the UI load the definitions anew, when there are data beyond the partitions it shows.

Runs load the definitions themselves, so they do not depend on it; only what is shown does.
"""

TIMEOUT_S = 40
"""Dagster gives a tick of a sensor 60 seconds."""

RELOAD = """mutation($name: String!) { reloadRepositoryLocation(repositoryLocationName: $name) {
    ... on WorkspaceLocationEntry { locationOrLoadError { __typename } } } }"""


def reload_definitions(port: int, location: str) -> bool:
    """Ask the UI on this machine to load a code location anew; say whether it has.

    Args:
        port: where the UI listens.
        location: name of the code location.
    """
    import httpx  # which every run would load with the definitions, for nothing

    try:
        # A proxy that the environment may name does not lead to this machine.
        answer = httpx.post(
            f"http://127.0.0.1:{port}/graphql",
            json={"query": RELOAD, "variables": {"name": location}},
            timeout=TIMEOUT_S,
            trust_env=False,
        )
        answer.raise_for_status()
        done = answer.json()["data"]["reloadRepositoryLocation"]
        return bool(done["locationOrLoadError"]["__typename"] == "RepositoryLocation")
    except (httpx.HTTPError, ValueError, KeyError, TypeError):
        return False
