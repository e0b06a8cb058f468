"""Annualized failure rate of each model with its 95 % interval, one partition a quarter.

Three windows: the quarter, the trailing year, the whole history. AFR % = 100 x failures /
(drive days / 365), as Backblaze computes it; the interval is the exact Poisson one.
"""

import time

import dagster as dg
import polars as pl

from backblaze_assets.assets.step import step
from backblaze_assets.drive_stats.afr import afr_table as build_table
from backblaze_assets.drive_stats.lifetimes import Lifetimes
from backblaze_assets.drive_stats.parquet import write_parquet
from backblaze_assets.lineage.rules import RULES
from backblaze_assets.partitions import quarters, same_time, trailing_year
from backblaze_assets.resources import Data


@dg.asset(
    description=__doc__,
    deps=[
        dg.AssetDep("daily_stats", partition_mapping=trailing_year),
        dg.AssetDep("drive_lifetimes", partition_mapping=same_time),
    ],
    partitions_def=quarters,
    backfill_policy=dg.BackfillPolicy.single_run(),
    code_version=RULES["afr_table"].code_version,
    group_name="drive_stats",
    kinds={"parquet", "polars"},
    tags={"stage": "numbers"},
)
def afr_table(context: dg.AssetExecutionContext, data: Data) -> dg.MaterializeResult[None]:
    """The failure rates. See the module's docstring."""
    with step(context, data) as this:
        for quarter in this.requested():
            started = time.perf_counter()
            origin = this.origin(quarter.isoformat())
            daily = {
                day: this.folder.daily_stats(day) for day in this.lineage.trailing_days(quarter)
            }
            table = build_table(
                Lifetimes.load(this.folder.drive_lifetimes(quarter)), daily, quarter
            )
            path = this.folder.afr_table(quarter)
            version = write_parquet(table.to_arrow(), path, origin)
            published = table.filter("published")
            this.made(
                origin,
                version,
                path,
                {
                    "dagster/row_count": table.height,
                    **{
                        f"{window}_{figure}": value
                        for window in ("quarter", "year", "lifetime")
                        for figure, value in _totals(published, window).items()
                    },
                    "seconds": round(time.perf_counter() - started, 2),
                    "preview": dg.MetadataValue.md(_markdown(published)),
                },
            )
        return this.result()


def _totals(table: pl.DataFrame, window: str) -> dict[str, float | int]:
    """Drive days, failures and AFR of all published models together."""
    rows = table.filter(pl.col("window") == window)
    drive_days, failures = int(rows["drive_days"].sum()), int(rows["failures"].sum())
    afr = 36_500 * failures / drive_days if drive_days else 0.0
    return {"drive_days": drive_days, "failures": failures, "afr": round(afr, 4)}


def _markdown(table: pl.DataFrame) -> str:
    """The published rows of the quarter, by drive days."""
    rows = table.filter(pl.col("window") == "quarter").sort("drive_days", descending=True)
    lines = [
        "| maker | model | TB | drives | drive days | failures | AFR % | 95 % interval |",
        "|---|---|--:|--:|--:|--:|--:|--:|",
    ]
    lines += [
        f"| {r['maker']} | {r['model']} | {r['capacity_tb'] or 0:g} | {r['drives_end']:,} | "
        f"{r['drive_days']:,} | {r['failures']} | {r['afr']:.2f} | "
        f"{r['afr_low']:.2f}-{r['afr_high']:.2f} |"
        for r in rows.iter_rows(named=True)
    ]
    return "\n".join(lines)
