"""The film's place on the page: its last day as a still, and where the film itself lies."""

import io
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from PIL import Image

from backblaze_assets.film.layout import read_layout
from backblaze_assets.film.render import open_renderer
from backblaze_assets.film.style import Style

WIDTH = 900
"""Of the still, in pixels; an upright one is as high."""

QUALITY = 60
"""Of WebP: half of what JPEG takes for squares of two pixels that look the same."""


@dataclass(frozen=True)
class Film:
    """What the page shows of the film.

    Attributes:
        address: where the film lies, relative to the page. It need not be there.
        still: a WebP file.
        width: of the still, in pixels.
        height: of the still.
        day: that it shows.
    """

    address: str
    still: bytes
    width: int
    height: int
    day: date


def film_of(address: str, lifetimes: Path, layout: Path, style: Style, day: date) -> Film:
    """The film with a still of one day, drawn as its frame is.

    Args:
        address: where the film lies, relative to the page.
        lifetimes: folder of `drive_lifetimes` of the day's quarter.
        layout: file of `film_layout` of the day's quarter.
        style: of the film.
        day: what to draw.
    """
    picture = Image.fromarray(open_renderer(lifetimes, read_layout(layout), style).frame(day))
    picture.thumbnail((WIDTH, WIDTH), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    picture.save(buffer, "WEBP", quality=QUALITY, method=6)
    return Film(address, buffer.getvalue(), picture.width, picture.height, day)
