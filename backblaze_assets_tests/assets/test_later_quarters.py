"""Whatever comes after a quarter changes no byte of its layout, its frames and its clip."""

import io
import zipfile
from datetime import date, timedelta
from pathlib import Path

import pytest

from backblaze_assets.film.layout import read_layout
from backblaze_assets_tests.project import new_project

QUARTERS = {
    "data_Q1_2016.zip": (date(2016, 3, 30), 40),
    "data_Q2_2016.zip": (date(2016, 4, 1), 60),
    "data_Q3_2016.zip": (date(2016, 7, 1), 5000),
}
"""Zip, its first day of two, and how many drives there are: in the last one far more."""
FILM = ("film_layout", "frames", "movie_clip")


def write_quarter(folder: Path, name: str) -> None:
    """A zip of two days; on the second one, a drive fails."""
    first, drives = QUARTERS[name]
    with zipfile.ZipFile(folder / name, "w", zipfile.ZIP_DEFLATED) as archive:
        for day in (first, first + timedelta(days=1)):
            text = io.StringIO("")
            text.write("date,serial_number,model,capacity_bytes,failure\n")
            for number in range(drives):
                model = f"ST{4 + number % 3 + 4 * (number >= 60)}000NM000{number % 3}"
                failed = int(number == drives - 1 and day > first)
                text.write(f"{day},Z{number:05d},{model},4000000000000,{failed}\n")
            archive.writestr(f"{day}.csv", text.getvalue())


def bytes_of(root: Path) -> dict[str, bytes]:
    """All files of the film's assets, by name."""
    paths = [path for asset in FILM for path in (root / asset).rglob("*") if path.is_file()]
    return {str(path.relative_to(root)): path.read_bytes() for path in paths}


@pytest.mark.slow
def test_a_later_quarter_changes_no_byte_of_what_stands(tmp_path):
    """Neither when it is added to what is made, nor when all is made anew with it."""
    *before, last = QUARTERS
    with new_project(tmp_path / "grows") as grows, new_project(tmp_path / "anew") as anew:
        for name in before:
            write_quarter(grows.root, name)
        grows.update("movie_clip")
        kept = bytes_of(grows.root)
        assert len(kept) == 2 + 4 + 2
        write_quarter(grows.root, last)
        ran = grows.update("movie_clip")
        for name in QUARTERS:
            write_quarter(anew.root, name)
        anew.update("movie_clip")
        for project in (grows, anew):
            now = bytes_of(project.root)
            assert len(now) == 3 + 6 + 3
            assert {name: now[name] for name in kept} == kept
        layouts = [read_layout(path) for path in sorted((anew.root / "film_layout").iterdir())]
        assert layouts[-1].eras > layouts[-2].eras  # the last quarter moves everything
        made = {one.asset: one.partitions for one in ran if not one.judge_only}
        assert {asset: made[asset] for asset in FILM} == {
            "film_layout": 1,
            "frames": 2,
            "movie_clip": 1,
        }
