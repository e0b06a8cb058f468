"""Work in several processes, where a process may have children and where it may not."""

import os
from multiprocessing import get_context
from multiprocessing.connection import Connection

from backblaze_assets.work.processes import in_processes, most_workers


def number_and_process(number: int) -> tuple[int, int]:
    return number, os.getpid()


def work_and_tell(tell: Connection) -> None:
    calls = [(number,) for number in range(3)]
    done = list(in_processes(number_and_process, calls, workers=2))
    tell.send((os.getpid(), most_workers(), done))


def test_a_process_that_may_have_no_children_does_the_work_itself() -> None:
    context = get_context("spawn")
    hear, tell = context.Pipe(duplex=False)
    worker = context.Process(target=work_and_tell, args=(tell,), daemon=True)
    worker.start()
    tell.close()
    pid, most, done = hear.recv()
    worker.join()
    assert most == 1
    assert most_workers() == os.cpu_count()
    assert done == [(number, pid) for number in range(3)]
