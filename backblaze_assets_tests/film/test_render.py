import io
from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from backblaze_assets.errors import DataError
from backblaze_assets.files.origin import Origin, digest
from backblaze_assets.film.captions import Caption
from backblaze_assets.film.fleet import NEVER, Drives
from backblaze_assets.film.panel import credit, notice_of
from backblaze_assets.film.render import Renderer
from backblaze_assets.film.rings import LIVES, lives
from backblaze_assets.film.style import EMBER_DAYS, GLIDE_DAYS, NEW_DAYS, Style
from backblaze_assets_tests.film.fleets import (
    START,
    daily,
    fleet,
    history,
    known_on,
    with_slots,
)

HD = Style.named("1080p")
LAST = START + timedelta(days=630)
ORIGIN = Origin("frames", None, "code", sources={"data_2013.zip": "hash"})
DRIVES = fleet(seed=11, drives=4000, models=9, days=700)
HISTORY = history(DRIVES, LAST, HD)


def on(number: int) -> date:
    return START + timedelta(days=number)


def one_drive(**events: date) -> pl.DataFrame:
    """A fleet of one drive, first seen on day 20, beside some that were there before."""
    values = {"failed_on": None, "removed_on": None, **events}
    return with_slots(
        pl.DataFrame(
            {
                "serial_number": ["old", "older", "new"],
                "model": ["ST1", "ST1", "ST2"],
                "maker": "Seagate",
                "boot": False,
                "capacity_bytes": [10**12, 10**12, 4 * 10**12],
                "first_seen": [START, START, on(20)],
                **{name: [None, None, day] for name, day in values.items()},
            },
            schema_overrides={"failed_on": pl.Date, "removed_on": pl.Date},
        )
    )


def colour_of_the_new_drive(drives: pl.DataFrame, day: int) -> tuple[int, ...]:
    """Of the corner of its square, on a day of the first quarter, without captions."""
    known, layout = history(known_on(drives, on(81)), on(81), HD)[-1]
    layout = replace(layout, captions=())
    drawing = Renderer(known, layout, HD)
    return tuple(drawing.frame(on(day))[drawing.places.y[2], drawing.places.x[2]].tolist())


def test_a_drive_appears_white_and_cools_down():
    drives = one_drive()
    assert colour_of_the_new_drive(drives, 19) == HD.reserved
    assert colour_of_the_new_drive(drives, 20) == HD.new
    shades = [colour_of_the_new_drive(drives, 20 + age)[0] for age in (1, 10, 30, NEW_DAYS)]
    assert shades == sorted(shades, reverse=True)
    assert colour_of_the_new_drive(drives, 20 + NEW_DAYS) == HD.service


def test_drives_of_the_first_day_are_not_new():
    known, layout = history(known_on(DRIVES, on(81)), on(81), HD)[-1]
    frame = Renderer(known, replace(layout, captions=()), HD).frame(START)
    assert not (frame[HD.panel :] == HD.new).all(axis=2).any()


def test_a_removed_drive_is_dark_and_a_failed_one_stays_orange():
    gone = one_drive(removed_on=on(60))
    assert colour_of_the_new_drive(gone, 59) != HD.removed
    assert colour_of_the_new_drive(gone, 60) == HD.removed
    failed = one_drive(failed_on=on(40), removed_on=on(60))
    assert colour_of_the_new_drive(failed, 40) == HD.flash
    for day in (40 + EMBER_DAYS, 75):
        assert colour_of_the_new_drive(failed, day) == HD.failed


def test_a_ring_grows_around_a_failure_and_is_gone_after_its_life():
    drives = one_drive(failed_on=on(22))
    calm = one_drive()
    known, layout = history(known_on(drives, on(81)), on(81), HD)[-1]
    layout = replace(layout, captions=())
    with_ring, without = Renderer(known, layout, HD), Renderer(calm, layout, HD)
    at = with_ring.places
    x, y = at.x[2] + at.width[2] // 2, at.y[2] + at.height[2] // 2
    above = slice(HD.panel, y)  # the label, which is below, tells that no drive is left

    def differing(age):
        frames = [drawing.frame(on(22 + age)).astype(int) for drawing in (with_ring, without)]
        return np.argwhere(np.abs(frames[0] - frames[1])[above].sum(axis=2) > 30)

    reach = [(differing(age)[:, 1] - x).max() for age in (4, 12, 30)]
    assert at.width[2] // 2 <= reach[0] < reach[1] < reach[2]
    assert np.abs(differing(LIVES[1])[:, 1] - x).max() == at.width[2] // 2


