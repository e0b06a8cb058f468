"""The rings around drives that have failed lately.

All rings have one colour; where two meet, the stronger one is in front. They are thin, so they are
drawn pixel by pixel, all rings of a picture at once.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from backblaze_assets.film.fleet import NEVER, Drives
from backblaze_assets.film.jpeg import Mask, Pixels, touch
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

    def __init__(
        self, radius: float, size: tuple[int, int], scale: int, colour: Colour, limit: Bytes
    ) -> None:
        """Prepare for drawing.

        Args:
            radius: canvas pixels that a ring reaches at the end of its life.
            size: height and width of the canvas, in whole tiles.
            scale: of the style.
            colour: of all rings.
            limit: the highest opacity allowed in each pixel, (height, width); it may change.
        """
        self.radius, self.scale, self.limit = radius, scale, limit
        self.height, self.width = size
        red, green, blue = (np.uint32(part) for part in colour)
        self.outer, self.inner = red | blue << 16, green
        self.at = np.empty(0, np.intp)
        self.opacity = np.empty(0, np.uint8)

    def place(self, x: Ints, y: Ints, ages: Ints, life: Ints, reached: Mask) -> None:
        """Put rings in their places, the stronger one in front, and none elsewhere.

        Args:
            x: middle of each square that has a ring, in canvas pixels.
            y: the same downwards.
            ages: days since the drive's failure.
            life: days for which the ring lives.
            reached: tiles of the canvas; those that the rings reach are marked.
        """
        rings = [
            outline(age, alive, self.radius, self.scale)
            for age, alive in zip(ages.tolist(), life.tolist(), strict=True)
        ]
        if not rings:
            self.at, self.opacity = np.empty(0, np.intp), np.empty(0, np.uint8)
            return
        half = np.array([ring.half for ring in rings], np.int32)
        touch(
            reached,
            np.maximum(x - half, 0),
            np.maximum(y - half, 0),
            np.minimum(x + half + 1, self.width),
            np.minimum(y + half + 1, self.height),
        )
        many = np.array([len(ring.x) for ring in rings])
        across = np.concatenate([ring.x for ring in rings]) + np.repeat(x, many)
        down = np.concatenate([ring.y for ring in rings]) + np.repeat(y, many)
        opacity = np.concatenate([ring.opacity for ring in rings])
        at = down.astype(np.intp) * self.width + across
        beyond = (across < 0) | (across >= self.width) | (down < 0) | (down >= self.height)
        if beyond.any():
            at, opacity = at[~beyond], opacity[~beyond]
        # Where a pixel is set several times, the last one counts: the strongest.
        order = np.argsort(opacity, kind="stable")
        self.at, self.opacity = at[order], opacity[order]

    def draw(self, base: Pixels, canvas: Pixels) -> None:
        """Draw the rings that are placed.

        Args:
            base: the picture without rings, (height, width).
            canvas: where they are drawn, (height, width).
        """
        opacity = np.minimum(self.opacity, self.limit.reshape(-1)[self.at]).astype(np.uint32)
        below = base.reshape(-1)[self.at]
        clear, two = np.uint32(255) - opacity, np.uint32(0xFF00FF)
        outer = (below & two) * clear + self.outer * opacity + np.uint32(0x800080)
        inner = (below >> 8 & np.uint32(255)) * clear + self.inner * opacity + np.uint32(0x80)
        # x / 255, rounded, of two colours at once: (x + 128 + (x + 128 >> 8)) >> 8.
        outer = (outer + (outer >> 8 & two)) >> 8 & two
        inner = (inner + (inner >> 8)) >> 8
        canvas.reshape(-1)[self.at] = outer | inner << 8


@dataclass(frozen=True)
class Outline:
    """The pixels of a ring that are seen, counted from its middle, and their opacities."""

    half: int
    x: Ints
    y: Ints
    opacity: Bytes


@cache
def outline(age: int, life: int, radius: float, scale: int) -> Outline:
    """The pixels of `shape`."""
    ring = shape(age, life, radius, scale)
    half = len(ring) // 2
    y, x = np.nonzero(ring)
    return Outline(half, (x - half).astype(np.int32), (y - half).astype(np.int32), ring[y, x])


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
