"""Ctrl-C ends the command line soon, whatever it is doing at that moment."""

import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Thread

GRACE_S = 1.5
"""Seconds in which an interrupted command may tidy up."""

EXIT_CODE = 130
"""What shells expect of a command that Ctrl-C has ended: 128 and the signal's number."""

_INTERRUPTS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def ending_soon(last_words: Callable[[], object]) -> Iterator[None]:
    """Inside the block, Ctrl-C or `kill` ends this process `GRACE_S` seconds later at the latest.

    Usually it raises KeyboardInterrupt long before, and everything is tidied up. But Dagster holds
    interrupts back outside of steps, even while it waits for a place in a pool, and no library
    lets Python see them during a long computation. Then the process just ends: files are whole or
    not there in any case, and the next command marks the run as failed.

    Args:
        last_words: is called before the process is ended in that way.
    """
    hear, tell = socket.socketpair()
    tell.settimeout(0)
    on_terminate = signal.signal(signal.SIGTERM, signal.default_int_handler)
    # The interpreter writes to it at once, whatever handler is set and whatever is running.
    signal.set_wakeup_fd(tell.fileno(), warn_on_full_buffer=False)
    Thread(target=_end_after_interrupt, args=(hear, last_words), daemon=True).start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGTERM, on_terminate)
        tell.close()


def _end_after_interrupt(hear: socket.socket, last_words: Callable[[], object]) -> None:
    with hear:
        while (heard := hear.recv(1)) and heard[0] not in _INTERRUPTS:
            pass
    if heard:
        time.sleep(GRACE_S)
        last_words()
        os._exit(EXIT_CODE)
