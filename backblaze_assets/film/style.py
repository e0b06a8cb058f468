"""How the film looks: sizes, colours, and what depends on the size of the canvas."""

import json
from dataclasses import asdict, dataclass

from backblaze_assets.errors import DataError
from backblaze_assets.files.origin import digest

Colour = tuple[int, int, int]
"""Red, green, blue, each 0-255."""

NEW_DAYS = 12
"""Age in days at which a new drive has faded from white to its final grey."""
FADE_DAYS = 41
"""Days after a failure at which the square has reached its final red."""
RING_DAYS = 50
"""Days for which a failed drive sends out a ring; on the last of them it is fully transparent."""


@dataclass(frozen=True)
class Style:
    """Everything about the picture that is a choice. Lengths are in pixels of a 1080p canvas.

    Attributes:
        name: `1080p` or `2160p`.
        scale: canvas pixels per pixel of a 1080p canvas; text, rings and lines grow with it.
        cells: sides of a drive's square to choose from, in canvas pixels, largest first, with the
            gap to the next square (see `gap`).
        fps: frames a second, one frame a day.
        closing_frames: frames after the last day, in which the last rings fade.
        boot_drives: whether boot drives are drawn and counted.
        panel: height of the band at the top with date, figures, legend and chart.
        margin: free space at the canvas's edges.
        column: least width of a block, so that its label is readable.
        gutter: free space between columns.
        label: height of a label, below its block.
        stack: free space between a block and the label of the block above it.
        jpeg_quality: Pillow's JPEG quality; colours are halved both ways, as in the video.
    """

    name: str
    scale: int
    cells: tuple[int, ...]
    fps: int = 60
    closing_frames: int = 60
    boot_drives: bool = False
    panel: int = 156
    margin: int = 24
    column: int = 100
    gutter: int = 12
    label: int = 36
    stack: int = 8
    background: Colour = (64, 64, 64)
    panel_background: Colour = (40, 40, 42)
    text: Colour = (240, 240, 240)
    muted: Colour = (160, 160, 162)
    failure: Colour = (255, 92, 82)
    service: Colour = (128, 160, 190)
    warning: Colour = (255, 190, 60)
    jpeg_quality: int = 92

    @classmethod
    def named(cls, name: str) -> "Style":
        """The style for a canvas of 1920x1080 (`1080p`) or 3840x2160 (`2160p`).

        Raises:
            DataError: there is no such style.
        """
        cells = (48, 40, 32, 28, 24, 20, *range(18, 0, -1))
        if name == "1080p":
            return cls(name, 1, cells)
        if name == "2160p":
            return cls(name, 2, (*(2 * cell for cell in cells if cell > 3), *range(7, 0, -1)))
        raise DataError(f"There is no film style {name!r}: choose 1080p or 2160p.")

    @property
    def width(self) -> int:
        """Canvas width in pixels."""
        return 1920 * self.scale

    @property
    def height(self) -> int:
        """Canvas height in pixels."""
        return 1080 * self.scale

    def gap(self, cell: int) -> int:
        """Pixels of a cell of side `cell` that are left free, so that squares stand apart."""
        return max(self.scale, cell // 12) if cell >= 4 * self.scale else 0

    @property
    def version(self) -> str:
        """Digest of all values."""
        return digest([json.dumps(asdict(self), sort_keys=True)])
