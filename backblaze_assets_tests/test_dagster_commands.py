"""Dagster's own commands in a clone, with nothing set: the way a Dagster engineer materializes."""

import os
import shutil
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from backblaze_assets.graph import GRAPH, keys_of
from backblaze_assets.instance.opening import open_instance
from backblaze_assets.lineage.status import Status
from backblaze_assets.resources import Data
from backblaze_assets_tests.benchmarks.harness import REPOSITORY
from backblaze_assets_tests.project import write_fleet

FILES = (".env", "dagster.yaml", "workspace.yaml", "pyproject.toml")
SET_BY_US = ("BACKBLAZE_", "DAGSTER_")

pytestmark = [
    pytest.mark.slow(minutes=1),
    pytest.mark.skipif(
        not all((REPOSITORY / name).is_file() for name in FILES),
        reason="the tests are not run in a checkout",
    ),
]


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A folder like a clone of the repository, with zips of four days in `data`."""
    for name in FILES:
        shutil.copy(REPOSITORY / name, tmp_path / name)
    package = REPOSITORY / "backblaze_assets"
    shutil.copytree(package, tmp_path / package.name, ignore=shutil.ignore_patterns("__pycache__"))
    write_fleet(tmp_path / "data", date(2013, 6, 29), date(2013, 7, 2))
    return tmp_path


def run_in(clone: Path, program: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    bare = {name: text for name, text in os.environ.items() if not name.startswith(SET_BY_US)}
    done = subprocess.run(
        [Path(sys.executable).with_name(program), *arguments],
        cwd=clone,
        env=bare,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, (arguments, done.stdout[-2000:], done.stderr[-4000:])
    return done


def materialized_in(clone: Path) -> dict[str, list[str | None]]:
    """What the instance of the clone's data folder knows, and is up to date."""
    data = Data(clone / "data")
    with open_instance(data.root) as instance:
        lineage = data.lineage(instance)
        return {
            asset: [
                key
                for key in lineage.expected(asset)
                if lineage.status(asset, key) is Status.UP_TO_DATE
            ]
            for asset in GRAPH
        }


def all_keys(clone: Path) -> dict[str, list[str | None]]:
    calendar = Data(clone / "data").view.calendar
    return {asset: keys_of(asset, calendar) for asset in GRAPH}


def check_nothing_else_was_written(clone: Path) -> None:
    """The instance is in data/dagster, where ours is; Dagster makes no other for the while."""
    assert (clone / "data" / "dagster" / "history" / "runs.db").is_file()
    assert not list(clone.glob(".tmp_dagster_home*"))
    assert {path.name for path in clone.iterdir()} <= {*FILES, "backblaze_assets", "data"}


TOGETHER = (
    "raw_quarter,drive_lifetimes,survival,film_layout",
    "daily_stats,frames",
    "afr_table,movie_clip",
    "report,movie,share",
)
"""Assets with the same partitions that one run can make."""


def test_dg_launch_makes_every_asset(clone):
    known = all_keys(clone)
    for assets in TOGETHER:
        keys = known[assets.partition(",")[0]]
        which = [] if keys[0] is None else ["--partition-range", f"{keys[0]}...{keys[-1]}"]
        run_in(clone, "dg", "launch", "--assets", assets, *which)
    assert materialized_in(clone) == known
    check_nothing_else_was_written(clone)


def test_dagster_asset_materialize_makes_partitions(clone):
    """Quarters as a range; days one by one and as a range."""
    command = ("asset", "materialize", "-m", "backblaze_assets.definitions", "--select")
    known = all_keys(clone)
    quarters, days = known["raw_quarter"], known["daily_stats"]
    span = f"{quarters[0]}...{quarters[-1]}"
    run_in(clone, "dagster", *command, "raw_quarter", "--partition-range", span)
    run_in(clone, "dagster", *command, "daily_stats", "--partition", str(days[0]))
    assert materialized_in(clone)["daily_stats"] == days[:1]
    span = f"{days[1]}...{days[-1]}"
    run_in(clone, "dagster", *command, "daily_stats", "--partition-range", span)
    found = materialized_in(clone)
    assert (found["raw_quarter"], found["daily_stats"]) == (quarters, days)
    check_nothing_else_was_written(clone)
