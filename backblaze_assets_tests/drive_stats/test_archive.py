import zipfile
from datetime import date
from pathlib import Path

import pytest

from backblaze_assets.drive_stats.archive import (
    archive_name,
    archive_url,
    missing,
    quarters_of,
    scan,
    sha256,
)
from backblaze_assets.errors import DataError
from backblaze_assets_tests.drive_stats.zips import csv, row, write_zip

DAY = date(2018, 2, 25)
QUARTER = date(2018, 1, 1)


@pytest.mark.parametrize(
    ("quarter", "name"),
    [
        (date(2013, 4, 1), "data_2013.zip"),
        (date(2015, 10, 1), "data_2015.zip"),
        (date(2016, 1, 1), "data_Q1_2016.zip"),
        (date(2021, 4, 1), "data_Q2_2021.zip"),
        (date(2026, 10, 1), "data_Q4_2026.zip"),
    ],
)
def test_every_quarter_has_one_zip_and_the_zip_knows_it(quarter, name):
    assert archive_name(quarter) == name
    assert quarter in quarters_of(name)
    assert quarter in quarters_of(name.upper())
    assert archive_url(name).endswith(f"/Backblaze-Hard-Drive-Data/{name}")


def test_the_first_year_has_three_quarters():
    assert quarters_of("data_2013.zip") == [date(2013, 4, 1), date(2013, 7, 1), date(2013, 10, 1)]
    assert len(quarters_of("data_2014.zip")) == 4


@pytest.mark.parametrize(
    "name",
    [
        "data_2012.zip",
        "data_2016.zip",
        "data_Q1_2015.zip",
        "data_Q5_2020.zip",
        "docs_Q3_2019.zip",
        "data_2013.zip.part",
        "data_Q1_2021 (1).zip",
        "data_Q1_0000.zip",
        ".tmp-data_2013.zip",
    ],
)
def test_foreign_names_serve_no_quarter(name):
    assert quarters_of(name) == []


def test_a_missing_zip_is_named_with_its_folder_and_ways_to_get_it(tmp_path):
    error = missing(tmp_path, date(2016, 1, 1))
    for part in (
        "data_Q1_2016.zip",
        str(tmp_path),
        "backblaze-assets download 2016-Q1",
        archive_url("data_Q1_2016.zip"),
        "backblaze-assets demo",
    ):
        assert part in str(error)


def test_before_the_first_quarter_there_is_nothing_to_get(tmp_path):
    assert "begin on 2013-04-10" in str(missing(tmp_path, date(2013, 1, 1)))


@pytest.mark.parametrize("top", ["", "2018/", "drive_stats_2018_Q1/", "a/b/"])
def test_days_are_members_whose_base_name_is_a_day_in_any_folder(tmp_path, top):
    path = tmp_path / "data_Q1_2018.zip"
    junk = [
        f"__MACOSX/{top}._2018-02-25.csv",
        f"__MACOSX/{top}2018-02-26.csv",
        f"{top}._2018-02-27.csv",
        f"{top}.DS_Store",
        f"{top}2018-02-30.csv",
        f"{top}x2018-02-28.csv",
        f"{top}2018-02-28.csv.bak",
    ]
    with zipfile.ZipFile(path, "w") as file:
        for name in (f"{top}2018-03-01.csv", *junk, f"{top}2018-02-25.csv"):
            file.writestr(name, b"x")
    archive = scan(path)
    assert list(archive.members) == [DAY, date(2018, 3, 1)]
    assert archive.members[DAY].name == f"{top}2018-02-25.csv"
    assert archive.days(QUARTER) == [DAY, date(2018, 3, 1)]
    assert archive.days(date(2018, 4, 1)) == []


def test_version_is_of_the_quarters_content_not_of_the_zip(tmp_path):
    days = {date(2014, 1, 1): csv(row("A")), date(2014, 4, 1): csv(row("B"))}
    first, second = date(2014, 1, 1), date(2014, 4, 1)
    before = scan(write_zip(tmp_path / "a.zip", days))
    packed_anew = scan(write_zip(tmp_path / "b.zip", dict(reversed(days.items())), top="2014/"))
    changed = scan(write_zip(tmp_path / "c.zip", {**days, second: csv(row("C"))}))
    assert before.version(first) == packed_anew.version(first) == changed.version(first)
    assert before.version(second) != changed.version(second)
    assert before.version(first) != before.version(second)


