"""What the film says about the data, and when; also as subtitles.

Every rule looks at a day and the days before it, so a caption never depends on what comes later.
One caption is shown at a time. What is about to be said waits for its turn, and is dropped when it
has waited for too long: captions about the past confuse.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import date, timedelta
from typing import Any

from backblaze_assets.film.words import long_date

SHOWN_DAYS = 150
"""Frames for which a caption is shown."""
ENOUGH_DAYS = 90
"""Frames after which a caption may be ended by an urgent one."""
MOST_URGENT_WAIT = 13
"""Frames after which an urgent caption ends any of less weight, so that news is said as such."""
LONGEST_WAIT = (45, 90, 45)
"""Frames after which a caption that waits is dropped, by rank."""
URGENT, NOTABLE, COMMON = 0, 1, 2
HIGH_RATE = 3.0
"""A model is named when its rate's lower bound is above this many times the fleet's rate."""
LEAST_DRIVE_DAYS = 125 * 365
"""Drive days in the trailing year below which no model is named."""
WORSE = 1.8
"""A model is named again within a year when its rate is this many times what was said."""
LARGE_FLEET = 20_000
"""Drives in service from which on only large models are worth a caption."""
MILESTONES = (500, 5_000)
"""Drives at which a model is named, in a small and a large fleet."""
FAREWELLS = (100, 1_000)
"""A model that had more drives than this is named when its last one leaves."""
FIRST_DRIVES = 20
"""Drives of a new size from which on it is named."""


@dataclass(frozen=True)
class Caption:
    """A sentence about a day.

    Attributes:
        since: the day on which it came true.
        name: what it is about; stands out.
        text: what is said of it.
        models: the models it is about; empty where it is about all drives.
        rank: `URGENT` (may end another caption), `NOTABLE` or `COMMON`.
        weight: of an urgent one, to compare it with others: failures in the trailing year.
        first: first day shown; the day `since` until its turn has come.
        last: last day shown.
    """

    since: date
    name: str
    text: str
    models: tuple[str, ...] = ()
    rank: int = COMMON
    weight: int = 0
    first: date = date.min
    last: date = date.min

    def to_json(self) -> dict[str, Any]:
        """Values that `from_json` reads."""
        days = {name: getattr(self, name).isoformat() for name in ("since", "first", "last")}
        return {**asdict(self), **days}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "Caption":
        """The caption that `to_json` wrote."""
        days = {name: date.fromisoformat(values[name]) for name in ("since", "first", "last")}
        return cls(**{**values, **days, "models": tuple(values["models"])})


@dataclass(frozen=True)
class Memory:
    """What has been said and what waits, handed on from quarter to quarter.

    Attributes:
        shown: the caption shown last.
        waiting: captions whose turn has not come.
        rates: when a model was last named for its rate, and at which rate.
        drives: the most drives in service that a record was said of.
        capacity: the most bytes.
        size: the largest drive's bytes that a caption was about.
        large: models that have been named for their number.
        left: models whose last drive has left.
    """

    shown: Caption | None = None
    waiting: tuple[Caption, ...] = ()
    rates: dict[str, tuple[str, float]] = field(default_factory=dict)
    drives: int = 0
    capacity: int = 0
    size: int = 0
    large: tuple[str, ...] = ()
    left: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Values that `from_json` reads."""
        return {
            **asdict(self),
            "shown": self.shown.to_json() if self.shown else None,
            "waiting": [caption.to_json() for caption in self.waiting],
        }

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "Memory":
        """The memory that `to_json` wrote."""
        return cls(
            shown=Caption.from_json(values["shown"]) if values["shown"] else None,
            waiting=tuple(map(Caption.from_json, values["waiting"])),
            rates={model: (day, rate) for model, (day, rate) in values["rates"].items()},
            drives=values["drives"],
            capacity=values["capacity"],
            size=values["size"],
            large=tuple(values["large"]),
            left=tuple(values["left"]),
        )


def record(value: int) -> int:
    """The largest of 1, 2, 5, 10, 20, 50, ... that is not above `value`; 0 for 0."""
    step = 10 ** (len(str(value)) - 1)
    return max((times * step for times in (1, 2, 5) if times * step <= value), default=0)


def schedule(
    memory: Memory, days: Sequence[date], found: dict[date, list[Caption]]
) -> tuple[Memory, list[Caption]]:
    """Give captions their turns.

    Args:
        memory: as it was before the first of `days`.
        days: of the quarter, in order.
        found: captions by the day on which they came true, the most urgent first.

    Returns:
        The memory after the last day, and the captions shown on any of `days`.
    """
    shown, waiting = memory.shown, list(memory.waiting)
    seen = [shown] if shown and days and shown.last >= days[0] else []
    for day in days:
        waiting += found.get(day, [])
        waiting = [one for one in waiting if (day - one.since).days <= LONGEST_WAIT[one.rank]]
        waiting.sort(key=lambda one: (one.rank, -one.weight))  # stable: otherwise in order of time
        if not waiting:
            continue
        free = shown is None or shown.last < day
        ends = (
            shown is not None
            and waiting[0].rank == URGENT
            and (shown.rank != URGENT or waiting[0].weight > shown.weight)
            and (
                (day - shown.first).days >= ENOUGH_DAYS
                or (day - waiting[0].since).days >= MOST_URGENT_WAIT
            )
        )
        if not free and not ends:
            continue
        if shown and not free:
            shown = replace(shown, last=day - timedelta(days=1))
            seen[-1] = shown
        shown = replace(waiting.pop(0), first=day, last=day + timedelta(days=SHOWN_DAYS - 1))
        seen.append(shown)
    return replace(memory, shown=shown, waiting=tuple(waiting)), seen


def joined(captions: Iterable[Caption]) -> list[Caption]:
    """The captions of several quarters in order, each once, as it stood last."""
    by_first: dict[date, Caption] = {}
    for caption in captions:
        known = by_first.get(caption.first)
        by_first[caption.first] = caption if known is None or caption.last < known.last else known
    return [by_first[first] for first in sorted(by_first)]


def subtitles(
    captions: Iterable[Caption], days: Sequence[date], offset: float, days_a_second: int
) -> str:
    """Captions in the SubRip format (SRT).

    Args:
        captions: of the whole film.
        days: of the film, in order; a frame, or several, for each.
        offset: seconds before the first day.
        days_a_second: pace of the film.
    """
    number = {day: place for place, day in enumerate(days)}
    blocks: list[str] = []
    for caption in joined(captions):
        shown = [
            number[day]
            for day in (
                caption.first + timedelta(days=away)
                for away in range((caption.last - caption.first).days + 1)
            )
            if day in number
        ]
        if shown:
            start, end = (offset + place / days_a_second for place in (shown[0], shown[-1] + 1))
            said = f"{long_date(caption.first)}. {caption.name}: {caption.text}"
            blocks.append(f"{len(blocks) + 1}\n{_clock(start)} --> {_clock(end)}\n{said}\n")
    return "\n".join(blocks)


def _clock(seconds: float) -> str:
    thousandths = round(seconds * 1000)
    minutes, rest = divmod(thousandths, 60_000)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{rest // 1000:02d},{rest % 1000:03d}"
