from datetime import timedelta

from backblaze_assets.film.measures import measures
from backblaze_assets.film.packing import FREE
from backblaze_assets.film.style import Style
from backblaze_assets_tests.film.fleets import (
    START,
    fleet,
    history,
)

HD = Style.named("1080p")
LAST = START + timedelta(days=700)


def test_measures_say_how_much_of_the_canvas_is_used():
    drives = fleet(seed=4, drives=5000, models=9, days=700)
    for known, layout in history(drives, LAST, HD):
        found = measures(layout, known, HD)
        assert 0.2 < found["fill"] <= found["room"] < 0.95
        assert 0 <= found["moved"] <= 1
        assert found["blocks"] == len(layout.scene.packing.blocks)
        shelves = {block.shelf for block in layout.scene.packing.blocks} - {FREE}
        assert len(shelves) <= found["shelves"]
