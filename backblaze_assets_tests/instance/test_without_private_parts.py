"""Each private part of Dagster that is used is taken away in turn; the commands go on.

Dagster itself keeps the part, because it could not go on without. Only this package is told that it
is not there, by an import that fails, or finds it in another form.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from backblaze_assets_tests.instance.test_event_log import needs_fork
from backblaze_assets_tests.project import write_fleet

WITHOUT = """
import builtins
gone = set(parts.split())
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
from dagster._core.storage.event_log import SqlEventLogStorage
asked = ["always"]
kept = SqlEventLogStorage._store_asset_event
SqlEventLogStorage._store_asset_event = lambda self, conn, event, event_id, more=None: kept(
    self, conn, event, event_id
)
"""

COMMANDS = """
from backblaze_assets.cli.app import main
try:
    for command in commands:
        sys.argv[1:] = command.split()
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


FORKS = """
import json, os, sys, traceback
# Once for all; this package, by each for itself.
import dagster, duckdb, numba, polars, pyarrow.parquet

for how, parts, data, *commands in json.loads(sys.argv[1]):
    if not (child := os.fork()):
        for stream, name in ((1, "stdout"), (2, "stderr")):
            os.dup2(os.open(f"{data}.{name}", os.O_WRONLY | os.O_CREAT), stream)
        os.environ["BACKBLAZE_DATA"] = data
        code = 1
        try:
            exec(how, {"parts": parts, "commands": commands, "sys": sys})
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            os._exit(code)
    os.waitpid(child, 0)
"""
"""Runs the commands of each case, one case after the other, each in a process of its own."""

Said = tuple[str, str]


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Said]:
    """What is said on stdout and stderr, by case."""
    cases = {part: (WITHOUT, PARTS[part], "import", "status") for part in PARTS}
    cases["all"] = (WITHOUT, " ".join(PARTS.values()), "report", "why report")
    cases["changed"] = (CHANGED, "", "afr", "why afr_table")
    folders = {case: tmp_path_factory.mktemp("without") for case in cases}
    calls = []
    for case, (how, parts, *commands) in cases.items():
        write_fleet(folders[case])
        calls.append((how + COMMANDS, parts, str(folders[case]), *commands))
    bare = {name: value for name, value in os.environ.items() if name != "DAGSTER_HOME"}
    command = [sys.executable, "-c", FORKS, json.dumps(calls)]
    subprocess.run(command, check=True, env=bare, timeout=600)
    return {
        case: (Path(f"{folder}.stdout").read_text(), Path(f"{folder}.stderr").read_text())
        for case, folder in folders.items()
    }


def check_warnings(stderr: str, *, slower: bool) -> None:
    """Each of the two commands warns once where events are stored one by one, else none does."""
    assert "Traceback" not in stderr, stderr
    warnings = [line for line in stderr.splitlines() if "Warning" in line]
    assert len(warnings) == 2 * slower, stderr
    assert all("events of partitions are stored one by one" in line for line in warnings)


@pytest.mark.slow
@needs_fork
@pytest.mark.parametrize("part", PARTS)
def test_commands_go_on_without(part, said):
    stdout, stderr = said[part]
    check_warnings(stderr, slower=part in SLOWER)
    rows = [line.split() for line in stdout.splitlines()]
    assert ["raw_quarter", "2", "0", "0", "0", "0"] in rows


@pytest.mark.slow
@needs_fork
def test_tables_and_report_are_made_without_any(said):
    stdout, stderr = said["all"]
    check_warnings(stderr, slower=True)
    assert "report is up to date, and so is all that it is made from.\n" in stdout


@pytest.mark.slow
@needs_fork
def test_commands_go_on_where_the_storage_has_another_form(said):
    stdout, stderr = said["changed"]
    check_warnings(stderr, slower=True)
    assert "afr_table is up to date" in stdout


@pytest.mark.slow
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
