"""Automation: what the sensor and the schedules ask for, tick after tick, on an instance."""

import json
import os
import socket
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import dagster as dg
import pytest

from backblaze_assets.assets import raw_quarter
from backblaze_assets.automation import keep_up_to_date, requests, schedules
from backblaze_assets.automation.keep_up_to_date import STILL_S, keep_up_to_date_sensor
from backblaze_assets.automation.reloading import reload_definitions
from backblaze_assets.automation.requests import BATCH
from backblaze_assets.drive_stats import download as downloading
from backblaze_assets.drive_stats.archive import BASE_URL
from backblaze_assets.errors import DataError
from backblaze_assets.graph import GRAPH, upstream_of
from backblaze_assets.lineage import checking, view
from backblaze_assets.lineage.ledger import Ledger
from backblaze_assets.lineage.status import Status
from backblaze_assets.settings import Settings
from backblaze_assets_tests.project import (
    END,
    FIRST,
    Q2,
    Q3,
    RUNS,
    START,
    Project,
    kept_project,
    lose_a_row,
    made,
    new_project,
    spoil,
    write_fleet,
)
from backblaze_assets_tests.repack import repack

QUARTERLY, DAILY, REST = map(sorted, RUNS)
NOBODY = 1
"""A port at which nobody answers."""


def age(root: Path, seconds: float = 60) -> None:
    """Let zips lie for a while."""
    when = time.time() - seconds
    for path in root.glob("*.zip"):
        os.utime(path, (when, when))


@pytest.fixture
def tables_only(monkeypatch) -> None:
    """The automation makes no film, which takes its time."""
    graph = {name: GRAPH[name] for name in upstream_of(["report"])}
    monkeypatch.setattr(requests, "GRAPH", graph)


class Ticks:
    """The sensor, tick after tick; what it asks for is run as the daemon does."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.load()
        self.cursor: str | None = None
        self.message = ""
        self.events: list[dg.AssetCheckEvaluation] = []
        self.keys: list[str] = []

    def load(self) -> None:
        """Load the definitions, as the code server does when it starts."""
        data = self.project.data
        assert data.view  # looked at now
        self.sensor = keep_up_to_date_sensor(data, NOBODY)

    def tick(self) -> list[dg.RunRequest]:
        """One tick; what it asks for, each run once, as Dagster sees to by the run's key."""
        context = dg.build_sensor_context(self.project.instance, cursor=self.cursor)
        result = self.sensor(context)
        assert isinstance(result, dg.SensorResult)
        self.cursor = result.cursor
        self.message = (result.skip_reason.skip_message or "") if result.skip_reason else ""
        self.events = list(result.asset_events)
        for event in self.events:
            self.project.instance.report_runless_asset_event(event)
        fresh = [it for it in result.run_requests or [] if it.run_key not in self.keys]
        self.keys += [str(it.run_key) for it in fresh]
        return fresh

    def run(self, request: dg.RunRequest) -> dg.ExecuteInProcessResult:
        """Do what has been asked for."""
        job = self.project.definitions.resolve_implicit_global_asset_job_def().get_subset(
            asset_selection=set(request.asset_selection or []),
            asset_check_selection=set(request.asset_check_keys)
            if request.asset_check_keys is not None
            else None,
        )
        return job.execute_in_process(
            instance=self.project.instance, tags=request.tags, raise_on_error=False
        )

    def settle(self) -> list[list[str]]:
        """Tick and run until nothing is asked for; the assets of each run."""
        seen = []
        while requests := self.tick():
            for request in requests:
                seen.append(names(request))
                self.run(request)
        return seen


def names(request: dg.RunRequest) -> list[str]:
    return sorted(key.to_user_string() for key in request.asset_selection or [])


def span(request: dg.RunRequest) -> tuple[str, str]:
    return request.tags[START], request.tags[END]


@pytest.fixture
def ticks(request: pytest.FixtureRequest, monkeypatch) -> Ticks:
    """The sensor on the project of the test: `settled` if it asks for that, else `project`."""
    # The code may be edited while the tests run.
    monkeypatch.setattr(keep_up_to_date, "_is_edited", lambda _: False)
    monkeypatch.setattr(keep_up_to_date, "PATIENCE_S", 0)
    name = "settled" if "settled" in request.fixturenames else "project"
    project = request.getfixturevalue(name)
    age(project.root)
    return Ticks(project)


# The sensor


