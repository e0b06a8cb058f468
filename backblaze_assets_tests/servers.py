"""Postgres, Redis and an S3 store on this machine, started for tests and ended after them."""

import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from backblaze_assets_tests.automation.test_daemon import free_port, wait_until
from backblaze_assets_tests.s3 import BUCKET


def program(name: str) -> str:
    """Where a server's program is, also where Debian keeps it; where it is not, skip the test."""
    places = [str(path) for path in Path("/usr/lib/postgresql").glob("*/bin")]
    found = shutil.which(name) or shutil.which(name, path=os.pathsep.join(places))
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


@dataclass(frozen=True)
class S3:
    """A store that runs.

    Attributes:
        address: of its bucket.
        variables: of the environment, with which it is used.
        log: what it has been asked; see `s3.py`.
    """

    address: str
    variables: dict[str, str]
    log: Path

    def requests(self) -> list[str]:
        """What it has been asked: method, path, whether it was done, bytes received and sent."""
        return self.log.read_text().splitlines()


@contextmanager
def s3(folder: Path, every: int = 0) -> Iterator[S3]:
    """An empty store; each `every`th request is refused, none for 0."""
    pytest.importorskip("obstore")
    port = free_port()
    log = folder / "requests"
    command = [sys.executable, "-m", "backblaze_assets_tests.s3", str(port), str(log), str(every)]
    url = f"http://127.0.0.1:{port}"

    def answers() -> bool:
        try:
            return httpx.get(url, timeout=10).is_success
        except httpx.HTTPError:
            return False

    with _server(command, folder, answers):
        variables = {
            "AWS_ENDPOINT_URL": url,
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_REGION": "us-east-1",
        }
        yield S3(f"s3://{BUCKET}/drive stats", variables, log)
