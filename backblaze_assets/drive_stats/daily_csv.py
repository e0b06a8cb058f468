"""One daily CSV as a typed table: fast where the file is clean, row by row where it is not.

Nearly all files are clean, so Arrow converts them as they stream by. Whatever Arrow refuses, and
what is written in another way than in the published files, sends the file to the careful reader.
It goes through the file piece by piece as text, knows each row's line, and makes the same table of
a clean file.
"""

import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import groupby
from typing import NamedTuple

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from backblaze_assets.drive_stats import schema
from backblaze_assets.drive_stats.fields import Workspace
from backblaze_assets.drive_stats.inflate import LONGEST_LINE, MemberStream
from backblaze_assets.errors import DataError

MOST_ROWS = 2_000_000
"""Rows that are kept of a day at most; the longest day up to 2026 has 346,000."""

MOST_SET_ASIDE = 20_000_000
"""Rows that are set aside of a day at most."""

MOST_REJECTS = 10_000
"""Rows set aside that are listed one by one; further ones are summed up by reason."""

LONGEST_REJECT = 4096
"""Bytes of a row set aside that are shown."""

_BLOCK = 1 << 20  # bytes; larger blocks of so many columns fall out of the processor's cache
_CAREFUL_BLOCK = 1 << 21
_LONGEST_FIELD = 1 << 16  # bytes that the fast reader takes; the careful one knows the whole row
_MOST_REASONS = 100
_JUDGED = ["serial_number", "model", "failure"]
_ROUNDED = r"^[+-]?\d+(\.\d*)?[eE][+-]?\d+$"
_WHOLE = r"^([+-]?\d+)\.0*$"
_TRUTH = {"true": "1", "false": "0"}
_BAD_QUOTE = "a quotation mark that is not closed, or has something after it"
_DUPLICATE = "serial number occurs before"
_LINE_ENDS = {b"\n": "LF", b"\r\n": "CRLF", b"\r": "CR"}
_DATE = re.compile(
    r"(?:(?P<iso>\d{4}(?P<sign>[-/])\d{1,2}(?P=sign)\d{1,2})|(?P<us>\d{1,2}/\d{1,2}/(?:\d{4}|\d{2})))"
    r"(?:[T ]+(?:0?0:00(?::00(?:\.0+)?)?|12:00(?::00)? ?AM)(?: ?(?:Z|UTC|[+-]00:?00))?)?",
    re.ASCII | re.IGNORECASE,
)
_PLAIN_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)

# A field is in quotes, with others doubled (RFC 4180), or has none at its beginning.
_QUOTES = rb'"(?:[^"]++|"")*+"'
_FIELD = rb"(?:[ \t]*+" + _QUOTES + rb'[ \t]*+(?=[,\n]|\Z)|(?![ \t]*+")[^,\n]*+)'
_RECORD = re.compile(rb"(?:" + _FIELD + rb",)*+" + _FIELD + rb"(?=\n|\Z)")
_OPEN = re.compile(rb"(?:" + _FIELD + rb',)*+[ \t]*+"(?:[^"]++|"")*+\Z')
_QUOTED = re.compile(rb"(?<![^,])[ \t]*+(" + _QUOTES + rb")[ \t]*+(?![^,])")


@dataclass(frozen=True)
class Reject:
    """A row that was set aside, or many of the same kind.

    Attributes:
        line: its number in the file; the header is line 1. Of many, that of the first.
        reason: why.
        text: the row as it is, cut to `LONGEST_REJECT` bytes; bytes that are not UTF-8 are escaped.
            Empty where many are summed up.
        rows: how many rows.
    """

    line: int
    reason: str
    text: str
    rows: int = 1


