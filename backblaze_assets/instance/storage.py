"""The storage that `dagster.yaml` names: Dagster's SQLite storage, with events in batches.

Where the installed Dagster is not one that the batches were tested with, or lacks what they build
on, this is Dagster's own storage and nothing else, and a warning says so. Processes that open a new
instance at the same time wait for the one that makes its databases: left to themselves, they damage
them.
"""

import inspect
import os
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import dagster
import filelock

# Without this class there is no SQLite storage at all; dagster.yaml can name no other.
from dagster._core.storage.sqlite_storage import DagsterSqliteStorage

TESTED = "1.13."
"""Versions of Dagster with which the batches have been tested start with this."""

USED = {
    "run_connection": ["self", "run_id"],
    "index_transaction": ["self"],
    "store_event_batch": ["self", "events"],
    "_event_to_row": ["self", "event"],
    "_store_asset_event": ["self", "conn", "event", "event_id"],
    "_store_asset_event_tags": ["self", "conn", "events", "event_ids"],
}
"""Methods of Dagster's storage that the batches build on, with their parameters."""

ONE_BY_ONE = (
    "events of partitions are stored one by one, which is slow for thousands of partitions."
)
"""What comes of it where the batches cannot be used."""

BATCH_SIZE = "1000"
"""Events that Dagster hands over at once, unless DAGSTER_EVENT_BATCH_SIZE is set."""


class Storage(DagsterSqliteStorage):
    """Dagster's SQLite storage for runs, schedules and, in batches, events."""

    def __init__(self, base_dir: str, inst_data: Any = None) -> None:  # noqa: ANN401
        reason = unfit()
        Path(base_dir).mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(Path(base_dir) / "storage.lock"):
            super().__init__(base_dir, inst_data)
            if reason is None:
                from backblaze_assets.instance.event_log import BatchedEventLog

                self._event_log_storage = BatchedEventLog(str(Path(base_dir, "history", "runs")))
                os.environ.setdefault("DAGSTER_EVENT_BATCH_SIZE", BATCH_SIZE)
        if reason is not None:
            warnings.warn(
                f"{reason}; {ONE_BY_ONE}",
                stacklevel=2,
            )

    @classmethod
    def from_config_value(cls, inst_data: Any, config_value: Mapping[str, Any]) -> "Storage":  # noqa: ANN401
        """The storage that `dagster.yaml` asks for; Dagster's method makes one of its own class."""
        return cls.from_local(inst_data=inst_data, **config_value)


def unfit(version: str = dagster.__version__, storage: type[Any] | None = None) -> str | None:
    """Why the batches cannot be used with the installed Dagster, or None if they can.

    Args:
        version: of Dagster.
        storage: its event log for SQLite; the installed one unless given.
    """
    reason = untested(version)
    if reason is not None:
        return reason
    try:
        from backblaze_assets.instance.event_log import BatchedEventLog
    except (ImportError, AttributeError) as error:
        return f"Dagster {version} lacks what the batches build on ({error})"
    return changed(storage or BatchedEventLog.__bases__[0], USED)


def untested(version: str) -> str | None:
    """What is to be said of a version of Dagster with which no batches were tested."""
    if version.startswith(TESTED):
        return None
    return f"Dagster {version} is not one of {TESTED}*, with which batches were tested"


def changed(storage: type[Any], used: Mapping[str, list[str]]) -> str | None:
    """What is to be said of a storage whose methods are not those with these parameters."""
    for name, parameters in used.items():
        method = getattr(storage, name, None)
        if method is None or list(inspect.signature(method).parameters) != parameters:
            return f"{storage.__name__}.{name} of Dagster {dagster.__version__} is not as tested"
    return None
