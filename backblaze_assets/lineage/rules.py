"""What every partition is made from, and whether it is up to date.

A partition is up to date when it was materialized by the same code from the same versions of its
inputs as there are now, and no blocking check refuses it. This comes from Dagster's records and,
for `raw_quarter`, from the directories of the zips, so the command line, the daemon and the assets
themselves agree. What was materialized and whose files have been deleted since is missing.
"""

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from enum import Enum
from functools import cached_property
from pathlib import Path

from backblaze_assets.drive_stats.archive import Archive, find_archives, scan
from backblaze_assets.drive_stats.quarters import quarter_of
from backblaze_assets.errors import DataError
from backblaze_assets.files.folder import DataFolder
from backblaze_assets.files.origin import digest_versions
from backblaze_assets.film.style import Style
from backblaze_assets.instance.records import Evaluation
from backblaze_assets.lineage.code_version import PACKAGE, code_version
from backblaze_assets.lineage.ledger import Ledger, Materialization

LIFETIMES = ("drives", "spells", "days", "capacities")
"""Files of a partition of `drive_lifetimes`."""

ABSENT = ""
"""Version of an input that is not there."""

NO_REPORT = "no report"
"""Version of a day that the zip has no file for."""

DAY_VERSIONS = "day_versions"
"""Metadata of `raw_quarter`: the data version of each day, by its date."""


Key = str | None
"""A partition's key; None for an asset without partitions."""


@dataclass(frozen=True)
class Rule:
    """What there ought to be of one asset, and from what it is made.

    Attributes:
        asset: its key.
        code_version: digest of the code that its content depends on.
        upstream: the assets that it reads.
        keys: the partitions that there ought to be, in order.
        reads: for one partition, the partitions of each upstream asset that it reads.
        also: versions of further inputs of one partition, which take precedence over those of
            assets of the same name.
    """

    asset: str
    code_version: str
    upstream: tuple[str, ...]
    keys: Callable[["Lineage"], list[Key]]
    reads: Callable[["Lineage", Key], dict[str, list[Key]]]
    also: Callable[["Lineage", Key], dict[str, str]] = lambda _, __: {}


class Status(Enum):
    """How one partition stands."""

    UP_TO_DATE = "up to date"
    OUT_OF_DATE = "out of date"
    REFUSED = "refused by a check"
    MISSING = "missing"


@dataclass(frozen=True)
class Cause:
    """One reason why a partition is not up to date.

    Attributes:
        what: `code`, or the name of the input that changed.
        before, now: its version then and now; ABSENT where there is or was none.
    """

    what: str
    before: str
    now: str


