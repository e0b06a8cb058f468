"""What has been materialized and checked: Dagster's own records, read once per asset."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import dagster as dg

from backblaze_assets.instance.records import Evaluation, evaluations, latest_materializations
from backblaze_assets.partitions import Key

PROVENANCE = "provenance"
"""Metadata key under which every materialization of this project records its versions.

Dagster's data-version tags hold one value for all partitions of a run, so a range run could not
give each day its own version; metadata can. One entry, because each costs time to read.
"""

RUNNING = 2**63
"""Number in the event log of what a running step has made and Dagster does not know yet."""


@dataclass(frozen=True)
class Materialization:
    """The latest materialization of one partition.

    Attributes:
        asset, partition: which; the partition is None for assets without partitions.
        code_version, data_version: digests of the code and of the content.
        inputs: version of each input at the time, by name.
        metadata: everything that was recorded, as plain values.
        run_id: the Dagster run.
        storage_id: its number in the event log.
        timestamp: seconds since 1970, for people.
    """

    asset: str
    partition: Key
    code_version: str
    data_version: str
    inputs: dict[str, str]
    metadata: Mapping[str, Any]
    run_id: str
    storage_id: int
    timestamp: float


class Ledger:
    """The latest materializations of all assets of an instance; each asset is read once."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self._instance = instance
        self._by_asset: dict[str, dict[Key, Materialization]] = {}
        self._verdicts: dict[tuple[str, str], dict[Key, Evaluation]] = {}

    def all(self, asset: str) -> dict[Key, Materialization]:
        """Latest materialization of each partition of `asset`; the key is None without partitions.

        Materializations that do not record their provenance count as absent.
        """
        if asset not in self._by_asset:
            self._by_asset[asset] = self._read(asset)
        return self._by_asset[asset]

    def get(self, asset: str, partition: Key = None) -> Materialization | None:
        """Latest materialization of one partition, or None."""
        return self.all(asset).get(partition)

    def version(self, asset: str, partition: Key = None) -> str | None:
        """Data version of one partition, or None if it is missing."""
        found = self.get(asset, partition)
        return found.data_version if found else None

    def judgements(self, made: Materialization, checks: Sequence[str]) -> list[Evaluation | None]:
        """Of each check the latest evaluation that looked at a materialization, None if none did.

        Args:
            made: the materialization.
            checks: names of checks of its asset.
        """
        return [self._latest(made.asset, check).get(made.partition) for check in checks]

    def _latest(self, asset: str, check: str) -> dict[Key, Evaluation]:
        """For each partition the latest evaluation of a check that looked at it as it is now."""
        if (asset, check) not in self._verdicts:
            waiting = self.all(asset).copy()
            found: dict[Key, Evaluation] = {}
            for evaluation in evaluations(self._instance, dg.AssetKey(asset), check):
                if not waiting:
                    break
                for key, made in list(waiting.items()):
                    if evaluation.saw(key, made.storage_id):
                        found[key] = evaluation
                        del waiting[key]
            self._verdicts[asset, check] = found
        return self._verdicts[asset, check]

    def note(self, materialization: Materialization) -> None:
        """Take into account what a running step has made and Dagster does not know yet."""
        self.all(materialization.asset)[materialization.partition] = materialization

    def forget(self) -> None:
        """Read everything anew when asked next."""
        self._by_asset.clear()
        self._verdicts.clear()

    def _read(self, asset: str) -> dict[Key, Materialization]:
        records = latest_materializations(self._instance, dg.AssetKey(asset))
        return {
            partition: Materialization(
                asset=asset,
                partition=partition,
                metadata=record.metadata,
                run_id=record.run_id,
                storage_id=record.storage_id,
                timestamp=record.timestamp,
                **record.metadata[PROVENANCE],
            )
            for partition, record in records.items()
            if PROVENANCE in record.metadata
        }
