"""Heavy work of one kind goes on in one process at a time.

The lock is one of the operating system, so it ends when its holder ends, however that happens, and
nobody has to tidy up.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import filelock

POLL_S = 0.1
"""How often a lock that another process holds is asked for."""


@contextmanager
def one_at_a_time(folder: Path, name: str, wait: Callable[[], object]) -> Iterator[None]:
    """Hold the lock `name` of a folder inside the block; wait for it as long as it takes.

    A process that holds it already may take it again.

    Args:
        folder: where the lock's file is; made when missing.
        name: what only one process may do at a time.
        wait: is called once when another process holds the lock.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = filelock.FileLock(folder / f"{name}.lock", is_singleton=True, thread_local=False)
    try:
        lock.acquire(blocking=False)
    except filelock.Timeout:
        wait()
        lock.acquire(poll_interval=POLL_S)
    try:
        yield
    finally:
        lock.release()


@contextmanager
def if_free(folder: Path, name: str) -> Iterator[bool]:
    """Whether nobody holds the lock `name` of a folder, nor one of a part of it, `name-...`.

    If so, they are held inside the block. Where the lock's file cannot be made, in a folder that
    may only be read, it counts as free.
    """
    with ExitStack() as held:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for each in (folder / f"{name}.lock", *folder.glob(f"{name}-*.lock")):
                lock = filelock.FileLock(each, is_singleton=True, thread_local=False)
                lock.acquire(blocking=False)
                held.callback(lock.release)
            free = True
        except filelock.Timeout:
            free = False
        except OSError:
            free = True
        yield free