class Lineage:
    """How everything in a data folder stands, by the records of one Dagster instance."""

    def __init__(self, ledger: Ledger, folder: DataFolder, style: Style) -> None:
        self.ledger = ledger
        self.folder = folder
        self.style = style
        self._names: dict[str, set[str]] = {}

    def forget(self) -> None:
        """Read records and folders anew when asked next; zips are looked at once."""
        self.ledger.forget()
        self._names.clear()

    # What there is to work from

    @cached_property
    def _zips(self) -> dict[date, Archive | DataError]:
        """The zip of each quarter for which the folder has one, or why it cannot be read."""
        paths = find_archives(self.folder.root)
        scanned = {path: _scan(path) for path in set(paths.values())}
        return {quarter: scanned[path] for quarter, path in paths.items()}

    @cached_property
    def archives(self) -> dict[date, Archive]:
        """The zip of each quarter for which the folder has one that holds days of it.

        One that cannot be read counts as absent, so that nothing else has to wait for it.
        """
        return {q: it for q, it in self._zips.items() if isinstance(it, Archive) and it.days(q)}

    @property
    def unreadable(self) -> dict[date, DataError]:
        """Quarters whose zip cannot be read, perhaps because it is being copied, and why."""
        return {q: it for q, it in self._zips.items() if isinstance(it, DataError)}

    @property
    def imported(self) -> list[date]:
        """Quarters that `raw_quarter` has, in order."""
        return sorted(date.fromisoformat(key) for key in self.ledger.all("raw_quarter") if key)

    def day_versions(self, quarter: date) -> dict[str, str]:
        """Data version of each imported day of a quarter, in order of days."""
        made = self.ledger.get("raw_quarter", quarter.isoformat())
        return dict(sorted(made.metadata[DAY_VERSIONS].items())) if made else {}

    def days(self, quarter: date) -> list[date]:
        """The film's days of a quarter: all from the first to the last that its zip has."""
        known = [date.fromisoformat(day) for day in self.day_versions(quarter)]
        if not known and quarter in self.archives:
            known = self.archives[quarter].days(quarter)
        if not known:
            return []
        first, last = min(known), max(known)
        return [first + timedelta(days=n) for n in range((last - first).days + 1)]

    def quarters(self) -> list[date]:
        """Quarters that are imported or could be, in order."""
        return sorted({*self.imported, *self.archives})

    def quarter_before(self, quarter: date) -> date | None:
        """The imported quarter that a quarter's history continues; None for the first."""
        return max((other for other in self.imported if other < quarter), default=None)

    def trailing_days(self, quarter: date) -> list[date]:
        """The days of the four quarters that end with `quarter`, as far as they are imported."""
        first = date(quarter.year - 1, quarter.month, 1)
        year = [other for other in self.imported if first < other <= quarter]
        return [day for other in year for day in self.days(other)]

    def sources(self) -> dict[str, str]:
        """SHA-256 of every imported zip, by file name."""
        records = self.ledger.all("raw_quarter").values()
        return {made.metadata["zip"]: made.metadata["zip_sha256"] for made in records}

    # How partitions stand

    def reads(self, asset: str, key: Key) -> dict[str, list[Key]]:
        """For one partition, the partitions of each upstream asset that it is made from."""
        return RULES[asset].reads(self, key)

    def inputs(self, asset: str, key: Key) -> dict[str, str]:
        """Current version of each input of one partition; ABSENT for one that is not there.

        Where many partitions of an asset are read, their version is a digest of all of theirs.
        """
        rule = RULES[asset]
        found = {
            upstream: self._version_of(upstream, keys)
            for upstream, keys in rule.reads(self, key).items()
        }
        return found | rule.also(self, key)

    def _version_of(self, asset: str, keys: list[Key]) -> str:
        versions = {str(key): self.ledger.version(asset, key) for key in keys}
        there = {key: version for key, version in versions.items() if version}
        if not there or len(there) < len(versions):
            return ABSENT
        return digest_versions(there) if len(there) > 1 else next(iter(there.values()))

    def expected(self, asset: str) -> list[Key]:
        """Partitions that there ought to be of an asset."""
        return RULES[asset].keys(self)

    def status(self, asset: str, key: Key) -> Status:
        """How one partition stands."""
        made = self.ledger.get(asset, key)
        if made is None or (not self.has_files(made) and self._can_import(made)):
            return Status.MISSING
        if self.causes(made):
            return Status.OUT_OF_DATE
        return Status.REFUSED if self.refusals(asset, key) else Status.UP_TO_DATE

    def has_files(self, made: Materialization) -> bool:
        """Whether all files of a materialized partition are there."""
        if made.asset not in self._names:
            self._names[made.asset] = self.folder.names(made.asset)
        name = os.path.basename(made.metadata["path"])  # noqa: PTH119  # pathlib takes 5 times as long
        wanted = [name]
        if made.asset == "raw_quarter":
            wanted = [f"{name}/{day}.parquet" for day in made.metadata[DAY_VERSIONS]]
        elif made.asset == "drive_lifetimes":
            wanted = [f"{name}/{table}.parquet" for table in LIFETIMES]
        return self._names[made.asset].issuperset(wanted)

    def _can_import(self, made: Materialization) -> bool:
        """Whether a quarter's zip is still there; it may have been deleted with the raw files."""
        return made.asset != "raw_quarter" or _day(made.partition) in self.archives

    def refusals(self, asset: str, key: Key) -> list[Evaluation]:
        """Blocking checks whose latest evaluation of a materialized partition failed."""
        made = self.ledger.get(asset, key)
        if made is None or asset not in BLOCKING:
            return []
        return self.ledger.failures(made, BLOCKING[asset])

    def held_by(self, asset: str, key: Key) -> dict[str, list[Key]]:
        """For one partition, what it is made from and a check refuses: by upstream asset."""
        held = {
            upstream: [other for other in keys if self.refusals(upstream, other)]
            for upstream, keys in self.reads(asset, key).items()
        }
        return {upstream: keys for upstream, keys in held.items() if keys}

    def causes(self, made: Materialization) -> list[Cause]:
        """Why a materialized partition is out of date; empty when it is not."""
        now = self.inputs(made.asset, made.partition)
        if made.asset == "raw_quarter" and ABSENT in now.values():
            return []  # its zip was deleted after the import: nothing could be done anew
        code = RULES[made.asset].code_version
        changed = [Cause("code", made.code_version, code)] if made.code_version != code else []
        names = sorted({*made.inputs, *now})
        versions = [(name, made.inputs.get(name, ABSENT), now.get(name, ABSENT)) for name in names]
        return changed + [Cause(*version) for version in versions if version[1] != version[2]]

    def to_do(self, asset: str, *, refused: bool = False) -> list[Key]:
        """Partitions of an asset to materialize now, in order.

        These are the ones that are not up to date and have all inputs, or get what they lack from
        an earlier partition of the list, as a quarter of a history that is being begun does. And
        the ones that continue one of the list, so that a history which changes in the middle takes
        one run, not one a quarter; those that come out the same are kept. Nothing is to be made
        from what a blocking check refuses.

        Args:
            asset: its key.
            refused: also those that a blocking check refuses, to be judged anew.
        """
        settled = {Status.UP_TO_DATE} | (set() if refused else {Status.REFUSED})
        found: list[Key] = []
        for key in self.expected(asset):
            own = self.reads(asset, key).get(asset, [])
            continues = any(other in found for other in own)
            if self.status(asset, key) in settled and not continues:
                continue
            held = self.held_by(asset, key)
            if set(held.pop(asset, [])) - set(found) or held:
                continue
            absent = {name for name, version in self.inputs(asset, key).items() if not version}
            if not absent or (absent == {asset} and continues):
                found.append(key)
        return found


