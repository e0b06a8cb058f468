"""JPEG files in which only what has changed since the last one is encoded, and their comments.

The picture is encoded in tiles, one after the other in the order of reading, with a restart marker
after each (ITU-T T.81, E.1.4): a tile's bytes then depend on nothing but its own pixels. So the
bytes of tiles that look as before are kept, and the file is the same to the byte as one that is
encoded from nothing: what Pillow saves with `restart_marker_blocks=BLOCKS`. Where the picture ends
within a tile, the caller says what is encoded below it, which no decoder shows.
"""

import io
import re
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

BLOCKS = 4
"""Units of a tile: blocks of 16x16 pixels, as colours are halved both ways (4:2:0)."""
TILE_HEIGHT, TILE_WIDTH = 16, 16 * BLOCKS

PIXEL = np.dtype("<u4")
"""Red, green, blue, and a byte of no meaning, in this order in memory."""
Pixels = npt.NDArray[np.uint32]
Mask = npt.NDArray[np.bool_]
Edges = npt.NDArray[np.int32] | int
"""Of one box or of many, in pixels."""

_START, _SCAN, _END, _COMMENT = b"\xff\xd8", b"\xff\xda", b"\xff\xd9", b"\xff\xfe"
_RESTARTS = [bytes((0xFF, 0xD0 + number)) for number in range(8)]
_RESTART = re.compile(rb"\xff[\xd0-\xd7]")


