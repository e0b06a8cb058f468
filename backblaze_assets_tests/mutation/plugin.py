"""What pytest is to do differently while it tests a mutant: the order of tests, and their time.

Whatever lasts too long ends the process by the signal of an alarm, which no loop can hold up.
"""

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

FIRST, SECONDS, RUNNING = "MUTATION_FIRST", "MUTATION_SECONDS", "MUTATION_RUNNING"
"""Variables of the environment: tests or files to begin with, as JSON; seconds for each test, and
for all that is before and after it; the file that says which test runs."""


def pytest_configure() -> None:
    signal.alarm(int(os.environ[SECONDS]))


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    first = json.loads(os.environ[FIRST])
    rank = {test: index for index, test in enumerate(first)}
    last = len(rank)
    items.sort(
        key=lambda item: rank.get(item.nodeid, rank.get(item.nodeid.partition("::")[0], last))
    )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    Path(os.environ[RUNNING]).write_text(item.nodeid, encoding="utf-8")
    signal.alarm(int(os.environ[SECONDS]))
    outcome = yield
    signal.alarm(int(os.environ[SECONDS]))
    return outcome
