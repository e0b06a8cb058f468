"""Automation: what the sensors and schedules ask for, evaluated against a temporary instance."""

import math
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import dagster as dg
import polars as pl
import pyarrow.parquet as pq
import pytest
from backblaze_assets.automation.following import ATTEMPTS, FOLLOWING
from backblaze_assets.automation.new_zips import new_zips_sensor
from dagster._core.errors import DagsterAssetCheckFailedError

from backblaze_assets.automation import following, schedules
from backblaze_assets.drive_stats.archive import BASE_URL
from backblaze_assets.errors import DataError
from backblaze_assets.resources import Data
from backblaze_assets.settings import Settings
from backblaze_assets_tests.conftest import Project, write_fleet
from backblaze_assets_tests.repack import repack

Q2, Q3 = "2013-04-01", "2013-07-01"
START, END = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"


# New zips


class Looks:
    """The sensor `new_zips`, tick after tick."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._cursor: str | None = None
        self.message = ""

    def look(self) -> list[dg.RunRequest]:
        """One tick; what it asks for."""
        context = dg.build_sensor_context(instance=self._project.instance, cursor=self._cursor)
        result = new_zips_sensor(self._project.data)(context)
        assert isinstance(result, dg.SensorResult)
        self._cursor = result.cursor
        self.message = result.skip_reason.skip_message if result.skip_reason else ""
        return list(result.run_requests or [])


@pytest.fixture
def looks(project: Project) -> Looks:
    return Looks(project)


def ranges(requests: list[dg.RunRequest]) -> list[tuple[str, str]]:
    return [(request.tags[START], request.tags[END]) for request in requests]


def test_a_zip_is_asked_for_once_it_has_been_seen_twice_and_is_the_same(looks):
    assert looks.look() == []
    assert "data_2013.zip is new or still being written" in looks.message
    (request,) = looks.look()
    assert ranges([request]) == [(Q2, Q3)]  # one run for an annual zip
    assert [again.run_key for again in looks.look()] == [request.run_key]  # so it is not run again


def test_a_zip_that_is_being_copied_is_left_alone(project, looks):
    path = project.root / "data_2013.zip"
    whole = path.read_bytes()
    for part in (len(whole) // 3, len(whole) // 2, len(whole)):
        path.write_bytes(whole[:part])
        assert looks.look() == []
        assert "still being written" in looks.message
    assert len(looks.look()) == 1


def test_a_zip_that_cannot_be_read_is_named_and_blocks_no_other(project, looks):
    (project.root / "data_2014.zip").write_bytes(b"PK\x03\x04 cut short")
    looks.look()
    assert ranges(looks.look()) == [(Q2, Q3)]
    project.materialize("raw_quarter", Q2, Q3)
    assert looks.look() == []
    assert "data_2014.zip is not a whole zip file" in looks.message


def test_the_same_content_downloaded_again_leads_to_nothing(project, looks):
    project.materialize("raw_quarter", Q2, Q3)
    repack(project.root / "data_2013.zip")
    looks.look()
    assert looks.look() == []
    assert looks.message.startswith("All zips are imported")


def test_of_changed_content_only_the_changed_quarter_is_asked_for(project, looks):
    looks.look()
    (first,) = looks.look()
    project.materialize("raw_quarter", Q2, Q3)
    repack(project.root / "data_2013.zip", changed_day="2013-07-02")
    assert looks.look() == []
    (request,) = looks.look()
    assert ranges([request]) == [(Q3, Q3)]
    assert request.run_key != first.run_key


def test_each_zip_has_a_run_of_its_own(project, looks):
    write_fleet(project.root, date(2014, 1, 1), date(2014, 1, 2))
    looks.look()
    assert ranges(looks.look()) == [(Q2, Q3), ("2014-01-01", "2014-01-01")]


def test_a_zip_that_is_being_imported_by_someone_else_is_left_alone(project, looks):
    looks.look()
    project.instance.create_run_for_job(
        project.definitions.resolve_implicit_global_asset_job_def(),
        asset_selection={dg.AssetKey("raw_quarter")},
        tags={START: Q2, END: Q2},
        status=dg.DagsterRunStatus.STARTED,
    )
    assert ranges(looks.look()) == [(Q3, Q3)]


def test_deleted_raw_files_are_asked_for_again(project, looks):
    looks.look()
    (first,) = looks.look()
    project.materialize("raw_quarter", Q2, Q3)
    assert looks.look() == []
    next(project.folder.raw_quarter(date(2013, 7, 1)).glob("*.parquet")).unlink()
    (again,) = looks.look()
    assert ranges([again]) == [(Q3, Q3)]
    project.materialize("raw_quarter", Q3)
    next(project.folder.raw_quarter(date(2013, 7, 1)).glob("*.parquet")).unlink()
    (third,) = looks.look()
    assert len({request.run_key for request in (first, again, third)}) == 3


# Following


class Ticks:
    """The condition of all assets, evaluated tick after tick."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self._cursor: dg.AssetDaemonCursor | None = None

    def tick(self) -> dict[str, list[str]]:
        """The partitions that are asked for, by asset; [""] where there are none."""
        result = dg.evaluate_automation_conditions(
            self.project.definitions,
            self.project.instance,
            asset_selection=dg.AssetSelection.assets(*FOLLOWING).without_checks(),
            cursor=self._cursor,
        )
        self._cursor = result.cursor
        found = {name: result.get_requested_partitions(dg.AssetKey(name)) for name in FOLLOWING}
        return {name: sorted(key or "" for key in keys) for name, keys in found.items() if keys}

    def run(self, asked: dict[str, list[str]]) -> None:
        """Do what has been asked for."""
        for asset, keys in asked.items():
            self.project.materialize(asset, keys[0] or None, keys[-1] or None)


