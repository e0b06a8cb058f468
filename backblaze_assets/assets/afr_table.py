"""Annualized failure rates with their 95 % intervals, one partition a quarter.

Per model, maker, size and in all; for the quarter, the twelve months and the calendar year that end
with it, and the whole history. AFR % = 100 x failures / (drive days / 365), as Backblaze computes
it; the interval is the exact Poisson one.
"""

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

import polars as pl

from backblaze_assets.drive_stats import quality
from backblaze_assets.drive_stats.afr import AFR_SCHEMA, totals
from backblaze_assets.drive_stats.afr import afr_table as build_table
from backblaze_assets.drive_stats.lifetimes import Lifetimes
from backblaze_assets.drive_stats.parquet import read_table, write_parquet
from backblaze_assets.drive_stats.publication import PUBLISHED
from backblaze_assets.lineage.checking import Scope
from backblaze_assets.lineage.metadata import chart, table
from backblaze_assets.lineage.parts import Part
from backblaze_assets.lineage.step import Step
from backblaze_assets.partitions import day_of
from backblaze_assets.verdict import Verdict


def afr_table(step: Step) -> None:
    """Compute the tables of the quarters that are asked for."""
    for part in step.parts():
        with step.making(part.key):
            daily = {day_of(key): path for key, path in part.inputs["daily_stats"].items()}
            lifetimes = Lifetimes.load(part.input("drive_lifetimes"))
            rates = build_table(lifetimes, daily, part.day)
            step.made(part, write_parquet(rates.to_arrow(), part.path, part.origin), rates)


def metadata(part: Part, rates: pl.DataFrame) -> Mapping[str, Any]:
    """A picture, the rates of all published models together, then the quarter's table."""
    models = rates.filter(pl.col("kind") == "model", pl.col("status") == PUBLISHED)
    whole = totals(models, "window").rows_by_key("window", named=True, unique=True)
    quarter = models.filter(pl.col("window") == "quarter").sort("drive_days", descending=True)
    return {
        **chart(part.viewer, "afr_table", part.path, "failures a year by model, with intervals"),
        **{f"{window}_afr": round(row["afr"] or 0.0, 4) for window, row in whole.items()},
        **table("rates", map(_row, quarter.iter_rows(named=True))),
        **{f"{window}_failures": row["failures"] for window, row in whole.items()},
        **{f"{window}_drive_days": row["drive_days"] for window, row in whole.items()},
        "dagster/row_count": rates.height,
    }


def _row(row: Mapping[str, Any]) -> dict[str, str | int | float]:
    return {
        "maker": row["maker"],
        "model": row["model"],
        "TB": row["capacity_tb"] or "",
        "drives": row["drives_end"],
        "drive days": row["drive_days"],
        "failures": row["failures"],
        "AFR %": round(row["afr"], 2),
        "95 % interval": f"{row['afr_low']:.2f} - {row['afr_high']:.2f}",
        "age, months": round(row["mean_age_months"] or 0.0, 1),
    }


def agrees_with_daily_stats(scope: Scope) -> Verdict:
    """Drive days and failures of each window and model are those of daily_stats.

    Those of the whole history are compared with drive_lifetimes.
    """
    tables = (
        (quarter, rates, scope.path("drive_lifetimes", quarter))
        for quarter, rates in _tables(scope)
    )
    return quality.windows_agree(tables, scope.daily)


def agrees_with_published(scope: Scope) -> Verdict:
    """The rates are those that Backblaze published, for the periods of which we have them.

    Made-up data are not compared.
    """
    return quality.agrees_with_published(
        (quarter, rates) for quarter, rates in _tables(scope) if not _is_made_up(scope, quarter)
    )


def _tables(scope: Scope) -> Iterator[tuple[date, pl.DataFrame]]:
    for made in scope.made:
        yield day_of(made.partition), read_table(scope.file(made))


def _is_made_up(scope: Scope, quarter: date) -> bool:
    """Whether any data up to the end of a quarter are."""
    days = scope.path("drive_lifetimes", quarter) / "days.parquet"
    return bool(read_table(days, columns=["synthetic"])["synthetic"].any())


CHECKS = (agrees_with_daily_stats, agrees_with_published)
COLUMNS = AFR_SCHEMA
