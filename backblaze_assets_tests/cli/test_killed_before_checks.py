"""A process that is killed when it has recorded results, before their check has looked."""

import os
import select
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest

from backblaze_assets.instance.opening import look_at_instance
from backblaze_assets.lineage.status import Status
from backblaze_assets.resources import Data
from backblaze_assets_tests.project import Q2, Q3, write_fleet

RAW = dg.AssetKey("raw_quarter")

PROGRAM = """
import signal
from backblaze_assets.assets import raw_quarter
from backblaze_assets.cli.app import main

def days_readable(scope):
    "The first check of all: it says that it has been reached, and waits to be killed."
    print("reached", flush=True)
    signal.pause()

raw_quarter.CHECKS = (days_readable, *raw_quarter.CHECKS[1:])
main()
"""


def made_and_judged(data: Path) -> tuple[int, set[Status]]:
    """How often quarters were recorded as made, and how they stand."""
    with look_at_instance(data) as instance:
        lineage = Data(data).lineage(instance)
        stands = {lineage.status("raw_quarter", key) for key in (Q2, Q3)}
        return len(instance.fetch_materializations(RAW, limit=9).records), stands


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="needs SIGKILL")
def test_what_was_killed_before_its_check_is_judged_by_the_next_command(tmp_path, run):
    data = tmp_path / "data"
    data.mkdir()
    write_fleet(data)
    command = [sys.executable, "-c", PROGRAM, "import", "--data", data]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        try:
            assert select.select([process.stdout], [], [], 120)[0], "the check was not reached"
            assert process.stdout.readline() == b"reached\n"
        finally:
            process.kill()
    assert made_and_judged(data) == (2, {Status.UNCHECKED})
    files = {path: path.stat().st_mtime_ns for path in data.glob("raw_quarter/*/*")}

    done = run("import", "--data", data)

    assert done.code == 0, done.stderr
    did, *warnings = done.stderr.splitlines()
    assert did == "checking raw_quarter 2013-Q2 to 2013-Q3 (2)"
    assert all(line.startswith("raw_quarter, days_present: ") for line in warnings)
    assert made_and_judged(data) == (2, {Status.UP_TO_DATE})
    assert {path: path.stat().st_mtime_ns for path in data.glob("raw_quarter/*/*")} == files
    assert len(files) == 12
    with look_at_instance(data) as instance:
        assert [each.status for each in instance.get_runs()] == [
            dg.DagsterRunStatus.SUCCESS,
            dg.DagsterRunStatus.FAILURE,
        ]