@pytest.mark.slow
def test_a_dropped_zip_becomes_the_film_in_three_runs_and_then_nothing_is_asked_for(ticks):
    (first,) = ticks.tick()
    assert (names(first), span(first)) == (QUARTERLY, (Q2, Q3))
    assert first.tags[BATCH] == first.run_key
    ticks.run(first)
    assert ticks.settle() == [DAILY, REST]
    assert ticks.message == "Everything is up to date."
    assert ticks.project.file("movie/movie.mp4").exists()
    assert ticks.project.update() == []  # the command line agrees


def test_what_is_asked_for_is_asked_for_once(ticks):
    assert ticks.tick()
    assert ticks.tick() == []
    # Also by a daemon that has been started anew and has lost its cursor.
    ticks.cursor = None
    assert ticks.tick() == []


def test_a_zip_that_is_being_copied_is_left_alone(project, ticks, monkeypatch):
    path = project.root / "data_2013.zip"
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 3])
    parts = [len(whole) // 2, len(whole)]
    slept = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        if parts:
            path.write_bytes(whole[: parts.pop(0)])

    monkeypatch.setattr(keep_up_to_date.time, "sleep", sleep)
    for _ in range(2):
        assert ticks.tick() == []
        assert "being copied" in ticks.message
    # Once it stays as it is, the tick goes on at once, also where the clocks differ.
    age(project.root, -3600)
    assert len(ticks.tick()) == 1
    assert len(slept) == 3
    assert 0 < min(slept) <= max(slept) <= STILL_S


def test_a_tick_goes_on_when_the_runs_at_work_end_meanwhile(project, ticks, monkeypatch):
    run = project.instance.create_run_for_job(
        project.definitions.resolve_implicit_global_asset_job_def(),
        status=dg.DagsterRunStatus.STARTED,
    )
    monkeypatch.setattr(keep_up_to_date, "PATIENCE_S", 60)
    monkeypatch.setattr(
        keep_up_to_date.time, "sleep", lambda _: project.instance.report_run_failed(run)
    )
    assert len(ticks.tick()) == 1


@pytest.mark.usefixtures("settled")
def test_a_tick_that_finds_nothing_new_reads_neither_zips_nor_records(ticks, monkeypatch):
    ticks.tick()
    read = []
    zips, records = view.survey, Ledger.all
    monkeypatch.setattr(
        view, "survey", lambda *given, **more: read.append("zips") or zips(*given, **more)
    )
    monkeypatch.setattr(
        Ledger, "all", lambda self, asset: read.append("records") or records(self, asset)
    )
    assert ticks.tick() == []
    assert read == []
    assert ticks.message == "Everything is up to date."
    # Something new makes it look.
    ticks.project.file("movie/movie.mp4").unlink()
    assert names(*ticks.tick()) == ["movie"]
    assert set(read) == {"zips", "records"}


def test_nothing_is_asked_for_while_runs_are_at_work(project, ticks):
    run = project.instance.create_run_for_job(
        project.definitions.resolve_implicit_global_asset_job_def(),
        status=dg.DagsterRunStatus.STARTED,
    )
    assert ticks.tick() == []
    assert "at work" in ticks.message
    project.instance.report_run_failed(run)
    assert len(ticks.tick()) == 1


@pytest.mark.slow
@pytest.mark.usefixtures("tables_only")
def test_a_bad_zip_is_shown_as_a_failed_check_once_and_holds_up_no_other(project, ticks):
    (project.root / "data_2014.zip").write_bytes(b"PK\x03\x04 cut short")
    age(project.root)
    (request,) = ticks.tick()
    assert span(request) == (Q2, Q3)
    (event,) = ticks.events
    assert (event.asset_key.to_user_string(), event.check_name) == ("raw_quarter", "zips_readable")
    assert not event.passed
    assert "data_2014.zip" in (event.description or "")
    ticks.run(request)
    while requests := ticks.tick():
        for request in requests:
            ticks.run(request)
        assert ticks.events == []
    assert "data_2014.zip is not a whole zip file" in ticks.message
    # A whole zip in its place makes the check pass.
    (project.root / "data_2014.zip").unlink()
    assert ticks.tick() == []
    (event,) = ticks.events
    assert event.passed
    assert "data_2014.zip" not in ticks.message


@pytest.mark.slow
@pytest.mark.usefixtures("tables_only")
def test_a_failed_import_is_not_asked_for_again_until_its_zip_changes(project, ticks):
    path = project.root / "data_2014.zip"
    write_fleet(project.root, date(2014, 1, 1), date(2014, 1, 1))
    spoil(path, date(2014, 1, 1))
    age(project.root)
    seen = ticks.settle()
    assert seen[0] == QUARTERLY
    # What of that run was recorded is judged, and everything is made from it but for that zip.
    assert set(project.status("afr_table").values()) == {Status.UP_TO_DATE, Status.MISSING}
    assert project.status("afr_table")["2014-01-01"] is Status.MISSING
    assert "raw_quarter" in ticks.message
    assert "could not be made" in ticks.message
    asked = len(ticks.keys)
    ticks.cursor = None
    assert ticks.settle() == []
    write_fleet(project.root, date(2014, 1, 1), date(2014, 1, 1))
    age(project.root, 30)
    assert "raw_quarter" in ticks.settle()[0]
    assert len(ticks.keys) > asked
    assert set(project.status("report").values()) == {Status.UP_TO_DATE}


def test_what_a_person_has_terminated_is_not_asked_for_again(project, ticks):
    (request,) = ticks.tick()
    run = project.instance.create_run_for_job(
        project.definitions.resolve_implicit_global_asset_job_def(),
        asset_selection={dg.AssetKey("raw_quarter")},
        tags=dict(request.tags),
        status=dg.DagsterRunStatus.STARTED,
    )
    project.instance.report_run_canceled(run)
    assert ticks.tick() == []
    assert "could not be made" in ticks.message
    repack(project.root / "data_2013.zip", changed_day="2013-07-02")
    age(project.root, 30)
    (again,) = ticks.tick()
    assert again.run_key != request.run_key


def test_the_same_content_downloaded_again_leads_to_nothing(settled, ticks):
    repack(settled.root / "data_2013.zip")
    age(settled.root)
    assert ticks.tick() == []
    assert ticks.message == "Everything is up to date."


def test_of_changed_content_only_the_changed_quarter_is_asked_for(settled, ticks):
    repack(settled.root / "data_2013.zip", changed_day="2013-07-02")
    age(settled.root)
    (request,) = ticks.tick()
    assert span(request) == (Q3, Q3)


@pytest.mark.slow
def test_what_was_not_checked_is_judged_in_a_run_of_checks_over_its_range(project, ticks):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checking, "_result", _killed)
        assert not project.run("raw_quarter", first=Q2, last=Q3).success
    (request,) = ticks.tick()
    assert request.asset_selection == []
    judged = [key.name for key in request.asset_check_keys or []]
    assert judged == [check.__name__ for check in raw_quarter.CHECKS]
    assert span(request) == (Q2, Q3)
    result = ticks.run(request)
    assert result.success
    assert made(result) == []
    assert set(project.status("raw_quarter").values()) == {Status.UP_TO_DATE}
    assert sorted(it for found in ticks.tick() for it in names(found)) == [
        *sorted({"daily_stats", *QUARTERLY} - {"raw_quarter"})
    ]


