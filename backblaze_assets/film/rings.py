"""The rings around drives that have failed lately.

All rings of a picture are first gathered in one plane of opacities, the stronger one in front where
two meet, and then drawn once in one colour.
"""

from functools import cache

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from backblaze_assets.film.fleet import NEVER, Drives
from backblaze_assets.film.jpeg import PIXEL, TILE_HEIGHT, TILE_WIDTH, Mask, Pixels, lines, touch
from backblaze_assets.film.style import Colour

ALIVE = 90
"""Rings that are alive at a time, about: they live the shorter the more drives fail."""
LIVES = (8, 40)
"""Days for which a ring lives, at least and at most."""
_RATE_DAYS = 30
MOST_A_DAY = 60
"""Rings of one day at most; where more drives fail on it, every so many-th has one."""

Bytes = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int32]


def lives(drives: Drives) -> Ints:
    """For how many days each drive's ring lives; 0 for one that has none.

    A ring's life follows from the failures of the 30 days before its own, so it never changes.
    """
    failed = np.flatnonzero(drives.failed_on < NEVER)
    found = np.zeros(len(drives.failed_on), np.int32)
    if not len(failed):
        return found
    on = drives.failed_on[failed]
    order = np.argsort(on, kind="stable")
    sorted_on = on[order]
    before = np.searchsorted(sorted_on, sorted_on) - np.searchsorted(
        sorted_on, sorted_on - _RATE_DAYS
    )
    known = np.clip(sorted_on, 1, _RATE_DAYS)
    life = np.clip(ALIVE * known / np.maximum(before, 1), *LIVES).astype(np.int32)
    first = np.searchsorted(sorted_on, sorted_on)
    many = np.searchsorted(sorted_on, sorted_on, "right") - first
    step = -(-many // MOST_A_DAY)
    life[(np.arange(len(order)) - first) % step != 0] = 0
    found[failed[order]] = life
    return found


class Rings:
    """Draws rings around squares of one size."""

    def __init__(self, radius: float, rows: int, columns: int, scale: int, colour: Colour) -> None:
        """Prepare for rings of at most `radius` canvas pixels on a canvas of tiles."""
        self.radius, self.scale, self.colour = radius, scale, colour
        # Room around the canvas, in whole tiles, so that no ring needs to be clipped.
        room = int(radius) + 3 * scale
        self.above = -(-room // TILE_HEIGHT)
        self.beside = -(-room // TILE_WIDTH)
        self.columns = columns
        self.wider = columns + 2 * self.beside
        higher = rows + 2 * self.above
        self.opacity = np.zeros((higher * TILE_HEIGHT, self.wider * TILE_WIDTH), np.uint8)
        self.reached: Mask = np.zeros((higher, self.wider), np.bool_)

    def place(self, x: Ints, y: Ints, ages: Ints, life: Ints) -> Mask:
        """Put rings in their places, the stronger one in front, and none elsewhere.

        Args:
            x: middle of each square that has a ring, in canvas pixels.
            y: the same downwards.
            ages: days since the drive's failure.
            life: days for which the ring lives.

        Returns:
            Which tiles of the canvas they reach, (rows, columns).
        """
        self.opacity[:] = 0
        self.reached[:] = False
        rings = [
            shape(age, alive, self.radius, self.scale)
            for age, alive in zip(ages.tolist(), life.tolist(), strict=True)
        ]
        sizes = np.array([len(ring) for ring in rings], np.int32)
        left = x - sizes // 2 + self.beside * TILE_WIDTH
        top = y - sizes // 2 + self.above * TILE_HEIGHT
        if rings:
            touch(self.reached, left, top, left + sizes, top + sizes)
        for ring, x0, y0 in zip(rings, left.tolist(), top.tolist(), strict=True):
            size = len(ring)
            below = self.opacity[y0 : y0 + size, x0 : x0 + size]
            np.maximum(below, ring, out=below)
        return self.reached[self.above : -self.above, self.beside : -self.beside]

    def draw(
        self, numbers: npt.NDArray[np.intp], base: Pixels, limit: Bytes, canvas: Pixels
    ) -> None:
        """Draw some tiles with the rings that are placed.

        Args:
            numbers: of the tiles.
            base: the picture without rings, (height, width).
            limit: the highest opacity allowed in each pixel, (height, width).
            canvas: where the tiles are drawn, (height, width).
        """
        if not len(numbers):
            return
        row, column = np.divmod(numbers, self.columns)
        there = (row + self.above) * self.wider + column + self.beside
        at = lines(numbers, self.columns).ravel()
        opacity = self.opacity.reshape(-1, TILE_WIDTH).take(
            lines(there, self.wider).ravel(), axis=0
        )
        np.minimum(opacity, limit.reshape(-1, TILE_WIDTH).take(at, axis=0), out=opacity)
        pixels = base.reshape(-1, TILE_WIDTH).take(at, axis=0)
        size = TILE_WIDTH, len(at)
        image = Image.frombuffer("RGBX", size, pixels, "raw", "RGBX", 0, 1)
        image.paste(
            self.colour, (0, 0, *size), Image.frombuffer("L", size, opacity, "raw", "L", 0, 1)
        )
        canvas.reshape(-1, TILE_WIDTH)[at] = np.asarray(image).view(PIXEL)[..., 0]


@cache
def shape(age: int, life: int, radius: float, scale: int) -> Bytes:
    """Opacity of a ring `age` days after its drive failed, of `life` days.

    Args:
        age: days.
        life: days.
        radius: canvas pixels that the ring reaches at the end.
        scale: of the style.
    """
    t = (age + 1) / life
    if t > 1:
        return np.zeros((1, 1), np.uint8)
    reach = radius * (0.16 + 0.84 * (1 - (1 - t) ** 2))
    line = max(1.3 * scale, 0.10 * radius * (1 - t / 2))
    opacity = round(255 * (1 - t) ** 0.8)
    fine = 4
    half = int(reach + line / 2) + 2
    size = 2 * half + 1
    image = Image.new("L", (size * fine, size * fine))
    pen = ImageDraw.Draw(image)
    middle = size * fine / 2
    for distance, ink in ((reach + line / 2, opacity), (reach - line / 2, 0)):
        if distance > 0:
            edge = distance * fine
            pen.ellipse((middle - edge, middle - edge, middle + edge, middle + edge), ink)
    return np.asarray(image.reduce(fine))
