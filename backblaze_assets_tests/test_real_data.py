"""The chain on real data, as a person runs it, against figures that were computed without it."""

import csv
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
from backblaze_assets.files.folder import DataFolder
from backblaze_assets.film.probe import probe
from backblaze_assets_tests.benchmarks.harness import REPOSITORY, SHARED

PROGRAM = Path(sys.executable).with_name("backblaze-assets")
CLOSING_FRAMES = 60

needs_real_data = pytest.mark.skipif(
    not (SHARED / "data").is_dir(), reason=f"the real data are not at {SHARED}"
)


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


@needs_real_data
def test_forty_real_days_agree_with_what_others_have_counted(tmp_path):
    data = link(tmp_path / "data", SHARED / "data" / "data_2013.zip")
    film = Path(run("movie", "--data", data).strip())
    video = probe(film)
    assert video.frames == 40 + CLOSING_FRAMES
    assert (video.width, video.height, video.fps) == (1920, 1080, 60)

    found = json.loads(run("afr", "2013-Q2", "--all", "--format", "json", "--data", data))
    golden = SHARED / "facts" / "fleet" / "golden_afr_2013-04-10_2013-05-19.csv"
    with golden.open(encoding="utf-8", newline="") as file:
        expected = {row["model"]: row for row in csv.DictReader(file)}
    assert len(found) == len(expected) == 37
    for row in found:
        known = expected[row["model"]]
        assert row["drive_days"] == int(known["drive_days"]), row
        assert row["failures"] == int(known["failures"]), row
        assert row["drives_seen"] == int(known["distinct_serials"]), row


@needs_real_data
@pytest.mark.slow
def test_every_column_of_four_eras_is_imported(tmp_path):
    zips = sorted((SHARED / "data" / "failure_rows").glob("*.zip"))
    data = link(tmp_path / "data", *zips)
    run("import", "--data", data)
    widths = set()
    for path in zips:
        quarter = date(int(path.stem[8:]), int(path.stem[6]) * 3 - 2, 1)
        with zipfile.ZipFile(path) as archive:
            days = sorted(name for name in archive.namelist() if name.endswith(".csv"))
            days = [name for name in days if not Path(name).name.startswith(".")]
            for name in (days[0], days[-1]):
                with archive.open(name) as file:
                    header = file.readline().decode().strip().split(",")
                folder = DataFolder(data).raw_quarter(quarter)
                schema = pl.read_parquet_schema(folder / f"{Path(name).stem}.parquet")
                assert list(schema) == header
                widths.add(len(header))
    assert (min(widths), max(widths)) == (131, 197)


@needs_real_data
@pytest.mark.slow
def test_three_and_a_half_years_agree_with_the_history_of_each_drive(tmp_path):
    fraction = 0.01
    tool = SHARED / "tools" / "fleet_history.py"
    data = tmp_path / "data"
    subprocess.run([sys.executable, tool, data, "--fraction", str(fraction)], check=True)
    film = Path(run("movie", "--data", data).strip())
    days = (date(2016, 9, 30) - date(2013, 4, 10)).days + 1
    assert probe(film).frames == days + CLOSING_FRAMES
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
    assert video.frames == days + CLOSING_FRAMES
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
