"""Settings come from the environment."""

import pytest

from backblaze_assets.definitions import build_definitions
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


def test_work_is_divided_when_that_is_set(tmp_path, monkeypatch):
    """What continues itself, or is made of all, is one run all the same."""
    monkeypatch.setenv("BACKBLAZE_DATA", str(tmp_path))

    def policies() -> dict[str, int | None]:
        settings = Settings.from_environment()
        definitions = build_definitions(Data.from_settings(settings), settings)
        nodes = [it for it in definitions.resolve_asset_graph().asset_nodes if it.is_materializable]
        return {
            it.key.to_user_string(): it.backfill_policy
            and it.backfill_policy.max_partitions_per_run
            for it in nodes
        }

    assert set(policies().values()) == {None}
    monkeypatch.setenv("BACKBLAZE_DAYS_PER_RUN", "183")
    many = {"raw_quarter": 2, "daily_stats": 183, "frames": 183, "movie_clip": 2}
    assert {asset: each for asset, each in policies().items() if each} == many
    monkeypatch.setenv("BACKBLAZE_DAYS_PER_RUN", "0")
    with pytest.raises(DataError, match="BACKBLAZE_DAYS_PER_RUN is '0'"):
        Settings.from_environment()