@pytest.fixture
def ticks(project: Project, monkeypatch) -> Ticks:
    monkeypatch.setattr(following, "LOADED", math.inf)  # the code may be edited during the tests
    return Ticks(project)


def test_everything_follows_an_import_each_asset_once_and_then_nothing_more(project, ticks):
    assert ticks.tick() == {}  # what is not imported is not this sensor's
    project.materialize("raw_quarter", Q2, Q3)
    order = []
    while asked := ticks.tick():
        order.append({asset: len(keys) for asset, keys in asked.items()})
        ticks.run(asked)
    assert order == [
        {"daily_stats": 12, "drive_lifetimes": 2},
        {"afr_table": 2, "film_layout": 1},
        {"frames": 12},
        {"movie_clip": 2},
        {"movie": 1},
    ]
    assert project.folder.movie.exists()
    assert ticks.tick() == {}
    assert project.update() == []  # the command line agrees


def test_what_is_asked_for_waits_until_everything_above_it_is_done(project, ticks):
    write_fleet(project.root, date(2014, 1, 1), date(2014, 1, 2))
    project.materialize("raw_quarter", Q2, Q3)
    assert ticks.tick() == {}  # the zip of 2014 is still to be imported
    project.materialize("raw_quarter", "2014-01-01")
    assert {asset: len(keys) for asset, keys in ticks.tick().items()} == {
        "daily_stats": 14,
        "drive_lifetimes": 3,
    }


def test_what_has_failed_is_asked_for_again_only_when_something_has_changed(project, ticks):
    project.materialize("raw_quarter", Q2, Q3)
    assert len(ticks.tick()["daily_stats"]) == 12
    (project.folder.raw_quarter(date(2013, 7, 1)) / "2013-07-02.parquet").write_bytes(b"broken")
    with pytest.raises(pl.exceptions.ComputeError):
        project.materialize("daily_stats", "2013-06-25", "2013-07-06")
    assert "daily_stats" not in ticks.tick()
    repack(project.root / "data_2013.zip", changed_day="2013-07-02")
    project.materialize("raw_quarter", Q3)
    assert ticks.tick()["daily_stats"] == ["2013-07-02"]


