"""The one pass over a day: what it takes, what it leaves to others, and its machine code."""

import csv as csv_module
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backblaze_assets.drive_stats import importer, schema
from backblaze_assets.drive_stats.archive import scan
from backblaze_assets.drive_stats.daily_csv import DailyTable, read_clean, read_with_care
from backblaze_assets.drive_stats.fields import Workspace, compiled
from backblaze_assets.drive_stats.importer import import_days
from backblaze_assets.drive_stats.inflate import MemberStream
from backblaze_assets.files.origin import Origin
from backblaze_assets_tests.drive_stats.zips import HEADER, csv, row, write_zip
from backblaze_assets_tests.real_data import DATA

DAY = date(2018, 2, 25)
LARGEST = 9_223_372_036_854_775_800  # it and what is beyond is left to Arrow


def one_pass(folder: Path, content: bytes, rows: int = 50, filled=None) -> DailyTable | None:
    member = scan(write_zip(folder / "data_Q1_2018.zip", {DAY: content})).members[DAY]
    workspace = Workspace()
    workspace.rows = rows
    with MemberStream(member) as stream:
        return read_clean(stream, DAY, filled or HEADER.split(","), workspace)


@settings(max_examples=60, deadline=None)
@given(
    values=st.lists(
        st.tuples(
            st.none() | st.integers(1 - LARGEST, LARGEST - 1),
            st.none() | st.integers(-(2**15), 2**15 - 1),
        ),
        max_size=9,
    ),
    block=st.sampled_from([100, 173, 1 << 20]),
    end=st.sampled_from(["\n", "\r\n"]),
    ended=st.booleans(),
)
def test_every_number_is_as_python_reads_it(tmp_path_factory, values, block, end, ended):
    folder = tmp_path_factory.mktemp("zip")
    header = "date,serial_number,model,capacity_bytes,failure,smart_9_normalized,smart_9_raw"
    lines = [
        f"2018-02-25,S{number},ST1,{'' if raw is None else raw},{number % 2},"
        f"{'' if short is None else short},{'' if raw is None else raw}"
        for number, (raw, short) in enumerate(values)
    ]
    content = csv(*lines, header=header, end=end)
    if not ended:
        content = content.rstrip(b"\r\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("backblaze_assets.drive_stats.daily_csv._BLOCK", block)
        daily = one_pass(folder, content, filled=header.split(","))
    if daily is None:
        # A last line without an end fills its last block.
        assert not ended
        assert (len(content) - len(content.splitlines(keepends=True)[0])) % block == 0
        return
    read = list(csv_module.reader(content.decode().splitlines()))[1:]
    wanted = [[fields[1], *(int(it) if it else None for it in fields[3:])] for fields in read]
    found = [[it[1], *it[3:]] for it in (tuple(r.values()) for r in daily.table.to_pylist())]
    assert found == wanted


@pytest.mark.parametrize(
    "line",
    [
        row("A", capacity="9223372036854775808"),
        row("A", capacity="-"),
        row("A", capacity="1.0"),
        row("A", capacity=" 7"),
        row("A", failure="300"),
        row("A", failure="2"),
        row(""),
        row(" A"),
        row("A "),
        row("\u00e9"),
        row("A\tB"),
        row('"A"'),
        row("A" * 5000),
        row("A") + ",",
        row("A").rpartition(",")[0],
        row("A") + "\rX",
        "\n".join(row(f"S{number}") for number in range(60)),
    ],
)
def test_what_is_not_as_published_is_left_to_others(tmp_path, line):
    assert one_pass(tmp_path, csv(row("S100"), row("S101"))) is not None
    assert one_pass(tmp_path, csv(row("S100"), line, row("S101"))) is None


def test_a_value_where_none_was_expected_is_seen(tmp_path):
    blank = csv(row("A", smart=",,,"))
    some = csv(row("A", smart=",,,5"))
    assert one_pass(tmp_path, blank, filled=schema.REQUIRED) is not None
    assert one_pass(tmp_path, some, filled=schema.REQUIRED) is None


@pytest.mark.slow
def test_machine_code_and_arrow_write_the_same_bytes(tmp_path, monkeypatch):
    assert compiled() is not None
    archive = scan(DATA / "forty_days" / "data_2013.zip")
    days = sorted(archive.members)
    origin = Origin("raw_quarter", None, "")
    used = []
    read = importer.read_clean

    def watched(stream, day, filled, workspace):
        daily = read(stream, day, filled, workspace)
        used.append(workspace is not None and daily is not None)
        return daily

    monkeypatch.setattr(importer, "read_clean", watched)
    for name, size in [("arrow", 1 << 60), ("machine", 0)]:
        used.clear()
        monkeypatch.setattr(importer, "WORTH_COMPILING", size)
        import_days(archive, days, tmp_path / name, origin, workers=1)
        assert sum(used) == (0 if name == "arrow" else pytest.approx(len(days), abs=10))
    for day in days:
        name = f"{day}.parquet"
        assert (tmp_path / "arrow" / name).read_bytes() == (
            tmp_path / "machine" / name
        ).read_bytes()
        with MemberStream(archive.members[day]) as stream:
            careful = read_with_care(stream, day).table
        assert importer.read_report(tmp_path / "machine" / name).rows_kept == careful.num_rows
