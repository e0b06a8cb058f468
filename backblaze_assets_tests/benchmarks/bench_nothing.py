"""`backblaze-assets movie` on fourteen quarters that are up to date, against importing Dagster.

What bounds it, with the floor at 0.7 s: 0.9 s of importing Dagster with its storage, SQLAlchemy and
Alembic, which the floor does not import; opening the instance 0.15 s, the code versions 0.1 s, and
0.45 s of reading 2,600 events and comparing them. What only a step needs is imported when one runs
(pyarrow, Polars, the assets and their checks: 0.3 s), and the garbage collector is kept from
looking through all that imports make (0.2 s).
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
