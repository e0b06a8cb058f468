"""One more quarter on top of a history of thirteen, against that quarter alone.

What the history may cost: reading what is recorded of it, its newest table of drives, and joining
its clips. The thirteen quarters are not read again.

What bounds it, by the steps in Dagster's records, of 17 s on two cores, after the history and
alone: `raw_quarter` 4.9 and 5.6 s, its checks 0.9, `movie` 1.8 and 1.2, `movie_clip` 1.6, `frames`
1.3, `drive_lifetimes` 0.8 and 0.7, everything else under 0.5 each.
"""

import shutil
from pathlib import Path

from backblaze_assets_tests.benchmarks import history
from backblaze_assets_tests.benchmarks.harness import Result, written_mb

GOAL = 1.2


def run(work: Path) -> list[Result]:
    *before, newest = history.zips(work)
    folder = work / "update"
    if not (folder / "movie" / "movie.mp4").exists():
        history.movie(history.data_folder(folder, before))
    grown = work / "update-grown"
    shutil.rmtree(grown, ignore_errors=True)
    shutil.copytree(folder, grown, symlinks=True)
    history.movie(grown)  # the folder's path is new, its content is not: nothing to do
    alone = history.movie(history.data_folder(work / "update-alone", [newest]))
    size = written_mb(grown)
    (grown / newest.name).symlink_to(newest)
    added = history.movie(grown)
    ratio = added.wall_s / alone.wall_s
    note = f"CPU x floor {added.cpu_s / alone.cpu_s:.2f}"
    return [
        Result("update", "floor: the quarter alone", alone, written_mb(work / "update-alone")),
        Result("update", "the quarter added", added, written_mb(grown) - size, ratio, GOAL, note),
    ]
