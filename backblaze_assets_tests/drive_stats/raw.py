"""Raw day files of a few drives, as the importer writes them."""

import random
from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import NamedTuple

import polars as pl

from backblaze_assets.drive_stats.quarters import quarter_of

SCHEMA = pl.Schema(
    {
        "date": pl.Date(),
        "serial_number": pl.String(),
        "model": pl.String(),
        "capacity_bytes": pl.Int64(),
        "failure": pl.Int8(),
        "smart_1_normalized": pl.Int16(),
        "smart_9_raw": pl.Int64(),
    }
)


class Row(NamedTuple):
    serial_number: str
    model: str = "ST4000DM000"
    capacity_bytes: int = 4_000_787_030_016
    failure: int = 0
    hours: int | None = None


def days_from(first: date, count: int) -> list[date]:
    return [first + timedelta(days=offset) for offset in range(count)]


def write_days(folder: Path, rows: Mapping[date, Iterable[Row | str]]) -> dict[date, Path]:
    """Write one file a day; a drive may be given by its serial number alone."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = {}
    for day, given in rows.items():
        whole = [Row(row) if isinstance(row, str) else row for row in given]
        paths[day] = folder / f"{day}.parquet"
        pl.DataFrame(
            [(day, *row[:4], 100, row.hours) for row in whole], schema=SCHEMA, orient="row"
        ).write_parquet(paths[day])
    return paths


def by_quarter(paths: Mapping[date, Path]) -> dict[date, dict[date, Path]]:
    quarters: dict[date, dict[date, Path]] = {}
    for day, path in sorted(paths.items()):
        quarters.setdefault(quarter_of(day), {})[day] = path
    return quarters


MODELS = {
    "ST4000DM000": 4_000_787_030_016,
    "WDC  WUH721414ALE6L4": 14_000_519_643_136,
    "Hitachi HDS722020ALA330": 2_000_398_934_016,
    "Seagate BarraCuda SSD ZA250CM10002": 250_059_350_016,
}


def made_up_fleet(seed: int, first: date, days: int, drives: int) -> dict[date, list[Row]]:
    """Drives that come, go, fail, skip days, change their model's name and lie about their size."""
    chance = random.Random(seed)
    calendar = days_from(first, days)
    fleet: dict[date, list[Row]] = {day: [] for day in calendar}
    for number in range(drives):
        model = chance.choice(list(MODELS))
        begin, length = chance.randrange(days), chance.randrange(1, days + 1)
        age = chance.choice([None, chance.randrange(50_000)])
        for lived, day in enumerate(calendar[begin : begin + length]):
            if lived and chance.random() < 0.05:
                continue
            name = model.replace("  ", " ") if chance.random() < 0.3 else model
            if number % 11 == 0 and lived > length // 2:
                name = "ST8000DM002"
            fleet[day].append(
                Row(
                    f"Z{number:05d}",
                    name,
                    chance.choice([MODELS[model]] * 9 + [-1]),
                    int(chance.random() < 0.01),
                    None if age is None or chance.random() < 0.1 else age + 24 * lived,
                )
            )
    for rows in fleet.values():
        chance.shuffle(rows)
    return fleet
