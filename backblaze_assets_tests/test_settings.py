"""Settings come from the environment."""

import pytest

from backblaze_assets.errors import DataError
from backblaze_assets.resources import Data
from backblaze_assets.settings import Settings
from backblaze_assets_tests.conftest import write_fleet

LARGEST_PUBLISHED = 12.6e9
"""Bytes of the CSVs in the largest zip up to 2026."""


def test_every_published_zip_passes_three_times_over(monkeypatch):
    monkeypatch.delenv("BACKBLAZE_ZIP_LIMIT", raising=False)
    assert Data.from_settings(Settings.from_environment()).most_bytes > 3 * LARGEST_PUBLISHED


def test_a_zip_beyond_the_limit_is_named_with_the_setting(tmp_path, monkeypatch):
    write_fleet(tmp_path)
    monkeypatch.setenv("BACKBLAZE_DATA", str(tmp_path))
    monkeypatch.setenv("BACKBLAZE_ZIP_LIMIT", "1")
    data = Data.from_settings(Settings.from_environment())
    assert data.view.problems() == []
    small = Data(tmp_path, most_bytes=1000)
    with pytest.raises(DataError, match=r"data_2013\.zip would take .* set BACKBLAZE_ZIP_LIMIT"):
        small.view.check_not_empty()


@pytest.mark.parametrize("text", ["0", "-1", "much"])
def test_a_limit_that_is_none_is_refused(monkeypatch, text):
    monkeypatch.setenv("BACKBLAZE_ZIP_LIMIT", text)
    with pytest.raises(DataError, match="BACKBLAZE_ZIP_LIMIT"):
        Settings.from_environment()
