"""The report of fourteen quarters when its tables are there, and questions to 53 million raw rows.

The goals are in seconds, on two quiet cores, but for `afr`, whose is a multiple of importing
Dagster. Of the report's own time one frame of the film takes 1.0 s, its tables and the rates for
their age 0.5, the page 0.4; the rest is Python's start and Dagster's records.
"""

from pathlib import Path

from backblaze_assets_tests.benchmarks import history
from backblaze_assets_tests.benchmarks.harness import Measurement, Result, measure

GOALS = {"report": 15.0, "afr": 1.5, "sql": 3.0, "hist": None}
COUNT = "SELECT model, sum(failure) FROM raw GROUP BY model"
COMMAND = """
import sys
from backblaze_assets.cli.app import main
main()
"""


def run(work: Path) -> list[Result]:
    folder = work / "report"
    if not (folder / "report").exists():
        history.data_folder(folder, history.zips(work))
    _ask(folder, "report")
    floor = measure("import dagster")
    (folder / "report" / "report.html").unlink()
    results = [Result("report", "floor: import dagster", floor)]
    for name, arguments in (
        ("report", ()),
        ("afr", ()),
        ("sql", (COUNT,)),
        ("hist", ("smart_9_raw", "--by", "model")),
    ):
        measured = _ask(folder, name, *arguments)
        ratio = measured.wall_s / floor.wall_s
        note = f"CPU x floor {measured.cpu_s / floor.cpu_s:.2f}"
        results.append(Result("report", name, measured, 0, ratio, GOALS[name], note))
    return results


def _ask(folder: Path, *words: str) -> Measurement:
    return measure(COMMAND, words[0], "--data", str(folder), *words[1:])
