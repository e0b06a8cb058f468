"""The life of every drive: when it came, failed or left, and its place in its model's block.

The history is a fold over the quarters in order: `extend` takes what is known at the end of the
quarter before and the rows of one quarter. Nothing is known but what the files say, so whether a
drive has left is decided from the quarter's end, and may be decided otherwise a quarter later.
"""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import date, timedelta
from pathlib import Path
from statistics import median

import polars as pl
import pyarrow.parquet as pq

from backblaze_assets.drive_stats.capacity import usual_capacity
from backblaze_assets.drive_stats.models import clean_model, is_boot_drive, maker
from backblaze_assets.drive_stats.parquet import read_origin, read_table, write_parquet
from backblaze_assets.drive_stats.tally import tally
from backblaze_assets.files.atomic import atomic_path
from backblaze_assets.files.origin import Origin, digest_versions

PARTIAL_BELOW = 0.8
"""A day is partial when it has less than this share of the drives of the full days before it."""

LONGEST_DIP = timedelta(days=90)
"""How long a fleet may stay below `PARTIAL_BELOW` before the new size is believed.

The longest gap in the published data, 2013-08-20 to 2013-10-14, lasted 56 days.
"""

_LEVEL_DAYS = 7

DRIVE_SCHEMA = pl.Schema(
    {
        "serial_number": pl.String(),
        "model": pl.String(),
        "maker": pl.String(),
        "boot": pl.Boolean(),
        "capacity_bytes": pl.Int64(),
        "slot": pl.Int32(),
        "first_seen": pl.Date(),
        "last_seen": pl.Date(),
        "failed_on": pl.Date(),
        "removed_on": pl.Date(),
        "failures": pl.Int16(),
        "drive_days": pl.Int32(),
        "power_on_hours": pl.Int64(),
        "hours_on": pl.Date(),
        "first_power_on_hours": pl.Int64(),
        "first_hours_on": pl.Date(),
    }
)
"""Of `drives`: one row per drive ever seen.

- serial_number: as in the data.
- model: the one under which the drive was first seen; maker: by the model's name.
- boot: whether it is a boot drive; they are left out of rates and film.
- capacity_bytes: the most common possible one of the model.
- slot: rank in the model by (first_seen, serial_number), from 0, which never changes.
- first_seen: first day with a row; last_seen: last day with a row.
- failed_on: day of the first failure; null without one.
- removed_on: first day of the known time after `last_seen`, of drives that did not fail and were
  not seen on or after the last full day; null for all others.
- failures: rows that report a failure; drive_days: rows.
- power_on_hours: the last plausible reading of SMART 9, or null.
- hours_on: the day of `power_on_hours`.
- first_power_on_hours: the first plausible reading of SMART 9.
- first_hours_on: the day of `first_power_on_hours`.
"""
SPELL_SCHEMA = pl.Schema(
    {
        "serial_number": pl.String(),
        "model": pl.String(),
        "first_seen": pl.Date(),
        "last_seen": pl.Date(),
        "drive_days": pl.Int32(),
        "failures": pl.Int16(),
    }
)
DAY_SCHEMA = pl.Schema(
    {
        "date": pl.Date(),
        "quarter": pl.Date(),
        "rows": pl.Int64(),
        "reported": pl.Boolean(),
        "partial": pl.Boolean(),
        "in_zip": pl.Boolean(),
        "synthetic": pl.Boolean(),
    }
)
CAPACITY_SCHEMA = pl.Schema(
    {"model": pl.String(), "capacity_bytes": pl.Int64(), "rows": pl.Int64()}
)
COUNT_SCHEMA = pl.Schema(
    {"date": pl.Date(), "model": pl.String(), "drives": pl.Int64(), "failures": pl.Int64()}
)

COUNTED = timedelta(days=366)
"""How far before a quarter rows are counted by day: for rates over twelve months on any day."""


