"""Whether anything has changed since all was found up to date, told without Dagster.

To import Dagster and to read its records takes seconds, of which a question to a table needs none.
So a command that has found everything up to date, and has run nothing, leaves a note of what it
saw: the files in the data folder, the state of Dagster's database, the code, the settings, the day.
While all of that is the same, so is the answer, and Dagster's records remain what decides.
"""

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from backblaze_assets.files.atomic import write_atomic
from backblaze_assets.settings import Settings, instance_home

PACKAGE = Path(__file__).parents[1]
_RECORDS = ("history/runs/index.db", "history/runs/index.db-wal")


@dataclass(frozen=True)
class Note:
    """What was found, of one asset and all that it is made from.

    Attributes:
        quarters: of which there are data.
        told: what people were told of the folder meanwhile.
    """

    quarters: list[date]
    told: list[str]


def state(settings: Settings) -> str | None:
    """A digest of all that decides whether results are up to date; None where that is not seen."""
    root, home = settings.data, instance_home(settings.data)
    if settings.store:
        return None  # what others store there is not seen here
    if not (home / _RECORDS[0]).is_file():
        return None  # none yet, or on a server
    seen = hashlib.sha256(f"{settings} {home} {datetime.now(UTC).date()}".encode())
    try:
        for path in _RECORDS:
            if (home / path).is_file():
                seen.update(_line(path, (home / path).stat()))
        for folder in (PACKAGE, root):
            for line in _lines(str(folder), besides=str(home)):
                seen.update(line)
    except OSError:  # something goes while it is looked at
        return None
    return seen.hexdigest()


def remember(settings: Settings, asset: str, seen: str | None, note: Note) -> None:
    """Leave a note for `recall`, which is of no use where it cannot be written.

    Args:
        settings: of this process.
        asset: that is up to date, with all that it is made from.
        seen: the `state` before that was decided; without one, or if it has changed since, nothing
            is noted.
        note: what to remember.
    """
    if seen is None or state(settings) != seen:
        return
    known = {
        "state": seen,
        "quarters": [str(each) for each in note.quarters],
        "told": note.told,
    }
    with suppress(OSError):
        write_atomic(_file(settings, asset), json.dumps(known).encode(), sync=False)


def recall(settings: Settings, asset: str, seen: str | None) -> Note | None:
    """What was noted of an asset in the state `seen`, or None: then Dagster's records are asked."""
    try:
        known = json.loads(_file(settings, asset).read_bytes())
        if seen is not None and known["state"] == seen:
            return Note([date.fromisoformat(each) for each in known["quarters"]], known["told"])
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return None


def _file(settings: Settings, asset: str) -> Path:
    return instance_home(settings.data) / f"{asset}.up-to-date.json"


def _lines(folder: str, *, besides: str) -> Iterator[bytes]:
    """A line for each file below a folder: its path, size and time; hidden ones are left out.

    Raises:
        OSError: a folder is a link to one elsewhere, which is not followed.
    """
    entries: Sequence[os.DirEntry[str]] = sorted(os.scandir(folder), key=lambda entry: entry.name)
    for entry in entries:
        if entry.name.startswith(".") or entry.name == "__pycache__" or entry.path == besides:
            continue
        if entry.is_dir(follow_symlinks=False):
            yield from _lines(entry.path, besides=besides)
        elif entry.is_dir():
            raise NotADirectoryError(entry.path)
        else:
            yield _line(entry.path, entry.stat())


def _line(path: str, found: os.stat_result) -> bytes:
    return f"{path}\0{found.st_size}\0{found.st_mtime_ns}\0{found.st_ino}\n".encode(
        errors="surrogateescape"
    )
