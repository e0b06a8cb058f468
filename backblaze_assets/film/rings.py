"""The rings around drives that have failed lately.

A ring of opacity `a` has the colour (255, 255 - a, 255 - a): opacity and colour say the same. So
all rings of a picture are first gathered in one plane of opacities, the stronger one in front where
two meet, and then blended once.
"""

from functools import cache

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from backblaze_assets.film.jpeg import TILE_HEIGHT, TILE_WIDTH, Mask, Pixels, lines, touch
from backblaze_assets.film.style import RING_DAYS

AT_ONCE = 128
"""Tiles that are blended at a time: few enough for the processor's cache."""

Bytes = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int32]
Wide = npt.NDArray[np.uint16]


class Rings:
    """Draws rings around squares of one size."""

    def __init__(self, side: int, rows: int, columns: int, scale: int) -> None:
        """Prepare for squares with sides of `side` pixels on a canvas of tiles."""
        self.rings = [shape(age, side, scale) for age in range(RING_DAYS)]
        self.sizes = np.array([len(ring) for ring in self.rings])
        self.offsets = (side - self.sizes) // 2
        # Room around the canvas, in whole tiles, so that no ring needs to be clipped.
        self.above = -(-len(self.rings[-1]) // TILE_HEIGHT)
        self.beside = -(-len(self.rings[-1]) // TILE_WIDTH)
        self.columns = columns
        self.wider = columns + 2 * self.beside
        higher = rows + 2 * self.above
        self.opacity = np.zeros((higher * TILE_HEIGHT, self.wider * TILE_WIDTH), np.uint8)
        self.reached: Mask = np.zeros((higher, self.wider), np.bool_)
        self.wide = np.empty(AT_ONCE * TILE_HEIGHT * TILE_WIDTH, np.uint16)

    def place(self, x: Ints, y: Ints, ages: Ints) -> Mask:
        """Put rings in their places, the stronger one in front, and none elsewhere.

        Args:
            x: left edge in pixels of the square of each drive that has a ring.
            y: its upper edge.
            ages: days since its failure, 0 to `RING_DAYS` - 1.

        Returns:
            Which tiles of the canvas they reach, (rows, columns).
        """
        self.opacity[:] = 0
        self.reached[:] = False
        left = x + self.offsets[ages] + self.beside * TILE_WIDTH
        top = y + self.offsets[ages] + self.above * TILE_HEIGHT
        right, bottom = left + self.sizes[ages], top + self.sizes[ages]
        touch(self.reached, left, top, right, bottom)
        for x0, y0, x1, y1, age in np.stack([left, top, right, bottom, ages]).T.tolist():
            below = self.opacity[y0:y1, x0:x1]
            np.maximum(below, self.rings[age], out=below)
        return self.reached[self.above : -self.above, self.beside : -self.beside]

    def blend(
        self, numbers: npt.NDArray[np.intp], planes: Bytes, limit: Bytes, canvas: Pixels
    ) -> None:
        """Draw some tiles with the rings that are placed.

        Args:
            numbers: of the tiles.
            planes: red, and green and blue, below the rings, (2, height, width).
            limit: the highest opacity allowed in each pixel, (height, width).
            canvas: where the tiles are drawn, (height, width).
        """
        padded = self.opacity.reshape(-1, TILE_WIDTH)
        limits = limit.reshape(-1, TILE_WIDTH)
        red, cyan = planes.reshape(2, -1, TILE_WIDTH)
        pixels = canvas.reshape(-1, TILE_WIDTH)
        for first in range(0, len(numbers), AT_ONCE):
            some = numbers[first : first + AT_ONCE]
            row, column = np.divmod(some, self.columns)
            there = (row + self.above) * self.wider + column + self.beside
            at = lines(some, self.columns).ravel()
            opacity = padded.take(lines(there, self.wider).ravel(), axis=0)
            np.minimum(opacity, limits.take(at, axis=0), out=opacity)
            wide = self.wide[: opacity.size].reshape(opacity.shape)
            pixels[at] = _blend(opacity, red.take(at, axis=0), cyan.take(at, axis=0), wide)


def _blend(opacity: Bytes, red: Bytes, cyan: Bytes, wide: Wide) -> Pixels:
    """Blend rings with red, and with green and blue.

    With o for opacity and t = 255 - o, red becomes 255 - (255 - red) * t / 255, and green and blue
    become cyan * t / 255 + o * (255 - o) / 255 = (cyan + o) * t / 255. Division by 255 is
    (n + 255) >> 8: exact where there is no ring, elsewhere one too much at most.

    Args:
        opacity: of the rings.
        red: below the rings.
        cyan: green and blue below the rings.
        wide: room for products, of the shape of `opacity`.

    Returns:
        The pixels with the rings, of the same shape.
    """
    transparency = ~opacity
    np.multiply(~red, transparency, out=wide, dtype=np.uint16)
    pixels = 255 - _divided(wide).astype(np.uint32)
    np.add(cyan, opacity, out=wide, dtype=np.uint16)
    np.multiply(wide, transparency, out=wide)
    pixels += _divided(wide).astype(np.uint32) * 0x010100
    return pixels


def _divided(wide: Wide) -> Wide:
    """`wide`, divided by 255 in place."""
    np.add(wide, 255, out=wide)
    return np.right_shift(wide, 8, out=wide)


@cache
def shape(age: int, side: int, scale: int) -> Bytes:
    """Opacity of the ring around a square of `side` pixels `age` days after its drive failed.

    Drawn four times as large and reduced, for smooth edges. Its size is odd for an odd `side`, so
    that the ring is centred on the square.
    """
    radius, width = age + 1, 3 + 14 * (age + 1) // 48
    fine = 4
    size = 2 * (radius + 1) * scale + side % 2
    image = Image.new("L", (size * fine, size * fine))
    pen = ImageDraw.Draw(image)
    for reach, opacity in ((radius, 255 - 5 * (age + 1)), (radius - width, 0)):
        if reach > 0:
            near, far = (size / 2 - reach * scale) * fine, (size / 2 + reach * scale) * fine
            pen.ellipse((near, near, far - 1, far - 1), opacity)
    return np.asarray(image.reduce(fine))
