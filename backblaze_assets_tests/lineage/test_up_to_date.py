"""Nothing is computed twice: what is made again after a change, and what is not."""

import runpy
import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import dagster as dg
import pyarrow.parquet as pq
import pytest
from dagster._core.errors import DagsterAssetCheckFailedError

from backblaze_assets.cli.update import Ran
from backblaze_assets.errors import DataError
from backblaze_assets.lineage import code_version
from backblaze_assets.lineage.rules import RULES, Status
from backblaze_assets_tests.conftest import FIRST, Project, write_fleet
from backblaze_assets_tests.repack import repack

Q2, Q3 = "2013-04-01", "2013-07-01"

# Code: which assets get another version when a module of the package changes


@pytest.fixture
def package(tmp_path: Path, monkeypatch) -> Path:
    """A copy of the package, whose code counts instead of that of the package itself."""
    folder = tmp_path / code_version.PACKAGE.name
    shutil.copytree(code_version.PACKAGE, folder)
    monkeypatch.setattr(code_version, "PACKAGE", folder)
    return folder


def out_of_date(package: Path) -> set[str]:
    """Assets that have another code version in the copy."""
    rules = runpy.run_path(str(package / "lineage.py"))["RULES"]
    return {asset for asset in RULES if rules[asset].code_version != RULES[asset].code_version}


def test_comments_and_docstrings_make_nothing_out_of_date(package):
    for path in package.rglob("*.py"):
        path.write_text(f'"""Another docstring."""\n{path.read_text("utf-8")}\n# Why.\n', "utf-8")
    assert out_of_date(package) == set()


@pytest.mark.parametrize(
    ("module", "expected"),
    [
        ("cli", set()),
        ("event_log", set()),
        ("automation/following", set()),
        ("assets/frames", set()),
        ("drive_stats/afr", {"afr_table"}),
        ("drive_stats/daily", {"daily_stats", "afr_table"}),  # for its schema
        ("film/layout", {"film_layout", "frames", "movie"}),
        ("film/encode", {"movie_clip", "movie"}),
    ],
)
def test_changed_code_makes_exactly_the_assets_out_of_date_that_use_it(package, module, expected):
    path = package / f"{module}.py"
    path.write_text(path.read_text("utf-8") + "\nONE_MORE = 1\n", "utf-8")
    assert out_of_date(package) == expected


# Inputs: what is made again from a project in which everything is up to date


@pytest.fixture(scope="module")
def ours(tmp_path_factory) -> Iterator[Project]:
    root = tmp_path_factory.mktemp("up_to_date") / "data"
    write_fleet(root)
    with dg.DagsterInstance.ephemeral() as instance:
        yield Project(root, instance)


@pytest.fixture
def settled(ours: Project) -> Project:
    """A project in which everything is up to date, whatever another test has changed."""
    ours.update()
    return ours


def test_nothing_runs_when_nothing_has_changed(settled):
    assert settled.update() == []


def test_the_same_zip_downloaded_again_leads_to_nothing(settled):
    before = (settled.root / "data_2013.zip").read_bytes()
    repack(settled.root / "data_2013.zip")
    assert (settled.root / "data_2013.zip").read_bytes() != before
    assert settled.update() == []


def test_one_changed_day_leads_to_what_is_made_from_it_and_nothing_else(settled):
    repack(settled.root / "data_2013.zip", changed_day="2013-07-02")
    layout = settled.lineage().ledger.version("film_layout")
    ran = settled.update()
    assert ran[:5] == [
        Ran("raw_quarter", 1),
        Ran("daily_stats", 1),
        Ran("drive_lifetimes", 1),
        Ran("afr_table", 1),
        Ran("film_layout", 1),
    ]
    # The layout is the same, so the frames of the other quarter are not drawn again.
    assert settled.lineage().ledger.version("film_layout") == layout
    assert ran[5:] == [Ran("frames", 6), Ran("movie_clip", 1), Ran("movie", 1)]


def test_identical_output_stops_what_comes_after(settled):
    """A column that only `raw_quarter` keeps: what is made from that day comes out the same."""
    repack(settled.root / "data_2013.zip", changed_day="2013-06-30", column="smart_197_raw")
    later = settled.folder.drive_lifetimes(date(2013, 7, 1)) / "drives.parquet"
    before = later.stat()
    assert settled.update() == [
        Ran("raw_quarter", 1),
        Ran("daily_stats", 1),
        Ran("drive_lifetimes", 2),  # the second one continues the first
    ]
    assert later.stat().st_mtime_ns == before.st_mtime_ns  # and is kept, as that is the same


