"""Cutting a day's CSV into fields and making numbers of them, in one pass over its bytes.

Arrow cuts first, then converts column by column, and takes two and a half times as long. This is
for what the published files are made of, numbers and plain ASCII; at anything else it gives up,
and Arrow or the careful reader decides. Compiled by Numba where that is installed and pays.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cache
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from backblaze_assets.drive_stats.inflate import LONGEST_LINE, MemberStream

WORTH_COMPILING = 1 << 29
"""Bytes of CSV from which on it pays: Numba takes a second to load, two more the first time."""

_LONGEST_TEXT = 64  # bytes of a text, on the average of a column
_BLANK, _SHORT, _LONG, _TEXT = range(4)
_KINDS = {pa.null(): _BLANK, pa.int8(): _SHORT, pa.int16(): _SHORT, pa.int64(): _LONG}
_Array = npt.NDArray[Any]


class _Layout(NamedTuple):
    """Of each column: its kind, and its place among those of this kind."""

    kinds: _Array
    places: _Array


class _Output(NamedTuple):
    """Where the fields go, by place and row.

    Attributes:
        short: numbers of 16 bits.
        has_short: whether there is one.
        long: numbers of 64 bits.
        has_long: whether there is one.
        text: the texts of each column, one after the other.
        ends: where each text ends in it; the first one is the beginning of row 0.
    """

    short: _Array
    has_short: _Array
    long: _Array
    has_long: _Array
    text: _Array
    ends: _Array


def _cut(  # noqa: C901 - one pass, in what Numba compiles
    block: _Array, layout: _Layout, output: _Output, row: int
) -> int:
    """Cut whole lines, the first of which is number `row`; the next row's number, or -1.

    It is -1 where something is not as in the published files, or there is no room for it. A line's
    end is met before the end of `block` whatever is in it, as `block` ends with one.
    """
    kinds, places = layout
    short, has_short, long, has_long, text, ends = output
    columns, rows, room = len(kinds), long.shape[1], text.shape[1]
    at = 0
    while at < len(block):
        if block[at] == 10:  # a line without a character is no row
            at += 1
            continue
        if row >= rows:
            return -1
        for column in range(columns):
            kind, place = kinds[column], places[column]
            byte = int(block[at])
            if kind == 3:
                start, end = at, int(ends[place, row])
                # Blanks around it, control characters and what is not ASCII are for others.
                while byte != 44 and byte >= 32:
                    if byte > 126 or byte == 34 or end >= room:
                        return -1
                    text[place, end] = byte
                    end += 1
                    at += 1
                    byte = int(block[at])
                if at > start and (block[start] == 32 or block[at - 1] == 32):
                    return -1
                ends[place, row + 1] = end
            else:
                start, negative = at, byte == 45
                if negative:
                    at += 1
                    byte = int(block[at])
                number, digits = 0, at
                while 48 <= byte <= 57:
                    if at - digits >= 18 and (
                        at - digits > 18 or number >= 922_337_203_685_477_580
                    ):
                        return -1
                    number = number * 10 + byte - 48
                    at += 1
                    byte = int(block[at])
                there = at > start
                if there and (kind == 0 or at == digits):
                    return -1
                if negative:
                    number = -number
                if kind == 1:
                    if number > 32767 or number < -32768:
                        return -1
                    short[place, row] = number
                    has_short[place, row] = there
                elif kind == 2:
                    long[place, row] = number
                    has_long[place, row] = there
            if column + 1 < columns:
                if byte != 44:
                    return -1
                at += 1
        if byte == 13:
            at += 1
            byte = int(block[at]) if at < len(block) else 0
        if byte != 10:
            return -1
        at += 1
        row += 1
    return row


Cut = Callable[[_Array, _Layout, _Output, int], int]


@cache
def compiled() -> Cut | None:
    """`_cut` in machine code; None without Numba."""
    try:
        import numba
    except ImportError:
        return None
    with suppress(RuntimeError):  # there is no folder to keep it in
        return numba.njit(nogil=True, cache=True)(_cut)
    return numba.njit(nogil=True)(_cut)


class Workspace:
    """Memory for one day's fields, used again for the next: new memory takes time.

    A table that was read into it holds until the next one is read.

    Args:
        cut: `compiled()`; uncompiled, it is slow.

    Attributes:
        rows: how many rows there is room for.
    """

    def __init__(self, cut: Cut = _cut) -> None:
        self.rows = 0
        self._cut = cut
        self._memory: dict[str, _Array] = {}

    def read(
        self, stream: MemberStream, types: Mapping[str, pa.DataType], block: int
    ) -> pa.Table | None:
        """Read the rows of a CSV whose header has been read.

        Args:
            stream: the CSV.
            types: type of each column; null for those that must be blank in every row.
            block: bytes to read at a time; the rows that end in a block are one chunk.

        Returns:
            The table, without blanks around its texts; None where this reader is not for the file.

        Raises:
            DataError: the file is damaged.
            pa.ArrowInvalid: a number is too large for its type.
        """
        kinds = [_KINDS.get(kind, _TEXT) for kind in types.values()]
        places = [kinds[:number].count(kind) for number, kind in enumerate(kinds)]
        layout = _Layout(np.array(kinds, np.uint8), np.array(places, np.int64))
        output = self._output(kinds, self.rows)
        row, rest, ends = 0, b"", [0]
        while part := stream.read(block):
            last = len(part) < block
            content = rest + part + (b"\n" if last else b"")
            cut = content.rfind(b"\n") + 1
            lines, rest = np.frombuffer(content, np.uint8, cut), content[cut:]
            row = self._cut(lines, layout, output, row)
            if row < 0 or len(rest) > LONGEST_LINE or stream.unusual:
                return None
            ends.append(row)
        if rest:
            return None  # its size is a multiple of a block, and its last line has no end
        columns = [_column(output, *each, row) for each in zip(kinds, places, strict=True)]
        cast = [column.cast(kind) for column, kind in zip(columns, types.values(), strict=True)]
        table = pa.table(cast, names=list(types))
        # In chunks as from Arrow's reader, since the bytes in the Parquet file depend on them.
        chunks = [table.slice(start, end - start) for start, end in pairwise(ends) if end > start]
        return pa.concat_tables(chunks or [table])

    def _output(self, kinds: list[int], rows: int) -> _Output:
        short, long, text = (kinds.count(kind) for kind in (_SHORT, _LONG, _TEXT))
        ends = self._take("ends", (text, rows + 1), np.int32)
        ends[:, 0] = 0
        return _Output(
            self._take("short", (short, rows), np.int16),
            self._take("has_short", (short, rows), np.bool_),
            self._take("long", (long, rows), np.int64),
            self._take("has_long", (long, rows), np.bool_),
            self._take("text", (text, rows * _LONGEST_TEXT), np.uint8),
            ends,
        )

    def _take(self, name: str, shape: tuple[int, int], kind: type[np.generic]) -> _Array:
        size = shape[0] * shape[1]
        if len(self._memory.get(name, ())) < size:
            self._memory.pop(name, None)
            self._memory[name] = np.empty(size, kind)
        return self._memory[name][:size].reshape(shape)


def _column(output: _Output, kind: int, place: int, rows: int) -> pa.Array:
    """A column as an Arrow array over the memory of `output`."""
    if kind == _BLANK:
        return pa.nulls(rows)
    if kind == _TEXT:
        ends = output.ends[place]
        there = np.diff(ends[: rows + 1]) > 0
        buffers = [pa.py_buffer(ends), pa.py_buffer(output.text[place])]
        return pa.Array.from_buffers(pa.string(), rows, [_bits(there), *buffers])
    values, there = (
        (output.short, output.has_short) if kind == _SHORT else (output.long, output.has_long)
    )
    buffers = [_bits(there[place, :rows]), pa.py_buffer(values[place])]
    return pa.Array.from_buffers(pa.int16() if kind == _SHORT else pa.int64(), rows, buffers)


def _bits(there: _Array) -> pa.Buffer | None:
    return None if there.all() else pa.py_buffer(np.packbits(there, bitorder="little"))
