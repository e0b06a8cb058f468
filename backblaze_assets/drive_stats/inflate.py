"""Reading one day's CSV as a stream, inflated and checked on the way.

ISA-L inflates faster than zlib and without Python's lock, so days inflate in parallel in threads.
Nothing is held but the piece in hand: memory that is new to the process costs more than inflating.
"""

import os
import re
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType

from isal import isal_zlib

from backblaze_assets.drive_stats.member import LARGEST_DAY, Member, Packing
from backblaze_assets.drive_stats.reading import check_unchanged, open_regular, reading
from backblaze_assets.errors import DataError

LONGEST_LINE = 1 << 20
"""Bytes of a header or a row at most; the longest up to 2026 has 5,000."""

_COMPRESSED_PIECE = 1 << 16
_LINE_PIECE = 1 << 13
_HEXADECIMAL = re.compile(rb",0x[0-9a-fA-F]+(?=[,\r\n])")
_LOCAL_HEADER = struct.Struct("<26xHH")  # lengths of the name and of the extra field
_WINDOW = {Packing.DEFLATED: -15, Packing.GZIPPED: 31}
_DAMAGED = {
    True: "The zip is damaged; fetch it again.",
    False: "The file is damaged; unpack or copy it again.",
}


def _has_hexadecimal(part: bytes) -> bool:
    """Whether a field other than the second one, the serial number, is a number such as 0x1F.

    Arrow would take it for 31, or for a negative one if it is large. Nothing is known to write
    0X1F, and looking for it as well would take a tenth of the time of reading.
    """
    if b"x" not in part or b",0x" not in part:
        return False
    for found in _HEXADECIMAL.finditer(part):
        start = max(part.rfind(end, 0, found.start()) for end in (b"\n", b"\r"))
        if start < 0 or b"," in part[start : found.start()]:
            return True
    return False


class StoppedError(Exception):
    """The work was called off by somebody else."""


