"""The graph: its rules for keys are what Dagster draws, for whatever data there are."""

from datetime import date
from pathlib import Path
from random import Random

import dagster as dg
import pytest
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st

from backblaze_assets.drive_stats.quarters import days_of
from backblaze_assets.graph import GRAPH, Asset, Reading, keys_of, ranges_of, reads_of, upstream_of
from backblaze_assets.lineage.building import build_assets, build_checks
from backblaze_assets.partitions import Calendar, Partitioning
from backblaze_assets.resources import Data

FIRST, LAST = date(2013, 6, 25), date(2014, 1, 20)
HISTORY = [date(year, month, 1) for year in range(2013, 2021) for month in (1, 4, 7, 10)][1:]


@st.composite
def calendars(draw, quarters: int = 4) -> Calendar:
    """Any quarters near each other, so that readings reach over holes, with any of their days."""
    start = draw(st.integers(0, len(HISTORY) - quarters - 1))
    near = HISTORY[start : start + quarters + 1]
    found = {}
    for quarter in sorted(draw(st.sets(st.sampled_from(near), min_size=1))):
        days = days_of(quarter)
        found[quarter] = sorted(draw(st.sets(st.sampled_from(days), min_size=1, max_size=2)))
    return Calendar.of_days(found)


def graph_of(calendar: Calendar):
    """Dagster's graph for the data of a calendar."""
    assets, checks = build_assets(calendar), build_checks(calendar)
    unused = {"data": Data(Path("unused"))}
    return dg.Definitions(assets, asset_checks=checks, resources=unused).resolve_asset_graph()


@given(calendars(), st.randoms(use_true_random=False))
@settings(max_examples=3, deadline=None, phases=[Phase.generate])
@example(Calendar.of_days({date(2013, 4, 1): [FIRST], date(2014, 1, 1): [LAST]}), Random(1))
def test_every_reading_is_what_dagster_draws(calendar, chance):
    graph = graph_of(calendar)
    for asset, line in GRAPH.items():
        keys = keys_of(asset, calendar)
        if line.partitioning is Partitioning.DAYS:  # Dagster takes its time for each
            keys = [keys[0], keys[-1], chance.choice(keys)]
        for key in keys:
            drawn: dict[str, set[str | None]] = {}
            for parent in graph.get_parents_partitions(dg.AssetKey(asset), key).parent_partitions:
                name = parent.asset_key.to_user_string()
                drawn.setdefault(name, set()).add(parent.partition_key)
            read = reads_of(asset, key, calendar)
            assert {name: set(keys) for name, keys in read.items()} == drawn, (asset, key)
            for name, keys in read.items():
                assert keys == sorted(keys, key=keys_of(name, calendar).index)


WHOLE = Calendar.published(date(2015, 10, 1))


def test_dagster_has_the_assets_of_the_graph_and_what_they_read():
    graph = graph_of(WHOLE)
    parents = {
        key.to_user_string(): {parent.to_user_string() for parent in graph.get(key).parent_keys}
        for key in graph.materializable_asset_keys
    }
    assert parents == {name: set(asset.reads) for name, asset in GRAPH.items()}


def test_the_graph_is_the_pipeline_of_the_readme():
    reads = {
        name: {up: kind.name for up, kind in asset.reads.items()} for name, asset in GRAPH.items()
    }
    assert reads["daily_stats"] == {"raw_quarter": "same day"}
    assert reads["drive_lifetimes"] == {
        "raw_quarter": "same period",
        "drive_lifetimes": "quarter before",
    }
    assert reads["afr_table"] == {
        "daily_stats": "last four quarters",
        "drive_lifetimes": "same period",
    }
    assert reads["survival"] == {"drive_lifetimes": "same period"}
    assert reads["report"] == {
        "film_layout": "newest",
        "afr_table": "all",
        "survival": "newest",
        "drive_lifetimes": "newest",
    }
    assert reads["film_layout"] == {
        "drive_lifetimes": "same period",
        "film_layout": "quarter before",
    }
    assert reads["frames"] == {"drive_lifetimes": "same period", "film_layout": "same period"}
    assert reads["movie_clip"] == {"frames": "same period"}
    assert reads["movie"] == {
        "movie_clip": "all",
        "film_layout": "all",
        "drive_lifetimes": "some of all",
        "afr_table": "newest",
    }
    assert reads["share"] == {
        "frames": "some of all",
        "film_layout": "some of all",
        "drive_lifetimes": "newest",
        "afr_table": "newest",
    }


@pytest.mark.parametrize(
    ("asset", "key", "upstream", "expected"),
    [
        ("daily_stats", "2014-05-06", "raw_quarter", ["2014-04-01"]),
        ("drive_lifetimes", "2014-04-01", "drive_lifetimes", ["2014-01-01"]),
        ("drive_lifetimes", "2013-04-01", "drive_lifetimes", None),
        ("frames", "2014-06-30", "drive_lifetimes", ["2014-04-01"]),
        ("film_layout", "2014-04-01", "film_layout", ["2014-01-01"]),
        ("frames", "2014-06-30", "film_layout", ["2014-04-01"]),
        ("report", None, "drive_lifetimes", ["2015-10-01"]),
        ("survival", "2014-04-01", "drive_lifetimes", ["2014-04-01"]),
    ],
)
def test_readings_by_hand(asset, key, upstream, expected):
    assert reads_of(asset, key, WHOLE).get(upstream) == expected