def _killed(*_: object) -> dg.AssetCheckResult:
    raise SystemError("as if the process had been killed")


@pytest.mark.slow
def test_what_a_check_refuses_is_left_to_a_person_and_holds_up_nothing_else(project, ticks):
    project.update("raw_quarter")
    lose_a_row(project.file(f"raw_quarter/{Q2}/{FIRST}.parquet"))
    project.check("raw_quarter", "rows_accounted_for")
    (request,) = ticks.tick()
    assert (names(request), span(request)) == (["daily_stats"], ("2013-07-01", "2013-07-06"))
    ticks.run(request)
    assert ticks.tick() == []
    assert f"raw_quarter {Q2} is refused by a check" in ticks.message
    project.file(f"raw_quarter/{Q2}/{FIRST}.parquet").unlink()
    (request,) = ticks.tick()
    assert ("raw_quarter" in names(request), span(request)) == (True, (Q2, Q2))


def test_an_empty_folder_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(keep_up_to_date, "_is_edited", lambda _: False)
    with new_project(tmp_path / "data") as project:
        ticks = Ticks(project)
        assert ticks.tick() == []
        assert "no zips" in ticks.message
        assert str(project.root) in ticks.message
        assert ticks.events == []


@pytest.mark.slow
@pytest.mark.usefixtures("tables_only")
def test_data_beyond_the_partitions_shown_are_asked_for_and_a_person_is_told(
    settled, ticks, monkeypatch
):
    write_fleet(settled.root, date(2014, 1, 1), date(2014, 1, 2))
    age(settled.root)
    asked = []
    monkeypatch.setattr(keep_up_to_date, "reload_definitions", lambda *_: bool(asked.append(1)))
    (request,) = ticks.tick()
    assert span(request) == ("2014-01-01", "2014-01-01")
    assert not asked, "the runs are not kept waiting"
    run = settled.instance.create_run_for_job(
        settled.definitions.resolve_implicit_global_asset_job_def(),
        status=dg.DagsterRunStatus.STARTED,
    )
    for _ in range(2):
        assert ticks.tick() == []
        assert len(asked) == 1, "it is tried once while runs are at work"
    settled.instance.report_run_canceled(run)
    ticks.run(request)
    ticks.settle()
    assert len(asked) == 2
    assert "beyond the partitions shown" in ticks.message  # nobody answers at the port
    assert "Reload" in ticks.message
    assert "BACKBLAZE_PORT" in ticks.message
    ticks.load()  # as a person does who clicks
    assert ticks.tick() == []
    assert ticks.message == "Everything is up to date."


