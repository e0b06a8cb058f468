"""Run benchmarks and print their table: `python -m backblaze_assets_tests.benchmarks [name …]`.

Each benchmark is a module here, `bench_NAME.py`, with a function `run(work: Path) -> list[Result]`.
"""

import argparse
import importlib
import json
import platform
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

from backblaze_assets_tests.benchmarks.harness import Result

HERE = Path(__file__).parent
NAMES = sorted(path.stem.removeprefix("bench_") for path in HERE.glob("bench_*.py"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which: {', '.join(NAMES)}")
    parser.add_argument(
        "--json",
        type=Path,
        default=Path("build/benchmarks.json"),
        help="file for the results (default: %(default)s)",
    )
    parser.add_argument("--work", type=Path, help="folder to keep inputs in between runs")
    args = parser.parse_args()
    unknown = set(args.names) - set(NAMES)
    if unknown:
        parser.error(f"no benchmark {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}")
    args.json.parent.mkdir(parents=True, exist_ok=True)
    results: list[Result] = []
    with tempfile.TemporaryDirectory() as temporary:
        work = args.work or Path(temporary)
        work.mkdir(parents=True, exist_ok=True)
        for name in args.names or NAMES:
            module = importlib.import_module(f"backblaze_assets_tests.benchmarks.bench_{name}")
            results += module.run(work)
            show(results)
            machine = {"python": platform.python_version(), "machine": platform.platform()}
            rows = [result.as_json() for result in results]
            args.json.write_text(json.dumps({**machine, "results": rows}, indent=1))


def show(results: list[Result]) -> None:
    table = Table(
        *("benchmark", "case", "wall s", "CPU s", "stolen", "peak MB", "written MB"),
        *("x floor", "goal", ""),
    )
    for result in results:
        table.add_row(
            result.benchmark,
            result.case,
            f"{result.measured.wall_s:.2f}",
            f"{result.measured.cpu_s:.2f}",
            "" if result.measured.stolen is None else f"{result.measured.stolen:.0%}",
            f"{result.measured.peak_mb:.0f}",
            f"{result.written_mb:.1f}",
            "" if result.ratio is None else f"{result.ratio:.2f}",
            "" if result.goal is None else f"{result.goal:g}",
            result.note,
        )
    Console(width=180).print(table)


if __name__ == "__main__":
    main()
