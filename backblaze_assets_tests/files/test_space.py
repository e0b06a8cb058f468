"""A disk that is full."""

import errno
from pathlib import Path

import pytest

from backblaze_assets.files import space


def raised(error: BaseException, cause: BaseException) -> BaseException:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "full"),
        OSError(errno.EDQUOT, "quota"),
        raised(ValueError("cannot write"), OSError(errno.ENOSPC, "full")),
        RuntimeError("IO Error: could not write: No space left on device"),
        raised(RuntimeError("in the step"), RuntimeError("database or disk is full")),
        space.NoSpaceError(),
    ],
)
def test_a_full_disk_is_known_by_whatever_tells_of_it(error, tmp_path):
    assert space.lacks_space(error, tmp_path)


@pytest.mark.parametrize(
    "error", [OSError(errno.EACCES, "no"), ValueError("full"), RuntimeError("disk I/O error")]
)
def test_other_errors_are_none(error, tmp_path):
    assert not space.lacks_space(error, tmp_path)


def test_the_folder_is_that_of_the_file_that_could_not_be_written(tmp_path):
    error = OSError(errno.ENOSPC, "full", str(tmp_path / "gone" / "x.parquet"))
    assert space.where_full(raised(ValueError(), error), Path("/")) == tmp_path
    assert space.where_full(space.NoSpaceError(), tmp_path) == tmp_path


def test_what_is_missing_is_said(tmp_path):
    said = space.sentence(tmp_path, 10**18)
    assert f"No space left in {tmp_path}" in said
    assert "takes about 1e+06 TB, so about 1e+06 TB are missing" in said
    assert "are missing" not in space.sentence(tmp_path, 1)


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 bytes"), (999, "999 bytes"), (1500, "1.5 kB"), (64 * 10**9, "64 GB")]
)
def test_sizes(count, text):
    assert space.size(count) == text
