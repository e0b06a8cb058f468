"""Ctrl-C and kill, at any time: soon over, whole files only, and the next command goes on."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from subprocess import Popen

import dagster as dg
import pytest

from backblaze_assets.drive_stats.demo import write_zips
from backblaze_assets.files.stamps import read_origin
from backblaze_assets.film.probe import probe
from backblaze_assets.instance.opening import open_instance
from backblaze_assets.work.interrupts import EXIT_CODE
from backblaze_assets.work.processes import StoppedError, go_on_or_stop, in_processes
from backblaze_assets_tests.project import FRAMES_AROUND

PROGRAM = Path(sys.executable).with_name("backblaze-assets")
STOPPED = "Stopped. What is whole is kept; the same command goes on from there."

needs_signals = pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")


@contextmanager
def started(*arguments: str | Path) -> Iterator["Popen[str]"]:
    """The installed program at work, in a process group of its own as in a terminal."""
    bare = {name: value for name, value in os.environ.items() if name != "DAGSTER_HOME"}
    with Popen(
        [PROGRAM, *arguments],
        env=bare,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)


def wait_for(process: "Popen[str]", beginning: str) -> str:
    """What the program says up to a line with this beginning."""
    said = ""
    while line := process.stderr.readline():
        said += line
        if line.startswith(beginning):
            return said
    raise AssertionError(f"{beginning!r} was not said: {said}")


def finish(data: Path) -> str:
    """Run `movie` to its end; what it says."""
    done = subprocess.run(
        [PROGRAM, "movie", "--data", data], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stderr


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Zips of two quarters, large enough for each stage to take a second or two."""
    folder = tmp_path_factory.mktemp("interrupted") / "data"
    write_zips(folder, first=date(2013, 11, 16), last=date(2014, 1, 31))
    return folder


def whole(folder: Path) -> list[Path]:
    """Files that are no unfinished work, by their names."""
    return [path for path in folder.rglob("20*.*") if path.is_file()]


@needs_signals
@pytest.mark.slow
@pytest.mark.parametrize(
    ("stage", "whole_group"), [("raw_quarter", True), ("frames", False), ("movie_clip", True)]
)
def test_an_interrupt_ends_it_and_keeps_what_is_whole(data, stage, whole_group):
    """By Ctrl-C in a terminal and by `kill`; the stages follow each other on one data folder."""
    folder = data / stage
    with started("movie", "--data", data) as process:
        wait_for(process, f"{stage} ")
        before = len(whole(folder))
        deadline = time.monotonic() + 60
        while len(whole(folder)) == before and time.monotonic() < deadline:
            time.sleep(0.05)
        (os.killpg if whole_group else os.kill)(process.pid, signal.SIGINT)
        _, said = process.communicate(timeout=20)
        assert process.returncode == EXIT_CODE, said
    assert said.strip().splitlines()[-1] == STOPPED
    assert "Traceback" not in said
    assert whole(folder)
    assert all(read_origin(path) for path in whole(folder))
    assert not list(data.rglob(".tmp-*"))
    with open_instance(data) as instance:
        assert instance.get_runs(limit=1)[0].status is dg.DagsterRunStatus.CANCELED


@needs_signals
@pytest.mark.slow(minutes=2)
def test_what_was_interrupted_or_killed_is_finished_by_the_next_command(data):
    for path in list((data / "frames").glob("2013-*.jpg")):
        path.unlink()
    before = set(whole(data / "frames"))
    with started("movie", "--data", data) as process:
        wait_for(process, "frames ")
        deadline = time.monotonic() + 60
        while len(whole(data / "frames")) < len(before) + 5 and time.monotonic() < deadline:
            time.sleep(0.01)
        os.killpg(process.pid, signal.SIGKILL)
    drawn = set(whole(data / "frames")) - before
    assert 5 <= len(drawn) < 46
    kept = {
        path: path.stat().st_mtime_ns for path in [*before, *drawn, *whole(data / "raw_quarter")]
    }
    said = finish(data)
    begun = [line.split()[0] for line in said.splitlines() if line[:1].islower()]
    # The days that are missing may be more than one range; what is before them is not made again.
    assert begun[0] == "frames"
    assert set(begun) <= {"frames", "movie_clip", "share", "movie"}
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    assert probe(data / "movie" / "movie.mp4").frames == 77 + FRAMES_AROUND
    assert not list(data.rglob(".tmp-*"))
    with open_instance(data) as instance:
        runs = instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED]))
    assert not runs


@needs_signals
def test_work_that_cannot_be_interrupted_is_ended():
    code = """
import signal, time
from backblaze_assets.work.interrupts import ending_soon
with ending_soon(lambda: print("last words", flush=True)):
    signal.signal(signal.SIGTERM, lambda *_: None)  # held back, as Dagster does between steps
    print("at work", flush=True)
    while True:
        time.sleep(60)
"""
    with Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "at work\n"
        process.send_signal(signal.SIGTERM)
        said, _ = process.communicate(timeout=20)
    assert (process.returncode, said) == (EXIT_CODE, "last words\n")


# Worker processes


def double(number: int) -> int:
    return 2 * number


def work_until_stopped(log: Path) -> None:
    """Call `go_on_or_stop` for as long as it lets us; leave word of the end."""
    log.with_suffix(".begun").write_text(str(os.getpid()), encoding="utf-8")
    try:
        while True:
            go_on_or_stop()
            time.sleep(0.01)
    except StoppedError:
        log.write_text("stopped", encoding="utf-8")
        raise


def wait_until(path: Path) -> None:
    deadline = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} did not appear"
        time.sleep(0.02)


@pytest.mark.slow
def test_results_come_from_processes():
    assert sorted(in_processes(double, [(1,), (2,), (3,)], workers=2)) == [2, 4, 6]


@pytest.mark.slow
def test_a_failure_stops_the_others(tmp_path):
    calls = [(work_until_stopped, tmp_path / "log"), (wait_and_fail, tmp_path / "log.begun")]
    with pytest.raises(ValueError, match="no number"):
        list(in_processes(call, calls, workers=2))
    assert (tmp_path / "log").read_text("utf-8") == "stopped"


def call(function, path: Path) -> None:
    function(path)


def wait_and_fail(path: Path) -> None:
    wait_until(path)
    raise ValueError("no number")


@pytest.mark.slow
@needs_signals
def test_workers_end_with_their_parent(tmp_path):
    code = f"""
from pathlib import Path
from backblaze_assets.work.processes import in_processes
from backblaze_assets_tests.work.test_interrupts import work_until_stopped
if __name__ == "__main__":
    list(in_processes(work_until_stopped, [(Path({json.dumps(str(tmp_path / "log"))}),)], 1))
"""
    script = tmp_path / "parent.py"
    script.write_text(code, encoding="utf-8")
    with Popen([sys.executable, script], cwd=Path(__file__).parents[2]) as parent:
        wait_until(tmp_path / "log.begun")
        parent.kill()
    wait_until(tmp_path / "log")
