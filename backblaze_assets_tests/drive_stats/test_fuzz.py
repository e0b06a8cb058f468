"""A few random inputs; for more, and for what is promised, see backblaze_assets_tests/fuzz.py."""

import pytest

from backblaze_assets_tests.fuzz import fuzz


def test_random_inputs_break_no_promise(tmp_path):
    said: list[str] = []
    ends, broken = fuzz(2, 1, tmp_path, said.append)
    assert broken == 0, said
    assert {"imported", "refused", "some days refused"} >= set(ends)


@pytest.mark.slow
def test_more_random_inputs_break_no_promise(tmp_path):
    said: list[str] = []
    ends, broken = fuzz(60, 1_000_000, tmp_path, said.append)
    assert broken == 0, said
    assert min(ends["imported"], ends["refused"], ends["some days refused"]) > 20
