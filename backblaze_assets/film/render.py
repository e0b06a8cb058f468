"""The picture of a day, and all pictures of quarters in parallel.

A frame is a pure function of the quarter's table of drives, the quarter's layout and the style. To
be fast, a renderer keeps the picture of the day drawn last and draws and encodes only what changes;
a frame drawn from nothing is the same to the byte.
"""

import hashlib
import io
import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl
from PIL import Image

from backblaze_assets.drive_stats.parquet import read_table
from backblaze_assets.errors import DataError
from backblaze_assets.files.atomic import write_atomic
from backblaze_assets.files.origin import Origin
from backblaze_assets.film import jpeg, labels, text
from backblaze_assets.film.captions import Caption
from backblaze_assets.film.fleet import NEVER, Drives, Places, places
from backblaze_assets.film.glide import BEHIND, FRESH, FRONT, Flight
from backblaze_assets.film.layout import FilmLayout, Scene
from backblaze_assets.film.packing import FOOTER_LINE, FREE, Block
from backblaze_assets.film.panel import LINE, Panel
from backblaze_assets.film.rings import LIVES, Rings, lives
from backblaze_assets.film.style import (
    EMBER_DAYS,
    GLIDE_DAYS,
    NEW_DAYS,
    QUARTERS,
    Colour,
    Style,
    eased,
    mix,
)
from backblaze_assets.work import progress
from backblaze_assets.work.processes import go_on_or_stop, in_processes, most_workers

FAR = 100
"""Days between two frames from which on drawing everything is as cheap as drawing the changes."""
MIN_PARALLEL = 40
"""Frames below which starting processes takes longer than drawing."""
SINK = 60
"""Pixels of a 1080p canvas by which a drive sinks that leaves the picture as an era begins."""
SUNK = 0.4
"""The part of the glide in which it does."""
LABELS_GO, LABELS_COME = 0.12, 0.9
"""The parts of the way after which the old labels go, and the new ones come."""
COOL_STEP = 3
"""Days for which a new drive keeps its colour."""
FRAME = LINE
"""Width of the frame around the block that a caption is about, and of the line to it."""

Ints = npt.NDArray[np.int32]
Rows = npt.NDArray[np.intp]
Packed = npt.NDArray[np.uint32]


def packed(colour: Colour) -> int:
    """A colour as a pixel of the canvas."""
    red, green, blue = colour
    return red | green << 8 | blue << 16


