from dataclasses import replace
from datetime import date, timedelta
from functools import cache
from itertools import pairwise

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backblaze_assets.drive_stats.afr import afr_table
from backblaze_assets.errors import DataError
from backblaze_assets.film.fleet import Drives, places
from backblaze_assets.film.layout import FilmLayout, extend, measures, short_names
from backblaze_assets.film.packing import FREE, Demand, grow, pack
from backblaze_assets.film.rates import trailing_year
from backblaze_assets.film.render import outline, route
from backblaze_assets.film.style import QUARTERS, Style
from backblaze_assets_tests.film.fleets import (
    START,
    calendar,
    daily,
    fleet,
    history,
    known_on,
    lifetimes,
    with_slots,
)

HD = Style.named("1080p")
UPRIGHT = Style.named("upright")
LAST = START + timedelta(days=700)

demands = st.lists(
    st.tuples(st.integers(1, 60_000), st.integers(0, 9_000), st.integers(0, 4_000)),
    min_size=1,
    max_size=45,
).map(
    lambda rows: [
        Demand(f"M{at}", (f"M{at}",), f"Maker {at % 3}", START, need, gain, gain + more)
        for at, (need, more, gain) in enumerate(rows)
    ]
)


def boxes(packing, style):
    """Left, top, right and bottom of each block with its label."""
    return [
        (
            block.x,
            block.bottom - block.height(packing.cell),
            block.x + block.width(packing.cell),
            block.bottom + style.label,
        )
        for block in packing.blocks
    ]


def assert_apart(packing, style):
    found = boxes(packing, style)
    for number, (left, top, right, bottom) in enumerate(found):
        assert style.panel < top < bottom <= style.base_height - packing.footer
        assert style.margin <= left < right <= style.base_width - style.margin + 1
        assert right - left >= style.narrowest
        for other_left, other_top, other_right, other_bottom in found[:number]:
            apart = right <= other_left or other_right <= left
            assert apart or bottom <= other_top or other_bottom <= top


@given(demands, st.sampled_from([HD, UPRIGHT]), st.sampled_from([0, 22, 40]))
@settings(max_examples=25, deadline=None)
def test_every_block_has_room_and_none_overlap(wanted, style, footer):
    packing = pack(wanted, footer, style)
    if packing is None:
        assert sum(demand.need for demand in wanted) > 100_000
        return
    slots = {block.name: block.slots for block in packing.blocks}
    assert all(slots[demand.name] >= demand.need for demand in wanted)
    assert_apart(packing, style)
    for shelf in range(len(packing.tops)):
        standing = [block for block in packing.blocks if block.shelf == shelf]
        assert len({(block.bottom, block.rows) for block in standing}) == 1


