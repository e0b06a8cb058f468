"""Tables of failure rates made by hand, and ours as they would be if all published were true."""

from datetime import date

import polars as pl

from backblaze_assets.drive_stats.afr import AFR_SCHEMA
from backblaze_assets.drive_stats.published import published


def afr_rows(rows: list[dict]) -> pl.DataFrame:
    """Rows of `afr_table` of models; what is not given is null, or 0 for counts."""
    given = [
        {
            "kind": "model",
            "group": row.get("model"),
            "window": "quarter",
            "maker": "HGST",
            "boot": False,
            "drives_end": 0,
            "drives_seen": 0,
            "status": "published",
            **row,
        }
        for row in rows
    ]
    return pl.DataFrame(
        [{name: row.get(name) for name in AFR_SCHEMA.names()} for row in given], schema=AFR_SCHEMA
    )


def as_published(period: date, window: str) -> pl.DataFrame:
    """A table of ours that says what was published, with a maker's name before each model."""
    rows = published().filter(
        pl.col("period") == period,
        pl.col("window") == window,
        pl.col("status") == "published",
    )
    return afr_rows(
        [
            {
                "window": window,
                "maker": row["maker"],
                "model": f"HGST {row['model']}",
                "drives_end": row["drives"] or 0,
                "drives_seen": row["drives"] or 0,
                "drive_days": row["drive_days"],
                "failures": row["failures"],
                "mean_age_months": row["mean_age"],
            }
            for row in rows.iter_rows(named=True)
        ]
    )
