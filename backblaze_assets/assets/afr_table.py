"""Annualized failure rate of each model with its 95 % interval, one partition a quarter.

Three windows: the quarter, the trailing year, the whole history. AFR % = 100 x failures /
(drive days / 365), as Backblaze computes it; the interval is the exact Poisson one.
"""

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

import polars as pl

from backblaze_assets.drive_stats import quality
from backblaze_assets.drive_stats.afr import AFR_SCHEMA, DAYS_PER_YEAR
from backblaze_assets.drive_stats.afr import afr_table as build_table
from backblaze_assets.drive_stats.lifetimes import Lifetimes
from backblaze_assets.drive_stats.parquet import write_parquet
from backblaze_assets.drive_stats.quarters import next_quarter, quarter_name
from backblaze_assets.lineage.checking import Scope
from backblaze_assets.lineage.metadata import table
from backblaze_assets.lineage.step import Part, Step
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


def metadata(_: Part, rates: pl.DataFrame) -> Mapping[str, Any]:
    """The rates of all published models together, then the quarter's table."""
    published = rates.filter("published")
    totals = {window: _totals(published, window) for window in ("quarter", "year", "lifetime")}
    quarter = published.filter(pl.col("window") == "quarter").sort("drive_days", descending=True)
    return {
        **{f"{window}_afr": afr for window, (_, _, afr) in totals.items()},
        **({"rates": table(map(_row, quarter.iter_rows(named=True)))} if quarter.height else {}),
        **{f"{window}_failures": failures for window, (_, failures, _) in totals.items()},
        **{f"{window}_drive_days": days for window, (days, _, _) in totals.items()},
        "dagster/row_count": rates.height,
    }


def _totals(rates: pl.DataFrame, window: str) -> tuple[int, int, float]:
    """Drive days, failures and AFR of one window."""
    rows = rates.filter(pl.col("window") == window)
    drive_days, failures = int(rows["drive_days"].sum()), int(rows["failures"].sum())
    afr = 100 * DAYS_PER_YEAR * failures / drive_days if drive_days else 0.0
    return drive_days, failures, round(afr, 4)


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
    }


def agrees_with_daily_stats(scope: Scope) -> Verdict:
    """Drive days and failures of each window and model are those of daily_stats.

    Those of the whole history are compared with drive_lifetimes.
    """
    return quality.exposure_agrees(_windows(scope), "daily_stats and drive_lifetimes")


def _windows(scope: Scope) -> Iterator[tuple[str, pl.DataFrame, pl.DataFrame]]:
    """Each quarter's windows, cut by the calendar and not by what the table was made from."""
    for made in scope.made:
        quarter = day_of(made.partition)
        end = next_quarter(quarter)
        starts = {"quarter": quarter, "year": end.replace(year=end.year - 1)}
        rates = pl.read_parquet(scope.file(made), glob=False)
        for window, start in starts.items():
            inside = [path for day, path in scope.daily.items() if start <= day < end]
            rows = rates.filter(pl.col("window") == window)
            daily = quality.exposure(quality.read_daily(inside))
            yield f"{quarter_name(quarter)} {window}", quality.exposure(rows), daily
        history = quality.exposure_of_history(scope.path("drive_lifetimes", quarter))
        rows = rates.filter(pl.col("window") == "lifetime")
        yield f"{quarter_name(quarter)} lifetime", quality.exposure(rows), history


def agrees_with_published(scope: Scope) -> Verdict:
    """The rates are those that Backblaze published, for the periods of which we have them.

    Made-up data are not compared.
    """
    tables = [(day_of(made.partition), scope.file(made)) for made in scope.made]
    return quality.agrees_with_published(
        (quarter, pl.read_parquet(path, glob=False))
        for quarter, path in tables
        if not _is_made_up(scope, quarter)
    )


def _is_made_up(scope: Scope, quarter: date) -> bool:
    """Whether any data up to the end of a quarter are."""
    days = scope.path("drive_lifetimes", quarter) / "days.parquet"
    return bool(pl.read_parquet(days, columns=["synthetic"], glob=False)["synthetic"].any())


CHECKS = (agrees_with_daily_stats, agrees_with_published)
COLUMNS = AFR_SCHEMA
