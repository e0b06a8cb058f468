"""Zips to film and tables, cold: 6 zips, 52.8 million rows, 1,270 days, `backblaze-assets movie`.

The floor is the sum of the floors of the parts, measured on the same input: inflating the zips and
parsing 5 columns, reading 5 columns of the Parquet files, encoding as many JPEGs as the film has
frames, and ffmpeg alone on the film's frames. What comes on top, besides what the parts' own
benchmarks show: importing Dagster, its records of 2,600 partitions, and the asset checks.

What bounds it, by the steps in Dagster's records, of 94 s on two cores: `raw_quarter` 46 s and its
checks 4, `movie_clip` 16, `frames` 8, `drive_lifetimes` 6 and 1, `daily_stats` 4, `movie` 1.5,
`afr_table` 1.4 and 0.6; between the steps, and before the first, 4 s. Import is 3.2 times its floor
and clips are at theirs, so a faster import is all that would make the whole much faster.
"""

from pathlib import Path

from backblaze_assets_tests.benchmarks import bench_film, bench_frames, bench_import, history
from backblaze_assets_tests.benchmarks.harness import Measurement, Result, measure, written_mb

GOAL = 2.5

READ = """
import sys
import polars as pl
from backblaze_assets.drive_stats.schema import REQUIRED
files = sys.argv[1] + "/*/*.parquet"  # later years have more columns
pl.scan_parquet(files, extra_columns="ignore").select(REQUIRED).collect(engine="streaming")
"""


def run(work: Path) -> list[Result]:
    archives = history.zips(work)
    folder = history.data_folder(work / "whole", archives)
    whole = history.movie(folder)
    floors = {
        "inflate, parse 5 columns": _all(bench_import.FLOOR, archives),
        "read 5 columns": measure(READ, str(folder / "raw_quarter")),
        "encode JPEGs": _jpegs(work, folder),
        "ffmpeg alone": _ffmpeg(work, folder),
    }
    ratio = whole.wall_s / sum(floor.wall_s for floor in floors.values())
    cpu = whole.cpu_s / sum(floor.cpu_s for floor in floors.values())
    written = written_mb(*(path for path in folder.iterdir() if path.is_dir()))
    return [
        *(Result("whole", f"floor: {name}", floor) for name, floor in floors.items()),
        Result("whole", "zips to film", whole, written, ratio, GOAL, f"CPU x floors {cpu:.2f}"),
    ]


def _all(code: str, archives: list[Path]) -> Measurement:
    """One measurement of several, one after the other."""
    parts = [measure(code, str(archive)) for archive in archives]
    return Measurement(
        sum(part.wall_s for part in parts),
        sum(part.cpu_s for part in parts),
        max(part.peak_mb for part in parts),
        "",
    )


def _jpegs(work: Path, folder: Path) -> Measurement:
    frames = sorted((folder / "frames").iterdir())
    drawn = work / "whole-drawn"
    bench_frames.decode_samples(frames, drawn)
    return measure(bench_frames.FLOOR, str(drawn), str(len(frames) + bench_film.CLOSING))


def _ffmpeg(work: Path, folder: Path) -> Measurement:
    frames = sorted((folder / "frames").iterdir())
    listing = work / "whole-frames.txt"
    shown = [*frames, *frames[-bench_film.CLOSING :]]
    listing.write_text("".join(f"file '{frame}'\n" for frame in shown), encoding="utf-8")
    return measure(bench_film.FFMPEG_ALONE, str(listing), str(work / "whole-alone.mp4"))
