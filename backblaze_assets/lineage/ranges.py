"""Unbroken ranges of partitions, and the tags with which Dagster materializes one in one run."""

from collections.abc import Sequence
from datetime import date, timedelta

from backblaze_assets.drive_stats.quarters import next_quarter
from backblaze_assets.lineage.rules import DAILY, Key


def unbroken(asset: str, keys: Sequence[Key]) -> list[list[Key]]:
    """`keys`, which are in order, cut wherever partitions lie between two of them."""
    pieces: list[list[Key]] = []
    for key in keys:
        if pieces and _follows(asset, pieces[-1][-1], key):
            pieces[-1].append(key)
        else:
            pieces.append([key])
    return pieces


def range_tags(keys: Sequence[Key]) -> dict[str, str]:
    """Tags of a run over an unbroken range of partitions; none for an asset without partitions."""
    if keys[0] is None:
        return {}
    return {
        "dagster/asset_partition_range_start": str(keys[0]),
        "dagster/asset_partition_range_end": str(keys[-1]),
    }


def _follows(asset: str, before: Key, key: Key) -> bool:
    """Whether no partition lies between two of an asset with partitions."""
    first, second = date.fromisoformat(str(before)), date.fromisoformat(str(key))
    if asset in DAILY:
        return second == first + timedelta(days=1)
    return second == next_quarter(first)
