"""The labels below the blocks: name, size, maker, and the failure rate of the trailing year."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from PIL import Image

from backblaze_assets.film import text
from backblaze_assets.film.jpeg import PIXEL, Pixels
from backblaze_assets.film.style import Style

LARGE, LARGE_SIDE = (28, 27, 26, 25, 24), 20
"""Sizes of name and rate, the first that fits, and of size and maker, where all are on one line."""
TALL = 70
"""A block's least height for that."""
NAMES = (20, 19, 18, 17, 16, 15, 14, 13, 12)
"""Sizes of a name that has a line of its own, the first that fits."""
SIDES = (15, 14, 13)
"""Sizes of size and maker below it."""
_LARGE_SPACE, _SPACE = 12, 7

Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Words:
    """What a label says, and the room that it has.

    Attributes:
        name: of the block.
        size: of a drive.
        maker: of it.
        rate: of the trailing year; empty for none.
        tone: of the rate: `high`, `low` or empty.
        retired: whether no drive of the block is in service any more.
        room: canvas pixels.
        tall: whether the block is high enough for large letters.
    """

    name: str
    size: str
    maker: str
    rate: str
    tone: str
    retired: bool
    room: int
    tall: bool


@lru_cache(maxsize=512)
def draw(words: Words, style: Style) -> tuple[Pixels, Bytes]:
    """The pixels of a label, and how much of each is text, 0 to 255."""
    picture = Image.new("RGBX", (words.room, style.label * style.scale), style.background)
    cover = Image.new("L", picture.size)
    colours = {"high": style.high, "low": style.low, "": style.soft}
    rate_colour = colours[words.tone]
    name_colour = style.muted if words.retired else style.text
    for image, inks in (
        (picture, (name_colour, style.muted, rate_colour)),
        (cover, (255, 255, 255)),
    ):
        if not _one_line(image, words, inks, style):
            _two_lines(image, words, inks, style)
    return np.asarray(picture).view(PIXEL)[..., 0], np.asarray(cover)


Inks = tuple[text.Ink, text.Ink, text.Ink]


def _one_line(image: Image.Image, words: Words, inks: Inks, style: Style) -> bool:
    """Draw everything on one line, if there is room."""
    scale = style.scale
    if not words.tall:
        return False
    name, side, space = text.readable(words.name), LARGE_SIDE * scale, _LARGE_SPACE * scale
    about = text.width(words.size, text.NARROW, side) + space if words.size else 0
    # Rather a little smaller with the size than as large as can be without it.
    for size, beside in [*((one * scale, about) for one in LARGE), (LARGE[0] * scale, 0)]:
        rate = text.width(words.rate, text.NARROW_MEDIUM, size) if words.rate else 0
        used = text.width(name, text.NARROW_MEDIUM, size) + beside + (space + rate if rate else 0)
        if used <= words.room:
            break
    else:
        return False
    baseline = 32 * scale
    end = text.put(image, 0, baseline, name, text.NARROW_MEDIUM, size, inks[0])
    if rate:
        text.put(image, words.room, baseline, words.rate, text.NARROW_MEDIUM, size, inks[2], "r")
    left = words.room - end - space - (rate + space if rate else 0)
    said = _about(_abouts(words), (side,), left)[0]
    text.put(image, end + space, baseline, said, text.NARROW, side, inks[1])
    return True


def _two_lines(image: Image.Image, words: Words, inks: Inks, style: Style) -> None:
    """Draw the name, and below it size, maker and rate; the maker goes where there is no room."""
    scale = style.scale
    sizes = tuple(size * scale for size in NAMES)
    name, abouts = _halves(words, SIDES[0] * scale)
    size = text.fitting_size(name, text.NARROW_MEDIUM, sizes, words.room)
    name = text.shortened(name, text.NARROW_MEDIUM, size, words.room)
    text.put(image, 0, 19 * scale, name, text.NARROW_MEDIUM, size, inks[0])
    baseline = 37 * scale
    rate = 0
    rate_size = (SIDES[0] + 1) * scale
    if words.rate:
        rate = text.width(words.rate, text.NARROW_MEDIUM, rate_size) + _SPACE * scale
        text.put(
            image, words.room, baseline, words.rate, text.NARROW_MEDIUM, rate_size, inks[2], "r"
        )
    about, size = _about(abouts, tuple(side * scale for side in SIDES), words.room - rate)
    text.put(image, 0, baseline, about, text.NARROW, size, inks[1])


def _abouts(words: Words) -> tuple[str, str]:
    """What may stand beside the rate: size and maker, or the size alone."""
    return f"{words.size} {words.maker}".strip(), words.size


def _halves(words: Words, size: int) -> tuple[str, tuple[str, str]]:
    """What stands on the first line, and what may stand on the second.

    A name that begins with its maker has it because another model is called the same. Where both
    words find no room on the first line in letters of `size`, the maker stands on the second, and
    rather than the size of a drive.
    """
    name = text.readable(words.name)
    prefix, _, rest = name.partition(" ")
    if (
        text.width(name, text.NARROW_MEDIUM, size) > words.room
        and prefix.isalpha()
        and rest
        and text.width(rest, text.NARROW_MEDIUM, NAMES[-1] * size // SIDES[0]) <= words.room
    ):
        return rest, (f"{words.size} {prefix}".strip(), prefix)
    return name, _abouts(words)


def _about(abouts: tuple[str, ...], sizes: tuple[int, ...], room: int) -> tuple[str, int]:
    """The first of `abouts` that fits, or nothing; and in which of `sizes` it does."""
    for about in abouts:
        for size in sizes:
            if text.width(about, text.NARROW, size) <= room:
                return about, size
    return "", sizes[-1]
