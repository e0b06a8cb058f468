"""A disk that is full, whichever library meets it first."""

import errno
import shutil
from collections.abc import Iterator
from pathlib import Path

FULL = ("no space left on device", "database or disk is full", "disk quota exceeded")
"""How libraries say it, in small letters."""

PERHAPS = ("disk i/o error", "unable to open database file")
"""What SQLite also says of a full disk."""

_ALMOST_NOTHING = 256 << 10
_UNITS = ("bytes", "kB", "MB", "GB", "TB")


class NoSpaceError(BaseException):
    """The disk is full, and nothing can be recorded.

    No Exception, because Dagster answers any of those by trying it again in another way.
    """


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """An error, and those that led to it."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def lacks_space(error: BaseException, folder: Path) -> bool:
    """Whether an error comes from a full disk; `folder` is where it was to write."""
    return any(
        isinstance(each, NoSpaceError)
        or (isinstance(each, OSError) and each.errno in (errno.ENOSPC, errno.EDQUOT))
        or says_full(str(each), folder)
        for each in chain(error)
    )


def says_full(text: str, folder: Path) -> bool:
    """Whether the text of an error tells of a full disk."""
    lower = text.lower()
    if any(words in lower for words in FULL):
        return True
    return any(words in lower for words in PERHAPS) and _free(folder) < _ALMOST_NOTHING


def where_full(error: BaseException, folder: Path) -> Path:
    """The folder that is full: that of the file in the error, if there is one, else `folder`."""
    for each in chain(error):
        if isinstance(each, OSError) and each.errno in (errno.ENOSPC, errno.EDQUOT):
            path = Path(str(each.filename)).absolute() if each.filename else folder
            return next((it for it in path.parents if it.is_dir()), folder)
    return folder


def sentence(folder: Path, needed: int | None = None) -> str:
    """What to tell of a full disk.

    Args:
        folder: a folder on it.
        needed: bytes that what is still to be made takes, about.
    """
    usage = shutil.disk_usage(folder)
    text = f"No space left in {folder}: {size(usage.free)} of {size(usage.total)} are free."
    if needed:
        short = max(0, needed - usage.free)
        text += f" What is still to be made takes about {size(needed)}"
        text += f", so about {size(short)} are missing." if short else "."
    return f"{text} Make room, and run the same again: it goes on, and nothing is half-written."


def size(count: int) -> str:
    """A number of bytes for people."""
    value, unit = float(count), 0
    while value >= 1000 and unit < len(_UNITS) - 1:
        value, unit = value / 1000, unit + 1
    return f"{value:.3g} {_UNITS[unit]}"


def _free(folder: Path) -> int:
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return 0
