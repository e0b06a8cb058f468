"""The made-up fleet: in the published layout, the same every time, with all that is awkward."""

import zipfile
from datetime import date
from pathlib import Path, PurePosixPath

import polars as pl
import pytest

from backblaze_assets.drive_stats.demo import PARTIAL_DAYS, write_zips


def members(path: Path) -> list[str]:
    with zipfile.ZipFile(path) as archive:
        return archive.namelist()


def rows(*paths: Path) -> pl.DataFrame:
    """All rows of all days, the first five columns and the file's day."""
    frames = []
    for path in paths:
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                if name.endswith(".csv") and "__MACOSX" not in name:
                    day = pl.read_csv(
                        archive.read(name), columns=list(range(5)), infer_schema=False
                    )
                    file = date.fromisoformat(PurePosixPath(name).stem)
                    frames.append(day.with_columns(file=pl.lit(file)))
    return pl.concat(frames).with_columns(failed=pl.col("failure") == "1").sort("file")


@pytest.fixture(scope="module")
def lively(tmp_path_factory):
    """Two years in which much happens."""
    return write_zips(tmp_path_factory.mktemp("lively"), drives=100, hazard=4)


@pytest.fixture(scope="module")
def lively_rows(lively):
    return rows(*lively)


def test_zips_are_named_and_laid_out_as_the_published_ones(tmp_path):
    paths = write_zips(tmp_path, drives=30, first=date(2015, 12, 30), last=date(2016, 4, 1))
    assert [path.name for path in paths] == [
        "data_2015.zip",
        "data_Q1_2016.zip",
        "data_Q2_2016.zip",
    ]
    assert sorted(members(paths[0])) == [
        "2015/.DS_Store",
        "2015/2015-12-30.csv",
        "2015/2015-12-31.csv",
        "__MACOSX/2015/._2015-12-30.csv",
        "__MACOSX/2015/._2015-12-31.csv",
    ]
    assert members(paths[2])[1] == "data_Q2_2016/2016-04-01.csv"
    days = [name for name in members(paths[1]) if name.startswith("data_Q1_2016/2016")]
    assert len(days) == 91
    assert days != sorted(days)


def test_every_zip_says_that_it_is_synthetic(tmp_path):
    [path] = write_zips(tmp_path, drives=10, last=date(2013, 4, 10))
    with zipfile.ZipFile(path) as archive:
        assert archive.comment.startswith(b"SYNTHETIC")


@pytest.mark.parametrize(("year", "columns"), [(2013, 85), (2014, 85), (2015, 95), (2017, 95)])
def test_columns_are_those_of_the_year(tmp_path, year, columns):
    day = date(year, 5, 1)
    [path] = write_zips(tmp_path, drives=30, first=day, last=day)
    with zipfile.ZipFile(path) as archive:
        [name] = [name for name in archive.namelist() if name.endswith(f"/{day}.csv")]
        frame = pl.read_csv(archive.read(name))
    assert frame.width == columns
    assert frame.columns[:6] == [
        *("date", "serial_number", "model", "capacity_bytes", "failure", "smart_1_normalized")
    ]
    assert frame["smart_9_raw"].min() >= 0
    assert frame["smart_9_normalized"].null_count() == (frame.height if year == 2013 else 0)


def test_the_same_arguments_give_the_same_bytes_and_another_seed_another_fleet(tmp_path):
    days = {"first": date(2014, 12, 30), "last": date(2014, 12, 31)}
    one, two, other = (
        write_zips(tmp_path / name, drives=40, **days, seed=seed)[0].read_bytes()
        for name, seed in (("one", 1), ("two", 1), ("other", 2))
    )
    assert one == two
    assert one != other


