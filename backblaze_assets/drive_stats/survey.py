"""What lies in the data folder and looks like data: used by its content, or named with the reason.

Zips under the names that Backblaze gives them are the rule. People also have zips under names of
their own, a year or a day in one zip, unpacked CSVs in folders or all in one, gzipped ones, zips in
subfolders, unfinished downloads. Only lists of members and names are read here, and no more than
the first bytes of a file whose name does not say what it is.
"""

import os
import re
import stat
import zlib
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from backblaze_assets.drive_stats.archive import (
    MOST_BYTES,
    Archive,
    LeftOut,
    NoDaysError,
    archive_name,
    day_named,
    missing,
    quarters_of,
    scan,
)
from backblaze_assets.drive_stats.checksums import Checksums
from backblaze_assets.drive_stats.member import LARGEST_DAY, Member, Packing
from backblaze_assets.drive_stats.quarters import quarter_name, quarter_of
from backblaze_assets.drive_stats.reading import Stamp, open_regular
from backblaze_assets.errors import DataError

_DEEPEST = 4
_MOST_ENTRIES = 200_000
_MOST_NAMED = 5
_BEGINNING = 4096
_NAMED_LIKE_DATA = re.compile(
    r"data[-_ ]?(q[1-4][-_ ]?)?20\d\d|20\d\d[-_ ]?data|drive[-_ ]?stats|20\d\d-\d\d-\d\d"
    r"|20\d\d[-_ ]?q[1-4]|q[1-4][-_ ]?20\d\d",
    re.ASCII | re.IGNORECASE,
)
_UNFINISHED = re.compile(
    r"\.(crdownload|part|partial|download|opdownload|aria2|filepart|!ut)$", re.IGNORECASE
)
_PACKED = re.compile(r"\.(tar|tgz|tbz2?|txz|7z|rar|xz|bz2|zst|lz4|gz|z\d\d)$", re.IGNORECASE)
_ZIP_OR_CSV = re.compile(r"\.(zip|csv)\b", re.IGNORECASE)
_TEXT = re.compile(r"\.(csv|csv\.gz|tsv|txt)$", re.IGNORECASE)


@dataclass(frozen=True)
class Survey:
    """What lies in the data folder and looks like data.

    Attributes:
        archives: for each quarter of which there is a day, in order, what serves it; only days of
            that quarter are among its members.
        unusable: what looks like data and cannot be read; the error names it and what to do.
        unused: what looks like data and is not used, wholly or in part: why, and what to do.
        folder: the data folder.
    """

    archives: dict[date, Archive]
    unusable: dict[Path, DataError]
    unused: dict[Path, str]
    folder: Path

    def unread(self) -> list[Path]:
        """CSVs outside of zips that have to be read before anything can be said of them."""
        return [path for archive in self.archives.values() for path in archive.unread()]

    def archive(self, quarter: date) -> Archive:
        """What serves `quarter`.

        Raises:
            DataError: there is nothing, or it cannot be read.
        """
        if quarter in self.archives:
            return self.archives[quarter]
        for path, error in self.unusable.items():
            if quarter in quarters_of(path.name):
                raise error
        raise missing(self.folder, quarter)


@dataclass
class _Source:
    """A zip, or the CSVs of one folder."""

    path: Path
    members: dict[date, Member]
    synthetic: bool = False
    left_out: list[LeftOut] = field(default_factory=list)
    used: set[date] = field(default_factory=set)

    @property
    def is_zip(self) -> bool:
        return next(iter(self.members.values())).path == self.path

    def rank(self, quarter: date) -> tuple[object, ...]:
        """Smaller is better: published names, then zips, then more days, then by name."""
        days = sum(quarter_of(day) == quarter for day in self.members)
        return (
            quarter not in quarters_of(self.path.name) or not self.is_zip,
            self.path.name != archive_name(quarter),
            not self.is_zip,
            -days,
            len(self.path.parts),
            str(self.path),
        )


@dataclass
class _Findings:
    """What is found on the way."""

    zips: list[Path] = field(default_factory=list)
    loose: dict[Path, list[Path]] = field(default_factory=dict)  # by folder
    folders_like_zips: list[Path] = field(default_factory=list)
    unusable: dict[Path, DataError] = field(default_factory=dict)
    unused: dict[Path, str] = field(default_factory=dict)