def _scan(path: Path) -> Archive | DataError:
    try:
        return scan(path)
    except DataError as error:
        return error


# The keys that there ought to be


def _all_quarters(lineage: Lineage) -> list[Key]:
    return [str(quarter) for quarter in lineage.quarters()]


def _all_days(lineage: Lineage) -> list[Key]:
    return [str(day) for quarter in lineage.quarters() for day in lineage.days(quarter)]


def _the_one(lineage: Lineage) -> list[Key]:
    return [None] if lineage.quarters() else []


# What a partition reads


def _day(key: Key) -> date:
    """The date of the key of an asset with partitions."""
    return date.fromisoformat(str(key))


def _nothing(_: Lineage, __: Key) -> dict[str, list[Key]]:
    return {}


def _zip(lineage: Lineage, key: Key) -> dict[str, str]:
    archive = lineage.archives.get(_day(key))
    return {"zip": archive.version(_day(key)) if archive else ABSENT}


def _raw_quarter(_: Lineage, key: Key) -> dict[str, list[Key]]:
    return {"raw_quarter": [str(quarter_of(_day(key)))]}


def _raw_day(lineage: Lineage, key: Key) -> dict[str, str]:
    """The version of that day alone: a zip published anew seldom changes all its days."""
    versions = lineage.day_versions(quarter_of(_day(key)))
    return {"raw_quarter": versions.get(str(key), NO_REPORT if versions else ABSENT)}


