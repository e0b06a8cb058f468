"""Import of a full quarter: 14.6 million rows, 149 columns, 4.8 GB of CSV in a zip of 0.8 GB.

What was tried, in CPU seconds (the least of several runs, 2 cores) for a day of 54 MB and 168,000
rows; what is used is marked with an asterisk.

    inflate     zlib 0.10, zlib-ng 0.072, ISA-L whole 0.060, ISA-L piece by piece 0.042 *
                A buffer of the whole file costs 0.2 s more the first time, for new memory.
    parse       Polars 0.76, Arrow 0.37, and 0.32 with the 48 blank columns expected blank; one
                pass compiled by Numba, into memory that is used again, 0.15 *;
                5 columns: Arrow 0.09, Polars 0.06. Blocks of 0.25 to 1 MB differ by under 5 %
                (1 *), larger ones cost up to a fifth more.
    Parquet     seconds and MB: Arrow's defaults (snappy) 0.26, 10.0; zstd 0.28, 7.9; zstd level 1
                with dictionaries of at most 16 kB 0.21, 6.9 *; the same with a list of columns
                for dictionaries 0.21, 7.0; with lz4 0.17, 11.5; uncompressed 0.20, 53;
                delta encoding 0.34, 8.3; byte stream split 0.26, 7.2; Polars zstd 0.28, 7.6.
                Version 2 pages, larger batches and one chunk a column make no difference.
                Again in 2026: without statistics or checksums of pages, zstd level -1 or -3,
                larger pages or dictionaries, columns without blanks declared so: all within 4 %;
                lz4 and snappy 10 % less and 40 % larger; Polars' writer 20 % more.
    streaming   each block of 2 MB written as it is parsed, for less memory: 0.79 against 0.59, and
                a larger file: 149 columns cost too much for each batch. Whole days are held *.
    memory      Arrow's jemalloc and system pools against mimalloc *: no difference.

The quarter of 2021 beside the plain loop of Polars, in one run of November 2026 with nothing beside
it: 0.50 of its CPU seconds (126 against 254) and 0.53 of its wall time (89.5 against 168, while the
host took 17 % of ours and 1 % of the loop's), 662 MB. fsync took 0.01 to 0.02 s a day.

A day of 85 columns handed over 344 pieces to the file, each through Python, and was read again for
its checksums. Put together in memory, the file of 1,307 rows takes 12 ms of CPU instead of 17.

What bounds it now, by profile: Parquet's levels, dictionaries and zstd (half), cutting 25 million
fields and making integers of 17 million of them (a fifth), inflating (a tenth).
"""

import os
import subprocess
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path

import polars as pl
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
POLARS = """
import sys
from pathlib import Path
from backblaze_assets_tests.benchmarks import bench_import
print(bench_import.plain_polars(Path(sys.argv[1]), Path(sys.argv[2])))
"""
GOAL = 4.0
GOAL_OF_POLARS = 0.5
MOST_MEMORY_MB = 800


def run(work: Path) -> list[Result]:
    path = make_input(work / "import")
    out = work / "import" / "out"
    floor = measure(FLOOR, str(path))
    polars = measure(POLARS, str(path), str(work / "import" / "polars"))
    whole = measure(WHOLE, str(path), str(out))
    rows = int(whole.stdout)
    if not rows == int(floor.stdout) == int(polars.stdout):
        raise AssertionError(f"{rows} rows imported, {floor.stdout} and {polars.stdout} there")
    note = (
        f"{rows:,} rows, {rows / whole.wall_s:,.0f} rows/s; CPU x floor "
        f"{whole.cpu_s / floor.cpu_s:.2f}; wall x Polars {whole.wall_s / polars.wall_s:.2f}, goal "
        f"{GOAL_OF_POLARS}, CPU {whole.cpu_s / polars.cpu_s:.2f}; memory goal {MOST_MEMORY_MB} MB"
    )
    ratio = whole.wall_s / floor.wall_s
    plain = polars.wall_s / floor.wall_s
    size = written_mb(work / "import" / "polars")
    return [
        Result("import", "floor: inflate, parse 5 columns", floor),
        Result("import", "a plain loop of Polars", polars, size, plain),
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


def plain_polars(path: Path, out: Path) -> int:
    """What one would write first: day by day, all columns to Parquet, unchecked; returns rows."""
    out.mkdir(parents=True, exist_ok=True)
    rows = 0
    with zipfile.ZipFile(path) as archive:
        for member in scan(path).members.values():
            content = archive.read(member.name)
            header = content.partition(b"\n")[0].decode().split(",")
            types: dict[str, pl.DataType] = {name: pl.String() for name in header}
            types |= {name: pl.Int16() for name in header if name.endswith("_normalized")}
            types |= {name: pl.Int64() for name in header if name.endswith("_raw")}
            types |= {"date": pl.Date(), "capacity_bytes": pl.Int64(), "failure": pl.Int8()}
            table = pl.read_csv(content, schema=types)
            table.write_parquet(out / f"{member.day}.parquet", compression="zstd")
            rows += table.height
    return rows


def whole(path: Path, out: Path) -> int:
    """Import all days; returns the rows kept."""
    archive = scan(path)
    reports = import_days(archive, list(archive.members), out, Origin("raw_quarter", None, ""))
    return sum(report.rows_kept for report in reports)
