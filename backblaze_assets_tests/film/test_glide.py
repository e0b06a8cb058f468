"""Squares on their way between two layouts."""

from datetime import date

import numpy as np
import pytest

from backblaze_assets.film.fleet import NEVER, Drives, Places
from backblaze_assets.film.glide import BEHIND, FRESH, FRONT, Flight

COUNT = 400
HEIGHT, WIDTH = 90, 120


def spots(random, *, missing=()):
    """Places of squares, with room around them."""
    x, y = random.integers(0, WIDTH - 8, COUNT), random.integers(0, HEIGHT - 8, COUNT)
    x[list(missing)] = y[list(missing)] = -1
    side = np.full(COUNT, 3, np.int32)
    return Places(x.astype(np.int32), y.astype(np.int32), side, side)


def drives(random):
    """Drives of which the last ten come on the day of the flight, the others before."""
    first = random.integers(0, 90, COUNT).astype(np.int32)
    first[-10:] = 100
    never = np.full(COUNT, NEVER, np.int32)
    size = np.ones(COUNT, np.int64)
    return Drives(date(2013, 4, 10), {"M": (0, COUNT)}, first, never, never, size)


@pytest.mark.parametrize(("way", "size"), [(0.0, (3, 3)), (0.375, (5, 2)), (1.0, (1, 8))])
def test_the_front_square_is_seen_and_every_square_is_whole(way, size):
    random = np.random.default_rng(1)
    old, new = spots(random, missing=range(20)), spots(random, missing=range(10, 40))
    flight = Flight.of(drives(random), old, new, 100, same_era=False)
    kinds = random.choice([BEHIND, FRESH, FRONT], COUNT)
    inks = (kinds | random.integers(1, 1 << 24, COUNT)).astype(np.uint32)
    canvas = np.full((HEIGHT, WIDTH), 7, np.uint32)
    flight.draw(way, inks, size, canvas)
    expected = np.zeros_like(canvas)
    for row in range(40, COUNT - 10):
        x = int(np.floor(old.x[row] + (int(new.x[row]) - int(old.x[row])) * way + 0.5))
        y = int(np.floor(old.y[row] + (int(new.y[row]) - int(old.y[row])) * way + 0.5))
        # In one place the last one counts, unless it stands behind; so compare kinds only.
        box = expected[y : y + size[1], x : x + size[0]]
        np.maximum(box, kinds[row], out=box, casting="unsafe")
    assert (canvas >> 24 << 24 == expected).all()
    assert (canvas[expected == 0] == 7).all()


def test_who_leaves_who_rests_and_who_flies():
    random = np.random.default_rng(2)
    old, new = spots(random, missing=range(20)), spots(random, missing=range(10, 40))
    old.x[50], old.y[50] = new.x[50], new.y[50]
    fleet = drives(random)
    moved = Flight.of(fleet, old, new, 100, same_era=False)
    stays = Flight.of(fleet, old, new, 100, same_era=True)
    assert moved.leaving.tolist() == list(range(20, 40))
    assert moved.resting.tolist() == [*range(10), *range(COUNT - 10, COUNT)]
    assert 50 in moved.flying
    assert 50 in stays.resting
