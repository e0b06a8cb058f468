"""Values and rows in every form in which they are seen in re-saved files, against the oracle."""

import time
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backblaze_assets.drive_stats import schema
from backblaze_assets.drive_stats.archive import scan
from backblaze_assets.drive_stats.daily_csv import DailyTable, read_clean, read_with_care
from backblaze_assets.drive_stats.fields import Workspace
from backblaze_assets.drive_stats.inflate import MemberStream
from backblaze_assets.errors import DataError
from backblaze_assets_tests.drive_stats.oracle import expected
from backblaze_assets_tests.drive_stats.zips import HEADER, csv, row, write_zip

DAY = date(2018, 2, 25)


def read(folder: Path, content: bytes) -> DailyTable:
    """What the importer would make of a day."""
    member = scan(write_zip(folder / "data_Q1_2018.zip", {DAY: content})).members[DAY]
    with MemberStream(member) as stream:
        fast = read_clean(stream, DAY)
    with MemberStream(member) as stream:
        careful = read_with_care(stream, DAY)
    if fast is not None:
        assert fast.table.equals(careful.table)
        assert (fast.rewritten, fast.dates_differing) == (
            careful.rewritten,
            careful.dates_differing,
        )
        assert not careful.rejects
    room = Workspace()
    room.rows = 100
    with MemberStream(member) as stream:
        one_pass = read_clean(stream, DAY, schema.REQUIRED, room)
    if one_pass is not None:
        assert fast is not None
        assert one_pass == fast
    return careful


def rows(daily: DailyTable) -> list[tuple[object, ...]]:
    return [tuple(each.values())[1:] for each in daily.table.to_pylist()]


def check(folder: Path, content: bytes) -> DailyTable:
    """Read a day and compare it with the oracle."""
    daily, right = read(folder, content), expected(content, DAY)
    assert rows(daily) == right.rows
    assert sum(reject.rows for reject in daily.rejects) == right.set_aside
    assert daily.duplicates == right.duplicates
    assert daily.dates_differing == right.dates_differing
    assert sum(daily.rounded_numbers.values()) == right.rounded
    assert sum(daily.unusable_numbers.values()) == right.unusable
    assert sum(daily.rewritten.values()) == right.rewritten
    assert sum(daily.trimmed.values()) == right.trimmed
    return daily


def test_whole_numbers_with_a_decimal_point_are_whole_numbers(tmp_path):
    daily = check(
        tmp_path,
        csv(
            row("A", capacity="4000787030016.0", failure="0.0", smart="100.0,29948.0,,4000."),
            row("B", capacity="4.00079E+12", failure="1.0", smart="-5.00,29948.5,40000.0,+3"),
        ),
    )
    assert rows(daily) == [
        ("A", "ST4000DM000", 4000787030016, 0, 100, 29948, None, 4000),
        ("B", "ST4000DM000", None, 1, -5, None, None, 3),
    ]
    assert daily.rewritten == {
        "capacity_bytes": 1,
        "failure": 2,
        "smart_1_normalized": 2,
        "smart_1_raw": 1,
        "smart_9_raw": 1,
    }
    assert daily.rounded_numbers == {"capacity_bytes": 1}
    assert daily.unusable_numbers == {"smart_1_raw": 1, "smart_9_normalized": 1}


@pytest.mark.parametrize(
    ("text", "failures"),
    [("true", 1), ("False", 0), ("TRUE", 1), ("1.0", 1), ("0.", 0), (" 1 ", 1), ("01", 1)],
)
def test_failures_in_every_form(tmp_path, text, failures):
    daily = check(tmp_path, csv(row("A", failure=text)))
    assert daily.table["failure"].to_pylist() == [failures]


@pytest.mark.parametrize("text", ["yes", "2", "-1", "", "0.5", "1e0", "truth", "256"])
def test_what_is_no_failure(tmp_path, text):
    assert check(tmp_path, csv(row("A", failure=text))).table.num_rows == 0


@pytest.mark.parametrize(
    ("text", "differing", "rewritten"),
    [
        ("2018-02-25", 0, 0),
        ("2018-02-25 00:00:00", 0, 1),
        ("2018-02-25T00:00:00.000Z", 0, 1),
        ("2018-02-25 00:00:00+00:00", 0, 1),
        ("2/25/18", 0, 1),
        ("2018/02/25", 0, 1),
        ("2018/2/25 00:00", 0, 1),
        ("2018/02-25", 1, 0),
        ("25/02/2018", 1, 0),
        ("2/25/2018", 0, 1),
        ("02/25/2018 0:00", 0, 1),
        (" 2018-02-25 ", 0, 1),
        ("2018-02-24 00:00:00", 1, 1),
        ("2018-02-25 13:00:00", 1, 0),
        ("2018-02-30", 1, 0),
        ("25/2/18", 1, 0),
        ("", 1, 0),
    ],
)
def test_dates_in_every_form(tmp_path, text, differing, rewritten):
    daily = check(tmp_path, csv(row("A", day=text), row("B")))
    assert (daily.dates_differing, daily.rewritten.get("date", 0)) == (differing, rewritten)


