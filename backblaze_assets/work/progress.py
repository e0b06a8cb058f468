"""How long work says how far it is, without knowing who listens.

The command line listens with a progress bar, a Dagster step with log lines. Imports neither.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol


class Listener(Protocol):
    """Somebody who wants to know."""

    def start(self, what: str, total: int, unit: str) -> None:
        """Work named `what` of `total` units begins."""

    def advance(self, count: int) -> None:
        """`count` more units are done."""

    def finish(self) -> None:
        """The work has ended, well or not."""


class _Nobody:
    def start(self, what: str, total: int, unit: str) -> None:
        pass

    def advance(self, count: int) -> None:
        pass

    def finish(self) -> None:
        pass


class Lines:
    """A listener that writes a line every few seconds, for logs and pipes."""

    interval = 5.0

    def __init__(self, say: Callable[[str], object]) -> None:
        self._say = say
        self._what, self._unit = "", ""
        self._total = self._done = 0
        self._said = 0.0

    def start(self, what: str, total: int, unit: str) -> None:
        """Remember what begins."""
        self._what, self._total, self._unit, self._done = what, total, unit, 0
        self._said = time.monotonic()

    def advance(self, count: int) -> None:
        """Print a line when the last one is old enough."""
        self._done += count
        if time.monotonic() - self._said >= self.interval:
            self._said = time.monotonic()
            self._say(f"  {self._what}: {self._done:,} of {self._total:,} {self._unit}")

    def finish(self) -> None:
        """Nothing more to say."""


_NOBODY = _Nobody()
_listener: ContextVar[Listener] = ContextVar("listener", default=_NOBODY)


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Send the progress of all work inside the block to `listener`."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


def somebody_listens() -> bool:
    """Whether a listener is there already."""
    return _listener.get() is not _NOBODY


@contextmanager
def work(what: str, total: int, unit: str) -> Iterator[Listener]:
    """Announce work of `total` units; call `advance` on what is yielded, from this thread."""
    listener = _listener.get()
    listener.start(what, total, unit)
    try:
        yield listener
    finally:
        listener.finish()
