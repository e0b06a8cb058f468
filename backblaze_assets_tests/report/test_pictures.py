"""The pictures of tables, read back pixel by pixel."""

import io
from datetime import date, timedelta
from itertools import pairwise

import numpy as np
import polars as pl
import pytest
from PIL import Image

from backblaze_assets.drive_stats.survival import SURVIVAL_SCHEMA
from backblaze_assets.report import pictures
from backblaze_assets_tests.drive_stats.tables import afr_rows
from backblaze_assets_tests.report.test_page import with_rates

QUARTER = date(2014, 4, 1)
WIDTH = 2 * pictures.BASE


def read(png: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(png)) as image:
        return np.asarray(image.convert("RGB"), np.int16)


def near(pixels: np.ndarray, colour: pictures.Colour) -> np.ndarray:
    """Where a picture has a colour, but for rounding to a palette."""
    return np.abs(pixels - np.array(colour)).max(axis=-1) <= 6


def columns(found: np.ndarray) -> np.ndarray:
    return np.flatnonzero(found.any(axis=0))


@pytest.fixture(scope="module")
def rates() -> np.ndarray:
    counts = {"bad": (900, 90_000, 90), "middle": (900, 90_000, 12), "good": (9000, 900_000, 30)}
    rows = [
        {"model": model, "window": "year", "drives_end": drives, "drive_days": days,
         "failures": failures, "status": "published", "maker": "HGST", "capacity_tb": 4.0}
        for model, (drives, days, failures) in counts.items()
    ]  # fmt: skip
    return read(pictures.rates(with_rates(afr_rows(rows)), QUARTER, WIDTH))


def test_rates_stand_by_upper_bound_in_the_colour_of_their_verdict(rates):
    plot = rates[:, 360:850]
    rows = [np.flatnonzero(near(plot, ink).any(axis=1)) for ink in
            (pictures.BELOW, pictures.NEITHER, pictures.ABOVE)]  # fmt: skip
    for higher, lower in pairwise(rows):
        assert higher.max() < lower.min()


def test_rates_and_intervals_are_to_scale(rates):
    # bad: 36.5 %, interval 29.4 - 44.9 on an axis to 50; good: 1.22 %, 0.82 - 1.74.
    plot = rates[:, 330:900]
    high, low = columns(near(plot, pictures.ABOVE)), columns(near(plot, pictures.BELOW))
    assert high.max() - high.min() == pytest.approx((44.87 - 29.35) / 50 * 552, abs=4)
    assert low.min() + 330 == pytest.approx(344 + 1.22 / 50 * 552 - 7.2, abs=3)


def lives(counts):
    """Drives of each size that came on a day and left on another, if they did."""
    rows = [
        (came, None, left, False, size * 10**12)
        for size, came, left, count in counts
        for _ in range(count)
    ]
    schema = {"first_seen": pl.Date, "failed_on": pl.Date, "removed_on": pl.Date,
              "boot": pl.Boolean, "capacity_bytes": pl.Int64}  # fmt: skip
    return pl.DataFrame(rows, schema, orient="row")


def test_the_fleet_is_as_high_as_its_drives_and_layered_by_size():
    first, last = date(2013, 4, 10), date(2014, 4, 10)
    drives = lives([(2, first, None, 100), (4, date(2013, 10, 1), None, 200),
                    (8, first, date(2013, 8, 1), 50)])  # fmt: skip
    pixels = read(pictures.fleet(drives, last, WIDTH))
    end = pixels[:, 2 * (pictures.BASE - 104) - 6]  # just before the last day
    heights = [int(near(end[:, None], colour).sum()) for colour in pictures.STEPS[:2]]
    assert heights[1] / heights[0] == pytest.approx(2, rel=0.05)
    begin = pixels[:, 2 * 44 + 4]
    heights_then = [int(near(begin[:, None], pictures.STEPS[n]).sum()) for n in range(3)]
    assert heights_then[1] <= 1
    assert heights_then[0] / heights_then[2] == pytest.approx(2, rel=0.1)
    assert heights[0] == pytest.approx(heights_then[0], abs=2)


def test_a_drive_that_failed_today_is_still_counted_and_tomorrow_is_not():
    day = date(2014, 4, 10)
    drives = lives([(2, day - timedelta(days=9), None, 3)])
    drives = drives.with_columns(failed_on=pl.Series([None, day, day - timedelta(days=1)]))
    found = read(pictures.fleet(drives, day, WIDTH))[:, 2 * (pictures.BASE - 104) - 6]
    height = int(near(found[:, None], pictures.STEPS[0]).sum())
    assert height == pytest.approx(2 * 174 * 2 / 3, abs=12)


def curve(kind, group, failed):
    return [
        {"kind": kind, "group": group, "age_years": 0.25 * step, "followed": 1000, "boot": False,
         "supported": True, "survival": 1 - failed * step / 12}
        for step in range(1, 13)
    ]  # fmt: skip


def test_curves_rise_to_what_failed():
    rows = curve("all", "data drives", 0.1) + curve("model", "A", 0.2)
    table = pl.DataFrame(
        [{name: row.get(name) for name in SURVIVAL_SCHEMA.names()} for row in rows],
        schema=SURVIVAL_SCHEMA,
    )
    pixels = read(pictures.survival(table, QUARTER, WIDTH))[100:500, 64 : 2 * 412]
    tips = [
        500 - 100 - np.flatnonzero(near(pixels, ink)[:, -60:-40].any(axis=1)).mean()
        for ink in (pictures.LINES[0], pictures.INK)
    ]
    above = [tip - (500 - 2 * 246) for tip in tips]
    assert above[0] / above[1] == pytest.approx(2, rel=0.03)


def test_the_bars_of_a_day_are_as_long_as_its_drives():
    counts = pl.DataFrame(
        {
            "boot": [False, False, False, True],
            "capacity_bytes": [2 * 10**12, 2 * 10**12, 4 * 10**12, 10**11],
            "drives": [60, 40, 200, 999],
            "failures": [1, 0, 0, 5],
        }
    )
    pixels = read(pictures.day(counts, QUARTER, WIDTH))
    bars = near(pixels, pictures.STEPS[3]).sum(axis=1)
    lengths = sorted({int(length) for length in bars if length > 50})
    assert lengths[-1] / lengths[0] == pytest.approx(2, rel=0.03)


@pytest.mark.parametrize("width", [40, 540, 1080])
def test_empty_tables_have_a_picture_that_says_so(width):
    empty = afr_rows([{"model": "A", "window": "quarter"}]).clear()
    for png in (
        pictures.rates(empty, QUARTER, width),
        pictures.survival(SURVIVAL_SCHEMA.to_frame(), QUARTER, width),
        pictures.fleet(lives([]), QUARTER, width),
    ):
        pixels = read(png)
        assert pixels.shape[1] == width
        assert not near(pixels, pictures.PAPER).all()
