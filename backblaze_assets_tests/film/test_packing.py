from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backblaze_assets.film.packing import FREE, Demand, grow, pack
from backblaze_assets.film.style import Style
from backblaze_assets_tests.film.fleets import START
from backblaze_assets_tests.film.packings import assert_apart, demands, demands_of

HD = Style.named("1080p")
UPRIGHT = Style.named("upright")


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
    check_growth(wanted, seed)


@pytest.mark.slow
@given(demands, st.integers(0, 1000))
@settings(max_examples=500, deadline=None)
def test_many_eras_that_grow_move_only_what_is_full(wanted, seed):
    check_growth(wanted, seed)


@pytest.mark.parametrize(
    "rows",
    [
        # Two of one shelf are full in the same quarter.
        [(1, 0, 0), (6168, 0, 2), (4376, 0, 3), (13474, 0, 2), (57378, 0, 3)],
        # What leaves its shelf comes to stand as low as the shelf.
        [(27, 0, 0), (28, 0, 1411), (1, 0, 200)],
    ],
)
def test_eras_whose_growth_was_wrong(rows):
    check_growth(demands_of(rows), 0)


def check_growth(wanted, seed):
    """Grow by a quarter, and by a new block."""
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
    needs = {one.name: one.need for one in later} | {"new": 40}
    left = {block.shelf for block in packing.blocks if block.slots < needs[block.name]}
    for block in grown.blocks:
        old = before.get(block.name)
        assert block.slots >= needs[block.name]
        if old is not None and old.slots >= needs[block.name]:
            assert block == (replace(old, x=block.x) if old.shelf in left else old)
            assert block.x <= old.x


def test_where_a_block_has_left_the_others_close_up():
    wanted = [Demand(f"M{at}", (f"M{at}",), "Maker", START, 9000 - at, 0, 0) for at in range(12)]
    packing = pack(wanted, 22, HD)
    names = [block.name for block in packing.blocks if block.shelf == 0]
    full = next(one for one in wanted if one.name == names[1])
    later = [replace(one, need=9500) if one == full else one for one in wanted]
    grown = grow(packing, later, HD)
    shelf = sorted((block for block in grown.blocks if block.shelf == 0), key=lambda block: block.x)
    assert [block.name for block in shelf] == [name for name in names if name != full.name]
    for one, other in pairwise(shelf):
        assert other.x - one.x - one.width(grown.cell) == HD.gutter
    ((x, bottom, width, height),) = grown.holes
    end = shelf[-1].x + shelf[-1].width(grown.cell)
    assert (x, bottom) == (end + HD.gutter, shelf[-1].bottom)
    assert x + width == max(block.x + block.width(packing.cell) for block in packing.blocks)
    assert height == shelf[-1].height(grown.cell)
    # What comes next stands there, and leaves the rest.
    new = Demand("new", ("new",), "Maker", START, 40, 0, 0)
    again = grow(grown, [*later, new], HD)
    placed = next(block for block in again.blocks if block.name == "new")
    assert (placed.x, placed.bottom) == (x, bottom)
    assert_apart(again, HD)


def test_a_shelf_that_all_blocks_have_left_is_still_one():
    """What comes to stand there belongs to it, and what has no room there to the free part."""
    wanted = [Demand(f"M{at}", (f"M{at}",), "Maker", START, 9000 - at, 0, 0) for at in range(40)]
    packing = pack(wanted, 22, HD)
    last = len(packing.tops) - 1
    (bottom,) = {block.bottom for block in packing.blocks if block.shelf == last}
    there = tuple(block for block in packing.blocks if block.shelf != last)
    hole = (HD.margin, bottom, HD.narrowest, bottom - packing.tops[last])
    standing = {block.name for block in there}
    later = [one for one in wanted if one.name in standing]
    new = [Demand(f"new {at}", (f"new {at}",), "Maker", START, 40, 0, 0) for at in range(2)]
    grown = grow(replace(packing, blocks=there, holes=(hole,)), [*later, *new], HD)
    shelves = {block.name: block.shelf for block in grown.blocks}
    assert last > 0
    assert (shelves["new 0"], shelves["new 1"]) == (last, FREE)
    assert_apart(grown, HD)
