"""Dagster's SQLite storage, made cheap for runs over thousands of partitions.

Dagster writes two events per partition, one when a run is created and one when its step ends, and
its SQLite storage gives each of them a connection and a transaction of its own, twice: in the
run's own file, and in the index over all runs. The supported setting DAGSTER_EVENT_BATCH_SIZE makes
Dagster hand over events in batches, but its SQLite storage takes the batches apart again. The one
thing changed here is that it no longer does: a batch is one transaction in each of the two files.
Tables, files, reads and migrations are Dagster's own, so an instance can go back and forth between
this storage and the default one.

What a kill leaves behind: nothing is committed before all is written, and the run's file is
committed first, as Dagster does it. So a batch is whole or absent in each file, and in the worst
case a run's log shows materializations of which the index knows nothing, so that these partitions
count as missing. Connections are closed after each use, so a daemon keeps no files open.
"""

import threading
from collections.abc import Iterable, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import dagster as dg
import sqlalchemy
from dagster._core.events import ASSET_EVENTS
from dagster._core.storage.event_log import SqlEventLogStorageTable, SqliteEventLogStorage

from backblaze_assets.files.space import NoSpaceError, lacks_space


class BatchedEventLog(SqliteEventLogStorage):
    """Dagster's event log in SQLite, except that a batch of asset events is stored as one."""

    def __init__(self, base_dir: str, inst_data: Any = None) -> None:  # noqa: ANN401
        super().__init__(base_dir, inst_data)
        self._folder = Path(base_dir)
        self._times = DistinctTimes()
        # A batch holds the connections to both files at once, where Dagster takes one at a time.
        self._db_lock = threading.RLock()  # type: ignore[assignment]

    def store_event_batch(self, events: Sequence[dg.EventLogEntry]) -> None:
        """Store events in the order given, those about assets in as few transactions as can be."""
        try:
            for (run_id, about_assets), group in groupby(events, run_and_kind):
                if about_assets:
                    self._store_asset_events(run_id, list(group))
                else:  # planned checks, of which there are few
                    for event in group:
                        self.store_event(event)
        except sqlalchemy.exc.DBAPIError as error:
            if lacks_space(error, self._folder):
                raise NoSpaceError from error
            raise

    def _store_asset_events(self, run_id: str, batch: Sequence[dg.EventLogEntry]) -> None:
        batch = self._times.told_apart(batch)
        rows = [self._event_to_row(event) for event in batch]
        insert = SqlEventLogStorageTable.insert()
        newest = sqlalchemy.select(sqlalchemy.func.max(SqlEventLogStorageTable.c.id))
        with self.index_transaction() as index, self.run_connection(run_id) as run:
            index.execute(insert, rows)
            # SQLite numbers the rows of one transaction in sequence, there being one writer.
            last = index.execute(newest).scalar_one()
            ids = range(last - len(rows) + 1, last + 1)
            self._store_asset_event_tags(index, batch, ids)
            for event, event_id in latest_of_each_type(batch, ids):
                self._store_asset_event(index, event, event_id)
            run.execute(insert, rows)


class DistinctTimes:
    """Sees that of the materializations of an asset no two carry the same millisecond.

    Dagster's UI takes events of an asset with the same millisecond for one, and of a run that
    stores three in each it would list every third day only. So an event may get a time that lies
    ahead: by less than a millisecond for each event of its run.
    """

    def __init__(self) -> None:
        self._last: dict[dg.AssetKey | None, int] = {}

    def told_apart(self, batch: Sequence[dg.EventLogEntry]) -> list[dg.EventLogEntry]:
        """The same events, in order, their times told apart."""
        return [self._after_the_last(event) for event in batch]

    def _after_the_last(self, event: dg.EventLogEntry) -> dg.EventLogEntry:
        if event.dagster_event_type is not dg.DagsterEventType.ASSET_MATERIALIZATION:
            return event
        asset = event.get_dagster_event().asset_key
        now = int(event.timestamp * 1000)
        last = self._last.get(asset, 0)
        self._last[asset] = max(now, last + 1)
        # In the middle of the millisecond, where no rounding leads out of it.
        return event if now > last else event._replace(timestamp=(last + 1.5) / 1000)


def run_and_kind(event: dg.EventLogEntry) -> tuple[str, bool]:
    """The run's id, and whether the event goes into the index as one about an asset."""
    return event.run_id, event.dagster_event_type in ASSET_EVENTS


def latest_of_each_type(
    batch: Sequence[dg.EventLogEntry], ids: Sequence[int]
) -> Iterable[tuple[dg.EventLogEntry, int]]:
    """The last event of each asset and type, with its number.

    An asset's row tells its latest events, so these are enough to bring it up to date.
    """
    latest = {
        (event.get_dagster_event().asset_key, event.dagster_event_type): (event, event_id)
        for event, event_id in zip(batch, ids, strict=True)
    }
    return latest.values()
