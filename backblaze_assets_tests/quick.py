"""What Dagster does anew for every run and every look at its records, done once a process.

The tests make thousands of runs in one process, and a third of their time went there. Programs
that tests start know nothing of this, so Dagster as it is is tested as well.
"""

from functools import cache, lru_cache
from typing import Any

from alembic.script import ScriptDirectory
from dagster import TimeWindowPartitionsDefinition
from dagster._core.storage.event_log.sqlite import sqlite_event_log
from dagster._core.storage.runs.sqlite import sqlite_run_storage
from dagster._core.storage.schedules.sqlite import sqlite_schedule_storage


def make_dagster_quick() -> None:
    """Change Dagster in this process, once."""
    _read_migrations_once()
    _keep_engines()
    _count_from_the_same_now()


def _read_migrations_once() -> None:
    """Dagster reads the code of all its migrations twice for every run, which has a database."""
    read = ScriptDirectory.from_config

    @cache
    def kept(_: str | None, config: Any) -> ScriptDirectory:
        return read(config)

    def from_config(config: Any) -> ScriptDirectory:
        return kept(config.get_main_option("script_location"), config)

    ScriptDirectory.from_config = from_config  # type: ignore[method-assign]


def _keep_engines() -> None:
    """Engines of SQLite hold no connection, but the SQL of all statements they have sent."""
    for module in (sqlite_event_log, sqlite_run_storage, sqlite_schedule_storage):
        make = module.create_engine

        @lru_cache(maxsize=200)
        def kept(address: str, pool: Any, arguments: Any, make: Any = make) -> Any:
            return make(address, poolclass=pool, connect_args=dict(arguments))

        def create_engine(address: str, poolclass: Any, connect_args: Any = (), kept=kept) -> Any:
            return kept(address, poolclass, tuple(dict(connect_args).items()))

        module.create_engine = create_engine  # type: ignore[attr-defined]


def _count_from_the_same_now() -> None:
    """Dagster counts days back from now to the last partition, and remembers it for one now."""
    now = TimeWindowPartitionsDefinition._get_current_timestamp

    def this_minute(self: TimeWindowPartitionsDefinition) -> float:
        return now(self) // 60 * 60

    TimeWindowPartitionsDefinition._get_current_timestamp = this_minute  # type: ignore[method-assign]
