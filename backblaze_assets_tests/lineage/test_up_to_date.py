"""Nothing is computed twice: what is made again after a change, and what is not."""

import shutil
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import dagster as dg
import pytest

from backblaze_assets.cli.update import Ran
from backblaze_assets.errors import DataError
from backblaze_assets.graph import GRAPH, Source, keys_of, reads_of
from backblaze_assets.lineage import checking, parts, plan, reasons, status, step
from backblaze_assets.lineage.ledger import PROVENANCE
from backblaze_assets.lineage.status import Status
from backblaze_assets_tests.project import (
    FIRST,
    LAST,
    Q2,
    Q3,
    Project,
    failure,
    left,
    lose_a_row,
    made,
    new_project,
    write_fleet,
)
from backblaze_assets_tests.repack import repack

pytestmark = pytest.mark.slow  # whole runs of Dagster

DAYS_OF_Q2 = [f"2013-06-{day}" for day in range(25, 31)]
DAYS_OF_Q3 = [f"2013-07-0{day}" for day in range(1, 7)]


# Inputs: what is made again from a project in which everything is up to date


def test_nothing_runs_when_nothing_has_changed(settled):
    assert settled.update() == []
    assert {found for asset in GRAPH for found in settled.status(asset).values()} == {
        Status.UP_TO_DATE
    }


def test_the_same_zip_downloaded_again_leads_to_nothing(settled):
    before = (settled.root / "data_2013.zip").read_bytes()
    repack(settled.root / "data_2013.zip")
    assert (settled.root / "data_2013.zip").read_bytes() != before
    assert settled.update() == []


def test_one_changed_day_leads_to_what_is_made_from_it_and_nothing_else(settled):
    repack(settled.root / "data_2013.zip", changed_day="2013-07-02")
    layout = settled.lineage().ledger.version("film_layout", Q2)
    assert settled.update() == [
        Ran("raw_quarter", 1),
        Ran("daily_stats", 1),
        Ran("drive_lifetimes", 1),
        Ran("afr_table", 1),
        Ran("survival", 1),
        Ran("film_layout", 1),
        Ran("frames", 6),
        Ran("report", 1),
        Ran("movie_clip", 1),
        Ran("share", 1),
        Ran("movie", 1),
    ]
    assert settled.lineage().ledger.version("film_layout", Q2) == layout


def test_identical_output_stops_what_comes_after(settled):
    """A column that only `raw_quarter` keeps: what is made from that day comes out the same."""
    repack(settled.root / "data_2013.zip", changed_day="2013-06-30", column="smart_197_raw")
    later = settled.file(f"drive_lifetimes/{Q3}/drives.parquet")
    before = later.stat()
    assert settled.update() == [
        Ran("raw_quarter", 1),
        Ran("daily_stats", 1),
        Ran("drive_lifetimes", 2),  # the second one continues the first
    ]
    assert later.stat().st_mtime_ns == before.st_mtime_ns  # and is kept, as that is the same


def test_a_history_that_changes_in_the_middle_takes_one_run(settled):
    repack(settled.root / "data_2013.zip", changed_day="2013-06-30")
    ran = settled.update("report")
    assert [one for one in ran if one.asset == "drive_lifetimes"] == [Ran("drive_lifetimes", 2)]
    assert len({one.asset for one in ran}) == len(ran)


