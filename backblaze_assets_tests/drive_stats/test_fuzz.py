"""A few random inputs; for more, and for what is promised, see backblaze_assets_tests/fuzz.py."""

import subprocess
import sys

import pytest


@pytest.mark.slow
@pytest.mark.parametrize(
    ("inputs", "seed"), [(20, 1), pytest.param(400, 1_000_000, marks=pytest.mark.slow)]
)
def test_random_inputs_break_no_promise(tmp_path, inputs, seed):
    # In a process of its own, as the memory that is measured is that of all its time.
    command = [sys.executable, "-m", "backblaze_assets_tests.fuzz", "--keep", tmp_path]
    done = subprocess.run(
        [*command, "--inputs", str(inputs), "--seed", str(seed)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert done.stdout.startswith(f"{inputs} inputs: ")
    for end in ("imported", "refused", "some days refused"):
        assert f"'{end}': " in done.stdout
