"""Bringing assets up to date: what a person stops is stopped, not failed."""

import os
import signal
import time

import dagster as dg
import pytest

from backblaze_assets.assets import raw_quarter


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")
def test_an_interrupt_within_a_step_ends_the_command_and_cancels_the_run(project, monkeypatch):
    def interrupted(*_: object) -> None:
        signal.raise_signal(signal.SIGINT)
        time.sleep(30)
        pytest.fail("it was not interrupted")

    monkeypatch.setattr(raw_quarter, "import_days", interrupted)
    with pytest.raises(KeyboardInterrupt):
        project.update("daily_stats")
    [run] = project.instance.get_runs()
    assert run.status is dg.DagsterRunStatus.CANCELED
    monkeypatch.undo()
    assert [ran.asset for ran in project.update("raw_quarter")] == ["raw_quarter"]
