"""Automation for real: a daemon in a process of its own, kills, and places in pools."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import date
from pathlib import Path

import dagster as dg
import pytest
from backblaze_assets.lineage.rules import RULES, Status

from backblaze_assets.instance.opening import environment, open_instance
from backblaze_assets.resources import Data
from backblaze_assets.settings import Settings
from backblaze_assets_tests.conftest import write_fleet


@contextmanager
def dagster_dev(root: Path, port: int) -> Iterator[None]:
    """`dagster dev` on the data folder `root`, ended as by Ctrl-C.

    Ports should be below 32768: above, asking a port where nobody listens may connect to itself.
    """
    command = [sys.executable, "-m", "dagster", "dev", "-m", "backblaze_assets.definitions"]
    with (root.parent / "dev.log").open("wb") as log:
        process = subprocess.Popen(
            [*command, "--port", str(port)],
            env=environment(root),
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            yield
        finally:
            os.killpg(process.pid, signal.SIGINT)
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)


def wait_until(is_so: Callable[[], bool], seconds: float, pause: float = 2) -> None:
    """Return when `is_so`, asked every `pause` seconds; fail after `seconds`."""
    until = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < until, "it takes too long"
        time.sleep(pause)


def runs_of(instance: dg.DagsterInstance) -> list[str]:
    """The asset of each run, in order of their creation."""
    records = instance.get_run_records(ascending=True)
    return [
        key.to_user_string()
        for record in records
        for key in sorted(record.dagster_run.asset_selection or [])
    ]


def up_to_date(root: Path, instance: dg.DagsterInstance) -> bool:
    """Whether there is a film and everything is up to date."""
    lineage = Data.from_settings(Settings(data=root)).lineage(instance)
    return all(
        lineage.expected(asset)
        and all(lineage.status(asset, key) is Status.UP_TO_DATE for key in lineage.expected(asset))
        for asset in RULES
    )


@pytest.mark.slow
def test_a_zip_that_is_dropped_leads_to_the_film_without_a_click(tmp_path):
    root = tmp_path / "data"
    write_fleet(tmp_path / "elsewhere")
    root.mkdir()
    with dagster_dev(root, port=13417), open_instance(root) as instance:
        wait_until(lambda: bool(instance.get_daemon_statuses()), 120)
        shutil.copy(tmp_path / "elsewhere" / "data_2013.zip", root)
        wait_until(lambda: up_to_date(root, instance), 900)
        time.sleep(100)  # three more ticks, which find nothing to do
        runs = runs_of(instance)
    assert sorted(runs) == sorted(RULES)  # one run per asset
    assert (root / "movie" / "movie.mp4").exists()


@pytest.mark.slow
def test_a_ui_that_a_script_has_started_in_the_background_ends_by_kill(tmp_path):
    # A script's shell lets its background commands ignore Ctrl-C, and Dagster treats both alike.
    program = Path(sys.executable).with_name("backblaze-assets")
    script = '"$0" dev --port 13419 >"$BACKBLAZE_DATA/dev.log" 2>&1 & echo $!; wait $!'
    bare = {name: value for name, value in os.environ.items() if name != "DAGSTER_HOME"}
    with subprocess.Popen(
        ["sh", "-c", script, program],
        env=bare | {"BACKBLAZE_DATA": str(tmp_path)},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as shell:
        assert shell.stdout is not None
        pid = int(shell.stdout.readline())
        try:
            wait_until(lambda: asked("http://127.0.0.1:13419/server_info") is not None, 120)
            os.kill(pid, signal.SIGTERM)
            shell.wait(60)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(shell.pid, signal.SIGKILL)


@pytest.mark.slow
def test_all_assets_and_a_range_selected_in_the_ui_are_one_run_per_asset(tmp_path):
    root = tmp_path / "data"
    write_fleet(root, date(2013, 4, 10), date(2013, 9, 30))
    with dagster_dev(root, port=13418), open_instance(root) as instance:
        selected = {
            "assetSelection": [{"path": [asset]} for asset in RULES],
            "partitionNames": ["2013-04-01", "2013-07-01"],
        }
        wait_until(lambda: launched(13418, selected), 120)
        wait_until(lambda: up_to_date(root, instance), 900)
        runs = runs_of(instance)
        statuses = {run.status for run in instance.get_runs()} - {dg.DagsterRunStatus.STARTED}
    # Automation may import the zip at the same moment, and leaves the rest to the backfill.
    assert sorted(set(runs)) == sorted(RULES)
    assert len(runs) <= len(RULES) + 1
    assert statuses == {dg.DagsterRunStatus.SUCCESS}


def launched(port: int, selected: dict[str, object]) -> bool:
    """Launch a backfill as the UI does; False while nobody listens."""
    mutation = (
        "mutation($p: LaunchBackfillParams!) { launchPartitionBackfill(backfillParams: $p)"
        " { __typename } }"
    )
    body = json.dumps({"query": mutation, "variables": {"p": selected}}).encode()
    headers = {"Content-Type": "application/json"}
    answer = asked(urllib.request.Request(f"http://127.0.0.1:{port}/graphql", body, headers))
    if answer is None:
        return False
    result = json.loads(answer)["data"]["launchPartitionBackfill"]
    assert result == {"__typename": "LaunchBackfillSuccess"}
    return True


def asked(request: urllib.request.Request | str) -> bytes | None:
    """What a server of this machine answers; None while nobody listens."""
    try:
        # Not through a proxy that the environment may name.
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request) as answer:
            return bytes(answer.read())
    except OSError:
        return None


@pytest.mark.slow
def test_a_killed_run_is_gone_on_from_where_it_was(tmp_path):
    root = tmp_path / "data"
    write_fleet(root, date(2013, 4, 10), date(2014, 12, 31))
    days = 631  # so many that the kill comes in time where frames are drawn in a millisecond
    frames = root / "frames"
    command = [sys.executable, "-c", "from backblaze_assets.cli.app import main; main()", "movie"]

    def made() -> dict[Path, int]:
        return {path: path.stat().st_mtime_ns for path in frames.glob("2*.jpg")}

    process = subprocess.Popen(command, env=environment(root), start_new_session=True)
    try:
        wait_until(lambda: len(made()) >= 20, 300, pause=0.01)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    before = made()
    assert 20 <= len(before) < days
    subprocess.run(command, env=environment(root), check=True)
    after = made()
    assert len(after) == days
    assert {path: after[path] for path in before} == before
    with open_instance(root) as instance:
        assert up_to_date(root, instance)


def test_two_runs_do_not_use_one_pool_at_the_same_time(tmp_path):
    done = threading.Event()

    @dg.asset(pool="render")
    def heavy() -> None:
        done.set()

    job = dg.Definitions([heavy], executor=dg.in_process_executor)
    with open_instance(tmp_path) as instance:
        storage = instance.event_log_storage
        storage.initialize_concurrency_limit_to_default("render")
        storage.claim_concurrency_slot("render", "another run", "its step")
        run = threading.Thread(
            target=job.resolve_implicit_global_asset_job_def().execute_in_process,
            kwargs={"instance": instance},
        )
        run.start()
        assert not done.wait(4)
        storage.free_concurrency_slots_for_run("another run")
        assert done.wait(60)
        run.join()


def test_what_is_heavy_has_a_pool(built):
    graph = built.definitions.resolve_asset_graph()
    pools = {asset: graph.get(dg.AssetKey(asset)).pools for asset in RULES}
    assert {asset: set(names) for asset, names in pools.items() if names} == {
        "raw_quarter": {"import"},
        "frames": {"render"},
        "movie_clip": {"encode"},
        "movie": {"encode"},
    }
