"""One instance for every command, found by environment, settings and current folder."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest
import yaml
from click.testing import CliRunner
from dagster._cli import cli
from dagster._core.events import DagsterEvent, EngineEventData
from dagster._core.instance.ref import InstanceRef
from dotenv import dotenv_values

from backblaze_assets import dagster_cli
from backblaze_assets.errors import DataError
from backblaze_assets.instance.event_log import BatchedEventLog
from backblaze_assets.instance.opening import SETTINGS, environment, home, open_instance
from backblaze_assets.instance.run_launcher import LocalRunLauncher, fail_dead_runs
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


@pytest.fixture
def checkout() -> Path:
    """The current folder with the files of a checkout that Dagster reads."""
    for name in ("dagster.yaml", ".env"):
        shutil.copy(REPOSITORY / name, name)
    return Path.cwd()


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
    assert home(tmp_path / "data") == theirs
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


def test_settings_of_the_current_folder_are_used(tmp_path: Path) -> None:
    ours = SETTINGS.read_text(encoding="utf-8")
    changed = ours.replace("max_concurrent_runs: 2", "max_concurrent_runs: 5")
    Path("dagster.yaml").write_text(changed, encoding="utf-8")
    with open_instance(tmp_path / "data") as instance:
        assert instance.get_concurrency_config().run_queue_config.max_concurrent_runs == 5
    Path("dagster.yaml").unlink()
    with open_instance(tmp_path / "data") as instance:
        assert instance.get_concurrency_config().run_queue_config.max_concurrent_runs == 2


@needs_checkout
def test_package_carries_the_settings_of_the_repository() -> None:
    assert SETTINGS.read_bytes() == (REPOSITORY / "dagster.yaml").read_bytes()


@needs_checkout
def test_environment_comes_before_the_env_file(monkeypatch: pytest.MonkeyPatch) -> None:
    values = dotenv_values(REPOSITORY / ".env")
    assert values["BACKBLAZE_INSTANCE"] == "data/dagster"
    assert values["DAGSTER_EVENT_BATCH_SIZE"] == "1000"
    monkeypatch.setenv("BACKBLAZE_DATA", "/else where")
    monkeypatch.setenv("DAGSTER_EVENT_BATCH_SIZE", "10")
    values = dotenv_values(REPOSITORY / ".env")
    assert values["BACKBLAZE_INSTANCE"] == "/else where/dagster"
    assert values["BACKBLAZE_LOGS"] == "/else where/dagster/storage"
    assert values["DAGSTER_EVENT_BATCH_SIZE"] == "10"


@needs_checkout
@pytest.mark.usefixtures("checkout")
def test_env_file_sets_what_the_settings_ask_for() -> None:
    """Both ways to the settings, by `.env` and by `environment`, lead to the same paths."""
    asked = {
        item["env"]
        for item in _mappings(yaml.safe_load(Path("dagster.yaml").read_text()))
        if "env" in item
    }
    assert asked <= set(dotenv_values(".env"))
    written = Path(environment(Path("data"))["DAGSTER_HOME"], "dagster.yaml")
    assert not any("env" in item for item in _mappings(yaml.safe_load(written.read_text())))
    assert InstanceRef.from_dir(str(written.parent)).settings["nux"] == {"enabled": False}


@needs_checkout
def test_dagster_asset_materialize_needs_no_flags(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dagster_cli, "DEFINITIONS", __name__)
    result = CliRunner().invoke(cli, ["asset", "materialize", "--select", "trivial"])
    assert result.exit_code == 0, result.output
    with open_instance(checkout / "data") as instance:
        assert len(instance.get_runs()) == 1
    assert not list(checkout.glob(".tmp_dagster_home_*"))


@pytest.fixture
def gone() -> int:
    """The id of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_dead_runs_are_ended_and_free_their_pool(tmp_path: Path, gone: int) -> None:
    with open_instance(tmp_path / "data") as instance:
        dead, alive = (started_run(instance, pid) for pid in (gone, os.getpid()))
        log = instance.event_log_storage
        log.initialize_concurrency_limit_to_default("render")
        assert log.claim_concurrency_slot("render", dead, "step").is_claimed
        assert not log.claim_concurrency_slot("render", alive, "step").is_claimed
        assert fail_dead_runs(instance) == [dead]
        assert log.claim_concurrency_slot("render", alive, "step").is_claimed
        statuses = [instance.get_run_by_id(run_id) for run_id in (dead, alive)]
        assert [run.status for run in statuses if run] == [
            dg.DagsterRunStatus.FAILURE,
            dg.DagsterRunStatus.STARTED,
        ]
        assert fail_dead_runs(instance) == []


def test_runs_of_another_launcher_are_left_alone(gone: int) -> None:
    with dg.instance_for_test() as instance:
        started_run(instance, gone)
        assert fail_dead_runs(instance) == []


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


defs = dg.Definitions([trivial])
