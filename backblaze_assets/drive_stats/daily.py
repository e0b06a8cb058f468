"""What each day says of each model: drives, failures, capacity."""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import polars as pl

from backblaze_assets.drive_stats.capacity import usual_capacity
from backblaze_assets.drive_stats.models import clean_model, is_boot_drive, maker
from backblaze_assets.drive_stats.parquet import check_columns, write_parquet
from backblaze_assets.files.origin import Origin
from backblaze_assets.work import progress

DAILY_SCHEMA = pl.Schema(
    {
        "date": pl.Date(),
        "maker": pl.String(),
        "model": pl.String(),
        "boot": pl.Boolean(),
        "drives": pl.Int64(),
        "failures": pl.Int64(),
        "capacity_bytes": pl.Int64(),
    }
)
"""Of `daily_stats`: one row per day and model that reported.

- date: the day, by the name of its file.
- maker: by the model's name.
- model: as in the data, blanks collapsed, and aliases of one model brought together.
- boot: whether it is a model of boot drives.
- drives: how many reported; failures: rows that report a failure.
- capacity_bytes: the most common possible one of the model's rows that day; null without one.
"""

_RAW_SCHEMA = pl.Schema(
    {"date": pl.Date(), "model": pl.String(), "capacity_bytes": pl.Int64(), "failure": pl.Int8()}
)

_BATCH_DAYS = 64
"""Days that one query reads: enough to keep all cores busy, few enough to show progress."""


@dataclass(frozen=True)
class DailyReport:
    """What a day's statistics came to.

    Attributes:
        data_version: digest of the file's content.
        drives: drives reported.
        failures: failures reported.
        models: different models reported.
        capacity_bytes_total: drives times their models' capacities.
        reported: whether the day has rows at all.
        bytes: size of the file.
    """

    data_version: str
    drives: int
    failures: int
    models: int
    capacity_bytes_total: int
    reported: bool
    bytes: int


def daily_stats(raw_day: Path | None, day: date) -> pl.DataFrame:
    """One row per model that is reported on `day`, sorted by model; columns `DAILY_SCHEMA`.

    `capacity_bytes` is the model's most common possible value of that day, null if there is none.

    Args:
        raw_day: the day's raw Parquet file. None, or a file without rows, is a day without a
            report, whose statistics have no row.
        day: the day; the file's `date` column is not looked at.
    """
    return _stats({day: raw_day} if raw_day else {}).get(day, DAILY_SCHEMA.to_frame())


def write_daily_stats(
    raw_days: Mapping[date, Path | None],
    target: Callable[[date], Path],
    origins: Mapping[date, Origin],
) -> dict[date, DailyReport]:
    """Write the statistics of many days, each to `target(day)`, and report on each.

    Args:
        raw_days: as for `daily_stats`, by day.
        target: the file of a day.
        origins: what each file says about itself, by day.

    Raises:
        DataError: a raw file is damaged.
    """
    days = sorted(raw_days)
    reports: dict[date, DailyReport] = {}
    with progress.work("daily stats", len(days), "days") as listener, ThreadPoolExecutor() as pool:
        for start in range(0, len(days), _BATCH_DAYS):
            batch = days[start : start + _BATCH_DAYS]
            stats = _stats({day: path for day in batch if (path := raw_days[day])})

            def write(day: date, stats: Mapping[date, pl.DataFrame] = stats) -> DailyReport:
                empty = DAILY_SCHEMA.to_frame()
                return _write(stats.get(day, empty), target(day), origins[day])

            for day, report in zip(batch, pool.map(write, batch), strict=True):
                reports[day] = report
                listener.advance(1)
    return reports


def _stats(raw_days: Mapping[date, Path]) -> dict[date, pl.DataFrame]:
    """`daily_stats` of those of `raw_days` that have rows."""
    if not raw_days:
        return {}
    for path in raw_days.values():
        check_columns(path, _RAW_SCHEMA)
    # Cleaning a model costs more than counting it, so rows are counted by what stands there first.
    counts = (
        pl.scan_parquet(
            list(raw_days.values()), schema=_RAW_SCHEMA, extra_columns="ignore", glob=False
        )
        .group_by("date", "model", "capacity_bytes")
        .agg(rows=pl.len().cast(pl.Int64), failures=pl.col("failure").cast(pl.Int64).sum())
        .collect(engine="streaming")
        .with_columns(clean_model(pl.col("model")))
    )
    key = ["date", "model"]
    stats = (
        counts.group_by(key)
        .agg(pl.col("rows").sum().alias("drives"), pl.col("failures").sum())
        .join(usual_capacity(counts, *key), on=key, how="left")
        .with_columns(
            maker=maker(pl.col("model")),
            boot=is_boot_drive(pl.col("model"), pl.col("capacity_bytes")),
        )
        .select(DAILY_SCHEMA.names())
        .sort(key)
    )
    return {rows["date"][0]: rows for rows in stats.partition_by("date", maintain_order=True)}


def _write(stats: pl.DataFrame, path: Path, origin: Origin) -> DailyReport:
    table = stats.to_arrow(compat_level=pl.CompatLevel.oldest())
    return DailyReport(
        data_version=write_parquet(table, path, origin),
        drives=int(stats["drives"].sum()),
        failures=int(stats["failures"].sum()),
        models=stats.height,
        # Python's integers: eight exabytes are too many for 64 bits, and the fleet comes near.
        capacity_bytes_total=sum(
            drives * (size or 0)
            for drives, size in stats.select("drives", "capacity_bytes").iter_rows()
        ),
        reported=stats.height > 0,
        bytes=path.stat().st_size,
    )
