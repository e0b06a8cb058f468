"""The two partitionings, quarters and days, and how they map to each other.

Both are time windows, so Dagster knows which days belong to which quarter without being told. Names
and arithmetic of quarters without Dagster are in `drive_stats/quarters.py`.

https://docs.dagster.io/guides/build/partitions-and-backfills
"""

from datetime import date

import dagster as dg

FIRST_DAY = date(2013, 4, 10)
"""The first day that Backblaze published."""

quarters = dg.TimeWindowPartitionsDefinition(
    # A window must start on a boundary of its schedule, else the first quarter would be lost.
    start="2013-04-01",
    cron_schedule="0 0 1 */3 *",
    fmt="%Y-%m-%d",
)
days = dg.DailyPartitionsDefinition(start_date=FIRST_DAY.isoformat())

# The first quarter has nine days before the first published one, and the quarter that is still
# open has days but is no partition yet: both are fine.
same_time = dg.TimeWindowPartitionMapping(allow_nonexistent_upstream_partitions=True)
quarter_before = dg.TimeWindowPartitionMapping(
    start_offset=-1, end_offset=-1, allow_nonexistent_upstream_partitions=True
)
trailing_year = dg.TimeWindowPartitionMapping(
    start_offset=-3, allow_nonexistent_upstream_partitions=True
)


def requested(context: dg.AssetExecutionContext) -> list[date]:
    """The partitions of this run as dates, at least one.

    Raises:
        dg.Failure: the range that was asked for is reversed; Dagster takes it for an empty one.
    """
    keys = context.partition_keys
    if not keys:
        raise dg.Failure(
            f"The partition range {context.partition_key_range.start}..."
            f"{context.partition_key_range.end} is reversed: write the earlier key first.",
            allow_retries=False,
        )
    return [date.fromisoformat(key) for key in keys]
