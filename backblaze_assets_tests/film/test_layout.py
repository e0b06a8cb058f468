from datetime import date, timedelta
from itertools import pairwise

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backblaze_assets.drive_stats.quarters import next_quarter, quarter_of
from backblaze_assets.errors import DataError
from backblaze_assets.film.layout import Layout, build, census, censuses, extend
from backblaze_assets.film.style import Style
from backblaze_assets_tests.film.fleets import START, fleet, known_on, with_slots
from backblaze_assets_tests.real_data import SHARED, needs

HD = Style.named("1080p")
UHD = Style.named("2160p")
REAL_FLEET = SHARED / "data" / "fleet_2013_2016.parquet"

fleets = st.builds(
    fleet,
    seed=st.integers(0, 1000),
    drives=st.sampled_from([3, 40, 600, 5000]),
    models=st.integers(2, 30),
    days=st.just(700),
)


def quarters(first: date, last: date) -> list[date]:
    found = [quarter_of(first)]
    while next_quarter(found[-1]) <= last:
        found.append(next_quarter(found[-1]))
    return found


def rectangles(layout: Layout, style: Style) -> list[tuple[int, int, int, int]]:
    """Left, top, right and bottom of each segment with its label."""
    return [
        (
            segment.x,
            segment.bottom - segment.slots // segment.per_row * layout.cell,
            segment.x + segment.per_row * layout.cell - style.gap(layout.cell),
            segment.bottom + style.label * style.scale,
        )
        for segment in layout.segments
    ]


def history(drives: pl.DataFrame, style: Style) -> list[Layout]:
    """The layout after each quarter."""
    layouts: list[Layout] = []
    for quarter in censuses(drives, quarters(START, drives["first_seen"].max())):
        layouts.append(extend(layouts[-1] if layouts else None, quarter, style))
    return layouts


@given(fleets, st.sampled_from([HD, UHD]))
@settings(max_examples=25, deadline=None)
def test_every_drive_has_a_place_and_nothing_overlaps(drives, style):
    layout = history(drives, style)[-1]
    capacity = layout.capacity()
    for model, count in drives.filter(~pl.col("boot")).group_by("model").len().iter_rows():
        assert capacity[model] >= count
    boxes = rectangles(layout, style)
    for number, (left, top, right, bottom) in enumerate(boxes):
        assert style.panel * style.scale < top < bottom <= style.height
        assert 0 <= left < right <= style.width
        for other_left, other_top, other_right, other_bottom in boxes[:number]:
            apart = right <= other_left or other_right <= left
            assert apart or bottom <= other_top or other_bottom <= top


@given(fleets)
@settings(max_examples=15, deadline=None)
def test_models_enter_from_left_to_right_when_packed(drives):
    layout = build([census(drives)], HD)
    order = census(drives)["model"].to_list()
    left = [next(s.x for s in layout.segments if s.model == model) for model in order]
    assert left == sorted(left)


@given(fleets)
@settings(max_examples=15, deadline=None)
def test_a_quarter_without_a_packing_only_adds(drives):
    layouts = history(drives, HD)
    for before, after in pairwise(layouts):
        if before.anchor == after.anchor:
            assert after.segments[: len(before.segments)] == before.segments


def test_the_layout_of_the_past_follows_from_the_newest_table():
    drives = fleet(seed=3, days=700)
    past = quarters(START, date(2014, 3, 31))
    as_it_was = known_on(drives, date(2014, 3, 31))
    assert build(censuses(drives, past), HD) == build(censuses(as_it_was, past), HD)
    assert build(censuses(drives, reversed(past)), HD) == build(censuses(drives, past), HD)


def test_json_keeps_everything():
    layout = history(fleet(), HD)[-1]
    assert Layout.from_json(layout.to_json()) == layout


def test_boot_drives_are_left_out_unless_wanted():
    drives = fleet(models=5)
    boot = set(drives.filter("boot")["model"])
    assert boot
    assert not boot & set(census(drives)["model"])
    assert boot <= set(census(drives, boot_drives=True)["model"])


def test_the_census_counts_what_was_gained_in_a_year():
    first_seen = [START, START, START + timedelta(days=10), START + timedelta(days=500)]
    drives = with_slots(
        pl.DataFrame(
            {
                "serial_number": ["a", "b", "c", "d"],
                "model": ["ST1"] * 4,
                "maker": "Seagate",
                "boot": False,
                "capacity_bytes": 1,
                "first_seen": first_seen,
            }
        )
    )
    assert census(drives)["gained"].to_list() == [1]
    assert census(drives, START + timedelta(days=30))["gained"].to_list() == [1]
    assert census(drives)["drives"].to_list() == [4]


@pytest.mark.parametrize(("drives", "cell"), [(100, 48), (5000, 15), (500_000, 1)])
def test_squares_are_as_large_as_the_fleet_allows(drives, cell):
    models = pl.DataFrame(
        {
            "model": [f"ST{number}" for number in range(10)],
            "drives": [drives // 10] * 10,
            "gained": [0] * 10,
        }
    )
    assert build([models], HD).cell == cell


def test_too_many_drives_are_an_error_that_says_what_to_do():
    models = pl.DataFrame({"model": ["ST1"], "drives": [3_000_000], "gained": [0]})
    with pytest.raises(DataError, match="2160p"):
        build([models], HD)
    with pytest.raises(DataError, match="import a quarter"):
        build([], HD)


@needs(REAL_FLEET)
@pytest.mark.parametrize("style", [HD, UHD])
def test_the_real_fleet_is_packed_anew_rarely(style):
    real = pl.read_parquet(REAL_FLEET).with_columns(
        boot=pl.col("capacity_tb") < 0.9, maker=pl.lit(""), capacity_bytes=pl.lit(1)
    )
    layouts = history(with_slots(real), style)
    anchors = [layout.anchor for layout in layouts]
    assert len(anchors) == 14
    assert len(set(anchors)) <= 5
    assert anchors[-1] == anchors[-2], "2016-Q3 must not move the quarters before it"
