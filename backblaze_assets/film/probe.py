"""What an MP4 file holds, by its boxes (ISO/IEC 14496-12 and -15), without decoding it.

imageio-ffmpeg brings no ffprobe, and the boxes say exactly what ffmpeg's log only says roundly.
"""

import hashlib
import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from backblaze_assets.errors import DataError

_CHROMA = ("gray", "yuv420p", "yuv422p", "yuv444p")
_PROFILES_THAT_NAME_CHROMA = (100, 110, 122, 144, 244)
_BEFORE_AVC_CONFIG = 78  # bytes of a visual sample entry before its own boxes
_BLOCK = 1 << 20


@dataclass(frozen=True)
class VideoInfo:
    """The video track of an MP4 file.

    Attributes:
        width: in pixels.
        height: in pixels.
        fps: frames a second, the average where the rate is not constant.
        frames: exact number of frames.
        seconds: duration of the track.
        codec: four-character code, `avc1` for H.264.
        pixel_format: in ffmpeg's words, such as `yuv420p`; empty for codecs other than H.264.
        faststart: whether the index stands before the frames, so that a browser plays at once.
        comment: the comment, empty where there is none.
        constant_rate: whether all frames last equally long and are stored in display order.
        chapters: names of the chapters, in order.
        subtitles: whether there is a track of subtitles.
        decoder_config: what a decoder must know before the first frame; clips that are to be
            joined without re-encoding must agree in it.
    """

    width: int
    height: int
    fps: float
    frames: int
    seconds: float
    codec: str
    pixel_format: str
    faststart: bool
    comment: str
    constant_rate: bool
    decoder_config: bytes
    chapters: tuple[str, ...] = ()
    subtitles: bool = False


def probe(path: Path) -> VideoInfo:
    """Read what `path` holds.

    Raises:
        DataError: the file is missing, cut off, or no MP4 file with a video track.
    """
    boxes = _top_boxes(path)
    with path.open("rb") as file:
        offset, size = boxes["moov"]
        file.seek(offset)
        moov = file.read(size)
    try:
        comment = b"".join(_find(moov, "udta", "meta", "ilst", "\xa9cmt", "data"))[8:]
        tracks = [t for t in _find(moov, "trak") if _one(t, "mdia", "hdlr")[8:12] == b"vide"]
        found = _read_track(tracks[0], boxes["moov"] < boxes["mdat"], comment.decode())
        kinds = [_one(track, "mdia", "hdlr")[8:12] for track in _find(moov, "trak")]
        return replace(found, chapters=_chapters(moov), subtitles=b"sbtl" in kinds)
    except (struct.error, LookupError, ZeroDivisionError, UnicodeError) as error:
        raise _broken(path, "it has no readable video track") from error


def _chapters(moov: bytes) -> tuple[str, ...]:
    """Names in Nero's list of chapters: a count, then start, length of the name, name."""
    names = []
    for content in _find(moov, "udta", "chpl"):
        at = 9
        for _ in range(content[8]):
            length = content[at + 8]
            names.append(content[at + 9 : at + 9 + length].decode())
            at += 9 + length
    return tuple(names)


def digest_video(path: Path) -> str:
    """Digest of the encoded video alone, the same whatever the file says about itself.

    Covers the frames in their order, what a decoder needs before them, and their rate.
    """
    info = probe(path)
    offset, size = _top_boxes(path)["mdat"]
    hasher = hashlib.blake2b(info.decoder_config, digest_size=16)
    hasher.update(f"{info.frames} frames, {info.fps} a second".encode())
    with path.open("rb") as file:
        file.seek(offset)
        while block := file.read(min(size, _BLOCK)):
            hasher.update(block)
            size -= len(block)
    return hasher.hexdigest()


def overwrite_in_index(path: Path, old: bytes, new: bytes) -> None:
    """Put `new` in the place of `old`, equally long, in the index of an MP4 file.

    Raises:
        ValueError: `old` is not in the index, or is not as long as `new`.
    """
    if len(old) != len(new):
        raise ValueError(f"{len(new)} bytes cannot take the place of {len(old)}")
    offset, size = _top_boxes(path)["moov"]
    with path.open("r+b") as file:
        file.seek(offset)
        file.seek(offset + file.read(size).index(old))
        file.write(new)