def survey(folder: Path, no_input: Collection[str] = (), *, most_bytes: int = MOST_BYTES) -> Survey:
    """Look through the data folder; no file that is wrong keeps others from being found.

    A zip under a published name serves the quarters of its name. Any other zip, and CSVs outside
    of zips, serve the quarters of their days. Where several have the same day, the published name
    wins, then zips, then whichever has most days of the quarter.

    Args:
        folder: the data folder; it need not exist.
        no_input: names of folders in it that hold no input, such as results.
        most_bytes: what the days of one zip may take unpacked.
    """
    found = _Findings()
    if folder.is_dir():
        _walk(folder, no_input, found)
    sources = [
        *_zip_sources(found, most_bytes),
        *(_loose_source(where, paths, found) for where, paths in sorted(found.loose.items())),
    ]
    sources = [source for source in sources if source.members]
    for source in sources:
        _keep_to_its_name(source)
    for path in found.folders_like_zips:
        if not any(path in source.path.parents or path == source.path for source in sources):
            found.unusable[path] = DataError(
                f"{path} is a folder, not a zip, and no day's CSV is in it. Remove it, or fetch "
                "the zip again."
            )
    quarters = sorted({quarter_of(day) for source in sources for day in source.members})
    checksums = Checksums(folder)
    archives = {quarter: _archive(quarter, sources, folder, checksums) for quarter in quarters}
    for source in sources:
        _name_what_is_left(source, sources, found.unused)
    return Survey(
        archives,
        dict(sorted(found.unusable.items())),
        dict(sorted(found.unused.items())),
        folder,
    )


def _walk(folder: Path, no_input: Collection[str], found: _Findings) -> None:
    """Sort what is in `folder` and below it."""
    todo = [(folder, 0)]
    seen: set[tuple[int, int]] = set()
    entries = 0
    while todo:
        where, depth = todo.pop()
        for entry in _entries(where, found):
            entries += 1
            if entries > _MOST_ENTRIES:
                found.unused[where] = (
                    f"{where} is not looked through to its end: there are more than "
                    f"{_MOST_ENTRIES:,} files in {folder}. Put the data into a folder of their own."
                )
                return
            path = where / entry.name
            name = entry.name
            if name == "__MACOSX" or (name.startswith(".") and not name.endswith(".zip.part")):
                continue
            try:
                status = entry.stat()
            except OSError:
                status = None
            if status is None or not stat.S_ISDIR(status.st_mode):
                _sort(path, status, found)
                continue
            if depth == 0 and name in no_input:
                continue
            if quarters_of(name):
                found.folders_like_zips.append(path)
            identity = (status.st_dev, status.st_ino)
            if depth < _DEEPEST and identity not in seen:  # links may go round
                seen.add(identity)
                todo.append((path, depth + 1))


def _entries(folder: Path, found: _Findings) -> Iterator["os.DirEntry[str]"]:
    try:
        with os.scandir(folder) as entries:
            yield from sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        found.unusable[folder] = DataError(
            f"{folder} cannot be looked into: {error.strerror or error}. See to its permissions."
        )


def _sort(path: Path, status: os.stat_result | None, found: _Findings) -> None:
    """Decide what a file is by its name and, where that says nothing, by its first bytes."""
    name = path.name
    lower = name.lower()
    day = day_named(lower.removesuffix(".gz"))
    if lower.endswith(".zip"):
        found.zips.append(path)
    elif isinstance(day, date) and lower.endswith((".csv", ".csv.gz")):
        _sort_loose(path, status, found)
    elif _UNFINISHED.search(name) and _NAMED_LIKE_DATA.search(name):
        again = (
            "Go on with `backblaze-assets download`, or remove it."
            if name.startswith(".")
            else "Let it be finished, or remove it."
        )
        found.unused[path] = f"{path} is an unfinished download. {again}"
    elif _TEXT.search(name) and status is not None and _has_drive_statistics(path):
        reason = day if isinstance(day, str) else "is not named after a day"
        found.unused[path] = (
            f"{path} has drive statistics and {reason}. There must be one file a day, named after "
            "its day."
        )
    elif _PACKED.search(name) and _NAMED_LIKE_DATA.search(name):
        found.unused[path] = (
            f"{path} is packed in a way that is not read here. Unpack it in the data folder, or "
            "pack it as a zip."
        )
    elif _ZIP_OR_CSV.search(name) and _NAMED_LIKE_DATA.search(name):
        found.unused[path] = (
            f"{path} is not used, because its name does not end in .zip or .csv. Rename it, or "
            "remove it."
        )


def _sort_loose(path: Path, status: os.stat_result | None, found: _Findings) -> None:
    if status is None or not stat.S_ISREG(status.st_mode):
        try:
            open_regular(path).close()
        except DataError as error:
            found.unusable[path] = error
    else:
        found.loose.setdefault(path.parent, []).append(path)


def _has_drive_statistics(path: Path) -> bool:
    """Whether the first bytes of a file name the column `serial_number`."""
    try:
        with open_regular(path) as file:
            start = file.read(_BEGINNING)
        if path.name.lower().endswith(".gz"):
            start = zlib.decompressobj(31).decompress(start, _BEGINNING)
    except (DataError, OSError, zlib.error):
        return False
    return b"serial_number" in start.replace(b"\0", b"").lower()


