"""The film's layout of a quarter: everything its frames need beside the table of drives.

A fold over the quarters. As long as everything finds room, a quarter only adds to the era that
goes on. Otherwise a new era begins with its first day: everything is packed anew, with smaller
cells, and the squares fly to their new places. A layout depends on nothing later than its quarter,
so frames, clips and layouts that stand never change when a quarter is added.
"""

import json
from bisect import bisect_right
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, timedelta
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from backblaze_assets.drive_stats.lifetimes import Lifetimes
from backblaze_assets.drive_stats.models import UNKNOWN_MAKER, display_model
from backblaze_assets.errors import DataError
from backblaze_assets.files.atomic import write_atomic
from backblaze_assets.files.origin import KEY, Origin, digest
from backblaze_assets.film import captions, rates, words
from backblaze_assets.film.captions import Caption, Memory
from backblaze_assets.film.fleet import NEVER, Drives, running
from backblaze_assets.film.packing import (
    FOOTER_LINE,
    Block,
    Demand,
    Packing,
    grow,
    pack,
    require,
)
from backblaze_assets.film.rates import Rates
from backblaze_assets.film.style import QUARTERS, QUIET_DAYS, Style
from backblaze_assets.film.whole import damage

FEW_DRIVES = 60
"""Models that never had as many drives share a block with the others of their maker."""
_FEW_PART = 350
"""In a small fleet, models below this part of it."""
MOST_APART = (80, 60, 40, 20, 10, 5, 0)
"""Models that keep a block of their own when there is no room for all: the first that fits."""
LEAST_LABEL_DAYS = 10 * 365
"""Drive days in the trailing year below which a label says no rate."""
HIGH_LABEL = 2.0
"""A label's rate is coloured when its lower bound is above this many times the fleet's rate."""
LOW_LABEL = 2 / 3
"""The same for the upper bound below this part of it."""
_ONE_LINE = 6
"""Retired models for which one line is enough."""
AXIS_ROOM = 1.15
"""The chart's axis leaves room for this many times the drives when an era begins."""
RATE_AXES = (8, 16, 40, 100)
"""Percent a year at the upper end of the chart: the first that held all rates so far."""

Counts = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Scene:
    """What stands where, from the first day of an era on.

    Attributes:
        since: first day of the era.
        packing: where the blocks stand.
        gone: per model, the drives that had been removed by then; see `fleet.Drives.gone`.
        retired: models without a drive in service: model, drives ever, failed; most drives first.
        service_axis: drives in service at the upper end of the chart, until there are more.
        rate_axis: percent a year there, until it is more.
    """

    since: date
    packing: Packing
    gone: dict[str, str]
    retired: tuple[tuple[str, int, int], ...]
    service_axis: int
    rate_axis: int

    def to_json(self) -> dict[str, Any]:
        """Values that `from_json` reads."""
        return {**asdict(self), "since": self.since.isoformat()}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "Scene":
        """The scene that `to_json` wrote."""
        packing = values["packing"]
        blocks = tuple(
            Block(**{**block, "models": tuple(block["models"])}) for block in packing["blocks"]
        )
        return cls(
            date.fromisoformat(values["since"]),
            Packing(
                (packing["cell"][0], packing["cell"][1]),
                blocks,
                tuple((x, y, width, height) for x, y, width, height in packing["holes"]),
                tuple(packing["tops"]),
                packing["footer"],
            ),
            values["gone"],
            tuple((model, ever, failed) for model, ever, failed in values["retired"]),
            values["service_axis"],
            values["rate_axis"],
        )


@dataclass(frozen=True)
class Label:
    """What stands below a block.

    Attributes:
        name: unique among all labels.
        size: capacity of a drive, or how many models.
        maker: empty where the name says it.
        rates: day from which on, rate of the trailing year (empty: not said), and its `tone`:
            `high`, `low` or empty; one entry for each change.
    """

    name: str
    size: str
    maker: str
    rates: tuple[tuple[int, str, str], ...]

    def rate(self, day: int) -> tuple[str, str]:
        """The rate and its tone on `day`, counted from the first day of the history."""
        known = bisect_right(self.rates, day, key=itemgetter(0))
        return self.rates[known - 1][1:] if known else ("", "")


