import os
import time
from pathlib import Path

import pytest

from backblaze_assets.files.atomic import (
    ABANDONED_S,
    atomic_path,
    finished_name,
    remove_unfinished,
    unfinished_path,
    write_atomic,
)
from backblaze_assets_tests.project import left


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_written_whole(tmp_path):
    write_atomic(tmp_path / "deep" / "file", b"new")
    assert (tmp_path / "deep" / "file").read_bytes() == b"new"
    assert names(tmp_path / "deep") == ["file"]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_a_failure_leaves_what_was_there_and_nothing_else(tmp_path, error):
    write_atomic(tmp_path / "file", b"old")
    with pytest.raises(error), atomic_path(tmp_path / "file") as unfinished:
        unfinished.write_bytes(b"half")
        raise error
    assert (tmp_path / "file").read_bytes() == b"old"
    assert names(tmp_path) == ["file"]


def test_a_folder_takes_the_place_of_the_old_one(tmp_path):
    for content in ("old", "new"):
        with atomic_path(tmp_path / "folder") as unfinished:
            unfinished.mkdir()
            (unfinished / content).touch()
    assert names(tmp_path / "folder") == ["new"]
    assert names(tmp_path) == ["folder"]


def test_a_failure_in_a_folder_leaves_the_old_one(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "old").touch()
    with pytest.raises(OSError, match="full"), atomic_path(tmp_path / "folder") as unfinished:
        unfinished.mkdir()
        (unfinished / "new").touch()
        raise OSError("disk full")
    assert names(tmp_path / "folder") == ["old"]
    assert names(tmp_path) == ["folder"]


def test_what_killed_processes_left_is_removed_and_nothing_else(tmp_path):
    clips = tmp_path / "clips"
    write_atomic(left(clips / "old.mp4"), b"half")
    write_atomic(clips / "old.mp4", b"whole")
    write_atomic(left(clips / "old") / "part", b"half")
    remove_unfinished(tmp_path)
    assert names(clips) == ["old.mp4"]


def test_what_others_are_at_is_left_alone_for_a_day(tmp_path):
    own, elsewhere = unfinished_path(tmp_path / "a"), tmp_path / ".tmp-0a1b2c-1f-01234567-b"
    unowned = tmp_path / ".tmp-1-c"
    for path in (own, elsewhere, unowned):
        path.write_bytes(b"half")
    remove_unfinished(tmp_path)
    assert names(tmp_path) == sorted([own.name, elsewhere.name, unowned.name])
    for path in (own, elsewhere, unowned):
        os.utime(path, (time.time() - ABANDONED_S - 1,) * 2)
    remove_unfinished(tmp_path)
    assert names(tmp_path) == []


def test_the_name_of_what_is_to_come(tmp_path):
    assert finished_name(unfinished_path(tmp_path / "clip-1.mp4")) == "clip-1.mp4"
    assert finished_name(tmp_path / "clip-1.mp4") == "clip-1.mp4"
