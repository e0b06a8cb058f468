"""Running the command line, in this process or in one of its own; the film is a brief one."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from backblaze_assets.cli import app as cli
from backblaze_assets.film.style import Style
from backblaze_assets.settings import instance_home
from backblaze_assets_tests.program import brief
from backblaze_assets_tests.project import everything_built, made_once, records_of

VARIABLES = ("BACKBLAZE_DATA", "BACKBLAZE_DEBUG", "BACKBLAZE_URL", "DAGSTER_HOME")


@dataclass(frozen=True)
class Outcome:
    """What a command has left behind."""

    code: int
    stdout: str
    stderr: str


def start_program(*arguments: str | Path, **environment: str) -> "subprocess.Popen[str]":
    """Start the command line in a process of its own, without a terminal."""
    bare = {name: value for name, value in os.environ.items() if name not in VARIABLES}
    return subprocess.Popen(
        [sys.executable, "-m", "backblaze_assets_tests.program", *arguments],
        env={**bare, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def outcome(process: "subprocess.Popen[str]") -> Outcome:
    """Wait for a program that was started."""
    try:
        stdout, stderr = process.communicate(timeout=300)
    finally:
        process.kill()
    return Outcome(process.returncode, stdout, stderr)


def run_program(*arguments: str | Path, **environment: str) -> Outcome:
    """Run the command line in a process of its own to its end."""
    return outcome(start_program(*arguments, **environment))


@pytest.fixture(autouse=True)
def bare_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty current folder, none of the variables that are asked for, and a brief film."""
    for name in VARIABLES:
        monkeypatch.setenv(name, "")  # so that it is put back as it was
        monkeypatch.delenv(name)
    monkeypatch.setattr(Style, "named", brief)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")


@pytest.fixture
def run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Outcome]:
    """Runs a command in this process."""

    def run_here(*arguments: str | Path) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["backblaze-assets", *map(str, arguments)])
        capsys.readouterr()
        code = 0
        try:
            cli.main()
        except SystemExit as end:
            code = int(end.code or 0)
        return Outcome(code, *capsys.readouterr())

    return run_here


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which everything has been made; not to be changed."""
    everything = everything_built(tmp_path_factory)

    def make(folder: Path) -> None:
        shutil.copytree(everything, folder)
        shutil.copytree(records_of(everything), instance_home(folder))

    return made_once(tmp_path_factory, "data [of 2013]", make)