@dataclass(frozen=True)
class FilmLayout:
    """The layout of a quarter. Days are counted from `start`, which is day 0.

    Attributes:
        format: `Style.layout_version` that it was made for.
        start: first day of the history.
        quarter: first day of the quarter.
        first: number of its first day.
        eras: how many eras there were.
        scene: what stands where.
        before: what stood where at the end of the quarter before, if something moves.
        names: of retired models, as they are called on the picture.
        labels: per block.
        service: drives in service, for each day of the history.
        rate: AFR of the trailing year in hundredths of a percent, -1 where it is not said; for
            each day of the history.
        capacity: bytes in service, for each day of the quarter.
        failed: drives failed so far, for each day of the quarter.
        interval: 95 % interval of the rate as it is printed, for each day of the quarter.
        odd_days: days on which not all drives reported: number, and how many percent did (-1 for
            a day that no zip has).
        synthetic_from: number of the first day whose data are made up; None if there is none.
        captions: those shown on a day of the quarter.
        memory: what the captions of the next quarter need.
    """

    format: str
    start: date
    quarter: date
    first: int
    eras: int
    scene: Scene
    before: Scene | None
    names: dict[str, str]
    labels: dict[str, Label]
    service: tuple[int, ...]
    rate: tuple[int, ...]
    capacity: tuple[int, ...]
    failed: tuple[int, ...]
    interval: tuple[str, ...]
    odd_days: tuple[tuple[int, int], ...]
    synthetic_from: int | None
    captions: tuple[Caption, ...]
    memory: Memory

    @property
    def days(self) -> list[date]:
        """The quarter's days."""
        return [self.start + timedelta(days=day) for day in range(self.first, len(self.service))]

    def to_json(self) -> str:
        """As JSON that `from_json` reads; the same text for the same layout."""
        values = {
            **dict(vars(self).items()),
            "start": self.start.isoformat(),
            "quarter": self.quarter.isoformat(),
            "scene": self.scene.to_json(),
            "before": self.before.to_json() if self.before else None,
            "labels": {name: asdict(label) for name, label in self.labels.items()},
            "captions": [caption.to_json() for caption in self.captions],
            "memory": self.memory.to_json(),
        }
        lines = (f"{json.dumps(name)}: {json.dumps(value)}" for name, value in values.items())
        return "{\n" + ",\n".join(lines) + "\n}\n"

    @classmethod
    def from_json(cls, text: str) -> "FilmLayout":
        """The layout that `to_json` wrote.

        Raises:
            DataError: `text` is something else.
        """
        try:
            values = json.loads(text)
            return cls(
                **{
                    **values,
                    "start": date.fromisoformat(values["start"]),
                    "quarter": date.fromisoformat(values["quarter"]),
                    "scene": Scene.from_json(values["scene"]),
                    "before": Scene.from_json(values["before"]) if values["before"] else None,
                    "labels": {
                        name: Label(
                            **{**label, "rates": tuple((a, b, c) for a, b, c in label["rates"])}
                        )
                        for name, label in values["labels"].items()
                    },
                    **{
                        name: tuple(values[name])
                        for name in ("service", "rate", "capacity", "failed", "interval")
                    },
                    "odd_days": tuple((day, share) for day, share in values["odd_days"]),
                    "captions": tuple(map(Caption.from_json, values["captions"])),
                    "memory": Memory.from_json(values["memory"]),
                }
            )
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(
                f"not a layout of this version: {error!r}. Materialize film_layout again."
            ) from error


