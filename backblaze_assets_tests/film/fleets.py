"""Made-up tables of drives and days for the film's tests."""

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl

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


def write_lifetimes(folder: Path, drives: pl.DataFrame, days: pl.DataFrame) -> Path:
    """A folder as `drive_lifetimes` writes it."""
    folder.mkdir(parents=True, exist_ok=True)
    drives.write_parquet(folder / "drives.parquet")
    days.write_parquet(folder / "days.parquet")
    return folder
