"""Capacities of models, told by rows that lie now and then."""

import polars as pl

LARGEST_CAPACITY = 100 * 10**12
"""Bytes; what is larger than any drive is a false reading."""


def usual_capacity(counts: pl.DataFrame, *by: str) -> pl.DataFrame:
    """The most common possible capacity of each group: columns `by` and capacity_bytes.

    A single row's capacity may be -1 or astronomic; those are not counted. Of two that equally many
    rows give, the smaller one is taken; a group without a possible one is not in the result.

    Args:
        counts: columns `by`, capacity_bytes, and in `rows` how many rows give it.
        by: what makes a group.
    """
    return (
        counts.filter(pl.col("capacity_bytes").is_between(1, LARGEST_CAPACITY))
        .group_by(*by, "capacity_bytes")
        .agg(pl.col("rows").sum())
        .sort("rows", "capacity_bytes", descending=[True, False])
        .unique(by, keep="first", maintain_order=True)
        .select(*by, "capacity_bytes")
    )
