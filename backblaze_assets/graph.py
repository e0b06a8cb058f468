"""The pipeline on one screen: what each asset reads, how it is partitioned, where its files are.

Everything else that knows of assets is derived from `GRAPH`: Dagster's dependencies and mappings,
code versions, what is up to date, the order of work, what the command line and the automation make,
the tables in the README. To add an asset, add its line here and a module of its name to `assets/`,
with a function of that name, which makes it.

A kind of reading says in one place which partitions of the upstream asset a partition is made from:
to Dagster as a partition mapping, to everybody else as a rule for keys.
"""

import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum

import dagster as dg

from backblaze_assets.drive_stats.quarters import quarter_of
from backblaze_assets.partitions import (
    Calendar,
    Key,
    Partitioning,
    day_of,
    unbroken,
    window_of_quarters,
)

QUARTERS, DAYS, NONE = Partitioning.QUARTERS, Partitioning.DAYS, Partitioning.NONE


@dataclass(frozen=True)
class Reading:
    """A kind of reading.

    Attributes:
        name: how it is called in tables for people.
        mapping: what Dagster is told.
        keys: by the same rule, for a calendar, the upstream asset's partitioning and a key of the
            downstream one: the upstream keys, in order.
        by_day: whether only the part of the upstream partition for one's own day counts, so that
            other days of it may change without consequence.
        chosen: whether the asset itself fetches the files that it uses of them, by `Step.fetch`.
    """

    name: str
    mapping: dg.PartitionMapping
    keys: Callable[[Calendar, Partitioning, Key], list[Key]]
    by_day: bool = False
    chosen: bool = False


def _windows(start: int, end: int) -> Callable[[Calendar, Partitioning, Key], list[Key]]:
    """The rule of Dagster's time-window mapping with these offsets, in quarters."""

    def keys(calendar: Calendar, upstream: Partitioning, key: Key) -> list[Key]:
        quarters = window_of_quarters(calendar, quarter_of(day_of(key)), start, end)
        if upstream is QUARTERS:
            return [str(quarter) for quarter in quarters]
        return [str(day) for quarter in quarters for day in calendar.days(quarter)]

    return keys


def _time_windows(start: int = 0, end: int = 0) -> dg.TimeWindowPartitionMapping:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.BetaWarning)  # the last parameter is marked so
        # What lies before the first partition does not exist, and need not.
        return dg.TimeWindowPartitionMapping(
            start_offset=start, end_offset=end, allow_nonexistent_upstream_partitions=True
        )


SAME_PERIOD = Reading("same period", _time_windows(), _windows(0, 0))
SAME_DAY = Reading("same day", _time_windows(), _windows(0, 0), by_day=True)
QUARTER_BEFORE = Reading("quarter before", _time_windows(-1, -1), _windows(-1, -1))
TRAILING_YEAR = Reading("last four quarters", _time_windows(-3), _windows(-3, 0))
NEWEST = Reading(
    "newest", dg.LastPartitionMapping(), lambda calendar, up, _: calendar.keys(up)[-1:]
)
ALL = Reading("all", dg.AllPartitionMapping(), lambda calendar, up, _: calendar.keys(up))
SOME_OF_ALL = replace(ALL, name="some of all", chosen=True)


class Source(Enum):
    """What an asset is made from beside other assets."""

    ZIP = "zip"
    LAYOUT_STYLE = "layout style"
    FRAME_STYLE = "frame style"
    PACE = "pace"
    FILM_STYLE = "film style"


@dataclass(frozen=True)
class Asset:
    """One line of the pipeline.

    Attributes:
        name: its key, and the name of its module in `assets/` and of its folder.
        partitioning: how it is partitioned.
        holds: what one partition holds, for people.
        files: the files of one partition below the asset's folder. `{key}` stands for the
            partition's key, `{day}` for each day that the materialization says it has.
        reads: how it reads each upstream asset; itself, if a partition continues an earlier one.
        sources: what else it is made from.
        group: where the UI shows it.
        pool: heavy steps of one pool work one at a time on a data folder, in whatever process,
            unless their partitions are divided among runs.
        blocking: its checks that must pass before anything is made from it.
        errors: its checks whose failure is an error as well, but holds nothing back; that of all
            other checks is a warning.
        kinds: icons in the UI.
    """

    name: str
    partitioning: Partitioning
    holds: str
    files: tuple[str, ...]
    reads: Mapping[str, Reading] = field(default_factory=dict)
    sources: tuple[Source, ...] = ()
    group: str = "drive_stats"
    pool: str | None = None
    blocking: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()
    kinds: frozenset[str] = frozenset({"parquet", "polars"})

    @property
    def is_divisible(self) -> bool:
        """Whether several runs may share its partitions: none needs another, and all are work."""
        work = self.pool is not None or self.partitioning is DAYS
        return work and self.partitioning is not NONE and self.name not in self.reads


def _graph(*assets: Asset) -> dict[str, Asset]:
    return {asset.name: asset for asset in assets}


