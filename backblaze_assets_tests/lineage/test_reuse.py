"""What was replaced comes back, and what another person has made is taken, without computing."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import dagster as dg
import pytest

from backblaze_assets.assets import daily_stats, drive_lifetimes, raw_quarter
from backblaze_assets.cli.update import bring_up_to_date
from backblaze_assets.drive_stats import lifetimes
from backblaze_assets.files.kept import Kept
from backblaze_assets.files.origin import Origin
from backblaze_assets.graph import GRAPH
from backblaze_assets.lineage import parts, status, step
from backblaze_assets.lineage.reuse import RESTORED, TAKEN, Reuse
from backblaze_assets.lineage.status import Status
from backblaze_assets.partitions import Key
from backblaze_assets_tests.project import Q2, Q3, Brief, Project, lose_a_row, write_fleet
from backblaze_assets_tests.repack import repack

pytestmark = pytest.mark.slow  # whole runs of Dagster

CHANGED = "2013-07-02"
ZIP = "data_2013.zip"
MAKERS = (
    (raw_quarter, "import_days"),
    (daily_stats, "write_daily_stats"),
    (drive_lifetimes, "_extended"),
)
NUMBERS = ("daily_stats", "drive_lifetimes")


def contents(project: Project, *assets: str) -> dict[str, bytes]:
    """What stands in the folders of assets, by name."""
    root = project.root
    return {
        str(path.relative_to(root)): path.read_bytes()
        for asset in assets or GRAPH
        for path in (root / asset).rglob("*")
        if path.is_file()
    }


def marked(project: Project, mark: str) -> set[tuple[str, Key]]:
    """The partitions whose latest materialization has some metadata."""
    ledger = project.lineage().ledger
    return {
        (asset, key)
        for asset in GRAPH
        for key, made in ledger.all(asset).items()
        if mark in made.metadata
    }


def versions(project: Project) -> dict[tuple[str, Key], str]:
    ledger = project.lineage().ledger
    return {
        (asset, key): made.data_version
        for asset in GRAPH
        for key, made in ledger.all(asset).items()
    }


@pytest.fixture
def code(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str | None], None]:
    """Gives an asset another code version, or its own again."""
    known = status.code_version
    others: dict[str, str] = {}

    def change(asset: str, version: str | None) -> None:
        others.pop(asset, None)
        if version:
            others[asset] = version

    for module in (status, parts, step):  # which compare and record it
        monkeypatch.setattr(module, "code_version", lambda name: others.get(name) or known(name))
    return change


def forbid(monkeypatch: pytest.MonkeyPatch, *makers: tuple[object, str]) -> None:
    """Let the functions that make results fail."""

    def fail(*_: object, **__: object) -> None:
        raise AssertionError("computed")

    for module, name in makers:
        monkeypatch.setattr(module, name, fail)


# Back to what was


def test_the_old_zip_brings_the_old_results_back(settled, monkeypatch):
    path = settled.file(ZIP)
    old_zip, old, old_versions = path.read_bytes(), contents(settled), versions(settled)
    repack(path, changed_day=CHANGED)
    settled.update(*NUMBERS)
    assert contents(settled, *NUMBERS) != {n: it for n, it in old.items() if n.startswith(NUMBERS)}
    assert marked(settled, RESTORED) == set()
    path.write_bytes(old_zip)
    forbid(monkeypatch, *MAKERS)
    settled.update(*NUMBERS)
    assert contents(settled) == old
    assert versions(settled) == old_versions
    assert marked(settled, RESTORED) == {
        ("raw_quarter", Q3),
        ("daily_stats", CHANGED),
        ("drive_lifetimes", Q3),
    }
    assert set(settled.status("movie").values()) == {Status.UP_TO_DATE}


def test_the_event_of_a_result_that_came_back_tells_what_the_first_one_told(settled, code):
    def event(key: str) -> dict[str, dg.MetadataValue]:
        (record,) = settled.instance.fetch_materializations(
            dg.AssetRecordsFilter(asset_key=dg.AssetKey("drive_lifetimes"), asset_partitions=[key]),
            1,
        ).records
        return dict(record.asset_materialization.metadata)

    first = event(Q3)
    for version in ("another", None):
        code("drive_lifetimes", version)
        settled.update("drive_lifetimes")
    again = event(Q3)
    assert str(again.pop(RESTORED).value).startswith("made by run ")
    assert again["path"].value == str(settled.file(f"drive_lifetimes/{Q3}"))
    skipped = {"run_seconds", "path"}  # of the run that records it; of the folder that was copied
    assert {k: v for k, v in again.items() if k not in skipped} == {
        k: v for k, v in first.items() if k not in skipped
    }
    assert isinstance(again["largest_models"], dg.TableMetadataValue)


def test_the_old_code_brings_days_back_with_their_quarter(settled, code):
    old = contents(settled)
    code("daily_stats", "another")
    settled.update("daily_stats")
    entries = settled.data.kept.entries()
    assert [it.path.name.partition(".")[0] for it in entries] == ["2013-06-25", "2013-07-01"]
    code("daily_stats", None)
    settled.update("daily_stats")
    assert contents(settled) == old
    assert len(marked(settled, RESTORED)) == 12
    # What the other code has made is kept in turn.
    assert {it.path for it in settled.data.kept.entries()}.isdisjoint(it.path for it in entries)


def test_every_asset_comes_back(settled, code):
    old = contents(settled)
    for version in ("another", None):
        for asset in GRAPH:
            code(asset, version)
        settled.update()
    assert marked(settled, RESTORED) == versions(settled).keys()
    assert contents(settled) == old


def test_a_day_that_vanished_comes_back_with_its_zip(settled):
    path = settled.file(ZIP)
    old_zip, old = path.read_bytes(), contents(settled)
    path.unlink()
    write_fleet(settled.root, last=date(2013, 7, 5))
    settled.update("daily_stats")
    assert not settled.file("daily_stats/2013-07-06.parquet").exists()
    assert not settled.file("frames/2013-07-06.jpg").exists()
    path.write_bytes(old_zip)
    settled.update("daily_stats")
    assert ("daily_stats", "2013-07-06") in marked(settled, RESTORED)
    kept = {name: it for name, it in old.items() if name.startswith(("raw", "daily"))}
    assert contents(settled, "raw_quarter", "daily_stats") == kept
    assert any(entry.asset == "frames" for entry in settled.data.kept.entries())


# What is not taken


def test_a_damaged_kept_result_is_made_anew(settled, code):
    old = contents(settled)
    code("survival", "another")
    settled.update("survival")
    for entry in settled.data.kept.entries():
        if entry.path.name.startswith(Q3):
            (path,) = entry.path.glob("*.parquet")
            content = bytearray(path.read_bytes())
            content[40] ^= 1
            path.write_bytes(content)
    code("survival", None)
    settled.update("survival")
    assert marked(settled, RESTORED) == {("survival", Q2)}
    assert contents(settled) == old


def test_what_was_damaged_before_it_was_replaced_is_not_kept(settled, code):
    lose_a_row(settled.file(f"survival/{Q3}.parquet"))
    code("survival", "another")
    settled.update("survival")
    assert [it.path.name[:10] for it in settled.data.kept.entries()] == [Q2]


def test_what_a_check_refuses_is_not_kept(settled, monkeypatch, code):
    monkeypatch.setattr(status.Lineage, "refusals", lambda *_: ["refused"])
    code("drive_lifetimes", "another")
    settled.run("drive_lifetimes", first=Q2, last=Q3)
    assert settled.data.kept.entries() == []


def test_nothing_is_kept_when_it_is_switched_off(settled, code):
    data = replace(Brief(settled.root), keep_bytes=0)
    for version in ("another", None):
        code("survival", version)
        bring_up_to_date(settled.instance, data, ["survival"])
    assert not settled.file(".kept/results").exists()
    assert marked(settled, RESTORED) == set()


def test_a_result_that_a_person_asks_for_again_is_made_again(settled, monkeypatch):
    asked = []
    make = lifetimes.Lifetimes.load
    monkeypatch.setattr(
        lifetimes.Lifetimes, "load", classmethod(lambda _, path: asked.append(path) or make(path))
    )
    settled.run("survival", first=Q3)
    assert len(asked) == 1
    assert marked(settled, RESTORED) | marked(settled, TAKEN) == set()


# Another person, on the same folder


@pytest.fixture
def other(settled: Project) -> Iterator[Project]:
    """The project as a person sees it who has an instance of his own, with nothing in it."""
    with dg.DagsterInstance.ephemeral() as instance:
        yield Project(settled.root, instance)


def test_what_another_person_has_made_is_taken_as_it_is(other, monkeypatch):
    old = contents(other)
    inodes = {name: other.file(name).stat().st_ino for name in old}
    forbid(monkeypatch, *MAKERS)
    other.update("survival")
    assert contents(other) == old
    assert {name: other.file(name).stat().st_ino for name in old} == inodes
    assert marked(other, TAKEN) == {
        (asset, key) for asset in ("raw_quarter", "drive_lifetimes", "survival") for key in (Q2, Q3)
    }


def test_of_the_whole_film_another_person_computes_nothing(settled, other):
    old = contents(other)
    inodes = {name: other.file(name).stat().st_ino for name in old}
    other.update()
    assert contents(other) == old
    assert {name: other.file(name).stat().st_ino for name in old} == inodes
    assert marked(other, TAKEN) == versions(settled).keys()
    assert versions(other) == versions(settled)
    assert other.update() == []


def test_a_damaged_result_of_another_person_is_made_anew(other):
    old = contents(other)
    lose_a_row(other.file(f"survival/{Q3}.parquet"))
    other.update("survival")
    assert ("survival", Q2) in marked(other, TAKEN)
    assert ("survival", Q3) not in marked(other, TAKEN)
    assert contents(other) == old


def test_what_nobody_has_a_record_of_is_made_anew_and_not_kept(other, code):
    """Another person's results, without his records and by other code: there is nothing to say."""
    shutil.rmtree(other.file(".kept"))
    for asset in ("raw_quarter", "drive_lifetimes"):
        code(asset, "another")
    other.update("drive_lifetimes")
    assert marked(other, TAKEN) == set()
    assert {made.code_version for made in other.lineage().ledger.all("raw_quarter").values()} == {
        "another"
    }
    assert other.data.kept.entries() == []


@pytest.mark.parametrize("name", ["movie/movie.srt", "share/film/poster.png"])
def test_files_that_carry_no_digest_are_verified_by_the_folders_records(settled, name):
    asset = name.partition("/")[0]
    with dg.DagsterInstance.ephemeral() as instance:
        there = Project(settled.root, instance)
        made = settled.lineage().ledger.get(asset)
        origin = Origin(asset, None, made.code_version, inputs=made.inputs)

        def taken() -> list[str]:
            reuse = Reuse(there.lineage(), Kept(there.root, 10**9))
            return [it.how for it in reuse.take(asset, {None: origin})]

        assert taken() == [TAKEN]
        path = Path(settled.file(name))
        path.write_bytes(path.read_bytes() + b"x")
        assert taken() == []
