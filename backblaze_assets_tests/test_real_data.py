"""The chain on real data, as a person runs it, against figures that were computed without it."""

import json
import os
import re
import subprocess
import sys
import zipfile
from datetime import date
from pathlib import Path

import imageio_ffmpeg
import polars as pl
import pytest

from backblaze_assets.drive_stats.models import clean_model
from backblaze_assets.film.probe import probe
from backblaze_assets_tests.project import FRAMES_AROUND
from backblaze_assets_tests.real_data import (
    ALL_DRIVES,
    ALL_DRIVES_MODELS,
    FAILURES,
    REPOSITORY,
    SHARED,
    SOME_DRIVES,
    SOME_DRIVES_MODELS,
    needs,
    rows_of,
)

PROGRAM = Path(sys.executable).with_name("backblaze-assets")
FLEET_HISTORY = SHARED / "tools" / "fleet_history.py"


def run(*arguments: str | Path) -> str:
    """What the installed program prints; it must succeed."""
    bare = {name: value for name, value in os.environ.items() if name != "DAGSTER_HOME"}
    done = subprocess.run(
        [PROGRAM, *arguments], env=bare, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def link(target: Path, *sources: Path) -> Path:
    """A data folder with links to zips."""
    target.mkdir(parents=True)
    for source in sources:
        (target / source.name).symlink_to(source)
    return target


@pytest.mark.slow
@pytest.mark.parametrize(
    ("path", "models"),
    [
        pytest.param(SOME_DRIVES, SOME_DRIVES_MODELS, id="some drives"),
        pytest.param(
            ALL_DRIVES,
            ALL_DRIVES_MODELS,
            id="all drives",
            marks=[pytest.mark.slow, needs(ALL_DRIVES)],
        ),
    ],
)
def test_forty_real_days_agree_with_an_independent_count(tmp_path, path, models):
    data = link(tmp_path / "data", path)
    film = Path(run("movie", "--data", data).strip())
    video = probe(film)
    assert video.frames == 40 + FRAMES_AROUND
    assert (video.width, video.height, video.fps) == (1920, 1080, 60)

    found = json.loads(run("afr", "2013-Q2", "--all", "--format", "json", "--data", data))
    known = pl.DataFrame(rows_of(models)).with_columns(clean_model(pl.col("model")))
    columns = ["drive_days", "failures", "drives_seen"]
    expected = known.group_by("model").agg(pl.col(columns).cast(pl.Int64).sum())
    assert sorted(tuple(row[name] for name in ("model", *columns)) for row in found) == sorted(
        expected.rows()
    )


@pytest.mark.slow
def test_every_column_of_four_eras_is_imported(tmp_path):
    data = link(tmp_path / "data", *FAILURES)
    run("import", "--data", data)
    widths = []
    for path in FAILURES:
        quarter = date(int(path.stem[8:]), int(path.stem[6]) * 3 - 2, 1)
        folder = data / "raw_quarter" / str(quarter)
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if re.search(r"/[\d-]{10}\.csv$", name)]
            for name in names:
                with archive.open(name) as file:
                    header = file.readline().decode().strip().split(",")
                assert list(pl.read_parquet_schema(folder / f"{Path(name).stem}.parquet")) == header
        assert len(list(folder.glob("*.parquet"))) == len(names)
        widths.append(len(header))
    assert sorted(widths) == [131, 169, 186, 197]


@pytest.mark.slow
@needs(FLEET_HISTORY)
def test_three_and_a_half_years_agree_with_the_history_of_each_drive(tmp_path):
    fraction = 0.01
    data = tmp_path / "data"
    subprocess.run([sys.executable, FLEET_HISTORY, data, "--fraction", str(fraction)], check=True)
    film = Path(run("movie", "--data", data).strip())
    days = (date(2016, 9, 30) - date(2013, 4, 10)).days + 1
    assert probe(film).frames == days + FRAMES_AROUND
    frames = sorted(path.stem for path in (data / "frames").iterdir())
    assert (len(frames), frames[0], frames[-1]) == (days, "2013-04-10", "2016-09-30")
    assert len(list((data / "raw_quarter").iterdir())) == 14

    found = json.loads(
        run("afr", "2016-Q3", "--all", "--window", "lifetime", "--format", "json", "--data", data)
    )
    history = pl.read_parquet(SHARED / "data" / "fleet_2013_2016.parquet")
    # The same choice as the tool's.
    kept = history.filter(pl.col("serial_number").hash(seed=7) % 10_000 < int(fraction * 10_000))
    expected = kept.group_by(clean_model(pl.col("model")).alias("model")).agg(
        pl.col("drive_days").sum(), pl.col("failures").sum(), drives_seen=pl.len()
    )
    columns = ["model", "drive_days", "failures", "drives_seen"]
    assert sorted(tuple(row[name] for name in columns) for row in found) == sorted(
        expected.select(columns).rows()
    )


def readme_command(name: str) -> str:
    """The command that stands in the README below the mark `name`."""
    text = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    return text.partition(f"<!-- {name} -->\n```bash\n")[2].partition("\n```")[0]


def test_the_readme_says_how_to_test():
    assert readme_command("test").endswith(".venv/bin/pytest")


@pytest.mark.slow
def test_the_demo_command_of_the_readme(tmp_path):
    """All of it with CI set, in a clone; else what comes after the installation."""
    command = readme_command("demo")
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "-q", REPOSITORY, clone], check=True)
    if not os.environ.get("CI"):
        command = command.rpartition("&& ")[2].replace(".venv/bin", str(PROGRAM.parent))
    bare = {
        name: value
        for name, value in os.environ.items()
        if name not in ("BACKBLAZE_DATA", "DAGSTER_HOME", "VIRTUAL_ENV")
    }
    done = subprocess.run(
        ["bash", "-c", command], cwd=clone, env=bare, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "Annualized failure rates" in done.stdout
    film = clone / done.stdout.splitlines()[-1]
    assert film == clone / "data" / "demo" / "movie" / "movie.mp4"
    video = probe(film)
    days = (date(2014, 12, 31) - date(2013, 4, 10)).days + 1
    assert video.frames == days + FRAMES_AROUND
    assert (video.width, video.height, video.fps) == (1920, 1080, 60)
    assert (video.codec, video.pixel_format, video.faststart) == ("avc1", "yuv420p", True)
    assert _opened(film) == f"h264 (High) yuv420p 1920x1080 60 fps frames={video.frames}"


def _opened(film: Path) -> str:
    """What ffmpeg makes of a film when it decodes all of it."""
    ffmpeg = imageio_ffmpeg.get_ffmpeg_exe()
    done = subprocess.run(
        [ffmpeg, "-nostdin", "-i", film, "-f", "null", "-"],
        capture_output=True,
        text=True,
        check=True,
    )
    stream = re.search(
        r"Video: (h264 \(\w+\)).*?(yuv420p).*?(1920x1080).*?([\d.]+ fps)", done.stderr
    )
    frames = re.findall(r"frame=\s*(\d+)", done.stderr)[-1]
    assert stream, done.stderr
    return f"{' '.join(stream.groups())} frames={frames}"
