"""The zips that Backblaze publishes: their names, their days, and the identity of their content.

Only a zip's list of members is read here, so looking at a folder of 45 zips takes a moment. Days
that lie unpacked or gzipped in a folder make an archive as well.
"""

import hashlib
import os
import re
from contextlib import suppress
from dataclasses import astuple, dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from backblaze_assets.drive_stats.checksums import Checksums
from backblaze_assets.drive_stats.member import LARGEST_DAY, Member, Packing
from backblaze_assets.drive_stats.quarters import FIRST_DAY, quarter_name, quarter_of
from backblaze_assets.drive_stats.reading import Stamp, check_unchanged, open_regular, reading
from backblaze_assets.drive_stats.zip_directory import (
    DEFLATED,
    STORED,
    Entry,
    ZipError,
    read_directory,
)
from backblaze_assets.errors import DataError
from backblaze_assets.files.origin import digest

BASE_URL = "https://f001.backblazeb2.com/file/Backblaze-Hard-Drive-Data"

GIGABYTE = 10**9

MOST_BYTES = 64 * GIGABYTE
"""What the CSVs of a zip may take unpacked unless a person says otherwise.

The largest zip up to 2026 has 12.6 GB: every one that has been published passes three times over.
"""

_LAST_ANNUAL_YEAR = 2015
_DAY = re.compile(r"(\d{4})-(\d{2})-(\d{2})", re.ASCII)
_LIKE_A_DAY = re.compile(
    r"(?!\._).*(?:\.csv|\.zip|20\d\d([-_.]?)[01]?\d\1[0-3]?\d(?!\d)).*", re.ASCII | re.IGNORECASE
)
_ANNUAL = re.compile(r"data_(20\d\d)\.zip", re.ASCII | re.IGNORECASE)
_QUARTERLY = re.compile(r"data_Q([1-4])_(20\d\d)\.zip", re.ASCII | re.IGNORECASE)
_PACKINGS = {STORED: Packing.STORED, DEFLATED: Packing.DEFLATED}
_METHODS = {9: "Deflate64", 12: "bzip2", 14: "LZMA", 93: "Zstandard", 95: "xz", 98: "PPMd"}


@dataclass(frozen=True)
class LeftOut:
    """A file that looks like a day's CSV and is not imported, though nothing may be wrong with it.

    Attributes:
        path: the zip, or the file itself.
        name: its name inside the zip, or the file's name.
        day: the day that it is about; None where its name says none.
        reason: why, one sentence.
    """

    path: Path
    name: str
    day: date | None
    reason: str


@dataclass(frozen=True)
class Archive:
    """Days' CSVs: those of a zip, or those that lie in a folder, in zips or not.

    Attributes:
        path: the zip or the folder.
        members: the days' CSVs, in the order of the days. Those with a `problem` are among them:
            they are days of the data whose import fails.
        synthetic: whether the zip's comment says that the data are made up.
        left_out: what looks like a day and is not among `members`.
    """

    path: Path
    members: dict[date, Member]
    synthetic: bool
    left_out: tuple[LeftOut, ...] = ()
    checksums: Checksums | None = field(default=None, compare=False, repr=False)

    def days(self, quarter: date) -> list[date]:
        """The days of `quarter` that have a CSV, in order."""
        return [day for day in self.members if quarter_of(day) == quarter]

    def version(self, quarter: date) -> str:
        """Identity of a quarter's input: a digest over each day's date, CRC and size.

        It does not change when the zip is packed anew or unpacked, or when another quarter in it
        changes. CSVs outside of zips are read for it, unless `checksums` knows them; one that
        cannot be read counts as such, and its import says why.
        """
        members = [self.members[day] for day in self.days(quarter)]
        loose = [member for member in members if member.crc is None]
        known = dict(zip(loose, (self.checksums or Checksums(self.path)).of(loose), strict=True))
        identities = ((each.day, known.get(each, (each.crc, each.size))) for each in members)
        return digest(
            f"{day} {found[0]} {found[1]}" if found else f"{day} unreadable"
            for day, found in identities
        )

    def unread(self) -> list[Path]:
        """CSVs outside of zips whose `version` cannot be told without reading them."""
        loose = [member for member in self.members.values() if member.crc is None]
        return [each.path for each in (self.checksums or Checksums(self.path)).unknown(loose)]

    def files(self, quarter: date) -> list[Path]:
        """The files that the days of `quarter` lie in: the zip, or each CSV."""
        return sorted({self.members[day].path for day in self.days(quarter)})

    def stamp(self, quarter: date, *, inodes: bool = True) -> str:
        """What tells these files from others in their place, whatever their content.

        It changes when a damaged zip is replaced by a whole one, whose `version` is the same.

        Args:
            quarter: first day of the quarter.
            inodes: whether another file counts as one even if size and time are the same; these
                are all that two machines with copies of the same files have in common.
        """
        stamps = {self.members[day].path: self.members[day].stamp for day in self.days(quarter)}
        told = [stamp if inodes else replace(stamp, inode=0) for _, stamp in sorted(stamps.items())]
        return digest(str(astuple(stamp)) for stamp in told)

    def sources(self, quarter: date) -> dict[str, str]:
        """SHA-256 of what the days of `quarter` come from, by name: one for each zip.

        CSVs outside of zips have one together, by the name of their folder and their number. It is
        what `sha256sum *.csv | sha256sum` prints in that folder, as long as all can be read.

        Raises:
            DataError: a zip cannot be read, or is not the one that was looked at.
        """
        stamps = {self.members[day].path: self.members[day].stamp for day in self.days(quarter)}
        zips = sorted({self.members[d].path for d in self.days(quarter) if self.members[d].in_zip})
        found = {path.name: sha256(path, stamps[path]) for path in zips}
        loose = sorted(stamps.keys() - zips)
        if loose:
            lines = []
            for path in loose:
                with suppress(DataError):  # the import says why
                    lines.append(f"{sha256(path, stamps[path])}  {path.name}\n")
            name = f"{self.path.name}/ ({len(loose)} files)"
            found[name] = hashlib.sha256("".join(lines).encode()).hexdigest()
        return found

    def account(self, quarter: date) -> list[LeftOut]:
        """What looks like a day of `quarter`, or of no quarter served here, and is not imported."""
        others = {quarter_of(day) for day in self.members} - {quarter}
        return [
            each for each in self.left_out if each.day is None or quarter_of(each.day) not in others
        ]


