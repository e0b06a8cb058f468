import io
import json
from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from backblaze_assets.files.origin import Origin, digest
from backblaze_assets.film.jpeg import read_comment
from backblaze_assets.film.layout import build, censuses, extend
from backblaze_assets.film.render import (
    QuarterFrames,
    Renderer,
    render_closing,
    render_days,
    render_quarters,
    thumbnail,
)
from backblaze_assets.film.style import NEW_DAYS, RING_DAYS, Style
from backblaze_assets_tests.film.fleets import (
    START,
    calendar,
    fleet,
    known_on,
    with_slots,
    write_lifetimes,
)
from backblaze_assets_tests.film.test_layout import quarters

HD = Style.named("1080p")
LAST = START + timedelta(days=400)
ORIGIN = Origin("frames", None, "code", sources={"data_2013.zip": "hash"})


def on(number: int) -> date:
    return START + timedelta(days=number)


def layout_of(drives, last=LAST, style=HD):
    return build(censuses(drives, quarters(START, last)), style)


def renderer(drives, style=HD, last=LAST, **days):
    return Renderer(drives, calendar(last, **days), layout_of(drives, last, style), style)


def one_drive(**events: date) -> pl.DataFrame:
    """A fleet of one drive, first seen on day 20, beside one that was there before."""
    values = {"failed_on": None, "removed_on": None, **events}
    return with_slots(
        pl.DataFrame(
            {
                "serial_number": ["old", "new"],
                "model": ["ST1", "ST2"],
                "maker": "Seagate",
                "boot": False,
                "capacity_bytes": [10**12, 4 * 10**12],
                "first_seen": [START, on(20)],
                **{name: [None, day] for name, day in values.items()},
            },
            schema_overrides={"failed_on": pl.Date, "removed_on": pl.Date},
        )
    )


def colour_of_the_new_drive(drawing: Renderer, day: int) -> tuple[int, ...]:
    """Of the outermost corner of its square, where no ring is for long."""
    fleet_drawn = drawing.fleet
    return tuple(drawing.frame(on(day))[fleet_drawn.y[1], fleet_drawn.x[1]].tolist())


def test_a_drive_appears_white_and_turns_grey():
    drawing = renderer(one_drive())
    assert colour_of_the_new_drive(drawing, 19) == HD.background
    assert colour_of_the_new_drive(drawing, 20) == (247, 247, 247)
    assert colour_of_the_new_drive(drawing, 25) == (207, 207, 207)
    assert colour_of_the_new_drive(drawing, 20 + NEW_DAYS) == (151, 151, 151)
    assert colour_of_the_new_drive(drawing, 200) == (151, 151, 151)


def test_a_removed_drive_is_black_from_that_day_on():
    drawing = renderer(one_drive(removed_on=on(100)))
    assert colour_of_the_new_drive(drawing, 99) == (151, 151, 151)
    assert colour_of_the_new_drive(drawing, 100) == (0, 0, 0)
    assert colour_of_the_new_drive(drawing, 400) == (0, 0, 0)


def test_a_failed_drive_stays_red_even_when_it_is_removed():
    drawing = renderer(one_drive(failed_on=on(100), removed_on=on(120)))
    assert colour_of_the_new_drive(drawing, 99) == (151, 151, 151)
    for day in (100 + RING_DAYS, 400):
        assert colour_of_the_new_drive(drawing, day) == (255, 47, 47)


