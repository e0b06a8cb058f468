"""The rings around drives that have failed lately.

A ring of opacity `a` has the colour (255, 255 - a, 255 - a): opacity and colour say the same. So
all rings of a picture are first gathered in one plane of opacities, the stronger one in front where
two meet, and then blended once.
"""

from functools import cache

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from backblaze_assets.film.style import RING_DAYS, Style

BAND_PIXELS = 2**17
"""Pixels that are blended at a time: few enough for the processor's cache."""

Bytes = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int32]
Wide = npt.NDArray[np.uint16]


class Rings:
    """Draws rings around squares of one size."""

    def __init__(self, side: int, style: Style) -> None:
        """Prepare for squares with sides of `side` pixels."""
        self.rings = [shape(age, side, style.scale) for age in range(RING_DAYS)]
        self.margin = len(self.rings[-1])  # so that no ring needs to be clipped
        self.sizes = np.array([len(ring) for ring in self.rings])
        self.offsets = (side - self.sizes) // 2
        width, height = style.width, style.height
        padded = (height + 2 * self.margin, width + 2 * self.margin)
        self.opacity = np.zeros(padded, np.uint8)
        self.top = style.panel * style.scale
        self.rows = BAND_PIXELS // width
        self.wide = np.empty((self.rows, width), np.uint16)

    def draw(
        self, x: Ints, y: Ints, ages: Ints, limit: Bytes, planes: Bytes, result: Bytes
    ) -> None:
        """Draw rings over the two planes of a picture, from the panel down.

        Args:
            x: left edge in pixels of the square of each drive that has a ring.
            y: its upper edge.
            ages: days since its failure, 0 to `RING_DAYS` - 1.
            limit: the highest opacity allowed in each pixel, (height, width).
            planes: red, and green and blue, (2, height, width).
            result: the planes with the rings.
        """
        left, top = x + self.offsets[ages], y + self.offsets[ages]
        bottom = top + self.sizes[ages]
        self._gather(left, top, ages)
        inside = self.opacity[self.margin : -self.margin, self.margin : -self.margin]
        for first in range(self.top, len(limit), self.rows):
            rows = slice(first, min(first + self.rows, len(limit)))
            if ((top < rows.stop) & (bottom > first)).any():
                opacity = np.minimum(inside[rows], limit[rows])
                wide = self.wide[: len(opacity)]
                _blend(opacity, planes[:, rows], result[:, rows], wide)
            else:
                result[:, rows] = planes[:, rows]

    def _gather(self, left: Ints, top: Ints, ages: Ints) -> None:
        """Put the rings in their places in `opacity`, and nothing elsewhere."""
        self.opacity[:] = 0
        lefts, tops = (left + self.margin).tolist(), (top + self.margin).tolist()
        for x, y, age in zip(lefts, tops, ages.tolist(), strict=True):
            ring = self.rings[age]
            below = self.opacity[y : y + len(ring), x : x + len(ring)]
            np.maximum(below, ring, out=below)


def _blend(opacity: Bytes, planes: Bytes, result: Bytes, wide: Wide) -> None:
    """Blend rings with red, and with green and blue.

    With o for opacity and t = 255 - o, red becomes 255 - (255 - red) * t / 255, and green and blue
    become cyan * t / 255 + o * (255 - o) / 255 = (cyan + o) * t / 255. Division by 255 is
    (n + 255) >> 8: exact where there is no ring, elsewhere one too much at most.

    Args:
        opacity: of the rings.
        planes: red, and green and blue (cyan), below the rings.
        result: the same with the rings.
        wide: room for products, of the shape of `opacity`.
    """
    red, cyan = planes
    transparency = ~opacity
    np.multiply(~red, transparency, out=wide, dtype=np.uint16)
    np.subtract(255, _divided(wide), out=result[0], casting="unsafe")
    np.add(cyan, opacity, out=wide, dtype=np.uint16)
    np.multiply(wide, transparency, out=wide)
    result[1] = _divided(wide)


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
