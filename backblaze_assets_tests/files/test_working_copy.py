"""A folder of this machine and an object store in step; the store is a folder here."""

import os
import subprocess
import sys
import time
from datetime import date
from pathlib import Path

import pytest

from backblaze_assets.drive_stats.archive import scan
from backblaze_assets.drive_stats.survey import survey
from backblaze_assets.errors import DataError
from backblaze_assets.files.folder import DataFolder
from backblaze_assets.files.store import ChangedError, Object, Store, StoreError
from backblaze_assets_tests.drive_stats.zips import csv, row, write_zip

pytest.importorskip("obstore")

NO_INPUT = frozenset({"frames", "drive_lifetimes", "dagster", "demo"})


@pytest.fixture
def there(tmp_path):
    """The store's own folder."""
    (tmp_path / "there").mkdir()
    return tmp_path / "there"


@pytest.fixture
def copy(tmp_path, there):
    return machine(tmp_path / "here", there)


@pytest.fixture
def other(tmp_path, there):
    """The copy of another machine."""
    return machine(tmp_path / "elsewhere", there)


def machine(root, there, most_bytes=0):
    return DataFolder(root, f"file://{there}", most_bytes, NO_INPUT)


def write(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


@pytest.fixture
def requests(monkeypatch):
    """What the store is asked for: method and key."""
    asked = []
    for method in ("read", "put"):
        real = getattr(Store, method)

        def counted(self, key, *rest, _real=real, _method=method, **more):
            asked.append((_method, key))
            return _real(self, key, *rest, **more)

        monkeypatch.setattr(Store, method, counted)
    return asked


def test_a_look_shows_names_and_sizes_and_takes_no_room(copy, there, requests):
    write(there / "frames/2013-04-10.jpg", b"x" * 100_000)
    write(there / "drive_lifetimes/2013-04-01/drives.parquet", b"y" * 50_000)
    copy.look()
    assert copy.names("frames") == {"2013-04-10.jpg"}
    assert copy.names("drive_lifetimes") == {"2013-04-01/drives.parquet"}
    status = copy.path("frames", "2013-04-10.jpg").stat()
    assert (status.st_size, status.st_blocks) == (100_000, 0)
    assert requests == []


def test_content_is_fetched_once(copy, there, requests):
    write(there / "frames/a.jpg", b"a")
    write(there / "frames/b.jpg", b"b")
    copy.look()
    copy.fetch([copy.path("frames", "a.jpg")])
    assert copy.path("frames", "a.jpg").read_bytes() == b"a"
    copy.fetch([copy.root / "frames"])
    copy.fetch([copy.root / "frames"])
    copy.look()
    assert copy.path("frames", "b.jpg").read_bytes() == b"b"
    assert sorted(requests) == [("read", "frames/a.jpg"), ("read", "frames/b.jpg")]


def test_what_was_published_is_there_for_others(copy, other, requests):
    copy.look()
    made = write(copy.path("frames", "a.jpg"), b"made here")
    copy.publish([made])
    copy.publish([made])
    assert requests == [("put", "frames/a.jpg")]
    other.look()
    other.fetch([other.path("frames", "a.jpg")])
    assert other.path("frames", "a.jpg").read_bytes() == b"made here"


def test_what_a_folder_lacks_is_deleted_for_others(copy, other, there):
    folder = copy.root / "drive_lifetimes/2013-04-01"
    for name in ("drives", "days"):
        write(folder / f"{name}.parquet", name.encode())
    copy.look()
    copy.publish([folder])
    other.look()
    (folder / "days.parquet").unlink()
    copy.publish([folder])
    other.look()
    assert other.names("drive_lifetimes") == {"2013-04-01/drives.parquet"}
    other.remove(other.root / "drive_lifetimes/2013-04-01")
    assert list(there.rglob("*.parquet")) == []
    copy.look()
    assert copy.names("drive_lifetimes") == set()


def test_a_copy_that_is_emptied_by_hand_deletes_nothing(copy, there):
    write(there / "frames/a.jpg", b"a")
    copy.look()
    copy.path("frames", "a.jpg").unlink()
    copy.look()
    copy.publish([write(copy.path("frames", "b.jpg"), b"b")])
    assert {path.name for path in there.glob("frames/*")} == {"a.jpg", "b.jpg"}
    assert copy.names("frames") == {"a.jpg", "b.jpg"}


def test_content_that_has_changed_since_the_look_is_refused(copy, there):
    write(there / "frames/a.jpg", b"first")
    copy.look()
    write(there / "frames/a.jpg", b"other")
    with pytest.raises(ChangedError, match=r"frames/a\.jpg was replaced while it was being read"):
        copy.fetch([copy.path("frames", "a.jpg")])
    copy.look()
    copy.fetch([copy.path("frames", "a.jpg")])
    assert copy.path("frames", "a.jpg").read_bytes() == b"other"


def test_content_that_is_here_is_replaced_by_what_is_new(copy, there):
    write(there / "frames/a.jpg", b"first")
    copy.look()
    copy.fetch([copy.path("frames", "a.jpg")])
    write(there / "frames/a.jpg", b"second")
    copy.look()
    assert copy.path("frames", "a.jpg").read_bytes() == b"second"


def test_what_was_made_here_and_not_stored_stays_until_somebody_stores_another(copy, there):
    copy.look()
    made = write(copy.path("frames", "a.jpg"), b"made here, then the machine stopped")
    copy.look()
    assert made.read_bytes() == b"made here, then the machine stopped"
    write(there / "frames/a.jpg", b"made there")
    copy.look()
    copy.fetch([made])
    assert made.read_bytes() == b"made there"


@pytest.mark.parametrize("kept", [0, 1, 2, 3])
def test_of_several_files_nobody_sees_a_mixture(copy, other, kept, monkeypatch):
    """Killed after any number of requests, a partition is there whole or not at all."""
    folder = copy.root / "drive_lifetimes/2013-04-01"
    names = ("drives", "days", "spells")
    last = folder / "drives.parquet"

    def make(content):
        for name in names:
            write(folder / f"{name}.parquet", f"{content} {name}".encode())

    copy.look()
    make("old")
    copy.publish([folder], last)
    make("new, longer")
    real, puts = Store.put, []

    def put(self, key, path):
        if len(puts) == kept:
            raise KeyboardInterrupt
        puts.append(key)
        return real(self, key, path)

    with monkeypatch.context() as patch:
        patch.setattr(Store, "put", put)
        if kept < len(names):
            with pytest.raises(KeyboardInterrupt):
                copy.publish([folder], last)
        else:
            copy.publish([folder], last)
    other.look()
    there = other.names("drive_lifetimes")
    assert ("2013-04-01/drives.parquet" in there) == (kept == len(names))
    copy.publish([folder], last)
    other.look()
    seen = other.root / "drive_lifetimes/2013-04-01"
    other.fetch([seen])
    assert {path.read_bytes() for path in seen.iterdir()} == {
        f"new, longer {name}".encode() for name in names
    }


def test_a_zip_tells_its_days_without_its_content(copy, there, requests):
    days = [date(2013, 4, day) for day in range(10, 30)]
    rows = csv(*(row() for _ in range(40)))
    write_zip(there / "data_2013.zip", dict.fromkeys(days, rows))
    (there / "data_2014.zip").write_bytes(b"<html>no such file</html>" * 100)
    (there / "notes.txt").write_bytes(b"date,serial_number\n" + b"x" * 10_000)
    copy.look()
    asked = len(requests)
    assert asked <= 6
    found = survey(copy.root, NO_INPUT)
    assert [day for archive in found.archives.values() for day in archive.members] == days
    assert "web page" in str(found.unusable[copy.root / "data_2014.zip"])
    assert "has drive statistics" in found.unused[copy.root / "notes.txt"]
    path = copy.root / "data_2013.zip"
    before = scan(path)
    copy.fetch([path])
    assert path.read_bytes() == (there / "data_2013.zip").read_bytes()
    assert scan(path) == before  # the same file to whoever had looked at it
    assert [key for _, key in requests[asked:]] == ["data_2013.zip"]


def test_the_time_of_an_input_is_the_same_on_all_machines(copy, other):
    """It tells a zip from another one in its place."""
    copy.look()
    os.utime(write(copy.root / "data_2013.zip", b"zip" * 100), (1, 1))
    copy.publish([copy.root / "data_2013.zip"])
    other.look()
    times = {(each.root / "data_2013.zip").stat().st_mtime_ns for each in (copy, other)}
    assert len(times) == 1
    copy.look()
    assert (copy.root / "data_2013.zip").read_bytes() == b"zip" * 100


def test_a_zip_in_many_pieces_is_the_same(copy, there, monkeypatch):
    monkeypatch.setattr("backblaze_assets.files.working_copy._PIECE", 1000)
    write(there / "data_2013.zip", os.urandom(10_500))
    copy.look()
    copy.fetch([copy.root / "data_2013.zip"])
    assert (copy.root / "data_2013.zip").read_bytes() == (there / "data_2013.zip").read_bytes()


def test_room_is_made_by_what_was_not_used_for_longest(tmp_path, there):
    copy = machine(tmp_path / "here", there, most_bytes=250)
    for name in "abc":
        write(there / f"frames/{name}.jpg", name.encode() * 100)
    copy.look()
    for name in "bac":
        copy.fetch([copy.path("frames", f"{name}.jpg")])
    copy.make_room(before=time.time())
    content = {name: copy.path("frames", f"{name}.jpg").read_bytes() for name in "abc"}
    assert content == {"a": b"a" * 100, "b": bytes(100), "c": b"c" * 100}
    copy.fetch([copy.path("frames", "b.jpg")])
    assert copy.path("frames", "b.jpg").read_bytes() == b"b" * 100


def test_what_is_being_used_or_not_stored_is_no_room(tmp_path, there):
    copy = machine(tmp_path / "here", there, most_bytes=0)
    write(there / "frames/a.jpg", b"a" * 100)
    copy.look()
    begun = time.time()
    copy.fetch([copy.path("frames", "a.jpg")])
    made = write(copy.path("frames", "new.jpg"), b"new")
    copy.make_room(before=begun)
    assert copy.path("frames", "a.jpg").read_bytes() == b"a" * 100
    code = (
        "import sys, pathlib\n"
        "from backblaze_assets.files.folder import DataFolder\n"
        f"folder = DataFolder(pathlib.Path({str(copy.root)!r}), {copy.store!r})\n"
        "with folder.using():\n"
        "    print('used', flush=True)\n"
        "    sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as user:
        assert user.stdout is not None
        assert user.stdout.readline() == "used\n"
        copy.make_room(before=time.time())
        assert copy.path("frames", "a.jpg").read_bytes() == b"a" * 100
        user.communicate("")
    with copy.using():  # one's own hold is no obstacle
        copy.make_room(before=time.time())
    assert copy.path("frames", "a.jpg").read_bytes() == bytes(100)
    assert made.read_bytes() == b"new"


def test_what_is_of_this_machine_alone_stays_out(copy, there):
    write(there / "dagster/history/runs.db", b"of somebody")
    write(there / ".store/index.sqlite", b"of somebody")
    write(there / ".kept/records/frames/a.json.gz", b"records")
    copy.look()
    found = {path.relative_to(copy.root).as_posix() for path in copy.root.rglob("*.*")}
    assert "dagster/history/runs.db" not in found
    assert ".kept/records/frames/a.json.gz" in found


def test_no_key_leads_out_of_the_copy(copy, monkeypatch):
    escaping = {"../outside.zip": Object(3, "x", 1), "a/../../b.zip": Object(3, "x", 1)}
    monkeypatch.setattr(Store, "objects", lambda _: escaping)
    copy.look()
    assert [path.name for path in copy.root.parent.rglob("*.zip")] == []


def test_whether_content_is_here_is_known(copy, there):
    write(there / "frames/a.jpg", b"a")
    copy.look()
    path = copy.path("frames", "a.jpg")
    assert not copy.has_content(path)
    copy.fetch([path])
    assert copy.has_content(path)
    assert copy.has_content(write(copy.path("frames", "b.jpg"), b"b"))
    assert not copy.has_content(copy.path("frames", "c.jpg"))


def test_inputs_are_told_without_looking_at_results(copy, there):
    for name in ("data_2013.zip", "2016/2016-01-01.csv", "frames/a.jpg", ".kept/x.gz"):
        write(there / name, b"content")
    assert {(name, size) for name, size, _ in copy.inputs()} == {
        ("data_2013.zip", 7),
        ("2016/2016-01-01.csv", 7),
    }


def test_a_forked_process_is_told_that_it_cannot_use_the_store(copy, there):
    write(there / "frames/a.jpg", b"a")
    copy.look()
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            copy.look()
        except StoreError as error:
            os.write(writing, str(error).encode())
        finally:
            os._exit(0)
    os.close(writing)
    os.waitpid(child, 0)
    assert b"was forked after a store had been used" in os.read(reading, 1000)


def test_a_folder_without_a_store_is_as_it_is(tmp_path):
    folder = DataFolder(tmp_path)
    path = write(tmp_path / "frames/a.jpg", b"a")
    folder.look()
    folder.fetch([path])
    folder.publish([path])
    folder.make_room(time.time())
    assert folder.address(path) == str(path)
    assert sorted(tmp_path.rglob("*")) == [tmp_path / "frames", path]
    folder.remove(path)
    assert not path.exists()


def test_an_address_of_an_unknown_kind_is_refused(monkeypatch):
    from backblaze_assets.settings import Settings

    monkeypatch.setenv("BACKBLAZE_DATA", "ftp://host/data")
    with pytest.raises(DataError, match=r"ftp://host/data.*can begin with s3://"):
        Settings.from_environment()


def test_the_copy_of_an_address_is_in_a_folder_of_its_own(monkeypatch, tmp_path):
    from backblaze_assets.settings import Settings

    monkeypatch.setenv("BACKBLAZE_COPY", str(tmp_path))
    found = []
    for address in ("s3://bucket/one/", "s3://bucket/two"):
        monkeypatch.setenv("BACKBLAZE_DATA", address)
        settings = Settings.from_environment()
        found.append((settings.data, settings.store))
        assert settings.variables == {
            "BACKBLAZE_DATA": str(settings.data),
            "BACKBLAZE_STORE": address.rstrip("/"),
        }
    assert found[0] == (tmp_path / "s3_bucket_one", "s3://bucket/one")
    assert found[1][0] != found[0][0]
    monkeypatch.setenv("BACKBLAZE_DATA", str(tmp_path))
    settings = Settings.from_environment()
    assert (settings.data, settings.store) == (tmp_path, "")


def test_dagster_gets_the_folder_of_the_copy_and_the_address_apart(monkeypatch, tmp_path):
    """Its `.env` makes paths of BACKBLAZE_DATA."""
    from backblaze_assets.settings import Settings

    monkeypatch.setenv("BACKBLAZE_COPY", str(tmp_path))
    monkeypatch.setenv("BACKBLAZE_DATA", "s3://bucket/one")
    here = Settings.from_environment()
    for name, value in here.variables.items():
        monkeypatch.setenv(name, value)
    assert Settings.from_environment() == here
    monkeypatch.setenv("BACKBLAZE_STORE", "bucket/one")
    with pytest.raises(DataError, match=r"BACKBLAZE_STORE is 'bucket/one'"):
        Settings.from_environment()
