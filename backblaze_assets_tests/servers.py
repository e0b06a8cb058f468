"""Postgres, Redis and an S3 store on this machine, started for tests and ended after them."""

import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from backblaze_assets_tests.automation.test_daemon import free_port, wait_until
from backblaze_assets_tests.s3 import BUCKET


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
) -> Iterator["subprocess.Popen[bytes]"]:
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
            yield server
        finally:
            server.send_signal(signal.SIGINT)  # for Postgres: without waiting for its clients
            try:
                server.wait(20)
            except subprocess.TimeoutExpired:
                server.kill()


def _quiet(*command: str) -> bool:
    return subprocess.run(command, capture_output=True, check=False, timeout=60).returncode == 0


@dataclass
class Postgres:
    """A server of Postgres with an empty database, below a folder; it listens on a socket there.

    Attributes:
        folder: its own.
        user: as whom it runs; None for who runs the tests.
    """

    folder: Path
    user: str | None
    _server: ExitStack = field(default_factory=ExitStack)
    _process: "subprocess.Popen[bytes] | None" = None

    @property
    def url(self) -> str:
        """The address of the database, without a port."""
        return f"postgresql://test@/postgres?host={self.folder}"

    def start(self) -> None:
        """Start it and wait until it answers."""
        data, here = str(self.folder / "data"), str(self.folder)
        command = [program("postgres"), "-D", data, "-k", here, "-c", "listen_addresses="]
        command += ["-c", "fsync=off"]
        asked = (program("pg_isready"), "-h", here, "-U", "test", "-d", "postgres")
        running = _server(command, self.folder, lambda: _quiet(*asked), self.user)
        self._process = self._server.enter_context(running)

    def crash(self) -> None:
        """End it at once, as a kill does: what was not committed is lost."""
        assert self._process is not None
        self._process.send_signal(signal.SIGQUIT)
        self._process.wait(30)
        self._server.close()

    def stop(self) -> None:
        """End it."""
        self._server.close()


@contextmanager
def postgres() -> Iterator[str]:
    """The address of an empty database, without a port."""
    with postgres_server() as server:
        yield server.url


@contextmanager
def postgres_server() -> Iterator[Postgres]:
    """A running server, which a test may let crash and start again."""
    initdb = program("initdb")
    user = None
    if os.geteuid() == 0:  # whom Postgres refuses
        names = {entry.pw_name for entry in pwd.getpwall()}
        user = "postgres" if "postgres" in names else "nobody"
    # The path of a socket may have 107 characters, fewer than pytest's folders may need.
    with tempfile.TemporaryDirectory(prefix="pg-") as name:
        if user is not None:
            shutil.chown(name, user)
        made = ["-A", "trust", "-U", "test", "--no-sync", "-E", "UTF8", "--locale=C"]
        subprocess.run(
            [initdb, "-D", name + "/data", *made],
            user=user, cwd=name, check=True, capture_output=True,
        )  # fmt: skip
        server = Postgres(Path(name), user)
        server.start()
        try:
            yield server
        finally:
            server.stop()


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
