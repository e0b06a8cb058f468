"""The import, from hand-made zips with every anomaly that the published ones are known to have."""

import csv as csv_module
import hashlib
import pickle
import threading
import zipfile
from dataclasses import asdict
from datetime import date
from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backblaze_assets.drive_stats.archive import scan
from backblaze_assets.drive_stats.daily_csv import read_clean, read_with_care
from backblaze_assets.drive_stats.import_quality import imported_days
from backblaze_assets.drive_stats.importer import (
    DayReport,
    ImportFailedError,
    import_days,
    read_report,
)
from backblaze_assets.drive_stats.inflate import MemberStream
from backblaze_assets.drive_stats.reading import ReplacedError
from backblaze_assets.errors import DataError
from backblaze_assets.files.origin import KEY, Origin
from backblaze_assets.work import progress
from backblaze_assets_tests.drive_stats.zips import HEADER, csv, row, write_zip
from backblaze_assets_tests.real_data import DATA, FAILURES, FORTY_DAYS, rows_of

DAY = date(2018, 2, 25)
ORIGIN = Origin("raw_quarter", None, "code")
NAMES = HEADER.split(",")


def imported(folder: Path, content: bytes) -> tuple[pl.DataFrame, DayReport]:
    """One day, imported from its CSV."""
    archive = scan(write_zip(folder / "data_Q1_2018.zip", {DAY: content}))
    (report,) = import_days(archive, [DAY], folder / "out", ORIGIN, workers=1)
    assert report.rows_in == report.rows_kept + report.rows_rejected
    assert report == read_report(folder / "out" / f"{DAY}.parquet")
    table = pl.read_parquet(folder / "out" / f"{DAY}.parquet")
    assert table.height == report.rows_kept
    return table, report


def rejects(folder: Path) -> list[dict[str, str]]:
    path = folder / "out" / "rejects" / f"{DAY}.csv"
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv_module.DictReader(file))


def test_a_day_is_typed_and_keeps_its_order(tmp_path):
    table, report = imported(
        tmp_path,
        csv(
            row("0007", "WDC  WUH721414ALE6L4", smart="100,281474976710655,,4000"),
            row("0003", " 00MD00", failure="1", capacity="-1", smart=",,-5,0"),
        ),
    )
    assert table.schema == {
        "date": pl.Date,
        "serial_number": pl.String,
        "model": pl.String,
        "capacity_bytes": pl.Int64,
        "failure": pl.Int8,
        "smart_1_normalized": pl.Int16,
        "smart_1_raw": pl.Int64,
        "smart_9_normalized": pl.Int16,
        "smart_9_raw": pl.Int64,
    }
    assert table.rows() == [
        (DAY, "0007", "WDC  WUH721414ALE6L4", 4000787030016, 0, 100, 281474976710655, None, 4000),
        (DAY, "0003", "00MD00", -1, 1, None, None, -5, 0),
    ]
    assert asdict(report) | {"data_version": "", "parquet_bytes": 0} == {
        "day": DAY,
        "rows_in": 2,
        "rows_kept": 2,
        "rows_rejected": 0,
        "duplicates": 0,
        "failures": 1,
        "drives": 2,
        "dates_differing": 0,
        "rounded_numbers": {},
        "unusable_numbers": {},
        "rewritten": {},
        "trimmed": {"model": 1},
        "quoted_rows": 0,
        "bad_capacities": 1,
        "unknown_columns": [],
        "columns": 9,
        "line_end": "LF",
        "csv_bytes": 225,
        "data_version": "",
        "parquet_bytes": 0,
        "rejects_crc32": 0,
    }


@pytest.mark.parametrize(("end", "name"), [("\n", "LF"), ("\r\n", "CRLF"), ("\r", "CR")])
@pytest.mark.parametrize("rows", [0, 1, 20_000])
def test_line_ends(tmp_path, end, name, rows):
    content = csv(*(row(f"S{number}") for number in range(rows)), end=end)
    table, report = imported(tmp_path, content)
    assert report.line_end == name
    assert table["serial_number"].to_list() == [f"S{number}" for number in range(rows)]