def test_about_as_many_rings_are_alive_however_many_drives_fail():
    random = np.random.default_rng(1)
    for failures in (3000, 30_000):
        on_day = np.sort(random.integers(0, 600, failures)).astype(np.int32)
        empty = np.full(failures, NEVER, np.int32)
        drives = Drives(START, {}, np.zeros_like(on_day), on_day, empty, empty.astype(np.int64))
        life = lives(drives)
        alive = (on_day <= 500) & (500 - on_day < life)
        assert 80 <= alive.sum() <= 500
    assert life.min() >= 0


def assert_same_as_anew(known, layout, style, days):
    kept = Renderer(known, layout, style)
    for day in days:
        anew = Renderer(known, layout, style)
        assert (kept.frame(day) == anew.frame(day)).all()
        assert kept.encoded(day) == anew.encoded(day)


@pytest.mark.slow
@given(st.sampled_from(range(len(HISTORY))), st.lists(st.integers(0, 88), min_size=2, max_size=3))
@settings(max_examples=4, deadline=None)
def test_drawing_on_is_the_same_as_drawing_anew(number, days):
    known, layout = HISTORY[number]
    days = [min(day, len(layout.days) - 1) for day in [*days, days[-1] + 1, days[-1] + 3]]
    assert_same_as_anew(known, layout, HD, [layout.days[day] for day in days])


@pytest.mark.slow
def test_drawing_on_while_some_blocks_move_is_the_same_as_drawing_anew():
    known, layout = next(
        one for one in HISTORY if one[1].before and one[1].before.since == one[1].scene.since
    )
    days = (2, 3, 12, 34, 35, 11, 12)  # into what follows the glide, and back
    assert_same_as_anew(known, layout, HD, [layout.days[day] for day in days])


def test_drawing_on_an_upright_canvas_is_the_same_as_drawing_anew():
    style = Style.named("upright")
    known, layout = history(known_on(DRIVES, on(81)), on(81), style)[-1]
    assert_same_as_anew(known, layout, style, layout.days[40:43])
    with pytest.raises(DataError, match="another format"):
        Renderer(known, layout, HD)


@pytest.mark.parametrize("number", [1, 3, 5])
def test_a_later_quarter_changes_no_frame(number):
    """What is drawn of a quarter is drawn from what was known at its end, and the style."""
    last = HISTORY[number][1].days[-1]
    alone = history(known_on(DRIVES, last), last, HD, daily(DRIVES, LAST))
    day = last - timedelta(days=40)
    before = Renderer(*alone[number], HD).encoded(day)
    after = Renderer(*HISTORY[number], HD).encoded(day)
    assert before == after