def test_what_was_cancelled_is_asked_for_three_times_at_most(project, ticks):
    project.materialize("raw_quarter", Q2, Q3)
    asked = [ticks.tick() for _ in range(ATTEMPTS + 2)]
    assert asked[:ATTEMPTS] == [asked[0]] * ATTEMPTS
    assert asked[ATTEMPTS:] == [{}, {}]


def test_a_failed_import_does_not_hold_up_what_has_been_imported(project, ticks):
    write_fleet(project.root, date(2014, 1, 1), date(2014, 1, 2))
    path = project.root / "data_2014.zip"
    content = bytearray(path.read_bytes())
    content[200] ^= 0xFF  # inside of a compressed day; the directory stays readable
    path.write_bytes(content)
    project.materialize("raw_quarter", Q2, Q3)
    with pytest.raises(dg.Failure):
        project.materialize("raw_quarter", "2014-01-01")
    assert set(ticks.tick()) == {"daily_stats", "drive_lifetimes"}


def test_what_a_check_refuses_is_left_to_a_person_and_holds_up_nothing_else(project, ticks):
    project.materialize("raw_quarter", Q2, Q3)
    refuse(project, Q2)
    assert ticks.tick() == {"daily_stats": [f"2013-07-0{day}" for day in range(1, 7)]}
    for path in project.folder.raw_quarter(date(2013, 4, 1)).glob("*.parquet"):
        path.unlink()
    project.materialize("raw_quarter", Q2)
    assert {asset: len(keys) for asset, keys in ticks.tick().items()} == {
        "daily_stats": 12,
        "drive_lifetimes": 2,
    }


def refuse(project: Project, quarter: str) -> None:
    """Have a quarter of raw rows refused by its check, as a row is lost, in a run over two."""
    path = next(project.folder.raw_quarter(date.fromisoformat(quarter)).glob("*.parquet"))
    table = pq.read_table(path)
    pq.write_table(table.slice(0, table.num_rows - 1), path)
    with pytest.raises(DagsterAssetCheckFailedError):
        project.materialize("raw_quarter", Q2, Q3)


def test_nothing_is_asked_for_by_code_that_has_been_edited_since(project, ticks, monkeypatch):
    project.materialize("raw_quarter", Q2, Q3)
    monkeypatch.setattr(following, "LOADED", 0.0)
    assert ticks.tick() == {}
    monkeypatch.setattr(following, "LOADED", math.inf)
    assert set(ticks.tick()) == {"daily_stats", "drive_lifetimes"}


def test_the_folder_is_looked_at_once_a_tick(ticks, monkeypatch):
    calls = []
    lineage = Data.lineage

    def counted(*args):
        calls.append(args)
        return lineage(*args)

    monkeypatch.setattr(Data, "lineage", counted)
    ticks.tick()
    assert len(calls) == 1


@pytest.mark.filterwarnings("ignore:Function `AssetSelection.keys`")  # Dagster's own use of it
def test_many_partitions_are_asked_for_as_one_backfill(project, monkeypatch):
    monkeypatch.setattr(following, "LOADED", math.inf)
    project.materialize("raw_quarter", Q2, Q3)
    repository = project.definitions.get_repository_def()
    sensor = repository.get_sensor_def("follow_inputs")
    assert sensor.default_status is dg.DefaultSensorStatus.RUNNING
    context = dg.build_sensor_context(instance=project.instance, repository_def=repository)
    (request,) = sensor.evaluate_tick(context).run_requests
    assert request.asset_graph_subset.num_partitions_and_non_partitioned_assets == 12 + 2


# Downloads


@pytest.fixture
def host(monkeypatch) -> list[object]:
    """Notes what is asked of the host, which has the zips of 2014 and 2015."""
    asked: list[object] = []

    def published_since(quarter, *, base_url):
        asked.append((quarter, base_url))
        return ["data_2014.zip", "data_2015.zip"]

    def download(names, folder, *, base_url):
        asked.append((names, folder, base_url))
        return []

    monkeypatch.setattr(schedules, "published_since", published_since)
    monkeypatch.setattr(schedules, "download", download)
    return asked


