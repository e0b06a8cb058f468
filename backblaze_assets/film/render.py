"""The picture of a day.

A frame is a pure function of the quarter's table of drives, the quarter's layout and the style. To
be fast, a renderer keeps the picture of the day drawn last and draws and encodes only what changes;
a frame drawn from nothing is the same to the byte.
"""

from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from backblaze_assets.drive_stats.parquet import read_table
from backblaze_assets.errors import DataError
from backblaze_assets.film import jpeg, labels, marks
from backblaze_assets.film.captions import Caption
from backblaze_assets.film.colours import Colours, Packed
from backblaze_assets.film.fleet import NEVER, Drives, Events, Places, Rows, places
from backblaze_assets.film.glide import Flight
from backblaze_assets.film.layout import FilmLayout, Scene
from backblaze_assets.film.packing import Block
from backblaze_assets.film.panel import Panel
from backblaze_assets.film.rings import LIVES, Rings, lives
from backblaze_assets.film.style import (
    EMBER_DAYS,
    GLIDE_DAYS,
    NEW_DAYS,
    QUARTERS,
    Style,
    eased,
    mix,
    packed,
)

FAR = 100
"""Days between two frames from which on drawing everything is as cheap as drawing the changes."""
SINK = 60
"""Pixels of a 1080p canvas by which a drive sinks that leaves the picture as an era begins."""
SUNK = 0.4
"""The part of the glide in which it does."""
LABELS_GO, LABELS_COME = 0.12, 0.9
"""The parts of the way after which the old labels go, and the new ones come."""


