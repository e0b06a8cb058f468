"""A made-up fleet in the published layout, for trying everything out and for tests.

The models are those of the time. Their drives, days and failures are invented: arrivals pod by
pod, hazards shaped like a bathtub, migrations. So are examples of what makes the published files
awkward: days without a report, drives that come back after their failure, junk beside the data.
"""

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import groupby
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from backblaze_assets.drive_stats.archive import archive_name
from backblaze_assets.drive_stats.quarters import FIRST_DAY, quarter_of
from backblaze_assets.drive_stats.schema import HEADER_ONLY_DAYS
from backblaze_assets.files.atomic import atomic_path
from backblaze_assets.work.progress import work

LAST_DAY = date(2017, 12, 31)
"""The last day of the made-up fleet; with 2018 the published columns change again."""

PARTIAL_DAYS = (
    *(date(2013, 8, day) for day in range(20, 30)),
    *(date(2014, 6, day) for day in range(20, 23)),
)
"""Days on which one pod in twenty reports."""

POD = 45
"""Drives in a pod, which arrive and leave together; fewer in a fleet of less than 1,000."""

_NEVER = 2**20  # as a day number
_SMART_2013 = (
    *(1, 2, 3, 4, 5, 7, 8, 9, 10, 11, 12, 13, 15, 183, 184, 187, 188, 189, 190, 191),
    *(192, 193, 194, 195, 196, 197, 198, 199, 200, 201, 223, 225, 240, 241, 242, 250),
    *(251, 252, 254, 255),
)
_SMART_2015 = tuple(sorted({*_SMART_2013, 22, 220, 222, 224, 226}))

# An AppleDouble file, of the kind that stands beside every member of the published zips.
_JUNK = b"\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X        " + bytes(96)

_Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class _Model:
    """How one model comes and goes, counted in drives of a fleet that begins with 1,000.

    Attributes:
        name: as in the published files.
        gigabytes: nominal capacity.
        serial: what its serial numbers begin with.
        afr: failures in 100 drive years of mid-life.
        stock: drives of half a year to four years of age that are first reported on `since`.
        arrivals: how many new drives come, and the first and last day on which they do.
        leaving: first and last day of the migration that removes its pods.
    """

    name: str
    gigabytes: int
    serial: str
    afr: float
    stock: int = 0
    since: date = FIRST_DAY
    arrivals: tuple[int, str, str] = (0, "2013-04-10", "2013-04-10")
    leaving: tuple[str, str] | None = None


_BOOT_DRIVES = date(2013, 10, 1)  # reported since then

