"""The making of a quarter's layout from the one before it: a fold over the quarters.

A layout depends on nothing later than its quarter, so frames, clips and layouts that stand never
change when a quarter is added.
"""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta

import numpy as np
import polars as pl

from backblaze_assets.drive_stats.lifetimes import Lifetimes
from backblaze_assets.drive_stats.models import UNKNOWN_MAKER
from backblaze_assets.errors import DataError
from backblaze_assets.film import captions, rates, words
from backblaze_assets.film.fleet import Counts, Drives, Totals
from backblaze_assets.film.layout import FilmLayout, Label, Scene
from backblaze_assets.film.news import News
from backblaze_assets.film.rates import Rates
from backblaze_assets.film.scene import scene_of
from backblaze_assets.film.style import QUIET_DAYS, Style

LEAST_LABEL_DAYS = 10 * 365
"""Drive days in the trailing year below which a label says no rate."""
HIGH_LABEL = 2.0
"""A label's rate is coloured when its lower bound is above this many times the fleet's rate."""
LOW_LABEL = 2 / 3
"""The same for the upper bound below this part of it."""


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
    scene, moved = scene_of(previous, first_day, count - 1, drives, lifetimes, style)
    first = (first_day - start).days
    days = [start + timedelta(days=number) for number in range(first, count)]
    totals = Totals.of(drives, count)
    models = lifetimes.models()
    if not style.boot_drives:
        models = models.filter(~pl.col("boot"))
    known = models.sort("model")
    failures, exposure = rates.yearly_counts(daily, known["model"].to_list(), days)
    by_model = Rates.of(failures, exposure)
    of_fleet = Rates.of(failures.sum(axis=0)[None], exposure.sum(axis=0)[None])
    names = words.short_names(known["model"].to_list())
    said = np.arange(first, count) >= QUIET_DAYS
    fleet_rate = np.where(said, np.nan_to_num(of_fleet.afr[0], nan=-1), -1)
    counts = News(days, drives, totals, known, names, by_model, of_fleet)
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
