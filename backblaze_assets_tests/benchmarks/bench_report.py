"""The report of fourteen quarters when its tables are there, and questions to 53 million raw rows.

The goals are in seconds, on two quiet cores, but for `afr`, whose is a multiple of importing
Dagster. Of the report's own time one frame of the film takes 1.0 s, its tables and the rates for
their age 0.5, the page 0.4; the rest is Python's start and Dagster's records. Where nothing has
changed since it last looked, `afr` needs no Dagster: 0.9 CPU seconds, with 1.5 for importing it;
the first time 3.7. The page of the whole history, 53 quarters and 132 models, with its survival
and its still: 8 CPU seconds, 535 MB, 1.1 MB large.
"""

from pathlib import Path

from backblaze_assets_tests.benchmarks import history, report_history
from backblaze_assets_tests.benchmarks.harness import Measurement, Result, measure

GOALS = {"report": 15.0, "afr": 1.5, "sql": 3.0, "hist": None}
COUNT = "SELECT model, sum(failure) FROM raw GROUP BY model"
PAGE = """
import sys
from pathlib import Path
from backblaze_assets_tests.benchmarks import report_history
page = Path(sys.argv[2])
page.write_text(report_history.page_of(Path(sys.argv[1])), encoding="utf-8")
"""
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
    _ask(folder, "afr")  # notes that all is up to date
    floor = measure("import dagster")
    results = [Result("report", "floor: import dagster", floor)]
    for name, arguments in (
        ("afr", ()),
        ("sql", (COUNT,)),
        ("hist", ("smart_9_raw", "--by", "model")),
        ("report", ()),
    ):
        if name == "report":
            (folder / "report" / "report.html").unlink()
        measured = _ask(folder, name, *arguments)
        ratio = measured.wall_s / floor.wall_s
        note = f"CPU x floor {measured.cpu_s / floor.cpu_s:.2f}"
        results.append(Result("report", name, measured, 0, ratio, GOALS[name], note))
    report_history.page_of(work)  # makes what it is made from
    page = work / "report_to_2026.html"
    measured = measure(PAGE, str(work), str(page))
    note = f"53 quarters; page {page.stat().st_size / 1e6:.2f} MB"
    results.append(Result("report", "whole history", measured, goal=GOALS["report"], note=note))
    return results


def _ask(folder: Path, *words: str) -> Measurement:
    return measure(COMMAND, words[0], "--data", str(folder), *words[1:])
