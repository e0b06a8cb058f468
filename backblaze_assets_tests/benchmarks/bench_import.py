"""Import of a full quarter: 14.6 million rows, 149 columns, 4.8 GB of CSV in a zip of 0.8 GB.

What was tried, in CPU seconds (the least of several runs, 2 cores) for a day of 54 MB and 168,000
rows; what is used is marked with an asterisk.

    inflate     zlib 0.10, zlib-ng 0.072, ISA-L whole 0.060, ISA-L piece by piece 0.042 *
                A buffer of the whole file costs 0.2 s more the first time, for new memory.
    parse       Polars 0.76, Arrow 0.37 *, and 0.32 with the 48 blank columns expected blank *;
                5 columns: Arrow 0.09, Polars 0.06. Blocks of 0.25 to 1 MB differ by under 5 %
                (1 *), larger ones cost up to a fifth more.
    Parquet     seconds and MB: Arrow's defaults (snappy) 0.26, 10.0; zstd 0.28, 7.9; zstd level 1
                with dictionaries of at most 16 kB 0.21, 6.9 *; the same with a list of columns
                for dictionaries 0.21, 7.0; with lz4 0.17, 11.5; uncompressed 0.20, 53;
                delta encoding 0.34, 8.3; byte stream split 0.26, 7.2; Polars zstd 0.28, 7.6.
                Version 2 pages, larger batches and one chunk a column make no difference.
    streaming   each block of 2 MB written as it is parsed, for less memory: 0.79 against 0.59, and
                a larger file: 149 columns cost too much for each batch. Whole days are held *.
    memory      Arrow's jemalloc and system pools against mimalloc *: no difference.

What bounds it now, by profile: cutting 25 million fields and making integers of 17 million of them
(40 %), Parquet's levels, dictionaries and zstd (25 %), new memory (13 %), inflating (4 %).
"""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.csv

from backblaze_assets.drive_stats import schema
from backblaze_assets.drive_stats.archive import scan
from backblaze_assets.drive_stats.demo import write_zips
from backblaze_assets.drive_stats.importer import import_days
from backblaze_assets.drive_stats.inflate import MemberStream
from backblaze_assets.drive_stats.member import Member
from backblaze_assets.files.origin import Origin
from backblaze_assets_tests.benchmarks.harness import Result, measure, written_mb
from backblaze_assets_tests.real_data import SHARED

FLOOR = """
import sys
from pathlib import Path
from backblaze_assets_tests.benchmarks import bench_import
print(bench_import.floor(Path(sys.argv[1])))
"""
WHOLE = """
import sys
from pathlib import Path
from backblaze_assets_tests.benchmarks import bench_import
print(bench_import.whole(Path(sys.argv[1]), Path(sys.argv[2])))
"""
GOAL = 4.0
MOST_MEMORY_MB = 1500


def run(work: Path) -> list[Result]:
    path = make_input(work / "import")
    out = work / "import" / "out"
    floor = measure(FLOOR, str(path))
    whole = measure(WHOLE, str(path), str(out))
    rows = int(whole.stdout)
    if rows != int(floor.stdout):
        raise AssertionError(f"{rows} rows imported, {floor.stdout} there")
    note = (
        f"{rows:,} rows, {rows / whole.wall_s:,.0f} rows/s; CPU x floor "
        f"{whole.cpu_s / floor.cpu_s:.2f}; memory goal {MOST_MEMORY_MB} MB"
    )
    ratio = whole.wall_s / floor.wall_s
    return [
        Result("import", "floor: inflate, parse 5 columns", floor),
        Result("import", "zip to Parquet, all columns", whole, written_mb(out), ratio, GOAL, note),
    ]


def make_input(folder: Path) -> Path:
    """The quarter's zip, made once: a full-size synthetic one, or the demo's when there is none."""
    generator = SHARED / "tools" / "synthetic_fleet.py"
    if not generator.exists():
        return write_zips(folder, drives=50_000, last=date(2013, 6, 30))[0]
    path = folder / "data_Q1_2021.zip"
    if not path.exists():
        command = [sys.executable, str(generator), "--out", str(folder), "--scale", "1.0"]
        subprocess.run([*command, path.name], check=True, stdout=subprocess.DEVNULL)
    return path


def floor(path: Path) -> int:
    """Inflate each day once, then parse 5 columns of it, on all processors; returns the rows.

    Parsing while inflating, as the import does, would take about a fifth less.
    """

    def rows_of(member: Member) -> int:
        with MemberStream(member) as stream:
            content = stream.read_all()
        return pa.csv.read_csv(
            pa.BufferReader(content),
            pa.csv.ReadOptions(use_threads=False, block_size=1 << 19),
            pa.csv.ParseOptions(quote_char=False),
            pa.csv.ConvertOptions(include_columns=schema.REQUIRED),
        ).num_rows

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return sum(pool.map(rows_of, scan(path).members.values()))


def whole(path: Path, out: Path) -> int:
    """Import all days; returns the rows kept."""
    archive = scan(path)
    reports = import_days(archive, list(archive.members), out, Origin("raw_quarter", None, ""))
    return sum(report.rows_kept for report in reports)