def test_identifiers_are_trimmed(tmp_path):
    header = HEADER.replace("failure,", "failure,datacenter,")
    texts = [" S001 ", "S001", "\u00a0S002\t", "S003"]
    lines = [f"2018-02-25,{text}, M  1 ,4,0, sac0,,,," for text in texts]
    daily = check(tmp_path, csv(*lines, header=header))
    assert [each[0] for each in rows(daily)] == ["S001", "S002", "S003"]
    assert {each[1] for each in rows(daily)} == {"M  1"}
    assert daily.trimmed == {"serial_number": 2, "model": 3, "datacenter": 3}
    assert daily.duplicates == 1


def quote(line: str) -> str:
    return ",".join('"' + text.replace('"', '""') + '"' for text in line.split(","))


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_quotes_make_no_difference(tmp_path, end):
    plain = [row("A"), row("B", failure="1"), row("C", smart=",,,")]
    as_they_are = rows(check(tmp_path, csv(*plain, end=end)))
    for header in (HEADER, quote(HEADER)):
        daily = check(tmp_path, csv(*map(quote, plain), header=header, end=end))
        assert rows(daily) == as_they_are
        assert daily.quoted_rows == 3
    some = [plain[0], plain[1].replace("B,ST4000DM000", '"B","ST4000DM000"'), plain[2]]
    daily = check(tmp_path, csv(*some, end=end))
    assert rows(daily) == as_they_are
    assert daily.quoted_rows == 1


def test_quotes_may_hold_commas_quotes_and_line_ends(tmp_path):
    daily = check(
        tmp_path,
        csv(
            row('"A ""1"""', '"ST, the\nsecond\r\nline"'),
            row("B", '2.5" SSD'),
            row('"C"', "", capacity='"4,5"'),
            row("D"),
        ),
    )
    assert [each[:2] for each in rows(daily)] == [
        ('A "1"', "ST, the\nsecond\nline"),
        ("B", '2.5" SSD'),
        ("D", "ST4000DM000"),
    ]
    assert [(reject.line, reject.reason) for reject in daily.rejects] == [(6, "no model")]


def test_blanks_around_quotes_are_no_text(tmp_path):
    daily = read(tmp_path, csv(row(' "A" ', '\t"M,1"'), row("B")))
    assert [each[:2] for each in rows(daily)] == [("A", "M,1"), ("B", "ST4000DM000")]


@pytest.mark.parametrize("bad", ['"A', '"A"x', 'A,"', '"A""', '"A,'])
def test_a_wrong_quote_costs_its_own_line(tmp_path, bad):
    lines = [row("X"), row(bad), *(row(f"S{number}") for number in range(50)), row('"Z"')]
    daily = read(tmp_path, csv(*lines))
    serials = daily.table["serial_number"].to_pylist()
    assert serials == ["X", *(f"S{number}" for number in range(50)), "Z"]
    assert daily.rejects[0].line == 3


def test_a_quote_that_is_never_closed_takes_no_more_than_linear_time(tmp_path):
    lines = [row(f'"S{number}' if number % 2 else f"S{number}") for number in range(30_000)]
    started = time.process_time()
    daily = read(tmp_path, csv(*lines))
    assert time.process_time() - started < 5
    assert daily.table.num_rows == 15_000


def test_names_in_upper_case_and_without_a_name(tmp_path):
    header = "," + HEADER.upper() + ",Moon"
    daily = read(tmp_path, csv(f"0,{row('A')},x", f"1,{row('B')},y", header=header))
    assert daily.table.column_names == ["unnamed_1", *HEADER.split(","), "Moon"]
    assert daily.table["smart_9_raw"].to_pylist() == [4000, 4000]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (csv(row()).replace(b",", b";"), "separated by semicolons: save it with commas"),
        (csv(row()).replace(b",", b"\t"), "separated by tabs: save it with commas"),
        (csv(row()).decode().encode("utf-16"), "the file is UTF-16, not UTF-8"),
        (csv(row(), header=f"'{HEADER}'".replace(",", "','")), "the fields are in single quotes"),
        (csv(row()).decode().encode("utf-32"), "the file is UTF-32, not UTF-8"),
        (csv(row()).decode().upper().encode("utf-32-be"), "the file is UTF-32, not UTF-8"),
        (b"x" * 3_000_000, "line 1: more than 1,048,576 bytes without a line's end"),
        (b"," * 2_000 + b"\n", "more than 1,000 columns"),
        (csv(header=HEADER + ',"a' + "b" * 300 + '"'), "a name of more than 200 characters"),
        (csv(header=HEADER.replace("smart_1_raw", "smart_\0\0raw")), "control characters"),
        (csv(header='"' + HEADER), "line 1: unexpected end of data"),
        (csv(header=HEADER + ",model"), "more than one column model"),
    ],
)
def test_a_header_that_cannot_be_used_is_called_what_it_is(tmp_path, content, message):
    with pytest.raises(DataError, match=r"data_Q1_2018\.zip: 2018-02-25\.csv") as error:
        read(tmp_path, content)
    assert message in str(error.value)
    assert len(str(error.value)) < 1_000


