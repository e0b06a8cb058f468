"""What stands where: a census of the fleet at a quarter's end, and the scene that has room for it.

As long as everything finds room, a quarter only adds to the scene of the era that goes on.
Otherwise a new era begins with its first day: everything is packed anew, with smaller cells.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

import numpy as np

from backblaze_assets.drive_stats.lifetimes import Lifetimes
from backblaze_assets.drive_stats.models import UNKNOWN_MAKER
from backblaze_assets.film.fleet import Drives
from backblaze_assets.film.layout import FilmLayout, Scene, drives_axis, rate_axis
from backblaze_assets.film.packing import FOOTER_LINE, Demand, Packing, grow, pack, require
from backblaze_assets.film.style import Style

FEW_DRIVES = 60
"""Models that never had as many drives share a block with the others of their maker."""
_FEW_PART = 350
"""In a small fleet, models below this part of it."""
MOST_APART = (80, 60, 40, 20, 10, 5, 0)
"""Models that keep a block of their own when there is no room for all: the first that fits."""
_ONE_LINE = 6
"""Retired models for which one line is enough."""
AXIS_ROOM = 1.15
"""The chart's axis leaves room for this many times the drives when an era begins."""


def scene_of(
    previous: FilmLayout | None,
    first_day: date,
    last: int,
    drives: Drives,
    lifetimes: Lifetimes,
    style: Style,
) -> tuple[Scene, bool]:
    """The scene of the quarter, and whether something moves as it begins."""
    makers = dict(lifetimes.models().select("model", "maker").iter_rows())
    if previous is not None:
        scene = previous.scene
        census = _census(drives, scene.since, last, scene.gone, makers)
        grown = grow(scene.packing, _demands_of_era(census, scene, drives.start), style)
        if grown is not None:
            before = {block.name: block for block in scene.packing.blocks}
            moved = any(
                block.name in before
                and (block.x, block.bottom) != (before[block.name].x, before[block.name].bottom)
                for block in grown.blocks
            )
            standing = {model for block in grown.blocks for model in block.models}
            retired = tuple(entry for entry in scene.retired if entry[0] not in standing)
            return replace(scene, packing=grown, retired=retired), moved
    gone = drives.gone(first_day)
    census = _census(drives, first_day, last, gone, makers)
    alive = [entry for entry in census if entry.alive]
    left = sorted(
        ((entry.model, entry.ever, entry.failed) for entry in census if not entry.alive),
        key=lambda entry: (-entry[1], entry[0]),
    )
    footer = 0
    if left:
        footer = FOOTER_LINE * (1 if len(left) <= _ONE_LINE else 2) + 4
    packing = _packed(alive, footer, drives.start, style)
    in_service = int(
        (
            (drives.first_seen <= drives.number(first_day))
            & (np.minimum(drives.failed_on, drives.removed_on) > drives.number(first_day))
        ).sum()
    )
    highest = max(previous.rate) / 100 if previous else 0
    scene = Scene(
        first_day,
        packing,
        gone,
        tuple(left),
        drives_axis(AXIS_ROOM * in_service),
        rate_axis(highest),
    )
    return scene, previous is not None


@dataclass(frozen=True)
class _Census:
    """A model at the end of a quarter of an era: what `Demand` needs, and its record."""

    model: str
    maker: str
    first_seen: int
    need: int
    gain: int
    year_gain: int
    ever: int
    failed: int
    alive: bool


def _census(
    drives: Drives, since: date, last: int, gone: Mapping[str, str], makers: Mapping[str, str]
) -> list[_Census]:
    """All models at the end of the day `last` of an era that began on `since`."""
    here = drives.here(gone)
    begin = drives.number(since)
    old = drives.first_seen < begin
    alive = (drives.failed_on >= begin) & (drives.removed_on > begin) | ~old
    found = []
    for model, (row, count) in drives.rows.items():
        rows = slice(row, row + count)
        first = drives.first_seen[rows]
        added = first[first > 0]
        found.append(
            _Census(
                model,
                makers.get(model, UNKNOWN_MAKER),
                int(first.min()),
                int(here[rows].sum()),
                int((added > last - 91).sum()),
                int((added > last - 365).sum()),
                count,
                int((drives.failed_on[rows] < begin).sum()),
                bool(alive[rows].any()),
            )
        )
    return found


def _packed(census: Sequence[_Census], footer: int, start: date, style: Style) -> Packing:
    """All models in new places. Those of few drives share a block, more of them if it must be."""
    few = min(FEW_DRIVES, sum(entry.ever for entry in census) // _FEW_PART)
    apart = {entry.model for entry in census if entry.ever >= few}
    packing = pack(_grouped(census, apart, start), footer, style)
    largest = sorted(census, key=lambda entry: (-entry.ever, entry.model))
    for most in MOST_APART:
        if packing is None and most < len(apart):
            apart = {entry.model for entry in largest[:most]}
            packing = pack(_grouped(census, apart, start), footer, style)
    return require(packing, sum(entry.need for entry in census), style)


def _grouped(census: Sequence[_Census], apart: Collection[str], start: date) -> list[Demand]:
    """What the blocks need, when all models but those `apart` share those of their makers."""
    groups: dict[str, list[_Census]] = {}
    small: dict[str, list[_Census]] = {}
    for entry in census:
        if entry.model not in apart:
            small.setdefault(f"Other {entry.maker}", []).append(entry)
        else:
            groups[entry.model] = [entry]
    for name, entries in small.items():
        groups[name if len(entries) > 1 else entries[0].model] = entries
    return [_demand(name, entries, start) for name, entries in groups.items()]


def _demands_of_era(census: Sequence[_Census], scene: Scene, start: date) -> list[Demand]:
    """What the blocks of an era and those of new models need."""
    block_of = {model: block.name for block in scene.packing.blocks for model in block.models}
    names = {block.name for block in scene.packing.blocks}
    retired = {model: ever for model, ever, _ in scene.retired}
    few = min(FEW_DRIVES, sum(entry.ever for entry in census) // _FEW_PART)
    groups: dict[str, list[_Census]] = {}
    for entry in census:
        name = block_of.get(entry.model)
        if name is None:
            if retired.get(entry.model) == entry.ever:
                continue  # nothing new of a retired model
            shared = f"Other {entry.maker}"
            name = shared if entry.ever < few and shared in names else entry.model
        groups.setdefault(name, []).append(entry)
    order = {
        block.name: {model: at for at, model in enumerate(block.models)}
        for block in scene.packing.blocks
    }
    for name, entries in groups.items():
        known = order.get(name, {})
        entries.sort(key=lambda entry: known.get(entry.model, len(known)))
    return [_demand(name, entries, start) for name, entries in groups.items()]


def _demand(name: str, entries: Sequence[_Census], start: date) -> Demand:
    return Demand(
        name,
        tuple(entry.model for entry in entries),
        entries[0].maker,
        start + timedelta(days=min(entry.first_seen for entry in entries)),
        sum(entry.need for entry in entries),
        sum(entry.gain for entry in entries),
        sum(entry.year_gain for entry in entries),
    )