@dataclass(frozen=True)
class DailyTable:
    """One daily CSV.

    Attributes:
        table: the rows kept, in the file's order, with all columns of the file, typed; `date` is
            the day of the file's name, and text has no blanks around it.
        line_end: LF, CRLF or CR, as the header has it.
        dates_differing: rows kept whose own date is another day, or none.
        rejects: the rows set aside, in the file's order, then those summed up.
        duplicates: how many of them repeat the serial number of a row kept.
        rounded_numbers: how many values such as 4.00079E+12 are blank in the table, by column.
        unusable_numbers: how many values that are no integer in the column's range are blank in
            the table, by column.
        rewritten: how many values are used though they are written in another form than the
            published one, such as 29948.0, `true`, or a date with the time of midnight, by column.
        trimmed: how many texts had blanks around them, by column.
        quoted_rows: rows kept with a field in quotation marks.
    """

    table: pa.Table
    line_end: str
    dates_differing: int
    rejects: list[Reject] = field(default_factory=list)
    duplicates: int = 0
    rounded_numbers: dict[str, int] = field(default_factory=dict)
    unusable_numbers: dict[str, int] = field(default_factory=dict)
    rewritten: dict[str, int] = field(default_factory=dict)
    trimmed: dict[str, int] = field(default_factory=dict)
    quoted_rows: int = 0


def read_clean(
    stream: MemberStream,
    day: date,
    filled: Collection[str] = (),
    workspace: Workspace | None = None,
) -> DailyTable | None:
    """Read a daily CSV fast; None if there is something in it that takes `read_with_care`.

    Args:
        stream: the CSV.
        day: its day.
        filled: the columns that are expected to have values, none to expect them in all. About a
            third are blank in every row, and to expect it saves a tenth of the time. A value
            elsewhere makes the result None.
        workspace: where to read it to, if not with Arrow.

    Raises:
        DataError: the header lacks a column, or the file is damaged.
    """
    names, line_end = _read_header(stream)
    types = {name: schema.column_type(name) for name in names} | {"date": pa.string()}
    if filled:
        expected = {*schema.REQUIRED, *filled}
        types |= {name: pa.null() for name in names if name not in expected}
    try:
        table = (
            workspace.read(stream, types, _BLOCK)
            if workspace
            else _read_by_arrow(stream, types, without_blank=not filled)
        )
    except pa.ArrowInvalid:
        return None
    if table is None or (workspace and table.num_rows and not _is_judged_well(table)):
        return None
    serial = pl.Series(table["serial_number"])
    if stream.unusual or serial.n_unique() < len(serial):
        return None
    if not workspace and not _is_trimmed(table):
        return None
    differing, rewritten = _count_dates(table["date"], day)
    return DailyTable(_finished(table, day), line_end, differing, rewritten=rewritten)


def _read_by_arrow(
    stream: MemberStream, types: Mapping[str, pa.DataType], *, without_blank: bool
) -> pa.Table | None:
    """The rows of a CSV whose header has been read; None where they are not for this reader.

    Raises:
        pa.ArrowInvalid: a row has another number of fields, or a value is not of its type.
    """
    batches = []
    if not stream.at_end():
        rows = 0
        with _parsing(stream, types) as parsed:
            for batch in parsed:
                rows += batch.num_rows
                if stream.unusual or rows > MOST_ROWS or not _is_judged_well(batch):
                    return None
                batches.append(_without_blank(batch) if without_blank else batch)
    return pa.Table.from_batches(batches, pa.schema(types.items()))


def read_with_care(stream: MemberStream, day: date) -> DailyTable:
    """Read any daily CSV. A line without a character is no row.

    Set aside are rows with another number of fields than the header, that are not UTF-8, longer
    than `LONGEST_LINE`, with a wrong quotation mark, without a serial number or model, with a
    failure other than 0 or 1, and all but the first of those with the same serial number. Other
    values that are no integers are blanked and counted.

    Raises:
        DataError: the header lacks a column, the file is damaged, or has more than `MOST_ROWS`.
    """
    names, line_end = _read_header(stream)
    care = _Care(names, day)
    for records in _records(stream, len(names)):
        care.add(records)
        if care.rows > MOST_ROWS or care.rows_set_aside > MOST_SET_ASIDE:
            raise DataError(
                f"{stream.where} has more than {max(care.rows, care.rows_set_aside) - 1:,} rows, "
                "which no day has. It is not a CSV of one day's drive statistics; use the file as "
                "published."
            )
    return care.result(line_end)