def test_code_that_has_been_edited_is_to_be_loaded_before_anything_is_asked_for(ticks, monkeypatch):
    monkeypatch.setattr(keep_up_to_date, "_is_edited", lambda _: True)
    assert ticks.tick() == []
    assert "The code has been edited" in ticks.message
    assert "Reload" in ticks.message
    monkeypatch.setattr(keep_up_to_date, "_is_edited", lambda _: False)
    ticks.load()
    assert len(ticks.tick()) == 1


def test_code_counts_as_edited_once_a_module_is_newer_than_the_process(tmp_path, monkeypatch):
    monkeypatch.setattr(keep_up_to_date, "PACKAGE", tmp_path)
    (tmp_path / "assets").mkdir()
    (tmp_path / "assets" / "movie.py").write_text("", "utf-8")
    assert not keep_up_to_date._is_edited(time.time() + 1)
    assert keep_up_to_date._is_edited(time.time() - 60)


def test_where_nobody_answers_the_definitions_are_not_loaded_anew():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    assert not reload_definitions(port, "backblaze_assets.definitions")


def test_the_sensor_is_on_from_the_start_and_the_schedules_are_not(project):
    repository = project.definitions.get_repository_def()
    sensor = repository.get_sensor_def("keep_up_to_date")
    assert sensor.default_status is dg.DefaultSensorStatus.RUNNING
    assert {
        schedule.name: schedule.default_status.value for schedule in repository.schedule_defs
    } == {
        "fill_by_night": "STOPPED",
        "look_for_new_quarters": "STOPPED",
    }


@pytest.mark.usefixtures("ticks")  # for the code that may be edited
def test_every_request_can_be_run_as_the_daemon_does(project):
    """Dagster resolves a request against the sensor's targets before it makes a run of it."""
    repository = project.definitions.get_repository_def()
    context = dg.build_sensor_context(project.instance, repository_def=repository)
    data = repository.get_sensor_def("keep_up_to_date").evaluate_tick(context)
    (request,) = data.run_requests
    assert names(request) == QUARTERLY
    assert json.loads(data.cursor)["seen"]


@pytest.mark.slow
def test_a_zip_that_comes_into_a_store_is_noticed(tmp_path, monkeypatch):
    pytest.importorskip("obstore")
    monkeypatch.setattr(keep_up_to_date, "_is_edited", lambda _: False)
    there = tmp_path / "there"
    there.mkdir()
    with new_project(tmp_path / "here", f"file://{there}") as project:
        ticks = Ticks(project)
        assert ticks.tick() == []
        assert "There are no zips" in ticks.message
        write_fleet(tmp_path / "zips")
        (tmp_path / "zips/data_2013.zip").rename(there / "data_2013.zip")
        (request,) = ticks.tick()
        assert names(request) == QUARTERLY
        assert ticks.run(request).success
        assert (there / f"drive_lifetimes/{Q3}/drives.parquet").is_file()


# Downloads


@pytest.fixture
def host(monkeypatch) -> list[object]:
    """Notes what is asked of the host, which has the zips of 2014 and 2015."""
    asked: list[object] = []

    def published_since(quarter, *, base_url):
        asked.append((quarter, base_url))
        return ["data_2014.zip", "data_2015.zip"]

    def download(zips, folder, *, base_url):
        asked.append((zips, folder, base_url))
        return []

    monkeypatch.setattr(downloading, "published_since", published_since)
    monkeypatch.setattr(downloading, "download", download)
    return asked


def fetch(project: Project) -> str:
    """Look for new quarters once; what the log says of it."""
    job = project.definitions.resolve_job_def("download_new_quarters")
    done = job.execute_in_process(instance=project.instance)
    logged = project.instance.all_logs(done.run_id)
    return "\n".join(entry.user_message for entry in logged if not entry.is_dagster_event)