def test_the_last_line_needs_no_end_and_empty_lines_are_no_rows(tmp_path):
    table, report = imported(tmp_path, csv(row("A"), "", row("B"), "").rstrip())
    assert table["serial_number"].to_list() == ["A", "B"]
    assert report.rows_in == 2


@pytest.mark.parametrize("content", [HEADER, HEADER + "\n", HEADER + "\r\n\r\n"])
def test_a_header_without_rows_is_a_day_without_a_report(tmp_path, content):
    table, report = imported(tmp_path, content.encode())
    assert table.height == report.rows_in == 0
    assert table.columns == NAMES
    assert table["smart_9_raw"].dtype == pl.Int64


def test_the_day_is_that_of_the_file_name(tmp_path):
    days = ["2018-02-25", "2/25/18", "2/24/18", "2018-02-24", "", "yesterday"]
    table, report = imported(tmp_path, csv(*(row(f"S{day}", day=day) for day in days)))
    assert table["date"].unique().to_list() == [DAY]
    assert report.dates_differing == 4
    assert report.rows_rejected == 0


def test_rounded_numbers_are_blanked_and_counted(tmp_path):
    table, report = imported(
        tmp_path,
        csv(
            row("A", capacity="4.00079E+12", smart="100,1.2E+08,,4000", day="2/25/18"),
            row("B", capacity="4.00079E+12", smart="100,5,,1e3", day="2/25/18"),
            end="\r",
        ),
    )
    assert table["capacity_bytes"].to_list() == [None, None]
    assert table["smart_1_raw"].to_list() == [None, 5]
    assert report.rounded_numbers == {"capacity_bytes": 2, "smart_1_raw": 1, "smart_9_raw": 1}
    assert report.unusable_numbers == {}
    assert report.bad_capacities == 0


def test_numbers_that_do_not_fit_are_blanked_and_counted(tmp_path):
    table, report = imported(
        tmp_path,
        csv(
            row("A", smart="32767,9223372036854775807,-32768,-9223372036854775808"),
            row("B", smart="32768,9223372036854775808,-32769,1.5"),
            row("C", smart="many,1,,"),
        ),
    )
    assert table.rows()[0][5:] == (32767, 2**63 - 1, -32768, -(2**63))
    assert table.rows()[1][5:] == (None, None, None, None)
    assert table.rows()[2][5:] == (None, 1, None, None)
    assert report.unusable_numbers == {
        "smart_1_normalized": 2,
        "smart_1_raw": 1,
        "smart_9_normalized": 1,
        "smart_9_raw": 1,
    }
    assert report.rounded_numbers == {}


def test_impossible_capacities_are_kept_and_counted(tmp_path):
    sizes = ["-1", "0", "-9116022715867848704", "600332565813390450", "100000000000000", ""]
    table, report = imported(
        tmp_path, csv(*(row(f"S{number}", capacity=size) for number, size in enumerate(sizes)))
    )
    assert table["capacity_bytes"].to_list() == [int(size) if size else None for size in sizes]
    assert report.bad_capacities == 4


def test_rows_that_cannot_be_kept_are_set_aside_with_line_and_reason(tmp_path):
    bad = {
        3: (row(""), "no serial number"),
        4: (row("  "), "no serial number"),
        5: (row("D", model=" "), "no model"),
        6: (row("E", failure="no"), "failure is neither 0 nor 1"),
        7: (row("F", failure=""), "failure is neither 0 nor 1"),
        8: (row("G", failure="2"), "failure is neither 0 nor 1"),
        9: (row("H") + ",1", "10 fields, the header has 9"),
        10: ("I,J", "2 fields, the header has 9"),
        11: (row("A", failure="1"), "serial number occurs before"),
        12: (row('"K"', failure="x"), "failure is neither 0 nor 1"),
    }
    content = csv(row("A"), *(text for text, _ in bad.values()), row("Z", failure="1"))
    table, report = imported(tmp_path, content)
    assert table["serial_number"].to_list() == ["A", "Z"]
    assert table["failure"].to_list() == [0, 1]
    assert rejects(tmp_path) == [
        {"line": str(line), "reason": reason, "row": text, "rows": "1"}
        for line, (text, reason) in bad.items()
    ]
    assert (report.rows_in, report.rows_rejected, report.duplicates) == (12, 10, 1)