class NoDaysError(DataError):
    """A zip that is in order and has no day in it."""


def archive_name(quarter: date) -> str:
    """Name of the zip that serves a quarter: yearly up to 2015, then quarterly."""
    if quarter.year <= _LAST_ANNUAL_YEAR:
        return f"data_{quarter.year}.zip"
    return f"data_Q{(quarter.month + 2) // 3}_{quarter.year}.zip"


def archive_url(name: str) -> str:
    """Where Backblaze publishes the zip called `name`."""
    return f"{BASE_URL}/{name}"


def quarters_of(name: str) -> list[date]:
    """The quarters that a zip of this name serves, in order; none for a foreign name."""
    if match := _ANNUAL.fullmatch(name):
        quarters = [date(int(match[1]), month, 1) for month in (1, 4, 7, 10)]
    elif match := _QUARTERLY.fullmatch(name):
        quarters = [date(int(match[2]), int(match[1]) * 3 - 2, 1)]
    else:
        return []
    return [
        quarter
        for quarter in quarters
        if quarter >= quarter_of(FIRST_DAY) and archive_name(quarter).lower() == name.lower()
    ]


def missing(folder: Path, quarter: date) -> DataError:
    """What to say when nothing in `folder` has a day of `quarter`."""
    name, shown = archive_name(quarter), quarter_name(quarter)
    if quarter < quarter_of(FIRST_DAY):
        return DataError(f"There are no data for {shown}: they begin on {FIRST_DAY}.")
    return DataError(
        f"{shown} needs {name}, which is not in {folder.resolve()}. Get it with "
        f"`backblaze-assets download {shown}`, or put it there from {archive_url(name)}; "
        "`backblaze-assets demo` works without any data."
    )


