"""What a layout comes to: how full the canvas is, and how much moves."""

import numpy as np
import polars as pl

from backblaze_assets.film.fleet import NEVER, Drives
from backblaze_assets.film.layout import FilmLayout
from backblaze_assets.film.style import QUARTERS, Style


def measures(layout: FilmLayout, drives: pl.DataFrame, style: Style) -> dict[str, float | int]:
    """What a layout comes to at the end of its quarter, for people to look at.

    Args:
        layout: of the quarter.
        drives: `drives.parquet` of the quarter.
        style: the film's format.

    Returns:
        `fill`: the part of the canvas below the panel that cells of drives in service or failed
        cover; `room`: the same with reserved room; `cell_width` and `cell_height` in pixels of a
        1080p canvas; `blocks`, `shelves`, `eras`; `moved`: the part of the drives that fly to
        another place as the quarter begins.
    """
    fleet = Drives.of(drives, layout.start, boot_drives=style.boot_drives)
    packing, since = layout.scene.packing, layout.scene.since
    here = fleet.here(layout.scene.gone)
    cell = packing.cell[0] * packing.cell[1] / QUARTERS**2
    area = style.base_width * (style.base_height - style.panel)
    standing = np.zeros(len(fleet.first_seen), np.bool_)
    for block in packing.blocks:
        standing[fleet.members(block.models, since, here)] = True
    last = len(layout.service) - 1
    shown = standing & ((fleet.removed_on > last) | (fleet.failed_on < NEVER))
    moved = 0.0
    if layout.before is not None:
        old = {block.name: block for block in layout.before.packing.blocks}
        moving = np.zeros(len(fleet.first_seen), np.bool_)
        for block in packing.blocks:
            same = old.get(block.name)
            if layout.before.since != since or (
                same is not None and (same.x, same.bottom) != (block.x, block.bottom)
            ):
                moving[fleet.members(block.models, since, here)] = True
        moving &= fleet.first_seen < layout.first
        moved = float(moving.sum() / max(1, (standing & (fleet.first_seen < layout.first)).sum()))
    return {
        "eras": layout.eras,
        "cell_width": packing.cell[0] / QUARTERS,
        "cell_height": packing.cell[1] / QUARTERS,
        "blocks": len(packing.blocks),
        "shelves": len(packing.tops),
        "fill": round(float(shown.sum()) * cell / area, 4),
        "room": round(sum(block.slots for block in packing.blocks) * cell / area, 4),
        "moved": round(moved, 4),
    }