def test_a_row_that_cannot_be_kept_does_not_make_the_next_one_a_duplicate(tmp_path):
    table, report = imported(tmp_path, csv(row("A", failure="?"), row("A", failure="1")))
    assert table["failure"].to_list() == [1]
    assert report.duplicates == 0


def test_bytes_that_are_not_utf8_are_set_aside_escaped(tmp_path):
    content = csv(row("A"), row("B")).replace(b"B,ST", b"B\xff,ST")
    table, _ = imported(tmp_path, content)
    assert table["serial_number"].to_list() == ["A"]
    assert rejects(tmp_path)[0]["reason"] == "not UTF-8"
    assert "B\\xff" in rejects(tmp_path)[0]["row"]


@pytest.mark.parametrize("length", [900_000, 1_048_576, 1_200_000, 5_000_000, 20_000_000])
def test_a_row_is_read_up_to_a_bound_and_set_aside_beyond_it(tmp_path, length):
    long = "M" * length
    table, report = imported(tmp_path, csv(row("A"), row("B", model=long), row("C")))
    if length < 1_000_000:
        assert table["model"].to_list()[1] == long
        return
    assert table["serial_number"].to_list() == ["A", "C"]
    assert (report.rows_in, report.rows_rejected) == (3, 1)
    (reject,) = rejects(tmp_path)
    whole = len(row("B", model=long))
    assert reject["line"] == "3"
    assert reject["reason"] == f"{whole:,} bytes long, a row has at most 1,048,576"
    assert reject["row"] == row("B", model=long)[:4096]


def test_so_many_rows_set_aside_are_summed_up(tmp_path):
    bad = ["x", *["1,2"] * 29_999, *["x"] * 10_000]
    table, report = imported(tmp_path, csv(row("A"), *bad, row(""), row("B")))
    assert table["serial_number"].to_list() == ["A", "B"]
    assert (report.rows_in, report.rows_rejected) == (40_003, 40_001)
    listed = rejects(tmp_path)
    assert sum(int(each["rows"]) for each in listed) == 40_001
    assert [(each["line"], each["rows"], each["reason"]) for each in listed[10_000:]] == [
        ("10003", "20000", "2 fields, the header has 9 (so are 20,000 rows up to line 30002)"),
        ("30003", "10000", "1 fields, the header has 9 (so are 10,000 rows up to line 40002)"),
        ("40003", "1", "no serial number (so are 1 rows up to line 40003)"),
    ]
    (day,) = imported_days(tmp_path / "out")
    assert day.rows_listed == 40_001


def test_new_columns_stay_as_text_and_are_named(tmp_path):
    header = HEADER.replace("failure,", "failure,vault_id,moon_phase,") + ",smart_999_raw"
    table, report = imported(tmp_path, csv("2018-02-25,A,M,1,0,0007,,1,2,3,4,5", header=header))
    assert table.columns == header.split(",")
    assert table["vault_id"].to_list() == ["0007"]
    assert table["moon_phase"].to_list() == [None]
    assert table["smart_999_raw"].to_list() == [5]
    assert report.unknown_columns == ["moon_phase", "smart_999_raw"]


def test_columns_are_found_by_name_in_any_order_after_a_byte_order_mark(tmp_path):
    content = "\ufefffailure,model,date,smart_211_normailized,capacity_bytes,serial_number\n"
    table, _ = imported(tmp_path, (content + "1,M,2018-02-25,9,4,S\n").encode())
    assert table.rows() == [(1, "M", DAY, 9, 4, "S")]
    assert table.columns[3] == "smart_211_normalized"


