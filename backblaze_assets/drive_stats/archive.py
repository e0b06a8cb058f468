"""The zips that Backblaze publishes: their names, their days, and the identity of their content.

Only a zip's central directory is read here, so looking at a folder of 45 zips takes a moment.
"""

import hashlib
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path, PurePosixPath

from backblaze_assets.drive_stats.quarters import FIRST_DAY, quarter_name, quarter_of
from backblaze_assets.errors import DataError
from backblaze_assets.files.origin import digest

BASE_URL = "https://f001.backblazeb2.com/file/Backblaze-Hard-Drive-Data"

_LAST_ANNUAL_YEAR = 2015
_DAY_FILE = re.compile(r"(\d{4})-(\d{2})-(\d{2})\.csv", re.ASCII)
_ANNUAL = re.compile(r"data_(20\d\d)\.zip", re.ASCII | re.IGNORECASE)
_QUARTERLY = re.compile(r"data_Q([1-4])_(20\d\d)\.zip", re.ASCII | re.IGNORECASE)
_ENCRYPTED = 0x1


@dataclass(frozen=True)
class Member:
    """One day's CSV inside a zip.

    Attributes:
        day: the day that its name says.
        name: its full name inside the zip.
        crc: CRC-32 of the CSV.
        compressed_size: bytes inside the zip.
        size: bytes of the CSV.
        offset: where its local header starts in the zip.
        deflated: whether it is compressed (deflate) or stored as it is.
    """

    day: date
    name: str
    crc: int
    compressed_size: int
    size: int
    offset: int
    deflated: bool


@dataclass(frozen=True)
class Archive:
    """What a zip holds.

    Attributes:
        path: the zip.
        members: the days' CSVs, in the order of the days (not of the zip).
        synthetic: whether the zip's comment says that the data are made up.
    """

    path: Path
    members: dict[date, Member]
    synthetic: bool

    def days(self, quarter: date) -> list[date]:
        """The days of `quarter` that have a CSV, in order."""
        return [day for day in self.members if quarter_of(day) == quarter]

    def version(self, quarter: date) -> str:
        """Identity of a quarter's input: a digest over each day's date, CRC and size.

        It does not change when the zip is packed anew, or when another quarter in it changes.
        """
        members = [self.members[day] for day in self.days(quarter)]
        return digest(f"{member.day} {member.crc} {member.size}" for member in members)


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


def find_archives(folder: Path) -> dict[date, Path]:
    """The quarters served by the zips in `folder`, in order; none when there is no folder.

    Upper and lower case do not matter in the names; the exact name wins over another spelling.
    """
    if not folder.is_dir():
        return {}
    found: dict[date, Path] = {}
    for path in sorted(folder.iterdir()):
        for quarter in quarters_of(path.name):
            if quarter not in found or path.name == archive_name(quarter):
                found[quarter] = path
    return dict(sorted(found.items()))


def archive_of(folder: Path, quarter: date) -> Archive:
    """The zip in `folder` that serves `quarter`.

    Raises:
        DataError: it is not there, or cannot be read.
    """
    path = find_archives(folder).get(quarter)
    if path is None:
        name, shown = archive_name(quarter), quarter_name(quarter)
        if quarter < quarter_of(FIRST_DAY):
            raise DataError(f"There are no data for {shown}: they begin on {FIRST_DAY}.")
        raise DataError(
            f"{shown} needs {name}, which is not in {folder.resolve()}. Get it with "
            f"`backblaze-assets download {shown}`, or put it there from {archive_url(name)}; "
            "`backblaze-assets demo` works without any data."
        )
    return scan(path)


def scan(path: Path) -> Archive:
    """Read the zip's central directory and find the days in it.

    A member is a day when its base name is exactly `YYYY-MM-DD.csv`, whatever the folder, and not
    in the folder `__MACOSX`, whose `._2019-01-01.csv` are no CSVs.

    Raises:
        DataError: not a whole zip, no day in it, two files for one day, or a file that is
            encrypted or packed in a way other than deflate.
    """
    try:
        with zipfile.ZipFile(path) as file:
            found = list(_day_members(path, file))
            synthetic = file.comment.startswith(b"SYNTHETIC")
    except (zipfile.BadZipFile, EOFError) as error:
        raise DataError(
            f"{path} is not a whole zip file ({error}). If a copy or download was cut short, "
            "remove it and fetch it again."
        ) from error
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error}.") from error
    members: dict[date, Member] = {}
    for member in sorted(found, key=lambda member: (member.day, member.name)):
        if member.day in members:
            raise DataError(
                f"{path} has two files for {member.day}: {members[member.day].name} and "
                f"{member.name}. Remove one of them from the zip."
            )
        members[member.day] = member
    if not members:
        raise DataError(
            f"{path} has no file named like 2013-04-10.csv in it; it is not a zip of daily "
            "drive statistics."
        )
    return Archive(path, members, synthetic)


def _day_members(path: Path, file: zipfile.ZipFile) -> Iterator[Member]:
    for info in file.infolist():
        where = PurePosixPath(info.filename)
        match = _DAY_FILE.fullmatch(where.name)
        if not match or "__MACOSX" in where.parts:
            continue
        try:
            day = date(int(match[1]), int(match[2]), int(match[3]))
        except ValueError:  # such as 2019-02-30
            continue
        if info.flag_bits & _ENCRYPTED:
            raise DataError(f"{path}: {info.filename} is encrypted. Use the zip as published.")
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise DataError(
                f"{path}: {info.filename} is packed with method {info.compress_type}; only "
                "deflate is supported. Use the zip as published, or pack it anew with deflate."
            )
        yield Member(
            day=day,
            name=info.filename,
            crc=info.CRC,
            compressed_size=info.compress_size,
            size=info.file_size,
            offset=info.header_offset,
            deflated=info.compress_type == zipfile.ZIP_DEFLATED,
        )


def sha256(path: Path) -> str:
    """SHA-256 of a file, as hex.

    Raises:
        DataError: the file cannot be read, such as one that has just been deleted.
    """
    hasher = hashlib.sha256()
    try:
        with path.open("rb", buffering=0) as file:
            while chunk := file.read(1 << 20):
                hasher.update(chunk)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from error
    return hasher.hexdigest()
