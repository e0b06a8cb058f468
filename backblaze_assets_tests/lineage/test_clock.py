"""The order of events is their number in the log; what a clock says does not matter."""

import time

import dagster as dg
import pytest

from backblaze_assets.errors import DataError
from backblaze_assets.lineage.status import Status
from backblaze_assets.partitions import range_tags
from backblaze_assets_tests.project import FIRST, found, lose_a_row

pytestmark = pytest.mark.slow  # whole runs of Dagster

Q2 = "2013-04-01"
AN_HOUR = 3600


@pytest.fixture
def clock(monkeypatch):
    """Sets the clock of this process; by default it is right."""
    real = time.time
    offset = [0.0]
    monkeypatch.setattr(time, "time", lambda: real() + offset[0])

    def set_by(seconds: float) -> None:
        offset[0] = seconds

    return set_by


def judge_again(project, asset, key):
    assert not found(project.run(asset, first=key))["rows_accounted_for"].passed


def test_a_check_that_failed_before_the_clock_was_set_back_is_judged_anew(project, clock):
    """What was made anew later, by a clock that says earlier, is up to date; nothing loops."""
    project.update("raw_quarter")
    path = project.file(f"raw_quarter/{Q2}") / f"{FIRST}.parquet"
    clock(AN_HOUR)
    lose_a_row(path)
    judge_again(project, "raw_quarter", Q2)
    assert project.lineage().status("raw_quarter", Q2) is Status.REFUSED
    clock(0)
    path.unlink()
    ran = project.update("raw_quarter")
    assert [(run.asset, run.judge_only) for run in ran] == [("raw_quarter", False)]
    assert project.lineage().status("raw_quarter", Q2) is Status.UP_TO_DATE
    assert project.update("raw_quarter") == []


def test_a_check_that_fails_after_the_clock_was_set_back_counts(project, clock):
    clock(AN_HOUR)
    project.update("raw_quarter")
    clock(0)
    lose_a_row(project.file(f"raw_quarter/{Q2}") / f"{FIRST}.parquet")
    judge_again(project, "raw_quarter", Q2)
    assert project.lineage().status("raw_quarter", Q2) is Status.REFUSED
    with pytest.raises(DataError, match="raw_quarter 2013-04-01 is refused by a check"):
        project.update("raw_quarter")


def test_the_latest_materialization_is_the_one_with_the_highest_number(project, clock):
    clock(AN_HOUR)
    project.update("raw_quarter")
    earlier = project.lineage().ledger.get("raw_quarter", Q2)
    clock(0)
    project.run("raw_quarter", first=Q2)
    later = project.lineage().ledger.get("raw_quarter", Q2)
    assert later.timestamp < earlier.timestamp
    assert later.storage_id > earlier.storage_id
    assert later.run_id != earlier.run_id
    assert project.lineage().status("raw_quarter", Q2) is Status.UP_TO_DATE


def test_a_check_of_what_was_there_before_does_not_count_however_late_its_clock(project, clock):
    """As when a process is killed between a materialization and its checks."""
    clock(AN_HOUR)
    project.update("raw_quarter")
    clock(0)
    job = project.definitions.resolve_implicit_global_asset_job_def()
    unchecked = job.get_subset(
        asset_selection={dg.AssetKey("raw_quarter")}, asset_check_selection=set()
    )
    unchecked.execute_in_process(instance=project.instance, tags=range_tags([Q2]))
    assert project.lineage().status("raw_quarter", Q2) is Status.UNCHECKED
    ran = project.update("raw_quarter")
    assert [(run.asset, run.partitions, run.judge_only) for run in ran] == [
        ("raw_quarter", 1, True)
    ]
    assert project.lineage().status("raw_quarter", Q2) is Status.UP_TO_DATE