def test_a_day_does_not_depend_on_which_days_are_written(tmp_path):
    wide = write_zips(tmp_path / "wide", drives=40, first=date(2014, 12, 1), last=date(2015, 1, 9))
    narrow = write_zips(
        tmp_path / "narrow", drives=40, first=date(2015, 1, 7), last=date(2015, 1, 9)
    )
    expected = rows(wide[1]).filter(pl.col("file") >= date(2015, 1, 7))
    assert rows(narrow[0]).sort(pl.all()).equals(expected.sort(pl.all()))


def test_about_as_many_drives_as_asked_for_report_on_the_first_day(tmp_path):
    for drives in (20, 60, 1000):
        [path] = write_zips(tmp_path, drives=drives, last=date(2013, 4, 10))
        assert abs(rows(path)["serial_number"].n_unique() - drives) <= max(5, drives // 20)


@pytest.mark.slow
def test_the_fleet_grows_and_models_come_and_go(lively_rows):
    first = lively_rows.filter(pl.col("file") == date(2013, 4, 10))
    last = lively_rows.filter(pl.col("file") == date(2014, 12, 31))
    assert 2 * first.height < last.height < 4 * first.height
    assert set(first["model"]) - set(last["model"]) >= {"ST31500341AS", "ST3000DM001"}
    assert set(last["model"]) - set(first["model"]) >= {"ST4000DM000", "ST250LT007"}


@pytest.mark.slow
def test_days_without_a_report_and_days_with_few_drives(lively, lively_rows):
    a_day = lively_rows.group_by("file").len().sort("file")
    count = dict(a_day.iter_rows())
    assert date(2014, 11, 2) not in count
    names = [PurePosixPath(name).name for path in lively for name in members(path)]
    assert "2014-11-02.csv" in names
    assert all(count[day] < 0.5 * count[date(2013, 8, 19)] for day in PARTIAL_DAYS[:10])
    assert len(count) == 266 + 364


@pytest.mark.slow
def test_no_row_comes_twice_and_drives_keep_their_model(lively_rows):
    frame = lively_rows
    assert not frame.select("file", "serial_number").is_duplicated().any()
    assert frame.group_by("serial_number").agg(pl.col("model").n_unique())["model"].max() == 1
    assert (frame["date"] == frame["file"].cast(pl.String)).all()


@pytest.mark.slow
def test_failed_drives_go_except_for_a_few_that_come_back(lively_rows):
    drives = (
        lively_rows.group_by("serial_number")
        .agg(
            failures=pl.col("failed").sum(),
            failed_on=pl.col("file").filter("failed").min(),
            last=pl.col("file").max(),
        )
        .filter(pl.col("failures") > 0)
    )
    back = drives.filter(pl.col("last") > pl.col("failed_on"))
    assert drives.height > 20
    assert 0 < back.height < drives.height / 10
    assert drives["failures"].max() == 2


@pytest.mark.slow
def test_hazard_multiplies_failures(tmp_path):
    failures = []
    for hazard in (1, 10, 100):
        [path] = write_zips(tmp_path, drives=300, last=date(2013, 5, 19), hazard=hazard)
        failures.append(rows(path)["failed"].sum())
    assert 5 * failures[0] < failures[1] < failures[2]


@pytest.mark.slow
def test_model_names_with_two_blanks_and_capacities_below_zero(lively_rows):
    frame = lively_rows
    assert {"WDC WD30EFRX", "WDC  WD30EFRX"} <= set(frame["model"])
    unknown = (frame["capacity_bytes"] == "-1").sum()
    assert 0 < unknown < frame.height / 500


@pytest.mark.parametrize(
    ("first", "last"),
    [
        (date(2013, 4, 9), date(2013, 4, 10)),
        (date(2013, 5, 2), date(2013, 5, 1)),
        (date(2017, 1, 1), date(2018, 1, 1)),
    ],
)
def test_days_that_the_fleet_does_not_cover_are_refused(tmp_path, first, last):
    with pytest.raises(ValueError, match="2013-04-10 to 2017-12-31"):
        write_zips(tmp_path, first=first, last=last)
    assert not list(tmp_path.iterdir())
