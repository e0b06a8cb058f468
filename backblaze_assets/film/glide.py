"""Squares on their way from one layout to the next.

Half a million may fly at once, and each covers several pixels. So only the upper left pixel of each
is set, in a plane of its own, and the plane then grows to the right and downwards; where squares
meet, the larger value is seen, whose highest byte says what stands in front.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from backblaze_assets.film.fleet import Drives, Ints, Places, Rows
from backblaze_assets.film.jpeg import Pixels

BEHIND, FRESH, FRONT = 1 << 24, 2 << 24, 3 << 24
"""What is added to the pixel of a drive, of a new one, and of one that has failed."""
_COLOUR = np.uint32(0xFFFFFF)
_BAND = 32
"""Rows that are drawn at a time."""
_FINE = 16
"""Bits after the point of a place on the way: drives move by whole pixels otherwise."""


@dataclass(frozen=True)
class Flight:
    """Who flies from where to where.

    Attributes:
        leaving: rows of the drives that have no place any more, and sink.
        resting: of those that stand where they stood, or have come since, in order.
        flying: of those that fly.
        x: where the flying ones come from, in parts of a pixel, and half a pixel more.
        y: the same downwards.
        dx: how far they fly.
        dy: the same downwards.
    """

    leaving: Rows
    resting: Rows
    flying: Rows
    x: Ints
    y: Ints
    dx: Ints
    dy: Ints

    @classmethod
    def of(
        cls, drives: Drives, old: Places, new: Places, first: int, *, same_era: bool
    ) -> "Flight":
        """The flight from the places `old` to `new` on the day `first` and those after it."""
        is_ = new.x >= 0
        known = (old.x >= 0) & (drives.first_seen < first)
        still = (old.x == new.x) & (old.y == new.y) if same_era else np.zeros_like(is_)
        flying = np.flatnonzero(known & is_ & ~still)
        x, y = old.x[flying], old.y[flying]
        half = 1 << (_FINE - 1)
        return cls(
            np.flatnonzero(known & ~is_),
            np.flatnonzero(is_ & (~known | still)),
            flying,
            (x << _FINE) + half,
            (y << _FINE) + half,
            new.x[flying] - x,
            new.y[flying] - y,
        )

    def at(self, way: float) -> tuple[Ints, Ints]:
        """The upper left pixels of the flying ones after the part `way` of it, across and down."""
        part = np.int32(round(way * (1 << _FINE)))
        return (self.x + self.dx * part) >> _FINE, (self.y + self.dy * part) >> _FINE

    def draw(
        self, way: float, colours: npt.NDArray[np.uint32], size: tuple[int, int], canvas: Pixels
    ) -> None:
        """Draw those that fly.

        Args:
            way: how much of it is behind them.
            colours: of all drives: pixels, and what of `BEHIND`, `FRESH` and `FRONT` they are.
            size: width and height of a square in pixels.
            canvas: (height, width).
        """
        if not len(self.flying):
            return
        x, y = self.at(way)
        width, height = size
        top, bottom = int(y.min()), min(int(y.max()) + height, len(canvas))
        plane = np.zeros((bottom - top + height - 1, canvas.shape[1]), np.uint32)
        corners = ((y + np.int32(height - 1 - top)) * np.int32(canvas.shape[1]) + x).astype(np.intp)
        inks = colours[self.flying]
        plane.reshape(-1)[corners] = inks
        for front in (FRESH, FRONT):  # of squares in one place the last one set is seen
            some = np.flatnonzero(inks >= front)
            plane.reshape(-1)[corners[some]] = inks[some]
        for row in range(top, bottom, _BAND):  # which stays in the processor's cache
            band = plane[row - top : min(row + _BAND, bottom) - top + height - 1]
            seen = _grown(_grown(band, width, 1), height, 0)[height - 1 :]
            below = canvas[row : row + len(seen)]
            np.maximum(below & _COLOUR, seen, out=below)


def _grown(plane: Pixels, side: int, axis: int) -> Pixels:
    """Each pixel as the largest of itself and of the `side` - 1 before it along `axis`."""
    done = 1
    while done < side:
        step = min(done, side - done)
        first, before, after = slice(None, step), slice(None, -step), slice(step, None)
        grown = np.empty_like(plane)
        if axis:
            grown[:, first] = plane[:, first]
            np.maximum(plane[:, after], plane[:, before], out=grown[:, after])
        else:
            grown[first] = plane[first]
            np.maximum(plane[after], plane[before], out=grown[after])
        plane, done = grown, done + step
    return plane