@pytest.mark.parametrize("asset", ["daily_stats", "film_layout", "movie_clip"])
def test_changed_code_runs_that_asset_and_no_other_when_it_makes_the_same(
    settled, monkeypatch, asset
):
    known = status.code_version
    for module in (status, parts, step):  # which compare and record it
        monkeypatch.setattr(
            module, "code_version", lambda name: "another" if name == asset else known(name)
        )
    stale = {
        (name, found)
        for name in GRAPH
        for found in settled.status(name).values()
        if found is not Status.UP_TO_DATE
    }
    assert stale == {(asset, Status.OUT_OF_DATE)}
    (reason,) = reasons.why(settled.lineage(), list(GRAPH))
    assert [cause.what for cause in reason.causes] == ["code"]
    assert f"the code of {asset} changed" in reasons.sentence(reason)
    assert settled.update() == [Ran(asset, len(settled.lineage().expected(asset)))]


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
    "deleted",
    [
        {"raw_quarter": [f"{Q2}/{FIRST}.parquet"]},
        {"drive_lifetimes": [f"{Q3}/days.parquet"]},
        {
            "daily_stats": ["2013-07-02.parquet"],
            "afr_table": [f"{Q2}.parquet"],
            "survival": [f"{Q2}.parquet"],
            "film_layout": [f"{Q3}.json"],
            "report": ["report.html"],
            "frames": ["2013-07-03.jpg"],
            "movie_clip": [f"{Q3}.mp4"],
            "movie": ["movie.mp4", "movie.srt"],
            "share": ["film/loop.gif"],
        },
    ],
    ids=["raw rows", "history", "all else"],
)
def test_deleted_files_are_made_anew_and_come_out_the_same(settled, deleted):
    paths = [settled.root / asset / name for asset, names in deleted.items() for name in names]
    before = [path.read_bytes() for path in paths]
    for path in paths:
        path.unlink()
    assert sorted(settled.update(), key=str) == sorted(
        (Ran(asset, 1) for asset in deleted), key=str
    ), "what is made from them is not made again"
    assert [path.read_bytes() for path in paths] == before
    assert settled.update() == []


def test_raw_files_that_were_deleted_with_their_zip_are_missed_by_what_needs_them(project):
    project.update("drive_lifetimes", "daily_stats")
    shutil.rmtree(project.root / "raw_quarter")
    (project.root / "data_2013.zip").unlink()
    assert project.update("daily_stats") == []
    project.file("daily_stats/2013-06-27.parquet").unlink()
    with pytest.raises(DataError, match=f"daily_stats .*27 needs files of raw_quarter {Q2}"):
        project.update("daily_stats")


# What was recorded is what Dagster draws, also where a quarter is missing


@pytest.fixture(scope="module")
def with_a_hole(tmp_path_factory) -> Iterator[Project]:
    """A project with the second and the fourth quarter of 2013, and everything made."""
    with new_project(tmp_path_factory.mktemp("hole") / "data") as project:
        write_fleet(project.root, date(2013, 6, 29), date(2013, 6, 30))
        write_fleet(project.root, date(2014, 1, 1), date(2014, 1, 2))
        project.update()
        yield project


def test_with_a_quarter_missing_the_inputs_recorded_are_those_that_dagster_draws(with_a_hole):
    graph = with_a_hole.definitions.resolve_asset_graph()
    lineage = with_a_hole.lineage()
    versions = {
        (asset, key): found.data_version
        for asset in GRAPH
        for key, found in lineage.ledger.all(asset).items()
    }
    for asset in GRAPH:
        for key, found in lineage.ledger.all(asset).items():
            drawn: dict[str, list[str | None]] = {}
            for parent in graph.get_parents_partitions(dg.AssetKey(asset), key).parent_partitions:
                name = parent.asset_key.to_user_string()
                drawn.setdefault(name, []).append(parent.partition_key)
            assert set(found.inputs) - {it.value for it in Source} == set(drawn), (asset, key)
            for name, keys in drawn.items():
                if len(keys) == 1 and not GRAPH[asset].reads[name].by_day:
                    assert found.inputs[name] == versions[name, keys[0]], (asset, key)
    # Dagster's mapping skips the hole, and so does the history.
    second = lineage.ledger.get("drive_lifetimes", "2014-01-01")
    assert second.inputs["drive_lifetimes"] == versions["drive_lifetimes", Q2]


def test_with_a_quarter_missing_everything_is_up_to_date_once_made(with_a_hole):
    assert with_a_hole.update() == []
    assert list(with_a_hole.status("movie_clip")) == [Q2, "2014-01-01"]


def test_a_quarter_that_comes_in_between_changes_what_comes_after_it(tmp_path):
    with new_project(tmp_path / "data") as project:
        write_fleet(project.root, date(2013, 6, 30), date(2013, 6, 30))
        write_fleet(project.root, date(2014, 1, 1), date(2014, 1, 1))
        project.update("drive_lifetimes")
        (project.root / "data_2013.zip").unlink()
        write_fleet(project.root, date(2013, 7, 1), date(2013, 7, 1))
        assert project.update("drive_lifetimes") == [
            Ran("raw_quarter", 1),
            Ran("drive_lifetimes", 2),
        ]


# Runs from Dagster's own commands and pages


