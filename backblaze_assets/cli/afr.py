"""Failure rates for people and for programs: a table on the terminal, CSV, JSON."""

import json
from datetime import date
from pathlib import Path

import polars as pl
from rich.box import SIMPLE_HEAD
from rich.table import Table

from backblaze_assets.drive_stats.afr import TABLE_COLUMNS
from backblaze_assets.drive_stats.quarters import quarter_name

COLUMNS = [name for name in TABLE_COLUMNS if name != "mean_age_months"]
"""What is printed, in this order."""


def select(path: Path, window: str, *, everything: bool) -> pl.DataFrame:
    """Rows of one `afr_table` file, by maker and model.

    Args:
        path: the file.
        window: `quarter`, `year` or `lifetime`.
        everything: all models, and not only those that the published rule of the time shows.
    """
    table = pl.read_parquet(path, glob=False).filter(pl.col("window") == window)
    shown = table if everything else table.filter("published")
    return shown.select(COLUMNS).sort("maker", "model")


def title(quarter: date, window: str) -> str:
    """What the table of one window that ends with `quarter` is about."""
    until = {"quarter": "", "year": "the year that ends with ", "lifetime": "all history up to "}
    return f"Annualized failure rates, {until[window]}{quarter_name(quarter)}"


def as_json(table: pl.DataFrame) -> str:
    """An array of objects, one per model; AFR in percent, unrounded."""
    return json.dumps(table.to_dicts(), indent=1)


def as_csv(table: pl.DataFrame) -> str:
    """Comma-separated values with a header."""
    return table.write_csv().rstrip("\n")


def as_table(table: pl.DataFrame, title: str) -> Table:
    """A table for the terminal with a total below."""
    shown = Table(title=title, title_justify="left", show_footer=True, box=SIMPLE_HEAD)
    days, failures = int(table["drive_days"].sum()), int(table["failures"].sum())
    total = 36_500 * failures / days if days else 0.0
    shown.add_column("maker", "all")
    shown.add_column("model", no_wrap=True)
    for heading, footer in (
        ("TB", ""),
        ("drives", f"{table['drives_end'].sum():,}"),
        ("seen", f"{table['drives_seen'].sum():,}"),
        ("drive days", f"{days:,}"),
        ("failures", f"{failures:,}"),
        ("AFR %", f"{total:.2f}"),
        ("95 % interval", ""),
    ):
        shown.add_column(heading, footer, justify="right", no_wrap=True)
    for row in table.iter_rows(named=True):
        shown.add_row(
            row["maker"],
            row["model"],
            f"{row['capacity_tb']:g}" if row["capacity_tb"] else "",
            f"{row['drives_end']:,}",
            f"{row['drives_seen']:,}",
            f"{row['drive_days']:,}",
            f"{row['failures']:,}",
            f"{row['afr']:.2f}",
            f"{row['afr_low']:.2f} - {row['afr_high']:.2f}",
        )
    return shown
