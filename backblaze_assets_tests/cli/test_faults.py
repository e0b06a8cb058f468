"""A full disk and damaged records are called that, whatever library meets them first."""

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from backblaze_assets.instance.opening import DATABASES
from backblaze_assets_tests.cli.conftest import run_program
from backblaze_assets_tests.conftest import FIRST, write_fleet
from backblaze_assets_tests.kills import contents


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 600 kilobytes, to be enlarged by `resize`."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", disk], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"a small disk cannot be mounted here: {mounted.stderr.decode().strip()}")
    yield disk
    subprocess.run(["umount", "--lazy", disk], check=True)


def resize(disk: Path, size: str) -> None:
    subprocess.run(["mount", "-o", f"remount,size={size}", disk], check=True)


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("mount"), reason="there is no mount")
def test_a_full_disk_is_called_full_and_the_next_run_goes_on(run, small_disk, data):
    write_fleet(small_disk)
    done = run_program("import", "--data", small_disk)
    assert done.code == 1
    said = done.stderr.splitlines()
    (error,) = [line for line in said if "Error" in line]
    assert error.startswith(f"Error: No space left in {small_disk}")
    assert "are missing" in error
    assert not [line for line in said if "SQL" in line or "Traceback" in line]
    assert not list(small_disk.rglob(".tmp-*"))
    resize(small_disk, "40m")
    assert run("import", "--data", small_disk).code == 0
    expected = contents(data)
    found = contents(small_disk)
    assert found == {name: expected[name] for name in found}
    assert [name for name in found if name.startswith("raw_quarter/")] == [
        name for name in expected if name.startswith("raw_quarter/")
    ]


@pytest.fixture
def damaged(data: Path, tmp_path: Path) -> Path:
    """A copy of a folder with everything made, whose records are damaged."""
    folder = shutil.copytree(data, tmp_path / "copy")
    path = folder / "dagster" / DATABASES[1]
    with sqlite3.connect(path) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    database.close()
    content = bytearray(path.read_bytes())
    content[4096 * 2 : 4096 * 40] = os.urandom(4096 * 38)
    path.write_bytes(content)
    return folder


def test_damaged_records_are_named_with_what_to_do(run, damaged):
    for command in (["status"], ["movie"]):
        done = run(*command, "--data", damaged)
        assert done.code == 1, command
        assert f"{damaged / 'dagster' / DATABASES[1]}: the database is damaged" in done.stderr
        assert f"in {damaged / 'dagster'}. Deleting that folder loses no data" in done.stderr
    # Results are looked at all the same.
    (damaged / "frames" / f"{FIRST}.jpg").write_bytes(b"\xff\xd8 no more")
    done = run("verify", "--data", damaged)
    assert done.code == 1
    assert "2 of " in done.stderr
    assert str(damaged / "frames" / f"{FIRST}.jpg") in done.stderr


@pytest.mark.slow
def test_verify_names_what_is_damaged_and_removes_it_when_told_to(run, data, tmp_path):
    folder = shutil.copytree(data, tmp_path / "copy")
    frame = folder / "frames" / f"{FIRST}.jpg"
    content = bytearray(frame.read_bytes())
    content[-100] ^= 1
    frame.write_bytes(content)
    done = run("verify", "--data", folder)
    assert (done.code, done.stdout) == (1, "")
    assert f"{frame}: its content is not what was written." in done.stderr
    assert frame.exists()
    done = run("verify", "--remove", "--data", folder)
    assert done.code == 0, done.stderr
    assert not frame.exists()
    assert "`backblaze-assets movie` makes the removed ones anew" in done.stdout
    assert run("verify", "--data", folder).stdout.endswith("files are as they were written.\n")


def test_a_folder_without_results_has_nothing_to_verify(run, tmp_path):
    done = run("verify", "--data", tmp_path)
    assert done.code == 1
    assert "There are no results" in done.stderr


def test_a_quarter_that_has_not_ended_is_called_that(run, data):
    done = run("afr", "2099-Q4", "--data", data)
    assert done.code == 1
    assert "2099-Q4 has not ended yet" in done.stderr
    assert "2013-Q3" in done.stderr


def test_status_shows_the_account(run, data):
    head, row, *_ = run("status", "--data", data).stdout.splitlines()
    headings = "data quarters days of rows in kept set aside files left out"
    assert " ".join(head.split()) == headings
    rows = sum(
        len(path.read_text("utf-8").splitlines()) - 1
        for path in _unpacked(data / "data_2013.zip", data.parent / "unpacked")
    )
    zipped, *span, days, of, rows_in, kept, aside, left_out = row.split()
    assert (zipped, span) == ("data_2013.zip", ["2013-Q2", "to", "2013-Q3"])
    assert [days, of, rows_in, kept, aside, left_out] == ["12", "174", *[str(rows)] * 2, "0", "0"]


def _unpacked(zipped: Path, folder: Path) -> list[Path]:
    shutil.unpack_archive(zipped, folder)
    return list(folder.rglob("2013-*.csv"))
