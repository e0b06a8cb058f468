"""4,830 days of a hundredth of the fleet through all assets in one go: memory, records, and the UI.

Of what grows with the days: memory of the whole process tree, by tenths of the time; the size of
Dagster's records; and what the UI's pages ask about an asset with 4,830 daily partitions, each the
best of five, over HTTP.

Measured on two cores beside other tests: 15 minutes, 687 CPU seconds; 286 to 338 MB up to the
report, with the processes that draw frames and encode clips 560 to 880; Dagster's records 141 MB;
UI 0.1, 0.2 and 0.2 s. What rises while frames are drawn is no leak: a process that draws goes from
140 to 250 or 270 MB in its first 500 frames; of the same pictures drawn again Python keeps 10 kB.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from backblaze_assets_tests.benchmarks import history, long_history
from backblaze_assets_tests.benchmarks.harness import Measurement, Result, written_mb

GOAL_S = 1.0
PATIENCE_S = 180
QUERIES = {
    "partition status": """query($key: AssetKeyInput!) { assetNodeOrError(assetKey: $key) {
        ... on AssetNode { partitionStats { numMaterialized numFailed numPartitions }
        assetPartitionStatuses { ... on TimePartitionStatuses { ranges { status startKey endKey } }
        ... on DefaultPartitionStatuses { materializedPartitions } } } } }""",
    "100 latest materializations": """query($key: AssetKeyInput!) { assetOrError(assetKey: $key) {
        ... on Asset { assetMaterializations(limit: 100) { timestamp partition runId
        metadataEntries { label __typename } } } } }""",
    "history of a check": """query($key: AssetKeyInput!) { assetCheckExecutions(assetKey: $key,
        checkName: "CHECK", limit: 100) { status timestamp runId evaluation { success severity
        metadataEntries { label __typename } } } }""",
}
ASSET, CHECK = "daily_stats", "days_whole"


def run(work: Path) -> list[Result]:
    zips = long_history.write_zips(work / "long-zips")
    folder = history.data_folder(work / "long", zips)
    made = history.movie(folder)
    records = written_mb(folder / "dagster")
    tenths = " ".join(map(str, made.tenths_mb))
    note = f"Dagster's records {records:.0f} MB; memory by tenths of the time {tenths} MB"
    results = [Result("long", "all assets, 4,830 days", made, written_mb(folder), note=note)]
    for name, seconds in ask_the_ui(folder).items():
        measured = Measurement(seconds, 0, 0, "")
        results.append(Result("long", f"UI: {name}", measured, goal=GOAL_S, note="goal in seconds"))
    return results


def ask_the_ui(folder: Path) -> dict[str, float]:
    """Seconds of each of `QUERIES`, the best of five, against `backblaze-assets dev`."""
    port, viewer = _free_ports(2)
    program = "import sys; from backblaze_assets.cli.app import main; main()"
    process = subprocess.Popen(
        [
            *(sys.executable, "-c", program, "dev", "--data", str(folder)),
            *("--port", str(port), "--viewer-port", str(viewer)),
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        url = f"http://127.0.0.1:{port}/graphql"
        _wait_for(url)
        return {name: min(_ask(url, query) for _ in range(5)) for name, query in QUERIES.items()}
    finally:
        os.killpg(process.pid, signal.SIGINT)
        process.wait(PATIENCE_S)


def _ask(url: str, query: str) -> float:
    """Seconds of a query; raises AssertionError where it finds nothing."""
    content = {"query": query.replace("CHECK", CHECK), "variables": {"key": {"path": [ASSET]}}}
    request = urllib.request.Request(
        url, json.dumps(content).encode(), {"Content-Type": "application/json"}
    )
    started = time.perf_counter()
    with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
        found = json.load(answer)
    seconds = time.perf_counter() - started
    (data,) = (found.get("data") or {"": None}).values()
    if not data or found.get("errors"):
        raise AssertionError(f"{query}: {found}")
    return seconds


def _wait_for(url: str) -> None:
    until = time.monotonic() + PATIENCE_S
    while True:
        try:
            _ask(url, QUERIES["partition status"])
        except (OSError, AssertionError):
            if time.monotonic() > until:
                raise
            time.sleep(0.5)
        else:
            return


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports
