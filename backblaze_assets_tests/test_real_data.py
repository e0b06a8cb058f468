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
    SOME_DRIVES,
    SOME_DRIVES_MODELS,
    rows_of,
)

PROGRAM = Path(sys.executable).with_name("backblaze-assets")


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
def test_forty_real_days_agree_with_an_independent_count(tmp_path):
    """Of all drives where the whole file is there, else of some."""
    path, models = SOME_DRIVES, SOME_DRIVES_MODELS
    if ALL_DRIVES.exists():
        path, models = ALL_DRIVES, ALL_DRIVES_MODELS
    data = link(tmp_path / "data", path)
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


def readme_command(name: str) -> str:
    """The command that stands in the README below the mark `name`."""
    text = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    return text.partition(f"<!-- {name} -->\n```bash\n")[2].partition("\n```")[0]


def test_the_readme_says_how_to_test():
    assert readme_command("test").endswith(".venv/bin/pytest")


@pytest.mark.slow(minutes=4)
def test_the_demo_command_of_the_readme(tmp_path):
    """In a clone, but in this environment: that of the README's tests is made as it says."""
    made, installed, command = readme_command("demo").split(" && ")
    assert [made, installed.removesuffix(".") + "'.[dev]'"] == readme_command("test").split(" && ")[
        :2
    ]
    command = command.replace(".venv/bin", str(PROGRAM.parent))
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "-q", REPOSITORY, clone], check=True)
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
    days = (date(2014, 6, 30) - date(2013, 4, 10)).days + 1
    assert video.frames == days + FRAMES_AROUND
    assert (video.width, video.height, video.fps) == (1920, 1080, 60)
    assert (video.codec, video.pixel_format, video.faststart) == ("avc1", "yuv420p", True)
    assert _opened(film) == f"h264 (High) yuv420p 1920x1080 60 fps frames={video.frames}"
    _check_lifetime_rates(film.parents[1])


def _check_lifetime_rates(data: Path) -> None:
    """Compare the rates of all quarters with a count of the rows in the zips."""
    counted = pl.concat(
        pl.read_csv(
            archive.read(name),
            columns=["date", "serial_number", "model", "failure"],
            schema_overrides={"failure": pl.Int64},
        )
        for path in sorted(data.glob("*.zip"))
        for archive in [zipfile.ZipFile(path)]
        for name in archive.namelist()
        if re.fullmatch(r"[\d-]{10}\.csv", name.rpartition("/")[2]) and "MACOSX" not in name
    )
    counted = counted.group_by(clean_model(pl.col("model")).alias("model")).agg(
        drive_days=pl.len(),
        failures=pl.col("failure").sum(),
        drives_seen=pl.col("serial_number").n_unique(),
    )
    known = {model: rest for model, *rest in counted.iter_rows()}
    options = ("--window", "lifetime", "--all", "--format", "json")
    found = json.loads(run("afr", "2014-Q2", *options, "--data", data))
    assert len(found) > 8
    for row in found:
        expected = [row[name] for name in ("drive_days", "failures", "drives_seen")]
        assert known[row["model"]] == expected, row["model"]


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
