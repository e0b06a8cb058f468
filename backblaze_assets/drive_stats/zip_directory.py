"""The list of members at the end of a zip.

Python's `zipfile` gives up a whole zip for one member with an odd name, a new version number or an
unknown extra field, and reads a list of any length. This reads what is needed of each member and
refuses what is damaged or out of all proportion. Layout: APPNOTE.TXT 6.3.10 of PKWARE, sections
4.3.12 to 4.3.16 and 4.5.3.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

LONGEST_LIST = 16 << 20
"""Bytes of the list of members at most; the longest of a published zip has 30 kB."""

STORED, DEFLATED = 0, 8
"""Methods of packing."""

_END = struct.Struct("<4s4H2LH")
_END_64_LOCATOR = struct.Struct("<4sLQL")
_END_64 = struct.Struct("<4sQ2H2L4Q")
_MEMBER = struct.Struct("<4s4B4H3L5H2L")
_LONGEST_COMMENT = 0xFFFF
_WIDE = 0xFFFFFFFF  # the value stands in the extra field
_ENCRYPTED, _UTF8, _MASKED = 0x1, 0x800, 0x2000


class ZipError(ValueError):
    """Not a zip, or a damaged one."""


@dataclass(frozen=True)
class Entry:
    """A member as the list describes it.

    Attributes:
        name: with `/` between folders, whatever the zip has.
        method: how it is packed; see `STORED` and `DEFLATED`.
        encrypted: whether it takes a password.
        crc: CRC-32 of the content.
        compressed_size: bytes in the zip.
        size: bytes of the content.
        offset: where its local header begins in the file.
    """

    name: str
    method: int
    encrypted: bool
    crc: int
    compressed_size: int
    size: int
    offset: int


def read_directory(file: BinaryIO, size: int) -> tuple[list[Entry], bytes]:
    """Members, in the order of the list, and comment of the zip in `file`, which has `size` bytes.

    Raises:
        ZipError: not a whole zip.
    """
    end, fields, comment = _find_end(file, size)
    _, disk, first_disk, _, count, length, start, _ = fields
    if (_WIDE in (length, start) or count == 0xFFFF) and (wide := _wide_end(file, end)):
        end, disk, first_disk, count, length, start = wide
    if disk or first_disk:
        raise ZipError("it is one of several volumes; join them first")
    before = end - length - start  # bytes of something else in front of the zip
    if before < 0:
        raise ZipError("bytes are missing at its beginning or within it")
    if length > LONGEST_LIST:
        raise ZipError(f"its list of members has {length:,} bytes")
    content = _read(file, before + start, length)
    entries = list(_entries(content, before))
    if len(entries) & 0xFFFF != count & 0xFFFF:
        raise ZipError(f"its list has {len(entries):,} members, and should have {count:,}")
    return entries, comment


def _find_end(file: BinaryIO, size: int) -> tuple[int, tuple[int, ...], bytes]:
    """Where the record at the end begins, its fields, and the comment."""
    tail_size = min(size, _END.size + _LONGEST_COMMENT)
    tail = _read(file, size - tail_size, tail_size)
    at = len(tail)
    while (at := tail.rfind(b"PK\5\6", 0, at)) >= 0:
        if at + _END.size <= len(tail):
            fields = _END.unpack_from(tail, at)
            comment = tail[at + _END.size :]
            if len(comment) >= fields[-1]:
                return size - tail_size + at, fields, comment[: fields[-1]]
        at += 3  # the next one has to begin before this one
    raise ZipError("its end is missing" if tail else "it is empty")


def _wide_end(file: BinaryIO, end: int) -> tuple[int, int, int, int, int, int] | None:
    """The same figures from the record of large zips; None where there is none."""
    if end < _END_64_LOCATOR.size + _END_64.size:
        return None
    locator = _END_64_LOCATOR.unpack(_read(file, end - _END_64_LOCATOR.size, _END_64_LOCATOR.size))
    at = end - _END_64_LOCATOR.size - _END_64.size
    record = _END_64.unpack(_read(file, at, _END_64.size))
    if locator[0] != b"PK\6\7" or record[0] != b"PK\6\6":
        return None
    _, _, _, _, disk, first_disk, _, count, length, start = record
    return at, disk, first_disk, count, length, start


def _entries(content: bytes, before: int) -> Iterator[Entry]:
    at = 0
    while at < len(content):
        if len(content) - at < _MEMBER.size or not content.startswith(b"PK\1\2", at):
            raise ZipError("its list of members is damaged")
        fields = _MEMBER.unpack_from(content, at)
        flags, method, crc, packed, size = fields[5], fields[6], *fields[9:12]
        name_length, extra_length, comment_length, offset = *fields[12:15], fields[18]
        name_at = at + _MEMBER.size
        extra_at = name_at + name_length
        at = extra_at + extra_length + comment_length
        if at > len(content):
            raise ZipError("its list of members is cut short")
        extra = content[extra_at : extra_at + extra_length]
        size, packed, offset = _widened(extra, size, packed, offset)
        yield Entry(
            name=_name(content[name_at:extra_at], flags),
            method=method,
            encrypted=bool(flags & (_ENCRYPTED | _MASKED)),
            crc=crc,
            compressed_size=packed,
            size=size,
            offset=before + offset,
        )


def _widened(extra: bytes, *values: int) -> list[int]:
    """`values`, each that is too large for 32 bits taken from the extra field."""
    at = 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<2H", extra, at)
        if kind == 1:
            count = min(length, len(extra) - at - 4) // 8
            wide = iter(struct.unpack_from(f"<{count}Q", extra, at + 4))
            return [next(wide, value) if value == _WIDE else value for value in values]
        at += 4 + length
    return list(values)


def _name(raw: bytes, flags: int) -> str:
    """A member's name; one that is said to be UTF-8 and is not is read as the old encoding."""
    raw = raw.split(b"\0")[0]
    try:
        name = raw.decode("utf-8" if flags & _UTF8 else "cp437")
    except UnicodeDecodeError:
        name = raw.decode("cp437")
    return name.replace("\\", "/")


def _read(file: BinaryIO, at: int, size: int) -> bytes:
    file.seek(at)
    parts = []
    while size > 0 and (part := file.read(size)):
        parts.append(part)
        size -= len(part)
    if size:
        raise ZipError("it is cut short")
    return b"".join(parts)