def _read_track(track: bytes, faststart: bool, comment: str) -> VideoInfo:
    header = _one(track, "mdia", "mdhd")
    # Version 1 has 64-bit times before the time scale.
    (timescale,) = struct.unpack_from(">I", header, 20 if header[0] else 12)
    table = _one(track, "mdia", "minf", "stbl")
    durations = list(struct.iter_unpack(">II", _one(table, "stts")[8:]))
    frames, ticks = sum(n for n, _ in durations), sum(n * each for n, each in durations)
    entry = _one(table, "stsd")[8:]
    codec, entry = entry[4:8].decode("ascii"), entry[8:]
    width, height = struct.unpack_from(">HH", entry, 24)
    config = b"".join(_find(entry[_BEFORE_AVC_CONFIG:], "avcC"))
    return VideoInfo(
        width=width,
        height=height,
        fps=frames * timescale / ticks,
        frames=frames,
        seconds=ticks / timescale,
        codec=codec,
        pixel_format=_pixel_format(config) if config else "",
        faststart=faststart,
        comment=comment,
        constant_rate=len({each for _, each in durations}) == 1 and not list(_find(table, "ctts")),
        decoder_config=config,
    )


def _pixel_format(config: bytes) -> str:
    """Pixel format that an avcC box tells (14496-15, 5.3.3.1.2)."""
    if config[1] not in _PROFILES_THAT_NAME_CHROMA:  # baseline, main: nothing but this
        return "yuv420p"
    at = 5
    for mask in (0x1F, 0xFF):  # sequence parameter sets, then picture parameter sets
        count, at = config[at] & mask, at + 1
        for _ in range(count):
            at += 2 + int.from_bytes(config[at : at + 2], "big")
    depth = 8 + (config[at + 1] & 7)
    return _CHROMA[config[at] & 3] + (f"{depth}le" if depth > 8 else "")


def _top_boxes(path: Path) -> dict[str, tuple[int, int]]:
    """Offset and size of the content of each box at the file's top level."""
    boxes: dict[str, tuple[int, int]] = {}
    try:
        length = path.stat().st_size
        with path.open("rb") as file:
            for kind, offset, size in _walk(file, length):
                boxes[kind] = (offset, size)
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from error
    except struct.error as error:
        raise _broken(path, "it is cut off or not MP4") from error
    missing = {"moov", "mdat"} - boxes.keys()
    if missing:
        raise _broken(path, f"it has no {' and no '.join(sorted(missing))} box")
    return boxes


def _walk(file: BinaryIO, length: int) -> Iterator[tuple[str, int, int]]:
    at = 0
    while at < length:
        file.seek(at)
        kind, head, size = _box_head(file.read(16))
        if size < head or at + size > length:
            raise struct.error(f"box {kind!r} at byte {at} does not end inside the file")
        yield kind, at + head, size - head
        at += size


def _box_head(data: bytes) -> tuple[str, int, int]:
    """Kind of a box, bytes of its head, and of all of it."""
    size, kind = struct.unpack_from(">I4s", data)
    if size == 1:
        return kind.decode("latin-1"), 16, struct.unpack_from(">Q", data, 8)[0]
    return kind.decode("latin-1"), 8, size


def _find(data: bytes, *kinds: str) -> Iterator[bytes]:
    """Contents of all boxes at the path `kinds` below the boxes in `data`."""
    at = 0
    while at + 8 <= len(data):
        kind, head, size = _box_head(data[at : at + 16])
        if size < head:
            raise struct.error(f"box {kind!r} is shorter than its head")
        if kind == kinds[0]:
            content = data[at + head : at + size]
            if kind == "meta":  # the one container here that starts with version and flags
                content = content[4:]
            if len(kinds) == 1:
                yield content
            else:
                yield from _find(content, *kinds[1:])
        at += size


def _one(data: bytes, *kinds: str) -> bytes:
    for content in _find(data, *kinds):
        return content
    raise LookupError(f"no box {'/'.join(kinds)}")


def _broken(path: Path, reason: str) -> DataError:
    return DataError(f"{path} is not a whole MP4 file: {reason}. Delete it and make it again.")