def test_all_partitions_of_the_page_are_those_that_there_are(project):
    """One zip, `raw_quarter`, Materialize all: as many green partitions as folders."""
    keys = project.definitions.resolve_asset_graph().get(dg.AssetKey("raw_quarter")).partitions_def
    first, last = keys.get_first_partition_key(), keys.get_last_partition_key()
    result = project.run("raw_quarter", first=first, last=last)
    assert result.success
    green = project.instance.get_materialized_partitions(dg.AssetKey("raw_quarter"))
    folders = {path.name for path in (project.root / "raw_quarter").iterdir()}
    assert green == folders == {Q2, Q3}
    versions = {
        found.data_version for found in project.lineage().ledger.all("raw_quarter").values()
    }
    assert len(versions) == 2


def test_of_a_range_whose_data_have_partly_gone_the_rest_is_recorded(project):
    write_fleet(project.root, date(2014, 1, 1), date(2014, 1, 1))
    definitions = project.definitions  # as they were loaded
    (project.root / "data_2014.zip").unlink()
    job = definitions.resolve_implicit_global_asset_job_def()
    result = job.execute_in_process(
        instance=project.instance,
        asset_selection=[dg.AssetKey("raw_quarter")],
        tags={
            "dagster/asset_partition_range_start": Q2,
            "dagster/asset_partition_range_end": "2014-01-01",
        },
        raise_on_error=False,
    )
    assert not result.success
    recorded = project.instance.get_materialized_partitions(dg.AssetKey("raw_quarter"))
    assert recorded == {Q2, Q3}
    assert "2014-01-01" in failure(result)
    assert "data_2014.zip" in failure(result)
    shown = project.instance.get_status_by_partition(
        dg.AssetKey("raw_quarter"),
        [Q2, Q3, "2014-01-01"],
        definitions.resolve_asset_graph().get(dg.AssetKey("raw_quarter")).partitions_def,
    )
    assert {key: found.value for key, found in shown.items()} == {
        Q2: "MATERIALIZED",
        Q3: "MATERIALIZED",
        "2014-01-01": "FAILED",
    }
    # What was recorded counts, once its checks have looked at it.
    assert set(project.status("raw_quarter").values()) == {Status.UNCHECKED}


@pytest.mark.parametrize(
    ("asset", "first", "last", "unknown", "there"),
    [
        ("raw_quarter", Q2, "2014-04-01", "2014-04-01", f"{Q2} to {Q3}"),
        ("daily_stats", "2013-06-01", "2013-06-27", "2013-06-01", f"{FIRST} to {LAST}"),
    ],
)
def test_a_range_that_reaches_beyond_the_data_is_refused(
    project, asset, first, last, unknown, there
):
    result = project.run(asset, first=first, last=last)
    assert made(result) == []
    assert f"no data of {asset} {unknown}. There are data of {there}" in failure(result)


def test_a_reversed_range_is_refused(project):
    result = project.run("raw_quarter", first=Q3, last=Q2)
    assert made(result) == []
    assert f"{Q3}...{Q2} is reversed" in failure(result)


def test_every_event_of_a_range_has_a_version_of_its_own(project):
    result = project.run("raw_quarter", "daily_stats", first=Q2, last=Q3)
    assert not result.success  # a range of quarters is none of days
    project.update("daily_stats")
    events = project.instance.fetch_materializations(dg.AssetKey("daily_stats"), limit=100).records
    versions = {
        event.partition_key: event.asset_materialization.metadata[PROVENANCE].value["data_version"]
        for event in events
    }
    assert len(events) == len(set(versions.values())) == 12


# A quarter that is published anew with fewer days


def test_of_days_that_have_vanished_nothing_stays(project):
    project.update("afr_table", "movie_clip")
    assert project.file(f"frames/{LAST}.jpg").exists()
    write_fleet(project.root, FIRST, date(2013, 7, 3))
    project.update("afr_table", "movie_clip")
    vanished = {"2013-07-04", "2013-07-05", "2013-07-06"}
    left = {path.stem for asset in GRAPH for path in project.file(asset).rglob("*.*")}
    assert left.isdisjoint(vanished)
    assert {path.stem for path in project.file("frames").iterdir()} == {
        *DAYS_OF_Q2,
        *DAYS_OF_Q3[:3],
    }
    assert project.update("afr_table", "movie_clip") == []
    assert set(project.status("movie_clip").values()) == {Status.UP_TO_DATE}


