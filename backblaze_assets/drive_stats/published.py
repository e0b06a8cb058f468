"""The failure rates that Backblaze published, as far as we have them, and how ours compare."""

from datetime import date
from pathlib import Path

import polars as pl

from backblaze_assets.drive_stats.afr import Window, afr_percent
from backblaze_assets.drive_stats.models import display_model

_FILE = Path(__file__).with_name("published.csv")

_SCHEMA = pl.Schema(
    {
        "period": pl.Date(),
        "window": pl.String(),
        "maker": pl.String(),
        "model": pl.String(),
        "capacity_tb": pl.Float64(),
        "drive_count": pl.Int64(),
        "drive_days": pl.Int64(),
        "failures": pl.Int64(),
        "afr": pl.String(),
        "afr_low": pl.Float64(),
        "afr_high": pl.Float64(),
        "complete": pl.Boolean(),
        "count_basis": pl.String(),
        "source": pl.String(),
    }
)

MATCH = "match"
DIFFERS = "differs"
MISSING = "missing here"
NOT_PUBLISHED = "not published"


def published() -> pl.DataFrame:
    """All published rows that we have, one per table and model.

    `period` is the first day of the quarter that the table is of, or that its year ends with;
    `window` says which of both. `model` is without its maker. `complete` says whether we have
    all rows of the table. `drive_count` counts the drives at the `end`, or all `seen`, as
    `count_basis` says. Figures that the source does not have are null. `afr_unit` is the last
    decimal to which `afr` is given. `source` says where the row is from.
    """
    decimals = pl.col("afr").str.len_chars() - pl.col("afr").str.find(".", literal=True) - 1
    return pl.read_csv(_FILE, schema=_SCHEMA).with_columns(
        pl.col("afr").cast(pl.Float64),
        afr_unit=pl.lit(10.0).pow(-decimals.cast(pl.Int64)),
    )


def compare(table: pl.DataFrame, quarter: date, window: Window) -> pl.DataFrame:
    """Our figures beside the published ones, model by model.

    Models are matched by name without the maker; ours that differ in that only (`Hitachi
    HDS5C4040ALE630`, `HGST HDS5C4040ALE630`) are added up, as Backblaze does.

    Args:
        table: what `afr_table` made of `quarter`.
        quarter: its first day.
        window: which window to compare.

    Returns:
        maker, model, ours and theirs of drive_days, failures and afr (theirs end in
        `_published`), differences (ours less theirs, ending in `_difference`), and the verdict:

        - match: drive days and failures are equal, as far as published, and so is the AFR when
          rounded as there (half of its last decimal apart at most);
        - differs: any of them is not;
        - missing here: published, but we have no such model;
        - not published: ours is shown under the published rule, but is not in a complete table.

        Sorted by maker and model; no rows when nothing is known to be published.
    """
    theirs = published().filter(pl.col("period") == quarter, pl.col("window") == window)
    complete = theirs.height > 0 and theirs["complete"].all()
    rows = _by_short_name(table.filter(pl.col("window") == window)).join(
        theirs.select("maker", "model", "drive_days", "failures", "afr", "afr_unit"),
        on="model",
        how="full",
        suffix="_published",
        coalesce=True,
    )
    here, there = pl.col("drive_days").is_not_null(), pl.col("afr_published").is_not_null()
    differences = {
        f"{name}_difference": pl.col(name) - pl.col(f"{name}_published")
        for name in ("drive_days", "failures", "afr")
    }
    rounded_alike = pl.col("afr_difference").abs() <= pl.col("afr_unit") / 2 + 1e-9
    alike = (
        rounded_alike
        & (pl.col("drive_days_difference").fill_null(0) == 0)
        & (pl.col("failures_difference").fill_null(0) == 0)
    )
    verdict = (
        pl.when(~there)
        .then(pl.lit(NOT_PUBLISHED))
        .when(~here)
        .then(pl.lit(MISSING))
        .when(alike)
        .then(pl.lit(MATCH))
        .otherwise(pl.lit(DIFFERS))
    )
    return (
        rows.filter(there | (pl.col("published") & complete))
        .with_columns(**differences)
        .select(
            maker=pl.coalesce("maker", "maker_published"),
            model="model",
            **{
                f"{name}{suffix}": f"{name}{suffix}"
                for name in ("drive_days", "failures", "afr")
                for suffix in ("", "_published", "_difference")
            },
            verdict=verdict,
        )
        .sort("maker", "model")
    )


def _by_short_name(table: pl.DataFrame) -> pl.DataFrame:
    """One row per model without its maker: maker, model, drive_days, failures, published, afr."""
    short = table["model"].map_elements(display_model, return_dtype=pl.String)
    return (
        table.with_columns(model=short)
        .group_by("model")
        .agg(
            pl.col("maker").first(),
            pl.col("drive_days", "failures").sum(),
            pl.col("published").any(),
        )
        .with_columns(afr=afr_percent(pl.col("failures"), pl.col("drive_days")))
    )
