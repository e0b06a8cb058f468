"""Postgres and Redis on this machine, started for tests and ended after them."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from backblaze_assets_tests.automation.test_daemon import free_port, wait_until


def installed(name: str) -> str | None:
    """Where a server's program is, also where Debian keeps it; None if it is not."""
    places = [str(path) for path in Path("/usr/lib/postgresql").glob("*/bin")]
    return shutil.which(name) or shutil.which(name, path=os.pathsep.join(places))


def program(name: str) -> str:
    """Where a server's program is; where it is not, skip the test."""
    found = installed(name)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found


@contextmanager
def _server(
    command: Sequence[str], folder: Path, answers: Callable[[], bool], user: str | None = None
) -> Iterator[None]:
    """A server that runs inside the block."""
    with (
        (folder / "server.log").open("w") as log,
        subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, user=user) as server,
    ):

        def ready() -> bool:
            assert server.poll() is None, (folder / "server.log").read_text()
            return answers()

        try:
            wait_until(ready, 60, pause=0.1)
            yield
        finally:
            server.send_signal(signal.SIGINT)  # for Postgres: without waiting for its clients
            try:
                server.wait(20)
            except subprocess.TimeoutExpired:
                server.kill()


def _quiet(*command: str) -> bool:
    return subprocess.run(command, capture_output=True, check=False, timeout=60).returncode == 0


@contextmanager
def postgres() -> Iterator[str]:
    """The address of an empty database, without a port: it listens on a socket in a folder."""
    initdb, server, ready = program("initdb"), program("postgres"), program("pg_isready")
    user = None
    if os.geteuid() == 0:  # whom Postgres refuses
        names = {entry.pw_name for entry in pwd.getpwall()}
        user = "postgres" if "postgres" in names else "nobody"
    # The path of a socket may have 107 characters, fewer than pytest's folders may need.
    with tempfile.TemporaryDirectory(prefix="pg-") as name:
        folder = Path(name)
        if user is not None:
            shutil.chown(folder, user)
        made = ["-A", "trust", "-U", "test", "--no-sync", "-E", "UTF8", "--locale=C"]
        subprocess.run(
            [initdb, "-D", name + "/data", *made],
            user=user, cwd=name, check=True, capture_output=True,
        )  # fmt: skip
        command = [server, "-D", name + "/data", "-k", name, "-c", "listen_addresses="]
        command += ["-c", "fsync=off"]
        asked = (ready, "-h", name, "-U", "test", "-d", "postgres")
        with _server(command, folder, lambda: _quiet(*asked), user):
            yield f"postgresql://test@/postgres?host={name}"


@contextmanager
def redis(folder: Path) -> Iterator[str]:
    """The address of an empty Redis, without the number of a database."""
    server, client = program("redis-server"), program("redis-cli")
    port = str(free_port())
    command = [server, "--port", port, "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
    with _server(command, folder, lambda: _quiet(client, "-p", port, "ping")):
        yield f"redis://127.0.0.1:{port}"
