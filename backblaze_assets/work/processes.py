"""Work in several processes, all of which end when the work is over, stopped or killed."""

import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from multiprocessing import current_process, get_context
from multiprocessing.connection import Connection, wait
from typing import Any, TypeVar

Result = TypeVar("Result")

# In a process that works for another one.
_stopping = threading.Event()
_at_work = threading.Lock()


class StoppedError(Exception):
    """The result of this work is not wanted any more."""


def most_workers() -> int:
    """How many processes are worth having: one for each core, or this one if it may have none."""
    return 1 if current_process().daemon else os.cpu_count() or 1


def in_processes(
    function: Callable[..., Result], calls: Sequence[tuple[Any, ...]], workers: int
) -> Iterator[Result]:
    """Yield what `function` returns for each tuple of arguments, in the order of being done.

    When this is interrupted or closed, calls at work end at their next `go_on_or_stop`. Ctrl-C on a
    terminal reaches all processes; only this one heeds it. And when this one is killed, its
    workers, which would wait for more work for ever, end as well.

    A process that may have no children, such as a worker of Celery, does the calls one by one.

    Args:
        function: importable by its name, as for any process pool.
        calls: arguments, one tuple for each call.
        workers: how many processes.
    """
    if current_process().daemon:
        for call in calls:
            yield function(*call)
        return
    context = get_context("spawn")  # forking is not safe beside the threads of Polars
    hear, tell = context.Pipe(duplex=False)
    with (
        hear,
        tell,
        ProcessPoolExecutor(workers, context, initializer=_serve, initargs=(hear,)) as pool,
    ):
        try:
            with _interrupts_later():
                tasks = [pool.submit(_call, function, *call) for call in calls]
            for task in as_completed(tasks):
                yield task.result()
        except BaseException:
            tell.close()
            pool.shutdown(cancel_futures=True)
            raise


def go_on_or_stop() -> None:
    """Raise StoppedError in a call of `in_processes` that is not to go on."""
    if _stopping.is_set():
        raise StoppedError


def _call(function: Callable[..., Result], *arguments: object) -> Result:
    with _at_work:
        return function(*arguments)


def _serve(hear: Connection) -> None:
    """Make this process ready to work for the one that has started it."""
    # When one worker ends, the pool terminates all; but what is at work shall come to a good end.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    threading.Thread(target=_end_with_the_work, args=(hear,), daemon=True).start()


def _end_with_the_work(hear: Connection) -> None:
    wait([hear])  # until the other end is closed, or its process has ended
    _stopping.set()
    with _at_work:
        os._exit(0)


@contextmanager
def _interrupts_later() -> Iterator[None]:
    """Hold Ctrl-C back inside the block, and for ever in processes that are started there."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
