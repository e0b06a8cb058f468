"""What the report is made from, and what several of its sections look at."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cached_property
from typing import Any

import polars as pl

from backblaze_assets.drive_stats.afr import against_the_rest
from backblaze_assets.drive_stats.age_adjusted import AGE_ADJUSTED_SCHEMA
from backblaze_assets.drive_stats.models import short_names
from backblaze_assets.drive_stats.publication import PUBLISHED, Window
from backblaze_assets.drive_stats.quarters import days_of, next_quarter
from backblaze_assets.report.poster import Film

WINDOW_NAMES: dict[Window, str] = {
    "quarter": "Quarter",
    "year": "12 months",
    "lifetime": "Lifetime",
}
"""The windows that the page shows, and what they are called on it."""

MOST_GAPS = 0.1
"""A quarter with more of its days partial or without a report is not compared with."""


@dataclass(frozen=True)
class Inputs:
    """The tables that the report shows.

    Attributes:
        quarter: first day of the newest quarter.
        tables: `afr_table` of it and of all quarters before it that there are.
        survival: `survival` of the newest quarter.
        days: `Lifetimes.days` of the newest quarter.
        reconciled: ours beside the published figures; without rows for made-up data.
        age_adjusted: `for_its_age` of the twelve months that end with the newest quarter; where it
            has no rows, the page does not say which rates are those of old drives.
        provenance: what the page was made from: a name and a text each.
        film: the film that lies beside the page; None without one.
    """

    quarter: date
    tables: Mapping[date, pl.DataFrame]
    survival: pl.DataFrame
    days: pl.DataFrame
    reconciled: pl.DataFrame
    age_adjusted: pl.DataFrame = field(default_factory=AGE_ADJUSTED_SCHEMA.to_frame)
    provenance: Sequence[tuple[str, str]] = ()
    film: Film | None = None

    @property
    def newest(self) -> pl.DataFrame:
        """`afr_table` of the newest quarter."""
        return self.tables[self.quarter]

    @property
    def quarter_before(self) -> date:
        """First day of the quarter before."""
        last_day = self.quarter - timedelta(days=1)
        return date(last_day.year, last_day.month - 2, 1)

    @property
    def year_before(self) -> date:
        """First day of the same quarter of the year before."""
        return self.quarter.replace(year=self.quarter.year - 1)

    @cached_property
    def names(self) -> dict[str, str]:
        """What each model is called on the page."""
        return short_names(self.rows("model", "lifetime")["model"].to_list())

    def rows(self, kind: str, window: Window, quarter: date | None = None) -> pl.DataFrame:
        """Rows of one kind and window of a quarter's table, the newest unless given."""
        return self.tables[quarter or self.quarter].filter(
            pl.col("kind") == kind, pl.col("window") == window
        )

    def total(self, window: Window) -> dict[str, Any]:
        """The row of all drives; counts of 0 and no rates where none was there in the window."""
        rows = self.rows("all", window)
        if rows.is_empty():
            return {name: 0 if kind.is_integer() else None for name, kind in rows.schema.items()}
        return rows.row(0, named=True)

    def ranked(self, window: Window, quarter: date | None = None) -> pl.DataFrame:
        """The published models beside the rest of them (`against_the_rest`), by upper bound."""
        rows = self.rows("model", window, quarter)
        return against_the_rest(rows.filter(pl.col("status") == PUBLISHED)).sort("afr_high")

    @cached_property
    def for_its_age(self) -> dict[str, dict[str, Any]]:
        """Rows of `age_adjusted` in which something is said, by model."""
        told = self.age_adjusted.drop_nulls("verdict")
        return {row["model"]: row for row in told.iter_rows(named=True)}

    @cached_property
    def picks(self) -> list[str]:
        """The models that the charts compare at first.

        The two whose rate above the rest costs most failures, the one with the lowest upper bound,
        and the largest, as far as these are different ones.
        """
        ranked = self.ranked("year")
        above = ranked.filter(pl.col("verdict") == "above")
        found = [
            *above.sort("excess_failures", descending=True)["model"].head(2),
            *ranked.filter(pl.col("verdict") == "below")["model"].head(1),
            *ranked.sort("drives_end", descending=True)["model"].head(1),
        ]
        return list(dict.fromkeys(found))

    @cached_property
    def series(self) -> pl.DataFrame:
        """Rates over twelve months of every group and quarter: quarter, and those of the table."""
        return pl.concat(
            table.filter(pl.col("window") == "year").with_columns(quarter=pl.lit(quarter))
            for quarter, table in sorted(self.tables.items())
        )

    @cached_property
    def by_group(self) -> dict[tuple[str, str], dict[date, dict[str, float]]]:
        """The series of each kind and group, by quarter: drive_days, drives_end and rates."""
        found: dict[tuple[str, str], dict[date, dict[str, float]]] = {}
        figures = ("drive_days", "drives_end", "afr", "afr_low", "afr_high")
        columns = ("kind", "group", "quarter", *figures)
        for row in self.series.select(columns).iter_rows(named=True):
            group = found.setdefault((row["kind"], row["group"]), {})
            group[row["quarter"]] = row
        return found

    def comparable(self, quarter: date) -> bool:
        """Whether a quarter is there, and whole enough to be compared with."""
        days = self.days.filter(pl.col("quarter") == quarter)
        if quarter not in self.tables or days.is_empty():
            return False
        expected = days_of(quarter)
        whole = days.filter(pl.col("reported") & ~pl.col("partial")).height
        return whole >= (1 - MOST_GAPS) * len(expected)

    @property
    def whole_quarter(self) -> bool:
        """Whether the newest quarter is over."""
        return bool(self.days["date"][-1] >= next_quarter(self.quarter) - timedelta(days=1))
