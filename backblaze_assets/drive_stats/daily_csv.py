"""One daily CSV as a typed table: fast where the file is clean, row by row where it is not.

Nearly all files are clean, so Arrow converts them as they stream by. Whatever Arrow refuses, and
what must be set aside, sends the file to the careful reader, which holds it in memory as text,
knows each row's line, and makes the same table of a clean file.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import date, datetime

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from backblaze_assets.drive_stats import schema
from backblaze_assets.drive_stats.inflate import MemberStream

_BLOCK = 1 << 20  # bytes; larger blocks of so many columns fall out of the processor's cache
_JUDGED = ["serial_number", "model", "failure"]
_ROUNDED = r"^[+-]?\d+(\.\d*)?[eE][+-]?\d+$"
_DUPLICATE = "serial number occurs before"
_LINE_ENDS = {b"\n": "LF", b"\r\n": "CRLF", b"\r": "CR"}


@dataclass(frozen=True)
class Reject:
    """A row that was set aside.

    Attributes:
        line: its number in the file; the header is line 1.
        reason: why.
        text: the line as it is; bytes that are not UTF-8 are escaped.
    """

    line: int
    reason: str
    text: str


@dataclass(frozen=True)
class DailyTable:
    """One daily CSV.

    Attributes:
        table: the rows kept, in the file's order, with all columns of the file, typed; `date` is
            the day of the file's name.
        line_end: LF, CRLF or CR, as the header has it.
        dates_differing: rows kept whose own date is another day, or none.
        rejects: the rows set aside, in the file's order.
        duplicates: how many of them repeat the serial number of a row kept.
        rounded_numbers: how many values such as 4.00079E+12 are blank in the table, by column.
        unusable_numbers: how many values that are no integer in the column's range are blank in
            the table, by column.
    """

    table: pa.Table
    line_end: str
    dates_differing: int
    rejects: list[Reject] = field(default_factory=list)
    duplicates: int = 0
    rounded_numbers: dict[str, int] = field(default_factory=dict)
    unusable_numbers: dict[str, int] = field(default_factory=dict)


def read_clean(stream: MemberStream, day: date, filled: Collection[str] = ()) -> DailyTable | None:
    """Read a daily CSV fast; None if there is something in it that takes `read_with_care`.

    Args:
        stream: the CSV.
        day: its day.
        filled: the columns that are expected to have values, none to expect them in all. About a
            third are blank in every row, and to expect it saves a tenth of the time. A value
            elsewhere makes the result None.

    Raises:
        DataError: the header lacks a column, or the zip is damaged.
    """
    names, line_end = _read_header(stream)
    types = {name: schema.column_type(name) for name in names} | {"date": pa.string()}
    if filled:
        expected = {*schema.REQUIRED, *filled}
        types |= {name: pa.null() for name in names if name not in expected}
    if stream.at_end():
        table = pa.schema(types.items()).empty_table()
    else:
        try:
            table = _parse(stream, types)
        except pa.ArrowInvalid:
            return None
    if not _is_clean(table):
        return None
    return DailyTable(_finished(table, day), line_end, _count_differing(table["date"], day))


def read_with_care(stream: MemberStream, day: date) -> DailyTable:
    """Read any daily CSV. A line without a character is no row.

    Set aside are rows with another number of fields than the header, that are not UTF-8, without
    a serial number or model, with a failure other than 0 or 1, and all but the first of those
    with the same serial number. Other values that are no integers are blanked and counted.

    Raises:
        DataError: the header lacks a column, or the zip is damaged.
    """
    names, line_end = _read_header(stream)
    lines = stream.read_all().replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
    reasons = {at: _malformed(line, len(names)) for at, line in enumerate(lines) if line}
    well_formed = [at for at, reason in reasons.items() if reason is None]
    content = b"\n" + b"\n".join(lines[at] for at in well_formed)
    text = _parse(pa.BufferReader(content), dict.fromkeys(names, pa.string()), len(content) + 1)
    unfit = _unfit(text)
    reasons.update(zip(well_formed, unfit, strict=True))
    text = text.filter(unfit.is_null().to_arrow())

    numbers = {
        name: _numbers(text[name], kind)
        for name in names
        if pa.types.is_integer(kind := schema.column_type(name))
    }
    columns = [numbers[name].values if name in numbers else text[name] for name in names]
    return DailyTable(
        _finished(pa.table(columns, names), day),
        line_end,
        dates_differing=_count_differing(text["date"], day),
        rejects=[
            Reject(at + 2, reason, lines[at].decode("utf-8", "backslashreplace"))
            for at, reason in reasons.items()
            if reason
        ],
        duplicates=sum(reason == _DUPLICATE for reason in reasons.values()),
        rounded_numbers={name: n.rounded for name, n in numbers.items() if n.rounded},
        unusable_numbers={name: n.unusable for name, n in numbers.items() if n.unusable},
    )


def _read_header(stream: MemberStream) -> tuple[list[str], str]:
    """Column names, and LF, CRLF or CR."""
    line = stream.read_line()
    content = line.rstrip(b"\r\n")
    names = schema.column_names(content.decode("utf-8-sig", "replace"), stream.where)
    return names, _LINE_ENDS.get(line[len(content) :], "LF")


def _parse(source: object, types: dict[str, pa.DataType], block: int = _BLOCK) -> pa.Table:
    """The rows of a CSV whose header has been read.

    One thread, because days run in parallel; blocks of one size, for the same chunks every time.

    Raises:
        pa.ArrowInvalid: a row has another number of fields, or a value is not of its type.
    """
    return pa.csv.read_csv(
        source,
        pa.csv.ReadOptions(use_threads=False, block_size=block, column_names=list(types)),
        pa.csv.ParseOptions(quote_char=False),
        pa.csv.ConvertOptions(column_types=types, null_values=[""], strings_can_be_null=True),
    )


def _is_clean(table: pa.Table) -> bool:
    """Whether every row can be kept."""
    serial, model, failure = (pl.Series(table[name]) for name in _JUDGED)
    return (
        not (serial.null_count() or model.null_count() or failure.null_count())
        and failure.is_between(0, 1).all()
        and not ((serial.str.strip_chars() == "") | (model.str.strip_chars() == "")).any()
        and serial.n_unique() == len(serial)
    )


def _malformed(line: bytes, width: int) -> str | None:
    """Why a line is not a row of `width` fields; None if it is one."""
    fields = line.count(b",") + 1
    if fields != width:
        return f"{fields} fields, the header has {width}"
    try:
        line.decode()
    except UnicodeDecodeError:
        return "not UTF-8"
    return None


def _unfit(text: pa.Table) -> pl.Series:
    """Why each row cannot be kept; null where it can."""
    serial, model, failure = (pl.col(name).str.strip_chars().fill_null("") for name in _JUDGED)
    reason = (
        pl.when(serial == "")
        .then(pl.lit("no serial number"))
        .when(model == "")
        .then(pl.lit("no model"))
        .when(~failure.cast(pl.Int8, strict=False).is_between(0, 1).fill_null(value=False))
        .then(pl.lit("failure is neither 0 nor 1"))
    )
    judged = pl.DataFrame(text.select(_JUDGED)).with_columns(reason=reason)
    first = pl.struct("serial_number", pl.col("reason").is_null()).is_first_distinct()
    return judged.select(
        pl.when(pl.col("reason").is_null() & ~first).then(pl.lit(_DUPLICATE)).otherwise("reason")
    ).to_series()


@dataclass(frozen=True)
class _Numbers:
    values: pa.Array
    rounded: int
    unusable: int


def _numbers(text: pa.ChunkedArray, kind: pa.DataType) -> _Numbers:
    """The integers in a column of text; blanks, and what is no integer of type `kind`, are null."""
    stripped = pl.Series(text).str.strip_chars()
    values = stripped.cast(pl.Series(pa.array([], kind)).dtype, strict=False)
    others = stripped.filter(values.is_null() & (stripped != ""))
    rounded = len(others.filter(others.str.contains(_ROUNDED)))
    return _Numbers(values.to_arrow(), rounded, len(others) - rounded)


def _finished(table: pa.Table, day: date) -> pa.Table:
    """The table with `day` as its date, and with one array for all blank columns of a type."""
    rows = table.num_rows
    types = {name: schema.column_type(name) for name in table.column_names}
    blank = {kind: pa.nulls(rows, kind) for kind in set(types.values())}
    columns = {
        name: blank[types[name]] if column.null_count == rows else column
        for name, column in zip(table.column_names, table.columns, strict=True)
    }
    columns["date"] = pa.repeat(pa.scalar(day, types["date"]), rows)
    return pa.table(columns)


def _count_differing(dates: pa.ChunkedArray, day: date) -> int:
    """How many of the dates, as text, are not `day`."""
    counts = zip(*pc.value_counts(dates).flatten(), strict=True)
    return sum(count.as_py() for text, count in counts if _parse_date(text.as_py()) != day)


def _parse_date(text: str | None) -> date | None:
    """The day meant by `2018-02-25`, or by `2/25/18`, as Excel writes it; None if neither."""
    text = text or ""
    form = "%m/%d/%y" if "/" in text else "%Y-%m-%d"
    try:
        return datetime.strptime(text, form).date()  # noqa: DTZ007 - a day has no zone
    except ValueError:
        return None
