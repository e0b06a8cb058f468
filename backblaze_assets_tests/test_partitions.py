"""Partitions: Dagster has a key for what the folder has data of, and for nothing else."""

from datetime import UTC, date, datetime, timedelta

import dagster as dg
import pytest
from dagster._core.definitions.partitions.context import PartitionLoadingContext
from dagster._core.definitions.temporal_context import TemporalContext
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from backblaze_assets.definitions import build_definitions, published_history
from backblaze_assets.drive_stats.quarters import days_of, quarter_of
from backblaze_assets.files.folder import DataFolder
from backblaze_assets.lineage.view import View
from backblaze_assets.partitions import Calendar, Partitioning, portions, range_tags, unbroken
from backblaze_assets.resources import Data
from backblaze_assets.settings import Settings
from backblaze_assets_tests.drive_stats.zips import csv, row, write_zip
from backblaze_assets_tests.project import write_fleet
from backblaze_assets_tests.test_graph import calendars

QUARTERS, DAYS = Partitioning.QUARTERS, Partitioning.DAYS


def latest(definition: dg.PartitionsDefinition, limit: int = 120) -> list[str]:
    """The keys that the plots of an asset's page ask for, the newest first."""
    now = TemporalContext(effective_dt=datetime.now(UTC), last_event_id=None)
    context = PartitionLoadingContext(temporal_context=now, dynamic_partitions_store=None)
    page = definition.get_paginated_partition_keys(context, limit=limit, ascending=False)
    return list(page.results)


def by_hand(calendar: Calendar) -> tuple[list[str], list[str]]:
    """Keys of quarters and days of a calendar, counted one after the other."""
    quarters, days = [], []
    for quarter, (first, last) in calendar.spans.items():
        quarters.append(quarter.isoformat())
        day = first
        while day <= last:
            days.append(day.isoformat())
            day += timedelta(days=1)
    return quarters, days


@pytest.mark.slow
@given(calendars())
@settings(max_examples=15, deadline=None, phases=[Phase.generate])
def test_dagster_has_the_keys_of_the_calendar_and_its_pages_too(calendar):
    for partitioning, expected in zip((QUARTERS, DAYS), by_hand(calendar), strict=True):
        definition = calendar.definition(partitioning)
        assert calendar.keys(partitioning) == expected
        assert definition.get_partition_keys() == expected
        assert definition.get_first_partition_key() == expected[0]
        assert definition.get_last_partition_key() == expected[-1]
        assert latest(definition) == expected[::-1][:120]


@pytest.mark.slow
@given(st.dates(date(2013, 4, 10), date(2026, 9, 30)))
@settings(max_examples=15, deadline=None, phases=[Phase.generate])
def test_pages_show_the_data_however_long_ago_they_end(last):
    quarter = quarter_of(last)
    calendar = Calendar({quarter: (quarter, last)})
    assert latest(calendar.definition(DAYS), 3)[0] == str(last)
    assert latest(calendar.definition(QUARTERS), 3) == [str(quarter)]


def test_what_dagster_is_told_stays_so_while_time_goes_by():
    calendar = Calendar.of_days({quarter_of(LAST): [LAST]})
    definition = calendar.definition(DAYS)
    later = datetime.now(UTC) + timedelta(days=100)
    with dg.partition_loading_context(effective_dt=later):
        assert definition.get_partition_keys() == [str(LAST)]


LAST = date(2026, 9, 30)


def definitions(root):
    return build_definitions(Data(root), Settings(data=root)).resolve_asset_graph()


def keys(graph, asset: str) -> list[str]:
    return list(graph.get(dg.AssetKey(asset)).partitions_def.get_partition_keys())


def test_definitions_have_the_days_and_quarters_of_the_zips(tmp_path):
    write_fleet(tmp_path, date(2013, 6, 25), date(2013, 7, 6))
    write_fleet(tmp_path, date(2014, 1, 2), date(2014, 1, 3))
    graph = definitions(tmp_path)
    quarters = ["2013-04-01", "2013-07-01", "2014-01-01"]
    days = [
        *(f"2013-06-{day}" for day in range(25, 31)),
        *(f"2013-07-0{day}" for day in range(1, 7)),
        *("2014-01-01", "2014-01-02", "2014-01-03"),  # only a history's first quarter begins late
    ]
    for asset in ("raw_quarter", "drive_lifetimes", "afr_table", "film_layout", "movie_clip"):
        assert keys(graph, asset) == quarters, asset
    for asset in ("daily_stats", "frames"):
        assert keys(graph, asset) == days, asset
    for asset in ("report", "movie", "share"):
        assert not graph.get(dg.AssetKey(asset)).is_partitioned, asset