class MemberStream:
    """The bytes of one CSV, read forward once; once all are read, they are what they should be.

    Args:
        member: the CSV.
        stop: once set, the next read raises `StoppedError`.

    Attributes:
        where: the file and the member, for messages.
        size: bytes read so far.
        crc: CRC-32 of these.
        unusual: whether there was a quotation mark in these, or a number such as 0x1F.

    Raises:
        DataError: here or on reading, when the file is damaged.
        ReplacedError: here or on reading, when it is not the one that was looked at.
    """

    def __init__(self, member: Member, stop: threading.Event | None = None) -> None:
        self.where = str(member)
        self.size = self.crc = 0
        self.unusual = False
        self._member = member
        self._stop = stop or threading.Event()
        self._lock = threading.Lock()
        self._rest = b""
        self._left = member.compressed_size
        self._most = LARGEST_DAY if member.size is None else member.size
        window = _WINDOW.get(member.packing)
        self._inflater = None if window is None else isal_zlib.decompressobj(window)
        if member.problem:
            raise DataError(f"{self.where} cannot be imported: {member.problem}.")
        self._file = open_regular(member.path, member.stamp)
        try:
            if member.in_zip:
                self._skip_local_header()
        except BaseException:
            self.close()
            raise

    def read(self, size: int) -> bytes:
        """The next `size` bytes, fewer only at the end."""
        parts = []
        while size > 0 and (part := self._some(size)):
            parts.append(part)
            size -= len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def read_line(self) -> bytes:
        """The next line with its end, which is LF, CRLF or CR.

        Raises:
            DataError: it has more than `LONGEST_LINE` bytes.
        """
        pieces: list[bytes] = []
        length = 0
        # One byte more than the end, to tell CRLF from CR.
        while piece := self.read(_LINE_PIECE):
            ended = bool(pieces) and pieces[-1].endswith((b"\n", b"\r"))
            pieces.append(piece)
            length += len(piece)
            if ended or b"\n" in piece[:-1] or b"\r" in piece[:-1]:
                break
            if length > LONGEST_LINE:
                raise DataError(
                    f"{self.where}, line 1: more than {LONGEST_LINE:,} bytes without a line's end. "
                    "It is not a CSV of daily drive statistics; use the file as published."
                )
        line = b"".join(pieces)
        ends = [at for at in (line.find(b"\n"), line.find(b"\r")) if at >= 0]
        end = min(ends) + 1 if ends else len(line)
        end += line[end - 1 : end + 1] == b"\r\n"
        self._rest = line[end:] + self._rest
        return line[:end]

    def at_end(self) -> bool:
        """Whether nothing is left."""
        self._rest = self._some(_LINE_PIECE) + self._rest
        return not self._rest

    def read_all(self) -> bytes:
        """All that is left."""
        return self.read(self._most + 1)

    def close(self) -> None:
        """Read no further; waits for a read in another thread, as pyarrow reads ahead.

        Otherwise that read could meet the next file that gets the same descriptor, and take bytes
        from it.
        """
        with self._lock:
            self._file.close()

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._file.closed

    def readable(self) -> bool:
        """Yes: pyarrow asks."""
        return True

    def __enter__(self) -> "MemberStream":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _skip_local_header(self) -> None:
        with self._reading():
            self._file.seek(self._member.offset)
            header = self._file.read(_LOCAL_HEADER.size)
            if len(header) < _LOCAL_HEADER.size or not header.startswith(b"PK\3\4"):
                raise ValueError("it does not start where the zip says")
            self._file.seek(sum(_LOCAL_HEADER.unpack(header)), os.SEEK_CUR)

    def _some(self, size: int) -> bytes:
        """At most `size` bytes, at least one until the end."""
        with self._lock:
            return self._next(size)

    def _next(self, size: int) -> bytes:
        if self._stop.is_set() or self.closed:
            raise StoppedError
        if self._rest:
            part, self._rest = self._rest[:size], self._rest[size:]
            return part
        with self._reading():
            part = self._stored(size) if self._inflater is None else self._inflated(size)
            self.size += len(part)
            self.crc = isal_zlib.crc32(part, self.crc)
            if self.size > self._most:
                raise ValueError(f"it has more than the {self._most:,} bytes that it should")
            if not part:
                self._check()
        self.unusual = self.unusual or b'"' in part or _has_hexadecimal(part)
        return part

    def _check(self) -> None:
        """Raise when what was read is not what the zip says, or not of the file looked at."""
        check_unchanged(self._member.path, self._member.stamp)
        expected = (self._member.size, self._member.crc)
        if self._member.in_zip and (self.size, self.crc) != expected:
            raise ValueError("its size or checksum is not what the zip says")

    def _stored(self, size: int) -> bytes:
        part = self._file.read(min(size, self._left))
        self._left -= len(part)
        return part

    def _inflated(self, size: int) -> bytes:
        inflater = self._inflater
        if inflater is None:
            return b""
        part = b""
        while not part:
            if inflater.eof:
                if self._member.packing is not Packing.GZIPPED:
                    break
                rest = inflater.unused_data.lstrip(b"\0") or self._stored(_COMPRESSED_PIECE)
                if not rest:
                    break
                # gzip allows for several in one file; block gzip makes use of it.
                inflater = self._inflater = isal_zlib.decompressobj(_WINDOW[Packing.GZIPPED])
                part = inflater.decompress(rest, size)
                continue
            packed = inflater.unconsumed_tail or self._stored(_COMPRESSED_PIECE)
            part = inflater.decompress(packed, size)
            if not packed and not part:
                if self._member.packing is Packing.GZIPPED:
                    raise EOFError("it is cut short")
                break  # the checksum tells
        return part

    @contextmanager
    def _reading(self) -> Iterator[None]:
        try:
            with reading(self.where, _DAMAGED[self._member.in_zip]):
                yield
        except DataError:
            check_unchanged(self._member.path, self._member.stamp)
            raise