def scan(path: Path, *, most_bytes: int = MOST_BYTES) -> Archive:
    """Read a zip's list of members and find the days in it.

    A member is a day when its base name is exactly `YYYY-MM-DD.csv`, in upper or lower case and
    whatever the folder, and it is not in a folder `__MACOSX`, whose `._2019-01-01.csv` are no CSVs.
    A day that is encrypted, packed in an unknown way, too large, or there twice with different
    content is a member with a `problem`.

    Args:
        path: the zip.
        most_bytes: what its days may take unpacked, all together.

    Raises:
        NoDaysError: there is no day in it.
        DataError: not a whole zip, or more in it than `most_bytes`.
    """
    broken = "If a copy or download was cut short, remove it and fetch it again."
    with open_regular(path) as file, reading(path, broken):
        stamp = Stamp.of(os.fstat(file.fileno()))
        try:
            entries, comment = read_directory(file, stamp.size)
        except ZipError as error:
            what = _start_of(file) or str(error)
            raise DataError(f"{path} is not a whole zip file: {what}. {broken}") from error
    left_out: list[LeftOut] = []
    days: dict[date, list[Member]] = {}
    for entry in entries:
        where = PurePosixPath(entry.name)
        if entry.name.endswith("/") and not entry.size:  # a folder
            continue
        if "__MACOSX" in where.parts or not _LIKE_A_DAY.fullmatch(where.name):
            continue
        day = day_named(where.name)
        if isinstance(day, str):
            left_out.append(LeftOut(path, entry.name, None, day))
        else:
            days.setdefault(day, []).append(_member(path, stamp, day, entry))
    members = {}
    for day in sorted(days):
        members[day], others = _one_of(days[day])
        left_out += others
    total = sum(member.size or 0 for member in members.values())
    if total > most_bytes:
        raise DataError(
            f"{path} would take {total:,} bytes unpacked, and {most_bytes:,} are allowed. If it is "
            "not one of Backblaze's zips, remove it; otherwise set BACKBLAZE_ZIP_LIMIT to more "
            "gigabytes."
        )
    if not members:
        inside = f": {left_out[0].name} {left_out[0].reason}" if left_out else ""
        raise NoDaysError(
            f"{path} has no file named like 2013-04-10.csv in it; it is not a zip of daily "
            f"drive statistics{inside}. Remove it from the data folder."
        )
    return Archive(path, members, comment.startswith(b"SYNTHETIC"), tuple(left_out))


def day_named(name: str) -> date | str:
    """The day that a file is named after, such as `2013-04-10.csv`, or why it is none."""
    stem, _, suffix = name.partition(".")
    match = _DAY.fullmatch(stem)
    if not match or suffix.lower() != "csv":
        if name.lower().endswith(".zip"):
            return "is a zip inside a zip. Unpack it into the data folder"
        return "is not named after a day, as 2013-04-10.csv is"
    try:
        day = date(int(match[1]), int(match[2]), int(match[3]))
    except ValueError:  # such as 2019-02-30
        return "is named after a day that does not exist"
    if day < FIRST_DAY:
        return f"is named after a day before the first one published, {FIRST_DAY}"
    if day > datetime.now(UTC).date() + timedelta(days=1):
        return "is named after a day that is yet to come"
    return day


def _member(path: Path, stamp: Stamp, day: date, entry: Entry) -> Member:
    problem = ""
    if entry.encrypted:
        problem = "it is encrypted. Use the zip as published"
    elif entry.method not in _PACKINGS:
        method = _METHODS.get(entry.method, f"method {entry.method}")
        problem = (
            f"it is packed with {method}, and only deflate is supported. Use the zip as published, "
            "or pack it anew with deflate"
        )
    elif entry.size > LARGEST_DAY:
        problem = (
            f"it has {entry.size:,} bytes, and a day has at most {LARGEST_DAY:,}. Use the zip as "
            "published"
        )
    return Member(
        day=day,
        path=path,
        stamp=stamp,
        name=entry.name,
        packing=_PACKINGS.get(entry.method, Packing.STORED),
        crc=entry.crc,
        size=entry.size,
        compressed_size=entry.compressed_size,
        offset=entry.offset,
        problem=problem,
    )


def _one_of(members: list[Member]) -> tuple[Member, list[LeftOut]]:
    """The one file of several for one day, and what to say of the others."""
    first, *others = sorted(members, key=lambda member: (bool(member.problem), member.name))
    if all((each.crc, each.size) == (first.crc, first.size) for each in others):
        return first, [
            LeftOut(each.path, each.name, each.day, f"is the same file as {first.name}")
            for each in others
        ]
    names = " and ".join(each.name for each in [first, *others][:3])
    problem = f"there are {len(members)} different files for this day: {names}. Keep one of them"
    return replace(first, problem=problem), []


def _start_of(file: BinaryIO) -> str:
    """What a file that is no zip seems to be instead."""
    file.seek(0)
    start = file.read(512).lstrip().lower()
    if start.startswith((b"<!doctype html", b"<html", b"<?xml")):
        return "it is a web page, such as an error message or a login page"
    if start.startswith((b"\x1f\x8b", b"7z\xbc\xaf", b"rar!", b"bzh", b"\xfd7zxz")):
        return "it is packed in another way"
    return ""


def sha256(path: Path, expected: Stamp | None = None) -> str:
    """SHA-256 of a file, as hex.

    Raises:
        DataError: it cannot be read, or is not the `expected` one.
    """
    hasher = hashlib.sha256()
    with open_regular(path, expected) as file, reading(path, "Try again, or copy it anew."):
        while chunk := file.read(1 << 20):
            hasher.update(chunk)
        if expected is not None:
            check_unchanged(path, expected)
    return hasher.hexdigest()