def test_a_trailing_year_is_the_year_that_ends_with_the_quarter():
    days = reads_of("afr_table", "2014-10-01", WHOLE)["daily_stats"]
    assert (days[0], days[-1], len(days)) == ("2014-01-01", "2014-12-31", 365)


def test_a_clip_holds_the_days_of_its_quarter():
    days = reads_of("movie_clip", "2013-04-01", WHOLE)["frames"]
    assert (days[0], days[-1], len(days)) == ("2013-04-10", "2013-06-30", 82)


def test_assets_stand_in_an_order_in_which_they_can_be_made():
    names = list(GRAPH)
    for name, asset in GRAPH.items():
        assert set(asset.reads) - {name} <= set(names[: names.index(name)])
        assert name == asset.name


def test_upstream_of_a_target_is_all_that_it_needs_in_order():
    assert upstream_of(["afr_table"]) == [
        *("raw_quarter", "daily_stats", "drive_lifetimes", "afr_table")
    ]
    assert upstream_of(["survival"]) == ["raw_quarter", "drive_lifetimes", "survival"]
    found = upstream_of(["movie"])
    assert found == [name for name in GRAPH if name in found]
    assert set(found) == {
        *("raw_quarter", "daily_stats", "drive_lifetimes", "afr_table"),
        *("film_layout", "frames", "movie_clip", "movie"),
    }
    assert upstream_of(list(GRAPH)) == list(GRAPH)


def test_ranges_are_cut_where_other_partitions_lie_between_and_not_where_there_are_none():
    calendar = Calendar.of_days(
        {quarter: [quarter] for quarter in HISTORY[:6] if quarter.month != 7}
    )
    keys = keys_of("raw_quarter", calendar)
    assert keys == ["2013-04-01", "2013-10-01", "2014-01-01", "2014-04-01"]
    assert ranges_of("raw_quarter", keys[:2], calendar) == [keys[:2]]
    assert ranges_of("raw_quarter", [keys[0], *keys[2:]], calendar) == [[keys[0]], keys[2:]]


@pytest.fixture(scope="module")
def nodes() -> dict[str, object]:
    graph = graph_of(WHOLE)
    return {name: graph.get(dg.AssetKey(name)) for name in GRAPH}


@pytest.mark.parametrize("asset", GRAPH.values(), ids=GRAPH)
def test_every_asset_says_what_it_is(nodes, asset: Asset):
    node = nodes[asset.name]
    assert len(node.description) > 40
    assert node.group_name == asset.group
    assert node.group_name in {"drive_stats", "film"}
    assert len(node.code_version) == 32
    assert node.kinds == asset.kinds
    assert node.owners
    assert "dagster/code_references" in node.metadata
    # A whole range in one run.
    assert node.backfill_policy == dg.BackfillPolicy.single_run()


def test_icons_say_what_the_files_are():
    for asset in GRAPH.values():
        formats = {name.rpartition(".")[2].replace("jpg", "jpeg") for name in asset.files}
        # Subtitles lie beside a film, and loops are there as GIF, too.
        assert formats - {"srt", "webm"} <= asset.kinds, asset.name


def test_of_steps_that_could_begin_the_first_of_the_graph_does():
    built = build_assets(Calendar.of_days({date(2013, 4, 1): [FIRST]}))
    tags = {it.key.to_user_string(): it.op.tags for it in built}
    priority = [int(tags[asset]["dagster/priority"]) for asset in GRAPH]
    assert priority == sorted(set(priority), reverse=True)


@pytest.mark.parametrize(
    ("asset", "column"),
    [
        ("daily_stats", "failures"),
        ("drive_lifetimes", "serial_number"),
        ("afr_table", "afr"),
        ("survival", "survival_low"),
    ],
)
def test_tables_say_their_columns(nodes, asset, column):
    schema = nodes[asset].metadata["dagster/column_schema"]
    assert column in {each.name for each in schema.columns}


def test_checks_that_block_are_those_without_which_results_are_wrong():
    graph = graph_of(WHOLE)
    blocking = {
        (key.asset_key.to_user_string(), key.name)
        for key in graph.asset_check_keys
        if graph.get(key).blocking
    }
    assert blocking == {
        ("raw_quarter", "rows_accounted_for"),
        ("drive_lifetimes", "drives_once"),
        ("drive_lifetimes", "slots_gapless"),
        ("frames", "frames_whole"),
        ("movie_clip", "clips_complete"),
    }


def test_what_the_graph_calls_grave_is_a_check_of_that_asset():
    checks = {
        (key.asset_key.to_user_string(), key.name) for key in graph_of(WHOLE).asset_check_keys
    }
    for name, asset in GRAPH.items():
        assert {(name, check) for check in (*asset.blocking, *asset.errors)} <= checks
        assert set(asset.blocking).isdisjoint(asset.errors)


def test_heavy_steps_have_pools():
    pools = {name: asset.pool for name, asset in GRAPH.items() if asset.pool}
    assert pools == {
        "raw_quarter": "import",
        "frames": "render",
        "movie_clip": "encode",
        "movie": "encode",
        "share": "encode",
    }


def test_every_kind_of_reading_has_a_name_of_its_own():
    kinds: set[Reading] = {kind for asset in GRAPH.values() for kind in asset.reads.values()}
    assert len({kind.name for kind in kinds}) == len(kinds)
