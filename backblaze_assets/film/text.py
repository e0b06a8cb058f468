"""Text in the package's own fonts, the same on every machine.

Fonts: Roboto and Roboto Condensed, Apache License 2.0 (`fonts/LICENSE`). Their figures are all of
one width, so numbers that change from frame to frame do not shake.
"""

from functools import cache, lru_cache
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from backblaze_assets.film.style import Colour

Ink = Colour | int
"""A colour, as the mode of the image wants it."""

FONTS = Path(__file__).with_name("fonts")
LIGHT = "Roboto-Light"
REGULAR = "Roboto-Regular"
NARROW = "RobotoCondensed-Regular"
NARROW_MEDIUM = "RobotoCondensed-Medium"


@cache
def font(name: str, size: int) -> ImageFont.FreeTypeFont:
    """Font `name` at `size` pixels. Laid out by Pillow alone, whether or not Raqm is there."""
    path = FONTS / f"{name}.ttf"
    return ImageFont.truetype(path, size, layout_engine=ImageFont.Layout.BASIC)


@lru_cache(maxsize=16384)
def width(text: str, name: str, size: int) -> int:
    """Width of `text` in pixels, rounded up."""
    return -int(-font(name, size).getlength(text) // 1)


@lru_cache(maxsize=4096)
def mask(text: str, name: str, size: int) -> tuple[Image.Image, int]:
    """Opacity of `text`, as wide as the text and as high as the font; and its baseline's row."""
    ascent, descent = font(name, size).getmetrics()
    image = Image.new("L", (max(1, width(text, name, size)), ascent + descent))
    ImageDraw.Draw(image).text((0, ascent), text, 255, font(name, size), anchor="ls")
    return image, ascent


def put(
    image: Image.Image,
    x: int,
    baseline: int,
    text: str,
    name: str,
    size: int,
    ink: Ink,
    anchor: str = "l",
) -> int:
    """Write `text` on `image` and return the x after it.

    Args:
        image: of mode RGB, RGBX or L.
        x: where the text begins (anchor `l`), its middle (`m`) or its end (`r`).
        baseline: y of the baseline.
        text: one line.
        name: the font.
        size: in pixels.
        ink: colour, as the image's mode wants it.
        anchor: what `x` is.
    """
    letters, ascent = mask(text, name, size)
    left = x - {"l": 0, "m": letters.width // 2, "r": letters.width}[anchor]
    top = baseline - ascent
    right = left + letters.width
    image.paste(ink, (left, top, right, top + letters.height), letters)
    return right


@lru_cache(maxsize=4096)
def readable(text: str) -> str:
    """`text` in letters that the fonts have; others as their numbers in Unicode."""
    return "".join(
        letter if letter.isascii() or _has(letter) else f"[{ord(letter):X}]" for letter in text
    )


@cache
def _has(letter: str) -> bool:
    """Whether the fonts have a letter: it does not look like one that no font has."""
    looks = [font(REGULAR, 24).getmask(one) for one in (letter, "\U0010ffff")]
    return letter.isprintable() and (
        looks[0].size != looks[1].size or bytes(looks[0]) != bytes(looks[1])
    )


def fitting_size(text: str, name: str, sizes: tuple[int, ...], room: int) -> int:
    """The first of `sizes` at which `text` is not wider than `room`; the last if none is."""
    return next((size for size in sizes if width(text, name, size) <= room), sizes[-1])


def shortened(text: str, name: str, size: int, room: int) -> str:
    """`text`, or its beginning and an ellipsis, so that it is not wider than `room`."""
    if width(text, name, size) <= room:
        return text
    while text and width(text + "…", name, size) > room:
        text = text[:-1]
    return text + "…"


def wrapped(text: str, name: str, size: int, room: int) -> list[str]:
    """`text` in lines that are not wider than `room`, broken at blanks."""
    lines: list[str] = []
    for word in text.split(" "):
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and width(longer, name, size) <= room:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines
