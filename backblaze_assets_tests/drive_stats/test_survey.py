"""What lies in the data folder, under every name that people give it."""

import gzip
import hashlib
import os
import socket
import zipfile
from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backblaze_assets.drive_stats.archive import scan
from backblaze_assets.drive_stats.importer import ImportFailedError, import_days
from backblaze_assets.drive_stats.quarters import quarter_of
from backblaze_assets.drive_stats.survey import Survey, survey
from backblaze_assets.errors import DataError
from backblaze_assets.files.origin import Origin
from backblaze_assets.lineage.view import NO_INPUT
from backblaze_assets_tests.drive_stats.zips import csv, row, write_zip

Q4_2015, Q1, Q2, Q3 = date(2015, 10, 1), date(2016, 1, 1), date(2016, 4, 1), date(2016, 7, 1)
ORIGIN = Origin("raw_quarter", None, "code")


def content(day: date) -> bytes:
    return csv(*(row(f"S{number}", day=str(day)) for number in range(day.day)))


def days(first: date, count: int = 3) -> dict[date, bytes]:
    return {day: content(day) for day in (first + timedelta(days=n) for n in range(count))}


def lay(path: Path, contents: dict[date, bytes]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return write_zip(path, contents, top="top/")


def unpack(folder: Path, contents: dict[date, bytes], *, gzipped: bool = False) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for day, text in contents.items():
        if gzipped:
            (folder / f"{day}.csv.gz").write_bytes(gzip.compress(text))
        else:
            (folder / f"{day}.csv").write_bytes(text)


def served(found: Survey) -> dict[date, list[date]]:
    return {quarter: archive.days(quarter) for quarter, archive in found.archives.items()}


def test_published_names_are_used_without_a_word(tmp_path):
    lay(tmp_path / "data_2015.zip", days(date(2015, 9, 29)))
    lay(tmp_path / "DATA_q1_2016.ZIP", days(Q1))
    (tmp_path / "README.md").write_text("data_2015")
    (tmp_path / "notes.csv").write_text("a,b\n1,2\n")
    found = survey(tmp_path)
    assert list(found.archives) == [date(2015, 7, 1), Q4_2015, Q1]
    assert found.unused == found.unusable == {}
    for quarter, archive in found.archives.items():
        assert archive == found.archive(quarter)
        assert set(map(quarter_of, archive.members)) == {quarter}
        assert archive.version(quarter) == scan(archive.path).version(quarter)
        assert archive.sources(quarter) == {
            archive.path.name: hashlib.sha256(archive.path.read_bytes()).hexdigest()
        }
        assert archive.files(quarter) == [archive.path]


def test_there_may_be_no_folder_and_nothing_in_it(tmp_path):
    for folder in (tmp_path, tmp_path / "absent"):
        found = survey(folder)
        assert (found.archives, found.unusable, found.unused) == ({}, {}, {})
        with pytest.raises(DataError, match=r"2016-Q1 needs data_Q1_2016\.zip"):
            found.archive(Q1)


@pytest.mark.parametrize(
    "name",
    [
        "data_Q2_2016 (1).zip",
        "2016_Q2.zip",
        "data-Q2-2016.zip",
        "data_2016.zip",
        "anything.zip",
        "old/zips/data_Q2_2016.zip",
    ],
)
def test_zips_of_other_names_are_used_by_their_content(tmp_path, name):
    lay(tmp_path / "data_Q1_2016.zip", days(Q1))
    path = lay(tmp_path / name, days(Q2) | days(Q3))
    found = survey(tmp_path)
    expected = {Q1: list(days(Q1)), Q2: list(days(Q2)), Q3: list(days(Q3))}
    if path.name == "data_Q2_2016.zip":  # a published name counts
        del expected[Q3]
    assert served(found) == expected
    assert found.archives[Q2].path == path
    assert bool(found.unused) == (Q3 not in expected)


def test_a_zip_for_each_day(tmp_path):
    for day, text in days(Q1, 5).items():
        lay(tmp_path / f"{day}.zip", {day: text})
    found = survey(tmp_path)
    assert served(found) == {Q1: list(days(Q1, 5))}
    assert found.unused == {}
    assert len(found.archives[Q1].sources(Q1)) == 5


@pytest.mark.parametrize("where", [".", "data_Q1_2016", "2016", "data_Q1_2016.zip", "a/b/c"])
@pytest.mark.parametrize("gzipped", [False, True])
def test_unpacked_days_give_the_same_bytes_as_the_zip(tmp_path, where, gzipped):
    zipped = scan(lay(tmp_path / "zips" / "data_Q1_2016.zip", days(Q1)))
    data = tmp_path / "data"
    unpack(data / where, days(Q1), gzipped=gzipped)
    found = survey(data)
    assert found.unused == found.unusable == {}
    archive = found.archive(Q1)
    assert archive.path == data / where
    assert archive.version(Q1) == zipped.version(Q1)
    ours, theirs = (
        import_days(each, each.days(Q1), tmp_path / name, ORIGIN)
        for each, name in ((archive, "ours"), (zipped, "theirs"))
    )
    assert ours == theirs
    for day in days(Q1):
        name = f"{day}.parquet"
        first, second = (tmp_path / each / name for each in ("ours", "theirs"))
        assert first.read_bytes() == second.read_bytes()


def test_the_digest_of_unpacked_days_is_what_sha256sum_gives(tmp_path):
    unpack(tmp_path / "x", days(Q1))
    sums = "".join(
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n"
        for path in sorted((tmp_path / "x").iterdir())
    )
    expected = hashlib.sha256(sums.encode()).hexdigest()
    assert survey(tmp_path).archive(Q1).sources(Q1) == {"x/ (3 files)": expected}


def test_unpacked_days_are_read_once_and_again_when_they_change(tmp_path, monkeypatch):
    unpack(tmp_path, days(Q1))
    before = survey(tmp_path).archive(Q1).version(Q1)
    with monkeypatch.context() as patch:
        patch.setattr("backblaze_assets.drive_stats.checksums._read", None)
        assert survey(tmp_path).archive(Q1).version(Q1) == before
    (tmp_path / f"{Q1}.csv").write_bytes(content(Q1) + row("NEW").encode())
    assert survey(tmp_path).archive(Q1).version(Q1) != before


def test_gzip_in_several_pieces_and_damaged_gzip(tmp_path):
    unpack(tmp_path, days(Q1), gzipped=True)
    first, second, third = sorted(tmp_path.glob("*.gz"))
    text = content(Q1)
    first.write_bytes(gzip.compress(text[:9]) + gzip.compress(text[9:]) + b"\0" * 100)
    damaged = bytearray(second.read_bytes())
    damaged[-6] ^= 1
    second.write_bytes(damaged)
    third.write_bytes(third.read_bytes()[:-12])
    archive = survey(tmp_path).archive(Q1)
    assert archive.version(Q1)
    with pytest.raises(ImportFailedError) as error:
        import_days(archive, archive.days(Q1), tmp_path / "out", ORIGIN)
    assert [report.rows_kept for report in error.value.reports] == [1]
    assert list(map(str, sorted(error.value.failed))) == ["2016-01-02", "2016-01-03"]
    for path in (second, third):
        assert str(path) in str(error.value)


def test_days_of_another_quarter_are_named(tmp_path):
    strays = {day: content(day) for day in (date(2015, 12, 31), date(2016, 4, 1))}
    path = lay(tmp_path / "data_Q1_2016.zip", days(Q1) | strays)
    found = survey(tmp_path)
    assert served(found) == {Q1: list(days(Q1))}
    assert "2015-12-31.csv is of 2015-Q4" in found.unused[path]
    assert "2016-04-01.csv is of 2016-Q2" in found.unused[path]
    account = found.archive(Q1).account(Q1)
    assert {each.day for each in account} == set(strays)


def test_a_published_name_with_nothing_of_its_quarter_is_used_by_its_content(tmp_path):
    lay(tmp_path / "data_Q1_2016.zip", days(Q2))
    assert served(survey(tmp_path)) == {Q2: list(days(Q2))}


def test_a_second_zip_of_a_quarter_is_named_once_and_fills_days_that_lack(tmp_path):
    lay(tmp_path / "data_Q1_2016.zip", days(Q1))
    second = lay(tmp_path / "data_Q1_2016 (1).zip", days(Q1))
    third = lay(tmp_path / "data_Q1_2016 (2).zip", days(Q1, 5) | {Q1: b"other"})
    found = survey(tmp_path)
    assert served(found) == {Q1: list(days(Q1, 5))}
    assert found.archive(Q1).members[Q1].path.name == "data_Q1_2016.zip"
    assert set(found.unused) == {second, third}
    assert "data_Q1_2016.zip has these days with the same content" in found.unused[second]
    assert "is not used for 3 of its days" in found.unused[third]
    assert "possibly with other content" in found.unused[third]
    assert found.archive(Q1).path == tmp_path


def test_zip_and_unpacked_days_beside_it(tmp_path):
    path = lay(tmp_path / "data_Q1_2016.zip", days(Q1))
    unpack(tmp_path / "data_Q1_2016", days(Q1))
    unpack(tmp_path / "data_Q1_2016", days(Q1), gzipped=True)
    found = survey(tmp_path)
    assert found.archive(Q1).path == path
    assert len(found.unused) == 4
    assert "data_Q1_2016.zip has these days" in found.unused[tmp_path / "data_Q1_2016"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("data_Q1_2016.zip.crdownload", "unfinished download. Let it be finished"),
        (".data_Q1_2016.zip.part", "unfinished download. Go on with `backblaze-assets download`"),
        ("data_Q1_2016.tar.gz", "Unpack it in the data folder"),
        ("data_Q1_2016.7z", "Unpack it"),
        ("2016-01-01.csv.xz", "Unpack it"),
        ("data_Q1_2016.zip.1", "Rename it"),
        ("sub/data_Q1_2016.zip~", "Rename it"),
        ("2016-01.csv", "must be one file a day"),
        ("drives.csv", "must be one file a day"),
        ("2016-02-30.csv", "named after a day that does not exist"),
        ("2012-01-01.csv", "before the first one published"),
        ("2099-01-01.csv", "yet to come"),
        ("2016-01-01 (1).csv", "one file a day"),
    ],
)
def test_what_looks_like_data_and_is_not_used_is_named_with_what_to_do(tmp_path, name, message):
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content(Q1))
    found = survey(tmp_path)
    assert found.archives == found.unusable == {}
    assert list(found.unused) == [path]
    assert message in found.unused[path]
    assert str(path) in found.unused[path]