def _read_header(stream: MemberStream) -> tuple[list[str], str]:
    """Column names, and LF, CRLF or CR."""
    line = stream.read_line()
    content = line.rstrip(b"\r\n")
    names = schema.column_names(content.decode("utf-8-sig", "replace"), stream.where)
    return names, _LINE_ENDS.get(line[len(content) :], "LF")


def _parsing(stream: MemberStream, types: Mapping[str, pa.DataType]) -> pa.csv.CSVStreamingReader:
    """The rows of a CSV whose header has been read, block by block.

    One thread, because days run in parallel; blocks of one size, for the same chunks every time.

    Raises:
        pa.ArrowInvalid: a row has another number of fields, or a value is not of its type.
    """
    return pa.csv.open_csv(
        stream,
        pa.csv.ReadOptions(use_threads=False, block_size=_BLOCK, column_names=list(types)),
        pa.csv.ParseOptions(quote_char=False),
        pa.csv.ConvertOptions(column_types=types, null_values=[""], strings_can_be_null=True),
    )


def _is_judged_well(batch: pa.RecordBatch | pa.Table) -> bool:
    """Whether every row has a serial number, a model, and a failure of 0 or 1."""
    if any(batch[name].null_count for name in _JUDGED):
        return False
    least, most = pc.min_max(batch["failure"]).values()
    return bool(least.as_py() >= 0 and most.as_py() <= 1)


def _is_trimmed(table: pa.Table) -> bool:
    """Whether no text has blanks around it, or is very long."""
    for name, column in zip(table.column_names, table.columns, strict=True):
        if pa.types.is_string(column.type) and name != "date" and column.null_count < len(column):
            # All that Polars, and so the careful reader, takes for a blank is one here.
            lengths = pc.binary_length(column)
            if pc.max(lengths).as_py() > _LONGEST_FIELD:
                return False
            if pc.sum(pc.binary_length(pc.utf8_trim_whitespace(column))) != pc.sum(lengths):
                return False
    return True