def test_a_synthetic_zip_says_so(tmp_path):
    assert scan(write_zip(tmp_path / "a.zip", {DAY: b"x"}, b"SYNTHETIC, seed 1")).synthetic
    assert not scan(write_zip(tmp_path / "b.zip", {DAY: b"x"}, b"made by hand")).synthetic


def problems(path: Path) -> dict[date, str]:
    return {day: member.problem for day, member in scan(path).members.items() if member.problem}


def test_two_files_for_one_day_are_a_bad_day_unless_they_are_the_same(tmp_path):
    path = tmp_path / "data_Q1_2018.zip"
    with zipfile.ZipFile(path, "w") as file:
        for name, content in (("a/2018-02-25", b"x"), ("b/2018-02-25", b"y")):
            file.writestr(f"{name}.csv", content)
        for name in ("a/2018-02-26", "b/2018-02-26", "2018-02-27"):
            file.writestr(f"{name}.csv", b"x")
    archive = scan(path)
    assert list(problems(path)) == [DAY]
    assert "a/2018-02-25.csv and b/2018-02-25.csv" in problems(path)[DAY]
    assert [(each.name, each.reason) for each in archive.account(QUARTER)] == [
        ("b/2018-02-26.csv", "is the same file as a/2018-02-26.csv")
    ]


def test_a_zip_without_days_is_an_error(tmp_path):
    path = tmp_path / "data_Q1_2018.zip"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("readme.txt", b"x")
    with pytest.raises(DataError, match="no file named like"):
        scan(path)


@pytest.mark.parametrize("keep", [0, 10, -30])
def test_a_zip_cut_short_is_an_error(tmp_path, keep):
    path = write_zip(tmp_path / "data_Q1_2018.zip", {DAY: csv(row())})
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(DataError, match=r"data_Q1_2018\.zip is not a whole zip"):
        scan(path)


def test_an_encrypted_member_is_a_bad_day(tmp_path):
    path = write_zip(tmp_path / "data_Q1_2018.zip", {DAY: csv(row())})
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\1\2") + 8] |= 1
    path.write_bytes(content)
    assert "encrypted" in problems(path)[DAY]


def test_a_method_other_than_deflate_is_a_bad_day(tmp_path):
    path = tmp_path / "data_Q1_2018.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as file:
        file.writestr("2018-02-25.csv", csv(row()))
    assert "LZMA, and only deflate" in problems(path)[DAY]


def test_sha256_is_that_of_the_file(tmp_path):
    path = tmp_path / "x"
    path.write_bytes(b"abc")
    expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert sha256(path) == expected


@pytest.mark.parametrize(
    "name",
    [
        "2018-2-26.csv",
        "20180226.csv",
        "2018_02_26.csv",
        "2018-02-26.csv.gz",
        "2018-02-26 (1).csv",
        "2018-02-26.txt",
        "february.csv",
        "data_Q1_2018.zip",
    ],
)
def test_whatever_looks_like_a_day_beside_others_is_imported_or_named(tmp_path, name):
    path = tmp_path / "data_Q1_2018.zip"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("data_Q1_2018/", b"")
        file.writestr("data_Q1_2018/2018-02-25.csv", csv(row()))
        file.writestr(f"data_Q1_2018/{name}", csv(row()))
        for other in ("readme.md", "._2018-02-26.csv", "__MACOSX/2018-02-26.csv", ".DS_Store"):
            file.writestr(other, b"not data")
    archive = scan(path)
    assert list(archive.members) == [date(2018, 2, 25)]
    (left_out,) = archive.left_out
    assert left_out.name == f"data_Q1_2018/{name}"
    assert ("zip inside a zip" in left_out.reason) == name.endswith(".zip")
