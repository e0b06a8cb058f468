"""Tables of failure rates: made by hand, as they would be if all published were true, and of a
small fleet."""

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import NamedTuple

import polars as pl

from backblaze_assets.drive_stats.afr import AFR_SCHEMA, afr_table
from backblaze_assets.drive_stats.daily import write_daily_stats
from backblaze_assets.drive_stats.lifetimes import Lifetimes, extend
from backblaze_assets.drive_stats.published import published
from backblaze_assets.files.origin import Origin
from backblaze_assets_tests.drive_stats.raw import Row, by_quarter, days_from, write_days

Q4, Q1, Q2 = date(2013, 10, 1), date(2014, 1, 1), date(2014, 4, 1)
LAST_DAYS = {Q4: date(2013, 12, 31), Q1: date(2014, 3, 31), Q2: date(2014, 6, 30)}
_SIZES = {
    "ST4000DM000": 4_000_787_030_016,
    "WDC WUH721414ALE6L4": 14_000_519_643_136,
    "Seagate BarraCuda SSD ZA250CM10002": 250_059_350_016,
    "ST8000DM002": 8_001_563_222_016,
    "ST6000DX000": 6_001_175_126_016,
}


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


class ThreeQuarters(NamedTuple):
    """The tables of a small fleet, by quarter, and what is known at the end."""

    tables: dict[date, Path]
    lifetimes: Lifetimes


def three_quarters(folder: Path) -> ThreeQuarters:
    """Ten days of each of three quarters; in the second one, one model fails far more often."""
    rows = {
        day: list(_drives(quarter, day))
        for quarter, last in LAST_DAYS.items()
        for day in days_from(last - timedelta(days=9), 10)
    }
    raw = write_days(folder / "raw", rows)
    daily = {day: folder / "daily" / f"{day}.parquet" for day in raw}
    write_daily_stats(raw, daily.__getitem__, dict.fromkeys(raw, Origin("test", None, "code")))
    history, tables = None, {}
    for quarter, days in by_quarter(raw).items():
        history = extend(history, days, quarter)
        tables[quarter] = folder / f"{quarter}.parquet"
        afr_table(history, daily, quarter).write_parquet(tables[quarter])
    assert history is not None
    return ThreeQuarters(tables, history)


def _drives(quarter: date, day: date) -> Iterator[Row]:
    """130 and 60 drives of three models; too few, retired and boot drives; some that fail."""
    counts = {"ST4000DM000": 130, "Hitachi HDS722020ALA330": 60, "WDC WUH721414ALE6L4": 60}
    counts |= {"Seagate BarraCuda SSD ZA250CM10002": 8, "ST8000DM002": 7}
    if quarter == Q4:
        counts["ST6000DX000"] = 50
    gone, failing = {Q4: (0, 1), Q1: (1, 30), Q2: (31, 2)}[quarter]  # of the first model
    for model, count in counts.items():
        for number in range(count):
            first = model == "ST4000DM000"
            if first and number < gone:
                continue
            fails = number < gone + failing if first else number == quarter.month
            fails &= day == LAST_DAYS[quarter] and (first or model.startswith("WDC"))
            size = _SIZES.get(model, 2_000_398_934_016)
            yield Row(f"{model} {number}", model, size, int(fails), 9_000 + number)
