"""Each private part of Dagster that is used is taken away in turn; the commands go on.

Dagster itself keeps the part, because it could not go on without. Only this package is told that it
is not there, by an import that fails, or finds it in another form.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from backblaze_assets_tests.project import write_fleet

WITHOUT = """
import builtins, sys
gone = set(sys.argv.pop(1).split())
real = builtins.__import__

def without(name, globals=None, locals=None, fromlist=(), level=0):
    ours = str((globals or {}).get("__name__")).startswith("backblaze_assets")
    wanted = {f"{name}:{part}" for part in fromlist or ()}
    if ours and wanted & gone:
        asked.append(name)
        raise ImportError(f"cannot import {wanted & gone}")
    return real(name, globals, locals, fromlist, level)

asked = []
builtins.__import__ = without
"""

CHANGED = """
import sys
from dagster._core.storage.event_log import SqlEventLogStorage
sys.argv.pop(1)
asked = ["always"]
kept = SqlEventLogStorage._store_asset_event
SqlEventLogStorage._store_asset_event = lambda self, conn, event, event_id, more=None: kept(
    self, conn, event, event_id
)
"""

COMMANDS = """
import shlex
from backblaze_assets.cli.app import main
try:
    for command in sys.argv[1:]:
        sys.argv[1:] = shlex.split(command)
        try:
            main()
        except SystemExit as end:
            if end.code:
                raise
finally:
    assert asked, "nobody has asked for what was taken away"
"""

EVENTS, LAUNCHER = "dagster._core.storage.event_log", "dagster._core.launcher"
PARTS = {
    "kinds of events": "dagster._core.events:ASSET_EVENTS",
    "table of events": f"{EVENTS}:SqlEventLogStorageTable",
    "storage of events": f"{EVENTS}:SqlEventLogStorage {EVENTS}:SqliteEventLogStorage",
    "health of runs": f"{LAUNCHER}:CheckRunHealthResult {LAUNCHER}:WorkerStatus",
    "settings of an instance": "dagster._core.instance.ref:InstanceRef",
}
"""What is taken away, by the rows of the table in `instance/__init__.py`."""

SLOWER = {"kinds of events", "table of events", "storage of events"}
"""Those without which events are stored one by one, which a warning says."""


def run_without(
    parts: str, data: Path, *commands: str, how: str = WITHOUT
) -> "subprocess.CompletedProcess[str]":
    """Run commands on a data folder, one after the other in one process."""
    bare = {name: value for name, value in os.environ.items() if name != "DAGSTER_HOME"}
    bare["BACKBLAZE_DATA"] = str(data)
    done = subprocess.run(
        [sys.executable, "-c", how + COMMANDS, parts, *commands],
        capture_output=True,
        text=True,
        check=False,
        env=bare,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    return done


def check_warnings(stderr: str, *, slower: bool) -> None:
    """Each of the two commands warns once where events are stored one by one, else none does."""
    warnings = [line for line in stderr.splitlines() if "Warning" in line]
    assert len(warnings) == 2 * slower, stderr
    assert all("events of partitions are stored one by one" in line for line in warnings)


@pytest.mark.slow
@pytest.mark.parametrize("part", PARTS)
def test_commands_go_on_without(part, tmp_path):
    write_fleet(tmp_path)
    done = run_without(PARTS[part], tmp_path, "import", "status")
    check_warnings(done.stderr, slower=part in SLOWER)
    rows = [line.split() for line in done.stdout.splitlines()]
    assert ["raw_quarter", "2", "0", "0", "0", "0"] in rows


@pytest.mark.slow
def test_tables_and_report_are_made_without_any(tmp_path):
    write_fleet(tmp_path)
    parts = " ".join(PARTS.values())
    done = run_without(parts, tmp_path, "report", "why report")
    assert (tmp_path / "report" / "report.html").is_file()
    check_warnings(done.stderr, slower=True)
    assert "report is up to date, and so is all that it is made from.\n" in done.stdout


@pytest.mark.slow
def test_commands_go_on_where_the_storage_has_another_form(tmp_path):
    write_fleet(tmp_path)
    done = run_without("", tmp_path, "afr", "why afr_table", how=CHANGED)
    check_warnings(done.stderr, slower=True)
    assert "afr_table is up to date" in done.stdout


def test_every_private_part_that_is_used_is_taken_away_here():
    """What is imported from Dagster's private modules, of all code of the package."""
    import ast

    import backblaze_assets

    used = set()
    for path in Path(str(backblaze_assets.__file__)).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and "._" in f"{node.module}":
                assert path.parent.name == "instance", f"{path} uses {node.module}"
                used |= {f"{node.module}:{alias.name}" for alias in node.names}
    taken = {part for parts in PARTS.values() for part in parts.split()}
    # Without these there is nothing to fall back on: dagster.yaml names our storage and launcher.
    bases = {
        "dagster._core.storage.sqlite_storage:DagsterSqliteStorage",
        f"{LAUNCHER}:DefaultRunLauncher",
    }
    assert used == taken | bases
