"""Dagster's Postgres storage of events, made cheap for runs over thousands of partitions.

Dagster's own stores a batch in few statements only if it holds nothing but materializations, or
nothing but observations; planned events, of which there is one per partition, are stored one by
one. Of a mixed batch it would update an asset's row for the last event only. Here every batch about
assets is one transaction, as with SQLite (`event_log`). Tables, reads and migrations are Dagster's.

What a kill leaves behind: a batch is whole or absent.
"""

from collections.abc import Sequence
from functools import cached_property
from itertools import groupby

import dagster as dg
from dagster._core.storage.event_log import SqlEventLogStorageTable
from dagster_postgres import PostgresEventLogStorage

from backblaze_assets.instance.event_log import DistinctTimes, latest_of_each_type, run_and_kind


class BatchedPostgresEventLog(PostgresEventLogStorage):
    """Dagster's event log in Postgres, except that a batch of asset events is stored as one."""

    @cached_property
    def _times(self) -> DistinctTimes:
        return DistinctTimes()

    def store_event_batch(self, events: Sequence[dg.EventLogEntry]) -> None:
        """Store events in the order given, those about assets in as few transactions as can be."""
        for (_, about_assets), group in groupby(events, run_and_kind):
            if about_assets:
                self._store_asset_events(list(group))
            else:  # planned checks, of which there are few
                for event in group:
                    self.store_event(event)

    def _store_asset_events(self, batch: Sequence[dg.EventLogEntry]) -> None:
        batch = self._times.told_apart(batch)
        # The numbers of two writers interleave, so unlike SQLite's they must be asked for.
        insert = SqlEventLogStorageTable.insert().returning(
            SqlEventLogStorageTable.c.id, sort_by_parameter_order=True
        )
        with self.index_transaction() as connection:
            found = connection.execute(insert, [self._event_to_row(event) for event in batch])
            ids = [row[0] for row in found]
            self._store_asset_event_tags(connection, batch, ids)
            for event, event_id in latest_of_each_type(batch, ids):
                self._store_asset_event(connection, event, event_id)
