"""The film's layout of a quarter: everything its frames need beside the table of drives.

`extend` makes it, `scene` says what stands where; here is what it holds, and its file.
"""

import json
from bisect import bisect_right
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from operator import itemgetter
from pathlib import Path
from typing import Any

from backblaze_assets.errors import DataError
from backblaze_assets.files.atomic import write_atomic
from backblaze_assets.files.origin import KEY, Origin, digest
from backblaze_assets.film.captions import Caption, Memory
from backblaze_assets.film.packing import Block, Packing
from backblaze_assets.film.whole import damage

RATE_AXES = (8, 16, 40, 100)
"""Percent a year at the upper end of the chart: the first that held all rates so far."""


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