def extend(
    previous: FilmLayout | None,
    quarter: date,
    lifetimes: Lifetimes,
    daily: pl.DataFrame,
    style: Style,
) -> FilmLayout:
    """The layout of one more quarter.

    Args:
        previous: the layout of the quarter before; None to begin with this one.
        quarter: first day of the quarter.
        lifetimes: the history at its end.
        daily: rows of `daily_stats` (date, model, drives, failures) of the quarter and of the year
            before each of its days, as far as there are any.
        style: the film's format.

    Raises:
        DataError: there are no drives to show, or they do not fit on the canvas.
    """
    calendar = lifetimes.days.filter(pl.col("quarter") == quarter)
    if calendar.is_empty():
        raise DataError(f"The history has no day of {quarter}: materialize drive_lifetimes again.")
    if previous is not None and previous.format != style.layout_version:
        raise DataError(
            f"The film_layout before {quarter} was made for another format than {style.name}: "
            "materialize film_layout from its first quarter on."
        )
    start = previous.start if previous else calendar["date"][0]
    first_day: date = calendar["date"][0]
    count = (calendar["date"][-1] - start).days + 1
    drives = Drives.of(lifetimes.drives, start, boot_drives=style.boot_drives)
    if not drives.rows and previous is None:
        raise DataError(
            f"{quarter} has no data drives to show: import a quarter that has, and leave this out."
        )
    scene, moved = _scene(previous, first_day, count - 1, drives, lifetimes, style)
    first = (first_day - start).days
    days = [start + timedelta(days=number) for number in range(first, count)]
    totals = _Totals.of(drives, count)
    models = lifetimes.models()
    if not style.boot_drives:
        models = models.filter(~pl.col("boot"))
    known = models.sort("model")
    failures, exposure = rates.yearly_counts(daily, known["model"].to_list(), days)
    by_model = Rates.of(failures, exposure)
    of_fleet = Rates.of(failures.sum(axis=0)[None], exposure.sum(axis=0)[None])
    names = short_names(known["model"].to_list())
    said = np.arange(first, count) >= QUIET_DAYS
    fleet_rate = np.where(said, np.nan_to_num(of_fleet.afr[0], nan=-1), -1)
    counts = _Quarter(days, drives, totals, known, names, by_model, of_fleet)
    start_memory = previous.memory if previous else counts.first_memory()
    memory, shown = captions.schedule(start_memory, days, counts.captions(start_memory))
    memory = counts.remember(memory)
    carried = _carried(previous, first) if previous else {"service": (), "rate": ()}
    scenes = [scene, *([previous.scene] if previous and moved else [])]
    footed = {model for one in scenes for model, _, _ in one.retired}
    return FilmLayout(
        format=style.layout_version,
        start=start,
        quarter=quarter,
        first=first,
        eras=(previous.eras if previous else 0) + (scene.since == first_day),
        scene=scene,
        before=previous.scene if previous and moved else None,
        names={model: names[model] for model in sorted(footed & names.keys())},
        labels=_labels(
            scenes,
            known,
            names,
            failures,
            exposure,
            of_fleet,
            first,
        ),
        service=(*carried["service"], *totals.service[first:].tolist()),
        rate=(
            *carried["rate"],
            *(round(100 * value) if value >= 0 else -1 for value in fleet_rate.tolist()),
        ),
        capacity=tuple(totals.capacity[first:].tolist()),
        failed=tuple(totals.failed[first:].tolist()),
        interval=tuple(
            f"{low:.2f} to {high:.2f} %" if rate >= 0 else ""
            for low, high, rate in zip(of_fleet.low[0], of_fleet.high[0], fleet_rate, strict=True)
        ),
        odd_days=(*(previous.odd_days if previous else ()), *_odd_days(previous, calendar, start)),
        synthetic_from=_synthetic_from(previous, calendar, start),
        captions=tuple(shown),
        memory=memory,
    )


def _carried(previous: FilmLayout, first: int) -> dict[str, tuple[int, ...]]:
    """The history up to the day before `first`; the last day stands for those of a cut."""
    missing = first - len(previous.service)
    return {
        "service": (*previous.service, *previous.service[-1:] * missing),
        "rate": (*previous.rate, *previous.rate[-1:] * missing),
    }


def _synthetic_from(previous: FilmLayout | None, calendar: pl.DataFrame, start: date) -> int | None:
    if previous is not None and previous.synthetic_from is not None:
        return previous.synthetic_from
    days = calendar.filter("synthetic")["date"]
    return None if days.is_empty() else (days[0] - start).days


def _odd_days(
    previous: FilmLayout | None, calendar: pl.DataFrame, start: date
) -> list[tuple[int, int]]:
    """Days of the quarter, and of a cut before it, on which not all drives reported."""
    first = (calendar["date"][0] - start).days
    found = [(day, -1) for day in range(len(previous.service) if previous else first, first)]
    full = calendar.filter(pl.col("reported") & ~pl.col("partial"))["rows"]
    usual = float(full.mean() or 0) if not full.is_empty() else 0.0  # type: ignore[arg-type]
    for row in calendar.iter_rows(named=True):
        number = (row["date"] - start).days
        if not row["in_zip"] or not row["reported"]:
            found.append((number, -1 if not row["in_zip"] else 0))
        elif row["partial"]:
            share = round(100 * row["rows"] / usual) if usual else 50
            found.append((number, min(99, max(1, share))))
    return found


@dataclass(frozen=True)
class _Totals:
    """Drives in service, their bytes, and drives failed so far, for each day of the history."""

    service: Counts
    capacity: Counts
    failed: Counts

    @classmethod
    def of(cls, drives: Drives, days: int) -> "_Totals":
        left = np.minimum(drives.failed_on, drives.removed_on)
        size = drives.capacity
        return cls(
            running(drives.first_seen, days) - running(left, days),
            running(drives.first_seen, days, size) - running(left, days, size),
            running(drives.failed_on, days),
        )


