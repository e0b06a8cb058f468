"""The film's title and its end card."""

import io
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl
from PIL import Image, ImageDraw

from backblaze_assets.drive_stats.rates import afr_percent
from backblaze_assets.film import panel, text
from backblaze_assets.film.layout import FilmLayout
from backblaze_assets.film.render import open_renderer
from backblaze_assets.film.style import Colour, Style, mix
from backblaze_assets.film.words import capacity_of_drive, long_date, short_names

TITLE = "Every hard drive of Backblaze"
READING = (
    "Failed drives gather at the bottom of their model.",
    "A percentage is the share of drives that fail in a year.",
)
HOW = "To make this film yourself: backblaze-assets movie"
DIMMED = 0.5
"""How much of the first day's blocks is seen behind the title."""
FADE = 30
"""Frames at the end of the title in which the first day appears."""
MODELS = 8
"""Models that failed least and most on the end card."""
LEAST_DRIVE_DAYS = (400_000, 50_000, 5_000)
"""Drive days from which on a model is on the end card: the first with `MODELS` models."""

DECADES = (0.01, 0.1, 1, 10, 100)
"""Percent a year that are marked on the end card's axis."""

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Story:
    """What title and end card say of the whole film.

    Attributes:
        first: first day.
        last: last day.
        drives: ever seen.
        failed: of them.
        afr: percent a year over the whole time.
        made_up_from: first day whose data are made up; None if there is none.
        table: models: maker, model, capacity_bytes, drive_days, afr, afr_low, afr_high.
    """

    first: date
    last: date
    drives: int
    failed: int
    afr: float
    made_up_from: date | None
    table: pl.DataFrame


def story(
    first: FilmLayout, last: FilmLayout, drives: pl.DataFrame, afr: pl.DataFrame, style: Style
) -> Story:
    """What there is to say of a film.

    Args:
        first: layout of its first quarter.
        last: layout of its last quarter.
        drives: `drives.parquet` of the last quarter: boot and failed_on.
        afr: `afr_table` of the last quarter; its rows of the window `lifetime` are used.
        style: whether boot drives count.
    """
    if not style.boot_drives:
        drives, afr = drives.filter(~pl.col("boot")), afr.filter(~pl.col("boot"))
    lifetime = afr.filter(pl.col("window") == "lifetime")
    total = lifetime.select(
        afr=afr_percent(pl.col("failures").sum(), pl.col("drive_days").sum())
    ).item()
    return Story(
        first.days[0],
        last.days[-1],
        drives.height,
        drives["failed_on"].count(),
        math.nan if total is None else total,
        None if last.synthetic_from is None else last.start + timedelta(days=last.synthetic_from),
        lifetime.select(
            "maker", "model", "capacity_bytes", "drive_days", "afr", "afr_low", "afr_high"
        ),
    )


def title_frames(told: Story, lifetimes: Path, layout: FilmLayout, style: Style) -> Iterator[bytes]:
    """JPEGs of the title: what one square is, how to read the film, and whose data they are.

    Args:
        told: of the whole film.
        lifetimes: folder of the first quarter's `drive_lifetimes`.
        layout: of the first quarter.
        style: of the film.
    """
    first_day = open_renderer(lifetimes, layout, style).frame(layout.days[0])
    still = title(told, first_day, layout, style)
    content = _jpeg(still, style)
    fade = min(FADE, style.title_frames)
    for _ in range(style.title_frames - fade):
        yield content
    for number in range(fade):
        part = (number + 1) / (fade + 1)
        mixed = Image.blend(Image.fromarray(still), Image.fromarray(first_day), part)
        yield _jpeg(np.asarray(mixed), style)


def title(told: Story, first_day: Pixels, layout: FilmLayout, style: Style) -> Pixels:
    """The title over the dimmed first day."""
    scale, width = style.scale, style.width
    background = np.array(style.background, np.float32)
    dim = first_day.copy()
    dim[: style.panel * scale] = style.background
    for block in layout.scene.packing.blocks:  # blocks without their labels
        top, left = block.bottom * scale, block.x * scale
        right = left + block.width(layout.scene.packing.cell) * scale
        dim[top : top + style.label * scale, left:right] = style.background
    dim = (background + (dim - background) * DIMMED).round().astype(np.uint8)
    image = Image.fromarray(dim)
    if style.upright:
        sizes, rows = (72, 34, 30, 28), (700, 780, 900, 1000)
    else:
        sizes, rows = (104, 42, 34, 30), (400, 482, 620, 702)
    middle, margin = width // 2, 2 * style.margin * scale
    lines = text.wrapped(TITLE, text.LIGHT, sizes[0] * scale, width - margin)
    _plate(image, (rows[0] - 130 - 80 * (len(lines) - 1)) * scale, (rows[3] + 120) * scale, style)
    for number, line in enumerate(lines):
        y = (rows[0] - (len(lines) - 1 - number) * round(sizes[0] * 1.15)) * scale
        text.put(image, middle, y, line, text.LIGHT, sizes[0] * scale, style.text, "m")
    about = (
        f"{long_date(told.first)} to {long_date(told.last)} · {told.drives:,} drives · "
        f"{style.pace} days a second"
    )
    y = rows[1] * scale
    for line in text.wrapped(about, text.LIGHT, sizes[1] * scale, width - margin):
        text.put(image, middle, y, line, text.LIGHT, sizes[1] * scale, style.soft, "m")
        y += round(sizes[1] * 1.3) * scale
    _title_legend(image, rows[2] * scale, sizes[2] * scale, style)
    reading = READING if style.upright else (" ".join(READING),)
    for number, line in enumerate(reading):
        y = (rows[3] + number * round(sizes[3] * 1.4)) * scale
        text.put(image, middle, y, line, text.REGULAR, sizes[3] * scale, style.soft, "m")
    y = style.height - 60 * scale
    _plate(image, y - 74 * scale, style.height + 20 * scale, style)
    credit, colour = _credit(told, style)
    text.put(image, middle, y, credit, text.REGULAR, 28 * scale, colour, "m")
    return np.asarray(image)