@pytest.mark.parametrize("content", [b"date,model\n1,2\n", b"\0\5\x16\7Mac OS X"])
def test_a_file_without_the_required_columns_is_named(tmp_path, content):
    with pytest.raises(DataError, match=r"data_Q1_2018\.zip: 2018-02-25\.csv, line 1: no column"):
        imported(tmp_path, content)
    assert not list((tmp_path / "out").rglob("*.parquet"))


def test_a_damaged_member_is_named_and_leaves_no_file(tmp_path):
    path = tmp_path / "data_Q1_2018.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as file:
        file.writestr(f"{DAY}.csv", csv(row("SERIAL")))
    path.write_bytes(path.read_bytes().replace(b"SERIAL", b"CEREAL"))
    with pytest.raises(DataError, match=r"2018-02-25\.csv cannot be read: .*checksum"):
        import_days(scan(path), [DAY], tmp_path / "out", ORIGIN)
    assert not list((tmp_path / "out").rglob("*.*"))


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_zip_changed_since_it_was_scanned_is_an_error(tmp_path, method):
    path = tmp_path / "data_Q1_2018.zip"
    with zipfile.ZipFile(path, "w", method) as file:
        file.writestr(f"{DAY}.csv", csv(*(row(f"S{number}") for number in range(999))))
    archive = scan(path)
    for damaged in (b"", b"PK", path.read_bytes()[:200], b"\xff" * path.stat().st_size):
        path.write_bytes(damaged)
        with pytest.raises(ReplacedError, match=r"data_Q1_2018\.zip was replaced or changed"):
            import_days(archive, [DAY], tmp_path / "out", ORIGIN)
    path.unlink()
    with pytest.raises(DataError, match=r"data_Q1_2018\.zip is not there any more"):
        import_days(archive, [DAY], tmp_path / "out", ORIGIN)


@pytest.mark.parametrize("inode", ["the same", "another"])
def test_a_zip_replaced_while_it_is_read_is_an_error_and_not_half_of_each(tmp_path, inode):
    path, days = many_days(tmp_path)
    archive = scan(path)
    content = path.read_bytes()

    class Replacing(Interrupting):
        def advance(self, _count: int) -> None:
            if inode == "the same":
                path.write_bytes(content)
            else:
                (tmp_path / "new").write_bytes(content)
                (tmp_path / "new").replace(path)

    with progress.listening(Replacing()), pytest.raises(ReplacedError):
        import_days(archive, days, tmp_path / "out", ORIGIN, workers=1)
    assert len(import_days(scan(path), days, tmp_path / "out", ORIGIN)) == len(days)


def test_a_bad_day_costs_that_day_only(tmp_path):
    path, days = many_days(tmp_path, 6)
    import_days(scan(path), days, tmp_path / "out", ORIGIN)
    contents = {day: csv(row(f"S{day}")) for day in days}
    contents[days[1]] = b"date,model\n1,2\n"
    write_zip(path, contents)
    with zipfile.ZipFile(path) as file:
        start = file.getinfo(f"{days[4]}.csv").header_offset + 60
    damaged = bytearray(path.read_bytes())
    damaged[start] ^= 0xFF
    path.write_bytes(damaged)
    with pytest.raises(ImportFailedError) as error:
        import_days(scan(path), days, tmp_path / "out", ORIGIN)
    assert set(error.value.failed) == {days[1], days[4]}
    good = [day for day in days if day not in error.value.failed]
    assert [report.day for report in error.value.reports] == good
    assert sorted(p.stem for p in (tmp_path / "out").glob("*.parquet")) == list(map(str, good))
    assert str(error.value).startswith("2 days could not be imported. The other 4 days were")
    for day in (days[1], days[4]):
        assert f"{path}: {day}.csv" in str(error.value)
    again = pickle.loads(pickle.dumps(error.value))
    assert str(again) == str(error.value)


