"""Title, end card, subtitles, chapters, and the pictures to share."""

import io
import shutil
from dataclasses import replace
from datetime import timedelta

import numpy as np
import polars as pl
import pytest
from PIL import Image

from backblaze_assets.drive_stats.afr import afr_table
from backblaze_assets.errors import DataError
from backblaze_assets.files.origin import Origin
from backblaze_assets.film import cards, share
from backblaze_assets.film.encode import encode_clip
from backblaze_assets.film.frames import QuarterFrames, render_quarters
from backblaze_assets.film.movie import Part, chapters, make_movie, subtitles
from backblaze_assets.film.probe import probe
from backblaze_assets.film.quality import film_complete, film_plays
from backblaze_assets.film.style import Style
from backblaze_assets_tests.film.fleets import (
    START,
    calendar,
    fleet,
    history,
    lifetimes,
    write_lifetimes,
)

STYLE = replace(Style.named("1080p", 30), title_frames=8, closing_frames=3, end_frames=6)
LAST = START + timedelta(days=290)
ORIGIN = Origin("movie", None, "code")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Parts of a film of two quarters, of three days each, and the table of rates."""
    folder = tmp_path_factory.mktemp("film")
    drives = fleet(seed=3, drives=900, models=5, days=300).with_columns(boot=False)
    parts, frames = [], []
    for known, layout in history(drives, LAST, STYLE)[-2:]:
        days = layout.days[-3:]
        tables = write_lifetimes(folder / f"{layout.quarter}", known, calendar(layout.days[-1]))
        jobs = [QuarterFrames(tables, layout, days, ORIGIN)]
        list(render_quarters(jobs, STYLE, lambda day: folder / f"{day}.jpg", 1))
        paths = [folder / f"{day}.jpg" for day in days]
        clip = folder / f"{layout.quarter}.mp4"
        encode_clip(paths, clip, STYLE.fps, ORIGIN, STYLE.frames_a_day)
        short = replace(
            layout,
            first=len(layout.service) - 3,
            capacity=layout.capacity[-3:],
            failed=layout.failed[-3:],
            interval=layout.interval[-3:],
            before=None,
        )
        parts.append(Part(clip, tables, short))
        frames += paths
    table = afr_table(lifetimes(known, calendar(LAST)), {}, layout.quarter)
    rates = table.filter(pl.col("kind") == "model")
    return parts, rates, frames, folder


@pytest.mark.slow
def test_a_film_has_title_days_end_subtitles_and_chapters(made):
    parts, rates, _, folder = made
    report, words = make_movie(parts, rates, folder / "film.mp4", STYLE, ORIGIN)
    info = probe(folder / "film.mp4")
    assert report.frames == info.frames == 8 + 6 * 2 + 3 + 6
    assert info.constant_rate
    assert info.faststart
    assert info.codec == "avc1"
    assert info.chapters == ("Title", "2013", "2014", "End")
    assert info.subtitles == bool(words)
    assert film_complete(folder / "film.mp4", 6, STYLE).passed
    assert film_plays(folder / "film.mp4", STYLE).passed
    origin = Origin.from_json(info.comment)
    assert origin.data_version == report.data_version


@pytest.mark.slow
def test_subtitles_are_the_captions(made):
    parts, *_ = made
    said = {one.name for part in parts for one in part.layout.captions if one.text}
    words = subtitles(parts, STYLE)
    for name in said:
        assert any(
            name in words
            or one.first > parts[-1].layout.days[-1]
            or one.last < parts[0].layout.days[0]
            for part in parts
            for one in part.layout.captions
            if one.name == name
        )


def test_chapters_begin_with_the_first_day_of_a_year(made):
    parts, *_ = made
    found = {chapter.name: chapter.start for chapter in chapters(parts, STYLE)}
    assert found["2013"] == pytest.approx(8 / 60)
    assert found["2014"] == pytest.approx(8 / 60 + 3 / 30)
    assert found["End"] == pytest.approx(8 / 60 + 6 / 30 + 3 / 60)


def test_a_film_of_nothing_is_an_error(tmp_path):
    with pytest.raises(DataError, match="no clips"):
        make_movie([], pl.DataFrame(), tmp_path / "film.mp4", STYLE, ORIGIN)


def told(made):
    parts, rates, *_ = made
    drives = pl.read_parquet(parts[-1].lifetimes / "drives.parquet")
    return cards.story(parts[0].layout, parts[-1].layout, drives, rates, STYLE)


def test_the_story_has_the_totals_of_the_tables(made):
    parts, _rates, *_ = made
    story = told(made)
    drives = pl.read_parquet(parts[-1].lifetimes / "drives.parquet").filter(~pl.col("boot"))
    assert story.drives == len(drives)
    assert story.failed == drives["failed_on"].is_not_null().sum()
    days = sum(
        (
            (
                row["failed_on"]
                or (row["removed_on"] or LAST + timedelta(days=1)) - timedelta(days=1)
            )
            - row["first_seen"]
        ).days
        + 1
        for row in drives.iter_rows(named=True)
    )
    assert story.afr == pytest.approx(36_500 * story.failed / days)


@pytest.mark.parametrize(
    "name", ["1080p", pytest.param("2160p", marks=pytest.mark.slow), "upright"]
)
def test_cards_have_the_size_of_the_canvas_and_say_something(made, name):
    style = Style.named(name)
    parts, *_ = made
    story = told(made)
    end = cards.end_card(story, style)
    assert end.shape == (style.height, style.width, 3)
    for colour in (style.text, style.soft, style.failed, style.low):
        assert (end == colour).all(axis=2).any()
    day = np.full_like(end, 90)
    title = cards.title(story, day, parts[0].layout, style)
    assert title.shape == end.shape
    assert (title == style.text).all(axis=2).any()
    made_up = cards.end_card(replace(story, made_up_from=story.first), style)
    assert (made_up != end).any()


def test_rates_on_the_end_card_can_be_compared(made):
    """Both lists have one axis: what failed most stands to the right of what failed least."""
    card = cards.end_card(told(made), Style.named("upright"))
    marks = card[330:, 580:960]  # without names and figures
    least, most = (
        np.flatnonzero((marks == colour).all(axis=2).any(axis=0))
        for colour in (STYLE.low, STYLE.failed)
    )
    assert len(least)
    assert len(most)
    assert least.max() <= most.min() + 7  # of the width of a mark


def test_the_title_fades_into_the_first_day(made):
    parts, *_ = made
    frames = list(cards.title_frames(told(made), parts[0].lifetimes, parts[0].layout, STYLE))
    assert len(frames) == STYLE.title_frames
    first, last = (np.asarray(Image.open(io.BytesIO(one))).astype(int) for one in frames[::7])
    assert np.abs(last - first).mean() > 1


@pytest.mark.slow
def test_what_is_shared_is_small_and_says_what_it_is(made, tmp_path):
    *_, frames, _ = made
    report = share.make_share(frames, told(made), tmp_path / "share", STYLE, ORIGIN)
    assert sorted(report.bytes) == ["link.png", "loop.gif", "loop.webm", "poster.png"]
    assert report.bytes["loop.gif"] <= share.MOST_BYTES
    with Image.open(tmp_path / "share" / "link.png") as image:
        assert image.size == (1200, 630)
        assert report.data_version in image.info["Comment"]
    with Image.open(tmp_path / "share" / "poster.png") as image:
        assert image.size == (1920, 1080)
    with Image.open(tmp_path / "share" / "loop.gif") as image:
        assert image.n_frames >= 2
        assert report.data_version.encode() in image.info["comment"]
    assert report.data_version.encode() in (tmp_path / "share" / "loop.webm").read_bytes()
    again = share.make_share(frames, told(made), tmp_path / "again", STYLE, ORIGIN)
    assert again == report
    with pytest.raises(DataError, match="most"):
        share.make_share(frames, told(made), tmp_path / "tiny", STYLE, ORIGIN, most_bytes=100)
    assert not (tmp_path / "tiny").exists()
    shutil.rmtree(tmp_path / "share")


def test_a_loop_is_spread_over_the_film():
    paths = [f"{number}" for number in range(4830)]
    chosen = share.spread(paths)
    assert (chosen[0], chosen[-1], len(chosen)) == ("0", "4829", share.MOST_FRAMES)
    assert share.spread(paths[:5]) == paths[:5]
