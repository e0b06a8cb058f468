"""Serving the viewer on 127.0.0.1, by itself or beside the Dagster UI."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from contextlib import nullcontext
from typing import TYPE_CHECKING

from backblaze_assets.errors import DataError
from backblaze_assets.files.folder import DataFolder

if TYPE_CHECKING:
    import uvicorn

ADDRESS = "127.0.0.1"

_LOOKS_FOR_PARENT = 0.5
"""Seconds between two looks at whether the parent process is still there."""


def listen(port: int) -> socket.socket:
    """A socket that listens on a port of this machine, which only this machine reaches.

    Raises:
        DataError: the port is taken, or not to be had.
    """
    if not 0 < port < 65536:
        raise DataError(f"The viewer cannot have port {port}: a port is 1 to 65535.")
    try:
        return socket.create_server((ADDRESS, port))
    except OSError as error:
        raise DataError(f"The viewer cannot have port {port}: {error.strerror}.") from error


def serve(folder: DataFolder, listener: socket.socket, parent: int | None = None) -> None:
    """Serve a data folder until SIGINT or SIGTERM, or until the parent process is gone.

    Args:
        folder: the data folder.
        listener: of `listen`.
        parent: the process without which the viewer is not to run on.
    """
    import uvicorn

    from backblaze_assets.viewer.app import viewer

    config = uvicorn.Config(
        viewer(folder), log_level="warning", server_header=False, lifespan="off", ws="none",
        timeout_graceful_shutdown=1,
    )  # fmt: skip
    server = uvicorn.Server(config)
    # uvicorn would raise the signal once more when it is through.
    server.capture_signals = nullcontext  # type: ignore[method-assign, assignment]

    def stop(*_: object) -> None:
        server.should_exit = True

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)

    async def run() -> None:
        watch = asyncio.create_task(_end_with(parent, server)) if parent else None
        await server.serve(sockets=[listener])
        if watch:
            watch.cancel()

    asyncio.run(run())


async def _end_with(parent: int, server: "uvicorn.Server") -> None:
    """Stop the server once this process has another parent than it began with.

    However the parent ends, by Ctrl-C, `kill` or `kill -9`, its children are given to another one.
    """
    while os.getppid() == parent:
        await asyncio.sleep(_LOOKS_FOR_PARENT)
    server.should_exit = True


def start_beside(data: Mapping[str, str], port: int) -> "subprocess.Popen[bytes]":
    """Start the viewer as a child of this process; it ends when this process ends.

    This process may put another program in its own place (exec): it stays the parent.

    Args:
        data: variables of its environment that say where the data are.
        port: where it listens.

    Raises:
        DataError: the port is taken.
    """
    with listen(port) as listener:
        return subprocess.Popen(
            [sys.executable, "-m", __package__, str(listener.fileno()), str(os.getpid())],
            env={**os.environ, **data, "PYTHONSAFEPATH": "1"},
            stdin=subprocess.DEVNULL,
            pass_fds=[listener.fileno()],
        )
