"""The viewer as a process: alone, beside another one, and its end."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from backblaze_assets.errors import DataError
from backblaze_assets.viewer.server import listen, start_beside

PROGRAM = Path(sys.executable).with_name("backblaze-assets")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as one:
        return int(one.getsockname()[1])


def wait_until(is_so: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end, "it has not come about in time"
        time.sleep(0.05)


def answers(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/", timeout=5).status_code == 200
    except httpx.TransportError:
        return False


def is_free(port: int) -> bool:
    try:
        listen(port).close()
    except DataError:
        return False
    return True


def test_a_port_that_is_taken_is_said():
    with listen(free_port()) as one:
        port = one.getsockname()[1]
        assert one.getsockname()[0] == "127.0.0.1"
        with pytest.raises(DataError, match=rf"The viewer cannot have port {port}: .*in use"):
            listen(port)
    with pytest.raises(DataError, match="1 to 65535"):
        listen(70000)


@pytest.mark.slow
def test_the_viewer_imports_no_dagster():
    code = "import sys, backblaze_assets.viewer.app, backblaze_assets.viewer.__main__, uvicorn\n"
    code += "assert not [name for name in sys.modules if name.partition('.')[0] == 'dagster']"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.slow
@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGINT])
def test_the_viewer_alone_serves_a_film_and_ends_when_it_is_told(tmp_path, end):
    (tmp_path / "movie").mkdir()
    film = os.urandom(3_000_000)
    (tmp_path / "movie/movie.mp4").write_bytes(film)
    (tmp_path / "secret.jpg").write_text("secret")
    port = free_port()
    command = [PROGRAM, "view", "--data", str(tmp_path), "--port", str(port)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as viewer:
        try:
            wait_until(lambda: answers(port))
            part = httpx.get(
                f"http://localhost:{port}/film/movie.mp4",
                headers={"range": "bytes=2000000-2000099"},
            )
            assert (part.status_code, part.content) == (206, film[2_000_000:2_000_100])
            # As no client would write it: dots are not taken away before the server sees them.
            with socket.create_connection(("127.0.0.1", port)) as line:
                line.sendall(b"GET /frames/../secret.jpg HTTP/1.1\r\nHost: localhost\r\n\r\n")
                assert line.recv(100).startswith(b"HTTP/1.1 404")
            busy = subprocess.run(command, capture_output=True, text=True, check=False)
            assert busy.returncode == 1
            assert f"cannot have port {port}" in busy.stderr
            viewer.send_signal(end)
            said = viewer.communicate(timeout=20)[1]
            assert "Traceback" not in said
        finally:
            viewer.kill()
    assert is_free(port)


@pytest.mark.slow
@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGKILL])
def test_the_viewer_beside_another_program_does_not_outlive_it(tmp_path, end):
    """As `dev` does it: the process that starts it becomes another program."""
    port = free_port()
    code = (
        "import os, pathlib, sys; from backblaze_assets.viewer.server import start_beside\n"
        f"start_beside({{'BACKBLAZE_DATA': {str(tmp_path)!r}}}, {port})\n"
        "os.execv('/bin/sleep', ['sleep', '300'])"
    )
    with subprocess.Popen([sys.executable, "-c", code]) as program:
        try:
            wait_until(lambda: answers(port))
            program.send_signal(end)
            program.wait(20)
            wait_until(lambda: is_free(port), 20)
        finally:
            program.kill()


def test_beside_another_program_a_taken_port_is_said_before_anything_starts(tmp_path):
    with listen(free_port()) as one, pytest.raises(DataError, match="cannot have port"):
        start_beside({"BACKBLAZE_DATA": str(tmp_path)}, one.getsockname()[1])
