"""The graph as Dagster sees it: a contract with everyone who works in the UI."""

import dagster as dg
import pytest
from backblaze_assets.lineage.rules import RULES, upstream_of

from backblaze_assets.definitions import build_definitions
from backblaze_assets.settings import Settings


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory):
    settings = Settings(data=tmp_path_factory.mktemp("data"))
    return build_definitions(settings).resolve_asset_graph()


def test_the_assets_and_what_they_are_made_from(graph):
    parents = {
        key.to_user_string(): {parent.to_user_string() for parent in graph.get(key).parent_keys}
        for key in graph.materializable_asset_keys
    }
    assert parents == {
        "raw_quarter": set(),
        "daily_stats": {"raw_quarter"},
        "drive_lifetimes": {"raw_quarter", "drive_lifetimes"},
        "afr_table": {"daily_stats", "drive_lifetimes"},
        "film_layout": {"drive_lifetimes"},
        "frames": {"drive_lifetimes", "film_layout"},
        "movie_clip": {"frames"},
        "movie": {"movie_clip", "drive_lifetimes", "film_layout"},
    }


def test_the_rules_read_what_dagster_draws(graph, built):
    """The lineage that decides what is up to date is the lineage on the screen."""
    lineage = built.lineage()
    for asset in RULES:
        drawn = {key.to_user_string() for key in graph.get(dg.AssetKey(asset)).parent_keys}
        read = {name for key in lineage.expected(asset) for name in lineage.reads(asset, key)}
        assert read <= drawn
        assert drawn - read <= {asset}


@pytest.mark.parametrize("asset", RULES)
def test_every_asset_can_take_a_whole_range_in_one_run(graph, asset):
    policy = graph.get(dg.AssetKey(asset)).backfill_policy
    assert policy == dg.BackfillPolicy.single_run()


@pytest.mark.parametrize("asset", RULES)
def test_every_asset_says_what_it_is(graph, asset):
    node = graph.get(dg.AssetKey(asset))
    assert len(node.description) > 40
    assert node.group_name in {"drive_stats", "film"}
    assert node.code_version == RULES[asset].code_version
    assert node.kinds
    assert node.tags["stage"]


@pytest.mark.parametrize(
    ("quarter", "first", "count"),
    [("2013-04-01", "2013-04-10", 82), ("2021-01-01", "2021-01-01", 90)],
)
def test_a_quarter_holds_its_days(graph, quarter, first, count):
    clip, frames = graph.get(dg.AssetKey("movie_clip")), graph.get(dg.AssetKey("frames"))
    mapping = clip.partition_mappings[dg.AssetKey("frames")]
    subset = mapping.get_upstream_mapped_partitions_result_for_partitions(
        clip.partitions_def.subset_with_partition_keys([quarter]),
        clip.partitions_def,
        frames.partitions_def,
    ).partitions_subset
    keys = list(subset.get_partition_keys())
    assert (keys[0], len(keys)) == (first, count)


def test_upstream_of_a_target_is_all_that_it_needs_in_order():
    assert upstream_of(["afr_table"]) == [
        "raw_quarter",
        "daily_stats",
        "drive_lifetimes",
        "afr_table",
    ]
    assert upstream_of(["movie", "afr_table"]) == list(RULES)