def test_a_ring_grows_and_fades():
    style = replace(HD, cells=(2,))
    drawing = renderer(one_drive(failed_on=on(100)), style)
    x, y = drawing.fleet.x[1] + 1, drawing.fleet.y[1] + 1
    for age in (10, 30, 45):
        row = drawing.frame(on(100 + age))[y, x : x + 60].astype(int)
        reddish = np.flatnonzero(row[:, 0] > row[:, 1])
        width = 3 + 14 * (age + 1) // 48
        outer = reddish[reddish > 1]
        assert abs(outer.max() - (age + 1)) <= 1
        assert abs(outer.min() - (age + 1 - width)) <= 1
        opacity, tint = 255 - 5 * (age + 1), 5 * (age + 1)
        middle = row[outer[len(outer) // 2]]
        expected = [64 + (c - 64) * opacity / 255 for c in (255, tint, tint)]
        assert np.abs(middle - expected).max() <= 2
    assert (drawing.frame(on(100 + RING_DAYS))[y, x + 2 : x + 60] == HD.background).all()


def test_rings_stay_out_of_the_panel():
    drives = fleet(seed=5, drives=3000)
    never = drives.with_columns(failed_on=pl.lit(None, pl.Date))
    layout = layout_of(drives)
    high = Renderer(drives, calendar(LAST), layout, HD)
    calm = Renderer(never, calendar(LAST), layout, HD)
    legend = slice(HD.panel - 60, HD.panel), slice(0, 1000)
    assert (high.frame(on(300))[legend] == calm.frame(on(300))[legend]).all()
    assert (high.frame(on(300)) != calm.frame(on(300))).any()


@given(
    st.integers(0, 100),
    st.lists(st.integers(0, 400), min_size=2, max_size=6),
    st.sampled_from([60, 3000]),
)
@settings(max_examples=6, deadline=None)
def test_drawing_on_is_the_same_as_drawing_anew(seed, days, drives):
    table = fleet(seed, drives)
    layout = layout_of(table)
    kept = Renderer(table, calendar(LAST), layout, HD)
    for day in [*days, days[-1] + 1, days[-1] + 3]:
        anew = Renderer(table, calendar(on(410)), layout, HD)
        shown = on(min(day, 400))
        assert (kept.frame(shown) == anew.frame(shown)).all()
        assert kept.encoded(shown) == anew.encoded(shown)


@given(st.integers(0, 100), st.integers(0, 400))
@settings(max_examples=12, deadline=None)
def test_a_frame_needs_nothing_from_its_future(seed, number):
    drives, day = fleet(seed, 1000), on(number)
    layout = layout_of(drives)
    later = Renderer(drives, calendar(LAST), layout, HD).frame(day)
    then = Renderer(known_on(drives, day), calendar(day), layout, HD).frame(day)
    assert (later == then).all()


@given(st.integers(0, 100), st.sampled_from([60, 1000, 4000]))
@settings(max_examples=6, deadline=None)
def test_a_later_quarter_changes_no_frame_unless_everything_is_packed_anew(seed, count):
    drives = fleet(seed, count, models=12, days=700)
    past = quarters(START, on(700))
    layouts = []
    for quarter in censuses(drives, past):
        layouts.append(extend(layouts[-1] if layouts else None, quarter, HD))
    for number, (quarter, layout) in enumerate(zip(past, layouts, strict=True)):
        if number + 1 < len(past) and layout.anchor == layouts[-1].anchor:
            last = past[number + 1] - timedelta(days=1)
            assert last > quarter
            then = known_on(drives, last), calendar(last)
            before = Renderer(*then, layout, HD).frame(last)
            after = Renderer(*then, layouts[-1], HD).frame(last)
            assert (before == after).all()


def test_boot_drives_are_neither_drawn_nor_counted():
    drives = fleet(models=5)
    without = drives.filter(~pl.col("boot"))
    assert len(without) < len(drives)
    assert (renderer(drives).frame(LAST) == renderer(without).frame(LAST)).all()


def test_figures_are_those_of_the_drives_in_service():
    drives = fleet(seed=2)
    drawing = renderer(drives)
    for number in (0, 50, 399):
        day = on(number)
        known = known_on(drives.filter(~pl.col("boot")), day)
        alive = known.filter(pl.col("failed_on").is_null() & pl.col("removed_on").is_null())
        figures = drawing.figures(day)
        assert figures.in_service[-1] == len(alive)
        assert figures.failed == known["failed_on"].count()
        assert figures.capacity_bytes == alive["capacity_bytes"].sum()
        assert len(figures.in_service) == len(figures.weekly) == number + 1
        week_ago = known_on(known, day - timedelta(days=7))["failed_on"].count()
        assert figures.weekly[-1] == figures.failed - week_ago


def test_a_cut_is_said_for_a_moment():
    missing = tuple(on(number) for number in range(82, 174))
    drawing = renderer(fleet(), missing=missing)
    assert drawing.figures(on(81)).notice == ""
    assert drawing.figures(on(174)).notice == "No data from 1 July 2013 to 30 September 2013"
    assert drawing.figures(on(300)).notice == ""
    assert (drawing.frame(on(174)) != renderer(fleet()).frame(on(174))).any()


def test_synthetic_data_are_called_so_on_the_picture():
    def has_warning(frame):
        return (frame[: HD.panel] == HD.warning).all(axis=2).any()

    assert has_warning(renderer(fleet(), synthetic=True).frame(LAST))
    assert not has_warning(renderer(fleet()).frame(LAST))


def test_pixels_of_the_blocks_stay_the_same_to_the_byte():
    """So that a faster way of drawing draws the same. Text is left out: it depends on FreeType."""
    drives = fleet(seed=7, drives=4000, models=6)
    drawing = renderer(drives)
    x, y, side = drawing.fleet.x, drawing.fleet.y, drawing.side
    squares = []
    for number in (0, 13, 200, 201, 400):
        frame = drawing.frame(on(number))
        squares += [
            frame[top : top + side, left : left + side] for left, top in zip(x, y, strict=True)
        ]
    assert digest([np.stack(squares).tobytes()]) == "6d18605cedc50a1cc570c3f1a0d06e95"


def test_the_last_rings_fade_in_the_closing_frames(tmp_path):
    drives = fleet(seed=4, drives=2000)
    folder = write_lifetimes(tmp_path / "2014-04-01", drives, calendar(LAST))
    style = replace(HD, closing_frames=60)
    closing = list(render_closing(folder, layout_of(drives), style))
    assert len(closing) == 60
    first, last = (np.asarray(Image.open(io.BytesIO(jpeg))).astype(int) for jpeg in closing[::59])
    date_and_figures = slice(0, 100), slice(0, 1100)
    assert np.abs(first[date_and_figures] - last[date_and_figures]).max() == 0
    drawing = renderer(drives)
    quiet = drawing.frame(LAST + timedelta(days=200), LAST)
    assert (drawing.frame(LAST + timedelta(days=60), LAST) == quiet).all()


@pytest.mark.parametrize("name", ["1080p", "2160p"])
def test_frames_have_the_size_of_the_style(name):
    style = Style.named(name)
    drawing = renderer(fleet(drives=50), style)
    frame = drawing.frame(LAST)
    assert frame.shape == (style.height, style.width, 3)
    assert frame.dtype == np.uint8
    with Image.open(io.BytesIO(drawing.encoded(LAST))) as image:
        assert image.size == (style.width, style.height)
        assert np.abs(np.asarray(image).astype(int) - frame).mean() < 3


def test_files_say_what_they_are(tmp_path):
    drives = fleet()
    folder = write_lifetimes(tmp_path / "2014-04-01", drives, calendar(LAST))
    days = [on(number) for number in range(390, 401)]
    reports = render_days(
        folder, layout_of(drives), HD, days, lambda day: tmp_path / f"{day}.jpg", ORIGIN
    )
    assert sorted(reports) == days
    for day, report in reports.items():
        path = tmp_path / f"{day}.jpg"
        origin = Origin.from_json(read_comment(path))
        assert origin == replace(
            ORIGIN, partition=day.isoformat(), data_version=report.data_version
        )
        assert report.bytes == path.stat().st_size
        with Image.open(path) as image:
            assert image.size == (1920, 1080)
            assert json.loads(image.info["comment"])["asset"] == "frames"
    figures = renderer(drives).figures(LAST)
    assert reports[LAST].drives_in_service == figures.in_service[-1]
    assert reports[LAST].failed_so_far == figures.failed
    assert reports[LAST].capacity_bytes == figures.capacity_bytes


@pytest.mark.slow
def test_processes_write_the_same_files_as_one(tmp_path):
    drives = fleet(drives=100)
    first = write_lifetimes(tmp_path / "a", known_on(drives, on(81)), calendar(on(81)))
    second = write_lifetimes(tmp_path / "b", drives, calendar(LAST))
    jobs = [
        QuarterFrames(first, [on(number) for number in range(60, 82)], ORIGIN),
        QuarterFrames(second, [on(number) for number in range(82, 110)], ORIGIN),
    ]
    layout = layout_of(drives)

    def versions(workers):
        target = tmp_path / str(workers)
        done = render_quarters(jobs, layout, HD, lambda day: target / f"{day}.jpg", workers)
        return {day: report.data_version for day, report in done}

    assert len(versions(1)) == 50
    assert versions(1) == versions(3)
    names = sorted(path.name for path in (tmp_path / "1").iterdir())
    for name in names:
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "3" / name).read_bytes()


def test_a_thumbnail_is_small(tmp_path):
    drives = fleet()
    folder = write_lifetimes(tmp_path / "q", drives, calendar(LAST))
    render_days(folder, layout_of(drives), HD, [LAST], lambda _: tmp_path / "x.jpg", ORIGIN)
    small = thumbnail(tmp_path / "x.jpg", 320)
    assert Image.open(io.BytesIO(small)).size == (320, 180)
    assert len(small) < 30_000