def test_a_history_that_changes_in_the_middle_takes_one_run(settled):
    repack(settled.root / "data_2013.zip", changed_day="2013-06-30")
    ran = settled.update()
    assert [one for one in ran if one.asset == "drive_lifetimes"] == [Ran("drive_lifetimes", 2)]
    assert len({one.asset for one in ran}) == len(ran)


@pytest.mark.parametrize("asset", ["daily_stats", "film_layout", "movie_clip"])
def test_changed_code_runs_that_asset_and_no_other_when_it_makes_the_same(
    settled, monkeypatch, asset
):
    monkeypatch.setitem(RULES, asset, replace(RULES[asset], code_version="another"))
    lineage = settled.lineage()
    stale = {
        (name, lineage.status(name, key))
        for name in RULES
        for key in lineage.expected(name)
        if lineage.status(name, key) is not Status.UP_TO_DATE
    }
    assert stale == {(asset, Status.OUT_OF_DATE)}
    assert settled.update() == [Ran(asset, len(lineage.expected(asset)))]


def test_a_zip_that_was_removed_makes_nothing_out_of_date(settled):
    path = settled.root / "data_2013.zip"
    content = path.read_bytes()
    path.unlink()
    try:
        assert settled.update() == []
    finally:
        path.write_bytes(content)


def test_a_new_quarter_leads_to_that_quarter_and_what_spans_all(settled):
    write_fleet(settled.root, date(2014, 1, 1), date(2014, 1, 3))
    ran = {one.asset: one.partitions for one in settled.update()}
    assert ran["raw_quarter"] == ran["drive_lifetimes"] == ran["afr_table"] == 1
    assert ran["daily_stats"] == 3
    assert ran["movie"] == 1


# Files: what has been deleted is made anew, and nothing else


@pytest.mark.parametrize(
    "path",
    [
        f"raw_quarter/{Q2}/{FIRST}.parquet",
        "daily_stats/2013-07-02.parquet",
        f"drive_lifetimes/{Q3}/days.parquet",
        f"afr_table/{Q2}.parquet",
        "film_layout/layout.json",
        "frames/2013-07-03.jpg",
        f"movie_clip/{Q3}.mp4",
        "movie/movie.mp4",
    ],
)
def test_a_deleted_file_is_made_anew_and_comes_out_the_same(settled, path):
    before = (settled.root / path).read_bytes()
    (settled.root / path).unlink()
    first, *others = settled.update()
    asset = path.partition("/")[0]
    assert first == Ran(asset, 1)
    # A quarter that continues the history is looked at again, and kept.
    assert {one.asset for one in others} <= {"drive_lifetimes"} & {asset}
    assert (settled.root / path).read_bytes() == before
    assert settled.update() == []


def test_raw_files_that_were_deleted_with_their_zip_are_missed_by_what_needs_them(project):
    project.update("daily_stats")
    shutil.rmtree(project.root / "raw_quarter")
    (project.root / "data_2013.zip").unlink()
    assert project.update("daily_stats") == []
    project.folder.daily_stats(FIRST).unlink()
    with pytest.raises(DataError, match=f"daily_stats {FIRST} needs files of raw_quarter {Q2}"):
        project.update("daily_stats")


# Checks: nothing is made from what a blocking check refuses


@pytest.fixture
def refused(project: Project) -> Project:
    """A project whose first quarter has lost a row, found after the import in a run of its own."""
    project.update("raw_quarter")
    lose_a_row(project)
    with pytest.raises(DagsterAssetCheckFailedError):
        project.materialize("raw_quarter", Q2)
    return project


def lose_a_row(project: Project) -> None:
    """Write a file of the first quarter anew without its last row."""
    table = pq.read_table(damaged_file(project))
    pq.write_table(table.slice(0, table.num_rows - 1), damaged_file(project))


def damaged_file(project: Project) -> Path:
    return project.folder.raw_quarter(date.fromisoformat(Q2)) / f"{FIRST}.parquet"


def test_what_a_check_refuses_holds_what_is_made_from_it_and_nothing_else(refused):
    lineage = refused.lineage()
    assert lineage.status("raw_quarter", Q2) is Status.REFUSED
    assert lineage.status("raw_quarter", Q3) is Status.UP_TO_DATE
    assert lineage.to_do("raw_quarter") == []
    assert lineage.to_do("raw_quarter", refused=True) == [Q2]
    assert lineage.to_do("daily_stats") == [str(day) for day in lineage.days(date(2013, 7, 1))]
    assert lineage.to_do("drive_lifetimes") == []  # the second quarter continues the first


