"""What Dagster does anew for every run and every look at its records, done once a process.

The tests make thousands of runs in one process, and more than a third of their time went there. Of
the programs that tests start, `program.py` does the same, and so does `kills.py`, whose databases
are as always without `--quick`. All others know nothing of this: Dagster as it is is tested too.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import sqlalchemy
from alembic.script import ScriptDirectory
from dagster import TimeWindowPartitionsDefinition
from dagster._core.storage.event_log.sqlite import sqlite_event_log
from dagster._core.storage.runs.sqlite import sqlite_run_storage
from dagster._core.storage.schedules.sqlite import sqlite_schedule_storage
from sqlalchemy import event
from sqlalchemy.engine import Engine
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.pool import QueuePool

DATABASES: tuple[Any, ...] = (sqlite_event_log, sqlite_run_storage, sqlite_schedule_storage)
"""Modules of Dagster that open databases, each by its name `create_engine`."""

MOST_KEPT = 40
"""Databases that are open; each run has one of its own."""

_KEPT: dict[str, Engine] = {}


def make_dagster_quick(*, databases: bool = True) -> None:
    """Change Dagster in this process, once.

    Args:
        databases: whether the way it uses databases is changed as well.
    """
    _read_migrations_once()
    _count_from_the_same_now()
    if databases:
        _keep_connections()


def _read_migrations_once() -> None:
    """Dagster reads the code of all its migrations twice for every run, which has a database."""
    read = ScriptDirectory.from_config

    @cache
    def kept(_: str | None, config: Any) -> ScriptDirectory:
        return read(config)

    def from_config(config: Any) -> ScriptDirectory:
        return kept(config.get_main_option("script_location"), config)

    ScriptDirectory.from_config = from_config  # type: ignore[method-assign]


def _keep_connections() -> None:
    """Dagster opens and closes a database for each statement, and waits for the disk each time."""

    def create_engine(address: str, **arguments: Any) -> Engine:
        if address not in _KEPT:
            if len(_KEPT) == MOST_KEPT:
                Engine.dispose(_KEPT.pop(next(iter(_KEPT))))
            _KEPT[address] = _kept(address, arguments.get("connect_args", {}))
        return _KEPT[address]

    for module in DATABASES:
        module.create_engine = create_engine


def _kept(address: str, arguments: Mapping[str, Any]) -> Engine:
    """An engine whose connections stay open, as long as the file is the one that they opened."""
    path = Path(address.removeprefix("sqlite:///"))
    arguments = {**arguments, "check_same_thread": False}
    engine = sqlalchemy.create_engine(address, poolclass=QueuePool, connect_args=arguments)

    def connected(connection: Any, record: Any) -> None:
        # What a killed process has written is there; only a crash of the machine would lose it.
        connection.execute("PRAGMA synchronous=OFF")
        record.info["file"] = _file(path)

    def taken(_: Any, record: Any, __: Any) -> None:
        if record.info["file"] != _file(path):
            raise DisconnectionError

    event.listen(engine, "connect", connected)
    event.listen(engine, "checkout", taken)
    engine.dispose = lambda: None  # type: ignore[method-assign]
    return engine


def _file(path: Path) -> int | None:
    return path.stat().st_ino if path.exists() else None


def close_databases() -> None:
    """Close the connections that are kept; somebody else may want to copy or delete the files."""
    while _KEPT:
        Engine.dispose(_KEPT.popitem()[1])


@contextmanager
def no_connection_kept() -> Iterator[None]:
    """Inside the block Dagster does as always."""
    close_databases()
    kept = [module.create_engine for module in DATABASES]
    for module in DATABASES:
        module.create_engine = sqlalchemy.create_engine
    try:
        yield
    finally:
        for module, create_engine in zip(DATABASES, kept, strict=True):
            module.create_engine = create_engine


def _count_from_the_same_now() -> None:
    """Dagster counts days back from now to the last partition, and remembers it for one now."""
    now = TimeWindowPartitionsDefinition._get_current_timestamp

    def this_minute(self: TimeWindowPartitionsDefinition) -> float:
        return now(self) // 60 * 60

    TimeWindowPartitionsDefinition._get_current_timestamp = this_minute  # type: ignore[method-assign]