_MODELS = (
    _Model("Hitachi HDS722020ALA330", 2000, "JK11", 1.5, stock=220),
    _Model("Hitachi HDS5C3030ALA630", 3000, "MJ13", 1.0, stock=220),
    _Model(
        "ST3000DM001",
        3000,
        "Z1F",
        25.0,
        stock=150,
        arrivals=(45, "2013-05-02", "2013-09-20"),
        leaving=("2014-05-12", "2014-11-20"),
    ),
    _Model("Hitachi HDS5C4040ALE630", 4000, "PL13", 0.9, stock=115),
    _Model("ST31500541AS", 1500, "5XW", 11.0, stock=90, leaving=("2014-08-04", "2015-06-26")),
    _Model("Hitachi HDS723030ALA640", 3000, "MK03", 2.3, stock=50),
    _Model("ST31500341AS", 1500, "9VS", 22.0, stock=30, leaving=("2013-10-07", "2014-03-14")),
    _Model("WDC WD10EADS", 1000, "WD-WCAU", 6.0, stock=30, leaving=("2014-01-13", "2014-07-25")),
    _Model("WDC WD30EZRX", 3000, "WD-WCAW", 8.0, stock=25),
    _Model("ST33000651AS", 3000, "Z29", 5.0, stock=20),
    _Model("ST32000542AS", 2000, "5XX", 8.0, stock=20, leaving=("2014-02-03", "2014-09-05")),
    _Model(
        "WDC WD30EFRX", 3000, "WD-WCC4", 5.0, stock=20, arrivals=(45, "2013-09-02", "2014-06-13")
    ),
    _Model("TOSHIBA DT01ACA300", 3000, "Y3N", 4.0, stock=10),
    _Model("ST4000DM000", 4000, "Z30", 3.0, arrivals=(1800, "2013-05-10", "2015-10-30")),
    _Model("ST4000DX000", 4000, "Z1Z", 12.0, arrivals=(20, "2013-08-05", "2013-10-25")),
    _Model("HGST HMS5C4040ALE640", 4000, "PL23", 0.6, arrivals=(400, "2013-11-11", "2014-10-31")),
    _Model("HGST HMS5C4040BLE640", 4000, "PL17", 0.5, arrivals=(700, "2014-06-02", "2016-03-31")),
    _Model("ST6000DX000", 6000, "Z4D", 1.5, arrivals=(90, "2014-08-08", "2015-09-25")),
    _Model("WDC WD60EFRX", 6000, "WD-WX11", 4.5, arrivals=(30, "2014-11-24", "2015-03-13")),
    _Model("ST8000DM002", 8000, "ZA1", 1.5, arrivals=(450, "2016-05-11", "2016-12-09")),
    _Model("ST250LT007", 250, "W0Q", 3.0, stock=14, since=_BOOT_DRIVES),
    _Model("WDC WD5000LPVX", 500, "WD-WXA1", 4.0, stock=10, since=_BOOT_DRIVES),
)


def write_zips(
    folder: Path,
    *,
    drives: int = 1200,
    first: date = FIRST_DAY,
    last: date = date(2014, 12, 31),
    seed: int = 1,
    hazard: float = 1.0,
) -> list[Path]:
    """Write the zips that hold the days `first` to `last` of a made-up fleet.

    The fleet is the same whatever days are asked for: a drive keeps its serial number, model and
    fate over all zips, and a day's file does not depend on which others are written. The same
    arguments give the same bytes. The comment of each zip begins with `SYNTHETIC`.

    Args:
        folder: where the zips go, named as the published ones: `data_2013.zip`.
        drives: drives that report on the very first day; a model has at least one. The fleet
            grows to two and a half times as many by the end of 2014.
        first: first day, at least `FIRST_DAY`.
        last: last day, at most `LAST_DAY`.
        seed: another seed, another fleet.
        hazard: all failure rates are multiplied by it; a tiny fleet needs many to have some.

    Returns:
        The paths in order of time.

    Raises:
        ValueError: the days are reversed or outside of what the fleet covers.
    """
    if not FIRST_DAY <= first <= last <= LAST_DAY:
        raise ValueError(f"days must be in order and in {FIRST_DAY} to {LAST_DAY}: {first}, {last}")
    fleet = _fleet(drives, seed, hazard)
    days = [first + timedelta(days=offset) for offset in range((last - first).days + 1)]
    comment = f"SYNTHETIC fleet of backblaze-assets: drives={drives} seed={seed} hazard={hazard}"
    paths = []
    with work("writing a made-up fleet", len(days), "days") as progress:
        for name, group in groupby(days, lambda day: archive_name(quarter_of(day))):
            path = folder / name
            with atomic_path(path) as unfinished, zipfile.ZipFile(unfinished, "w") as archive:
                archive.comment = comment.encode()
                top = path.stem if "Q" in name else path.stem.removeprefix("data_")
                _add(archive, f"{top}/.DS_Store", _JUNK)
                for day in _shuffled(list(group), seed):
                    _add(archive, f"{top}/{day}.csv", _report(fleet, day).write_csv().encode())
                    _add(archive, f"__MACOSX/{top}/._{day}.csv", _JUNK)
                    progress.advance(1)
            paths.append(path)
    return paths


