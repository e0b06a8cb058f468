"""Survival of every drive ever seen, from `drive_lifetimes` of the newest quarter to its file.

512,600 drives, those of `fleet_to_2026.py`; without that tool as many made up at random. What takes
the 1.4 CPU seconds, timed part by part: the curves 68 % (sorting 11 %), cutting the groups out
24 %, reading 4 %.
"""

import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from backblaze_assets.drive_stats.lifetimes import DRIVE_SCHEMA
from backblaze_assets_tests.benchmarks.harness import Result, measure, written_mb
from backblaze_assets_tests.real_data import SHARED

GOAL_S = 5.0
DRIVES = 512_600

STEP = """
import sys
from pathlib import Path
import polars as pl
from backblaze_assets.drive_stats.lifetimes import Lifetimes
from backblaze_assets.drive_stats.survival import survival
drives = pl.read_parquet(Path(sys.argv[1]), glob=False)
empty = pl.DataFrame()
table = survival(Lifetimes(drives, empty, empty, empty))
table.write_parquet(sys.argv[2])
print(drives.height, table.height)
"""
FLOOR = "import sys, polars as pl; print(pl.read_parquet(sys.argv[1]).height)"


def run(work: Path) -> list[Result]:
    drives, out = make_input(work), work / "survival.parquet"
    floor = measure(FLOOR, str(drives))
    measured = measure(STEP, str(drives), str(out))
    count, rows = measured.stdout.split()
    note = f"{int(count):,} drives, {rows} rows; goal in seconds"
    ratio = measured.wall_s / floor.wall_s
    return [
        Result("survival", "floor: read the drives", floor),
        Result("survival", "all groups", measured, written_mb(out), ratio, GOAL_S, note),
    ]


def make_input(work: Path) -> Path:
    """`drives.parquet` of the newest quarter, made when it is not there."""
    path = work / "drives_to_2026.parquet"
    if path.exists():
        return path
    tool = SHARED / "tools" / "fleet_to_2026.py"
    if tool.exists():
        folder = work / "fleet_to_2026"
        command = [sys.executable, str(tool), str(folder)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        drives = pl.read_parquet(folder / "drives.parquet")
    else:
        drives = _made_up()
    if "first_power_on_hours" not in drives.columns:
        waited = (pl.col("hours_on") - pl.col("first_seen")).dt.total_days() * 24
        drives = drives.with_columns(
            first_power_on_hours=(pl.col("power_on_hours") - waited).clip(lower_bound=0),
            first_hours_on="first_seen",
        )
    drives.select(DRIVE_SCHEMA.names()).write_parquet(path)
    return path


def _made_up() -> pl.DataFrame:
    chance = np.random.default_rng(7)
    first = chance.integers(0, 4_500, DRIVES)
    lived = chance.integers(1, 4_830 - first)
    model = chance.integers(0, 150, DRIVES)
    ended = chance.choice(3, DRIVES, p=[0.7, 0.06, 0.24])
    start = date(2013, 4, 10)
    day = pl.lit(start) + pl.duration(days=pl.col("first"))
    last = day + pl.duration(days=pl.col("lived"))
    return pl.DataFrame({"first": first, "lived": lived, "model": model, "ended": ended}).select(
        serial_number=pl.format("S{}", pl.int_range(pl.len())),
        model=pl.format("ST{}NM", "model"),
        maker=pl.format("maker {}", pl.col("model") % 8),
        boot=pl.col("model") % 15 == 0,
        capacity_bytes=(pl.col("model") % 20 + 1) * 10**12,
        slot=pl.lit(0, pl.Int32),
        first_seen=day,
        last_seen=last,
        failed_on=pl.when(pl.col("ended") == 1).then(last),
        removed_on=pl.when(pl.col("ended") == 2).then(last + timedelta(days=1)),
        failures=(pl.col("ended") == 1).cast(pl.Int16),
        drive_days=pl.col("lived").cast(pl.Int32),
        power_on_hours=pl.col("lived") * 24,
        hours_on=last,
    )
