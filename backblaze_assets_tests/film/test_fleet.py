from datetime import timedelta

import numpy as np
import polars as pl

from backblaze_assets.film.fleet import Drives, places
from backblaze_assets.film.style import QUARTERS, Style
from backblaze_assets_tests.film.fleets import (
    START,
    fleet,
    history,
)

HD = Style.named("1080p")
LAST = START + timedelta(days=700)


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