GRAPH: Mapping[str, Asset] = _graph(
    Asset(
        "raw_quarter",
        QUARTERS,
        "typed Parquet, one file a day, every column of the CSVs",
        files=("{key}/{day}.parquet",),
        sources=(Source.ZIP,),
        pool="import",
        blocking=("rows_accounted_for",),
        errors=("days_readable",),
    ),
    Asset(
        "daily_stats",
        DAYS,
        "per model: drives, failures, capacity",
        files=("{key}.parquet",),
        reads={"raw_quarter": SAME_DAY},
    ),
    Asset(
        "drive_lifetimes",
        QUARTERS,
        "one row per drive ever seen: first and last day, failure, drive days",
        files=tuple(
            f"{{key}}/{table}.parquet"
            for table in ("drives", "spells", "days", "capacities", "counts")
        ),
        reads={"raw_quarter": SAME_PERIOD, "drive_lifetimes": QUARTER_BEFORE},
        blocking=("drives_once", "slots_gapless"),
        errors=("exposure_agrees",),
    ),
    Asset(
        "afr_table",
        QUARTERS,
        "per model, maker, size: failure rate with its interval, for quarter, year, lifetime",
        files=("{key}.parquet",),
        reads={"daily_stats": TRAILING_YEAR, "drive_lifetimes": SAME_PERIOD},
        errors=("agrees_with_daily_stats",),
    ),
    Asset(
        "survival",
        QUARTERS,
        "per model, maker, size: survival, hazard and removal by age, with intervals",
        files=("{key}.parquet",),
        reads={"drive_lifetimes": SAME_PERIOD},
    ),
    Asset(
        "film_layout",
        QUARTERS,
        "where each model's block stands, with its labels, captions and figures by day",
        files=("{key}.json",),
        reads={"drive_lifetimes": SAME_PERIOD, "film_layout": QUARTER_BEFORE},
        sources=(Source.LAYOUT_STYLE,),
        group="film",
        kinds=frozenset({"json"}),
    ),
    Asset(
        "frames",
        DAYS,
        "one JPEG",
        files=("{key}.jpg",),
        reads={"drive_lifetimes": SAME_PERIOD, "film_layout": SAME_PERIOD},
        sources=(Source.FRAME_STYLE,),
        group="film",
        pool="render",
        blocking=("frames_whole",),
        kinds=frozenset({"jpeg", "pillow", "numpy"}),
    ),
    Asset(
        "movie_clip",
        QUARTERS,
        "the quarter's frames as H.264",
        files=("{key}.mp4",),
        reads={"frames": SAME_PERIOD},
        sources=(Source.PACE,),
        group="film",
        pool="encode",
        blocking=("clips_complete",),
        kinds=frozenset({"mp4"}),
    ),
    Asset(
        "movie",
        NONE,
        "the film, with title and end card, and its subtitles",
        files=("movie.mp4", "movie.srt"),
        reads={
            "movie_clip": ALL,
            "film_layout": ALL,
            "drive_lifetimes": SOME_OF_ALL,
            "afr_table": NEWEST,
        },
        sources=(Source.FILM_STYLE,),
        group="film",
        pool="encode",
        errors=("film_complete", "film_plays"),
        kinds=frozenset({"mp4"}),
    ),
    Asset(
        "report",
        NONE,
        "a self-contained web page",
        files=("report.html",),
        reads={
            "afr_table": ALL,
            "survival": NEWEST,
            "drive_lifetimes": NEWEST,
            "film_layout": NEWEST,
        },
        sources=(Source.FRAME_STYLE,),
        kinds=frozenset({"html"}),
    ),
    Asset(
        "share",
        NONE,
        "poster, link picture and loops (WebM, GIF) for showing the film elsewhere",
        files=tuple(f"film/{it}" for it in ("poster.png", "link.png", "loop.webm", "loop.gif")),
        reads={
            "frames": SOME_OF_ALL,
            "film_layout": SOME_OF_ALL,
            "drive_lifetimes": NEWEST,
            "afr_table": NEWEST,
        },
        sources=(Source.FILM_STYLE,),
        group="film",
        pool="encode",
        kinds=frozenset({"png", "gif"}),
    ),
)
"""All assets, in an order in which they can be made; the film comes as early as it can."""


def keys_of(asset: str, calendar: Calendar) -> list[Key]:
    """All partition keys of an asset, in order."""
    return calendar.keys(GRAPH[asset].partitioning)


def reads_of(asset: str, key: Key, calendar: Calendar) -> dict[str, list[Key]]:
    """For one partition, the partitions of each upstream asset that it is made from.

    An upstream asset of which there are none is left out, such as the quarter before the first.
    """
    found = {
        upstream: reading.keys(calendar, GRAPH[upstream].partitioning, key)
        for upstream, reading in GRAPH[asset].reads.items()
    }
    return {upstream: keys for upstream, keys in found.items() if keys}


def ranges_of(asset: str, wanted: list[Key], calendar: Calendar) -> list[list[Key]]:
    """`wanted` partitions of an asset, in order, as unbroken ranges."""
    return unbroken(keys_of(asset, calendar), wanted)


def upstream_of(targets: Iterable[str]) -> list[str]:
    """`targets` and all assets that they are made from, in an order that works."""
    wanted = set(targets)
    for asset in reversed(list(GRAPH)):
        if asset in wanted:
            wanted |= set(GRAPH[asset].reads)
    return [asset for asset in GRAPH if asset in wanted]