def _raw_and_before(lineage: Lineage, key: Key) -> dict[str, list[Key]]:
    before = lineage.quarter_before(_day(key))
    return {"raw_quarter": [key]} | ({"drive_lifetimes": [str(before)]} if before else {})


def _lifetimes_and_year(lineage: Lineage, key: Key) -> dict[str, list[Key]]:
    return {
        "drive_lifetimes": [key],
        "daily_stats": [str(day) for day in lineage.trailing_days(_day(key))],
    }


def _newest_lifetimes(lineage: Lineage, _: Key) -> dict[str, list[Key]]:
    return {"drive_lifetimes": _all_quarters(lineage)[-1:]}


def _style(lineage: Lineage, _: Key) -> dict[str, str]:
    return {"style": lineage.style.version}


def _lifetimes_and_layout(_: Lineage, key: Key) -> dict[str, list[Key]]:
    return {"drive_lifetimes": [str(quarter_of(_day(key)))], "film_layout": [None]}


def _frames_of_quarter(lineage: Lineage, key: Key) -> dict[str, list[Key]]:
    return {"frames": [str(day) for day in lineage.days(_day(key))]}


def _clips_and_ending(lineage: Lineage, key: Key) -> dict[str, list[Key]]:
    """All clips, and what the closing frames are drawn from."""
    clips = {"movie_clip": _all_quarters(lineage)}
    return clips | _newest_lifetimes(lineage, key) | {"film_layout": [None]}


FONTS = [f"film/fonts/{path.name}" for path in sorted((PACKAGE / "film" / "fonts").glob("*.ttf"))]

RULES: dict[str, Rule] = {
    rule.asset: rule
    for rule in (
        Rule(
            "raw_quarter", code_version("drive_stats.importer"), (), _all_quarters, _nothing, _zip
        ),
        Rule(
            "daily_stats",
            code_version("drive_stats.daily"),
            ("raw_quarter",),
            _all_days,
            _raw_quarter,
            _raw_day,
        ),
        Rule(
            "drive_lifetimes",
            code_version("drive_stats.lifetimes"),
            ("raw_quarter",),
            _all_quarters,
            _raw_and_before,
        ),
        Rule(
            "afr_table",
            code_version("drive_stats.afr"),
            ("daily_stats", "drive_lifetimes"),
            _all_quarters,
            _lifetimes_and_year,
        ),
        Rule(
            "film_layout",
            code_version("film.layout"),
            ("drive_lifetimes",),
            _the_one,
            _newest_lifetimes,
            _style,
        ),
        Rule(
            "frames",
            code_version("film.render", *FONTS),
            ("drive_lifetimes", "film_layout"),
            _all_days,
            _lifetimes_and_layout,
        ),
        Rule(
            "movie_clip",
            code_version("film.encode"),
            ("frames",),
            _all_quarters,
            _frames_of_quarter,
        ),
        Rule(
            "movie",
            code_version("film.render", "film.encode", *FONTS),
            ("movie_clip", "drive_lifetimes", "film_layout"),
            _the_one,
            _clips_and_ending,
        ),
    )
}
"""The rules of all assets, in an order in which they can be materialized."""

DAILY = {"daily_stats", "frames"}
"""Assets whose partitions are days."""


BLOCKING = {
    "raw_quarter": ("rows_accounted_for",),
    "drive_lifetimes": ("drives_once", "slots_gapless"),
    "frames": ("frames_whole",),
    "movie_clip": ("clips_complete",),
}
"""Asset checks that hold back, by a failure with ERROR, whatever is made from what they refuse."""


def upstream_of(targets: Iterable[str]) -> list[str]:
    """`targets` and all assets that they are made from, in an order that works."""
    wanted = set(targets)
    for asset in reversed(RULES):
        if asset in wanted:
            wanted |= set(RULES[asset].upstream)
    return [asset for asset in RULES if asset in wanted]
