"""One process at a time: the others say that they wait, and a holder that dies holds nothing."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Timer

import pytest

from backblaze_assets.work.locks import if_free, one_at_a_time

HOLDER = """
import sys
from pathlib import Path
from backblaze_assets.work.locks import one_at_a_time
with one_at_a_time(Path(sys.argv[1]), sys.argv[2], lambda: None):
    print("held", flush=True)
    sys.stdin.readline()
"""


@contextmanager
def held_elsewhere(folder: Path, name: str) -> Iterator["subprocess.Popen[str]"]:
    """Another process that holds a lock until it is killed, or told to end by a line."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder), name],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        too_long = Timer(60, process.kill)  # so that who waits for it fails, and hangs not
        too_long.start()
        try:
            assert process.stdout.readline() == "held\n"
            yield process
        finally:
            too_long.cancel()
            process.kill()


def test_a_free_lock_is_not_waited_for(tmp_path):
    with one_at_a_time(tmp_path / "locks", "import", pytest.fail):
        pass
    with one_at_a_time(tmp_path / "locks", "import", pytest.fail):
        pass


def test_locks_of_other_names_and_folders_are_free(tmp_path):
    with (
        held_elsewhere(tmp_path / "a", "import"),
        one_at_a_time(tmp_path / "a", "render", pytest.fail),
        one_at_a_time(tmp_path / "b", "import", pytest.fail),
    ):
        pass


def test_a_process_may_take_its_own_lock_again(tmp_path):
    with (
        one_at_a_time(tmp_path, "import", pytest.fail),
        one_at_a_time(tmp_path, "import", pytest.fail),
    ):
        pass


def test_it_is_waited_for_until_the_holder_has_done(tmp_path):
    events = []
    with held_elsewhere(tmp_path, "import") as holder:

        def wait() -> None:
            events.append("waits")
            holder.stdin.write("end\n")
            holder.stdin.flush()

        with one_at_a_time(tmp_path, "import", wait):
            events.append("works")
            holder.wait(timeout=20)
    assert events == ["waits", "works"]


@pytest.mark.skipif(os.name == "nt", reason="needs SIGKILL")
def test_the_lock_of_a_killed_holder_is_free_at_once(tmp_path):
    killed: list[float] = []
    with held_elsewhere(tmp_path, "import") as holder:

        def wait() -> None:
            holder.kill()
            killed.append(time.monotonic())

        with one_at_a_time(tmp_path, "import", wait):
            waited = time.monotonic() - killed[0]
    assert waited < 5  # on a busy machine; a lock that is found stale by its age takes longer


def test_a_kind_of_work_is_free_when_no_part_of_it_is_held(tmp_path):
    with if_free(tmp_path, "render") as free:
        assert free
    with held_elsewhere(tmp_path, "render-2013-07-01"):
        with if_free(tmp_path, "render") as free:
            assert not free
        with if_free(tmp_path, "encode") as free:
            assert free
    with if_free(tmp_path, "render") as free:
        assert free
