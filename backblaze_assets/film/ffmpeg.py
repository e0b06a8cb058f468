"""The ffmpeg program: where it is, and what it means when it fails."""

import errno
import os
import signal
from pathlib import Path

import imageio_ffmpeg

from backblaze_assets.errors import DataError
from backblaze_assets.files.atomic import finished_name

_VARIABLE = "IMAGEIO_FFMPEG_EXE"
_LAST_LINES = 5
_FULL = "No space left on device"


def program() -> str:
    """Path of ffmpeg.

    Raises:
        DataError: there is none that can be run.
    """
    try:
        found = imageio_ffmpeg.get_ffmpeg_exe()
    except RuntimeError as error:
        raise DataError(f"There is no ffmpeg: {error}. Install imageio-ffmpeg anew.") from error
    if Path(found).parent != Path() and not os.access(found, os.X_OK):
        raise DataError(f"{found} cannot be run. {_advice()}")
    return str(found)


def cannot_start(error: OSError) -> DataError:
    """What it means that ffmpeg could not be started, such as one for another machine."""
    return DataError(f"ffmpeg cannot be started: {error.strerror or error}. {_advice()}")


def failure(code: int, said: bytes, target: Path) -> Exception:
    """What to raise when ffmpeg has ended with another exit status than 0.

    Args:
        code: its exit status; negative for the signal that has ended it.
        said: what it wrote to stderr.
        target: the file that it was to write.
    """
    lines = said.decode(errors="replace").splitlines()[-_LAST_LINES:]
    if any(_FULL in line for line in lines):
        return OSError(errno.ENOSPC, _FULL, str(target))
    how = f"with exit status {code}"
    if code < 0:
        how = f"by signal {-code} ({signal.Signals(-code).name})"
    words = ["Its last words:", *lines] if lines else ["It said nothing."]
    name = finished_name(target)
    first = f"ffmpeg ended {how} while it wrote {name}. {words[0]}"
    return DataError("\n".join([first, *words[1:], *([_advice()] if _is_own() else [])]))


def _is_own() -> bool:
    return bool(os.environ.get(_VARIABLE))


def _advice() -> str:
    if _is_own():
        return (
            f"{_VARIABLE} is set to {os.environ[_VARIABLE]}: unset it, and the ffmpeg that comes "
            "with imageio-ffmpeg is used."
        )
    return "Install imageio-ffmpeg anew, or set IMAGEIO_FFMPEG_EXE to an ffmpeg with libx264."
