"""Looking at results in a folder that one may only read."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from backblaze_assets.instance.opening import settings_file
from backblaze_assets_tests.cli.conftest import VARIABLES, Outcome
from backblaze_assets_tests.conftest import FIRST, write_fleet

PROGRAM = """
import ctypes, io, json, os, sys
from contextlib import redirect_stderr, redirect_stdout
PR_CAPBSET_DROP = 24
if os.geteuid() == 0:
    for right in (1, 2, 3):  # to pass over permissions, and to change those of others' files
        ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, right, 0, 0, 0)
    if len(sys.argv) == 2:
        os.execv(sys.executable, [sys.executable, "-c", sys.orig_argv[2], sys.argv[1], "bound"])
from backblaze_assets.cli.app import main
from backblaze_assets.film.style import Style
from backblaze_assets_tests.program import brief
Style.named = brief
done = []
for command in json.loads(sys.argv[1]):
    sys.argv = ["backblaze-assets", *command]
    said, told, code = io.StringIO(), io.StringIO(), 0
    with redirect_stdout(said), redirect_stderr(told):
        try:
            main()
        except SystemExit as end:
            code = int(end.code or 0)
    done.append((code, said.getvalue(), told.getvalue()))
print(json.dumps(done))
"""
"""Drops root's rights, which takes effect with the next program, and runs commands one by one."""


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
def look() -> Callable[..., list[Outcome]]:
    """Runs commands as somebody to whom permissions apply; they do not to root."""
    if os.name == "nt" or (os.geteuid() == 0 and not sys.platform.startswith("linux")):
        pytest.skip("needs a user to whom permissions apply")

    def run(data: Path, *commands: list[str]) -> list[Outcome]:
        given = json.dumps([[*command, "--data", str(data)] for command in commands])
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, given],
            env={name: value for name, value in os.environ.items() if name not in VARIABLES},
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        assert done.returncode == 0, done.stderr
        return [Outcome(*each) for each in json.loads(done.stdout)]

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
    frame = Path("frames") / f"{FIRST}.jpg"
    *looked, traced = look(read_only, *commands, ["trace", str(read_only / frame)])
    for command, done in zip(commands, looked, strict=True):
        assert done.code == 0, (command, done.stderr)
        if command != ["movie"]:
            assert done.stdout == run(*command, "--data", data).stdout, command
    assert traced.stdout == run("trace", data / frame, "--data", data).stdout != ""


@pytest.mark.slow
def test_what_has_to_be_made_is_refused_with_the_reason(look, tmp_path):
    folder = tmp_path / "zips"
    write_fleet(folder)
    for _ in _without_write_permission(folder):
        *refused, status, why = look(folder, ["movie"], ["afr"], ["import"], ["status"], ["why"])
        for done in refused:
            assert (done.code, done.stdout) == (1, "")
            assert done.stderr.startswith(f"Error: {folder} can only be read")
        assert status.code == 0
        assert "raw_quarter 2013-04-01" in why.stdout


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
