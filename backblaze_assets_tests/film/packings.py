"""Random demands of blocks, and what must be true of every packing."""

from hypothesis import strategies as st

from backblaze_assets.film.packing import Demand
from backblaze_assets.film.style import QUARTERS
from backblaze_assets_tests.film.fleets import START


def demands_of(rows):
    """Blocks by drives in use, what else was first seen within a year, and within the quarter."""
    return [
        Demand(f"M{at}", (f"M{at}",), f"Maker {at % 3}", START, need, gain, gain + more)
        for at, (need, more, gain) in enumerate(rows)
    ]


demands = st.lists(
    st.tuples(st.integers(1, 60_000), st.integers(0, 9_000), st.integers(0, 4_000)),
    min_size=1,
    max_size=45,
).map(demands_of)


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
        # In the free part whole cells within the width of a column.
        assert right - left > style.narrowest - packing.cell[0] / QUARTERS
        for other_left, other_top, other_right, other_bottom in found[:number]:
            apart = right <= other_left or other_right <= left
            assert apart or bottom <= other_top or other_bottom <= top
