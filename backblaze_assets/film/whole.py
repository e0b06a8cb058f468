"""Whether a picture, a video or a layout is what was written, by what it carries about itself."""

import hashlib
import os
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from backblaze_assets.errors import DamagedError, DataError
from backblaze_assets.files.origin import Origin
from backblaze_assets.film import jpeg
from backblaze_assets.film.probe import digest_video, probe

_PIECE = 1 << 20
_OTHER = "its content is not what was written"
_SILENT = "it does not say where it comes from"
_BEGIN = b'{"asset":'
_STATEMENT = re.compile(rb'\{"asset":.*?,"crc32":"[0-9a-f]{8}"\}', re.DOTALL)


def check_jpeg(path: Path, content: bytes) -> Origin | None:
    """The origin of a JPEG file, given its bytes; None for one of another program.

    Raises:
        DamagedError: it is not what was written.
    """
    with damage(path):
        comment, plain = jpeg.without_comment(content)
        if comment is None:
            return None
        origin = Origin.from_json(comment)
        if hashlib.blake2b(plain, digest_size=16).hexdigest() != origin.data_version:
            raise ValueError(_OTHER)
        return origin


def check_video(path: Path) -> Origin | None:
    """The origin of an MP4 file; None for one of another program.

    Raises:
        DamagedError: it is not what was written.
    """
    with damage(path):
        comment = probe(path).comment
        if not comment:
            return None
        origin = Origin.from_json(comment)
        if digest_video(path) != origin.data_version or (
            origin.rest and rest_of(path, comment.encode()) != origin.rest
        ):
            raise ValueError(_OTHER)
        return origin


def check_loop(path: Path) -> Origin:
    """The origin of a WebM or GIF file of ours.

    Raises:
        DamagedError: it is not what was written, or another program wrote it.
    """
    with damage(path):
        written, comment = _comment(path.read_bytes(), in_blocks=path.suffix == ".gif")
        origin = Origin.from_json(comment)
        if rest_of(path, written) != origin.rest:
            raise ValueError(_OTHER)
        return origin


def read_loop_origin(path: Path) -> Origin:
    """What a WebM or GIF file says of itself.

    Raises:
        ValueError: it says nothing.
    """
    _, comment = _comment(path.read_bytes(), in_blocks=path.suffix == ".gif")
    return Origin.from_json(comment)


def crc(content: bytes) -> str:
    """CRC-32 of some bytes, as 8 hexadecimal digits."""
    return f"{zlib.crc32(content):08x}"


def rest_of(path: Path, text: bytes) -> str:
    """CRC-32 of a file without the first place where `text` stands, as 8 hexadecimal digits."""
    with path.open("rb") as file:
        return f"{_crc_without(file, text):08x}"


def _crc_without(file: BinaryIO, text: bytes) -> int:
    crc, held, wanted = 0, b"", True
    while piece := file.read(_PIECE):
        held += piece
        if wanted and (at := held.find(text)) >= 0:
            held, wanted = held[:at] + held[at + len(text) :], False
        done = max(0, len(held) - len(text)) if wanted else len(held)
        crc, held = zlib.crc32(held[:done], crc), held[done:]
    return zlib.crc32(held, crc)


def in_blocks(comment: str) -> bytes:
    """A text as blocks of GIF, each behind its length (GIF89a, 15)."""
    data = comment.encode()
    pieces = (data[at : at + 255] for at in range(0, len(data), 255))
    return b"".join(bytes([len(piece)]) + piece for piece in pieces)


def _comment(content: bytes, *, in_blocks: bool) -> tuple[bytes, str]:
    """Where a file says what it is: the bytes as they stand, and the text."""
    if not in_blocks:
        found = _STATEMENT.search(content)
        if found is None:
            raise ValueError(_SILENT)
        return found[0], found[0].decode()
    begin = content.find(_BEGIN)
    if begin < 1:
        raise ValueError(_SILENT)
    at, text = begin - 1, b""
    while size := content[at]:
        text += content[at + 1 : at + 1 + size]
        at += 1 + size
    return content[begin - 1 : at], text.decode()


@contextmanager
def damage(path: Path) -> Iterator[None]:
    """What a file's content makes the block raise is damage of the file."""
    try:
        yield
    except DamagedError:
        raise
    except (DataError, OSError, ValueError, LookupError) as error:
        reason = str(error).removeprefix(f"{os.fspath(path)} ").rstrip(".")
        raise DamagedError(path, reason) from error
