"""What stands around the squares: frame and line of a caption, and the models that have retired."""

import itertools
from collections.abc import Mapping, Sequence

import numpy as np
from PIL import Image

from backblaze_assets.film import text
from backblaze_assets.film.jpeg import PIXEL, Pixels
from backblaze_assets.film.layout import Scene
from backblaze_assets.film.packing import FOOTER_LINE, FREE, Block
from backblaze_assets.film.panel import LINE
from backblaze_assets.film.style import Style, packed

FRAME = LINE
"""Width of the frame around the block that a caption is about, and of the line to it."""


def outline(scene: Scene, block: Block, style: Style) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of the frame around a block and its label."""
    cell = scene.packing.cell
    return (
        block.x - 5,
        block.bottom - block.height(cell) - 5,
        block.x + block.width(cell) + 5,
        block.bottom + style.label - 1,
    )


def route(scene: Scene, block: Block, style: Style) -> list[tuple[int, int]]:
    """Corners of the line from a block up to the panel.

    It runs between the blocks of a shelf and between shelves, so it crosses no block and no label.
    """
    packing = scene.packing
    left, top, _, _ = outline(scene, block, style)
    points = [(left, top)]
    x = left
    if block.shelf != FREE:
        for shelf in range(block.shelf - 1, -1, -1):
            # Up to the gap above the shelf, along it to a place between two blocks, and up there.
            y = packing.tops[shelf + 1] - 5
            points.append((x, y))
            x = min(_gutters(scene, shelf, style), key=lambda gutter: (abs(gutter - x), gutter))
            points.append((x, y))
    points.append((x, style.panel))
    return points


def _gutters(scene: Scene, shelf: int, style: Style) -> list[int]:
    """Left edges of what is free between, before and after the blocks of a shelf."""
    cell = scene.packing.cell
    blocks = [block for block in scene.packing.blocks if block.shelf == shelf]
    starts = [block.x - 5 - FRAME for block in blocks]
    ends = [block.x + block.width(cell) + 5 for block in blocks]
    if not blocks:
        return [style.margin - 8]
    last = max(ends)
    return sorted({*starts, *(end for end in ends if end == last)})


def frame(base: Pixels, scene: Scene, block: Block, style: Style) -> None:
    """Draw a frame around a block and its label.

    Args:
        base: pixels of the canvas, (height, width).
        scene: with the block.
        block: that a caption is about.
        style: of the picture.
    """
    left, top, right, bottom = outline(scene, block, style)
    _fill(base, left, top, right, top + FRAME, style)
    _fill(base, left, bottom - FRAME, right, bottom, style)
    _fill(base, left, top, left + FRAME, bottom, style)
    _fill(base, right - FRAME, top, right, bottom, style)


def lead(base: Pixels, scene: Scene, block: Block, style: Style) -> None:
    """Draw the line from the panel to the block of a caption; arguments as of `frame`."""
    for (x0, y0), (x1, y1) in itertools.pairwise(route(scene, block, style)):
        _fill(base, min(x0, x1), min(y0, y1), max(x0, x1) + FRAME, max(y0, y1) + FRAME, style)


def _fill(base: Pixels, left: int, top: int, right: int, bottom: int, style: Style) -> None:
    """Fill a box given in pixels of a 1080p canvas, its ends in any order."""
    scale = style.scale
    x = sorted((left * scale, right * scale))
    y = sorted((top * scale, bottom * scale))
    base[y[0] : y[1], x[0] : x[1]] = packed(style.high)


def retired(scene: Scene, names: Mapping[str, str], style: Style) -> Pixels:
    """The models without a drive in service, as they stand at the bottom of the picture.

    Args:
        scene: with these models.
        names: how they are called.
        style: of the picture.

    Returns:
        Pixels as wide as the picture; without rows if there are no such models.
    """
    lines = max(1, scene.packing.footer // FOOTER_LINE) if scene.retired else 0
    image = Image.new("RGBX", (style.width, lines * FOOTER_LINE * style.scale), style.background)
    if lines:
        retired_lines(image, scene.retired, names, lines, style)
    pixels: Pixels = np.asarray(image).view(PIXEL)[..., 0]
    return pixels


def retired_lines(
    image: Image.Image,
    retired: Sequence[tuple[str, int, int]],
    names: Mapping[str, str],
    lines: int,
    style: Style,
) -> None:
    """Write models with how many drives they had and how many of these failed, as many as fit.

    Args:
        image: to write on; as wide as the canvas.
        retired: model, drives ever, failed; in order.
        names: how the models are called.
        lines: for which there is room.
        style: colours and sizes.
    """
    scale = style.scale
    size = 15 * scale
    space, right = 18 * scale, image.width - style.margin * scale
    head = "Retired: drives, failed"
    x = begin = (
        text.put(image, style.margin * scale, size, head, text.NARROW, size, style.muted) + space
    )
    line = 0
    for number, (model, ever, failed) in enumerate(retired):
        share = 100 * failed / max(ever, 1)
        name = text.shortened(
            text.readable(names.get(model, model)), text.NARROW, size, 220 * scale
        )
        record = f" {ever:,} · {share:.0f} %"
        width = text.width(name, text.NARROW, size) + text.width(record, text.NARROW, size)
        last = number == len(retired) - 1
        # On the last line there must be room for the sum of all that do not fit.
        reserve = 0 if last or line < lines - 1 else 190 * scale
        if x + width + reserve > right and line < lines - 1:
            line, x = line + 1, begin
        reserve = 0 if last or line < lines - 1 else 190 * scale
        baseline = line * FOOTER_LINE * scale + size
        if x + width + reserve > right:
            rest = retired[number:]
            drives, lost = sum(one[1] for one in rest), sum(one[2] for one in rest)
            more = f"and {len(rest)} more {drives:,} · {100 * lost / max(drives, 1):.0f} %"
            text.put(image, x, baseline, more, text.NARROW, size, style.muted)
            return
        x = text.put(image, x, baseline, name, text.NARROW, size, style.soft)
        colour = style.high if share >= 25 else style.muted
        x = text.put(image, x, baseline, record, text.NARROW, size, colour) + space
