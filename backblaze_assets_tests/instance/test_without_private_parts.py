"""Each private part of Dagster that is used is taken away in turn; the commands go on.

Dagster itself keeps the part, because it could not go on without. Only this package is told that it
is not there, by an import that fails, or finds it in another form.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from backblaze_assets.film.probe import probe
from backblaze_assets_tests.conftest import FIRST, LAST, write_fleet

WITHOUT = """
import builtins, sys
module, _, names = sys.argv.pop(1).partition(":")
real = builtins.__import__

def without(name, globals=None, locals=None, fromlist=(), level=0):
    ours = str((globals or {}).get("__name__")).startswith("backblaze_assets")
    if ours and name == module and set(names.split(",")) & set(fromlist or ()):
        asked.append(name)
        raise ImportError(f"cannot import name {names} from {module}")
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

COMMAND = """
from backblaze_assets.cli.app import main
try:
    main()
finally:
    assert asked, "nobody has asked for what was taken away"
"""

LAUNCHER = "dagster._core.launcher"
PARTS = {
    "names of kinds of events": (WITHOUT, "dagster._core.events:ASSET_EVENTS", "one by one"),
    "table of events": (
        WITHOUT,
        "dagster._core.storage.event_log:SqlEventLogStorageTable",
        "one by one",
    ),
    "storage of events": (
        WITHOUT,
        "dagster._core.storage.event_log:SqlEventLogStorage,SqliteEventLogStorage",
        "one by one",
    ),
    "methods of the storage": (CHANGED, "", "one by one"),
    "health of runs": (WITHOUT, f"{LAUNCHER}:CheckRunHealthResult,WorkerStatus", ""),
    "settings of an instance": (WITHOUT, "dagster._core.instance.ref:InstanceRef", ""),
}
"""How each is taken away, and what is said about it."""


def run_without(part: str, *arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    how, what, _ = PARTS[part]
    bare = {name: value for name, value in os.environ.items() if name != "DAGSTER_HOME"}
    return subprocess.run(
        [sys.executable, "-c", how + COMMAND, what, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=bare,
        timeout=300,
    )


@pytest.mark.slow
@pytest.mark.parametrize("part", PARTS)
def test_commands_go_on_without(part, tmp_path):
    write_fleet(tmp_path)
    done = run_without(part, "movie", "--data", tmp_path)
    assert done.returncode == 0, done.stderr
    assert probe(tmp_path / "movie" / "movie.mp4").frames == (LAST - FIRST).days + 1 + 60
    assert "Traceback" not in done.stderr
    warnings = [line for line in done.stderr.splitlines() if "Warning" in line]
    said = PARTS[part][2]
    assert len(warnings) == bool(said), done.stderr
    assert all(said in line for line in warnings)
    again = run_without(part, "movie", "--data", tmp_path)
    assert again.returncode == 0, again.stderr
    assert "Everything is up to date." in again.stderr
    status = run_without(part, "status", "--data", tmp_path)
    assert status.returncode == 0, status.stderr
    rows = {line.split()[0]: line.split()[1:] for line in status.stdout.splitlines() if line}
    assert rows["frames"] == ["12", "0", "0", "0", "0"]


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
    taken = set()
    for how, what, _ in PARTS.values():
        module, _, names = what.partition(":")
        taken |= {f"{module}:{name}" for name in names.split(",") if how is WITHOUT}
    # Without these there is nothing to fall back on: dagster.yaml names our storage and launcher.
    bases = {
        "dagster._core.storage.sqlite_storage:DagsterSqliteStorage",
        f"{LAUNCHER}:DefaultRunLauncher",
    }
    assert used == taken | bases
