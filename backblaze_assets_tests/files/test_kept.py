"""The kept results: room for them, and what a kill leaves."""

import os
import warnings
from pathlib import Path

import pytest

from backblaze_assets.files import atomic, kept
from backblaze_assets.files.kept import Kept
from backblaze_assets.files.origin import digest
from backblaze_assets.files.records import Record, Records, read_records
from backblaze_assets.files.sources import MOST, Sources

NAMES = ["one.bin", "two.bin"]


def record(version: str = "1", asset: str = "asset") -> Record:
    return Record(asset, None, version, "content", {"input": "a"}, {}, "run", 0.0)


def stand(root: Path, size: int = 100, asset: str = "asset") -> None:
    """Let there be two files of an asset, `size` bytes together."""
    for name in NAMES:
        atomic.write_atomic(root / asset / name, os.urandom(size // 2))


def keep(store: Kept, version: str) -> int:
    return store.keep("asset", "all", [(record(version), NAMES)], lambda *_: True)


def there(root: Path) -> dict[str, bytes]:
    return {name: (root / "asset" / name).read_bytes() for name in NAMES}


def test_what_is_kept_is_the_file_itself_and_comes_back(tmp_path):
    store = Kept(tmp_path, 1000)
    stand(tmp_path)
    old, inode = there(tmp_path), (tmp_path / "asset" / "one.bin").stat().st_ino
    assert keep(store, "1") == 1
    stand(tmp_path)
    found = Kept(tmp_path, 1000).find("asset", record("1").identity)
    assert [sound for _, sound in store.bring_back([found])] == [True]
    store.tidy([found])
    assert there(tmp_path) == old
    assert (tmp_path / "asset" / "one.bin").stat().st_ino == inode
    assert store.entries() == []


def test_what_was_used_least_recently_goes_first(tmp_path):
    store = Kept(tmp_path, 250)
    for number, version in enumerate("123"):
        stand(tmp_path)
        keep(store, version)
        for entry in store.entries()[-1:]:
            os.utime(entry.path, ns=(number, number))
    found = [bool(Kept(tmp_path, 250).find("asset", record(it).identity)) for it in "123"]
    assert found == [False, True, True]
    assert sum(entry.bytes for entry in store.entries()) == 200


def test_what_is_larger_than_the_limit_is_not_kept_and_drives_nothing_out(tmp_path):
    store = Kept(tmp_path, 150)
    stand(tmp_path)
    assert keep(store, "1") == 1
    stand(tmp_path, 200)
    assert keep(store, "2") == 0
    assert [entry.bytes for entry in store.entries()] == [100]


def test_where_there_are_no_hard_links_files_are_copied(tmp_path, monkeypatch):
    def refuse(*_: object) -> None:
        raise PermissionError("no links here")

    monkeypatch.setattr(os, "link", refuse)
    store = Kept(tmp_path, 1000)
    stand(tmp_path)
    old = there(tmp_path)
    keep(store, "1")
    (tmp_path / "asset" / "one.bin").write_bytes(b"in place")
    list(store.bring_back([store.find("asset", record().identity)]))
    assert there(tmp_path) == old


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs a process to kill")
@pytest.mark.parametrize("step", range(1, 9))
def test_a_kill_at_any_step_loses_nothing(tmp_path, step):
    """Of keeping: what stands, stands; of bringing back: each file is the old or the new one."""
    store = Kept(tmp_path, 1000)
    stand(tmp_path)
    first = there(tmp_path)
    keep(store, "1")
    stand(tmp_path)
    second = there(tmp_path)
    calls = 0

    def dying(function):
        def call(*arguments, **options):
            nonlocal calls
            calls += 1
            if calls == step:
                os._exit(9)  # as a kill does: nothing is tidied up
            return function(*arguments, **options)

        return call

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of threads; they have ended
        child = os.fork()
    if child == 0:
        try:
            for module, name in ((kept, "link"), (kept, "replace_folder"), (kept, "write_plain")):
                setattr(module, name, dying(getattr(module, name)))
            keep(store, "2")
            found = store.find("asset", record("1").identity)
            list(store.bring_back([found]))
            calls = step - 1
            kept.write_plain(tmp_path / "end", [])
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    for name, content in there(tmp_path).items():
        assert content in (first[name], second[name])
    after = Kept(tmp_path, 1000)
    for version, files in (("2", second), ("1", first)):
        found = after.find("asset", record(version).identity)
        if found is None:  # not kept yet, so it stands
            assert version == "2"
            assert there(tmp_path) == second
        else:
            assert [sound for _, sound in after.bring_back([found])] == [True]
            assert there(tmp_path) == files


def test_records_that_cannot_be_read_are_none(tmp_path):
    records = Records(tmp_path)
    records.add("asset", "run", [record()])
    (path,) = records.files("asset")
    assert read_records(path) == [record()]
    path.write_bytes(path.read_bytes()[:-9])
    assert records.all("asset") == {}


def test_source_is_given_back_as_what_its_version_says_or_not_at_all(tmp_path):
    sources = Sources(tmp_path)
    source = {"a.py": b"pass", "font.ttf": b"\0\1"}
    version = digest(["a.py", b"pass", "font.ttf", b"\0\1"])
    sources.keep("asset", version, source)
    assert sources.get("asset", version) == source
    sources.keep("asset", "0" * 32, source)
    assert sources.get("asset", "0" * 32) is None
    assert sources.get("asset", "unknown") is None


def test_versions_of_source_are_bounded(tmp_path):
    sources = Sources(tmp_path)
    for number in range(MOST + 3):
        sources.keep("asset", f"{number:032x}", {"a.py": b"pass"})
    assert len(sources.files("asset")) == MOST
    assert sources.has("asset", f"{MOST + 2:032x}")


def test_what_is_kept_already_may_be_kept_again(tmp_path):
    store = Kept(tmp_path, 1000)
    stand(tmp_path)
    assert keep(store, "1") == keep(store, "1") == 1
    assert [entry.bytes for entry in store.entries()] == [100]


def test_a_link_to_the_file_itself_leaves_nothing_unfinished(tmp_path):
    """A rename of one name of a file to another name of it does nothing, and leaves both."""
    (tmp_path / "one").write_bytes(b"x")
    for _ in range(2):
        atomic.link(tmp_path / "one", tmp_path / "two")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one", "two"]
