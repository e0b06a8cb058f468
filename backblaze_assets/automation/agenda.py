"""What automation may ask for: the lineage's list, and what has to be waited for."""

import dagster as dg

from backblaze_assets.files.origin import digest
from backblaze_assets.lineage.rules import DAILY, RULES, Key, Lineage, upstream_of
from backblaze_assets.partitions import days, quarters


class Agenda:
    """What there is to do at one moment; everything is looked up once."""

    def __init__(self, lineage: Lineage, instance: dg.DagsterInstance) -> None:
        self.lineage = lineage
        self._instance = instance
        self._to_do: dict[str, list[Key]] = {}
        self._statuses: dict[str, dict[Key, str]] = {}

    def to_do(self, asset: str) -> list[Key]:
        """Partitions that are not up to date and have all inputs, in order.

        What a blocking check refuses, and all that is made from it, is left to a person.

        A zip of the quarter that has not ended yet is passed over: Dagster has no partition for it.
        """
        if asset not in self._to_do:
            exists = _partitions_of(asset).has_partition_key
            keys = self.lineage.to_do(asset)
            self._to_do[asset] = [key for key in keys if key is None or exists(key)]
        return self._to_do[asset]

    def failed(self, asset: str) -> set[Key]:
        """Those of `to_do` whose last run failed; none for an asset without partitions."""
        return self._with_status(asset, "FAILED")

    def in_progress(self, asset: str) -> set[Key]:
        """Those of `to_do` that a run is about to make; none for an asset without partitions."""
        return self._with_status(asset, "IN_PROGRESS")

    def _with_status(self, asset: str, name: str) -> set[Key]:
        if asset not in self._statuses:
            keys = [key for key in self.to_do(asset) if key]
            found = keys and self._instance.get_status_by_partition(
                dg.AssetKey(asset), keys, _partitions_of(asset)
            )
            self._statuses[asset] = {
                key: status.name for key, status in dict(found or {}).items() if status
            }
        return {key for key, status in self._statuses[asset].items() if status == name}

    def ready(self, asset: str) -> list[Key]:
        """`to_do`, or nothing while something that the asset is made from is still to be done.

        So nothing is made from what is about to change, and each asset gets all its partitions in
        one go. What has failed is not waited for: one bad zip does not hold up all others.
        """
        *above, _ = upstream_of([asset])
        waits = any(set(self.to_do(other)) - self.failed(other) for other in above)
        return [] if waits else self.to_do(asset)

    def version(self, asset: str, key: Key) -> str:
        """Identity of what a partition would be made from now: its code and its inputs."""
        inputs = self.lineage.inputs(asset, key)
        parts = [text for name in sorted(inputs) for text in (name, inputs[name])]
        return digest([RULES[asset].code_version, *parts])


def _partitions_of(asset: str) -> dg.TimeWindowPartitionsDefinition:
    return days if asset in DAILY else quarters
