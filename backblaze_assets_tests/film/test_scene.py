from datetime import timedelta

import polars as pl
import pytest

from backblaze_assets.errors import DataError
from backblaze_assets.film.style import Style
from backblaze_assets_tests.film.fleets import (
    START,
    fleet,
    history,
    models_of,
    one_quarter,
)
from backblaze_assets_tests.film.packings import assert_apart

HD = Style.named("1080p")
UPRIGHT = Style.named("upright")
LAST = START + timedelta(days=700)


@pytest.mark.slow
@pytest.mark.parametrize("style", [HD, UPRIGHT])
def test_fleets_of_every_shape_have_a_layout(style):
    one = one_quarter(models_of([("ST1", 1)]), style)
    assert one.scene.packing.cell == (4 * 48, 4 * 48)
    large = one_quarter(models_of([("ST1", 300_000)]), style)
    assert_apart(large.scene.packing, style)
    many = one_quarter(
        models_of([(f"ST{number:04d}", 70 + number % 9) for number in range(3000)]), style
    )
    assert_apart(many.scene.packing, style)
    assert any(label.size.endswith("models") for label in many.labels.values())
    standing = sum(len(block.models) for block in many.scene.packing.blocks)
    assert standing == 3000
    failed = one_quarter(models_of([("ST1", 500)], failed=START + timedelta(days=3)), style)
    assert failed.service[-1] == 0
    assert failed.failed[-1] == 500


@pytest.mark.slow
def test_too_many_drives_are_an_error_that_says_what_to_do():
    with pytest.raises(DataError, match="2160p"):
        one_quarter(models_of([("ST1", 2_000_000)]), HD)


def test_models_without_a_drive_go_to_the_footer():
    drives = fleet(seed=4, drives=2000, models=9, days=700)
    _, layout = history(drives, LAST, HD)[-1]
    standing = {model for block in layout.scene.packing.blocks for model in block.models}
    retired = {model for model, _, _ in layout.scene.retired}
    assert not standing & retired
    data = drives.filter(~pl.col("boot"))
    assert standing | retired == set(data["model"])