def test_too_many_rows_are_no_day(tmp_path, monkeypatch):
    monkeypatch.setattr("backblaze_assets.drive_stats.daily_csv.MOST_ROWS", 100)
    assert read(tmp_path, csv(*(row(f"S{n}") for n in range(100)))).table.num_rows == 100
    with pytest.raises(DataError, match="has more than 100 rows"):
        read(tmp_path, csv(*(row(f"S{n}") for n in range(101))))


number_text = st.one_of(
    st.just(""),
    st.integers(-(2**70), 2**70).map(str),
    st.integers(-5, 300).map(str),
    st.integers(-(2**63), 2**63).map(lambda number: f"{number}.0"),
    st.sampled_from(
        [
            "1.5E+08",
            "4e3",
            "x",
            "007",
            "1.0",
            "-",
            "+3",
            "-0.0",
            "1.",
            ".0",
            "0x1F",
            "nan",
            "inf",
            "1_000",
            "\u0661",
            "--1",
            "true",
            "1.0.0",
        ]
    ),
    st.sampled_from([" 7", "7 ", " ", "1 2", "9" * 400]),
)
identifier = st.sampled_from(
    [*"ABCDEFGH", " A", "B ", "\u00a0C", "", " ", 'D"', "é", "a b", "None", "NA"]
)
fields = st.tuples(
    st.sampled_from(
        ["2018-02-25", "2/25/18", "2018-02-24", "", "2018-02-25 00:00:00", "2/25/2018"]
    ),
    identifier,
    st.sampled_from(["ST1", "WDC  X", "", "é", " ST1", "ST1\t", "a,b", 'x "y" z', "a\nb"]),
    number_text,
    st.sampled_from(["0", "1", "0", "1", "", "2", "x", "00", "1.0", "True", "false", " 0"]),
    number_text,
    number_text,
    number_text,
    number_text,
)


@st.composite
def written(draw) -> str:
    """A record, with quotes where they are needed and on some of the other fields."""
    texts = draw(fields)
    if draw(st.integers(0, 9)) == 0:
        # What goes over several lines and is no row is set aside line by line.
        texts = tuple(text.replace("\n", "") for text in texts[: draw(st.integers(1, 8))])
    always = draw(st.booleans())
    return ",".join(
        '"' + text.replace('"', '""') + '"'
        if always or any(char in text for char in ',\n"') or draw(st.integers(0, 5)) == 0
        else text
        for text in texts
    )


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(
    lines=st.lists(written() | st.just(""), max_size=12),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    block=st.sampled_from([1 << 21, 64, 200]),
    quoted_header=st.booleans(),
)
def test_every_row_is_as_the_oracle_says(tmp_path_factory, lines, end, block, quoted_header):
    """With blocks of a few bytes, every border between them is met."""
    folder = tmp_path_factory.mktemp("zip")
    header = quote(HEADER) if quoted_header else HEADER
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("backblaze_assets.drive_stats.daily_csv._CAREFUL_BLOCK", block)
        check(folder, csv(*lines, header=header, end=end))


@pytest.mark.parametrize(
    ("rows", "fast"),
    [
        ([row("0XABC"), row("0xABC"), row("0x1F")], True),
        ([row("A", smart="1,0x1F,,")], False),
        ([row("A", capacity="0xFFFFFFFFFFFFFFFF")], False),
        ([row("A", "0xmodel")], True),
    ],
)
def test_hexadecimal_numbers_are_no_numbers_and_serials_may_look_so(tmp_path, rows, fast):
    check(tmp_path, csv(*rows))
    member = scan(tmp_path / "data_Q1_2018.zip").members[DAY]
    with MemberStream(member) as stream:
        assert (read_clean(stream, DAY) is not None) == fast