def test_files_of_others_and_of_other_quarters_stay(project):
    project.update("daily_stats")
    for name in ("2013-08-01-notes.txt", "readme.txt"):
        project.file(f"daily_stats/{name}").write_text("mine", "utf-8")
    write_fleet(project.root, FIRST, date(2013, 7, 5))
    project.update("daily_stats")
    names = {path.name for path in project.file("daily_stats").iterdir()}
    assert names == {
        *(f"{day}.parquet" for day in [*DAYS_OF_Q2, *DAYS_OF_Q3[:5]]),
        *("2013-08-01-notes.txt", "readme.txt"),
    }


def test_what_killed_runs_have_left_half_done_is_gone_after_the_next_run(project):
    begun = [
        left(project.file("movie_clip/2013-04-01.mp4")),
        left(project.file(f"raw_quarter/{Q2}/2013-06-25.parquet")),
        left(project.file("drive_lifetimes/2013-04-01")) / "drives.parquet",
    ]
    for path in begun:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"half")
    project.update("movie_clip")
    assert list(project.root.rglob(".tmp-*")) == []


# Checks: nothing is made from what a blocking check refuses


@pytest.fixture
def refused(project: Project) -> Project:
    """A project whose first quarter has lost a row, found after the import in a run of its own."""
    project.update("raw_quarter")
    lose_a_row(damaged_file(project))
    assert not project.run("raw_quarter", first=Q2).success
    return project


def damaged_file(project: Project) -> Path:
    return project.file(f"raw_quarter/{Q2}/{FIRST}.parquet")


def test_what_a_check_refuses_holds_what_is_made_from_it_and_nothing_else(refused):
    assert refused.status("raw_quarter") == {Q2: Status.REFUSED, Q3: Status.UP_TO_DATE}
    lineage = refused.lineage()
    assert lineage.to_do("raw_quarter") == []
    assert lineage.to_judge("raw_quarter") == []
    assert lineage.to_judge("raw_quarter", refused=True) == [Q2]
    assert lineage.to_do("daily_stats") == DAYS_OF_Q3
    assert lineage.to_do("drive_lifetimes") == []  # the second quarter continues the first


def test_bringing_up_to_date_checks_again_and_makes_all_else(refused):
    for _ in range(2):
        with pytest.raises(DataError, match=f"raw_quarter {Q2} is refused .*rows_accounted_for"):
            refused.update("afr_table")
    assert list(refused.lineage().ledger.all("daily_stats")) == DAYS_OF_Q3
    assert refused.lineage().ledger.all("drive_lifetimes") == {}


def test_what_is_refused_and_cannot_be_made_anew_is_said(refused):
    (refused.root / "data_2013.zip").unlink()
    with pytest.raises(DataError, match=f"raw_quarter {Q2} is refused"):
        refused.update("daily_stats")


def test_a_mended_file_lets_everything_go_on(refused):
    damaged_file(refused).unlink()
    assert refused.update("drive_lifetimes") == [Ran("raw_quarter", 1), Ran("drive_lifetimes", 2)]


def test_checks_that_pass_later_without_a_run_of_the_asset_let_everything_go_on(refused):
    damaged = damaged_file(refused).read_bytes()
    path = damaged_file(refused)
    path.unlink()
    refused.run("raw_quarter", first=Q2)
    mended = path.read_bytes()
    path.write_bytes(damaged)
    assert not refused.run("raw_quarter", first=Q2).success
    assert refused.status("raw_quarter")[Q2] is Status.REFUSED
    path.write_bytes(mended)
    refused.check("raw_quarter", "rows_accounted_for")
    assert refused.status("raw_quarter")[Q2] is Status.UP_TO_DATE


def test_checks_of_other_partitions_change_nothing(refused):
    refused.run("raw_quarter", first=Q3)
    assert refused.status("raw_quarter")[Q2] is Status.REFUSED


def test_checks_alone_can_refuse_what_was_made_before(project):
    project.update("raw_quarter")
    lose_a_row(damaged_file(project))
    project.check("raw_quarter", "rows_accounted_for")
    assert project.status("raw_quarter") == {Q2: Status.REFUSED, Q3: Status.UP_TO_DATE}


