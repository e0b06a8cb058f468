"""Automation for real: `dagster dev` with the sensor, a zip that is dropped, kills, its end."""

import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from backblaze_assets.automation.reloading import reload_definitions
from backblaze_assets.graph import GRAPH
from backblaze_assets.instance.opening import open_instance
from backblaze_assets.lineage.status import Status
from backblaze_assets.resources import Data
from backblaze_assets_tests.project import FIRST, LAST, Q2, Q3, write_fleet

LOCATION = "backblaze_assets.definitions"


def free_port() -> int:
    """A port on which nobody listens now.

    Below 32768: above, asking a port where nobody listens may connect to itself.
    """
    for port in random.sample(range(20_000, 32_000), 100):
        with socket.socket() as one, suppress(OSError):
            one.bind(("127.0.0.1", port))
            return port
    raise AssertionError("no port is free")


@dataclass(frozen=True)
class Ui:
    """A UI that has been started on a data folder."""

    root: Path
    port: int

    def answers(self) -> bool:
        return asked(f"http://127.0.0.1:{self.port}/server_info") is not None

    def query(self, query: str, **variables: object) -> dict[str, Any]:
        """The data that GraphQL answers with, as the pages get them."""
        body = json.dumps({"query": query, "variables": variables}).encode()
        headers = {"Content-Type": "application/json"}
        url = f"http://127.0.0.1:{self.port}/graphql"
        answer = asked(urllib.request.Request(url, body, headers))
        assert answer is not None
        return dict(json.loads(answer)["data"])

    def partitions(self, asset: str) -> list[str]:
        """The latest partitions that an asset's page shows, in order."""
        query = """query($key: [AssetKeyInput!]!) { assetNodes(assetKeys: $key) {
            partitionKeyConnection(limit: 120, ascending: false) { results } } }"""
        (node,) = self.query(query, key=[{"path": [asset]}])["assetNodes"]
        return list(reversed(node["partitionKeyConnection"]["results"]))


def asked(request: urllib.request.Request | str) -> bytes | None:
    """What a server of this machine answers; None while nobody listens."""
    try:
        # Not through a proxy that the environment may name.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=60) as answer:
            return bytes(answer.read())
    except OSError:
        return None


def wait_until(is_so: Callable[[], bool], seconds: float, pause: float = 0.5) -> None:
    """Return when `is_so`, asked every `pause` seconds; fail after `seconds`."""
    until = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < until, "it takes too long"
        time.sleep(pause)


