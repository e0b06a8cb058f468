"""Dagster's own commands in a checkout as it is, with nothing but the selection."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from backblaze_assets.film.probe import probe
from backblaze_assets.instance import open_instance
from backblaze_assets.lineage import Status
from backblaze_assets.resources import Data
from backblaze_assets_tests.benchmarks.harness import REPOSITORY
from backblaze_assets_tests.conftest import FIRST, LAST, write_fleet

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (REPOSITORY / ".git").exists(), reason="this is no checkout"),
]

BIN = Path(sys.executable).parent
QUARTERS = "2013-04-01...2013-07-01"

Run = Callable[..., "CompletedProcess[str]"]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone of what is committed, with a tiny fleet in its data folder."""
    clone = tmp_path_factory.mktemp("dagster_cli") / "clone"
    subprocess.run(["git", "clone", "-q", REPOSITORY, clone], check=True)
    write_fleet(clone / "data")
    return clone


def environment(checkout: Path, **more: str) -> dict[str, str]:
    """That of this process, without what the commands could be told by it."""
    told = ("BACKBLAZE_", "DAGSTER_")
    bare = {name: value for name, value in os.environ.items() if not name.startswith(told)}
    return {**bare, "PYTHONPATH": str(checkout), **more}


@pytest.fixture(scope="module")
def run(checkout: Path) -> Run:
    """Runs a command in the checkout."""

    def run_there(program: str, *arguments: str, **more: str) -> "CompletedProcess[str]":
        return subprocess.run(
            [BIN / program, *arguments],
            cwd=checkout,
            env=environment(checkout, **more),
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )

    return run_there


def materialize(run: Run, *selection: str, **more: str) -> "CompletedProcess[str]":
    return run("dagster", "asset", "materialize", "--select", *selection, **more)


def runs_in(data: Path) -> int:
    with open_instance(data) as instance:
        return instance.get_runs_count()


def test_the_whole_chain_by_selections_alone(checkout, run):
    selections = [
        ("raw_quarter", "--partition", "2013-04-01"),
        ("raw_quarter,drive_lifetimes", "--partition-range", QUARTERS),
        ("film_layout",),
        ("daily_stats,frames", "--partition-range", f"{FIRST}...{LAST}"),
        ("afr_table", "--partition", "2013-04-01"),
        ("movie_clip", "--partition-range", QUARTERS),
        ("movie",),
        ("frames,movie", "--partition", str(FIRST)),
        ("afr_table,movie_clip", "--partition-range", QUARTERS),
    ]
    for selection in selections:
        done = materialize(run, *selection)
        assert done.returncode == 0, done.stderr
    assert probe(checkout / "data" / "movie" / "movie.mp4").frames == 12 + 60
    # All on the instance that our command line uses, which finds nothing left to do.
    assert runs_in(checkout / "data") == len(selections)
    with open_instance(checkout / "data") as instance:
        lineage = Data(root=str(checkout / "data")).lineage(instance)
        assert lineage.status("movie", None) is Status.UP_TO_DATE
    again = run("backblaze-assets", "movie")
    assert again.stdout == "data/movie/movie.mp4\n"
    assert again.stderr == "Everything is up to date.\n"


@pytest.mark.parametrize(
    ("selection", "message"),
    [
        (("frames", "--partition-range", "2013-06-27...2013-06-25"), "reversed"),
        (("raw_quarter", "--partition-range", "2013-07-01...2013-04-01"), "reversed"),
        (("frames", "--partition-range", "2013-06-25...2013-08-01"), "2013-07-06"),
        (("frames", "--partition-range", "2013-04-09...2013-06-25"), "2013-04-09"),
        (("daily_stats", "--partition", "2013-08-01"), "2013-08-01"),
        (("raw_quarter", "--partition", "2013-04-02"), "2013-04-02"),
        (("raw_quarter", "--partition", "2016-01-01"), "backblaze-assets download 2016-Q1"),
        (("raw_quarter,daily_stats", "--partition", "2013-04-01"), "PartitionsDefinition"),
    ],
)
def test_what_cannot_be_made_is_an_error(run, selection, message):
    done = materialize(run, *selection)
    assert done.returncode != 0
    assert message in done.stdout + done.stderr


def test_dg_checks_and_launches(checkout, run):
    checked = run("dg", "check", "defs")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    before = runs_in(checkout / "data")
    launched = run("dg", "launch", "--assets", "raw_quarter", "--partition", "2013-04-01")
    assert launched.returncode == 0, launched.stdout + launched.stderr
    assert runs_in(checkout / "data") == before + 1


def test_the_data_may_be_elsewhere(run, tmp_path):
    write_fleet(tmp_path / "zips")
    elsewhere = {"BACKBLAZE_DATA": str(tmp_path / "zips")}
    done = materialize(run, "raw_quarter", "--partition", "2013-04-01", **elsewhere)
    assert done.returncode == 0, done.stderr
    assert runs_in(tmp_path / "zips") == 1
    assert (tmp_path / "zips" / "raw_quarter" / "2013-04-01").is_dir()


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")
@pytest.mark.parametrize("command", [("dagster", "dev"), ("backblaze-assets", "dev")])
def test_the_ui_starts_and_ends(checkout, tmp_path, command):
    with socket.socket() as probe_socket:
        probe_socket.bind(("127.0.0.1", 0))
        port = probe_socket.getsockname()[1]
    with (
        (tmp_path / "log").open("w") as log,
        subprocess.Popen(
            [BIN / command[0], *command[1:], "--port", str(port)],
            cwd=checkout,
            env=environment(checkout),
            stdout=log,
            stderr=log,
            start_new_session=True,
            preexec_fn=_heed_interrupts,
        ) as process,
    ):
        try:
            assert _answers(port, within_s=180), (tmp_path / "log").read_text("utf-8")
            process.send_signal(signal.SIGINT)
            process.wait(60)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
    assert not _answers(port, within_s=0)


def _heed_interrupts() -> None:
    """A test run in the background of a shell ignores Ctrl-C, and so would its children."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def _answers(port: int, within_s: float) -> bool:
    deadline = time.monotonic() + within_s
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/server_info", timeout=5) as page:
                return bool(page.status == 200)
        except OSError:  # noqa: PERF203 - as long as nobody listens
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.5)
