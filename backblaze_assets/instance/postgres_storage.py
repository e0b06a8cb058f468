"""The storage that a cluster's `dagster.yaml` names: Dagster's in Postgres, events in batches.

It takes what Dagster's own `postgres` storage takes. Where the installed Dagster is not one that
the batches were tested with, or lacks what they build on, this is Dagster's own storage and nothing
else, and a warning says so. Processes that open an empty database at the same time wait for the one
that makes its tables. Imported only where it is configured; needs the extra `cluster`.
"""

import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import dagster as dg
import sqlalchemy
from dagster_postgres import DagsterPostgresStorage, PostgresEventLogStorage
from dagster_postgres.utils import pg_url_from_config

from backblaze_assets.instance.storage import BATCH_SIZE, ONE_BY_ONE, changed, untested

USED = {
    "index_transaction": ["self"],
    "store_event_batch": ["self", "events"],
    "_event_to_row": ["self", "event"],
    "_store_asset_event": ["self", "conn", "event", "event_id"],
    "_store_asset_event_tags": ["self", "conn", "events", "event_ids"],
}
"""Methods of Dagster's event log that the batches build on, with their parameters."""

LOCK = 0x0B1ACB1A2E
"""Number of the advisory lock that is held while tables are made."""


class Storage(DagsterPostgresStorage):
    """Dagster's Postgres storage for runs, schedules and, in batches, events."""

    def __init__(self, postgres_url: str, *arguments: Any, **more: Any) -> None:  # noqa: ANN401
        url = with_driver(postgres_url)
        reason = unfit()
        with _making_tables(url):
            super().__init__(url, *arguments, **more)
        if reason is None:
            from backblaze_assets.instance.postgres_event_log import BatchedPostgresEventLog

            # The tables are there, or are not to be made.
            self._event_log_storage = BatchedPostgresEventLog(url, should_autocreate_tables=False)
            os.environ.setdefault("DAGSTER_EVENT_BATCH_SIZE", BATCH_SIZE)
        else:
            warnings.warn(f"{reason}; {ONE_BY_ONE}", stacklevel=2)

    @classmethod
    def from_config_value(cls, inst_data: Any, config_value: Mapping[str, Any]) -> "Storage":  # noqa: ANN401
        """The storage that `dagster.yaml` asks for; Dagster's method makes one of its own class.

        Raises:
            dg.DagsterInvariantViolationError: the database is to be entered by tokens.
        """
        if config_value.get("auth_provider"):
            raise dg.DagsterInvariantViolationError(
                "backblaze_assets.instance.postgres_storage enters the database by a password, not "
                "by auth_provider; use `storage: postgres:` of Dagster for that."
            )
        return cls(
            pg_url_from_config(config_value),
            should_autocreate_tables=config_value.get("should_autocreate_tables", True),
            inst_data=inst_data,
        )


def with_driver(url: str) -> str:
    """The address, for the driver that dagster-postgres brings.

    Since version 2.1, SQLAlchemy takes plain postgresql:// for another one.
    """
    scheme, _, rest = url.partition("://")
    return f"postgresql+psycopg2://{rest}" if scheme in ("postgresql", "postgres") else url


@contextmanager
def _making_tables(url: str) -> Iterator[None]:
    """Let one process at a time look whether there are tables, and make them."""
    engine = sqlalchemy.create_engine(url, poolclass=sqlalchemy.pool.NullPool)
    with engine.connect() as connection:  # the lock ends with the connection
        connection.execute(sqlalchemy.text(f"select pg_advisory_lock({LOCK})"))
        yield


def unfit(storage: type[Any] | None = None) -> str | None:
    """Why the batches cannot be used with the installed Dagster, or None if they can.

    Args:
        storage: its event log for Postgres; the installed one unless given.
    """
    reason = untested(dg.__version__)
    if reason is not None:
        return reason
    try:
        import backblaze_assets.instance.postgres_event_log as _  # noqa: F401
    except (ImportError, AttributeError) as error:
        return f"Dagster {dg.__version__} lacks what the batches build on ({error})"
    return changed(storage or PostgresEventLogStorage, USED)
