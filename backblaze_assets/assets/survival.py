"""Survival, hazard and removal of drives by age, one partition a quarter.

Per model, maker, size and in all, from the ages at which drives were first seen, failed or were
removed: Kaplan-Meier with late entry, hazard with exact intervals, and the cumulative incidence of
failure and of removal as competing risks, each on the stretch of ages where enough are followed.
"""

from collections.abc import Mapping
from typing import Any

import polars as pl

from backblaze_assets.drive_stats.lifetimes import Lifetimes
from backblaze_assets.drive_stats.parquet import write_parquet
from backblaze_assets.drive_stats.rates import HOURS_PER_YEAR
from backblaze_assets.drive_stats.survival import SURVIVAL_SCHEMA
from backblaze_assets.drive_stats.survival import survival as build_table
from backblaze_assets.lineage.metadata import chart, table
from backblaze_assets.lineage.parts import Part
from backblaze_assets.lineage.step import Step


def survival(step: Step) -> None:
    """Compute the curves of the quarters that are asked for."""
    for part in step.parts():
        with step.making(part.key):
            curves = build_table(Lifetimes.load(part.input("drive_lifetimes")))
            step.made(part, write_parquet(curves.to_arrow(), part.path, part.origin), curves)


def metadata(part: Part, curves: pl.DataFrame) -> Mapping[str, Any]:
    """How the fleet, and each of the largest models, survives three years."""
    at_three = curves.filter(pl.col("age_years") == 3.0, "supported")
    fleet = at_three.filter(pl.col("kind") == "all")
    models = at_three.filter(pl.col("kind") == "model").sort("followed", descending=True)
    return {
        **chart(part.viewer, "survival", part.path, "failed by age, the largest models"),
        **({"fleet_failed_within_3_years": fleet["failed"][0]} if fleet.height else {}),
        **table("models", map(_row, models.head(15).rows(named=True))),
        "groups": curves.select("kind", "group").n_unique(),
        "dagster/row_count": curves.height,
    }


def _row(row: Mapping[str, Any]) -> dict[str, str | int | float]:
    low, high = row["survival_low"], row["survival_high"]
    return {
        "model": row["group"],
        "followed at 3 years": row["followed"],
        "from year": round((row["start_hours"] or 0) / HOURS_PER_YEAR, 2),
        "survive %": round(100 * row["survival"], 2),
        "95 % interval": "" if low is None else f"{100 * low:.2f} - {100 * high:.2f}",
        "failed %": round(100 * row["failed"], 2),
        "removed %": round(100 * row["removed"], 2),
    }


COLUMNS = SURVIVAL_SCHEMA
