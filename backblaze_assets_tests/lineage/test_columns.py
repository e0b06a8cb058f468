"""What the UI says of the columns of tables."""

import dagster as dg
import polars as pl
import pytest

from backblaze_assets.drive_stats.afr import AFR_SCHEMA
from backblaze_assets.lineage.columns import descriptions


@pytest.mark.parametrize("asset", ["daily_stats", "drive_lifetimes", "afr_table", "survival"])
def test_every_column_of_a_table_is_described(project, asset):
    graph = project.definitions.resolve_asset_graph()
    columns = graph.get(dg.AssetKey(asset)).metadata["dagster/column_schema"].columns
    assert len(columns) > 5
    assert [column.name for column in columns if not column.description] == []


def test_a_description_ends_where_the_next_begins():
    said = descriptions(AFR_SCHEMA)
    assert said["drives_end"] == "in service on the last reported day"
    assert said["maker"] == said["capacity_tb"] == "null where the group is not of one"
    assert said["mean_age_of_failed_months"] == "of `drives_failed`, on the day of failure"


def test_a_schema_without_words_has_no_descriptions():
    assert descriptions(pl.Schema({"maker": pl.String()})) == {}
