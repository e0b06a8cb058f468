"""Forty kills at random moments; for more, see backblaze_assets_tests/kills.py."""

import os
import subprocess
import sys

import pytest


@pytest.mark.slow(minutes=2)
@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_whenever_a_run_is_killed_the_next_ends_with_the_same_bytes():
    # In a process of its own, because no thread must have been started before it forks.
    program = [sys.executable, "-m", "backblaze_assets_tests.kills"]
    command = [*program, "--kills", "40", "--seed", "7", "--quick"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=900)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "40 kills" in done.stdout