def test_an_empty_folder_has_the_published_history(tmp_path):
    graph = definitions(tmp_path / "not there")
    quarters, days = keys(graph, "raw_quarter"), keys(graph, "frames")
    assert (quarters[0], days[0]) == ("2013-04-01", "2013-04-10")
    newest = date.fromisoformat(quarters[-1])
    assert days[-1] == str(days_of(newest)[-1])
    assert len(quarters) == (newest.year - 2013) * 4 + (newest.month - 1) // 3
    assert newest >= date(2025, 10, 1)
    assert published_history().quarters[-1] == newest


def test_a_quarter_that_has_not_ended_is_left_out_and_named(tmp_path):
    today = datetime.now(UTC).date()
    quarter = quarter_of(today)
    write_fleet(tmp_path)
    name = f"data_Q{(quarter.month + 2) // 3}_{quarter.year}.zip"
    write_zip(tmp_path / name, {quarter: csv(row(day=str(quarter)))})
    assert keys(definitions(tmp_path), "raw_quarter") == ["2013-04-01", "2013-07-01"]
    view = View.of(DataFolder(tmp_path))
    assert view.not_ended == [quarter]
    (problem,) = view.problems()
    assert name in str(problem)
    assert "not ended" in str(problem)


def test_the_quarter_that_has_ended_last_is_there(tmp_path):
    """Its partitions end today at the latest, and no count of windows may be off by one."""
    quarter = quarter_of(quarter_of(datetime.now(UTC).date()) - timedelta(days=1))
    last = days_of(quarter)[-1]
    name = f"data_Q{(quarter.month + 2) // 3}_{quarter.year}.zip"
    write_zip(tmp_path / name, {last: csv(row(day=str(last)))})
    graph = definitions(tmp_path)
    assert keys(graph, "raw_quarter") == [str(quarter)]
    assert keys(graph, "frames") == [str(last)]
    for asset, key in (("raw_quarter", str(quarter)), ("frames", str(last))):
        assert latest(graph.get(dg.AssetKey(asset)).partitions_def) == [key]


def test_what_was_imported_keeps_its_partitions_without_its_zip(tmp_path):
    raw = tmp_path / "raw_quarter" / "2013-07-01"
    raw.mkdir(parents=True)
    for day in ("2013-07-02", "2013-07-04"):
        (raw / f"{day}.parquet").touch()
    # Raw files deleted, too: the lifetimes tell, and the daily figures which days.
    (tmp_path / "drive_lifetimes" / "2013-04-01").mkdir(parents=True)
    (tmp_path / "drive_lifetimes" / "2013-04-01" / "days.parquet").touch()
    (tmp_path / "daily_stats").mkdir()
    (tmp_path / "daily_stats" / "2013-06-30.parquet").touch()
    assert keys(definitions(tmp_path), "frames") == [
        *("2013-06-30", "2013-07-01", "2013-07-02", "2013-07-03", "2013-07-04")
    ]


@pytest.mark.parametrize(
    ("wanted", "pieces"),
    [("", []), ("a", ["a"]), ("abd", ["ab", "d"]), ("ace", ["a", "c", "e"]), ("bcde", ["bcde"])],
)
def test_wanted_keys_are_cut_where_others_lie_between(wanted, pieces):
    assert unbroken("abcde", wanted) == [list(piece) for piece in pieces]


def test_tags_of_a_range_are_those_of_dagster():
    assert range_tags(["2013-04-01", "2013-07-01"]) == {
        "dagster/asset_partition_range_start": "2013-04-01",
        "dagster/asset_partition_range_end": "2013-07-01",
    }
    assert range_tags([None]) == {}


@pytest.mark.slow
@given(calendar=calendars(), days=st.integers(1, 400), what=st.sampled_from([QUARTERS, DAYS]))
def test_portions_have_every_key_once_and_end_with_quarters_where_they_are_longer(
    calendar, days, what
):
    keys = calendar.keys(what)
    parts = portions(what, keys, days)
    assert [key for part in parts for key in part] == keys
    assert all(parts)
    quarters = [{quarter_of(date.fromisoformat(str(key))) for key in part} for part in parts]
    if days >= 70:  # whole quarters, none in two portions
        assert sum(map(len, quarters)) == len(set[date]().union(*quarters))
        assert max(map(len, quarters), default=0) <= max(1, round(days / 91.3))
    elif what is DAYS:  # parts of one quarter, of about the length that was asked for
        assert all(len(it) == 1 for it in quarters)
        assert max(map(len, parts), default=0) <= 1.5 * days + 1
    else:
        assert all(len(part) == 1 for part in parts)


def test_portions_of_published_history():
    keys = Calendar.published(date(2026, 4, 1)).keys(DAYS)
    sizes = [len(part) for part in portions(DAYS, keys, 91)]
    assert len(sizes) == 53
    assert set(sizes) <= {82, 90, 91, 92}
    assert {len(part) for part in portions(DAYS, keys, 30)} <= {27, 28, 30, 31}
