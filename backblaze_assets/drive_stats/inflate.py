"""Reading one member of a zip as a stream, inflated and checked on the way.

ISA-L inflates faster than zlib and without Python's lock, so days inflate in parallel in threads.
Nothing is held but the piece in hand: memory that is new to the process costs more than inflating.
"""

import os
import struct
import threading
from pathlib import Path
from types import TracebackType

from isal import isal_zlib

from backblaze_assets.drive_stats.archive import Member
from backblaze_assets.errors import DataError

_COMPRESSED_PIECE = 1 << 16
_LINE_PIECE = 1 << 13
_LOCAL_HEADER = struct.Struct("<26xHH")  # lengths of the name and of the extra field
_RAW_DEFLATE = -15


class StoppedError(Exception):
    """The work was called off by somebody else."""


class MemberStream:
    """The bytes of one member, read forward once; once all are read, size and CRC are right.

    Args:
        zip_path: the zip.
        member: which of its members.
        stop: once set, the next read raises `StoppedError`.

    Raises:
        DataError: here or on reading, when the zip is damaged or not what it was when scanned.
    """

    def __init__(self, zip_path: Path, member: Member, stop: threading.Event) -> None:
        self.where = f"{zip_path}: {member.name}"
        self._member = member
        self._stop = stop
        self._rest = b""
        self._left = member.compressed_size
        self._size = self._crc = 0
        self._inflater = isal_zlib.decompressobj(_RAW_DEFLATE)
        try:
            self._file = zip_path.open("rb", buffering=0)
        except OSError as error:
            raise self._damaged(str(error)) from error
        self._file.seek(member.offset)
        header = self._file.read(_LOCAL_HEADER.size)
        if len(header) < _LOCAL_HEADER.size or not header.startswith(b"PK\3\4"):
            self.close()
            raise self._damaged("it does not start where the zip says")
        self._file.seek(sum(_LOCAL_HEADER.unpack(header)), os.SEEK_CUR)

    def read(self, size: int) -> bytes:
        """The next `size` bytes, fewer only at the end."""
        parts = []
        while size > 0 and (part := self._some(size)):
            parts.append(part)
            size -= len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def read_line(self) -> bytes:
        """The next line with its end, which is LF, CRLF or CR."""
        line = b""
        while piece := self.read(_LINE_PIECE):
            line += piece
            # One byte more than the end, to tell CRLF from CR.
            if line[:-1].find(b"\n") >= 0 or line[:-1].find(b"\r") >= 0:
                break
        first, *others = line.splitlines(keepends=True) or [b""]
        self._rest = b"".join(others) + self._rest
        return first

    def at_end(self) -> bool:
        """Whether nothing is left."""
        self._rest = self._some(_LINE_PIECE) + self._rest
        return not self._rest

    def read_all(self) -> bytes:
        """All that is left."""
        return self.read(self._member.size + 1)

    def close(self) -> None:
        """Read no further."""
        self._file.close()

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._file.closed

    def __enter__(self) -> "MemberStream":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _some(self, size: int) -> bytes:
        """At most `size` bytes, at least one until the end."""
        if self._stop.is_set():
            raise StoppedError
        if self._rest:
            part, self._rest = self._rest[:size], self._rest[size:]
            return part
        try:
            part = self._inflated(size) if self._member.deflated else self._stored(size)
        except (isal_zlib.error, OSError) as error:  # type: ignore[misc]  # its stub is wrong
            raise self._damaged(str(error)) from error
        self._size += len(part)
        self._crc = isal_zlib.crc32(part, self._crc)
        if not part and (self._size, self._crc) != (self._member.size, self._member.crc):
            raise self._damaged("its size or checksum is not what the zip says")
        return part

    def _stored(self, size: int) -> bytes:
        part = self._file.read(min(size, self._left))
        self._left -= len(part)
        return part

    def _inflated(self, size: int) -> bytes:
        part = b""
        while not part and not self._inflater.eof:
            packed = self._inflater.unconsumed_tail or self._stored(_COMPRESSED_PIECE)
            part = self._inflater.decompress(packed, size)
            if not packed and not part:
                break  # cut short; the checksum tells
        return part

    def _damaged(self, why: str) -> DataError:
        return DataError(
            f"{self.where} cannot be read: {why}. The zip is damaged or was changed meanwhile; "
            "fetch it again."
        )