@given(demands, st.integers(0, 1000))
@settings(max_examples=25, deadline=None)
def test_an_era_that_grows_moves_only_what_is_full(wanted, seed):
    packing = pack(wanted, 22, HD)
    if packing is None:
        return
    random = np.random.default_rng(seed)
    later = [
        replace(one, need=one.need + int(random.integers(0, 3) * one.need // 4)) for one in wanted
    ]
    grown = grow(packing, [*later, Demand("new", ("new",), "Maker", START, 40, 40, 40)], HD)
    if grown is None:
        return
    assert_apart(grown, HD)
    before = {block.name: block for block in packing.blocks}
    for block in grown.blocks:
        old = before.get(block.name)
        need = next((one.need for one in later if one.name == block.name), 40)
        assert block.slots >= need
        if old is not None and old.slots >= need:
            assert block == old


@cache
def a_scene():
    return one_quarter(table([("ST1", 100)])).scene


@given(demands)
@settings(max_examples=15, deadline=None)
def test_the_line_to_a_block_crosses_no_block_and_no_label(wanted):
    packing = pack(wanted, 0, HD)
    if packing is None:
        return
    grown = grow(packing, [*wanted, Demand("new", ("new",), "Maker", START, 40, 40, 40)], HD)
    scene = replace(a_scene(), packing=grown or packing)
    others = dict(
        zip((block.name for block in scene.packing.blocks), boxes(scene.packing, HD), strict=False)
    )
    for block in scene.packing.blocks:
        line = route(scene, block, HD)
        assert line[0] == outline(scene, block, HD)[:2]
        assert line[-1][1] == HD.panel
        for (x0, y0), (x1, y1) in pairwise(line):
            assert x0 == x1 or y0 == y1
            left, right = min(x0, x1), max(x0, x1) + 3
            top, bottom = min(y0, y1), max(y0, y1) + 3
            for name, (a, b, c, d) in others.items():
                if name != block.name:
                    assert right <= a or c <= left or bottom <= b or d - 4 <= top


def test_a_new_quarter_changes_no_earlier_layout():
    drives = fleet(seed=3, drives=3000, days=700)
    rows = daily(drives, LAST)
    long = history(drives, LAST, HD, rows)
    short = history(known_on(drives, date(2014, 6, 30)), date(2014, 6, 30), HD, rows)
    assert len(short) == 5
    for (_, one), (_, other) in zip(short, long, strict=False):
        assert one.to_json() == other.to_json()


def test_every_drive_in_service_has_a_cell_of_its_own():
    drives = fleet(seed=5, drives=4000, models=14, days=700)
    for known, layout in history(drives, LAST, HD):
        table = Drives.of(known, layout.start, boot_drives=False)
        scene = layout.scene
        found = places(table, scene.packing, scene.since, scene.gone, HD)
        begin = table.number(scene.since)
        kept = (table.removed_on > begin) & (table.failed_on >= begin)
        assert (found.x[kept] >= 0).all()
        spots = list(zip(found.x[kept].tolist(), found.y[kept].tolist(), strict=True))
        assert len(set(spots)) == len(spots)
        gap = scene.packing.gap
        width, height = scene.packing.cell
        assert set((found.width[kept] + gap).tolist()) <= {width // QUARTERS, -(-width // QUARTERS)}
        assert (found.height[kept] > 0).all()
        assert abs(found.height[kept].mean() + gap - height / QUARTERS) < 0.5


def test_the_pile_holds_the_drives_that_failed_before_the_era():
    drives = fleet(seed=5, drives=4000, models=6, days=700)
    known, layout = history(drives, LAST, HD)[-1]
    scene = layout.scene
    table = Drives.of(known, layout.start, boot_drives=False)
    here = table.here(scene.gone)
    begin = table.number(scene.since)
    assert layout.eras > 1
    for block in scene.packing.blocks:
        rows = table.members(block.models, scene.since, here)
        failed = table.failed_on[rows] < begin
        pile = int(failed.sum())
        assert failed[:pile].all()
        assert (np.diff(table.failed_on[rows[:pile]]) >= 0).all()
        assert (np.diff(table.first_seen[rows[pile:]]) >= 0).all()
        assert (table.removed_on[rows] > begin).all()


def test_a_drive_that_comes_back_moves_no_other():
    drives = fleet(seed=1, drives=800, models=3, days=700)
    (known, layout), *_ = [
        (known, layout) for known, layout in history(drives, LAST, HD) if layout.scene.gone
    ]
    table = Drives.of(known, layout.start, boot_drives=False)
    scene = layout.scene
    before = places(table, scene.packing, scene.since, scene.gone, HD)
    back = known.with_columns(removed_on=pl.lit(None, pl.Date))
    after = places(
        Drives.of(back, layout.start, boot_drives=False),
        scene.packing,
        scene.since,
        scene.gone,
        HD,
    )
    assert (before.x == after.x).all()
    assert (before.y == after.y).all()


def test_rates_on_the_film_are_those_of_the_tables():
    drives = fleet(seed=8, drives=4000, models=6, days=700)
    rows = daily(drives, LAST)
    end = date(2014, 12, 31)
    _known, layout = history(known_on(drives, end), end, HD, rows.filter(pl.col("date") <= end))[-1]
    # afr_table reads files; its window of a year is summed here from the same rows.
    year = rows.filter(pl.col("date").is_between(date(2014, 1, 1), end))
    sums = year.group_by("model").agg(pl.col("drives").sum(), pl.col("failures").sum())
    number = (end - layout.start).days
    compared = 0
    for model, drive_days, failures in sums.iter_rows():
        if model in layout.labels and drive_days >= 3650:
            afr = 100 * 365 * failures / drive_days
            assert layout.labels[model].rate(number)[0] == f"{afr:.1f} %"
            compared += 1
    assert compared >= 3


def test_rates_equal_afr_table_to_the_printed_digit(tmp_path):
    drives = fleet(seed=8, drives=3000, models=5, days=400)
    last = date(2014, 3, 31)
    rows = daily(drives, last)
    known, layout = history(known_on(drives, last), last, HD, rows)[-1]
    files = {}
    for (day,), part in rows.group_by("date"):
        files[day] = tmp_path / f"{day}.parquet"
        part.write_parquet(files[day])
    table = afr_table(lifetimes(known, calendar(last)), files, date(2014, 1, 1))
    year = table.filter(
        (pl.col("window") == "year") & (pl.col("kind") == "model") & ~pl.col("boot")
    )
    said = 0
    for row in year.iter_rows(named=True):
        label = layout.labels.get(row["model"])
        text = label.rate(len(layout.service) - 1)[0] if label else ""
        if text:
            assert text == f"{row['afr']:.1f} %"
            said += 1
    assert said >= 3
    total = 100 * 365 * year["failures"].sum() / year["drive_days"].sum()
    assert layout.rate[-1] == round(100 * total)


def test_the_trailing_year_begins_as_in_the_tables():
    assert trailing_year(date(2016, 9, 30)) == date(2015, 10, 1)
    assert trailing_year(date(2016, 2, 28)) == date(2015, 3, 1)
    assert trailing_year(date(2016, 2, 29)) == date(2015, 3, 1)
    assert trailing_year(date(2014, 12, 31)) == date(2014, 1, 1)


def test_figures_are_those_of_the_drives_in_service():
    drives = fleet(seed=2)
    for known, layout in history(drives, START + timedelta(days=400), HD):
        data = known.filter(~pl.col("boot"))
        for day in (layout.days[0], layout.days[-1]):
            seen = known_on(data, day)
            alive = seen.filter(pl.col("failed_on").is_null() & pl.col("removed_on").is_null())
            number = (day - layout.start).days
            assert layout.service[number] == len(alive)
            assert layout.failed[number - layout.first] == seen["failed_on"].count()
            assert layout.capacity[number - layout.first] == alive["capacity_bytes"].sum()


def test_json_keeps_everything():
    for _, layout in history(fleet(days=700), LAST, HD):
        again = FilmLayout.from_json(layout.to_json())
        assert again == layout
        assert again.to_json() == layout.to_json()
    with pytest.raises(DataError, match="film_layout again"):
        FilmLayout.from_json("{}")


def test_names_are_unique():
    models = ["Hitachi HDS5C4040ALE630", "HGST HDS5C4040ALE630", "ST4000DM000"]
    assert short_names(models) == {
        "Hitachi HDS5C4040ALE630": "Hitachi HDS5C4040ALE630",
        "HGST HDS5C4040ALE630": "HGST HDS5C4040ALE630",
        "ST4000DM000": "ST4000DM000",
    }
    assert short_names(models[1:])["HGST HDS5C4040ALE630"] == "HDS5C4040ALE630"


def table(models, *, failed=None, first=START):
    """Drives of `models` (name and number), all there on the first day."""
    names = [name for name, count in models for _ in range(count)]
    return with_slots(
        pl.DataFrame(
            {
                "serial_number": [f"S{number:07d}" for number in range(len(names))],
                "model": names,
                "maker": "Seagate",
                "boot": False,
                "capacity_bytes": 4 * 10**12,
                "first_seen": first,
                "failed_on": failed,
                "removed_on": None,
            },
            schema_overrides={"failed_on": pl.Date, "removed_on": pl.Date},
        )
    )


def one_quarter(drives, style=HD):
    """The layout of the first quarter, without rates."""
    last = START + timedelta(days=80)
    nothing = daily(drives.head(0), last)
    return extend(None, date(2013, 4, 1), lifetimes(drives, calendar(last)), nothing, style)


@pytest.mark.parametrize("style", [HD, UPRIGHT])
def test_fleets_of_every_shape_have_a_layout(style):
    one = one_quarter(table([("ST1", 1)]), style)
    assert one.scene.packing.cell == (4 * 48, 4 * 48)
    large = one_quarter(table([("ST1", 300_000)]), style)
    assert_apart(large.scene.packing, style)
    many = one_quarter(
        table([(f"ST{number:04d}", 70 + number % 9) for number in range(3000)]), style
    )
    assert_apart(many.scene.packing, style)
    assert any(label.size.endswith("models") for label in many.labels.values())
    standing = sum(len(block.models) for block in many.scene.packing.blocks)
    assert standing == 3000
    failed = one_quarter(table([("ST1", 500)], failed=START + timedelta(days=3)), style)
    assert failed.service[-1] == 0
    assert failed.failed[-1] == 500


def test_too_many_drives_are_an_error_that_says_what_to_do():
    with pytest.raises(DataError, match="2160p"):
        one_quarter(table([("ST1", 2_000_000)]))


def test_a_quarter_without_drives_is_an_error_that_says_so():
    with pytest.raises(DataError, match="no data drives"):
        one_quarter(table([("ST1", 3)]).with_columns(boot=True))


def test_another_format_cannot_be_continued():
    drives = fleet(drives=50)
    first = history(drives, date(2013, 6, 30), HD)[-1][1]
    days = calendar(date(2013, 9, 30))
    with pytest.raises(DataError, match="another format"):
        extend(
            first, date(2013, 7, 1), lifetimes(drives, days), daily(drives.head(0), START), UPRIGHT
        )


def test_a_cut_is_carried_forward_and_said():
    drives = fleet(seed=2)
    first = history(drives, date(2013, 6, 30), HD)[-1][1]
    last = date(2013, 12, 31)
    days = calendar(last).filter(pl.col("quarter") != date(2013, 7, 1))
    known = known_on(drives, last)
    layout = extend(first, date(2013, 10, 1), lifetimes(known, days), daily(known, last), HD)
    gap = [day for day, share in layout.odd_days if share == -1]
    assert gap == list(range(82, 174))
    assert len(layout.service) == (last - START).days + 1
    assert set(layout.service[82:174]) == {layout.service[81]}


def test_models_without_a_drive_go_to_the_footer():
    drives = fleet(seed=4, drives=2000, models=9, days=700)
    _, layout = history(drives, LAST, HD)[-1]
    standing = {model for block in layout.scene.packing.blocks for model in block.models}
    retired = {model for model, _, _ in layout.scene.retired}
    assert not standing & retired
    data = drives.filter(~pl.col("boot"))
    assert standing | retired == set(data["model"])


def test_measures_say_how_much_of_the_canvas_is_used():
    drives = fleet(seed=4, drives=5000, models=9, days=700)
    for known, layout in history(drives, LAST, HD):
        found = measures(layout, known, HD)
        assert 0.2 < found["fill"] <= found["room"] < 0.95
        assert 0 <= found["moved"] <= 1
        assert found["blocks"] == len(layout.scene.packing.blocks)
        shelves = {block.shelf for block in layout.scene.packing.blocks} - {FREE}
        assert len(shelves) <= found["shelves"]


def test_a_quarter_without_a_report_carries_the_days_before_forward():
    drives = fleet(seed=2)
    first = history(drives, date(2013, 6, 30), HD)[-1][1]
    last = date(2013, 9, 30)
    days = calendar(last).with_columns(
        reported=pl.col("date") < date(2013, 7, 1),
        rows=pl.when(pl.col("date") < date(2013, 7, 1)).then(1).otherwise(0).cast(pl.Int64),
    )
    known = known_on(drives, date(2013, 6, 30))
    rows = daily(known, date(2013, 6, 30))
    layout = extend(first, date(2013, 7, 1), lifetimes(known, days), rows, HD)
    assert [share for _, share in layout.odd_days] == [0] * 92
    assert set(layout.service[82:]) == {layout.service[81]}
    assert layout.failed[-1] == first.failed[-1]