def test_bringing_up_to_date_checks_again_and_stops_there(refused):
    for _ in range(2):
        with pytest.raises(DataError, match=f"raw_quarter {Q2} is refused .* rows_accounted_for"):
            refused.update()
    assert refused.lineage().ledger.all("daily_stats") == {}


def test_what_is_refused_and_cannot_be_made_anew_is_said(refused):
    (refused.root / "data_2013.zip").unlink()
    with pytest.raises(DataError, match=f"raw_quarter {Q2} is refused"):
        refused.update()


def test_a_mended_file_lets_everything_go_on(refused):
    damaged_file(refused).unlink()
    assert refused.update("drive_lifetimes") == [Ran("raw_quarter", 1), Ran("drive_lifetimes", 2)]


def test_checks_that_pass_later_without_a_run_of_the_asset_let_everything_go_on(refused):
    whole = damaged_file(refused).read_bytes()
    path = damaged_file(refused)
    path.unlink()
    refused.materialize("raw_quarter", Q2)
    mended = path.read_bytes()
    path.write_bytes(whole)
    with pytest.raises(DagsterAssetCheckFailedError):
        refused.materialize("raw_quarter", Q2)
    path.write_bytes(mended)
    check_alone(refused, "raw_quarter", "rows_accounted_for")
    assert refused.lineage().status("raw_quarter", Q2) is Status.UP_TO_DATE


def test_checks_of_other_partitions_change_nothing(refused):
    refused.materialize("raw_quarter", Q3)
    assert refused.lineage().status("raw_quarter", Q2) is Status.REFUSED


def test_checks_alone_can_refuse_what_was_made_before(project):
    project.update("raw_quarter")
    lose_a_row(project)
    check_alone(project, "raw_quarter", "rows_accounted_for")
    lineage = project.lineage()
    assert lineage.status("raw_quarter", Q2) is Status.REFUSED
    assert lineage.status("raw_quarter", Q3) is Status.UP_TO_DATE


def test_a_run_over_a_range_refuses_only_what_is_at_fault(refused):
    with pytest.raises(DagsterAssetCheckFailedError):
        refused.materialize("raw_quarter", Q2, Q3)
    lineage = refused.lineage()
    assert lineage.status("raw_quarter", Q2) is Status.REFUSED
    assert lineage.status("raw_quarter", Q3) is Status.UP_TO_DATE


def test_a_range_that_cannot_be_checked_is_refused_as_a_whole(refused):
    path = damaged_file(refused)
    path.write_bytes(path.read_bytes()[:-100])
    check_alone(refused, "raw_quarter", "rows_accounted_for")
    lineage = refused.lineage()
    assert {lineage.status("raw_quarter", key) for key in (Q2, Q3)} == {Status.REFUSED}


def test_one_broken_frame_is_refused_and_made_anew(project):
    project.update()
    project.folder.frame(FIRST).write_bytes(b"no picture")
    check_alone(project, "frames", "frames_whole")
    lineage = project.lineage()
    statuses = [lineage.status("frames", key) for key in lineage.expected("frames")]
    assert statuses == [Status.REFUSED] + [Status.UP_TO_DATE] * 11
    assert project.update() == [Ran("frames", 1)]
    assert project.lineage().status("frames", str(FIRST)) is Status.UP_TO_DATE


def test_what_continues_a_history_at_fault_is_refused_too(project):
    project.update("drive_lifetimes")
    folder = project.folder.drive_lifetimes(date.fromisoformat(Q2))
    drives = pq.read_table(folder / "drives.parquet")
    pq.write_table(drives.slice(1), folder / "drives.parquet")
    check_alone(project, "drive_lifetimes", "drives_once")
    lineage = project.lineage()
    assert {lineage.status("drive_lifetimes", key) for key in (Q2, Q3)} == {Status.REFUSED}


def check_alone(project: Project, asset: str, check: str) -> None:
    """A check without its asset, as a person can start it in the UI."""
    job = project.definitions.resolve_implicit_global_asset_job_def()
    keys = {dg.AssetCheckKey(dg.AssetKey(asset), check)}
    alone = job.get_subset(asset_selection=frozenset(), asset_check_selection=keys)
    alone.execute_in_process(instance=project.instance, raise_on_error=False)