class Renderer:
    """Draws the days of one quarter."""

    def __init__(self, drives: pl.DataFrame, layout: FilmLayout, style: Style) -> None:
        """Prepare for drawing.

        Args:
            drives: `drives.parquet` of the quarter.
            layout: of the quarter.
            style: of the picture.

        Raises:
            DataError: the layout was made for another format.
        """
        if layout.format != style.layout_version:
            raise DataError(
                f"The film_layout of {layout.quarter} was made for another format than "
                f"{style.name}: materialize film_layout again."
            )
        self.style, self.layout = style, layout
        self.drives = Drives.of(drives, layout.start, boot_drives=style.boot_drives)
        scene, before = layout.scene, layout.before
        self.places = places(self.drives, scene.packing, scene.since, scene.gone, style)
        self.old_places = (
            places(self.drives, before.packing, before.since, before.gone, style)
            if before
            else None
        )
        self.panel = Panel(layout, style)
        rows, columns = jpeg.tiles(style.height, style.width)
        shape = (rows * jpeg.TILE_HEIGHT, columns * jpeg.TILE_WIDTH)
        self._base = np.zeros(shape, jpeg.PIXEL)
        self._canvas = np.zeros(shape, jpeg.PIXEL)
        self._limit = np.full(shape, 255, np.uint8)
        self._changed = np.ones((rows, columns), np.bool_)
        self._ringed = np.zeros((rows, columns), np.bool_)
        self._encoder = jpeg.Encoder(style.height, style.width, style.jpeg_quality)
        width, height = scene.packing.cell
        radius = (5 + 5.2 * (width * height) ** 0.5 / QUARTERS) * style.scale
        self._rings = Rings(
            min(radius, 60.0 * style.scale), shape, style.scale, style.ring, self._limit
        )
        self._lives = lives(self.drives)
        placed = np.flatnonzero(self.places.x >= 0)
        self._came = Events.of(self.drives.first_seen, placed)
        self._failed = Events.of(self.drives.failed_on, placed)
        self._removed = Events.of(self.drives.removed_on, placed)
        events = self._came, self._failed, self._removed
        self._colours = Colours(self.drives, *events, style)
        self._block_spans = {**self._block_lives(before), **self._block_lives(scene)}
        self._day: int | None = None
        self._caption: Caption | None = None
        self._shown: dict[str, labels.Words] = {}
        self._flight: Flight | None = None
        self._footer: tuple[Scene, jpeg.Pixels] | None = None
        self._glided: jpeg.Pixels | None = None
        self._resting: tuple[int, Caption | None, jpeg.Pixels] | None = None

    def _block_lives(self, scene: Scene | None) -> dict[str, tuple[int, int]]:
        """Per block, the day on which its first drive comes, and on which its last one leaves."""
        left = np.minimum(self.drives.failed_on, self.drives.removed_on)
        found = {}
        for block in scene.packing.blocks if scene else ():
            spans = [self.drives.rows[one] for one in block.models if one in self.drives.rows]
            came = [int(self.drives.first_seen[row : row + many].min()) for row, many in spans]
            went = [int(left[row : row + many].max()) for row, many in spans]
            found[block.name] = min(came, default=NEVER), max(went, default=NEVER)
        return found

    def frame(self, day: date, shown: date | None = None) -> npt.NDArray[np.uint8]:
        """The frame of `day` as an array (height, width, 3), red green blue.

        Args:
            day: for which squares and rings are drawn; it may lie after the last day.
            shown: the day whose date and figures stand in the panel; by default `day`.
        """
        self._draw(day, shown or day)
        pixels = self._canvas[: self.style.height, : self.style.width, None].view(np.uint8)
        return pixels[..., :3].copy()

    def encoded(self, day: date, shown: date | None = None) -> bytes:
        """As `frame`, as a JPEG file."""
        self._draw(day, shown or day)
        # What is beyond the picture in the last tiles is not seen, only encoded.
        height, width = self.style.height, self.style.width
        self._canvas[height:] = self._canvas[height - 1]
        self._canvas[:, width:] = self._canvas[:, width - 1 : width]
        content = self._encoder.encode(self._canvas, self._changed)
        self._changed[:] = False
        return content

    # ---- one frame ----

    def _draw(self, day: date, shown: date) -> None:
        """Bring the canvas to `day`, and mark the tiles that have changed."""
        number = self.drives.number(day)
        caption = self.panel.caption(shown)
        glides = self.old_places is not None and number - self.layout.first < GLIDE_DAYS - 1
        if glides:
            changed, at = self._paint_glide(number, caption)
            self._day = None
        else:
            changed, at = self._paint(number, caption), self.places
            self._glided = None
        same_era = self.layout.before is None or (
            self.layout.before.since == self.layout.scene.since
        )
        ringed = self._place_rings(number, at, show=not glides or same_era)
        changed |= ringed | self._ringed
        self._ringed = ringed
        if changed.all():
            self._canvas[:] = self._base
        else:
            lines = jpeg.lines(np.flatnonzero(changed), changed.shape[1]).ravel()
            tiled = self._base.reshape(-1, jpeg.TILE_WIDTH)
            self._canvas.reshape(-1, jpeg.TILE_WIDTH)[lines] = tiled.take(lines, axis=0)
        self._rings.draw(self._base, self._canvas)
        self._changed |= changed
        glide_of_era = glides and not same_era
        self._draw_panel(self.drives.number(shown), None if glide_of_era else caption)

    def _draw_panel(self, number: int, caption: Caption | None) -> None:
        block = self._captioned(caption)
        line = marks.route(self.layout.scene, block, self.style)[-1][0] if block else None
        band, changed = self.panel.at(number, line)
        self._canvas[: len(band)] = band
        self._changed[: len(changed)] |= changed

    def _place_rings(self, number: int, at: Places, *, show: bool) -> jpeg.Mask:
        rows = np.empty(0, np.intp)
        if show:
            era = self.drives.number(self.layout.scene.since)
            rows = self._failed.between(max(era, number - LIVES[1] + 1), number)
            rows = rows[number - self.drives.failed_on[rows] < self._lives[rows]]
        x, y = at.x[rows] + at.width[rows] // 2, at.y[rows] + at.height[rows] // 2
        ages = number - self.drives.failed_on[rows]
        reached = np.zeros_like(self._changed)
        self._rings.place(x, y, ages, self._lives[rows], reached)
        return reached

    def _paint(self, day: int, caption: Caption | None) -> jpeg.Mask:
        """Bring squares and labels to `day`, and tell the tiles in which some may have changed."""
        touched = np.zeros_like(self._changed)
        if self._day is None or not 0 <= day - self._day <= FAR or caption != self._caption:
            touched[:] = True
            self._ground(self.layout.scene, caption)
            rows = self._came.between(0, day)
            self._squares(rows, self.places, self._colours.of(rows, day))
            self._frame(caption)
        else:
            rows, colours = self._recoloured(self._candidates(self._day, day), self._day, day)
            self._squares(rows, self.places, colours)
            x, y = self.places.x[rows], self.places.y[rows]
            jpeg.touch(touched, x, y, x + self.places.width[rows], y + self.places.height[rows])
        self._day, self._caption = day, caption
        for block in self.layout.scene.packing.blocks:
            self._draw_label(self.layout.scene, block, day, touched)
        return touched

    def _candidates(self, before: int, day: int) -> Rows:
        """Drives that may look different on `day` than on the day `before`."""
        some = [
            self._came.between(before - NEW_DAYS, day),
            self._failed.between(before - EMBER_DAYS, day),
            self._removed.between(before + 1, day),
        ]
        return np.concatenate(some)

    def _recoloured(self, rows: Rows, before: int, day: int) -> tuple[Rows, Packed]:
        """Those of `rows` that look different on `day` than on the day `before`, and how."""
        colours = self._colours.of(rows, day)
        known = self.drives.first_seen[rows] <= before
        differ = np.ones(len(rows), np.bool_)
        differ[known] = colours[known] != self._colours.of(rows[known], before)
        return rows[differ], colours[differ]

    def _squares(
        self, rows: Rows, at: Places, colours: Packed, onto: jpeg.Pixels | None = None
    ) -> None:
        """Draw the squares of drives, in order: the last one is in front."""
        flat = (self._base if onto is None else onto).reshape(-1)
        width = self._base.shape[1]
        if not len(rows):
            return
        corners = at.y[rows].astype(np.int64) * width + at.x[rows]
        wide, high = at.width[rows], at.height[rows]
        for across in range(int(wide.min()), int(wide.max()) + 1):
            for along in range(int(high.min()), int(high.max()) + 1):
                some = np.flatnonzero((wide == across) & (high == along))
                first, ink = corners, colours
                if len(some) < len(rows):
                    first, ink = corners[some], colours[some]
                for down in range(along):
                    for right in range(across):
                        flat[first + (down * width + right)] = ink

    def _ground(self, scene: Scene, caption: Caption | None, *, rooms: bool = True) -> None:
        """Draw what stands behind the squares: room, retired models, the line of a caption."""
        self._base[:] = packed(self.style.background)
        self._limit[:] = 255
        self._shown = {}
        scale = self.style.scale
        if rooms:
            for block in scene.packing.blocks:
                bottom, left = block.bottom * scale, block.x * scale
                height = -(-block.rows * scene.packing.cell[1] * scale // QUARTERS)
                width = -(-block.per_row * scene.packing.cell[0] * scale // QUARTERS)
                self._base[bottom - height : bottom, left : left + width] = packed(
                    self.style.reserved
                )
            block_shown = self._captioned(caption)
            if block_shown:
                marks.lead(self._base, scene, block_shown, self.style)
        if self._footer is None or self._footer[0] is not scene:
            pixels = marks.retired(scene, self.layout.names, self.style)
            self._footer = scene, pixels
        bottom = (self.style.base_height - self.style.below) * scale
        footer = self._footer[1]
        self._base[bottom - len(footer) : bottom, : self.style.width] = footer

    def _captioned(self, caption: Caption | None) -> Block | None:
        """The block that a caption is about."""
        if caption is None:
            return None
        blocks = self.layout.scene.packing.blocks
        return next((block for block in blocks if set(caption.models) & set(block.models)), None)

    def _frame(self, caption: Caption | None) -> None:
        """Draw a frame around the block that a caption is about, and its label."""
        block = self._captioned(caption)
        if block:
            marks.frame(self._base, self.layout.scene, block, self.style)

    def _draw_label(self, scene: Scene, block: Block, day: int, touched: jpeg.Mask) -> None:
        """Draw a label, if it looks different than when it was drawn last."""
        words = self._words(scene, block, day)
        if words is None or self._shown.get(block.name) == words:
            return
        self._shown[block.name] = words
        scale = self.style.scale
        pixels, cover = labels.draw(words, self.style)
        left, top = block.x * scale, block.bottom * scale
        height, width = cover.shape
        height = min(height, (self.style.label - 4) * scale)  # the frame is below
        box = slice(top, top + height), slice(left, left + width)
        self._base[box] = pixels[:height]
        self._limit[box] = 255 - cover[:height]
        jpeg.touch(touched, left, top, left + width, top + height)

    def _words(self, scene: Scene, block: Block, day: int) -> labels.Words | None:
        """What stands below a block on `day`; None before its first drive is there."""
        came, went = self._block_spans[block.name]
        if came > day:
            return None
        label = self.layout.labels[block.name]
        rate, tone = label.rate(day)
        height = block.height(scene.packing.cell)
        return labels.Words(
            label.name,
            label.size,
            label.maker,
            rate,
            tone,
            went <= day,
            block.width(scene.packing.cell) * self.style.scale,
            height >= labels.TALL,
        )

    # ---- between two layouts ----

    def _paint_glide(self, day: int, caption: Caption | None) -> tuple[jpeg.Mask, Places]:
        """Draw a day on which squares fly to their new places.

        Returns:
            The tiles in which something may have changed, and where the squares are.
        """
        before, scene, old, new = (
            self.layout.before,
            self.layout.scene,
            self.old_places,
            self.places,
        )
        assert before is not None
        assert old is not None
        t = (day - self.layout.first + 1) / GLIDE_DAYS
        way = eased(t)
        same_era = before.since == scene.since
        if self._flight is None:
            self._flight = Flight.of(self.drives, old, new, self.layout.first, same_era=same_era)
        flight, scale = self._flight, self.style.scale
        if same_era:
            self._paint_resting(day, caption, flight)
        else:
            self._ground(scene if way >= 0.5 else before, caption, rooms=False)
            if t < SUNK and len(flight.leaving):
                self._sink(flight.leaving, old, t / SUNK, day)
            rows = flight.resting[self.drives.first_seen[flight.resting] <= day]
            self._squares(rows, new, self._colours.of(rows, day))
        # One pixel larger than the cell, which closes the seams between neighbours that part.
        width, height = (
            int(-(-(a + (b - a) * way) * scale // QUARTERS)) + 1
            for a, b in zip(before.packing.cell, scene.packing.cell, strict=True)
        )
        flight.draw(way, self._colours.in_flight(day), (width, height), self._base)
        if same_era:
            self._frame(caption)
        self._glide_labels(before, scene, way, day)
        changed = np.ones_like(self._changed)
        if not same_era:
            return changed, new  # there are no rings
        if self._glided is not None:
            changed = jpeg.differing(self._base, self._glided)
        self._glided = self._base.copy()
        at = Places(new.x.copy(), new.y.copy(), new.width, new.height)
        at.x[flight.flying], at.y[flight.flying] = flight.at(way)
        return changed, at

    def _glide_labels(self, before: Scene, scene: Scene, way: float, day: int) -> None:
        """Draw the labels that stay, and of the others the old ones at first, the new ones late."""
        same_era = before.since == scene.since
        stood = {(block.name, block.x, block.bottom) for block in before.packing.blocks}
        for block in scene.packing.blocks:
            stays = same_era and (block.name, block.x, block.bottom) in stood
            if stays or way > LABELS_COME:
                self._draw_label(scene, block, day, self._changed)
        if way < LABELS_GO:
            for block in before.packing.blocks:
                self._draw_label(before, block, day, self._changed)

    def _paint_resting(self, day: int, caption: Caption | None, flight: Flight) -> None:
        """Draw what stands still on a day on which only some blocks move."""
        kept = self._resting
        if kept is None or day < kept[0] or caption != kept[1]:
            self._ground(self.layout.scene, caption)
            rows = flight.resting[self.drives.first_seen[flight.resting] <= day]
            self._squares(rows, self.places, self._colours.of(rows, day))
            self._resting = day, caption, self._base.copy()
            return
        before, _, pixels = kept
        rows = self._candidates(before, day)
        rests = np.zeros(len(self.drives.first_seen), np.bool_)
        rests[flight.resting] = True
        rows = rows[rests[rows]]
        rows, colours = self._recoloured(rows, before, day)
        self._squares(rows, self.places, colours, pixels)
        self._base[:] = pixels
        self._limit[:] = 255
        self._shown = {}
        self._resting = day, caption, pixels

    def _sink(self, rows: Rows, old: Places, part: float, day: int) -> None:
        """Draw drives that leave the picture: `part` of the way down, and as much faded."""
        down = round(SINK * self.style.scale * part)
        colours = self._colours.of(rows, day)
        for colour in np.unique(colours).tolist():
            faded = mix(
                (colour & 255, colour >> 8 & 255, colour >> 16 & 255), self.style.background, part
            )
            colours[colours == colour] = packed(faded)
        y = np.minimum(old.y + down, self.style.height - old.height)
        self._squares(rows, replace(old, y=y), colours)


def open_renderer(lifetimes: Path, layout: FilmLayout, style: Style) -> Renderer:
    """A renderer for the tables in the folder `lifetimes`."""
    columns = ["model", "boot", "capacity_bytes", "first_seen", "failed_on", "removed_on"]
    drives = read_table(lifetimes / "drives.parquet", columns=columns)
    return Renderer(drives, layout, style)