@dataclass(frozen=True)
class _Events:
    """Something that happens to drives, in the order of the days.

    Attributes:
        on: the days, ascending.
        rows: of the drives.
    """

    on: Ints
    rows: Rows

    @classmethod
    def of(cls, on: Ints, rows: Rows) -> "_Events":
        """What happens to `rows` on the days `on`, of which there is one for every drive."""
        rows = rows[on[rows] < NEVER]
        rows = rows[np.argsort(on[rows], kind="stable")]
        return cls(on[rows], rows)

    def between(self, first: int, last: int) -> Rows:
        """Rows of the drives to which it happens from `first` to `last`."""
        bounds = np.array((first, last + 1), np.int32)  # of another type, all would be converted
        return self.rows[slice(*np.searchsorted(self.on, bounds))]


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
        self._came = _Events.of(self.drives.first_seen, placed)
        self._failed = _Events.of(self.drives.failed_on, placed)
        self._removed = _Events.of(self.drives.removed_on, placed)
        self._service_colours, self._failed_colours = _palettes(style)
        self._block_spans = {**self._block_lives(before), **self._block_lives(scene)}
        self._day: int | None = None
        self._caption: Caption | None = None
        self._shown: dict[str, labels.Words] = {}
        self._band: jpeg.Pixels | None = None
        self._flight: Flight | None = None

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
            at = self._paint_glide(number, caption)
            changed = np.ones_like(self._changed)
            self._day = None
        else:
            changed, at = self._paint(number, caption), self.places
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
        line = route(self.layout.scene, block, self.style)[-1][0] if block else None
        band = self.panel.at(number, line)
        height, width = band.shape
        padded = self._canvas[:height].copy()
        padded[:, :width] = band
        padded[:, width:] = band[:, -1:]
        if self._band is not None:
            touched = jpeg.differing(padded, self._band)
            self._changed[: len(touched)] |= touched
        self._canvas[:height] = self._band = padded

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

    def _colours(self, rows: Rows, day: int) -> Packed:
        """Colours on `day` of drives that all have been seen by then."""
        drives = self.drives
        first = drives.first_seen[rows]
        age = np.minimum(day - first, NEW_DAYS)
        age[first == 0] = NEW_DAYS  # what is there on the first day of all is not new
        colours = self._service_colours[age]
        colours[drives.removed_on[rows] <= day] = packed(self.style.removed)
        since = day - drives.failed_on[rows]
        failed = since >= 0
        colours[failed] = self._failed_colours[np.minimum(since[failed], EMBER_DAYS)]
        return colours

    def _paint(self, day: int, caption: Caption | None) -> jpeg.Mask:
        """Bring squares and labels to `day`, and tell the tiles in which some may have changed."""
        drives = self.drives
        touched = np.zeros_like(self._changed)
        if self._day is None or not 0 <= day - self._day <= FAR or caption != self._caption:
            touched[:] = True
            self._ground(self.layout.scene, caption)
            rows = self._came.between(0, day)
            self._squares(rows, self.places, self._colours(rows, day))
            self._frame_block(caption)
        else:
            rows = self._candidates(self._day, day)
            colours = self._colours(rows, day)
            known = drives.first_seen[rows] <= self._day
            old = self._colours(rows[known], self._day)
            differ = np.ones(len(rows), np.bool_)
            differ[known] = colours[known] != old
            rows, colours = rows[differ], colours[differ]
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

    def _squares(self, rows: Rows, at: Places, colours: Packed) -> None:
        """Draw the squares of drives, in order: the last one is in front."""
        flat = self._base.reshape(-1)
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
                self._connect(scene, block_shown)
        self._retired(scene)

    def _captioned(self, caption: Caption | None) -> Block | None:
        """The block that a caption is about."""
        if caption is None:
            return None
        blocks = self.layout.scene.packing.blocks
        return next((block for block in blocks if set(caption.models) & set(block.models)), None)

    def _fill(self, left: int, top: int, right: int, bottom: int, colour: Colour) -> None:
        """Fill a box given in pixels of a 1080p canvas, its ends in any order."""
        scale = self.style.scale
        x = sorted((left * scale, right * scale))
        y = sorted((top * scale, bottom * scale))
        self._base[y[0] : y[1], x[0] : x[1]] = packed(colour)

    def _connect(self, scene: Scene, block: Block) -> None:
        """Draw the line from the panel to the block of a caption, between blocks and labels."""
        line = route(scene, block, self.style)
        for (x0, y0), (x1, y1) in itertools.pairwise(line):
            self._fill(
                min(x0, x1), min(y0, y1), max(x0, x1) + FRAME, max(y0, y1) + FRAME, self.style.high
            )

    def _frame_block(self, caption: Caption | None) -> None:
        """Draw a frame around the block that a caption is about, and its label."""
        block = self._captioned(caption)
        if block is None:
            return
        left, top, right, bottom = outline(self.layout.scene, block, self.style)
        colour = self.style.high
        self._fill(left, top, right, top + FRAME, colour)
        self._fill(left, bottom - FRAME, right, bottom, colour)
        self._fill(left, top, left + FRAME, bottom, colour)
        self._fill(right - FRAME, top, right, bottom, colour)

    def _retired(self, scene: Scene) -> None:
        """Write the models without a drive in service at the bottom."""
        if not scene.retired:
            return
        style, scale = self.style, self.style.scale
        lines = max(1, scene.packing.footer // FOOTER_LINE)
        height = lines * FOOTER_LINE * scale
        image = Image.new("RGBX", (style.width, height), style.background)
        retired_lines(image, scene.retired, self.layout.names, lines, style)
        top = (style.base_height - style.below) * scale - height
        self._base[top : top + height, : style.width] = np.asarray(image).view(jpeg.PIXEL)[..., 0]

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

    def _paint_glide(self, day: int, caption: Caption | None) -> Places:
        """Draw a day on which squares fly to their new places, and return where they are."""
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
        self._ground(scene if same_era or way >= 0.5 else before, caption, rooms=same_era)
        if self._flight is None:
            self._flight = Flight.of(self.drives, old, new, self.layout.first, same_era=same_era)
        flight, scale = self._flight, self.style.scale
        if t < SUNK and len(flight.leaving):
            self._sink(flight.leaving, old, t / SUNK, day)
        rows = flight.resting[self.drives.first_seen[flight.resting] <= day]
        self._squares(rows, new, self._colours(rows, day))
        # One pixel larger than the cell, which closes the seams between neighbours that part.
        width, height = (
            int(-(-(a + (b - a) * way) * scale // QUARTERS)) + 1
            for a, b in zip(before.packing.cell, scene.packing.cell, strict=True)
        )
        flight.draw(way, self._inks(day), (width, height), self._base)
        if same_era:
            self._frame_block(caption)
        stood = {(block.name, block.x, block.bottom) for block in before.packing.blocks}
        for block in scene.packing.blocks:
            stays = same_era and (block.name, block.x, block.bottom) in stood
            if stays or way > LABELS_COME:
                self._draw_label(scene, block, day, self._changed)
        if way < LABELS_GO:
            for block in before.packing.blocks:
                self._draw_label(before, block, day, self._changed)
        if not same_era:
            return new  # there are no rings
        at = Places(new.x.copy(), new.y.copy(), new.width, new.height)
        at.x[flight.flying], at.y[flight.flying] = flight.at(way)
        return at

    def _inks(self, day: int) -> Packed:
        """Colours on `day` of all drives, and what stands in front when they fly."""
        drives = self.drives
        inks = np.full(len(drives.first_seen), self._service_colours[-1] | BEHIND, np.uint32)
        rows = self._came.between(max(1, day - NEW_DAYS + 1), day)
        inks[rows] = self._service_colours[day - drives.first_seen[rows]] | FRESH
        inks[self._removed.between(0, day)] = packed(self.style.removed) | BEHIND
        rows = self._failed.between(0, day)
        since = np.minimum(day - drives.failed_on[rows], EMBER_DAYS)
        inks[rows] = self._failed_colours[since] | FRONT
        return inks

    def _sink(self, rows: Rows, old: Places, part: float, day: int) -> None:
        """Draw drives that leave the picture: `part` of the way down, and as much faded."""
        down = round(SINK * self.style.scale * part)
        colours = self._colours(rows, day)
        for colour in np.unique(colours).tolist():
            faded = mix(
                (colour & 255, colour >> 8 & 255, colour >> 16 & 255), self.style.background, part
            )
            colours[colours == colour] = packed(faded)
        y = np.minimum(old.y + down, self.style.height - old.height)
        self._squares(rows, replace(old, y=y), colours)


def _palettes(style: Style) -> tuple[Packed, Packed]:
    """Pixels of drives in service by age, and of failed ones by days since the failure."""
    # In steps of some days: in the film they are not seen, and they spare a third of its bytes.
    service = [
        packed(mix(style.new, style.service, (age // COOL_STEP * COOL_STEP / NEW_DAYS) ** 0.7))
        for age in range(NEW_DAYS + 1)
    ]
    failed = [
        packed(mix(style.flash, style.failed, age / EMBER_DAYS)) for age in range(EMBER_DAYS + 1)
    ]
    return np.array(service, np.uint32), np.array(failed, np.uint32)


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


def retired_lines(
    image: Image.Image,
    retired: Sequence[tuple[str, int, int]],
    names: dict[str, str],
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


# ---- many frames ----


@dataclass(frozen=True)
class FrameReport:
    """What became of one frame.

    Attributes:
        data_version: digest of the JPEG file without its comment.
        bytes: size of the JPEG file.
        drives_in_service: on that day.
        failed_so_far: drives, not failure rows: a drive that fails twice counts once.
        capacity_bytes: of the drives in service.
    """

    data_version: str
    bytes: int
    drives_in_service: int
    failed_so_far: int
    capacity_bytes: int


@dataclass(frozen=True)
class QuarterFrames:
    """The frames to draw of one quarter.

    Attributes:
        lifetimes: folder of the quarter's `drive_lifetimes`.
        layout: of the quarter.
        days: which days, in order.
        origin: what each frame says about itself; partition and data version are filled in.
    """

    lifetimes: Path
    layout: FilmLayout
    days: Sequence[date]
    origin: Origin


def report_of(layout: FilmLayout, day: date, data_version: str, size: int) -> FrameReport:
    """What there is to say of a day's frame that stands already."""
    number = (day - layout.start).days
    return FrameReport(
        data_version,
        size,
        layout.service[number],
        layout.failed[number - layout.first],
        layout.capacity[number - layout.first],
    )


def render_quarters(
    quarters: Sequence[QuarterFrames],
    style: Style,
    target: Callable[[date], Path],
    workers: int | None = None,
) -> Iterator[tuple[date, FrameReport]]:
    """Draw the frames of several quarters in parallel, and yield each day when it is written.

    Days come in the order in which they are done. Processes, because encoding a JPEG holds the lock
    of the interpreter. Each process draws days that follow each other.

    Args:
        quarters: what to draw.
        style: of the picture.
        target: the file for a day.
        workers: how many processes; by default one for each core, if it may have any.
    """
    workers = workers or most_workers()
    parts = 1 if len(quarters) >= 2 * workers else workers
    chunks = [chunk for quarter in quarters for chunk in _chunks(quarter, parts)]
    total = sum(len(chunk.days) for chunk in chunks)
    with progress.work("drawing frames", total, "frames") as bar:
        if workers == 1 or total < MIN_PARALLEL:
            for chunk in chunks:
                for done in _render_chunk(chunk, style, [target(day) for day in chunk.days]):
                    bar.advance(1)
                    yield done
            return
        calls = [(chunk, style, [target(day) for day in chunk.days]) for chunk in chunks]
        for reports in in_processes(_render_list, calls, workers):
            bar.advance(len(reports))
            yield from reports


def _chunks(quarter: QuarterFrames, parts: int) -> list[QuarterFrames]:
    """A quarter's days in parts of about equal length."""
    size = max(1, -(-len(quarter.days) // parts))
    return [
        replace(quarter, days=quarter.days[start : start + size])
        for start in range(0, len(quarter.days), size)
    ]


def _render_list(
    chunk: QuarterFrames, style: Style, paths: Sequence[Path]
) -> list[tuple[date, FrameReport]]:
    return list(_render_chunk(chunk, style, paths))


def open_renderer(lifetimes: Path, layout: FilmLayout, style: Style) -> Renderer:
    """A renderer for the tables in the folder `lifetimes`."""
    columns = ["model", "boot", "capacity_bytes", "first_seen", "failed_on", "removed_on"]
    drives = read_table(lifetimes / "drives.parquet", columns=columns)
    return Renderer(drives, layout, style)


def _render_chunk(
    chunk: QuarterFrames, style: Style, paths: Sequence[Path]
) -> Iterator[tuple[date, FrameReport]]:
    renderer = open_renderer(chunk.lifetimes, chunk.layout, style)
    for day, path in zip(chunk.days, paths, strict=True):
        go_on_or_stop()
        plain = renderer.encoded(day)
        version = hashlib.blake2b(plain, digest_size=16).hexdigest()
        origin = replace(chunk.origin, partition=day.isoformat(), data_version=version)
        content = jpeg.with_comment(plain, origin.to_json())
        write_atomic(path, content, sync=False)
        yield day, report_of(chunk.layout, day, version, len(content))


def render_closing(lifetimes: Path, layout: FilmLayout, style: Style) -> Iterator[bytes]:
    """JPEGs of the closing frames after the last day of `layout`.

    The last rings and colours fade on; date, figures and caption stay those of the last day.
    """
    renderer = open_renderer(lifetimes, layout, style)
    last = layout.days[-1]
    for number in range(1, style.closing_frames + 1):
        yield renderer.encoded(last + timedelta(days=number), last)


def thumbnail(path: Path, width: int) -> bytes:
    """The picture in the file `path` as a JPEG file `width` pixels wide, for a web page."""
    with Image.open(path) as image:
        height = round(image.height * width / image.width)
        image.draft("RGB", (width, height))
        small = image.resize((width, height), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=80, optimize=True)
    return buffer.getvalue()