def _zip_sources(found: _Findings, most_bytes: int) -> Iterator[_Source]:
    for path in sorted(found.zips):
        try:
            archive = scan(path, most_bytes=most_bytes)
        except NoDaysError as error:
            if quarters_of(path.name):
                found.unusable[path] = error
            else:
                found.unused[path] = str(error)
        except DataError as error:
            found.unusable[path] = error
        else:
            yield _Source(path, dict(archive.members), archive.synthetic, list(archive.left_out))


def _loose_source(folder: Path, paths: Iterable[Path], found: _Findings) -> _Source:
    """The CSVs that lie in one folder; of one that is there gzipped as well, the plain one."""
    source = _Source(folder, {})
    for path in sorted(paths, key=lambda path: (path.name.lower().endswith(".gz"), path.name)):
        gzipped = path.name.lower().endswith(".gz")
        day = day_named(path.name.lower().removesuffix(".gz"))
        if isinstance(day, str):
            continue
        if day in source.members:
            used = source.members[day].name
            source.left_out.append(LeftOut(path, path.name, day, f"{used} beside it is used"))
            found.unused[path] = f"{path} is not used, because {used} beside it is. Remove one."
            continue
        try:
            status = path.stat()
        except OSError as error:
            found.unusable[path] = DataError(f"{path} cannot be read: {error.strerror}. Run again.")
            continue
        problem = ""
        if status.st_size > LARGEST_DAY:
            problem = f"it has {status.st_size:,} bytes, and a day has at most {LARGEST_DAY:,}"
        source.members[day] = Member(
            day=day,
            path=path,
            stamp=Stamp.of(status),
            name=path.name,
            packing=Packing.GZIPPED if gzipped else Packing.PLAIN,
            crc=None,
            size=None if gzipped else status.st_size,
            compressed_size=status.st_size,
            problem=problem,
        )
    return source


def _keep_to_its_name(source: _Source) -> None:
    """A zip under a published name serves the quarters of its name, if it has any day of these."""
    named = set(quarters_of(source.path.name)) if source.is_zip else set()
    strays = [day for day in source.members if quarter_of(day) not in named]
    if not named or len(strays) == len(source.members):
        return
    for day in strays:
        member = source.members.pop(day)
        reason = f"is of {quarter_name(quarter_of(day))}, which {source.path.name} does not serve"
        source.left_out.append(LeftOut(source.path, member.name, day, reason))


def _archive(quarter: date, sources: list[_Source], folder: Path, checksums: Checksums) -> Archive:
    """What serves a quarter: the best source, and others for the days that it lacks."""
    serving = [s for s in sources if any(quarter_of(day) == quarter for day in s.members)]
    members: dict[date, Member] = {}
    using: list[_Source] = []
    for source in sorted(serving, key=lambda source: source.rank(quarter)):
        days = {day for day in source.members if quarter_of(day) == quarter} - members.keys()
        members |= {day: source.members[day] for day in days}
        source.used |= days
        using += [source] if days else []
    left_out = [
        each
        for source in using
        for each in source.left_out
        if each.day is None
        or quarter_of(each.day) == quarter
        or (quarter_of(each.day) not in map(quarter_of, source.members))
    ]
    return Archive(
        path=using[0].path if len(using) == 1 else _common_folder(using, folder),
        members=dict(sorted(members.items())),
        synthetic=any(source.synthetic for source in using),
        left_out=tuple(left_out),
        checksums=checksums,
    )


def _common_folder(sources: list[_Source], folder: Path) -> Path:
    parents = {source.path.parent if source.is_zip else source.path for source in sources}
    return parents.pop() if len(parents) == 1 else folder


def _name_what_is_left(source: _Source, sources: list[_Source], unused: dict[Path, str]) -> None:
    """Say what of a source is not used, in one sentence and what to do."""
    others = source.members.keys() - source.used
    parts = []
    if others:
        better = [each for each in sources if each is not source and each.used & others]
        same = all(
            _same(source.members[day], each.members[day])
            for each in better
            for day in each.used & others
        )
        names = ", ".join(each.path.name for each in better[:_MOST_NAMED])
        what = "is not used" if not source.used else f"is not used for {len(others)} of its days"
        content = "with the same content" if same else "possibly with other content"
        parts.append(
            f"{source.path} {what}, because {names} has these days {content}. Remove one of them."
        )
    in_zip = [each for each in source.left_out if each.path == source.path]
    if in_zip:
        shown = "; ".join(f"{each.name} {each.reason}" for each in in_zip[:_MOST_NAMED])
        more = f"; and {len(in_zip) - _MOST_NAMED} more" if len(in_zip) > _MOST_NAMED else ""
        parts.append(
            f"{source.path} is not used for {len(in_zip)} of its files: {shown}{more}. Put days "
            "into the zip of their quarter, or beside it as CSVs."
        )
    if parts:
        unused[source.path] = " ".join(parts)


def _same(first: Member, second: Member) -> bool:
    return first.crc is not None and (first.crc, first.size) == (second.crc, second.size)