def test_only_what_is_newer_than_the_newest_zip_is_downloaded(project, host):
    fetch(project)
    assert host == [
        (date(2013, 10, 1), BASE_URL),
        (["data_2014.zip", "data_2015.zip"], project.root, BASE_URL),
    ]


def test_an_empty_folder_is_not_filled_with_years_of_history(project, host):
    (project.root / "data_2013.zip").unlink()
    assert "`backblaze-assets download 2021-Q2` fetches a first one" in fetch(project)
    assert host == []


@pytest.mark.parametrize(("value", "running"), [("", False), ("off", False), ("on", True)])
def test_one_setting_turns_downloads_on(monkeypatch, value, running):
    monkeypatch.setenv("BACKBLAZE_DOWNLOAD", value)
    schedule = schedules.download_schedule(on=Settings.from_environment().download)
    assert (schedule.default_status is dg.DefaultScheduleStatus.RUNNING) == running


@pytest.mark.parametrize(
    "name",
    [
        "BACKBLAZE_DOWNLOAD",
        "BACKBLAZE_PARTITIONS_PER_TICK",
        "BACKBLAZE_PORT",
        "BACKBLAZE_VIEWER_PORT",
    ],
)
@pytest.mark.parametrize("value", ["yes", "-1", "0"])
def test_settings_that_mean_nothing_are_refused(monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    with pytest.raises(DataError, match=name):
        Settings.from_environment()


def test_downloads_are_retried_with_growing_pauses():
    policy = schedules.fetch_new_quarters.retry_policy
    assert policy.backoff is dg.Backoff.EXPONENTIAL
    assert policy.max_retries >= 3


# By night


@pytest.fixture
def stored(project: Project) -> Iterator[Project]:
    """A project on an instance that is kept in files, which schedules insist on."""
    with kept_project(project.root) as project:
        yield project


def by_night(project: Project, limit: int = 1000, night: int = 2) -> list[dg.RunRequest]:
    """What one tick asks for."""
    when = datetime(2026, 1, night, 0, 15, tzinfo=UTC)
    context = dg.build_schedule_context(project.instance, scheduled_execution_time=when)
    found = schedules.nightly_schedule(project.data, limit)(context)
    return [] if isinstance(found, dg.SkipReason) else found


@pytest.mark.slow
@pytest.mark.usefixtures("tables_only")
def test_the_night_asks_for_ranges_in_order_and_in_bounded_steps(stored):
    seen = []
    ticks = Ticks(stored)
    for _ in range(9):
        requests = by_night(stored, limit=6)
        seen.append([(names(request), *span(request)) for request in requests])
        if not requests:
            break
        for request in requests:
            ticks.run(request)
    assert seen == [
        [(QUARTERLY, Q2, Q3)],
        [(["daily_stats"], "2013-06-25", "2013-06-30")],
        [(["daily_stats"], "2013-07-01", "2013-07-06")],
        [(["afr_table", "report"], Q2, Q3)],
        [],
    ]


@pytest.mark.slow
def test_a_step_of_the_night_is_smaller_than_what_there_is_to_do(stored):
    (request,) = by_night(stored, limit=1)
    assert span(request) == (Q2, Q2)


def test_the_night_leaves_runs_alone_that_are_at_work(stored):
    assert by_night(stored)
    stored.instance.create_run_for_job(
        stored.definitions.resolve_job_def("download_new_quarters"),
        status=dg.DagsterRunStatus.STARTED,
    )
    assert by_night(stored) == []


@pytest.mark.slow
def test_what_has_failed_is_tried_again_the_next_night_and_not_before(stored):
    (request,) = by_night(stored)
    run = stored.instance.create_run_for_job(
        stored.definitions.resolve_implicit_global_asset_job_def(),
        tags=dict(request.tags),
        status=dg.DagsterRunStatus.STARTED,
    )
    stored.instance.report_run_failed(run)
    assert by_night(stored) == []
    (again,) = by_night(stored, night=3)
    assert (names(again), span(again)) == (QUARTERLY, (Q2, Q3))


@pytest.mark.slow
def test_the_night_makes_nothing_from_what_a_check_refuses(stored):
    stored.update("raw_quarter")
    lose_a_row(stored.file(f"raw_quarter/{Q2}/{FIRST}.parquet"))
    stored.check("raw_quarter", "rows_accounted_for")
    (request,) = by_night(stored)
    assert (names(request), *span(request)) == (["daily_stats"], "2013-07-01", "2013-07-06")
    Ticks(stored).run(request)
    assert by_night(stored) == []
