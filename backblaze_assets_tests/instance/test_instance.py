"""One instance for every command, found by environment, settings and current folder."""

import os
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest
import yaml
from dagster._core.events import DagsterEvent, EngineEventData
from dagster._core.launcher import WorkerStatus
from dotenv import dotenv_values

from backblaze_assets.errors import DataError
from backblaze_assets.files.atomic import this_process
from backblaze_assets.instance import opening
from backblaze_assets.instance.event_log import BatchedEventLog
from backblaze_assets.instance.opening import (
    environment,
    look_at_instance,
    open_instance,
    settings_file,
)
from backblaze_assets.instance.records import latest_materializations
from backblaze_assets.instance.run_launcher import COMMAND, LocalRunLauncher, fail_dead_runs
from backblaze_assets.settings import instance_home
from backblaze_assets_tests.project import NOBODYS_PROCESS
from backblaze_assets_tests.real_data import REPOSITORY

pytestmark = [
    pytest.mark.filterwarnings("ignore::dagster.BetaWarning"),
    pytest.mark.filterwarnings("ignore::dagster.SupersessionWarning"),
]
needs_checkout = pytest.mark.skipif(
    not (REPOSITORY / "dagster.yaml").is_file(), reason="the tests are not run in a checkout"
)


@pytest.fixture(autouse=True)
def bare_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A current folder with nothing in it, and none of the variables that are asked for."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    for name in ("DAGSTER_HOME", "DAGSTER_EVENT_BATCH_SIZE", "DAGSTER_MODULE_NAME"):
        monkeypatch.setenv(name, "")  # so that it is put back as it was
        monkeypatch.delenv(name)
    monkeypatch.delenv("BACKBLAZE_DATA", raising=False)


def test_instance_lies_in_the_data_folder(tmp_path: Path) -> None:
    with open_instance(tmp_path / "data") as instance:
        assert type(instance.event_log_storage) is BatchedEventLog
        assert type(instance.run_launcher) is LocalRunLauncher
        assert not instance.telemetry_enabled
        assert instance.run_monitoring_enabled
        assert instance.storage_directory() == str(tmp_path / "data/dagster/storage")
    assert (tmp_path / "data/dagster/history/runs/index.db").is_file()
    assert os.environ["DAGSTER_EVENT_BATCH_SIZE"] == "1000"
    assert not list(Path.cwd().iterdir())