def tiles(height: int, width: int) -> tuple[int, int]:
    """Rows and columns of tiles that cover a picture of `height` x `width` pixels."""
    return -(-height // TILE_HEIGHT), -(-width // TILE_WIDTH)


def lines(numbers: npt.NDArray[np.intp], columns: int) -> npt.NDArray[np.intp]:
    """Where the pixels of tiles are on a canvas that is seen as lines of `TILE_WIDTH` pixels.

    Args:
        numbers: of the tiles, in the order of reading.
        columns: of tiles on the canvas.

    Returns:
        Indices, of the shape of `numbers` and one axis more, of `TILE_HEIGHT`.
    """
    rows, column = np.divmod(numbers, columns)
    first = rows * (TILE_HEIGHT * columns) + column
    return first[..., None] + np.arange(TILE_HEIGHT) * columns


def touch(mask: Mask, left: Edges, top: Edges, right: Edges, bottom: Edges) -> None:
    """Mark in `mask` the tiles that boxes reach; their pixels end before `right` and `bottom`."""
    first_row, last_row = top // TILE_HEIGHT, (bottom - 1) // TILE_HEIGHT
    first_column, last_column = left // TILE_WIDTH, (right - 1) // TILE_WIDTH
    if isinstance(left, int):
        mask[first_row : last_row + 1, first_column : last_column + 1] = True
        return
    for down in range(np.max(last_row - first_row, initial=0) + 1):
        row = np.minimum(first_row + down, last_row)
        for across in range(np.max(last_column - first_column, initial=0) + 1):
            mask[row, np.minimum(first_column + across, last_column)] = True


def differing(one: Pixels, other: Pixels) -> Mask:
    """Tiles, (rows, columns), in which two pictures of one size differ."""
    height, width = one.shape
    # Eight results, a byte each, are looked at together.
    together = (one != other).view(np.uint64)
    rows = np.bitwise_or.reduceat(together, np.arange(0, height, TILE_HEIGHT))
    tiled = rows.reshape(len(rows), width // TILE_WIDTH, -1)
    mask: Mask = np.bitwise_or.reduce(tiled, axis=2) != 0
    return mask


class Encoder:
    """Encodes pictures of one size that follow each other."""

    def __init__(self, height: int, width: int, quality: int) -> None:
        """Prepare for pictures of `height` x `width` pixels and Pillow's JPEG `quality`."""
        rows, self.columns = tiles(height, width)
        self.quality = quality
        self.head = _head(height, width, quality)
        self.tiles = [b""] * (rows * self.columns)
        self.scan = b""

    def encode(self, pixels: Pixels, changed: Mask) -> bytes:
        """A JPEG file.

        Args:
            pixels: of the canvas in whole tiles. Rows below the picture and columns at its right
                must repeat its last ones.
            changed: tiles that may look different than in the picture encoded last, (rows,
                columns); for the first picture all.
        """
        if changed.all():
            image = Image.frombuffer("RGBX", pixels.shape[::-1], pixels, "raw", "RGBX", 0, 1)
            _, self.scan = _parts(_save(image, self.quality))
            return b"".join([self.head, self.scan, _END])
        if self.scan:  # of a picture that was encoded whole
            tiles = _RESTART.split(self.scan)
            self.tiles = [tile + _RESTARTS[number % 8] for number, tile in enumerate(tiles)]
            self.scan = b""
        numbers = np.flatnonzero(changed)
        if len(numbers):
            # Side by side and one below the other, as wide as the canvas.
            padded = np.resize(numbers, (-(-len(numbers) // self.columns), self.columns))
            at = lines(padded, self.columns).swapaxes(1, 2)
            stack = pixels.reshape(-1, TILE_WIDTH).take(at.ravel(), axis=0)
            size = pixels.shape[1], len(padded) * TILE_HEIGHT
            image = Image.frombuffer("RGBX", size, stack, "raw", "RGBX", 0, 1)
            _, scan = _parts(_save(image, self.quality))
            for number, tile in zip(numbers.tolist(), _RESTART.split(scan), strict=False):
                self.tiles[number] = tile + _RESTARTS[number % 8]
        *before, last = self.tiles
        return b"".join([self.head, *before, last[: -len(_RESTARTS[0])], _END])


def _save(image: Image.Image, quality: int) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality, subsampling="4:2:0", restart_marker_blocks=BLOCKS)
    return buffer.getvalue()


def _parts(jpeg: bytes) -> tuple[bytes, bytes]:
    """Everything up to the encoded pixels, and these, without the end."""
    scan = jpeg.index(_SCAN)
    begin = scan + 2 + int.from_bytes(jpeg[scan + 2 : scan + 4], "big")
    return jpeg[:begin], jpeg[begin : -len(_END)]


@cache
def _head(height: int, width: int, quality: int) -> bytes:
    """What comes before the pixels: the same for all pictures of a size and quality."""
    head, _ = _parts(_save(Image.new("RGB", (width, height)), quality))
    return head


def changed_tiles(one: bytes, other: bytes) -> float:
    """The part of the tiles in which two files of one size differ; 0 if they have no tiles."""
    pairs = [_RESTART.split(content) for content in (one, other)]
    count = len(pairs[0]) - 1  # beside the first, which has the file's head before it
    if count < 1 or len(pairs[1]) - 1 != count:
        return 0.0
    changed: int = sum(a != b for a, b in zip(pairs[0][1:], pairs[1][1:], strict=True))
    return changed / count


def with_comment(jpeg: bytes, comment: str) -> bytes:
    """The JPEG file `jpeg` with a comment (COM segment) after its start.

    Raises:
        ValueError: the comment is longer than a segment may be, 65,533 bytes.
    """
    data = comment.encode()
    if len(data) > 65533:
        raise ValueError(f"a JPEG comment may have 65,533 bytes, not {len(data):,}")
    return b"".join([_START, _COMMENT, (len(data) + 2).to_bytes(2, "big"), data, jpeg[2:]])


def without_comment(content: bytes) -> tuple[str | None, bytes]:
    """The comment that `with_comment` put into a JPEG file, None if there is none, and the rest.

    Raises:
        ValueError: the comment is no text.
    """
    if content[:4] != _START + _COMMENT:
        return None, content
    end = 4 + int.from_bytes(content[4:6], "big")
    return content[6:end].decode(), _START + content[end:]


def read_comment(path: Path) -> str | None:
    """The comment that `with_comment` put into the JPEG file at `path`; None if there is none."""
    with path.open("rb") as file:
        head = file.read(6)
        if head[:4] != _START + _COMMENT:
            return None
        return file.read(int.from_bytes(head[4:], "big") - 2).decode(errors="replace")
