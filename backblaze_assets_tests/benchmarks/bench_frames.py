"""Drawing frames: what it costs over encoding them.

Floor: the frames are there already and only encoded as JPEG, the same number, whole, by Pillow with
the same quality and as many processes. Goal: at most twice that, files written, and nothing more
for drives that do not change.

What made the goal reachable: only tiles that have changed are encoded (`film/jpeg.py`) and blended
with rings. Of a frame of the fleet of 2016 a third changes from one day to the next, of a made-up
one of 2026 (every 24th day) two fifths. What bounds it now, in milliseconds a frame at 1920x1080
with one process, where Pillow takes 8.0 for a whole frame (2016, 193 rings / 2026, 632 rings):
encoding 4.1 / 6.3, blending rings 2.8 / 3.6, panel with chart 2.4 / 3.8 (half of it letters of
numbers that are new each day), gathering rings 1.3 / 2.9, squares and labels 0.8 / 1.3, digest 0.6,
writing 0.5. Wall times of one run compare only if nothing else runs; compare the CPU seconds
otherwise.

What was tried:

| | a frame of 2016 | kept |
|---|---|---|
| rings pasted one by one on the RGB picture (Pillow, 4 bytes a pixel) | 12 ms | |
| rings pasted one by one on two planes, red and green = blue | 5.3 ms | |
| rings gathered by maximum in one plane, blended by Pillow, in tiles or in one piece | 2.9 ms | |
| the same, blended by NumPy in 16 bits, in bands that fit the cache | 2.6 ms | |
| the same, only in tiles of 64x16 that have changed, 128 of them at a time | 0.7 of that | yes |
| the same, only between the leftmost and the rightmost ring of a band (rows apart) | 3.4 ms | |
| labels drawn over the rings | 1.5 ms | |
| labels as a limit to the rings' opacity, drawn only when they change | 0.1 ms | yes |
| chart with antialiasing of every pixel in floating point | 1.5 ms | |
| chart as numbers of colours with antialiasing of the edge only | 0.3 ms | yes |
| fsync of each file | 8 ms of waiting | |
| simplejpeg 1.9 instead of Pillow 13 (both libjpeg-turbo) | 5 % off | one dependency more |
| saving RGBX instead of RGB | 5 % off | yes |
| restart markers after each 64x16 pixels | file 1.3 % larger | yes |
| all tiles encoded through them, with nothing kept | 1.4 of saving whole | |
| 10, 30, 50, 70 % of them encoded, the others kept | 0.15, 0.4, 0.8, 1.1 of it | yes |
| a pool kept for all quarters, days in one part for each process and quarter | | yes |

JPEG quality, 4:2:0 as the video has it (PSNR of luma for the fleet of 2026, size, time): 85 37.0 dB
491 kB 6.1 ms; 90 39.5 dB 602 kB 6.2 ms; 92 40.8 dB 659 kB 6.3 ms; 95 43.2 dB 824 kB 6.9 ms. 4:4:4
costs half as much again in size and time, and the film could not show it.
"""

import io
import json
import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import date, timedelta
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import polars as pl
from PIL import Image

from backblaze_assets.drive_stats.quarters import next_quarter, quarter_of
from backblaze_assets.film.layout import build, censuses
from backblaze_assets.film.render import open_renderer
from backblaze_assets.film.style import Style
from backblaze_assets_tests.benchmarks.harness import Result, measure, written_mb
from backblaze_assets_tests.real_data import SHARED

STYLE = Style.named("1080p")
START = date(2013, 4, 10)
REAL_FLEET = SHARED / "data" / "fleet_2013_2016.parquet"
DRAWN = 12
"""Frames that the floor encodes again and again."""

FLOOR = """
import sys
from backblaze_assets_tests.benchmarks.bench_frames import encode_again
encode_again(sys.argv[1], int(sys.argv[2]))
"""

RENDER = """
import json, os, sys
from datetime import date
from pathlib import Path
from backblaze_assets.film.layout import Layout
from backblaze_assets.film.render import QuarterFrames, render_quarters
from backblaze_assets.film.style import Style
from backblaze_assets.files.origin import Origin

folder, target = Path(sys.argv[1]), Path(sys.argv[2])
layout = Layout.from_json((folder / "layout.json").read_text(encoding="utf-8"))
days = [date.fromisoformat(day) for day in json.loads(sys.argv[3])]
jobs = [QuarterFrames(folder, days, Origin("frames", None, "benchmark"))]
done = render_quarters(jobs, layout, Style.named("1080p"), lambda day: target / f"{day}.jpg")
assert len(list(done)) == len(days)
"""