def fetch(project: Project) -> None:
    job = project.definitions.resolve_job_def("download_new_quarters")
    job.execute_in_process(instance=project.instance)


def test_only_what_is_newer_than_the_newest_zip_is_downloaded(project, host):
    fetch(project)
    assert host == [
        (date(2014, 1, 1), BASE_URL),
        (["data_2014.zip", "data_2015.zip"], project.root, BASE_URL),
    ]


def test_an_empty_folder_is_not_filled_with_years_of_history(project, host):
    (project.root / "data_2013.zip").unlink()
    fetch(project)
    assert host == []


@pytest.mark.parametrize(("value", "running"), [("", False), ("off", False), ("on", True)])
def test_one_setting_turns_downloads_on(monkeypatch, value, running):
    monkeypatch.setenv("BACKBLAZE_DOWNLOAD", value)
    settings = Settings.from_environment()
    schedule = schedules.download_schedule(on=settings.download)
    assert (schedule.default_status is dg.DefaultScheduleStatus.RUNNING) == running


@pytest.mark.parametrize("name", ["BACKBLAZE_DOWNLOAD", "BACKBLAZE_PARTITIONS_PER_TICK"])
@pytest.mark.parametrize("value", ["yes", "-1", "0"])
def test_settings_that_mean_nothing_are_refused(monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    with pytest.raises(DataError, match=name):
        Settings.from_environment()


def test_downloads_are_retried_with_growing_pauses():
    policy = schedules.fetch_new_quarters.retry_policy
    assert policy.backoff is dg.Backoff.EXPONENTIAL
    assert policy.max_retries >= 3
    assert schedules.fetch_new_quarters.pool == "download"


# By night


@pytest.fixture
def stored(project: Project, tmp_path: Path) -> Iterator[Project]:
    """A project on an instance that is kept in files, which schedules insist on."""
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        yield Project(project.root, instance)


def by_night(project: Project, limit: int = 1000) -> list[tuple[str, str, str]]:
    """What one tick asks for: asset, first and last partition."""
    when = datetime(2026, 1, 2, 0, 15, tzinfo=UTC)
    context = dg.build_schedule_context(project.instance, scheduled_execution_time=when)
    found = schedules.nightly_schedule(project.data, limit)(context)
    if isinstance(found, dg.SkipReason):
        return []
    return [
        (
            request.asset_selection[0].to_user_string(),
            request.tags.get(START, ""),
            request.tags.get(END, ""),
        )
        for request in found
    ]


def test_the_night_asks_for_ranges_in_order_and_in_bounded_steps(stored):
    seen = [by_night(stored, limit=6)]
    for _ in range(3):
        for asset, first, last in seen[-1]:
            stored.materialize(asset, first, last)
        seen.append(by_night(stored, limit=6))
    assert seen == [
        [("raw_quarter", Q2, Q3)],
        [("daily_stats", "2013-06-25", "2013-06-30")],
        [("daily_stats", "2013-07-01", "2013-07-06")],
        [("drive_lifetimes", Q2, Q3)],
    ]


def test_the_night_leaves_runs_alone_that_are_at_work(stored):
    assert by_night(stored)
    stored.instance.create_run_for_job(
        stored.definitions.resolve_job_def("download_new_quarters"),
        status=dg.DagsterRunStatus.STARTED,
    )
    assert by_night(stored) == []


def test_the_night_makes_nothing_from_what_a_check_refuses(stored):
    stored.materialize("raw_quarter", Q2, Q3)
    refuse(stored, Q2)
    assert by_night(stored) == [("daily_stats", "2013-07-01", "2013-07-06")]
    stored.materialize("daily_stats", "2013-07-01", "2013-07-06")
    assert by_night(stored) == []
