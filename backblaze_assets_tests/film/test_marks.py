from dataclasses import replace
from functools import cache
from itertools import pairwise

from hypothesis import given, settings

from backblaze_assets.film.marks import outline, route
from backblaze_assets.film.packing import Demand, grow, pack
from backblaze_assets.film.style import Style
from backblaze_assets_tests.film.fleets import (
    START,
    models_of,
    one_quarter,
)
from backblaze_assets_tests.film.packings import boxes, demands

HD = Style.named("1080p")


@cache
def a_scene():
    return one_quarter(models_of([("ST1", 100)]), HD).scene


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
