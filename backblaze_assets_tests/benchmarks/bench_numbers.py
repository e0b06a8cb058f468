"""Daily figures, lives of drives and failure rates of one full quarter, after its import.

What was tried, in CPU seconds for 15 million rows of 89 days, scaled to a floor of 0.5 (reading 5
columns, in the process) because the machine was busy; what is used is marked with an asterisk.

    lifetimes   Polars' streaming group-by: by serial number, model and capacity 3.4; by serial
                number alone 1.3, but models and capacities that change need the smallest and
                largest of each (2.4) and a second reading of those drives (0.7); by a key joined
                of serial number and model 3.3; by Categorical codes 2.9; by a hash of all three
                1.8, and 3.5 with the names that belong to it.
                Drives numbered by an own hash table, arrays written at their numbers: 1.9; the
                same with one random write a row and day 1.5 *; power-on hours of Sundays and
                quarters' ends only 1.2, but early failures then have no age. Rows of real files
                keep their order from day to day (99.98 % of neighbours), but finding where they do
                not takes as long as the table.
    daily stats one query a day 0.7; in two threads 0.7; dictionaries from Arrow 0.65; one query for
                64 days, by date, model and capacity 0.5 *; by a hash of these 0.4 without names.
                Makers and capacities for all days at once save 0.3 *.

What bounds it now, timed part by part: of lifetimes, reading, inflating and hashing 45 %, the hash
table's random reads 25 %, writing to arrays 10 %, merging and sorting 15 %.
"""

from datetime import date
from pathlib import Path

import polars as pl

from backblaze_assets.drive_stats.afr import afr_table
from backblaze_assets.drive_stats.daily import write_daily_stats
from backblaze_assets.drive_stats.lifetimes import Lifetimes, extend
from backblaze_assets.drive_stats.parquet import write_parquet
from backblaze_assets.drive_stats.quarters import quarter_of
from backblaze_assets.drive_stats.schema import REQUIRED
from backblaze_assets.files.origin import Origin
from backblaze_assets_tests.benchmarks import bench_import
from backblaze_assets_tests.benchmarks.harness import Result, measure, written_mb

GOAL = 3.0
ORIGIN = Origin("benchmark", None, "")

STEP = """
import sys, time
from pathlib import Path
from backblaze_assets_tests.benchmarks import bench_numbers
started = time.perf_counter()
getattr(bench_numbers, sys.argv[1])(Path(sys.argv[2]), Path(sys.argv[3]))
print(time.perf_counter() - started)
"""


def run(work: Path) -> list[Result]:
    raw = make_input(work)
    out = work / "numbers"
    floor = measure(STEP, "floor", str(raw), str(out))
    results = [Result("numbers", "floor: read 5 columns", floor)]
    for case, step in (
        ("daily stats", "daily"),
        ("lifetimes", "lifetimes"),
        ("AFR", "afr"),
        ("all three", "all_three"),
    ):
        measured = measure(STEP, step, str(raw), str(out))
        goal = GOAL if step == "all_three" else None
        ratio = measured.wall_s / floor.wall_s
        inside = float(measured.stdout) / float(floor.stdout)
        note = (
            f"CPU x floor {measured.cpu_s / floor.cpu_s:.2f}; without Python's start x {inside:.2f}"
        )
        results.append(Result("numbers", case, measured, written_mb(out), ratio, goal, note))
    return results


def make_input(work: Path) -> Path:
    """The imported quarter of the benchmark `import`, made when it is not there."""
    archive = bench_import.make_input(work / "import")
    raw = work / "import" / "out"
    if not any(raw.glob("*.parquet")):
        bench_import.whole(archive, raw)
    return raw


def floor(raw: Path, _: Path) -> None:
    """Read the five columns of all files once, on all processors, as fast as we know how."""
    pl.scan_parquet(raw / "*.parquet").select(REQUIRED).collect(engine="streaming")


def daily(raw: Path, out: Path) -> None:
    """`daily_stats` of all days, written."""
    days = _days(raw)
    write_daily_stats(
        days, lambda day: out / "daily" / f"{day}.parquet", dict.fromkeys(days, ORIGIN)
    )


def lifetimes(raw: Path, out: Path) -> None:
    """`drive_lifetimes` of the quarter as the first of a history, written."""
    days = _days(raw)
    extend(None, days, quarter_of(min(days))).save(out / "lifetimes", ORIGIN)


def afr(raw: Path, out: Path) -> None:
    """`afr_table` of the quarter, written."""
    days = {day: out / "daily" / f"{day}.parquet" for day in _days(raw)}
    table = afr_table(Lifetimes.load(out / "lifetimes"), days, quarter_of(min(days)))
    write_parquet(table.to_arrow(), out / "afr.parquet", ORIGIN)


def all_three(raw: Path, out: Path) -> None:
    """Everything, one after the other."""
    daily(raw, out)
    lifetimes(raw, out)
    afr(raw, out)


def _days(raw: Path) -> dict[date, Path]:
    return {date.fromisoformat(path.stem): path for path in sorted(raw.glob("*.parquet"))}
