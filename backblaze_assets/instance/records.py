"""The latest materialization of every partition of an asset, and what its checks have found.

Asking Dagster for thousands of materializations is slow, because it builds objects for every
metadata entry of each. Here the plain values are taken from the stored JSON, which is several
times faster. Where events are not stored as expected, they are read through Dagster's public call.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import dagster as dg

CHUNK = 5000
"""Records to ask for at once; Dagster hands out at most 10,000."""

PAGE = 25
"""Evaluations of a check that are read at once, the latest first."""

LOOKED_AT = "looked_at"
"""Metadata of the evaluation of a check: what it looked at, see `Evaluation`."""

AT_FAULT = "partitions_at_fault"
"""Metadata of a failed evaluation: those of its partitions that are to blame, where it can tell."""

PLAIN = {
    "BoolMetadataEntryData": "value",
    "FloatMetadataEntryData": "value",
    "IntMetadataEntryData": "value",
    "JsonMetadataEntryData": "data",
    "MarkdownMetadataEntryData": "md_str",
    "PathMetadataEntryData": "path",
    "TextMetadataEntryData": "text",
    "TimestampMetadataValue": "value",
    "UrlMetadataEntryData": "url",
}
"""Metadata with a plain value: the class as stored, and where it holds its value."""


@dataclass(frozen=True)
class Record:
    """One materialization event.

    Attributes:
        storage_id: its number in the event log; later events have higher ones.
        partition: the partition's key, None without partitions.
        run_id: the run.
        timestamp: seconds since 1970, for people.
        metadata: numbers, texts, paths and JSON by name; tables and the like are left out.
    """

    storage_id: int
    partition: str | None
    run_id: str
    timestamp: float
    metadata: Mapping[str, Any]


@dataclass(frozen=True)
class Evaluation:
    """One evaluation of a check.

    Attributes:
        check: the check's name.
        passed: whether it passed; a failure that is only a warning counts as passed.
        description: what it has found.
        first, last: the range of partitions that it looked at; empty without partitions.
        newest: the highest number in the event log among the materializations that it looked at.
        at_fault: partitions that are to blame for a failure; none where it does not tell.
    """

    check: str
    passed: bool
    description: str
    first: str
    last: str
    newest: int
    at_fault: frozenset[str]

    def saw(self, partition: str | None, storage_id: int) -> bool:
        """Whether it looked at this materialization of a partition."""
        return self.first <= (partition or "") <= self.last and storage_id <= self.newest

    def refuses(self, partition: str | None) -> bool:
        """Whether a partition that it looked at is, or may be, to blame for its failure."""
        return not self.passed and (not self.at_fault or partition in self.at_fault)


def evaluations(
    instance: dg.DagsterInstance, asset: dg.AssetKey, check: str
) -> Iterator[Evaluation]:
    """Evaluations of a check, the latest first; read from the instance as far as they are used.

    Those of other projects, which do not say what they looked at, are passed over.
    """
    cursor: int | None = None
    key = dg.AssetCheckKey(asset, check)
    while True:
        page = instance.event_log_storage.get_asset_check_execution_history(
            key, limit=PAGE, cursor=cursor
        )
        for record in page:
            event = record.event and record.event.dagster_event
            if event is None or event.event_type is not dg.DagsterEventType.ASSET_CHECK_EVALUATION:
                continue  # planned by a run that has not come to it, or never will
            found = cast("dg.AssetCheckEvaluation", event.event_specific_data)
            looked_at = found.metadata.get(LOOKED_AT)
            if looked_at is None:
                continue
            seen = cast("dict[str, Any]", looked_at.value)
            at_fault = found.metadata.get(AT_FAULT, dg.JsonMetadataValue([]))
            yield Evaluation(
                check=check,
                passed=found.passed or found.severity is dg.AssetCheckSeverity.WARN,
                description=found.description or "",
                first=seen["first"],
                last=seen["last"],
                newest=seen["newest"],
                at_fault=frozenset(cast("list[str]", at_fault.value)),
            )
        if len(page) < PAGE:
            return
        cursor = page[-1].id


def latest_materializations(
    instance: dg.DagsterInstance, asset: dg.AssetKey
) -> dict[str | None, Record]:
    """The latest materialization of each partition of `asset`, by partition key.

    An asset without partitions has one at most, under None. Wiped materializations are absent.
    """
    by_partition = instance.get_latest_storage_id_by_partition(
        asset, dg.DagsterEventType.ASSET_MATERIALIZATION
    )
    ids = list(by_partition.values())
    if not ids:
        latest = instance.fetch_materializations(asset, limit=1).records
        return {record.partition_key: _from_dagster(record) for record in latest}
    found: dict[str | None, Record] = {}
    for start in range(0, len(ids), CHUNK):
        chunk = ids[start : start + CHUNK]
        for record in _from_tables(instance, chunk) or _from_events(instance, asset, chunk):
            found[record.partition] = record
    return found


def _from_tables(instance: dg.DagsterInstance, ids: Sequence[int]) -> list[Record] | None:
    """The records as plain values, or None where they are not stored as in Dagster 1.13."""
    try:
        import sqlalchemy as db
        from dagster._core.storage.event_log import SqlEventLogStorage, SqlEventLogStorageTable

        storage = instance.event_log_storage
        if not isinstance(storage, SqlEventLogStorage):
            return None
        columns = SqlEventLogStorageTable.c
        query = db.select(columns.id, columns.event).where(columns.id.in_(ids))
        with storage.index_connection() as connection:
            rows = connection.execute(query).fetchall()
        return [_from_json(storage_id, text) for storage_id, text in rows]
    except (ImportError, AttributeError, KeyError, TypeError, ValueError):
        return None


def _from_events(
    instance: dg.DagsterInstance, asset: dg.AssetKey, ids: Sequence[int]
) -> list[Record]:
    which = dg.AssetRecordsFilter(asset_key=asset, storage_ids=ids)
    records = instance.fetch_materializations(which, limit=len(ids)).records
    return [_from_dagster(record) for record in records]


def _from_json(storage_id: int, text: str) -> Record:
    entry = json.loads(text)
    made = entry["dagster_event"]["event_specific_data"]["materialization"]
    return Record(
        storage_id=storage_id,
        partition=made["partition"],
        run_id=entry["run_id"],
        timestamp=entry["timestamp"],
        metadata={
            item["label"]: item["entry_data"][PLAIN[item["entry_data"]["__class__"]]]
            for item in made["metadata_entries"]
            if item["entry_data"]["__class__"] in PLAIN
        },
    )


def _from_dagster(record: dg.EventLogRecord) -> Record:
    made = record.asset_materialization
    metadata = made.metadata if made else {}
    return Record(
        storage_id=record.storage_id,
        partition=record.partition_key,
        run_id=record.run_id,
        timestamp=record.timestamp,
        metadata={
            name: value.value
            for name, value in metadata.items()
            if isinstance(value.value, bool | int | float | str | dict | list)
        },
    )
