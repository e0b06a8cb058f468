import io
import json
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from PIL import Image

from backblaze_assets.files.origin import Origin
from backblaze_assets.film.frames import (
    QuarterFrames,
    render_closing,
    render_quarters,
    thumbnail,
)
from backblaze_assets.film.jpeg import read_comment
from backblaze_assets.film.render import Renderer
from backblaze_assets.film.style import Style
from backblaze_assets_tests.film.fleets import (
    START,
    calendar,
    fleet,
    history,
    write_lifetimes,
)

HD = Style.named("1080p")
LAST = START + timedelta(days=630)
ORIGIN = Origin("frames", None, "code", sources={"data_2013.zip": "hash"})
DRIVES = fleet(seed=11, drives=4000, models=9, days=700)
HISTORY = history(DRIVES, LAST, HD)


def test_the_last_rings_fade_in_the_closing_frames(tmp_path):
    known, layout = HISTORY[-1]
    layout = replace(layout, captions=())
    folder = write_lifetimes(tmp_path / "q", known, calendar(layout.days[-1]))
    closing = list(render_closing(folder, layout, HD))
    assert len(closing) == HD.closing_frames == 60
    first, last = (np.asarray(Image.open(io.BytesIO(jpeg))).astype(int) for jpeg in closing[::59])
    date_and_figures = slice(0, 100), slice(0, 1100)
    assert np.abs(first[date_and_figures] - last[date_and_figures]).max() == 0
    drawing = Renderer(known, layout, HD)
    end = layout.days[-1]
    quiet = drawing.frame(end + timedelta(days=200), end)
    assert (drawing.frame(end + timedelta(days=60), end) == quiet).all()


def test_files_say_what_they_are(tmp_path):
    known, layout = HISTORY[2]
    folder = write_lifetimes(tmp_path / "q", known, calendar(layout.days[-1]))
    days = layout.days[-8:]
    jobs = [QuarterFrames(folder, layout, days, ORIGIN)]
    reports = dict(render_quarters(jobs, HD, lambda day: tmp_path / f"{day}.jpg"))
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
        number = (day - layout.start).days
        assert report.drives_in_service == layout.service[number]
        assert report.failed_so_far == layout.failed[number - layout.first]
    small = thumbnail(tmp_path / f"{days[-1]}.jpg", 320)
    assert Image.open(io.BytesIO(small)).size == (320, 180)
    assert len(small) < 30_000


@pytest.mark.slow
def test_processes_write_the_same_files_as_one(tmp_path):
    jobs = []
    for number in (1, 2):
        known, layout = HISTORY[number]
        folder = write_lifetimes(tmp_path / f"q{number}", known, calendar(layout.days[-1]))
        jobs.append(QuarterFrames(folder, layout, layout.days[20:50], ORIGIN))

    def versions(workers):
        target = tmp_path / str(workers)
        done = render_quarters(jobs, HD, lambda day: target / f"{day}.jpg", workers)
        return {day: report.data_version for day, report in done}

    assert len(versions(1)) == 60
    assert versions(1) == versions(3)
    for path in sorted((tmp_path / "1").iterdir()):
        assert path.read_bytes() == (tmp_path / "3" / path.name).read_bytes()