def _credit(told: Story, style: Style) -> tuple[str, Colour]:
    """Whose data they are, and the colour to say it in."""
    said = panel.credit(told.first, told.made_up_from)
    return said, style.high if said == panel.MADE_UP else style.soft


def _plate(image: Image.Image, top: int, bottom: int, style: Style) -> None:
    """Darken the rows behind the text, with soft edges."""
    height = bottom - top
    edge = max(1, height // 6)
    rows = np.arange(height)
    cover = np.clip(np.minimum(rows, height - 1 - rows) / edge, 0, 1) * 200
    mask = np.repeat(cover.astype(np.uint8)[:, None], image.width, axis=1)
    image.paste(style.background, (0, top, image.width, bottom), Image.fromarray(mask))


def _title_legend(image: Image.Image, baseline: int, size: int, style: Style) -> None:
    """One square is one drive: what its colours mean, centred."""
    entries = panel.legend(style)
    side, near, far = round(size * 0.8), round(size * 0.4), round(size * 0.9)
    head = "One square is one drive"
    rows = [[(head, None)], entries] if style.upright else [[(head, None), *entries]]
    for number, row in enumerate(rows):
        width = sum(
            text.width(word, text.REGULAR, size) + (side + near if colour else 0)
            for word, colour in row
        ) + far * (len(row) - 1)
        x, y = (image.width - width) // 2, baseline + (number - len(rows) + 1) * round(size * 1.6)
        for word, colour in row:
            if colour:
                edge = max(1, size // 24)
                box = (x, y - side, x + side, y)
                if colour == style.removed:
                    edged = (box[0] - edge, box[1] - edge, box[2] + edge, box[3] + edge)
                    image.paste(mix(style.background, style.text, 0.4), edged)
                image.paste(colour, box)
                x += side + near
            x = text.put(image, x, y, word, text.REGULAR, size, style.text) + far


def end_frames(told: Story, style: Style) -> Iterator[bytes]:
    """JPEGs of the end card, all alike."""
    content = _jpeg(end_card(told, style), style)
    for _ in range(style.end_frames):
        yield content


def end_card(told: Story, style: Style) -> Pixels:
    """Totals, the models that failed least and most with their intervals, and the source."""
    scale = style.scale
    image = Image.new("RGB", (style.width, style.height), style.background)
    left = (40 if style.upright else 96) * scale
    right = style.width - left
    head = f"{told.drives:,} drives, {told.failed:,} failed"
    size = text.fitting_size(
        head, text.LIGHT, tuple(one * scale for one in (76, 64, 56, 48, 40)), right - left
    )
    top = 240 if style.upright else 128
    text.put(image, left, top * scale, head, text.LIGHT, size, style.text)
    models, least = _ranked(told.table)
    about = (
        f"In a year {told.afr:.2f} % of all drives failed. By model, with 95 % interval, "
        f"all years, more than {least:,} drive days:"
    )
    if math.isnan(told.afr):
        about = "Too few drive days for a rate."
    y = (top + 62) * scale
    for line in text.wrapped(about, text.REGULAR, 30 * scale, right - left):
        text.put(image, left, y, line, text.REGULAR, 30 * scale, style.soft)
        y += 42 * scale
    half = (models.height + 1) // 2
    count = min(MODELS, half)
    least_failed, most_failed = models.head(count), models.tail(models.height - half).reverse()
    most_failed = most_failed.head(count)
    axis = _axis(pl.concat([least_failed, most_failed]))
    y += 36 * scale
    if style.upright:
        boxes = [(left, y, right)] * 2
    else:
        gap, middle = 140 * scale, (left + right) // 2
        boxes = [(left, y, middle - gap // 2), (middle + gap // 2, y, right)]
    end = _column(image, boxes[0], "Failed least", least_failed, axis, style.low, style)
    if style.upright:
        boxes[1] = (left, end + 50 * scale, right)
    _column(image, boxes[1], "Failed most", most_failed, axis, style.failed, style)
    credit, colour = _credit(told, style)
    baseline = style.height - 62 * scale
    text.put(
        image,
        left,
        baseline,
        f"{credit} · {HOW}" if not style.upright else credit,
        text.REGULAR,
        28 * scale,
        colour,
    )
    if style.upright:
        text.put(image, left, baseline + 40 * scale, HOW, text.REGULAR, 28 * scale, style.soft)
    return np.asarray(image)


def _ranked(table: pl.DataFrame) -> tuple[pl.DataFrame, int]:
    """Models in the order of their rates, and how many drive days they have at least."""
    known = table.filter(pl.col("afr").is_not_null())
    for least in (*LEAST_DRIVE_DAYS, 0):
        found = known.filter(pl.col("drive_days") > least).sort("afr", "afr_high", "model")
        if found.height >= 2 * MODELS or least == 0:
            return found, least
    raise AssertionError


def _axis(models: pl.DataFrame) -> tuple[float, float]:
    """Percent at the ends of an axis that holds the rates of all `models` and their intervals.

    One axis for those that failed least and most, so that they can be compared; logarithmic, or
    the intervals of the least would be too short to be seen.
    """
    ends = [value for key in ("afr", "afr_low", "afr_high") for value in models[key] if value]
    return 0.9 * min(ends, default=1.0), 1.1 * max(ends, default=1.0)


def _column(
    image: Image.Image,
    box: tuple[int, int, int],
    head: str,
    models: pl.DataFrame,
    axis: tuple[float, float],
    colour: Colour,
    style: Style,
) -> int:
    """A list of models with their rates and intervals; returns the y below it.

    Args:
        image: to draw on.
        box: left, top and right edge.
        head: of the list.
        models: rows of `Story.table`.
        axis: percent at its ends; it is logarithmic.
        colour: of head and rates.
        style: of the film.
    """
    scale = style.scale
    left, top, right = box
    y = top + 30 * scale
    text.put(image, left, y, head, text.NARROW_MEDIUM, 40 * scale, colour)
    size, row = 30 * scale, 74 * scale
    names = [text.readable(name) for name in _short(models["model"].to_list())]
    name_room = (right - left) * 34 // 100
    about_x = left + name_room + 8 * scale
    bar_x, rate_width = left + (right - left) * 56 // 100, 110 * scale
    bar_room = right - rate_width - bar_x - 12 * scale
    pen = ImageDraw.Draw(image)
    low, high = map(math.log, axis)

    def x(percent: float) -> int:
        part = (math.log(max(percent, axis[0])) - low) / (high - low)
        return bar_x + round(bar_room * min(1.0, part))

    tint = mix(style.background, style.text, 0.25)
    for percent in DECADES:
        if names and axis[0] <= percent <= axis[1]:
            at, end = x(percent), top + 44 * scale + row * len(names)
            pen.rectangle((at, top + 42 * scale, at + scale - 1, end), fill=tint)
            said = f"{percent:g} %"
            text.put(image, at, y, said, text.NARROW, 24 * scale, style.muted, "m")
    for name, entry in zip(names, models.iter_rows(named=True), strict=True):
        y += row
        shown = text.fitting_size(
            name, text.NARROW_MEDIUM, tuple(one * scale for one in (30, 27, 24, 21)), name_room
        )
        name = text.shortened(name, text.NARROW_MEDIUM, shown, name_room)
        text.put(image, left, y, name, text.NARROW_MEDIUM, shown, style.text)
        capacity = capacity_of_drive(entry["capacity_bytes"]) if entry["capacity_bytes"] else ""
        about = text.shortened(
            f"{capacity} {entry['maker']}", text.NARROW, 24 * scale, bar_x - about_x - 8 * scale
        )
        text.put(image, about_x, y, about, text.NARROW, 24 * scale, style.muted)
        middle = y - 11 * scale
        half, side = 7 * scale, 3 * scale
        pen.rectangle(
            (
                x(entry["afr_low"]) - scale,
                middle - half,
                x(entry["afr_high"]) + scale,
                middle + half,
            ),
            fill=mix(style.background, colour, 0.5),
        )
        at = x(entry["afr"])
        pen.rectangle((at - side, middle - 2 * half, at + side, middle + 2 * half), fill=colour)
        said = f"{entry['afr']:.2f} %" if entry["afr"] < 10 else f"{entry['afr']:.1f} %"
        text.put(image, right, y, said, text.NARROW_MEDIUM, size, style.text, "r")
    return y


def _short(models: Sequence[str]) -> list[str]:
    names = short_names(models)
    return [names[model] for model in models]


def _jpeg(pixels: Pixels, style: Style) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=style.jpeg_quality, subsampling="4:2:0")
    return buffer.getvalue()
