"""The latest materialization of every partition of an asset, and what its checks have found.

Asking Dagster for thousands of materializations is slow, because it builds objects for every
metadata entry of each. Here the plain values are taken from the stored JSON, which is several
times faster. Events that are not stored as expected are read through Dagster.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import dagster as dg
import sqlalchemy as db
from dagster._core.storage.asset_check_execution_record import (
    COMPLETED_ASSET_CHECK_EXECUTION_RECORD_STATUSES as COMPLETED,
)
from dagster._core.storage.asset_check_execution_record import (
    AssetCheckExecutionRecordStatus,
)
from dagster._core.storage.event_log import SqlEventLogStorage, SqlEventLogStorageTable

CHUNK = 5000
"""Records to ask for at once; Dagster hands out at most 10,000."""

MOST_EVALUATIONS = 1000
"""Evaluations of one check that are read at most, the latest ones."""

PARTITIONS = ("first_partition", "last_partition")
"""Metadata of the evaluation of a check: the range of partitions that it looked at."""

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
        timestamp: seconds since 1970.
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
        run_id: the run.
        timestamp: seconds since 1970.
        first, last: the range of partitions that it looked at; empty without partitions.
        at_fault: those that are to blame for a failure; none where it does not tell.
    """

    check: str
    passed: bool
    description: str
    run_id: str
    timestamp: float
    first: str
    last: str
    at_fault: frozenset[str]

    def refuses(self, partition: str | None) -> bool:
        """Whether a partition that it looked at is, or may be, to blame for its failure."""
        return not self.passed and (not self.at_fault or partition in self.at_fault)


def evaluations(
    instance: dg.DagsterInstance, asset: dg.AssetKey, checks: Sequence[str]
) -> list[Evaluation]:
    """Evaluations of an asset's checks in order of time; of a check that never failed none."""
    failed = {AssetCheckExecutionRecordStatus.FAILED}
    history = instance.event_log_storage.get_asset_check_execution_history
    found: list[Evaluation] = []
    for key in (dg.AssetCheckKey(asset, check) for check in checks):
        if not history(key, limit=1, status=failed):
            continue
        for record in history(key, limit=MOST_EVALUATIONS, status=set(COMPLETED)):
            evaluation = record.evaluation
            if evaluation is None or record.event is None:
                continue
            first, last = (evaluation.metadata.get(name) for name in PARTITIONS)
            at_fault = evaluation.metadata.get(AT_FAULT, dg.JsonMetadataValue([]))
            found.append(
                Evaluation(
                    check=key.name,
                    passed=evaluation.passed or evaluation.severity is dg.AssetCheckSeverity.WARN,
                    description=evaluation.description or "",
                    run_id=record.run_id,
                    timestamp=record.event.timestamp,
                    first=str(first.value) if first else "",
                    last=str(last.value) if last else "",
                    at_fault=frozenset(cast("list[str]", at_fault.value)),
                )
            )
    return sorted(found, key=lambda evaluation: evaluation.timestamp)


def latest_materializations(
    instance: dg.DagsterInstance, asset: dg.AssetKey
) -> dict[str | None, Record]:
    """The latest materialization of each partition of `asset`, by partition key.

    An asset without partitions has one at most, under None. Wiped materializations are absent.
    """
    by_partition = instance.event_log_storage.get_latest_storage_id_by_partition(
        asset, dg.DagsterEventType.ASSET_MATERIALIZATION
    )
    ids = list(by_partition.values())
    if not ids:
        latest = instance.fetch_materializations(asset, limit=1).records
        return {record.partition_key: _from_dagster(record) for record in latest}
    found: dict[str | None, Record] = {}
    for start in range(0, len(ids), CHUNK):
        for record in _read(instance, asset, ids[start : start + CHUNK]):
            found[record.partition] = record
    return found


def _read(instance: dg.DagsterInstance, asset: dg.AssetKey, ids: Sequence[int]) -> list[Record]:
    storage = instance.event_log_storage
    if isinstance(storage, SqlEventLogStorage):
        columns = SqlEventLogStorageTable.c
        query = db.select(columns.id, columns.event).where(columns.id.in_(ids))
        with storage.index_connection() as connection:
            rows = connection.execute(query).fetchall()
        try:
            return [_from_json(storage_id, text) for storage_id, text in rows]
        except (KeyError, TypeError, ValueError):
            pass  # Not stored in the form that Dagster 1.13 gives it.
    which = dg.AssetRecordsFilter(asset_key=asset, storage_ids=ids)
    return [
        _from_dagster(record)
        for record in instance.fetch_materializations(which, limit=len(ids)).records
    ]


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