@contextmanager
def dev_in_the_background(root: Path) -> Iterator[Ui]:
    """`backblaze-assets dev` on the data folder `root`, as a script starts it, ended by `kill`."""
    # A script's shell lets its background commands ignore Ctrl-C, and Dagster treats both alike.
    program = Path(sys.executable).with_name("backblaze-assets")
    port = free_port()
    script = f'"$0" dev --port {port} >"$BACKBLAZE_DATA/../dev.log" 2>&1 & echo $!; wait $!'
    bare = {name: value for name, value in os.environ.items() if name != "DAGSTER_HOME"}
    with subprocess.Popen(
        ["sh", "-c", script, program],
        env=bare | {"BACKBLAZE_DATA": str(root)},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as shell:
        assert shell.stdout is not None
        pid = int(shell.stdout.readline())
        try:
            ui = Ui(root, port)
            wait_until(ui.answers, 120)
            yield ui
            os.kill(pid, signal.SIGTERM)
            shell.wait(60)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(shell.pid, signal.SIGKILL)


def up_to_date(root: Path, instance: dg.DagsterInstance) -> bool:
    """Whether there is a film, nothing is at work, and everything is up to date."""
    if not (root / "movie" / "movie.mp4").exists() or not all(
        run.is_finished for run in runs(instance)
    ):
        return False  # looking at everything would take the time of those at work
    lineage = Data(root).lineage(instance)
    return all(
        lineage.expected(asset)
        and all(lineage.status(asset, key) is Status.UP_TO_DATE for key in lineage.expected(asset))
        for asset in GRAPH
    )


def runs(instance: dg.DagsterInstance) -> list[dg.DagsterRun]:
    """All runs, in order of their creation."""
    return [record.dagster_run for record in instance.get_run_records(ascending=True)]


@pytest.mark.slow(minutes=3)
def test_from_a_dropped_zip_to_the_film_and_past_a_killed_run_without_a_click(tmp_path):
    """One `dagster dev` for all: starting it takes longest."""
    root, elsewhere = tmp_path / "data", tmp_path / "elsewhere"
    root.mkdir()
    write_fleet(elsewhere)
    write_fleet(elsewhere, date(2014, 1, 1), date(2014, 1, 3))
    days = [str(FIRST.replace(day=day)) for day in range(FIRST.day, 31)]
    days += [str(LAST.replace(day=day)) for day in range(1, LAST.day + 1)]
    with dev_in_the_background(root) as ui, open_instance(root) as instance:
        # With no data, the pages show the published history.
        assert ui.partitions("frames")[-1] > "2025-01-01"
        assert reload_definitions(ui.port, LOCATION)
        assert not reload_definitions(ui.port, "another")

        # A dropped zip.
        shutil.copy(elsewhere / "data_2013.zip", root)
        wait_until(lambda: up_to_date(root, instance), 400, pause=1)
        assert (root / "movie" / "movie.mp4").exists()
        assert {run.status for run in runs(instance)} == {dg.DagsterRunStatus.SUCCESS}
        asked = [key.path[-1] for run in runs(instance) for key in run.asset_selection or ()]
        assert sorted(asked) == sorted(GRAPH), "each asset is asked for once"
        # The pages show the partitions that there are, as the sensor had the definitions reloaded.
        wait_until(lambda: ui.partitions("raw_quarter") == [Q2, Q3], 60)
        assert ui.partitions("frames") == days
        assert ui.partitions("movie_clip") == [Q2, Q3]

        # One more, and a run of it that is killed.
        shutil.copy(elsewhere / "data_2014.zip", root)
        before = len(runs(instance))

        def started() -> list[dg.DagsterRun]:
            return [
                run for run in runs(instance)[before:] if run.status is dg.DagsterRunStatus.STARTED
            ]

        wait_until(lambda: bool(started()), 120, pause=0.05)
        killed = started()[0]
        os.kill(process_of(instance, killed), signal.SIGKILL)
        wait_until(lambda: up_to_date(root, instance), 400, pause=1)
        wait_until(lambda: ui.partitions("raw_quarter") == [Q2, Q3, "2014-01-01"], 60)
        assert ui.partitions("frames")[-3:] == ["2014-01-01", "2014-01-02", "2014-01-03"]
        ended = {run.run_id: run.status for run in runs(instance)}
        assert ended[killed.run_id] is dg.DagsterRunStatus.FAILURE

        # And nothing more is asked for.
        count = len(runs(instance))
        ticks = len(sensor_ticks(ui))
        wait_until(lambda: len(sensor_ticks(ui)) >= ticks + 2, 60)
        assert len(runs(instance)) == count
        assert "up to date" in str(sensor_ticks(ui)[0]["skipReason"])


def process_of(instance: dg.DagsterInstance, run: dg.DagsterRun) -> int:
    """The process that works on a run."""
    for record in instance.all_logs(run.run_id):
        event = record.dagster_event
        if event and "(pid: " in (event.message or ""):
            return int(str(event.message).partition("(pid: ")[2].partition(")")[0])
    raise AssertionError("the run does not tell its process")


def sensor_ticks(ui: Ui) -> list[dict[str, Any]]:
    """The latest ticks of the sensor that have ended, the newest first."""
    query = """query($selector: SensorSelector!) { sensorOrError(sensorSelector: $selector) {
        ... on Sensor { sensorState { ticks(limit: 500) { timestamp status skipReason } } } } }"""
    selector = {
        "repositoryLocationName": LOCATION,
        "repositoryName": "__repository__",
        "sensorName": "keep_up_to_date",
    }
    ticks = ui.query(query, selector=selector)["sensorOrError"]["sensorState"]["ticks"]
    return [tick for tick in ticks if tick["status"] != "STARTED"]