@dataclass(frozen=True)
class Lifetimes:
    """What is known of every drive at the end of a quarter.

    Attributes:
        drives: one row per drive ever seen, sorted by (model, slot); columns `DRIVE_SCHEMA`.
            `first_power_on_hours` tells the age at which a drive came (`entry_hours`), which no
            later quarter changes.
        spells: one row per drive and model that it was reported under, sorted by (first_seen,
            serial_number, model); columns `SPELL_SCHEMA`. Some drives change model.
        days: one row per calendar day of every known quarter up to the last day of its zip;
            columns `DAY_SCHEMA`. `rows` is 0 and `reported` false where the zip has no row of
            that day, `in_zip` false where it has no file of it.
        capacities: how many rows of each model give each positive capacity, sorted by model and
            capacity; columns `CAPACITY_SCHEMA`.
        counts: rows and failures of each model on each day of the quarter and of the `COUNTED`
            days before it, sorted by date and model; columns `COUNT_SCHEMA`.
    """

    drives: pl.DataFrame
    spells: pl.DataFrame
    days: pl.DataFrame
    capacities: pl.DataFrame
    counts: pl.DataFrame = field(default_factory=COUNT_SCHEMA.to_frame)

    @classmethod
    def load(cls, folder: Path) -> "Lifetimes":
        """What `save` wrote to `folder`."""
        return cls(**{part.name: read_table(_file(folder, part.name)) for part in fields(cls)})

    def save(self, folder: Path, origin: Origin) -> str:
        """Write one Parquet file per table to `folder`, all or none; return the data version."""
        with atomic_path(folder) as unfinished:
            unfinished.mkdir()
            return digest_versions(
                {
                    part.name: write_parquet(
                        getattr(self, part.name).to_arrow(compat_level=pl.CompatLevel.oldest()),
                        _file(unfinished, part.name),
                        origin,
                    )
                    for part in fields(self)
                }
            )

    @classmethod
    def files(cls, folder: Path) -> list[Path]:
        """The files that `save` writes to `folder`."""
        return [_file(folder, part.name) for part in fields(cls)]

    @classmethod
    def stored_version(cls, folder: Path) -> str:
        """The data version that `save` returned for what is in `folder`."""
        return digest_versions(
            {part.name: read_origin(_file(folder, part.name)).data_version for part in fields(cls)}
        )

    def models(self) -> pl.DataFrame:
        """Every model ever reported: model, capacity_bytes (null if unknown), maker, boot."""
        return _models(self.spells, self.capacities)


def in_service(lifetimes: Lifetimes, day: date) -> pl.DataFrame:
    """The drives in service on `day`, under the model that they were last reported as.

    A drive is in service from the day it is first seen to the day it fails, that day included, or
    to the day before it is removed. `day` must not be before a drive changed its model for the
    last time: meant for the end of the known time.

    Returns:
        Columns of `drives`, with `model` as last reported.
    """
    present = lifetimes.drives.filter(
        pl.col("first_seen") <= day,
        pl.col("failed_on").is_null() | (pl.col("failed_on") >= day),
        pl.col("removed_on").is_null() | (pl.col("removed_on") > day),
    ).drop("model")
    return present.join(
        lifetimes.spells.select("serial_number", "model", "last_seen"),
        on=["serial_number", "last_seen"],
    )


def entry_hours() -> pl.Expr:
    """The age of a drive in hours of power-on time when it was first seen; null if unknown.

    From the columns first_power_on_hours, first_hours_on and first_seen. The first plausible
    reading counts and from then on the calendar, so that hours which go down, stand still or
    run slow later do not matter.
    """
    waited = (pl.col("first_hours_on") - pl.col("first_seen")).dt.total_days() * 24
    return (pl.col("first_power_on_hours") - waited).clip(lower_bound=0)