def test_files_say_what_they_are(tmp_path):
    _, report = imported(tmp_path, csv(row()))
    path = tmp_path / "out" / f"{DAY}.parquet"
    metadata = pq.read_metadata(path).metadata
    origin = Origin.from_json(metadata[KEY.encode()].decode())
    assert origin == Origin("raw_quarter", str(DAY), "code", report.data_version)
    assert DayReport.from_json(report.to_json()) == report


def test_a_new_import_without_rejects_removes_the_old_ones(tmp_path):
    imported(tmp_path, csv(row(""), row("A")))
    assert len(rejects(tmp_path)) == 1
    imported(tmp_path, csv(row("B"), row("A")))
    assert not (tmp_path / "out" / "rejects" / f"{DAY}.csv").exists()


def many_days(folder: Path, count: int = 12) -> tuple[Path, list[date]]:
    days = [date(2018, 1, 1 + number) for number in range(count)]
    contents = {
        day: csv(*(row(f"S{number}", smart=f"1,{number},,{day.day}") for number in range(5_000)))
        for day in reversed(days)
    }
    return write_zip(folder / "data_Q1_2018.zip", contents, top="x/"), days


def test_files_are_the_same_whatever_the_number_of_workers(tmp_path):
    path, days = many_days(tmp_path)
    one = import_days(scan(path), days, tmp_path / "one", ORIGIN, workers=1)
    four = import_days(scan(path), days, tmp_path / "four", ORIGIN, workers=4)
    assert [report.day for report in four] == days
    assert one == four
    for day in days:
        name = f"{day}.parquet"
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "four" / name).read_bytes()


class Interrupting:
    """A listener that interrupts, as Ctrl-C does, once the first day is done."""

    def start(self, what: str, total: int, unit: str) -> None:
        self.started = (what, total, unit)

    def advance(self, count: int) -> None:
        raise KeyboardInterrupt(count)

    def finish(self) -> None:
        self.finished = True


def test_an_interrupt_stops_and_leaves_whole_files_only(tmp_path):
    path, days = many_days(tmp_path)
    listener = Interrupting()
    with progress.listening(listener), pytest.raises(KeyboardInterrupt):
        import_days(scan(path), days, tmp_path / "out", ORIGIN, workers=2)
    assert listener.started == ("importing data_Q1_2018.zip", len(days), "days")
    assert listener.finished
    files = list((tmp_path / "out").iterdir())
    assert 1 <= len(files) < len(days)
    assert all(read_report(file).rows_kept == 5_000 for file in files)


def test_progress_counts_days(tmp_path):
    path, days = many_days(tmp_path, 3)
    said = []
    listener = progress.Lines(said.append)
    listener.interval = 0
    with progress.listening(listener):
        import_days(scan(path), days, tmp_path / "out", ORIGIN)
    assert said[-1].endswith("importing data_Q1_2018.zip: 3 of 3 days")


def test_content_stays_as_it_was_when_first_written(tmp_path):
    """The digest was stored when the import was first written: no optimisation may change it."""
    rows = [
        row(
            f"S{number:04}",
            model=f"ST{number % 7}000",
            failure=str(int(number % 500 == 0)),
            smart=f"{number % 200},{number * 2654435761 % 2**47},,{number if number % 3 else ''}",
        )
        for number in range(3_000)
    ]
    table, _ = imported(tmp_path, csv(*rows))
    digest = hashlib.sha256(table.write_csv().encode()).hexdigest()
    assert digest == "74d27b6a4d683d05580a717aa42f142a791fefbc4fd47e53c85ac8e76884076d"


