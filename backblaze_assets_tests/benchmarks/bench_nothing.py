"""`backblaze-assets movie` on fourteen quarters that are up to date, against importing Dagster.

What bounds it: importing Dagster with SQLAlchemy and Alembic for its storage, which the floor does
not import, and Polars; then reading 2,600 events.
"""

from pathlib import Path

from backblaze_assets_tests.benchmarks import history
from backblaze_assets_tests.benchmarks.harness import Result, measure

GOAL = 3.0


def run(work: Path) -> list[Result]:
    folder = work / "nothing"
    if not (folder / "movie" / "movie.mp4").exists():
        history.data_folder(folder, history.zips(work))
    history.movie(folder)
    floor = measure("import dagster")
    again = history.movie(folder)
    ratio = again.wall_s / floor.wall_s
    note = f"CPU x floor {again.cpu_s / floor.cpu_s:.2f}"
    return [
        Result("nothing", "floor: import dagster", floor),
        Result("nothing", "everything up to date", again, 0, ratio, GOAL, note),
    ]
