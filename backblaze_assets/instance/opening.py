"""Which Dagster instance is used: one, for this command line, `dagster`, `dg` and the daemon.

It is kept in the folder `dagster` below the data folder, unless the user has set DAGSTER_HOME.
Dagster's own commands find it through `dagster.yaml` and `.env` of the folder where they are run.
This command line works in any folder: it writes the same settings, which the package carries, to
`dagster.yaml` in the instance's folder and uses that as DAGSTER_HOME.
"""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
from dagster._core.instance.ref import InstanceRef

from backblaze_assets.errors import DataError
from backblaze_assets.files.atomic import write_atomic
from backblaze_assets.instance.run_launcher import fail_dead_runs

SETTINGS = Path(__file__).parents[2] / "dagster.yaml"
"""The instance's settings, the same as in `dagster.yaml` of the repository."""

BATCH_SIZE = "1000"
"""Events that Dagster hands to the event log at once, unless DAGSTER_EVENT_BATCH_SIZE is set."""

_NO_COMPUTE_LOGS = {
    "module": "dagster._core.storage.noop_compute_log_manager",
    "class": "NoOpComputeLogManager",
}


def home(data: Path) -> Path:
    """The instance's folder: DAGSTER_HOME if that is set, else `dagster` in the data folder."""
    return Path(os.environ.get("DAGSTER_HOME") or data.absolute() / "dagster")


def environment(data: Path) -> dict[str, str]:
    """The environment for a child process whose Dagster is to use the instance of `data`.

    The instance's folder is made ready.

    Raises:
        DataError: DAGSTER_HOME is not a folder.
    """
    return {
        "DAGSTER_EVENT_BATCH_SIZE": BATCH_SIZE,
        **os.environ,
        "BACKBLAZE_DATA": str(data.absolute()),
        "DAGSTER_HOME": str(_prepared(data)),
    }


@contextmanager
def open_instance(data: Path) -> Iterator[dg.DagsterInstance]:
    """The instance of `data`, for runs in this process.

    Runs whose process has been killed are marked as failed first, so that nothing waits for them.
    What steps print goes to the terminal as it is: Dagster would send it through processes of its
    own, which complain there when Ctrl-C ends them too.

    Raises:
        DataError: DAGSTER_HOME is not a folder.
    """
    folder = _prepared(data)
    os.environ.setdefault("DAGSTER_EVENT_BATCH_SIZE", BATCH_SIZE)
    ref = InstanceRef.from_dir(str(folder), overrides={"compute_logs": _NO_COMPUTE_LOGS})
    with dg.DagsterInstance.from_ref(ref) as instance:
        fail_dead_runs(instance)
        yield instance


def _prepared(data: Path) -> Path:
    """The instance's folder, with its settings unless it is the user's own."""
    folder = home(data)
    if os.environ.get("DAGSTER_HOME"):
        if not (folder.is_absolute() and folder.is_dir()):
            raise DataError(
                f"DAGSTER_HOME is {folder}, which is not the absolute path of a folder. "
                "Create it, or unset DAGSTER_HOME to keep the records in the data folder."
            )
        return folder
    settings = folder / "dagster.yaml"
    text = _with_paths(_rules().read_text(encoding="utf-8"), folder)
    if not settings.exists() or settings.read_text(encoding="utf-8") != text:
        write_atomic(settings, text.encode())
    return folder


def _rules() -> Path:
    """The settings to use: those of the current folder, as for Dagster, else the package's."""
    local = Path("dagster.yaml")
    return local if local.is_file() else SETTINGS


def _with_paths(settings: str, folder: Path) -> str:
    """The settings with the paths in place of the variables that `.env` sets."""
    paths = {"BACKBLAZE_INSTANCE": folder, "BACKBLAZE_LOGS": folder / "storage"}
    for name, path in paths.items():
        settings = settings.replace(f"{{env: {name}}}", json.dumps(str(path)))
    return f"# Written by backblaze-assets; changes will be lost.\n{settings}"
