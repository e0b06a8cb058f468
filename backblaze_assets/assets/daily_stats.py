"""Per day and model: drives that reported, failures, capacity. One partition a day.

A day without a report has no rows; nothing is invented for it.
"""

import dagster as dg

from backblaze_assets.assets.step import step
from backblaze_assets.drive_stats.daily import write_daily_stats
from backblaze_assets.drive_stats.quarters import quarter_of
from backblaze_assets.lineage.rules import RULES
from backblaze_assets.partitions import days, same_time
from backblaze_assets.resources import Data


@dg.asset(
    description=__doc__,
    deps=[dg.AssetDep("raw_quarter", partition_mapping=same_time)],
    partitions_def=days,
    backfill_policy=dg.BackfillPolicy.single_run(),
    code_version=RULES["daily_stats"].code_version,
    group_name="drive_stats",
    kinds={"parquet", "polars"},
    tags={"stage": "numbers"},
)
def daily_stats(context: dg.AssetExecutionContext, data: Data) -> dg.MaterializeResult[None]:
    """One day's figures. See the module's docstring."""
    with step(context, data) as this:
        wanted = this.requested()
        origins = {day: this.origin(day.isoformat()) for day in wanted}
        raw = {day: this.folder.raw_quarter(quarter_of(day)) / f"{day}.parquet" for day in wanted}
        reports = write_daily_stats(
            {day: path if path.exists() else None for day, path in raw.items()},
            this.folder.daily_stats,
            origins,
        )
        for day, report in reports.items():
            this.made(
                origins[day],
                report.data_version,
                this.folder.daily_stats(day),
                {
                    "dagster/row_count": report.models,
                    "drives": report.drives,
                    "failures": report.failures,
                    "capacity_pb": round(report.capacity_bytes_total / 1e15, 3),
                    "reported": report.reported,
                    "bytes": report.bytes,
                },
            )
        return this.result()
