"""Zips of several years, and `backblaze-assets movie` run on them as a user would."""

import shutil
import subprocess
import sys
from datetime import date
from pathlib import Path

from backblaze_assets.drive_stats.demo import write_zips
from backblaze_assets_tests.benchmarks.harness import Measurement, measure
from backblaze_assets_tests.real_data import SHARED

MOVIE = """
import sys
from backblaze_assets.cli.app import main
sys.argv[1:1] = ["movie", "--data"]
main()
"""


def zips(work: Path, fraction: float = 1) -> list[Path]:
    """Fourteen quarters in six zips, in order: 52.8 million rows of 87,068 real drives.

    Without the tool that rebuilds them, zips of the demo's fleet.

    Args:
        work: where to write them, if they are not there.
        fraction: of the drives.
    """
    folder = work / ("history" if fraction == 1 else f"history of {fraction:g}")
    tool = SHARED / "tools" / "fleet_history.py"
    if not folder.exists():
        unfinished = folder.with_suffix(".tmp")
        shutil.rmtree(unfinished, ignore_errors=True)
        if tool.exists():
            command = [sys.executable, str(tool), str(unfinished), "--fraction", str(fraction)]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        else:
            write_zips(unfinished, drives=round(fraction * 5_000), last=date(2016, 9, 30))
        unfinished.rename(folder)
    years = sorted(folder.glob("data_2*.zip"))
    return [*years, *sorted(folder.glob("data_Q*.zip"))]


def data_folder(path: Path, archives: list[Path]) -> Path:
    """A new data folder that holds just these zips."""
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True)
    for archive in archives:
        (path / archive.name).symlink_to(archive)
    return path


def movie(folder: Path) -> Measurement:
    """Measure `backblaze-assets movie` on a data folder."""
    return measure(MOVIE, str(folder))
