"""What goes where between the assets: counted and looked at by other means than theirs."""

import re
import subprocess
from datetime import date
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import polars as pl
from PIL import Image, ImageChops

from backblaze_assets.drive_stats.archive import sha256
from backblaze_assets.drive_stats.quarters import quarter_of
from backblaze_assets.film.layout import read_layout
from backblaze_assets.graph import GRAPH, keys_of
from backblaze_assets.lineage.status import Status
from backblaze_assets_tests.project import Q2, Q3, TITLE

WIDTH, HEIGHT = 480, 270


def pictures(path: Path) -> np.ndarray:
    """The frames of a film, in order, small: an array of frames, rows, columns and colours."""
    program = imageio_ffmpeg.get_ffmpeg_exe()
    form = ("-vf", f"scale={WIDTH}:{HEIGHT}", "-pix_fmt", "rgb24", "-f", "rawvideo", "-")
    done = subprocess.run([program, "-i", path, *form], capture_output=True, check=True)
    return np.frombuffer(done.stdout, np.uint8).reshape(-1, HEIGHT, WIDTH, 3)


def test_the_film_shows_the_days_in_order(built):
    film = pictures(built.file("movie/movie.mp4"))
    clips = [pictures(built.file(f"movie_clip/{quarter}.mp4")) for quarter in (Q2, Q3)]
    days = np.concatenate(clips)
    shown = film[TITLE : TITLE + len(days)]
    assert np.array_equal(shown, days)  # joined, not encoded again
    assert not np.array_equal(shown[0], shown[6])


def test_a_clip_shows_the_frames_of_its_days_in_order(built):
    days = [key for key in keys_of("frames", built.data.view.calendar) if key >= Q3]
    drawn = [
        np.asarray(Image.open(built.file(f"frames/{day}.jpg")).resize((WIDTH, HEIGHT)), np.int16)
        for day in days
    ]
    shown = pictures(built.file(f"movie_clip/{Q3}.mp4"))
    assert len(shown) == len(days)
    nearest = [int(np.argmin([np.abs(one - each).mean() for each in drawn])) for one in shown]
    assert nearest == list(range(len(days)))


def test_drive_days_and_failures_of_each_window_are_those_of_the_raw_rows(built):
    raw = {
        quarter: pl.read_parquet(built.file(f"raw_quarter/{quarter}"), columns=["failure"])
        for quarter in (Q2, Q3)
    }
    rows = {quarter: (table.height, table["failure"].sum()) for quarter, table in raw.items()}
    both = tuple(map(sum, zip(*rows.values(), strict=True)))
    assert both[1] > 0
    for quarter, windows in {
        Q2: {"quarter": rows[Q2], "year": rows[Q2], "lifetime": rows[Q2]},
        Q3: {"quarter": rows[Q3], "year": both, "lifetime": both},
    }.items():
        table = pl.read_parquet(built.file(f"afr_table/{quarter}.parquet"))
        table = table.filter(pl.col("kind") == "model")
        for window, expected in windows.items():
            found = table.filter(pl.col("window") == window)
            assert (found["drive_days"].sum(), found["failures"].sum()) == expected


def test_daily_stats_count_the_rows_of_their_own_day(built):
    for day in keys_of("daily_stats", built.data.view.calendar):
        quarter = Q2 if day < Q3 else Q3
        raw = pl.read_parquet(built.file(f"raw_quarter/{quarter}/{day}.parquet"))
        daily = pl.read_parquet(built.file(f"daily_stats/{day}.parquet"))
        assert daily["drives"].sum() == raw["serial_number"].n_unique()
        assert daily["failures"].sum() == raw["failure"].sum()


def raw_rows(built) -> pl.DataFrame:
    """All rows of the data drives."""
    files = sorted(built.root.glob("raw_quarter/*/*.parquet"))
    columns = ["date", "serial_number", "model", "failure"]
    return pl.concat([pl.read_parquet(path, columns=columns) for path in files])


def test_survival_follows_every_drive_of_the_rows_once_to_its_end(built):
    curves = pl.read_parquet(built.file(f"survival/{Q3}.parquet"))
    raw = raw_rows(built)
    last_day = raw["date"].max()
    ends = {key[0]: rows.sort("date").rows()[-1] for key, rows in raw.group_by("serial_number")}
    expected: dict[str, list[int]] = {}
    for day, _, model, failure in ends.values():
        counts = expected.setdefault(model, [0, 0, 0, 0])
        how = 1 if failure else 2 if day < last_day else 3  # failed, removed or in service
        counts[0] += 1
        counts[how] += 1
    counted = ["entries", "failures", "removals", "censored"]
    found = curves.filter(kind="model").group_by("group").agg(pl.col(counted).sum())
    assert {name: list(counts) for name, *counts in found.iter_rows()} == expected
    assert sum(counts[1] for counts in expected.values()) > 0


def test_the_report_has_the_newest_rates_and_needs_no_other_file(built):
    page = built.file("report/report.html").read_text(encoding="utf-8")
    raw = raw_rows(built)
    quarter = raw.filter(pl.col("date") >= date.fromisoformat(Q3))
    drives = quarter["serial_number"].n_unique()
    assert f"{drives} drives seen" in page
    assert f"{quarter.height} drive days" in page
    assert f"of {raw['serial_number'].n_unique()} ever" in page
    assert sha256(built.root / "data_2013.zip") in page
    assert not re.search(r"""(src|href)=(?!["']?(data:|#|https?://|\.\./movie/movie\.mp4))""", page)
    assert not re.search(r"""<(script|link|img)[^>]+(src|href)=["']?http""", page)


def test_the_layout_has_the_days_figures_and_the_blocks_of_the_models(built):
    raw = raw_rows(built)
    drives = dict(raw.group_by("date").agg(pl.col("serial_number").n_unique()).iter_rows())
    failed = dict(raw.group_by("date").agg(pl.col("failure").sum()).iter_rows())
    days = sorted(drives)
    for quarter in (Q2, Q3):
        layout = read_layout(built.file(f"film_layout/{quarter}.json"))
        assert layout.days == [day for day in days if str(quarter_of(day)) == quarter]
        # What fails on a day has reported on it, and is not in service at its end.
        in_service = [drives[day] - failed[day] for day in days if day <= layout.days[-1]]
        assert list(layout.service) == in_service
    shown = {model for block in layout.scene.packing.blocks for model in block.models}
    assert set(raw["model"].unique()) == shown


def test_what_is_shared_is_the_film(built):
    days = keys_of("frames", built.data.view.calendar)
    folder = built.file("share/film")
    last, poster = (
        Image.open(built.file(f"frames/{days[-1]}.jpg")),
        Image.open(folder / "poster.png"),
    )
    with last, poster:
        assert ImageChops.difference(last.convert("RGB"), poster).getbbox() is None
    with Image.open(folder / "link.png") as link:
        assert link.size == (1200, 630)
    with Image.open(folder / "loop.gif") as loop:
        assert loop.n_frames == len(days)
    assert len(pictures(folder / "loop.webm")) == len(days)


def test_everything_that_is_made_has_its_files_and_a_figure_to_show(built):
    for asset in GRAPH:
        for key, status in built.status(asset).items():
            made = built.lineage().ledger.get(asset, key)
            assert status is Status.UP_TO_DATE
            assert all(path.is_file() for path in built.lineage().files(made))
            assert made.metadata["run_seconds"] == round(made.metadata["run_seconds"], 2) >= 0
            assert "polars" in made.metadata["libraries"]
