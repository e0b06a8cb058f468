"""Made-up tables of drives and days for the film's tests."""

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from backblaze_assets.drive_stats.lifetimes import CAPACITY_SCHEMA, Lifetimes
from backblaze_assets.drive_stats.quarters import next_quarter, quarter_of
from backblaze_assets.film.extend import extend
from backblaze_assets.film.layout import FilmLayout
from backblaze_assets.film.style import Style

START = date(2013, 4, 10)
TB = 10**12


def fleet(seed: int = 0, drives: int = 600, models: int = 8, days: int = 400) -> pl.DataFrame:
    """A table with the columns of `drives.parquet` that the film needs.

    Models begin at different times, grow, and lose drives by failure and removal.
    """
    random = np.random.default_rng(seed)
    begin = np.sort(random.integers(0, max(1, days // 2), models))
    begin[0] = 0
    model = random.choice(models, drives, p=random.dirichlet(np.ones(models)))
    first = np.minimum(begin[model] + random.integers(0, 60, drives) * random.integers(0, 5), days)
    first[model == 0] //= 2
    end = first + random.integers(1, 3 * days, drives)
    fails = random.random(drives) < 0.4
    names = [f"{'ST' if m % 2 else 'HGST HUH72'}{m * 1111:04d}ALE60{m % 10}" for m in range(models)]
    base = pl.lit(START)
    table = pl.DataFrame(
        {
            "serial_number": [f"S{number:06d}" for number in range(drives)],
            "model": [names[m] for m in model],
            "maker": ["Seagate" if m % 2 else "HGST" for m in model],
            "boot": model == models - 1 if models > 2 else np.zeros(drives, bool),
            "capacity_bytes": (model + 1) * 2 * TB,
            "first": first,
            "failed": [
                int(e) if f and e <= days else None for e, f in zip(end, fails, strict=True)
            ],
            "removed": [
                int(e) if not f and e <= days else None for e, f in zip(end, fails, strict=True)
            ],
        },
        schema_overrides={"failed": pl.Int64, "removed": pl.Int64},
    )
    table = table.select(
        "serial_number",
        "model",
        "maker",
        "boot",
        "capacity_bytes",
        first_seen=base + pl.duration(days="first"),
        failed_on=base + pl.duration(days="failed"),
        removed_on=base + pl.duration(days="removed"),
    )
    return with_slots(table.filter(pl.col("first_seen") <= START + timedelta(days=days)))


def with_slots(drives: pl.DataFrame) -> pl.DataFrame:
    """Sorted, with the rank of each drive in its model."""
    drives = drives.sort("model", "first_seen", "serial_number")
    return drives.with_columns(slot=pl.int_range(pl.len()).over("model").cast(pl.Int32))


def known_on(drives: pl.DataFrame, day: date) -> pl.DataFrame:
    """The table as it was on `day`, when nothing was known of later days."""
    return drives.filter(pl.col("first_seen") <= day).with_columns(
        pl.when(pl.col(column) <= day).then(column) for column in ("failed_on", "removed_on")
    )


def calendar(
    last: date, *, synthetic: bool = False, missing: tuple[date, ...] = ()
) -> pl.DataFrame:
    """A table with the columns of `days.parquet`."""
    days = pl.date_range(START, last, eager=True)
    return pl.DataFrame({"date": days}).with_columns(
        quarter=pl.col("date").dt.truncate("1q"),
        rows=pl.lit(1, pl.Int64),
        reported=True,
        partial=False,
        in_zip=~pl.col("date").is_in(list(missing)),
        synthetic=synthetic,
    )


def lifetimes(drives: pl.DataFrame, days: pl.DataFrame) -> Lifetimes:
    """The tables of `drive_lifetimes` in which no drive changes its model."""
    end = days["date"][-1]
    last = pl.coalesce("failed_on", pl.col("removed_on") - pl.duration(days=1), pl.lit(end))
    drives = drives.with_columns(
        last_seen=last,
        failures=pl.col("failed_on").is_not_null().cast(pl.Int16),
        first_power_on_hours=pl.lit(None, pl.Int64),
        power_on_hours=pl.lit(None, pl.Int64),
        hours_on=pl.lit(None, pl.Date),
        first_hours_on=pl.lit(None, pl.Date),
    ).with_columns(
        drive_days=((pl.col("last_seen") - pl.col("first_seen")).dt.total_days() + 1).cast(pl.Int32)
    )
    spells = drives.select(
        "serial_number", "model", "first_seen", "last_seen", "drive_days", "failures"
    ).sort("first_seen", "serial_number", "model")
    capacities = (
        drives.group_by("model", "capacity_bytes")
        .agg(rows=pl.len().cast(pl.Int64))
        .sort("model", "capacity_bytes")
        .select(CAPACITY_SCHEMA.names())
    )
    return Lifetimes(drives, spells, days, capacities)


def daily(drives: pl.DataFrame, last: date) -> pl.DataFrame:
    """Rows of `daily_stats`: every drive reports on every day from its first to its last."""
    end = pl.coalesce("failed_on", pl.col("removed_on") - pl.duration(days=1), pl.lit(last))
    rows = (
        drives.select(
            "model",
            "failed_on",
            date=pl.date_ranges("first_seen", pl.min_horizontal(end, pl.lit(last))),
        )
        .explode("date")
        .drop_nulls("date")
        .group_by("date", "model")
        .agg(
            drives=pl.len().cast(pl.Int64),
            failures=(pl.col("failed_on") == pl.col("date")).sum().cast(pl.Int64),
        )
    )
    return rows.sort("date", "model")


def quarters(first: date, last: date) -> list[date]:
    """First days of the quarters that `first` to `last` are in."""
    found = [quarter_of(first)]
    while next_quarter(found[-1]) <= last:
        found.append(next_quarter(found[-1]))
    return found


def history(
    drives: pl.DataFrame, last: date, style: Style, rows: pl.DataFrame | None = None, **calendar_of
) -> list[tuple[pl.DataFrame, FilmLayout]]:
    """The table of drives and the layout of each quarter, as they were known at its end."""
    rows = daily(drives, last) if rows is None else rows
    found: list[tuple[pl.DataFrame, FilmLayout]] = []
    for quarter in quarters(START, last):
        end = min(last, next_quarter(quarter) - timedelta(days=1))
        known, days = known_on(drives, end), calendar(end, **calendar_of)
        previous = found[-1][1] if found else None
        layout = extend(
            previous, quarter, lifetimes(known, days), rows.filter(pl.col("date") <= end), style
        )
        found.append((known, layout))
    return found


def write_lifetimes(folder: Path, drives: pl.DataFrame, days: pl.DataFrame) -> Path:
    """A folder as `drive_lifetimes` writes it."""
    folder.mkdir(parents=True, exist_ok=True)
    drives.write_parquet(folder / "drives.parquet")
    days.write_parquet(folder / "days.parquet")
    return folder


def models_of(models, *, failed=None, first=START):
    """Drives of `models` (name and number), all there on the first day."""
    names = [name for name, count in models for _ in range(count)]
    return with_slots(
        pl.DataFrame(
            {
                "serial_number": [f"S{number:07d}" for number in range(len(names))],
                "model": names,
                "maker": "Seagate",
                "boot": False,
                "capacity_bytes": 4 * 10**12,
                "first_seen": first,
                "failed_on": failed,
                "removed_on": None,
            },
            schema_overrides={"failed_on": pl.Date, "removed_on": pl.Date},
        )
    )


def one_quarter(drives, style):
    """The layout of the first quarter, without rates."""
    last = START + timedelta(days=80)
    nothing = daily(drives.head(0), last)
    return extend(None, date(2013, 4, 1), lifetimes(drives, calendar(last)), nothing, style)
