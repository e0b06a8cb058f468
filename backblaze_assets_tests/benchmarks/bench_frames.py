"""Drawing frames: what it costs over encoding them.

Floor: the frames are there already and only encoded as JPEG, the same number, whole, by Pillow with
the same quality and as many processes. Goal: at most twice that, files written, glides included.

What was tried:

| | a frame of 2026 | kept |
|---|---|---|
| rings blended by Pillow in all tiles that have changed | 16.8 ms | |
| the same in those that a ring reaches, the others copied | 12.5 ms | |
| only the pixels of rings that are seen, all at once | 3 ms less | yes |
| days sorted once, not at each frame; labels' lives once | 11.2 ms | yes |
| the panel without date and figures kept; widths of words kept | 1 ms less | yes |
| squares in flight drawn as (drives, pixels) in one assignment | a glide 56 ms | |
| the same, pixel by pixel of the square, all drives at once | a glide 37 ms | |
| only corners, in a plane that grows (`film/glide.py`), by 32 rows at a time | half of it | yes |
| the plane grown in one piece, put on the canvas by a mask | 3 times the bands' time | |
| a picture that has changed everywhere encoded as it lies, not tile by tile | 3 ms less | yes |
| chart drawn when it gains a column, every nine days | 0.5 of 3 ms | yes |
| of the panel only date and figures drawn and compared each day | 1 to 2 ms | yes |
| hatching of the chart and retired models kept | 1 ms | yes |
| where only some blocks move: what stands kept, tiles compared | a move 49 to 31 ms | yes |
| restart markers after each 64x16 pixels, tiles kept (`film/jpeg.py`) | | yes |

With processes, reading and writing, glides included, in CPU seconds over the floor's, on a machine
that did much else: 1.8 for 2016, 1.7 for 2025-Q4 to 2026-Q2, where a quarter of the frames are of
glides (before only date and figures of the panel were drawn, and what stands was kept: 2.2 in the
same run).

JPEG files of quality 92: 775 kB a frame in 2014-Q3 (the most), 320 in 2016, 350 in 2021, 490 in
2026; glides 300 to 430. The history takes 2.2 GB.

The layout of a quarter takes 0.03 to 0.2 s and 13 to 126 kB.

Fill of the canvas below the panel, and eras, of the history to 2026 with this layout (1920x1080):
26 eras; at the quarters' ends cells cover 0.46 to 0.66, median 0.56; room 0.61 to 0.74.
"""

import io
import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from PIL import Image

from backblaze_assets.film.render import open_renderer
from backblaze_assets.film.style import Style
from backblaze_assets_tests.benchmarks import film_history
from backblaze_assets_tests.benchmarks.harness import Result, measure, written_mb

STYLE = Style.named("1080p")
DRAWN = 12
"""Frames that the floor encodes again and again."""

FLOOR = """
import sys
from backblaze_assets_tests.benchmarks.bench_frames import encode_again
encode_again(sys.argv[1], int(sys.argv[2]))
"""

RENDER = """
import sys
from pathlib import Path
from backblaze_assets.film.frames import QuarterFrames, render_quarters
from backblaze_assets.film.layout import FilmLayout
from backblaze_assets.film.style import Style
from backblaze_assets.files.origin import Origin

target = Path(sys.argv[1])
origin = Origin("frames", None, "benchmark")
jobs = []
for pair in sys.argv[2:]:
    tables, layout = pair.split(":")
    known = FilmLayout.from_json(Path(layout).read_text(encoding="utf-8"))
    jobs.append(QuarterFrames(Path(tables), known, known.days, origin))
done = render_quarters(jobs, Style.named("1080p"), lambda day: target / f"{day}.jpg")
print(len(list(done)))
"""


def run(work: Path) -> list[Result]:
    """Quarters of a small and of the largest fleet, with and without glides, over their floors."""
    layouts = film_history.layouts(work, STYLE)
    quarters = list(layouts)
    return [
        *_case(work, "87,068 drives: 2016", layouts, quarters[11:14]),
        *_case(work, "512,600 drives: 2025-Q4 to 2026-Q2", layouts, quarters[-3:]),
    ]


def _case(work: Path, case: str, layouts: dict, quarters: Sequence[Path]) -> list[Result]:
    days = [day for quarter in quarters for day in layouts[quarter].days]
    drawn = work / f"drawn-{quarters[0].name}"
    draw_samples(drawn, layouts, quarters)
    floor = measure(FLOOR, str(drawn), str(len(days)))
    folder = work / f"layouts-{STYLE.layout_version}"
    target = work / f"frames-{quarters[0].name}"
    pairs = [f"{quarter}:{folder / quarter.name}.json" for quarter in quarters]
    measured = measure(RENDER, str(target), *pairs)
    return [
        Result("frames", f"{case}: floor", floor),
        Result(
            "frames",
            case,
            measured,
            written_mb(target),
            measured.wall_s / floor.wall_s,
            2.0,
            f"{len(days) / measured.wall_s:.0f} frames/s",
        ),
    ]


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


def draw_samples(folder: Path, layouts: dict, quarters: Sequence[Path]) -> None:
    """Draw some days of `quarters` and keep the pixels for the floor."""
    folder.mkdir(exist_ok=True)
    each = max(1, DRAWN // len(quarters))
    for quarter in quarters:
        renderer = open_renderer(quarter, layouts[quarter], STYLE)
        days = layouts[quarter].days
        for day in days[len(days) // each // 2 :: len(days) // each]:
            np.save(folder / f"{day}.npy", renderer.frame(day))


def decode_samples(frames: Sequence[Path], folder: Path) -> None:
    """Keep the pixels of some of `frames`, which are JPEG files, for the floor."""
    folder.mkdir(exist_ok=True)
    for path in frames[len(frames) // DRAWN // 2 :: len(frames) // DRAWN]:
        with Image.open(path) as frame:
            np.save(folder / f"{path.stem}.npy", np.asarray(frame))
