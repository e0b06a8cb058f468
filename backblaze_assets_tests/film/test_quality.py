"""What frames and films are checked for, case by case."""

from dataclasses import replace
from datetime import date, timedelta

import pytest
from PIL import Image

from backblaze_assets.files.origin import Origin
from backblaze_assets.film import quality
from backblaze_assets.film.encode import encode_clip
from backblaze_assets.film.style import Style

DAY = date(2016, 4, 1)
STYLE = replace(Style.named("1080p"), title_frames=1, closing_frames=1, end_frames=1)
"""As the film, with less to draw."""


def write_frames(folder, count, size=(1920, 1080)):
    paths = {}
    for number in range(count):
        paths[DAY + timedelta(days=number)] = folder / f"{number:02d}.jpg"
        Image.new("RGB", size, (number, 64, 64)).save(folder / f"{number:02d}.jpg", quality=50)
    return paths


def cut(path):
    path.write_bytes(path.read_bytes()[:-100])


def garble(path):
    """Take the mark off the pixels, so that size and end are right and decoding fails."""
    path.write_bytes(path.read_bytes().replace(b"\xff\xda", b"\xff\xfe"))


def shrink(path):
    Image.new("RGB", (1280, 720)).save(path)


@pytest.mark.parametrize(
    ("damage", "what"),
    [
        (cut, "it ends early"),
        (garble, "cannot be decoded"),
        (shrink, "1280 x 720 pixels"),
        (lambda path: path.unlink(), "No such file or directory"),
        (lambda path: path.write_bytes(b"GIF89a"), "cannot be decoded"),
    ],
)
def test_frames_that_are_not_whole_are_named(tmp_path, damage, what):
    frames = write_frames(tmp_path, 3)
    assert quality.frames_whole(frames, STYLE).passed
    damage(frames[DAY + timedelta(days=1)])
    verdict = quality.frames_whole(frames, STYLE)
    assert verdict.figures["frames_wrong"] == 1
    ((day, found),) = verdict.table.rows()
    assert day == DAY + timedelta(days=1)
    assert found.startswith(what)


def test_some_of_many_frames_are_decoded(tmp_path):
    verdict = quality.frames_whole(write_frames(tmp_path, 20), STYLE)
    assert verdict.passed
    assert verdict.figures["frames_decoded"] == 7


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """A film of five frames, two days and the closing frames."""
    folder = tmp_path_factory.mktemp("film")
    frames = list(write_frames(folder, 5).values())
    encode_clip(frames, folder / "film.mp4", 60, Origin("movie", None, "code"))
    return folder / "film.mp4"


@pytest.mark.parametrize(("days", "passed"), [(2, True), (1, False), (3, False)])
def test_a_film_has_a_frame_a_day_and_closing_frames(film, days, passed):
    verdict = quality.film_complete(film, days, STYLE)
    assert verdict.passed is passed
    assert (verdict.figures["frames"], verdict.figures["film_seconds"]) == (5, 0.083)


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({}, ""),
        ({"scale": 2}, "1920 x 1080 pixels"),
        ({"fps": 30}, "60 frames a second"),
    ],
)
def test_clips_and_films_have_the_format_of_the_film(film, changes, fault):
    style = replace(STYLE, **changes)
    plays = quality.film_plays(film, style)
    clips = quality.clips_complete({DAY: (film, 5)}, style)
    assert plays.passed == clips.passed == (not fault)
    assert fault in plays.message
    assert clips.table["what"].to_list() == ([fault] if fault else [])


def test_a_clip_with_too_few_frames_and_one_that_is_broken(film, tmp_path):
    (tmp_path / "broken.mp4").write_bytes(film.read_bytes()[:-50])
    clips = {DAY: (film, 6), date(2016, 7, 1): (tmp_path / "broken.mp4", 5)}
    clips[date(2016, 10, 1)] = (film, 5)
    verdict = quality.clips_complete(clips, STYLE)
    assert verdict.at_fault == {DAY, date(2016, 7, 1)}
    assert verdict.table["what"][0] == "5 frames, not 6"
    assert "is not a whole MP4 file" in verdict.table["what"][1]
    assert not quality.film_complete(tmp_path / "broken.mp4", 2, STYLE).passed
    assert not quality.film_plays(tmp_path / "none.mp4", STYLE).passed
