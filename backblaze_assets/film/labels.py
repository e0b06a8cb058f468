"""The labels below the blocks: model, size and maker."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import numpy.typing as npt
import polars as pl
from PIL import Image

from backblaze_assets.drive_stats.models import display_model
from backblaze_assets.film import panel, text
from backblaze_assets.film.fleet import days_since, model_rows, running
from backblaze_assets.film.jpeg import Mask, touch
from backblaze_assets.film.layout import Layout, Segment
from backblaze_assets.film.style import NEW_DAYS, Style

NAME_WHITE = (0.92, 0.92)
"""How much white there is in a model's name, in red and in green and blue."""
ABOUT_WHITE = (0.44, 0.66)
"""The same for size and maker."""
SETTLED = 0.84
"""Strength of a label from `NEW_DAYS` on; it begins with 1, when its first drive appears."""
RETIRED = 0.42
"""Strength of a label when none of its model's drives are in service any more."""
LARGE, WIDE = 18, 220
"""Size in which everything stands on one line below a block of at least this width."""
SIZES = (13, 12, 11)
"""Sizes of a name that has a line of its own, the first that fits."""

HIDDEN = 0.0

Bytes = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Label:
    """One label.

    Attributes:
        x: left edge in pixels.
        y: upper edge.
        since: day on which the first drive above it is seen.
        in_service: for each day whether any drive of its model is in service.
        red: how much white there is in each pixel of red, 0 to 255.
        cyan: the same for green and blue.
        cover: how much of each pixel is text, 0 to 255.
    """

    x: int
    y: int
    since: int
    in_service: npt.NDArray[np.bool_]
    red: Bytes
    cyan: Bytes
    cover: Bytes

    def strength(self, day: int) -> float:
        """How bright the label is on `day`, from 0 to 1; after the last day as on the last."""
        age = day - self.since
        if age < 0:
            return HIDDEN
        if not self.in_service[min(day, len(self.in_service) - 1)]:
            return RETIRED
        return 1 + (SETTLED - 1) * min(age, NEW_DAYS) / NEW_DAYS


class Labels:
    """Keeps the labels on the planes of a picture up to date, and tells rings where not to be."""

    def __init__(self, labels: Sequence[Label], style: Style, height: int, width: int) -> None:
        """Prepare for a canvas of `height` x `width` pixels, on which no label is drawn yet."""
        self.labels = labels
        self.background = style.background[0]
        self.ring_limit: Bytes = np.empty((height, width), np.uint8)
        """The highest opacity that a ring may have in each pixel, so that text stays readable."""
        self.forget()

    def forget(self) -> None:
        """Take it that no label is on the planes."""
        self.drawn = [HIDDEN] * len(self.labels)
        self.ring_limit[:] = 255

    def draw(self, planes: Bytes, day: int, changed: Mask) -> None:
        """Draw on `planes` what looks different on `day` than when it was drawn last.

        Args:
            planes: red, and green and blue, of the picture, (2, height, width).
            day: counted from the first day of the history.
            changed: tiles, (rows, columns), in which those that are drawn on are marked.
        """
        for number, label in enumerate(self.labels):
            strength = label.strength(day)
            if strength != self.drawn[number]:
                self.drawn[number] = strength
                height, width = label.cover.shape
                box = slice(label.y, label.y + height), slice(label.x, label.x + width)
                for plane, white in zip(planes, (label.red, label.cyan), strict=True):
                    plane[box] = self._on_background(white, strength)
                self.ring_limit[box] = 255 - label.cover if strength else 255
                touch(changed, label.x, label.y, label.x + width, label.y + height)

    def _on_background(self, white: Bytes, strength: float) -> Bytes:
        added = white * (strength * (255 - self.background) / 255)
        drawn: Bytes = np.rint(self.background + added).astype(np.uint8)
        return drawn


def labels(
    drives: pl.DataFrame, start: date, days: int, layout: Layout, style: Style
) -> list[Label]:
    """The labels of all segments that hold some of `drives`.

    Args:
        drives: as in `drives.parquet`, sorted by model and slot, without boot drives.
        start: first day of the history.
        days: how many days there are.
        layout: where the models stand.
        style: sizes.
    """
    first_seen = days_since(start, drives["first_seen"])
    left_on = days_since(start, drives.select(pl.coalesce("failed_on", "removed_on")).to_series())
    makers, capacities = drives["maker"], drives["capacity_bytes"]
    blocks = model_rows(drives)
    found = []
    for segment in layout.segments:
        row, count = blocks.get(segment.model, (0, 0))
        if segment.first_slot < count:
            rows = slice(row, row + count)
            in_service = running(first_seen[rows], days) > running(left_on[rows], days)
            planes = _planes(segment, makers[row], capacities[row], layout, style)
            since = int(first_seen[row + segment.first_slot])
            found.append(Label(segment.x, segment.bottom, since, in_service, *planes))
    return found


def _planes(
    segment: Segment, maker: str, capacity_bytes: int | None, layout: Layout, style: Style
) -> tuple[Bytes, Bytes, Bytes]:
    """White in red, white in green and blue, and cover of a segment's label."""
    scale = style.scale
    row = segment.per_row * layout.cell - style.gap(layout.cell)
    room = max(row, style.column * scale)
    name = display_model(segment.model)
    about = maker
    if segment.first_slot:
        about = "continued"
    elif capacity_bytes is not None:
        about = f"{panel.capacity_of_drive(capacity_bytes)} {maker}"
    one_line = room >= WIDE * scale
    size = LARGE * scale
    if not one_line:
        sizes = tuple(size * scale for size in SIZES)
        size = text.fitting_size(name, text.NARROW_MEDIUM, sizes, room)
        name = text.shortened(name, text.NARROW_MEDIUM, size, room)
    planes = []
    for of_name, of_about in zip((*NAME_WHITE, 1.0), (*ABOUT_WHITE, 1.0), strict=True):
        plane = Image.new("L", (room, style.label * scale))
        ink, paler = round(255 * of_name), round(255 * of_about)
        if one_line:
            baseline = 22 * scale
            end = text.put(plane, 0, baseline, name, text.NARROW_MEDIUM, size, ink)
            text.put(plane, end + 10 * scale, baseline, about, text.NARROW, size, paler)
        else:
            text.put(plane, 0, 16 * scale, name, text.NARROW_MEDIUM, size, ink)
            text.put(plane, 0, 31 * scale, about, text.NARROW, 13 * scale, paler)
        planes.append(np.asarray(plane))
    red, cyan, cover = planes
    return red, cyan, cover