@pytest.mark.slow
def test_dagsters_own_commands_open_the_same_instance(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "my data"
    for name, value in environment(data).items():
        monkeypatch.setenv(name, value)
    with dg.DagsterInstance.get() as instance:
        run = dg.materialize([trivial], instance=instance)
    monkeypatch.delenv("DAGSTER_HOME")
    with open_instance(data) as instance:
        assert instance.has_run(run.run_id)


def test_users_dagster_home_rules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    (theirs / "dagster.yaml").write_text("telemetry: {enabled: true}\n", encoding="utf-8")
    monkeypatch.setenv("DAGSTER_HOME", str(theirs))
    assert instance_home(tmp_path / "data") == theirs
    assert environment(tmp_path / "data")["DAGSTER_HOME"] == str(theirs)
    assert environment(tmp_path / "data")["PATH"] == os.environ["PATH"]
    with open_instance(tmp_path / "data") as instance:
        assert instance.telemetry_enabled
    assert (theirs / "history" / "runs.db").is_file()
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("value", ["relative", "/no/such/folder"])
def test_unusable_dagster_home_is_explained(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAGSTER_HOME", value)
    with pytest.raises(DataError, match=rf"DAGSTER_HOME is {value}"), open_instance(Path("data")):
        pass


def test_settings_of_the_current_folder_are_not_looked_at(tmp_path: Path) -> None:
    Path("dagster.yaml").write_text("telemetry: {enabled: true}\n", encoding="utf-8")
    for _ in range(2):
        with open_instance(tmp_path / "data") as instance:
            assert type(instance.event_log_storage) is BatchedEventLog
            assert not instance.telemetry_enabled
    written = tmp_path / "data" / "dagster" / "dagster.yaml"
    assert written.read_bytes() == settings_file().read_bytes()


def test_settings_of_an_older_version_are_replaced(tmp_path: Path) -> None:
    written = tmp_path / "data" / "dagster" / "dagster.yaml"
    written.parent.mkdir(parents=True)
    written.write_text("telemetry: {enabled: true}\n", encoding="utf-8")
    with open_instance(tmp_path / "data") as instance:
        assert not instance.telemetry_enabled


def test_looking_makes_nothing(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    with look_at_instance(tmp_path / "data") as instance:
        assert instance.get_runs_count() == 0
    assert not list((tmp_path / "data").iterdir())


@pytest.mark.slow
def test_looking_sees_what_is_recorded_even_from_copies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_instance(tmp_path / "data") as instance:
        run = dg.materialize([trivial], instance=instance)
    for read_only in (False, True):
        monkeypatch.setattr(opening, "is_read_only", lambda _, answer=read_only: answer)
        with look_at_instance(tmp_path / "data") as instance:
            assert [it.run_id for it in instance.get_runs()] == [run.run_id]
            records = latest_materializations(instance, dg.AssetKey("trivial"))
            assert [record.run_id for record in records.values()] == [run.run_id]
            where = Path(str(instance.root_directory))
            assert where.is_relative_to(tmp_path) is not read_only


@needs_checkout
def test_environment_comes_before_the_env_file(monkeypatch: pytest.MonkeyPatch) -> None:
    values = dotenv_values(REPOSITORY / ".env")
    assert values["BACKBLAZE_INSTANCE"] == "data/dagster"
    monkeypatch.setenv("BACKBLAZE_DATA", "/else where")
    values = dotenv_values(REPOSITORY / ".env")
    assert values["BACKBLAZE_INSTANCE"] == "/else where/dagster"
    assert values["BACKBLAZE_LOGS"] == "/else where/dagster/storage"


@needs_checkout
def test_both_ways_set_what_the_settings_ask_for(tmp_path: Path) -> None:
    """Dagster's own commands get the variables from `.env`, ours by `environment`."""
    settings = yaml.safe_load((REPOSITORY / "dagster.yaml").read_text(encoding="utf-8"))
    asked = {str(item["env"]) for item in _mappings(settings) if "env" in item}
    assert asked
    assert asked <= set(dotenv_values(REPOSITORY / ".env"))
    assert asked <= set(environment(tmp_path / "data"))


@pytest.fixture
def gone() -> int:
    """The id of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_dead_runs_are_ended(tmp_path: Path, gone: int) -> None:
    with open_instance(tmp_path / "data") as instance:
        dead, alive = (started_run(instance, pid) for pid in (gone, os.getpid()))
        assert fail_dead_runs(instance) == [dead]
        statuses = [instance.get_run_by_id(run_id) for run_id in (dead, alive)]
        assert [run.status for run in statuses if run] == [
            dg.DagsterRunStatus.FAILURE,
            dg.DagsterRunStatus.STARTED,
        ]
        assert fail_dead_runs(instance) == []


@pytest.mark.slow
def test_opening_the_instance_ends_dead_runs(tmp_path: Path, gone: int) -> None:
    with open_instance(tmp_path / "data") as instance:
        dead = started_run(instance, gone)
    with open_instance(tmp_path / "data") as instance:
        run = instance.get_run_by_id(dead)
        assert run is not None
        assert run.status is dg.DagsterRunStatus.FAILURE


def test_run_monitoring_learns_whether_the_process_is_there(tmp_path: Path, gone: int) -> None:
    with open_instance(tmp_path / "data") as instance:
        launcher = instance.run_launcher
        assert launcher.supports_check_run_worker_health
        health = []
        for pid in (gone, os.getpid()):
            run = instance.get_run_by_id(started_run(instance, pid))
            assert run is not None
            health.append(launcher.check_run_worker_health(run).status)
    assert health == [WorkerStatus.FAILED, WorkerStatus.RUNNING]


@pytest.mark.slow
def test_runs_of_another_launcher_are_left_alone(gone: int) -> None:
    with dg.instance_for_test() as instance:
        other = started_run(instance, gone)
        assert fail_dead_runs(instance) == []
        # Unless a command line of this machine had it.
        machine = this_process().partition("-")[0]
        instance.add_run_tags(other, {COMMAND: f"{machine}-{NOBODYS_PROCESS:x}"})
        assert fail_dead_runs(instance) == [other]


def started_run(instance: dg.DagsterInstance, pid: int) -> str:
    """A run that says that the process `pid` works on it."""
    job = dg.Definitions([trivial]).resolve_implicit_global_asset_job_def()
    run = instance.create_run_for_job(job)
    instance.report_dagster_event(DagsterEvent("PIPELINE_START", job.name), run.run_id)
    data = EngineEventData.in_process(pid)
    instance.report_engine_event("Executing", run, data)
    return run.run_id


def _mappings(value: object) -> list[dict[str, object]]:
    """Every mapping in a YAML document."""
    if isinstance(value, dict):
        return [value, *(found for item in value.values() for found in _mappings(item))]
    return [found for item in value for found in _mappings(item)] if isinstance(value, list) else []


@dg.asset
def trivial() -> None: ...


PASSWORD = {"username": "u", "password": "p", "hostname": "h", "db_name": "d"}
ON_A_SERVER = {
    "no settings of a storage": ({}, False),
    "SQLite of Dagster": ({"storage": {"sqlite": {"base_dir": "/postgres"}}}, False),
    "SQLite of this project": (
        {
            "storage": {
                "custom": {
                    "module": "backblaze_assets.instance.storage",
                    "class": "Storage",
                    "config": {"base_dir": "/postgres"},
                }
            }
        },
        False,
    ),
    "Postgres of Dagster": ({"storage": {"postgres": {"postgres_db": PASSWORD}}}, True),
    "Postgres of this project": (
        {
            "storage": {
                "custom": {
                    "module": "backblaze_assets.instance.postgres_storage",
                    "class": "Storage",
                    "config": {"postgres_url": "postgresql://u:p@h/d"},
                }
            }
        },
        True,
    ),
    "three storages": (
        {
            kind: {
                "module": "dagster_postgres",
                "class": name,
                "config": {"postgres_db": PASSWORD},
            }
            for kind, name in {
                "run_storage": "PostgresRunStorage",
                "event_log_storage": "PostgresEventLogStorage",
                "schedule_storage": "PostgresScheduleStorage",
            }.items()
        },
        True,
    ),
}


@pytest.mark.parametrize("name", ON_A_SERVER)
def test_where_the_records_are_is_told_by_the_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    settings, expected = ON_A_SERVER[name]
    text = "# no postgres here\n" + yaml.safe_dump(settings)
    (tmp_path / "dagster.yaml").write_text(text, encoding="utf-8")
    assert not opening._is_on_a_server(tmp_path)  # whatever lies there is not the user's
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    assert opening._is_on_a_server(tmp_path) is expected
    assert not list(tmp_path.rglob("*.db"))  # and nothing is made by asking