DRAW_ONLY = """
import json, sys, time
from datetime import date
from pathlib import Path
from backblaze_assets.film.layout import Layout
from backblaze_assets.film.render import open_renderer
from backblaze_assets.film.style import Style

folder = Path(sys.argv[1])
layout = Layout.from_json((folder / "layout.json").read_text(encoding="utf-8"))
days = [date.fromisoformat(day) for day in json.loads(sys.argv[2])]
renderer = open_renderer(folder, layout, Style.named("1080p"))
renderer.encoded(days[0])
started = time.process_time()
for day in days:
    renderer.encoded(day)
print((time.process_time() - started) / len(days) * 1000)
"""


def run(work: Path) -> list[Result]:
    """Both fleets against their floors, and what drives cost that do not change."""
    real, history = work / "fleet_2016", work / "fleet_2026"
    if not (real / "layout.json").exists():
        prepare(real, fleet_of_2016(), START + timedelta(days=1269))
    if not (history / "layout.json").exists():
        prepare(history, made_up_fleet(512_600, 100, 4830), START + timedelta(days=4829))
    every = [START + timedelta(days=number) for number in range(1270)]
    spread = [START + timedelta(days=number) for number in range(0, 4830, 4830 // 200)][:200]
    results = []
    for case, folder, days in (
        ("87,068 drives, 1,270 days", real, every),
        ("512,600 drives, 200 of 4,830 days", history, spread),
    ):
        draw_samples(folder, days)
        floor = measure(FLOOR, str(folder / "drawn"), str(len(days)))
        results.append(Result("frames", f"{case}: floor", floor))
        target = folder / "frames"
        measured = measure(RENDER, str(folder), str(target), json.dumps(days, default=str))
        results.append(
            Result(
                "frames",
                case,
                measured,
                written_mb(target),
                measured.wall_s / floor.wall_s,
                2.0,
                f"{len(days) / measured.wall_s:.0f} frames/s",
            )
        )
    return [*results, *unchanging_drives(work)]


def unchanging_drives(work: Path) -> list[Result]:
    """The same changes among few and among many drives that do not change."""
    changing = made_up_fleet(20_000, 20, 400)
    results: list[Result] = []
    for more in (0, 100_000, 400_000):
        folder = work / f"unchanging_{more}"
        still = pl.DataFrame(
            {
                "serial_number": [f"X{number:07d}" for number in range(more)],
                "model": "HGST HUH721212ALE604",
                "maker": "HGST",
                "boot": False,
                "capacity_bytes": 12 * 10**12,
                "first_seen": START,
                "failed_on": None,
                "removed_on": None,
            },
            schema=changing.schema,
        )
        last = START + timedelta(days=399)
        prepare(folder, pl.concat([changing, still]), last)
        days = [str(last - timedelta(days=number)) for number in range(150, 0, -1)]
        measured = measure(DRAW_ONLY, str(folder), json.dumps(days))
        each = float(measured.stdout)
        note = f"{each:.2f} ms of CPU a frame"
        results.append(
            Result("frames", f"{more:,} drives more that do not change", measured, note=note)
        )
    return results


def encode_again(folder: str, count: int) -> None:
    """Encode `count` frames in all, on all cores, from the pictures in `folder`."""
    workers = os.cpu_count() or 1
    share = -(-count // workers)
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        list(pool.map(_encode_share, [folder] * workers, [share] * workers))


def _encode_share(folder: str, count: int) -> None:
    pictures = [Image.fromarray(np.load(path)) for path in sorted(Path(folder).glob("*.npy"))]
    for number in range(count):
        pictures[number % len(pictures)].save(
            io.BytesIO(), "JPEG", quality=STYLE.jpeg_quality, subsampling="4:2:0"
        )


def draw_samples(folder: Path, days: Sequence[date]) -> None:
    """Draw some of `days` and keep the pixels for the floor."""
    (folder / "drawn").mkdir(exist_ok=True)
    renderer = open_renderer(folder, build_layout(folder), STYLE)
    for day in days[len(days) // DRAWN // 2 :: len(days) // DRAWN]:
        np.save(folder / "drawn" / f"{day}.npy", renderer.frame(day))


def decode_samples(frames: Sequence[Path], folder: Path) -> None:
    """Keep the pixels of some of `frames`, which are JPEG files, for the floor."""
    folder.mkdir(exist_ok=True)
    for path in frames[len(frames) // DRAWN // 2 :: len(frames) // DRAWN]:
        with Image.open(path) as frame:
            np.save(folder / f"{path.stem}.npy", np.asarray(frame))


def prepare(folder: Path, drives: pl.DataFrame, last: date) -> None:
    """Write a folder as `drive_lifetimes` does, and a layout beside it."""
    folder.mkdir(parents=True, exist_ok=True)
    drives = drives.sort("model", "first_seen", "serial_number")
    slot = pl.int_range(pl.len()).over("model").cast(pl.Int32)
    drives.with_columns(slot=slot).write_parquet(folder / "drives.parquet")
    pl.DataFrame({"date": pl.date_range(START, last, eager=True)}).with_columns(
        quarter=pl.col("date").dt.truncate("1q"),
        rows=pl.lit(1, pl.Int64),
        reported=True,
        partial=False,
        in_zip=True,
        synthetic=True,
    ).write_parquet(folder / "days.parquet")
    (folder / "layout.json").write_text(build_layout(folder).to_json(), encoding="utf-8")


def build_layout(folder: Path):
    """The layout after all quarters of the tables in `folder`."""
    drives = pl.read_parquet(folder / "drives.parquet")
    last = pl.read_parquet(folder / "days.parquet")["date"][-1]
    quarters = [quarter_of(START)]
    while next_quarter(quarters[-1]) <= last:
        quarters.append(next_quarter(quarters[-1]))
    return build(censuses(drives, quarters), STYLE)


def fleet_of_2016() -> pl.DataFrame:
    """The real drives of 2013 to 2016-Q3; without them, made-up ones in the same number."""
    if not REAL_FLEET.exists():
        return made_up_fleet(87_068, 60, 1270)
    end = START + timedelta(days=1269)
    failed = pl.col("failures") > 0
    gone = ~failed & (pl.col("last_seen") < end)
    return pl.read_parquet(REAL_FLEET).select(
        "serial_number",
        "model",
        maker=pl.lit("Maker"),
        boot=pl.col("capacity_tb") < 0.9,
        capacity_bytes=(pl.col("capacity_tb") * 1e12).cast(pl.Int64),
        first_seen="first_seen",
        failed_on=pl.when(failed).then("last_seen"),
        removed_on=pl.when(gone).then(pl.col("last_seen") + pl.duration(days=1)),
    )


def made_up_fleet(drives: int, models: int, days: int) -> pl.DataFrame:
    """Drives of a fleet that grows, each model for two years, with 1.4 % failures a year."""
    random = np.random.default_rng(1)
    model = np.sort(random.choice(models, drives, p=random.dirichlet(np.full(models, 0.4))))
    begin = np.sqrt(np.arange(models) / models) * (days - 100)
    first = np.minimum(begin[model] + random.random(drives) * 700, days - 1).astype(int)
    first[: drives // 25] = 0
    failed = first + random.exponential(365 / 0.014, drives).astype(int)
    removed = first + random.integers(1600, 3000, drives)
    fails = (failed < removed) & (failed < days)
    leaves = ~fails & (removed < days)
    frame = pl.DataFrame(
        {"number": np.arange(drives), "m": model, "first": first, "failed": failed, "gone": removed}
    )
    start = pl.lit(START)
    return frame.select(
        serial_number=pl.format("S{}", pl.col("number").cast(pl.String).str.zfill(7)),
        model=pl.format("ST{}NM{}", 4000 + 100 * pl.col("m"), pl.col("m").cast(pl.String)),
        maker=pl.lit("Seagate"),
        boot=pl.lit(value=False),
        capacity_bytes=(4 + pl.col("m").cast(pl.Int64) // 5) * 10**12,
        first_seen=start + pl.duration(days="first"),
        failed_on=pl.when(pl.Series(fails)).then(start + pl.duration(days="failed")),
        removed_on=pl.when(pl.Series(leaves)).then(start + pl.duration(days="gone")),
    )
