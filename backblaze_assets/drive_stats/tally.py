"""Adding up the rows of many days by drive, one day after the other.

Nearly the same drives are in every day's file. So each gets a number when it is first seen, and a
day only writes to a few arrays, at the numbers of its rows. This takes half the time of a group-by
over all rows, whose keys are strings, and memory for a few days instead of a quarter.
"""

from collections import deque
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import date
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from backblaze_assets.drive_stats.parquet import check_columns
from backblaze_assets.errors import DataError

LONGEST_LIFE_HOURS = 20 * 365 * 24
"""A larger power-on time is not one: some drives pack other things into the raw value."""

_RAW_SCHEMA = pl.Schema(
    {
        "serial_number": pl.String(),
        "model": pl.String(),
        "capacity_bytes": pl.Int64(),
        "failure": pl.Int8(),
        "smart_9_raw": pl.Int64(),
    }
)
_WITHOUT_HOURS = _RAW_SCHEMA.names()[:-1]
_KEY = ["serial_number", "model", "capacity_bytes"]
_READ_AHEAD = 3
_UNTOLD, _ABSENT = -1, -2

Keys = npt.NDArray[np.uint64]
Positions = npt.NDArray[np.intp]


def tally(raw_days: Mapping[date, Path]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """One row per serial number, model and capacity, and one per day and model.

    The power-on hours are read every day: where they were read on Sundays alone, 40 of 87,068 real
    drives had none, and half of these had failed, so that the early failures were missing.

    Args:
        raw_days: raw Parquet files by day, at least one; a drive is in each at most once.

    Returns:
        First, all as they stand in the files: serial_number, model, capacity_bytes, first_seen,
        last_seen, drive_days, failures, failed_on (first failure), first_power_on_hours (first
        plausible reading), first_hours_on (its day), power_on_hours (last one) and hours_on (its
        day), in the order in which they are first seen. Second: date, model (as spelt), drives
        and failures, rows of that day, sorted by date.

    Raises:
        DataError: a file is damaged, or a drive is in it twice.
    """
    days = sorted(raw_days)
    files = [raw_days[day] for day in days]
    numbering = _Numbering()
    seen: list[pl.DataFrame] = []
    failures: list[pl.DataFrame] = []
    counts = _Counts()
    first, last, rows, hours, hours_on, entry, entry_on = (np.empty(0, np.int32) for _ in range(7))
    for index, frame in enumerate(_read(files)):
        keys = frame["key"].to_numpy()
        numbers, new = numbering.numbers_of(keys)
        seen.append(frame.select(_KEY)[new])
        starts = (index, index, 0, _UNTOLD, index, _UNTOLD, index)
        first, last, rows, hours, hours_on, entry, entry_on = (
            np.append(values, np.full(new.size, start, np.int32))
            for values, start in zip(
                (first, last, rows, hours, hours_on, entry, entry_on), starts, strict=True
            )
        )
        # Two values for those that are not there, so that the only random access is this one.
        today = np.full(first.size, _ABSENT, np.int32)
        today[numbers] = frame["hours"].to_numpy()
        present, told = today > _ABSENT, today > _UNTOLD
        if np.count_nonzero(present) + np.unique(keys[new]).size < frame.height + new.size:
            raise DataError(f"{files[index]} has a drive more than once. Import its quarter anew.")
        rows += present
        np.copyto(last, index, where=present)
        np.copyto(hours, today, where=told)
        np.copyto(hours_on, index, where=told)
        untold = np.flatnonzero((entry == _UNTOLD) & told)
        entry[untold] = today[untold]
        entry_on[untold] = index
        failed = numbers[frame["failed"].to_numpy()]
        counts.add(days[index], frame["model"].gather(new), numbers, failed)
        failures.append(
            pl.DataFrame({"number": failed}, schema={"number": pl.Int64}).with_columns(
                failed_on=pl.lit(days[index])
            )
        )

    def day_of(indices: npt.NDArray[np.int32]) -> pl.Series:
        return pl.Series(days, dtype=pl.Date).gather(indices)

    pieces = (
        pl.concat(seen)
        .with_columns(
            first_seen=day_of(first),
            last_seen=day_of(last),
            drive_days=pl.Series(rows),
            first_power_on_hours=pl.Series(entry, dtype=pl.Int64),
            first_hours_on=day_of(entry_on),
            power_on_hours=pl.Series(hours, dtype=pl.Int64),
            hours_on=day_of(hours_on),
            number=pl.int_range(pl.len(), dtype=pl.Int64),
        )
        .with_columns(
            pl.when(pl.col("power_on_hours") > _UNTOLD).then(
                pl.col("first_power_on_hours", "first_hours_on", "power_on_hours", "hours_on")
            )
        )
        .join(_failures(failures), on="number", how="left", maintain_order="left")
        .with_columns(pl.col("failures").fill_null(0))
        .drop("number")
    )
    return pieces, counts.table()


class _Counts:
    """Rows and failures of each model, day by day."""

    def __init__(self) -> None:
        self._codes: dict[str | None, int] = {}
        self._code_of = np.empty(0, np.int32)  # by a drive's number
        self._days: list[pl.DataFrame] = []

    def add(self, day: date, new: pl.Series, numbers: Positions, failed: Positions) -> None:
        """Count a day; `new` are the models of the drives that get the next numbers."""
        codes = [self._codes.setdefault(model, len(self._codes)) for model in new.to_list()]
        self._code_of = np.append(self._code_of, np.array(codes, np.int32))
        count = len(self._codes)
        drives = np.bincount(self._code_of[numbers], minlength=count)
        self._days.append(
            pl.DataFrame(
                {
                    "model": list(self._codes),
                    "drives": drives,
                    "failures": np.bincount(self._code_of[failed], minlength=count),
                },
                schema={"model": pl.String, "drives": pl.Int64, "failures": pl.Int64},
            )
            .filter(pl.col("drives") > 0)
            .select(pl.lit(day).alias("date"), pl.all())
        )

    def table(self) -> pl.DataFrame:
        """One row per day and model: date, model, drives, failures."""
        return pl.concat(self._days)


class _Numbering:
    """Numbers 0, 1, 2, ... for 64-bit keys: an open-addressing hash table, many keys at a time."""

    def __init__(self) -> None:
        self._keys: Keys = np.zeros(1, np.uint64)  # by number; the last one stands for no key
        self._table = np.full(1 << 16, -1, np.int32)

    def numbers_of(self, keys: Keys) -> tuple[Positions, Positions]:
        """The number of each of `keys`, and the positions of those that are new.

        New keys get the next numbers, in the order in which they stand in `keys`. They must
        differ, or the same key gets two numbers.
        """
        if 4 * (self._keys.size + keys.size) > self._table.size:
            self._grow(8 * (self._keys.size + keys.size))
        places, numbers = self._find(keys)
        new = np.flatnonzero(numbers < 0)
        numbers[new] = np.arange(new.size) + self._keys.size - 1
        self._keys = np.concatenate([self._keys[:-1], keys[new], self._keys[-1:]])
        self._insert(keys[new], places[new], numbers[new])
        return numbers, new

    def _find(self, keys: Keys) -> tuple[Positions, Positions]:
        """Where each key stands or would stand in the table, and its number, -1 for none."""
        mask = self._table.size - 1
        places = (keys & np.uint64(mask)).astype(np.intp)
        numbers = self._table[places].astype(np.intp)
        others = np.flatnonzero((self._keys[numbers] != keys) & (numbers >= 0))
        while others.size:
            places[others] = (places[others] + 1) & mask
            numbers[others] = self._table[places[others]]
            found = numbers[others]
            others = others[(self._keys[found] != keys[others]) & (found >= 0)]
        return places, numbers

    def _insert(self, keys: Keys, places: Positions, numbers: Positions) -> None:
        """Enter new keys at free places; of several at the same, one stays and others go on."""
        while keys.size:
            self._table[places] = numbers
            lost = self._table[places] != numbers
            places, found = self._find(keys[lost])
            free = found < 0  # else a key is there twice
            keys, places, numbers = keys[lost][free], places[free], numbers[lost][free]

    def _grow(self, least: int) -> None:
        """A new table with at least so many places."""
        self._table = np.full(1 << least.bit_length(), -1, np.int32)
        keys = self._keys[:-1]
        places, _ = self._find(keys)
        self._insert(keys, places, np.arange(keys.size))


def _read(files: list[Path]) -> Iterator[pl.DataFrame]:
    """The rows of each file, in order, by `_read_day`; the next files are read meanwhile."""
    with ThreadPoolExecutor(_READ_AHEAD) as pool:
        coming: deque[Future[pl.DataFrame]] = deque()
        for path in files:
            coming.append(pool.submit(_read_day, path))
            if len(coming) == _READ_AHEAD:
                yield coming.popleft().result()
        while coming:
            yield coming.popleft().result()


def _read_day(path: Path) -> pl.DataFrame:
    """Columns `_KEY`; `key`, a hash of these; `failed`; and `hours`, `_UNTOLD` if implausible.

    A hash stands for the three values: among a million of them, two are equal by chance in one
    history of forty million.
    """
    serial, model, capacity = (pl.col(name).hash(seed) for seed, name in enumerate(_KEY))
    plausible = pl.col("smart_9_raw").is_between(0, LONGEST_LIFE_HOURS)
    hours = pl.when(plausible).then("smart_9_raw").otherwise(_UNTOLD)
    check_columns(path, _RAW_SCHEMA)
    rows = pl.scan_parquet(
        path, schema=_RAW_SCHEMA, missing_columns="insert", extra_columns="ignore", glob=False
    )
    return rows.select(
        *_KEY,
        key=serial ^ model ^ capacity,
        failed=(pl.col("failure") == 1).fill_null(value=False),
        hours=hours.cast(pl.Int32),
    ).collect()


def _failures(failures: list[pl.DataFrame]) -> pl.DataFrame:
    """Per number: failures and failed_on."""
    return (
        pl.concat(failures)
        .group_by("number")
        .agg(pl.len().cast(pl.Int16).alias("failures"), pl.col("failed_on").min())
    )
