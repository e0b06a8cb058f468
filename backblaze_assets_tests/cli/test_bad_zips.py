"""What cannot be used costs itself alone: all else is made, and every command names it."""

import shutil
from datetime import date, timedelta
from pathlib import Path

import pytest

from backblaze_assets.film.probe import probe
from backblaze_assets_tests.project import AROUND, DAYS, FIRST, LAST, write_fleet

WEB_PAGE = b"<!DOCTYPE html><html><body>Sign in to the network</body></html>"


def write_bad_zip(path: Path, kind: str) -> None:
    """A file of a zip's name that is none."""
    match kind:
        case "web page":
            path.write_bytes(WEB_PAGE)
        case "link to nowhere":
            path.symlink_to("/nowhere/data_2014.zip")
        case "truncated":
            write_fleet(path.parent / "whole", date(2014, 1, 1), date(2014, 1, 2))
            content = (path.parent / "whole" / path.name).read_bytes()
            path.write_bytes(content[: len(content) // 2])
            shutil.rmtree(path.parent / "whole")


def with_a_bad_day(path: Path, day: date) -> None:
    """Damage the packed rows of one day in a zip."""
    content = bytearray(path.read_bytes())
    at = content.index(f"{day}.csv".encode()) + 200
    content[at : at + 50] = bytes(50)
    path.write_bytes(content)


@pytest.fixture(params=["web page", "link to nowhere", "truncated"])
def bad_zip(request: pytest.FixtureRequest) -> Path:
    """A bad zip in a data folder, alone."""
    Path("data").mkdir()
    path = Path("data/data_2014.zip").absolute()
    write_bad_zip(path, request.param)
    return path


@pytest.mark.slow
def test_one_bad_zip_costs_nothing_else(run, bad_zip):
    write_fleet(Path("data"))
    done = run("import")
    assert (done.code, done.stdout) == (1, "")
    assert done.stderr.splitlines()[-1].startswith(f"Error: {bad_zip} ")
    assert done.stderr.count(f"{bad_zip} ") == 1
    assert len(list(Path("data/raw_quarter").rglob("2*.parquet"))) == DAYS
    again = run("import")
    assert (again.code, again.stdout) == (1, "")
    assert again.stderr == done.stderr.splitlines()[-1] + "\n", "nothing runs again"
    status = run("status")
    assert status.code == 0
    assert str(bad_zip) in status.stderr
    why = run("why", "raw_quarter")
    assert (why.code, why.stdout) == (1, "")
    assert why.stderr == again.stderr


@pytest.mark.slow
def test_tables_and_film_of_all_else_are_made(run):
    write_fleet(Path("data"))
    write_bad_zip(Path("data/data_2014.zip"), "web page")
    done = run("movie")
    assert (done.code, done.stdout) == (1, "")
    assert probe(Path("data/movie/movie.mp4")).frames == DAYS + sum(AROUND.values())
    assert sorted(path.name for path in Path("data/afr_table").iterdir()) == [
        "2013-04-01.parquet",
        "2013-07-01.parquet",
    ]
    again = run("movie")
    assert again.code == 1
    assert again.stderr == done.stderr.splitlines()[-1] + "\n", "nothing runs again"


@pytest.mark.slow
def test_a_bad_zip_alone_is_named_by_every_command(run, bad_zip):
    for command in ("movie", "import", "afr", "why"):
        done = run(command)
        assert (done.code, done.stdout) == (1, ""), command
        assert done.stderr.startswith(f"Error: {bad_zip} "), command
        assert "There are no zips" not in done.stderr, command
    status = run("status")
    assert status.code == 0
    assert status.stderr.startswith(str(bad_zip))
    assert "raw_quarter" in status.stdout


@pytest.mark.slow
def test_an_empty_folder_is_not_up_to_date(run):
    Path("data").mkdir()
    why = run("why")
    assert (why.code, why.stdout) == (1, "")
    assert "There are no zips in" in why.stderr
    assert "backblaze-assets demo" in why.stderr
    status = run("status")
    assert status.code == 0
    assert "There are no zips in" in status.stderr
    assert not list(Path("data").iterdir()), "looking leaves nothing behind"


@pytest.mark.slow
def test_one_bad_day_costs_itself_and_is_said_each_time(run):
    """The film shows the day before in its place."""
    write_fleet(Path("data"))
    with_a_bad_day(Path("data/data_2013.zip"), LAST - timedelta(days=1))
    done = run("movie")
    assert (done.code, done.stdout) == (1, "")
    complaint = done.stderr[done.stderr.index("Error:") :]
    assert f"{LAST - timedelta(days=1)}" in complaint
    assert done.stderr.count("raw_quarter, days_present: ") == 1
    assert complaint.count("Error:") == 1
    assert "Traceback" not in done.stderr
    assert probe(Path("data/movie/movie.mp4")).frames == DAYS + sum(AROUND.values())
    assert not list(Path("data").rglob(".tmp-*"))
    raw = {path.stem for path in Path("data/raw_quarter").rglob("2*.parquet")}
    assert raw == {str(FIRST + timedelta(days=day)) for day in range(DAYS)} - {
        str(LAST - timedelta(days=1))
    }
    before = {path: path.stat().st_mtime_ns for path in Path("data").rglob("2*.*")}
    again = run("movie")
    assert (again.code, again.stderr) == (1, complaint), "nothing is made again"
    assert {path: path.stat().st_mtime_ns for path in before} == before
    write_fleet(Path("data"))
    mended = run("movie")
    assert mended.code == 0, mended.stderr
    assert "raw_quarter 2013-Q3\n" in mended.stderr, "the other quarter is as it was"