@pytest.mark.parametrize(("path", "models"), FORTY_DAYS)
def test_forty_real_days_give_the_known_counts_of_every_model(tmp_path, path, models):
    archive = scan(path)
    days = archive.days(date(2013, 4, 1))
    reports = import_days(archive, days, tmp_path, ORIGIN)
    golden = pl.read_csv(models)
    assert len(reports) == 40
    assert sum(report.rows_in for report in reports) == golden["drive_days"].sum()
    assert sum(report.rows_rejected for report in reports) == 0
    assert sum(report.failures for report in reports) == 120
    counted = (
        pl.scan_parquet(tmp_path / "*.parquet")
        .group_by("model")
        .agg(
            drive_days=pl.len().cast(pl.Int64),
            failures=pl.col("failure").cast(pl.Int64).sum(),
            drives_seen=pl.col("serial_number").n_unique().cast(pl.Int64),
        )
        .sort("model")
        .collect()
    )
    assert counted.equals(golden.select(counted.columns).sort("model"))


@pytest.mark.parametrize("path", FAILURES, ids=lambda path: path.stem)
def test_real_rows_of_later_eras_keep_all_their_columns_and_values(tmp_path, path):
    known = {
        row["date"]: (int(row["columns"]), int(row["rows"]), int(row["failures"]))
        for row in rows_of(DATA / "failures" / "days.csv")
        if row["zip"] == path.name
    }
    archive = scan(path)
    days = sorted(archive.members)
    assert [str(day) for day in days] == sorted(known)
    reports = import_days(archive, days, tmp_path, ORIGIN)
    with zipfile.ZipFile(archive.path) as file:
        for day, report in zip(days, reports, strict=True):
            table = pl.read_parquet(tmp_path / f"{day}.parquet")
            text = pl.read_csv(file.read(archive.members[day].name), infer_schema=False)
            assert table.columns == text.columns
            assert table.with_columns(pl.all().cast(pl.String)).equals(text)
            assert (report.columns, report.rows_kept, report.failures) == known[str(day)]
            assert report.unknown_columns == []


clean_number = st.one_of(st.just(""), st.integers(-300, 300).map(str), st.just("007"))
sound = st.builds(
    row,
    serial=st.uuids().map(str),
    model=st.sampled_from(["ST1", "WDC  X", "é"]),
    capacity=clean_number,
    failure=st.sampled_from(["0", "1"]),
    smart=st.lists(clean_number, min_size=4, max_size=4).map(",".join),
)
line_end = st.sampled_from(["\n", "\r\n", "\r"])


@pytest.mark.slow
@settings(max_examples=50, deadline=None)
@given(lines=st.lists(sound, max_size=12, unique=True), end=line_end)
def test_the_fast_and_the_careful_reader_agree_on_clean_files(tmp_path_factory, lines, end):
    path = tmp_path_factory.mktemp("zip") / "data_Q1_2018.zip"
    member = scan(write_zip(path, {DAY: csv(*lines, end=end)})).members[DAY]
    with MemberStream(member) as stream:
        fast = read_clean(stream, DAY)
    with MemberStream(member) as stream:
        careful = read_with_care(stream, DAY)
    assert fast is not None
    assert fast.table.equals(careful.table)
    assert fast.table.schema == careful.table.schema
    assert (fast.line_end, fast.dates_differing) == (careful.line_end, careful.dates_differing)
    assert careful.rejects == []
    assert careful.rounded_numbers == careful.unusable_numbers == {}


def test_a_stream_is_not_closed_under_a_read_in_another_thread(tmp_path):
    """Or that read takes bytes from whichever file gets the same descriptor next."""
    path = write_zip(tmp_path / "data_Q1_2018.zip", {DAY: csv(row())})
    stream = MemberStream(scan(path).members[DAY])
    at_work, go_on, order = threading.Event(), threading.Event(), []
    inner = stream._file

    class Slow:
        closed = False

        def read(self, size):
            at_work.set()
            go_on.wait(5)
            order.append("read")
            return inner.read(size)

        def close(self):
            order.append("closed")
            inner.close()

    stream._file = Slow()
    reader = threading.Thread(target=stream.read, args=(10,))
    reader.start()
    at_work.wait(5)
    closer = threading.Thread(target=stream.close)
    closer.start()
    closer.join(0.1)
    go_on.set()
    reader.join()
    closer.join()
    assert order[0] == "read"
    assert order[-1] == "closed"