def extend(
    previous: Lifetimes | None,
    raw_days: Mapping[date, Path],
    quarter: date,
    *,
    synthetic: bool = False,
) -> Lifetimes:
    """The history up to the end of `quarter`: what was known before it, and the quarter's rows.

    A drive has left when it was seen before the last full day of the known time, but neither on
    it nor later, and did not fail. A drive that comes back in a later quarter is in service again
    in that quarter's table. A failed drive stays failed from its first failure on; rows and
    failures after it are counted.

    A quarter may be missing between `previous` and this one. Its days are not in `days`, and a
    drive not seen since is removed on the first day after the gap: what is seen there decides.

    Args:
        previous: the history at the end of the quarter before; None to begin with this quarter.
        raw_days: the quarter's raw Parquet files by day; files without rows are days without a
            report.
        quarter: its first day.
        synthetic: the quarter's zip says that its data are made up.

    Raises:
        ValueError: `raw_days` is empty, or not later than `previous`.
    """
    if not raw_days:
        raise ValueError(f"no raw day of {quarter}")
    if previous and previous.days["date"][-1] >= min(raw_days):
        raise ValueError(f"{quarter} is not after {previous.days['date'][-1]}")
    rows = {day: pq.read_metadata(path).num_rows for day, path in sorted(raw_days.items())}
    days = _calendar(previous, rows, quarter, synthetic=synthetic)
    told, counted = tally(raw_days)
    pieces = _with_clean_models(told)
    spells = _merge_spells(previous, pieces)
    capacities = _merge_capacities(previous, pieces)
    drives = _with_removals(_merge_drives(previous, pieces), days).join(
        _models(spells, capacities), on="model", how="left", maintain_order="left"
    )
    counts = _merge_counts(previous, _with_clean_models(counted), quarter)
    return Lifetimes(drives.select(DRIVE_SCHEMA.names()), spells, days, capacities, counts)


def partial_days(dates: Sequence[date], rows: Sequence[int]) -> list[bool]:
    """Which days report only a part of the fleet, so that an absent drive proves nothing.

    A day is partial when it has less than `PARTIAL_BELOW` of the median of the seven full days
    before it, until a day reaches that level again. A fleet that shrinks for good must not be
    partial for ever: once the stretch is longer than `LONGEST_DIP`, its first day is taken as the
    fleet's new size and the stretch is judged anew. So a shrinking fleet is believed at most one
    quarter late. A day without rows is not partial but unreported, and left out. After a cut in
    the calendar, and at its beginning, the first day counts as full.

    Args:
        dates: days in order.
        rows: drives reported on each.
    """
    partial = [False] * len(rows)
    full: deque[int] = deque(maxlen=_LEVEL_DAYS)
    dip: int | None = None  # where the current stretch of partial days begins
    index = 0
    while index < len(rows):
        if index and dates[index] - dates[index - 1] > timedelta(days=1):
            full.clear()
            dip = None
        if dip is not None and dates[index] - dates[dip] >= LONGEST_DIP:
            partial[dip:index] = [False] * (index - dip)
            full.clear()
            index, dip = dip, None
        if rows[index]:
            partial[index] = bool(full) and rows[index] < PARTIAL_BELOW * median(full)
            if partial[index]:
                dip = index if dip is None else dip
            else:
                full.append(rows[index])
                dip = None
        index += 1
    return partial


def _file(folder: Path, name: str) -> Path:
    return folder / f"{name}.parquet"


def _calendar(
    previous: Lifetimes | None, rows: Mapping[date, int], quarter: date, *, synthetic: bool
) -> pl.DataFrame:
    """`Lifetimes.days`, from the history's first day or the quarter's to the zip's last day."""
    first, last = (quarter if previous else min(rows)), max(rows)
    dates = [first + timedelta(days=offset) for offset in range((last - first).days + 1)]
    days = pl.DataFrame(
        {
            "date": dates,
            "quarter": [quarter] * len(dates),
            "rows": [rows.get(day, 0) for day in dates],
            "reported": [rows.get(day, 0) > 0 for day in dates],
            "partial": [False] * len(dates),
            "in_zip": [day in rows for day in dates],
            "synthetic": [synthetic] * len(dates),
        },
        schema=DAY_SCHEMA,
    )
    if previous:
        days = pl.concat([previous.days, days])
    flags = partial_days(days["date"].to_list(), days["rows"].to_list())
    return days.with_columns(pl.Series("partial", flags))


def _with_clean_models(pieces: pl.DataFrame) -> pl.DataFrame:
    """`pieces` with cleaned models; each spelling is cleaned once, as there are few."""
    spellings = pieces.select(pl.col("model").unique())
    cleaned = spellings.with_columns(cleaned=clean_model(pl.col("model")))
    return (
        pieces.join(cleaned, on="model", how="left", maintain_order="left")
        .drop("model")
        .rename({"cleaned": "model"})
    )