def test_a_run_over_a_range_refuses_only_what_is_at_fault(refused):
    assert not refused.run("raw_quarter", first=Q2, last=Q3).success
    assert refused.status("raw_quarter") == {Q2: Status.REFUSED, Q3: Status.UP_TO_DATE}


def test_a_range_that_cannot_be_checked_is_refused_as_a_whole(refused):
    path = damaged_file(refused)
    path.write_bytes(path.read_bytes()[:-100])
    refused.check("raw_quarter", "rows_accounted_for")
    assert set(refused.status("raw_quarter").values()) == {Status.REFUSED}


def test_one_broken_frame_is_refused_and_made_anew_once_it_is_deleted(project):
    project.update("frames")
    frame = project.file(f"frames/{FIRST}.jpg")
    frame.write_bytes(b"no picture")
    project.check("frames", "frames_whole")
    assert list(project.status("frames").values()) == [Status.REFUSED] + [Status.UP_TO_DATE] * 11
    frame.unlink()
    assert project.update("frames") == [Ran("frames", 1)]
    assert set(project.status("frames").values()) == {Status.UP_TO_DATE}


def test_what_continues_a_history_at_fault_is_refused_too(project):
    project.update("drive_lifetimes")
    lose_a_row(project.file(f"drive_lifetimes/{Q2}/drives.parquet"))
    project.check("drive_lifetimes", "drives_once")
    assert set(project.status("drive_lifetimes").values()) == {Status.REFUSED}


# Checks that were lost


@pytest.fixture
def unchecked(project: Project, monkeypatch) -> Project:
    """A project whose import ended between the materialization and its checks."""
    monkeypatch.setattr(checking, "_result", _killed)
    assert not project.run("raw_quarter", first=Q2, last=Q3).success
    monkeypatch.undo()
    return project


def _killed(*_: object) -> dg.AssetCheckResult:
    raise SystemError("as if the process had been killed")


def test_what_was_made_and_not_checked_is_judged_and_not_made_anew(unchecked):
    assert set(unchecked.status("raw_quarter").values()) == {Status.UNCHECKED}
    lineage = unchecked.lineage()
    assert lineage.to_do("raw_quarter") == lineage.to_do("daily_stats") == []
    before = len(unchecked.instance.fetch_materializations(dg.AssetKey("raw_quarter"), 9).records)
    assert before == 2
    assert unchecked.update("daily_stats") == [
        Ran("raw_quarter", 2, judge_only=True),
        Ran("daily_stats", 12),
    ]
    after = len(unchecked.instance.fetch_materializations(dg.AssetKey("raw_quarter"), 9).records)
    assert after == before
    assert set(unchecked.status("raw_quarter").values()) == {Status.UP_TO_DATE}


def test_what_was_made_and_not_checked_can_still_be_refused(unchecked):
    lose_a_row(damaged_file(unchecked))
    with pytest.raises(DataError, match=f"raw_quarter {Q2} is refused"):
        unchecked.update("daily_stats")
    assert unchecked.status("raw_quarter") == {Q2: Status.REFUSED, Q3: Status.UP_TO_DATE}


def test_only_those_made_since_their_check_are_judged(project):
    project.update("raw_quarter")
    repack(project.root / "data_2013.zip", changed_day="2013-07-02")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checking, "_result", _killed)
        project.run("raw_quarter", first=Q3)
    assert project.status("raw_quarter") == {Q2: Status.UP_TO_DATE, Q3: Status.UNCHECKED}
    assert project.update("raw_quarter") == [Ran("raw_quarter", 1, judge_only=True)]


# Reasons


def test_a_changed_zip_is_the_reason(project):
    project.update("drive_lifetimes")
    write_fleet(project.root, last=date(2013, 7, 7))
    found = reasons.why(project.lineage(), ["raw_quarter"])
    assert [(reason.keys, reason.status) for reason in found] == [([Q3], Status.OUT_OF_DATE)]
    assert "its input zip changed" in reasons.sentence(found[0])


def test_plan_and_keys_agree_with_what_there_is(project):
    lineage = project.lineage()
    (batch,) = plan.next_batches(lineage, ["movie"])
    assert (batch.assets, batch.keys) == (("raw_quarter",), (Q2, Q3))
    assert keys_of("raw_quarter", lineage.view.calendar) == [Q2, Q3]
    assert reads_of("daily_stats", "2013-07-01", lineage.view.calendar) == {"raw_quarter": [Q3]}