def test_squares_fly_from_the_old_era_to_the_new_one():
    known, layout = next(
        one for one in HISTORY if one[1].before and one[1].scene.since == one[1].days[0]
    )
    layout = replace(layout, captions=())
    drawing = Renderer(known, layout, HD)
    first = drawing.frame(layout.days[0])
    before = drawing.frame(layout.days[GLIDE_DAYS - 2]).astype(int)
    after = drawing.frame(layout.days[GLIDE_DAYS - 1]).astype(int)
    middle = drawing.frame(layout.days[GLIDE_DAYS // 2]).astype(int)
    below = slice(HD.panel, None)
    change = [np.abs(after - one)[below].mean() for one in (first, middle, before)]
    assert change[0] > change[2]
    assert change[1] > change[2]
    orange = (middle[below] == HD.failed).all(axis=2).sum()
    assert orange > 0


def test_labels_stay_readable_under_rings():
    known, layout = HISTORY[-1]
    layout = replace(layout, captions=())
    calm = known.with_columns(failed_on=pl.lit(None, pl.Date))
    with_rings, without = (
        Renderer(table, layout, HD).frame(layout.days[-1]) for table in (known, calm)
    )
    checked = 0
    for block in layout.scene.packing.blocks:
        box = slice(block.bottom, block.bottom + HD.label - 4), slice(block.x, block.x + 60)
        letters = (without[box] == HD.text).all(axis=2)
        assert (with_rings[box][letters] == HD.text).all()
        checked += letters.sum()
    assert checked > 100


def test_boot_drives_are_neither_drawn_nor_counted():
    drives = fleet(models=5)
    without = drives.filter(~pl.col("boot"))
    assert len(without) < len(drives)
    last = on(60)
    frames = [
        Renderer(*history(known_on(table, last), last, HD)[-1], HD).frame(last)
        for table in (drives, without)
    ]
    assert (frames[0] == frames[1]).all()


def test_a_caption_is_drawn_with_a_frame_around_its_block():
    known, layout = HISTORY[0]
    block = layout.scene.packing.blocks[-1]
    day = layout.days[30]
    about = Caption(day, "Maker X1", "9 % fail in a year", block.models, first=day, last=day)
    plain = Renderer(known, replace(layout, captions=()), HD).frame(day)
    said = Renderer(known, replace(layout, captions=(about,)), HD).frame(day)
    assert (said[: HD.panel] != plain[: HD.panel]).any()
    left = said[block.bottom - 2, block.x - 5]
    assert tuple(left.tolist()) == HD.high


def test_partial_and_missing_days_are_said():
    _, layout = HISTORY[0]
    odd = ((30, 3), (31, 3), (32, 2), (50, 0))
    layout = replace(layout, odd_days=odd)
    assert notice_of(layout, 29) == ""
    assert notice_of(layout, 30) == "10 May 2013: only 3 % of the drives reported"
    assert notice_of(layout, 32) == "Since 10 May 2013: only 3 % of the drives reported"
    assert notice_of(layout, 40).startswith("10 May 2013 to 12 May 2013: only 3 %")
    assert notice_of(layout, 50) == "No report on 30 May 2013: the day before stands"
    cut = replace(layout, odd_days=tuple((day, -1) for day in range(82, 174)))
    assert notice_of(cut, 174) == "No data: 1 July 2013 to 30 September 2013"
    assert notice_of(cut, 300) == ""


def test_whose_data_they_are_is_said_to_the_month():
    assert credit(START, None) == "Data: Backblaze Drive Stats"
    assert credit(START, date(2016, 10, 1)) == (
        "Data: Backblaze Drive Stats to Sep 2016, then made up from counts"
    )
    # Of a cut of which no day is real.
    assert credit(date(2018, 1, 1), date(2016, 10, 1)) == "Made-up data: no real drive is shown"


def test_synthetic_data_are_called_so_on_the_picture():
    known, layout = HISTORY[0]
    day = layout.days[40]
    real = Renderer(known, layout, HD).frame(day)
    made_up = Renderer(known, replace(layout, synthetic_from=0), HD).frame(day)
    differ = np.argwhere((real != made_up).any(axis=2))
    assert len(differ)
    assert differ[:, 0].max() < HD.panel


@pytest.mark.parametrize(
    "name", ["1080p", pytest.param("2160p", marks=pytest.mark.slow), "upright"]
)
def test_frames_have_the_size_of_the_style(name):
    style = Style.named(name)
    drives = fleet(drives=50)
    drawing = Renderer(*history(known_on(drives, on(60)), on(60), style)[-1], style)
    frame = drawing.frame(on(60))
    assert frame.shape == (style.height, style.width, 3)
    with Image.open(io.BytesIO(drawing.encoded(on(60)))) as image:
        assert image.size == (style.width, style.height)
        assert np.abs(np.asarray(image).astype(int) - frame).mean() < 3


def test_names_of_any_letters_and_length_are_drawn():
    names = ["日本電気 HDD", "W" * 200, "ЖД-4000", "Ω"]
    drives = with_slots(
        pl.DataFrame(
            {
                "serial_number": [f"S{number}" for number in range(40)],
                "model": [names[number % 4] for number in range(40)],
                "maker": "Unknown",
                "boot": False,
                "capacity_bytes": pl.Series([None] * 40, dtype=pl.Int64),
                "first_seen": START,
                "failed_on": None,
                "removed_on": None,
            },
            schema_overrides={"failed_on": pl.Date, "removed_on": pl.Date},
        )
    )
    known, layout = history(drives, on(81), HD)[-1]
    frame = Renderer(known, layout, HD).frame(on(70))
    for block in layout.scene.packing.blocks:
        label = frame[block.bottom + 4 : block.bottom + 36, block.x : block.x + 100]
        assert (label == HD.text).all(axis=2).any()


def test_pixels_of_the_blocks_stay_the_same_to_the_byte():
    """So that a faster way of drawing draws the same. Text is left out: it depends on FreeType."""
    squares = []
    for number in (0, 2, 5):
        known, layout = HISTORY[number]
        drawing = Renderer(known, replace(layout, captions=()), HD)
        at = drawing.places
        rows = np.flatnonzero(at.x >= 0)
        for day in (0, 17, 34, 35, 80):
            frame = drawing.frame(layout.days[min(day, len(layout.days) - 1)])
            corners = np.stack(
                [frame[at.y[rows], at.x[rows]], frame[at.y[rows] + 2, at.x[rows] + 2]]
            )
            squares.append(corners.tobytes())
    assert digest(squares) == "5ee3804b34d4df63a39d667c7b28badd"