def _merge_counts(previous: Lifetimes | None, counted: pl.DataFrame, quarter: date) -> pl.DataFrame:
    tables = [counted.select(COUNT_SCHEMA.names())]
    if previous:
        tables.insert(0, previous.counts.filter(pl.col("date") >= quarter - COUNTED))
    both = pl.concat(tables).group_by("date", "model").agg(pl.col("drives", "failures").sum())
    return both.sort("date", "model")


def _merge_spells(previous: Lifetimes | None, pieces: pl.DataFrame) -> pl.DataFrame:
    spells = pieces.select(SPELL_SCHEMA.names())
    if previous:
        spells = pl.concat([previous.spells, spells])
    return (
        spells.group_by("serial_number", "model")
        .agg(
            pl.col("first_seen").min(),
            pl.col("last_seen").max(),
            pl.col("drive_days", "failures").sum(),
        )
        .cast(SPELL_SCHEMA)
        .sort("first_seen", "serial_number", "model")
    )


def _models(spells: pl.DataFrame, capacities: pl.DataFrame) -> pl.DataFrame:
    """`Lifetimes.models`, sorted by model."""
    models = spells.select(pl.col("model").unique().sort())
    return models.join(
        usual_capacity(capacities, "model"), on="model", how="left", maintain_order="left"
    ).with_columns(
        maker=maker(pl.col("model")),
        boot=is_boot_drive(pl.col("model"), pl.col("capacity_bytes")),
    )


def _merge_capacities(previous: Lifetimes | None, pieces: pl.DataFrame) -> pl.DataFrame:
    rows = pieces.filter(pl.col("capacity_bytes") > 0).select(
        "model", "capacity_bytes", pl.col("drive_days").cast(pl.Int64).alias("rows")
    )
    if previous:
        rows = pl.concat([previous.capacities, rows])
    keys = ["model", "capacity_bytes"]
    return rows.group_by(keys).agg(pl.col("rows").sum()).sort(keys)


_KNOWN = [
    "serial_number",
    "model",
    "first_seen",
    "last_seen",
    "failed_on",
    "failures",
    "drive_days",
    "power_on_hours",
    "hours_on",
    "first_power_on_hours",
    "first_hours_on",
]


def _merge_drives(previous: Lifetimes | None, pieces: pl.DataFrame) -> pl.DataFrame:
    """`_KNOWN` and slot of every drive, sorted by model and slot."""
    drives = pieces.select(_KNOWN)
    if previous:
        drives = pl.concat([previous.drives.select(_KNOWN), drives])
    return (
        drives.group_by("serial_number")
        .agg(
            pl.col("model").first(),  # of the earliest rows, which come first
            pl.col("first_seen", "failed_on").min(),
            pl.col("last_seen").max(),
            pl.col("failures", "drive_days").sum(),
            pl.col("power_on_hours").get(pl.col("hours_on").arg_max()),
            pl.col("hours_on").max(),
            pl.col("first_power_on_hours").get(pl.col("first_hours_on").arg_min()),
            pl.col("first_hours_on").min(),
        )
        .sort("model", "first_seen", "serial_number")
        .with_columns(slot=pl.int_range(pl.len(), dtype=pl.Int32).over("model"))
        .cast({"failures": pl.Int16, "drive_days": pl.Int32})
    )


def _with_removals(drives: pl.DataFrame, days: pl.DataFrame) -> pl.DataFrame:
    """`drives` with `removed_on`, as `extend` describes it."""
    full = days.filter(pl.col("reported") & ~pl.col("partial"))
    last_full = pl.lit(full["date"].max(), dtype=pl.Date)
    following = days.select(last_seen="date", next_day=pl.col("date").shift(-1))
    left = pl.col("failed_on").is_null() & (pl.col("last_seen") < last_full)
    return (
        drives.join(following, on="last_seen", how="left", maintain_order="left")
        .with_columns(removed_on=pl.when(left).then(pl.col("next_day")))
        .drop("next_day")
    )
