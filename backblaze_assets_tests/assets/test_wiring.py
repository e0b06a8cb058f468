"""What goes where between the assets: counted and looked at by other means than theirs."""

import subprocess
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import polars as pl
import pytest
from PIL import Image

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


def test_everything_that_is_made_has_its_files_and_a_figure_to_show(built):
    for asset in GRAPH:
        for key, status in built.status(asset).items():
            made = built.lineage().ledger.get(asset, key)
            assert status is Status.UP_TO_DATE
            assert all(path.is_file() for path in built.lineage().files(made))
            assert made.metadata["run_seconds"] >= 0
            assert "polars" in made.metadata["libraries"]