def test_members_that_look_like_days_are_named(tmp_path):
    path = tmp_path / "data_Q1_2016.zip"
    with zipfile.ZipFile(path, "w") as file:
        for name in (
            "2016-01-01.csv",
            "2016-02-31.csv",
            "x\\2016-01-02.CSV",
            "a/2016-01-03 (1).csv",
            "2016-01-04.csv.gz",
            "__MACOSX/._2016-01-01.csv",
            "x\\__MACOSX\\._2016-01-05.csv",
            "._2016-01-06.csv",
        ):
            file.writestr(name, content(Q1))
    found = survey(tmp_path)
    assert served(found) == {Q1: [date(2016, 1, 1), date(2016, 1, 2)]}
    assert [each.name for each in found.archive(Q1).account(Q1)] == [
        "2016-02-31.csv",
        "a/2016-01-03 (1).csv",
        "2016-01-04.csv.gz",
    ]
    assert "2016-02-31.csv is named after a day that does not exist" in found.unused[path]


def fifo(path: Path) -> None:
    os.mkfifo(path)


def listening(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        os.chdir(path.parent)  # the name of a socket is short
        server.bind(path.name)


@pytest.mark.parametrize("name", ["data_Q1_2016.zip", "2016-01-01.csv", "2016-01-01.csv.gz"])
@pytest.mark.parametrize(
    ("make", "message"),
    [
        (fifo, "is a pipe"),
        (listening, "cannot be read|is a socket"),
        (lambda path: path.symlink_to(path.parent / "nowhere"), "a link to a file that is not"),
        (lambda path: path.symlink_to("/dev/zero"), "is a device"),
    ],
)
def test_what_is_no_file_is_refused_without_waiting(tmp_path, monkeypatch, name, make, message):
    monkeypatch.chdir(tmp_path)
    lay(tmp_path / "data_Q2_2016.zip", days(Q2))
    make(tmp_path / name)
    found = survey(tmp_path)
    assert list(found.archives) == [Q2]
    with pytest.raises(DataError, match=message) as error:
        raise found.unusable[tmp_path / name]
    assert name in str(error.value)


def test_one_bad_zip_costs_that_zip(tmp_path):
    lay(tmp_path / "data_Q1_2016.zip", days(Q1))
    bad = tmp_path / "data_Q2_2016.zip"
    bad.write_text("<!DOCTYPE html><title>Log in</title>")
    (tmp_path / "data_Q3_2016.zip").mkdir()
    docs = tmp_path / "docs_Q3_2019.zip"
    with zipfile.ZipFile(docs, "w") as file:
        file.writestr("stats.sql", "select")
    found = survey(tmp_path)
    assert list(found.archives) == [Q1]
    assert list(found.unusable) == [bad, tmp_path / "data_Q3_2016.zip"]
    assert "it is a web page" in str(found.unusable[bad])
    assert list(found.unused) == [docs]
    with pytest.raises(DataError, match="web page"):
        found.archive(Q2)


def test_results_and_hidden_folders_are_not_looked_into(tmp_path):
    for name in (*NO_INPUT, ".git", "__MACOSX"):
        unpack(tmp_path / name, days(Q1))
        lay(tmp_path / name / "data_Q2_2016.zip", days(Q2))
    found = survey(tmp_path, NO_INPUT)
    assert (found.archives, found.unusable, found.unused) == ({}, {}, {})


def test_links_that_go_round_end(tmp_path):
    unpack(tmp_path / "a", days(Q1))
    (tmp_path / "a" / "b").symlink_to(tmp_path, target_is_directory=True)
    found = survey(tmp_path)
    assert list(served(found)) == [Q1]


def test_a_zip_that_would_unpack_to_too_much_is_refused(tmp_path):
    path = lay(tmp_path / "data_Q1_2016.zip", days(Q1))
    size = sum(map(len, days(Q1).values()))
    assert survey(tmp_path, most_bytes=size).archives
    found = survey(tmp_path, most_bytes=size - 1)
    assert "would take" in str(found.unusable[path])


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_every_day_is_served_once_and_every_container_is_used_or_named(tmp_path_factory, data):
    """Days dealt at random to zips, folders and gzips give what one zip of them all gives."""
    folder = tmp_path_factory.mktemp("data")
    calendar = list(days(date(2015, 12, 30), 6)) + list(days(date(2016, 3, 30), 4))
    names = ["mine.zip", "data_2016.zip", "sub/x.zip", "a", "b", ".", "data_Q1_2016 (1).zip"]
    dealt = data.draw(
        st.dictionaries(
            st.sampled_from(names), st.sets(st.sampled_from(calendar), min_size=1), max_size=4
        )
    )
    for name, chosen in dealt.items():
        contents = {day: content(day) for day in sorted(chosen)}
        if name.endswith(".zip"):
            lay(folder / name, contents)
        else:
            unpack(folder / name, contents, gzipped=data.draw(st.booleans()))
    found = survey(folder)
    union = sorted(set().union(*dealt.values()))
    assert [day for archive in found.archives.values() for day in archive.members] == union
    assert not found.unusable
    using = {
        member.path if member.in_zip else member.path.parent
        for archive in found.archives.values()
        for member in archive.members.values()
    }
    for name in dealt:
        assert folder / name in using | set(found.unused)
    if union:
        whole = scan(
            lay(tmp_path_factory.mktemp("whole") / "all.zip", {d: content(d) for d in union})
        )
        for quarter, archive in found.archives.items():
            assert archive.version(quarter) == whole.version(quarter)