def _shuffled(days: Sequence[date], seed: int) -> list[date]:
    """`days` in another order: the members of the published zips are in none."""
    order = np.random.default_rng([seed, days[0].toordinal()]).permutation(len(days))
    return [days[index] for index in order]


def _add(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    """Add a member; its time is a constant, so that the same fleet gives the same bytes."""
    member = zipfile.ZipInfo(name, date_time=(2013, 4, 10, 0, 0, 0))
    archive.writestr(member, content, zipfile.ZIP_DEFLATED, compresslevel=1)


def _day_number(day: date) -> int:
    """Days since `FIRST_DAY`."""
    return (day - FIRST_DAY).days


def _fleet(drives: int, seed: int, hazard: float) -> pl.DataFrame:
    """One row per drive that ever reports, in the order in which the files list them.

    Columns: drive (a number), serial_number, model, capacity_bytes, pod, age (days, on the first
    day seen), first and last (day numbers), failed (whether on the last day), again_first and
    again_last (day numbers; some report again after their failure), failed_again.
    """
    fleet = pl.concat(
        _drives_of(model, drives / 1000, hazard, np.random.default_rng([seed, index]))
        for index, model in enumerate(_MODELS)
    )
    failed, last = fleet["failed"].to_numpy(), fleet["last"].to_numpy()
    # Of the drives that fail, in order of time, one in 30 is back after a week, the first among
    # them; and every other one of these fails again.
    back = np.flatnonzero(failed)[np.argsort(last[failed], kind="stable")][::30]
    again_first, again_last = np.full(fleet.height, _NEVER), np.full(fleet.height, -1)
    again_first[back], again_last[back] = last[back] + 7, _next_full_day(last[back] + 40)
    number = np.arange(fleet.height)
    fleet = fleet.with_columns(
        drive=pl.Series(number),
        # An odd factor permutes the 32-bit numbers, so that serial numbers stay distinct.
        serial_number=pl.Series(
            f"{prefix}{n * 2654435761 % 2**32:08X}" for n, prefix in enumerate(fleet["serial"])
        ),
        pod=pl.struct("model", "pod").rle_id(),
        again_first=pl.Series(again_first),
        again_last=pl.Series(again_last),
        failed_again=pl.Series(np.isin(number, back[::2])),
    )
    return fleet[np.random.default_rng([seed, len(_MODELS)]).permutation(number)]


def _drives_of(
    model: _Model, scale: float, hazard: float, rng: np.random.Generator
) -> pl.DataFrame:
    """The drives of one model; `serial` is what their serial numbers begin with."""
    arrivals, *arriving = model.arrivals
    stock, arrivals = (max(bool(n), round(n * scale)) for n in (model.stock, arrivals))
    new = np.arange(stock + arrivals) >= stock
    in_a_pod = max(1, round(POD * min(1, scale)))
    pod = np.where(new, stock // in_a_pod + 1, 0) + np.arange(stock + arrivals) // in_a_pod
    pods = pod[-1] + 1
    arrival = np.sort(_random_days(rng, arriving, pods))[pod]
    first = np.where(new, arrival, _day_number(model.since))
    age = np.where(new, 0, rng.integers(180, 1460, pods)[pod])
    leaving = _random_days(rng, model.leaving, pods) if model.leaving else np.full(pods, _NEVER)
    leave = leaving[pod]
    # A drive fails when its cumulated hazard since it arrived reaches an exponentially
    # distributed number. The hazard is high in the first weeks, low after, and rises with age.
    ages = np.arange(20 * 365)
    bathtub = 1 + 3 * np.exp(-ages / 60) + (ages / 2000) ** 3
    cumulated = np.cumsum(bathtub) * model.afr / 36500 * hazard
    fate = np.searchsorted(cumulated, cumulated[age] + rng.exponential(size=age.size))
    failure = first + fate - age
    failed = (failure < leave) & (failure <= _day_number(LAST_DAY))
    last = np.where(failed, _next_full_day(failure), leave - 1)
    sectors = 97_696_368 + 1_953_504 * (model.gigabytes - 50)  # the industry's rule, IDEMA LBA1-02
    return pl.DataFrame(
        {
            "serial": np.full(age.size, model.serial),
            "model": np.full(age.size, model.name),
            "capacity_bytes": np.full(age.size, sectors * 512),
            "pod": pod,
            "age": age,
            "first": first,
            "last": last,
            "failed": failed,
        }
    )


def _random_days(rng: np.random.Generator, span: Sequence[str], count: int) -> _Numbers:
    """Day numbers from the first to the last day of `span`."""
    first, last = (_day_number(date.fromisoformat(day)) for day in span)
    return rng.integers(first, last, count, endpoint=True)


def _next_full_day(day: _Numbers) -> _Numbers:
    """Each day number, or the next one on which all drives report: so no failure goes unseen."""
    for odd in sorted(HEADER_ONLY_DAYS.union(PARTIAL_DAYS)):
        day = np.where(day == _day_number(odd), day + 1, day)
    return day


def _report(fleet: pl.DataFrame, day: date) -> pl.DataFrame:
    """The rows of one day's file, in all columns that the published files have that year."""
    today = _day_number(day)
    drive, last = pl.col("drive"), pl.col("last")
    present = pl.lit(today).is_between("first", "last") | pl.lit(today).is_between(
        "again_first", "again_last"
    )
    if day in PARTIAL_DAYS:
        present &= pl.col("pod") % 20 == 0
    if day in HEADER_ONLY_DAYS:
        present = pl.lit(value=False)
    failure = ((last == today) & pl.col("failed")) | (
        (pl.col("again_last") == today) & pl.col("failed_again")
    )
    # Of this model, every third drive reports two blanks; and a capacity is not known at times.
    model = pl.col("model")
    two_blanks = (model == "WDC WD30EFRX") & (drive % 3 == 0)
    smart = _smart(today, first_year=day.year == 2013)
    ids = _SMART_2013 if day.year < 2015 else _SMART_2015
    names = [f"smart_{number}_{kind}" for number in ids for kind in ("normalized", "raw")]
    return fleet.filter(present).select(
        date=pl.lit(str(day)),
        serial_number="serial_number",
        model=pl.when(two_blanks).then(model.str.replace(" ", "  ")).otherwise(model),
        capacity_bytes=pl.when((drive + today) % 1009 == 0).then(-1).otherwise("capacity_bytes"),
        failure=failure.cast(pl.Int8),
        **{name: smart.get(name, pl.lit(None, pl.Int64)) for name in names},
    )


def _smart(today: int, *, first_year: bool) -> dict[str, pl.Expr]:
    """Values of the SMART columns that are not blank. Failing drives show it a month ahead."""
    drive = pl.col("drive")
    hours = (today - pl.col("first") + pl.col("age")) * 24 + drive % 24
    temperature = 22 + drive % 9 + (drive * 31 + today * 17) % 3
    illness = pl.when("failed").then((30 - (pl.col("last") - today)).clip(0, 30)).otherwise(0)
    raw = {
        1: drive * 7919 * today % 2**27,
        5: illness * (drive % 5),
        9: hours,
        194: temperature,
        197: illness // 8 * 8,
    }
    if first_year:  # which published these five, and no normalized values
        return {f"smart_{number}_raw": value for number, value in raw.items()}
    seagate = pl.when(pl.col("model").str.starts_with("ST"))
    raw |= {
        12: 1 + drive % 40,
        187: seagate.then(illness // 3),
        190: seagate.then(temperature),
        241: seagate.then(hours * 20_000_000),
    }
    normalized = {
        5: 100 - illness,
        9: (100 - hours // 876).clip(1),
        12: pl.lit(100),
        187: seagate.then(100 - illness // 3),
        190: seagate.then(100 - temperature),
        194: temperature,
        197: pl.lit(100),
    }
    return {f"smart_{number}_raw": value for number, value in raw.items()} | {
        f"smart_{number}_normalized": value for number, value in normalized.items()
    }