def short_names(models: Sequence[str]) -> dict[str, str]:
    """Names without the maker, where they are unique without it."""
    short = {model: display_model(model) for model in models}
    uses: dict[str, int] = {}
    for name in short.values():
        uses[name] = uses.get(name, 0) + 1
    return {model: name if uses[name] == 1 else model for model, name in short.items()}


# ---- what stands where ----


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


def _scene(
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


def drives_axis(drives: float) -> int:
    """The least of 100, 200, 500, 1,000, ... that is not below `drives`."""
    value = 100
    steps = (2, 2.5, 2)
    number = 0
    while value < drives:
        value = int(value * steps[number % 3])
        number += 1
    return value


def rate_axis(percent: float) -> int:
    """The least of `RATE_AXES` that is not below `percent`; the last one if all are."""
    return next((axis for axis in RATE_AXES if axis >= percent), RATE_AXES[-1])


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


# ---- what is said ----


def _labels(
    scenes: Sequence[Scene],
    known: pl.DataFrame,
    names: Mapping[str, str],
    failures: Counts,
    exposure: Counts,
    of_fleet: Rates,
    first: int,
) -> dict[str, Label]:
    """The labels of all blocks, with the rate of each day of the quarter."""
    models = known["model"].to_list()
    groups: dict[str, tuple[str, ...]] = {}
    for scene in scenes:
        for block in scene.packing.blocks:
            groups.setdefault(block.name, block.models)
    by_group = Rates.of(
        rates.gathered(failures, models, groups), rates.gathered(exposure, models, groups)
    )
    about = {row["model"]: row for row in known.iter_rows(named=True)}
    found = {}
    for number, (name, members) in enumerate(groups.items()):
        said: list[tuple[int, str, str]] = []
        for at in range(failures.shape[1]):
            text = tone = ""
            if first + at >= QUIET_DAYS and by_group.drive_days[number, at] >= LEAST_LABEL_DAYS:
                text = words.rate(float(by_group.afr[number, at]))
                fleet = of_fleet.afr[0, at]
                if by_group.low[number, at] > HIGH_LABEL * fleet:
                    tone = "high"
                elif by_group.high[number, at] < LOW_LABEL * fleet:
                    tone = "low"
            if not said or said[-1][1:] != (text, tone):
                said.append((first + at, text, tone))
        if name in about:
            size = about[name]["capacity_bytes"]
            maker = about[name]["maker"]
            title = names.get(name, name)
            found[name] = Label(
                title,
                words.capacity_of_drive(size) if size else "",
                "" if maker == UNKNOWN_MAKER or title.startswith(maker) else maker,
                tuple(said),
            )
        else:
            found[name] = Label(name, f"{len(members):,} models", "", tuple(said))
    return found


@dataclass(frozen=True)
class _Quarter:
    """What the captions of a quarter are made from."""

    days: Sequence[date]
    drives: Drives
    totals: _Totals
    known: pl.DataFrame
    names: Mapping[str, str]
    by_model: Rates
    of_fleet: Rates

    def first_memory(self) -> Memory:
        """Before the first day of all, what is there on it counts as said."""
        service = int(self.totals.service[0])
        sizes = [size for size, count in self._sizes(0).items() if count >= captions.FIRST_DRIVES]
        large = captions.MILESTONES[service >= captions.LARGE_FLEET]
        in_service = self._in_service(0, 1)
        return Memory(
            drives=captions.record(service),
            capacity=captions.record(int(self.totals.capacity[0])),
            size=max(sizes, default=0),
            large=tuple(model for model, counts in in_service.items() if counts[0] >= large),
        )

    def _in_service(self, first: int, count: int) -> dict[str, Counts]:
        """Per model, drives in service on `count` days from the day `first` on."""
        days = np.arange(first, first + count)
        left = np.minimum(self.drives.failed_on, self.drives.removed_on)
        found = {}
        for model, (row, many) in self.drives.rows.items():
            rows = slice(row, row + many)
            came = np.sort(self.drives.first_seen[rows])
            went = np.sort(left[rows])
            found[model] = np.searchsorted(came, days, "right") - np.searchsorted(
                went, days, "right"
            )
        return found

    def _sizes(self, day: int) -> dict[int, int]:
        """Drives seen up to `day`, by capacity."""
        sizes: dict[int, int] = {}
        for row, many in self.drives.rows.values():
            seen = int((self.drives.first_seen[row : row + many] <= day).sum())
            size = int(self.drives.capacity[row])
            sizes[size] = sizes.get(size, 0) + seen
        return sizes

    def _title(self, model: str) -> str:
        """A model with its maker and size, such as `Seagate ST3000DM001, 3 TB`."""
        row = self.known.row(by_predicate=pl.col("model") == model, named=True)
        name, maker, size = self.names[model], row["maker"], row["capacity_bytes"]
        if maker != UNKNOWN_MAKER and (name != model or " " not in model):
            name = f"{maker} {name}"
        return f"{name}, {words.capacity_of_drive(size)}" if size else name

    def captions(self, memory: Memory) -> dict[date, list[Caption]]:
        """What comes true on each day, the most urgent first."""
        found: dict[date, list[Caption]] = {day: [] for day in self.days}
        self._high_rates(memory, found)
        self._records(memory, found)
        self._models(memory, found)
        return found

    def _high_rates(self, memory: Memory, found: dict[date, list[Caption]]) -> None:
        """Models that fail much more often than the others."""
        models = self.known["model"].to_list()
        above = (self.by_model.low > captions.HIGH_RATE * self.of_fleet.afr) & (
            self.by_model.drive_days >= captions.LEAST_DRIVE_DAYS
        )
        for number in np.flatnonzero(above.any(axis=1)).tolist():
            model = models[number]
            day_said, rate_said = memory.rates.get(model, ("0001-01-01", 0.0))
            last = date.fromisoformat(day_said)
            for at, day in enumerate(self.days):
                rate = float(self.by_model.afr[number, at])
                again = (day - last).days >= 365 or rate >= captions.WORSE * rate_said
                quiet = self.drives.number(day) < QUIET_DAYS
                if not above[number, at] or not again or quiet or model not in self.drives.rows:
                    continue
                last, rate_said = day, rate
                others = Rates.of(
                    self.of_fleet.failures[:, at : at + 1]
                    - self.by_model.failures[number : number + 1, at : at + 1],
                    self.of_fleet.drive_days[:, at : at + 1]
                    - self.by_model.drive_days[number : number + 1, at : at + 1],
                ).afr[0, 0]
                text = f"{words.whole_rate(rate)} fail in a year"
                if not np.isnan(others):
                    text += f", of all others {words.whole_rate(float(others))}"
                weight = int(self.by_model.failures[number, at])
                title = self._title(model)
                found[day].append(Caption(day, title, text, (model,), captions.URGENT, weight))

    def _records(self, memory: Memory, found: dict[date, list[Caption]]) -> None:
        drives, capacity = memory.drives, memory.capacity
        for day in self.days:
            number = self.drives.number(day)
            now = captions.record(int(self.totals.service[number]))
            if now > drives:
                drives = now
                text = f"in service for the first time, {words.long_date(day)}"
                found[day].append(Caption(day, f"{now:,} drives", text, (), captions.NOTABLE))
            now = captions.record(int(self.totals.capacity[number]))
            if now > capacity:
                capacity = now
                text = "of storage in service for the first time"
                found[day].append(
                    Caption(day, words.round_capacity(now), text, (), captions.NOTABLE)
                )

    def _models(self, memory: Memory, found: dict[date, list[Caption]]) -> None:
        """Models that become large or leave, and drives of a new size."""
        first = self.drives.number(self.days[0])
        large, left, size_said = set(memory.large), set(memory.left), memory.size
        after = max(first, 1)  # what is there on the first day of all is no news
        fleet = self.totals.service[first : first + len(self.days)] >= captions.LARGE_FLEET
        for model, counts in self._in_service(first - 1, len(self.days) + 1).items():
            row, many = self.drives.rows[model]
            milestone = np.array(captions.MILESTONES)[fleet.astype(int)]
            farewell = np.array(captions.FAREWELLS)[fleet.astype(int)]
            reached = np.flatnonzero(counts[1:] >= milestone)
            if model not in large and len(reached) and first + reached[0] >= after:
                day = self.days[int(reached[0])]
                text = f"{milestone[reached[0]]:,} drives in service"
                found[day].append(Caption(day, self._title(model), text, (model,)))
            emptied = np.flatnonzero((counts[:-1] > 0) & (counts[1:] == 0) & (many > farewell))
            if model not in left and len(emptied):
                day = self.days[int(emptied[-1])]
                on = self.drives.number(day)
                failed = int((self.drives.failed_on[row : row + many] <= on).sum())
                share = words.whole_rate(100 * failed / many)
                text = f"the last one has left; {share} of {many:,} failed"
                rank = captions.NOTABLE if failed > 0.1 * many else captions.COMMON
                found[day].append(Caption(day, self._title(model), text, (model,), rank))
        for at, day in enumerate(self.days):
            if first + at < after:
                continue
            sizes = [
                size
                for size, count in self._newer_sizes(size_said, first + at).items()
                if count >= captions.FIRST_DRIVES
            ]
            if sizes:
                size_said = max(sizes)
                models = tuple(
                    model
                    for model, (row, _) in self.drives.rows.items()
                    if self.drives.capacity[row] == size_said
                    and self.drives.first_seen[row] <= first + at
                )
                text = f"the largest so far: {', '.join(self.names[one] for one in models[:2])}"
                name = f"First drives of {words.capacity_of_drive(size_said)}"
                found[day].append(Caption(day, name, text, models[:1], captions.NOTABLE))

    def _newer_sizes(self, than: int, day: int) -> dict[int, int]:
        """Drives seen up to `day` of models that are a tenth larger than `than`, by capacity."""
        sizes: dict[int, int] = {}
        for row, many in self.drives.rows.values():
            size = int(self.drives.capacity[row])
            if size > 1.1 * than:
                seen = int((self.drives.first_seen[row : row + many] <= day).sum())
                sizes[size] = sizes.get(size, 0) + seen
        return sizes

    def remember(self, memory: Memory) -> Memory:
        """What has come true up to the end of the quarter."""
        first = self.drives.number(self.days[0])
        last = first + len(self.days) - 1
        said = self.captions(memory)
        rates_said = dict(memory.rates)
        for day in self.days:
            for caption in said[day]:
                if caption.rank == captions.URGENT:
                    number = self.known["model"].to_list().index(caption.models[0])
                    rate = float(self.by_model.afr[number, (day - self.days[0]).days])
                    rates_said[caption.models[0]] = (day.isoformat(), rate)
        large, left = set(memory.large), set(memory.left)
        counts = self._in_service(first, len(self.days))
        service = self.totals.service[first : last + 1]
        milestone = np.array(captions.MILESTONES)[(service >= captions.LARGE_FLEET).astype(int)]
        large |= {model for model, many in counts.items() if (many >= milestone).any()}
        left |= {
            caption.models[0]
            for day in self.days
            for caption in said[day]
            if "the last one has left" in caption.text
        }
        sizes = [
            size
            for size, many in self._newer_sizes(memory.size, last).items()
            if many >= captions.FIRST_DRIVES
        ]
        return replace(
            memory,
            rates=dict(sorted(rates_said.items())),
            drives=max(memory.drives, captions.record(int(service.max()))),
            capacity=max(
                memory.capacity,
                captions.record(int(self.totals.capacity[first : last + 1].max())),
            ),
            size=max([memory.size, *sizes]),
            large=tuple(sorted(large)),
            left=tuple(sorted(left)),
        )


# ---- what a layout comes to ----


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


_HEAD, _LAYOUT, _END = f'{{"{KEY}": ', ',\n"layout": ', "}\n"


def write_layout(path: Path, layout: FilmLayout, origin: Origin) -> None:
    """Write a layout as JSON, with what the file says of itself, whole or not at all."""
    text = f"{_HEAD}{origin.to_json()}{_LAYOUT}{layout.to_json()}{_END}"
    write_atomic(path, text.encode())


def read_layout(path: Path) -> FilmLayout:
    """The layout that `write_layout` wrote.

    Raises:
        DataError: the file is something else.
    """
    _, text = _checked(path)
    try:
        return FilmLayout.from_json(text)
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"{path} is no layout: {error}. Materialize film_layout again.") from error


def check_layout(path: Path) -> Origin:
    """What a file that `write_layout` wrote says of itself.

    Raises:
        DamagedError: it is not what was written.
    """
    return _checked(path)[0]


def _checked(path: Path) -> tuple[Origin, str]:
    with damage(path):
        head, _, text = path.read_text(encoding="utf-8").partition(_LAYOUT)
        origin = Origin.from_json(head.removeprefix(_HEAD))
        if not text.endswith(_END) or digest([text[: -len(_END)]]) != origin.data_version:
            raise ValueError("its content is not what was written")
        return origin, text[: -len(_END)]
