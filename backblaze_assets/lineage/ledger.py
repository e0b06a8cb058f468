"""What has been materialized and checked: Dagster's own records, read once per asset."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import dagster as dg

from backblaze_assets.instance.records import Evaluation, evaluations, latest_materializations

PROVENANCE = "provenance"
"""Metadata key under which every materialization of this project records its versions.

Dagster's data-version tags hold one value for all partitions of a run, so a range run could not
give each day its own version; metadata can. One entry, because each costs time to read.
"""


@dataclass(frozen=True)
class Materialization:
    """The latest materialization of one partition.

    Attributes:
        asset, partition: which; the partition is None for assets without partitions.
        code_version, data_version: digests of the code and of the content.
        inputs: version of each input at the time, by name.
        metadata: everything that was recorded, as plain values.
        run_id: the Dagster run.
        timestamp: seconds since 1970.
    """

    asset: str
    partition: str | None
    code_version: str
    data_version: str
    inputs: dict[str, str]
    metadata: Mapping[str, Any]
    run_id: str
    timestamp: float


class Ledger:
    """The latest materializations of all assets of an instance; each asset is read once."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self._instance = instance
        self._by_asset: dict[str, dict[str | None, Materialization]] = {}
        self._evaluations: dict[str, list[Evaluation]] = {}

    def all(self, asset: str) -> dict[str | None, Materialization]:
        """Latest materialization of each partition of `asset`; the key is None without partitions.

        Materializations that do not record their provenance count as absent.
        """
        if asset not in self._by_asset:
            self._by_asset[asset] = self._read(asset)
        return self._by_asset[asset]

    def get(self, asset: str, partition: str | None = None) -> Materialization | None:
        """Latest materialization of one partition, or None."""
        return self.all(asset).get(partition)

    def version(self, asset: str, partition: str | None = None) -> str | None:
        """Data version of one partition, or None if it is missing."""
        found = self.get(asset, partition)
        return found.data_version if found else None

    def failures(self, made: Materialization, checks: Sequence[str]) -> list[Evaluation]:
        """Of each check the latest evaluation that looked at a materialization, if it refuses it.

        Args:
            made: the materialization.
            checks: names of checks of its asset, always the same ones.
        """
        if made.asset not in self._evaluations:
            key = dg.AssetKey(made.asset)
            self._evaluations[made.asset] = evaluations(self._instance, key, checks)
        seen = [found for found in self._evaluations[made.asset] if _saw(found, made)]
        latest = {found.check: found for found in seen}
        return [found for found in latest.values() if found.refuses(made.partition)]

    def note(self, materialization: Materialization) -> None:
        """Take into account what a running step has made and Dagster does not know yet."""
        self.all(materialization.asset)[materialization.partition] = materialization

    def forget(self) -> None:
        """Read everything anew when asked next."""
        self._by_asset.clear()
        self._evaluations.clear()

    def _read(self, asset: str) -> dict[str | None, Materialization]:
        records = latest_materializations(self._instance, dg.AssetKey(asset))
        return {
            partition: Materialization(
                asset=asset,
                partition=partition,
                metadata=record.metadata,
                run_id=record.run_id,
                timestamp=record.timestamp,
                **record.metadata[PROVENANCE],
            )
            for partition, record in records.items()
            if PROVENANCE in record.metadata
        }


def _saw(evaluation: Evaluation, made: Materialization) -> bool:
    """Whether an evaluation looked at a materialization: in its run, or at its partition later."""
    if evaluation.run_id == made.run_id:
        return True
    inside = evaluation.first <= (made.partition or "") <= evaluation.last
    return inside and evaluation.timestamp > made.timestamp