def _without_blank(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The batch with one array for all of its blank columns of a type, for the memory."""
    rows = batch.num_rows
    blank: dict[pa.DataType, pa.Array] = {}
    columns = [
        blank.setdefault(column.type, pa.nulls(rows, column.type))
        if column.null_count == rows
        else column
        for column in batch.columns
    ]
    return pa.record_batch(columns, schema=batch.schema)


class _Record(NamedTuple):
    """A row as it stands in the file.

    Attributes:
        line: the number of its first line.
        text: without its end; cut to `LONGEST_REJECT` where it is too long to be a row.
        fault: why it is no row, None when it seems to be one.
        rows: how many it stands for: further ones with the same fault that follow it.
        last: the line of the last one of these.
    """

    line: int
    text: bytes
    fault: str | None = None
    rows: int = 1
    last: int = 0


def _records(stream: MemberStream, width: int) -> Iterator[list[_Record]]:
    """The rows of a CSV whose header, of `width` columns, has been read, some megabytes at a time.

    A field in quotes may go over several lines. Where that makes no row of `width` fields, or the
    quotes are not closed within `LONGEST_LINE`, only the first of these lines is at fault. No byte
    is looked at more than a few times, because what is within quotes has no field that begins
    with one.
    """
    rest, line, last = b"", 2, False
    too_long: tuple[int, bytes] | None = None  # length so far, and beginning
    while not last:
        block = stream.read(_CAREFUL_BLOCK)
        last = len(block) < _CAREFUL_BLOCK
        block = rest + block
        held = b"\r" if block.endswith(b"\r") and not last else b""  # LF may follow
        text = block[: len(block) - len(held)].replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        found: list[_Record] = []
        if too_long:
            end = text.find(b"\n")
            length = too_long[0] + (len(text) if end < 0 else end)
            if end < 0 and not last:
                too_long, rest = (length, too_long[1]), held
                continue
            found.append(_too_long(line, length, too_long[1]))
            text, line, too_long = text[end + 1 :] if end >= 0 else b"", line + 1, None
        cut = len(text) if last else text.rfind(b"\n") + 1
        used, line = _split(text[:cut], line, width, found, last=last)
        rest = text[used:]
        newline = rest.find(b"\n")
        if newline < 0 and len(rest) > LONGEST_LINE:
            too_long, rest = (len(rest), rest[:LONGEST_REJECT]), b""
        rest += held
        yield found


def _too_long(line: int, length: int, beginning: bytes) -> _Record:
    return _Record(line, beginning, f"{length:,} bytes long, a row has at most {LONGEST_LINE:,}")


def _split(
    text: bytes, line: int, width: int, found: list[_Record], *, last: bool
) -> tuple[int, int]:
    """Append the rows of whole lines to `found`; return how much is used, and the next line."""
    if b'"' not in text:
        lines = text.split(b"\n")
        _plain(lines, line, width, found)
        return len(text), line + len(lines) - 1
    at, quote = 0, text.find(b'"')
    while at < len(text):
        end = text.find(b"\n", at)
        end = len(text) if end < 0 else end
        if 0 <= quote < at:
            quote = text.find(b'"', at)
        record = None
        if at <= quote < end:
            if match := _RECORD.match(text, at):
                record = _quoted(line, match[0], width)
                if match.end() > end and record.fault:
                    record = None
                else:
                    end = match.end()
            elif not last and len(text) - at <= LONGEST_LINE and _OPEN.match(text, at):
                return at, line
            record = record or _Record(line, text[at : min(end, at + LONGEST_REJECT)], _BAD_QUOTE)
        elif end > at:
            record = _record(line, text[at:end], width)
        if record:
            found.append(record)
        line += text.count(b"\n", at, end) + 1
        at = end + 1
    return len(text), line


def _plain(lines: list[bytes], line: int, width: int, found: list[_Record]) -> None:
    """Append the rows in lines without quotes to `found`; blank ones are none.

    Of many in a row with the same fault, those that will not be listed are one record.
    """
    at = 0
    for count, run in groupby([line.count(b",") for line in lines]):
        length = sum(1 for _ in run)
        listed = at + (length if count + 1 == width else min(length, MOST_REJECTS))
        single = enumerate(lines[at:listed], line + at)
        found += [_record(number, row, width) for number, row in single if row]
        at += length
        if others := sum(map(bool, lines[listed:at])):
            fault = f"{count + 1} fields, the header has {width}"
            found.append(_Record(line + listed, b"", fault, others, line + at - 1))


def _record(line: int, text: bytes, width: int, fields: int | None = None) -> _Record:
    """A row without quotes, or of so many fields."""
    fields = fields or text.count(b",") + 1
    if len(text) > LONGEST_LINE:
        return _too_long(line, len(text), text[:LONGEST_REJECT])
    if fields != width:
        fault = f"{fields} fields, the header has {width}"
        return _Record(line, text[:LONGEST_REJECT], fault)
    return _Record(line, text)


def _quoted(line: int, text: bytes, width: int) -> _Record:
    """A row with quotes that are in order, without blanks around them."""
    fields = _QUOTED.sub(b"", text).count(b",") + 1
    return _record(line, _QUOTED.sub(rb"\1", text), width, fields)


class _Care:
    """What the careful reader has found so far."""

    def __init__(self, names: list[str], day: date) -> None:
        self.rows = self.rows_set_aside = 0
        self._names = names
        self._day = day
        self._tables: list[pa.Table] = []
        self._serials: set[str] = set()
        self._rejects: list[Reject] = []
        self._more: dict[str, tuple[int, int, int]] = {}  # by reason: first line, last line, rows
        self._duplicates = self._differing = self._quoted = 0
        self._rounded: Counter[str] = Counter()
        self._unusable: Counter[str] = Counter()
        self._rewritten: Counter[str] = Counter()
        self._trimmed: Counter[str] = Counter()

    def add(self, records: list[_Record]) -> None:
        """Judge some rows, in the file's order."""
        sound, text = self._as_text(records)
        trimmed = {
            name: stripped
            for name in self._names
            if name != "date" and pa.types.is_string(schema.column_type(name))
            for stripped in [text[name].str.strip_chars().replace("", None)]
        }
        stripped = text.with_columns(**trimmed)
        reasons = self._reasons(stripped)
        kept = reasons.is_null()
        for at, reason in zip(sound, reasons, strict=True):
            if reason:
                records[at] = records[at]._replace(fault=reason)
        for record in records:
            if record.fault:
                self._set_aside(record)
        self._keep(text.filter(kept), stripped.filter(kept))
        quoted = (bool(_QUOTED.search(records[at].text)) for at in sound if not records[at].fault)
        self._quoted += sum(quoted)

    def result(self, line_end: str) -> DailyTable:
        """The whole file."""
        types = {name: schema.column_type(name) for name in self._names} | {"date": pa.string()}
        tables = self._tables or [pa.schema(types.items()).empty_table()]
        more = [
            Reject(first, f"{reason} (so are {rows:,} rows up to line {last})", "", rows)
            for reason, (first, last, rows) in self._more.items()
        ]
        return DailyTable(
            _finished(pa.concat_tables(tables), self._day),
            line_end,
            self._differing,
            self._rejects + more,
            self._duplicates,
            dict(+self._rounded),
            dict(+self._unusable),
            dict(+self._rewritten),
            dict(+self._trimmed),
            self._quoted,
        )

    def _as_text(self, records: list[_Record]) -> tuple[list[int], pl.DataFrame]:
        """Which of the records are rows, and their fields; the others get their fault."""
        for at, record in enumerate(records):
            if not record.fault and not _is_utf8(record.text):
                records[at] = record._replace(fault="not UTF-8")
        sound = [at for at, record in enumerate(records) if not record.fault]
        content = b"\n" + b"\n".join(records[at].text for at in sound)
        table = pa.csv.read_csv(
            pa.BufferReader(content),
            pa.csv.ReadOptions(
                use_threads=False, block_size=len(content) + 1, column_names=self._names
            ),
            pa.csv.ParseOptions(newlines_in_values=True),
            pa.csv.ConvertOptions(
                column_types=dict.fromkeys(self._names, pa.string()),
                null_values=[""],
                strings_can_be_null=True,
            ),
        )
        return sound, pl.DataFrame(table)

    def _reasons(self, text: pl.DataFrame) -> pl.Series:
        """Why each row cannot be kept; null where it can."""
        failure = pl.Series(_integers(text["failure"], pl.Int8(), truth=True).values)
        reasons = text.select(
            pl.when(pl.col("serial_number").is_null())
            .then(pl.lit("no serial number"))
            .when(pl.col("model").is_null())
            .then(pl.lit("no model"))
            .when(~failure.is_between(0, 1).fill_null(value=False))
            .then(pl.lit("failure is neither 0 nor 1"))
            .alias("reason")
        ).to_series()
        found = reasons.to_list()
        for at, serial in enumerate(text["serial_number"]):
            if found[at] is None:
                if serial in self._serials:
                    found[at] = _DUPLICATE
                    self._duplicates += 1
                else:
                    self._serials.add(serial)
        return pl.Series("reason", found, pl.String)

    def _set_aside(self, record: _Record) -> None:
        self.rows_set_aside += record.rows
        if len(self._rejects) < MOST_REJECTS:
            text = record.text[:LONGEST_REJECT].decode("utf-8", "backslashreplace")
            self._rejects.append(Reject(record.line, record.fault or "", text))
            return
        reason = record.fault or ""
        if reason not in self._more and len(self._more) >= _MOST_REASONS:
            reason = "set aside for another reason"
        first, _, rows = self._more.get(reason, (record.line, 0, 0))
        self._more[reason] = (first, max(record.line, record.last), rows + record.rows)

    def _keep(self, text: pl.DataFrame, stripped: pl.DataFrame) -> None:
        """Add rows that can be kept, as `text` has them and without blanks around texts."""
        if text.is_empty():
            return
        self.rows += text.height
        columns: dict[str, pa.Array] = {}
        for name in self._names:
            kind = schema.column_type(name)
            if name == "date":
                differing, rewritten = _count_dates(text[name].to_arrow(), self._day)
                self._differing += differing
                self._rewritten.update(rewritten)
                columns[name] = text[name].to_arrow()
            elif pa.types.is_integer(kind):
                numbers = _integers(text[name], _POLARS[kind], truth=name == "failure")
                self._rounded[name] += numbers.rounded
                self._unusable[name] += numbers.unusable
                self._rewritten[name] += numbers.rewritten
                columns[name] = numbers.values.to_arrow()
            else:
                self._trimmed[name] += int(text[name].ne_missing(stripped[name]).sum())
                columns[name] = stripped[name].to_arrow()
        kinds = {name: schema.column_type(name) for name in self._names} | {"date": pa.string()}
        self._tables.append(pa.table(columns).cast(pa.schema(kinds.items())))


@dataclass(frozen=True)
class _Integers:
    values: pl.Series
    rounded: int
    unusable: int
    rewritten: int


_POLARS: dict[pa.DataType, pl.DataType] = {
    pa.int8(): pl.Int8(),
    pa.int16(): pl.Int16(),
    pa.int64(): pl.Int64(),
}


def _integers(text: pl.Series, kind: pl.DataType, *, truth: bool) -> _Integers:
    """The integers in a column of text; blanks, and what is no integer of type `kind`, are null.

    Args:
        text: the column.
        kind: the type wanted.
        truth: whether `true` and `false` stand for 1 and 0.
    """
    stripped = text.str.strip_chars()
    values = stripped.cast(kind, strict=False)
    odd = values.is_null() & (stripped != "")
    if not odd.any():
        return _Integers(values, 0, 0, 0)
    others = stripped.filter(odd)
    plain = others.str.extract(_WHOLE)
    if truth:
        words = others.str.to_lowercase().replace_strict(_TRUTH, default=None)
        plain = plain.fill_null(words.cast(pl.String))
    found = plain.cast(kind, strict=False)
    lost = others.filter(found.is_null())
    rounded = int(lost.str.contains(_ROUNDED).sum())
    return _Integers(
        values.scatter(odd.arg_true(), found),
        rounded,
        len(lost) - rounded,
        len(others) - len(lost),
    )


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


def _finished(table: pa.Table, day: date) -> pa.Table:
    """The table with `day` as its date, and with one array for all blank columns of a type."""
    rows = table.num_rows
    types = {name: schema.column_type(name) for name in table.column_names}
    blank = {kind: pa.nulls(rows, kind) for kind in set(types.values())}
    columns = {
        name: blank[types[name]] if column.null_count == rows else column
        for name, column in zip(table.column_names, table.columns, strict=True)
    }
    # By Polars, as Arrow would load Pandas for a single day.
    columns["date"] = pl.repeat(day, rows, dtype=pl.Date, eager=True).to_arrow()
    return pa.table(columns)


def _count_dates(dates: pa.ChunkedArray | pa.Array, day: date) -> tuple[int, dict[str, int]]:
    """How many of the dates, as text, are not `day`, and how many are written in another form."""
    differing = rewritten = 0
    for text, count in zip(*pc.value_counts(dates).flatten(), strict=True):
        found = _parse_date(text.as_py())
        differing += count.as_py() if found != day else 0
        if found is not None and not _PLAIN_DATE.fullmatch(text.as_py()):
            rewritten += count.as_py()
    return differing, {"date": rewritten} if rewritten else {}


def _parse_date(text: str | None) -> date | None:
    """The day meant by `2018-02-25`, `2018/2/25` or `2/25/18`, perhaps with the time of midnight.

    What begins with two figures has the month first, as Backblaze wrote it; the other way round it
    is another day than the file's, which is counted. It never decides which day a row is of.
    """
    match = _DATE.fullmatch((text or "").strip())
    if not match:
        return None
    if match["iso"]:
        form = "%Y-%m-%d"
    else:
        form = "%m/%d/%Y" if len(match["us"].rpartition("/")[2]) == 4 else "%m/%d/%y"
    try:
        return datetime.strptime((match["iso"] or "").replace("/", "-") or match["us"], form).date()  # noqa: DTZ007 - a day
    except ValueError:
        return None
