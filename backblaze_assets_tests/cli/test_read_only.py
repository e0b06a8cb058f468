"""Looking at results in a folder that one may only read."""

import ctypes
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from backblaze_assets.instance.opening import settings_file
from backblaze_assets_tests.cli.conftest import PROGRAM, VARIABLES, Outcome
from backblaze_assets_tests.conftest import FIRST, write_fleet

PR_CAPBSET_DROP = 24
RIGHTS_OF_ROOT = (1, 2, 3)  # to pass over permissions, and to change those of others' files


@pytest.fixture
def read_only(data: Path, tmp_path: Path) -> Iterator[Path]:
    """A copy of a folder with everything made, that nobody may write to."""
    folder = shutil.copytree(data, tmp_path / "copy")
    yield from _without_write_permission(folder)


def _without_write_permission(folder: Path) -> Iterator[Path]:
    paths = [folder, *folder.rglob("*")]
    for path in paths:
        path.chmod(0o555 if path.is_dir() else 0o444)
    yield folder
    for path in paths:
        path.chmod(0o755 if path.is_dir() else 0o644)


@pytest.fixture
def look() -> Callable[..., Outcome]:
    """Runs the program as somebody to whom permissions apply; they do not to root."""
    if os.name == "nt" or (os.geteuid() == 0 and not sys.platform.startswith("linux")):
        pytest.skip("needs a user to whom permissions apply")

    def bound_by_permissions() -> None:
        if os.geteuid() == 0:
            for right in RIGHTS_OF_ROOT:
                ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, right, 0, 0, 0)

    def run(*arguments: str | Path) -> Outcome:
        done = subprocess.run(
            [PROGRAM, *arguments],
            env={name: value for name, value in os.environ.items() if name not in VARIABLES},
            preexec_fn=bound_by_permissions,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        return Outcome(done.returncode, done.stdout, done.stderr)

    return run


@pytest.mark.slow
def test_every_command_that_looks_works(look, run, data, read_only):
    commands = [
        ["status"],
        ["why"],
        ["trace"],
        ["afr", "--all"],
        ["movie"],
        ["verify"],
        ["trace", "frames", str(FIRST)],
    ]
    for command in commands:
        done = look(*command, "--data", read_only)
        assert done.code == 0, (command, done.stderr)
        if command != ["movie"]:
            assert done.stdout == run(*command, "--data", data).stdout, command
    frame = Path("frames") / f"{FIRST}.jpg"
    done = look("trace", read_only / frame, "--data", read_only)
    assert done.stdout == run("trace", data / frame, "--data", data).stdout != ""


@pytest.mark.slow
def test_what_has_to_be_made_is_refused_with_the_reason(look, tmp_path):
    folder = tmp_path / "zips"
    write_fleet(folder)
    for _ in _without_write_permission(folder):
        for command in ("movie", "afr", "import"):
            done = look(command, "--data", folder)
            assert (done.code, done.stdout) == (1, "")
            assert done.stderr.startswith(f"Error: {folder} can only be read")
        assert look("status", "--data", folder).code == 0
        assert "raw_quarter 2013-04-01" in look("why", "--data", folder).stdout


# Settings of other projects


OTHERS = """
storage:
  postgres:
    postgres_db: {hostname: db, username: dagster, password: secret, db_name: dagster, port: 5432}
telemetry: {enabled: true}
"""


@pytest.mark.slow
def test_settings_of_another_project_in_the_current_folder_are_not_ours(run, data):
    Path("dagster.yaml").write_text(OTHERS, encoding="utf-8")
    for command in (["status"], ["why"], ["trace"], ["afr", "--all"]):
        done = run(*command, "--data", data)
        assert done.code == 0, done.stderr
    write_fleet(Path("data"))
    assert run("import", "--data", "data").code == 0
    for folder in (Path("data"), data):
        ours = (folder / "dagster" / "dagster.yaml").read_bytes()
        assert ours == settings_file().read_bytes()
    assert Path("dagster.yaml").read_text(encoding="utf-8") == OTHERS
