"""How the film looks: sizes, colours, and what depends on the format."""

import json
from dataclasses import asdict, dataclass, replace

from backblaze_assets.errors import DataError
from backblaze_assets.files.origin import digest

Colour = tuple[int, int, int]
"""Red, green, blue, each 0-255."""

NEW_DAYS = 45
"""Age in days at which a new drive looks like all others in service."""
EMBER_DAYS = 14
"""Days after a failure at which the square has reached its final colour."""
GLIDE_DAYS = 36
"""Frames in which the squares fly to their new places; time goes on."""
QUIET_DAYS = 60
"""Days at the beginning of the history in which no rate is said: too few drive days."""
PACES = (60, 30, 15)
"""Days a second to choose from. All of them divide the frames a second."""
FORMATS = ("1080p", "2160p", "upright")

QUARTERS = 4
"""Cells are measured in quarters of a pixel of a 1080p canvas."""
CELLS = (
    *((4 * side, 4 * side) for side in (48, 40, 32, 28, 24, 20, 18, *range(16, 7, -1))),
    *((4 * w, 4 * h) for w, h in ((7, 7), (7, 6), (6, 6), (6, 5), (5, 5), (5, 4), (4, 4))),
    *((16, 14), (16, 13), (15, 13), (14, 13), (14, 12), (13, 12), (12, 12), (12, 11), (11, 11)),
    *((11, 10), (10, 10), (10, 9), (9, 9), (9, 8), (8, 8), (8, 7), (7, 7), (7, 6), (6, 6)),
    *((6, 5), (5, 5), (5, 4), (4, 4)),
)
"""Width and height of cells to choose from, largest first, in quarters of a pixel."""


@dataclass(frozen=True)
class Style:
    """Everything about the picture that is a choice. Lengths are in pixels of a 1080p canvas.

    Attributes:
        name: one of `FORMATS`.
        scale: canvas pixels per pixel of a 1080p canvas; everything drawn grows with it.
        base_width: width of the 1080p canvas that the layout is made for.
        base_height: its height.
        panel: height of the band at the top with date, figures, chart and captions.
        margin: free space at the left and right edge.
        narrowest: least width of a block, so that its label is readable.
        used: part of the width that a packing may use; the rest is for what comes within the era.
        fps: frames a second.
        pace: days a second, one of `PACES`; frames are repeated where it is less than `fps`.
        title_frames: frames of the title.
        closing_frames: frames after the last day, in which the last rings fade.
        end_frames: frames of the end card.
        boot_drives: whether boot drives are drawn and counted.
        jpeg_quality: Pillow's JPEG quality; colours are halved both ways, as in the video.
    """

    name: str
    scale: int
    base_width: int = 1920
    base_height: int = 1080
    panel: int = 158
    margin: int = 24
    narrowest: int = 112
    used: float = 0.92
    below: int = 10
    gutter: int = 12
    shelf_gap: int = 6
    label: int = 44
    fps: int = 60
    pace: int = 60
    title_frames: int = 240
    closing_frames: int = 60
    end_frames: int = 480
    boot_drives: bool = False
    background: Colour = (17, 19, 23)
    panel_background: Colour = (27, 29, 34)
    reserved: Colour = (23, 25, 30)
    service: Colour = (78, 84, 94)
    new: Colour = (240, 244, 250)
    flash: Colour = (255, 246, 224)
    failed: Colour = (255, 160, 70)
    removed: Colour = (36, 39, 45)
    ring: Colour = (255, 206, 146)
    text: Colour = (238, 240, 243)
    soft: Colour = (190, 194, 200)
    muted: Colour = (150, 155, 163)
    high: Colour = (255, 176, 96)
    low: Colour = (120, 200, 200)
    chart_area: Colour = (58, 64, 74)
    jpeg_quality: int = 92

    @classmethod
    def named(cls, name: str, pace: int = 60) -> "Style":
        """The style of a format.

        From about 250,000 drives on a cell of 1080p is no more than two pixels wide; 2160p is then
        the format that looks best.

        Args:
            name: `1080p` (1920x1080), `2160p` (3840x2160) or `upright` (1080x1920, for phones).
            pace: days a second: 60, 30 or 15.

        Raises:
            DataError: there is no such format or pace.
        """
        if pace not in PACES:
            choices = ", ".join(map(str, PACES))
            raise DataError(f"The film cannot show {pace} days a second: choose one of {choices}.")
        if name == "1080p":
            return cls(name, 1, pace=pace)
        if name == "2160p":
            return cls(name, 2, pace=pace)
        if name == "upright":
            return replace(
                cls(name, 1, pace=pace),
                base_width=1080,
                base_height=1920,
                panel=386,
                margin=20,
                narrowest=120,
                used=0.87,
            )
        raise DataError(f"There is no film format {name!r}: choose one of {', '.join(FORMATS)}.")

    @property
    def width(self) -> int:
        """Canvas width in pixels."""
        return self.base_width * self.scale

    @property
    def height(self) -> int:
        """Canvas height in pixels."""
        return self.base_height * self.scale

    @property
    def upright(self) -> bool:
        """Whether the canvas is higher than wide."""
        return self.base_height > self.base_width

    @property
    def frames_a_day(self) -> int:
        """How often the film shows each day's frame."""
        return max(1, self.fps // self.pace)

    def film_frames(self, days: int) -> int:
        """How many frames a film of `days` days has, with title and end."""
        return self.title_frames + days * self.frames_a_day + self.closing_frames + self.end_frames

    @property
    def layout_version(self) -> str:
        """Digest of what shapes the layout: the same for 1080p and 2160p."""
        lengths = (self.base_width, self.base_height, self.panel, self.margin, self.narrowest)
        more = (self.used, self.below, self.gutter, self.shelf_gap, self.label, self.boot_drives)
        return digest([json.dumps([lengths, more, CELLS])])

    @property
    def frame_version(self) -> str:
        """Digest of what shapes a frame: everything but the film's times."""
        timeless = replace(self, fps=60, pace=60, title_frames=0, closing_frames=0, end_frames=0)
        return timeless.version

    @property
    def version(self) -> str:
        """Digest of all values."""
        return digest([json.dumps(asdict(self), sort_keys=True)])


def eased(part: float) -> float:
    """How far a glide has come after `part` of its time: slow, fast, slow; 0 to 1."""
    return part**3 * (10 - 15 * part + 6 * part * part)


def mix(below: Colour, above: Colour, opacity: float) -> Colour:
    """The colour `above` drawn with `opacity` over the colour `below`."""
    red, green, blue = (round(b + (a - b) * opacity) for b, a in zip(below, above, strict=True))
    return red, green, blue


def packed(colour: Colour) -> int:
    """A colour as a pixel of the canvas."""
    red, green, blue = colour
    return red | green << 8 | blue << 16
