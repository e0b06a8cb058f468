"""Sizes of drives as they are sold, and the names of groups."""

import polars as pl
import pytest

from backblaze_assets.drive_stats.groups import GROUPS, terabytes


@pytest.mark.parametrize(
    ("capacity_bytes", "size"),
    [
        (26_006_000_000_000, 26.0),
        (24_000_277_250_048, 24.0),
        (1_500_301_910_016, 1.5),
        (1_000_204_886_016, 1.0),
        (250_059_350_016, 0.25),
        (None, None),
    ],
)
def test_a_size_is_the_one_that_a_drive_is_sold_as(capacity_bytes, size):
    assert pl.select(terabytes(pl.lit(capacity_bytes, pl.Int64))).item() == size


def test_names_of_groups():
    rows = pl.DataFrame(
        {"model": ["A", "B", "C"], "maker": ["HGST", "WDC", "WDC"], "capacity_tb": [4.0, 1.5, None]}
    )
    names = {kind: rows.select(name).to_series().to_list() for kind, name in GROUPS.items()}
    assert names["size"] == ["4 TB", "1.5 TB", "unknown size"]
    assert names["maker_size"] == ["HGST 4 TB", "WDC 1.5 TB", "WDC unknown size"]
    assert names["maker"] == ["HGST", "WDC", "WDC"]
    assert names["all"][0] == "data drives"
