"""What `prune` finds and removes, and what it never touches."""

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from backblaze_assets.files.atomic import unfinished_path
from backblaze_assets.graph import GRAPH
from backblaze_assets.lineage import parts, status, step
from backblaze_assets.lineage.status import Status
from backblaze_assets.work.locks import one_at_a_time
from backblaze_assets_tests.cli.conftest import Outcome
from backblaze_assets_tests.project import Project, left

OLD = "2012-10-01"
"""A quarter, and its first day, that nothing knows."""


def results(root: Path) -> dict[Path, tuple[bytes, int]]:
    """Content and file number of all results."""
    files = [path for asset in GRAPH for path in (root / asset).rglob("*") if path.is_file()]
    return {path: (path.read_bytes(), path.stat().st_ino) for path in files}


@pytest.fixture
def replaced(settled: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project whose survival curves were made by other code before, with its records."""
    monkeypatch.setenv("DAGSTER_HOME", str(settled.root.with_name("records of data")))
    known = status.code_version
    with pytest.MonkeyPatch.context() as patch:
        for module in (status, parts, step):  # which compare and record it
            patch.setattr(
                module, "code_version", lambda it: "a" * 32 if it == "survival" else known(it)
            )
        settled.run("survival", first="2013-04-01", last="2013-07-01")
    settled.run("survival", first="2013-04-01", last="2013-07-01")
    return settled


@pytest.fixture
def prune(run: Callable[..., Outcome]) -> Callable[..., str]:
    def call(project: Project, *options: str) -> str:
        done = run("prune", *options, "--data", project.root)
        assert done.code == 0, done.stderr
        return done.stdout + done.stderr

    return call


def rows(text: str, what: str) -> list[list[str]]:
    """The cells of the table's rows that begin with `what`."""
    lines = [line for line in text.splitlines() if line.strip().startswith(what)]
    return [line.split(what)[1].split(maxsplit=4) for line in lines]


def test_a_folder_without_waste_has_nothing_to_remove(settled, prune):
    assert "There is nothing to remove." in prune(settled)


@pytest.mark.slow
def test_kept_results_stay_unless_they_are_asked_for(replaced, prune, monkeypatch):
    (row,) = rows(prune(replaced), "replaced results")
    assert (row[0], row[3]) == ("2", "stays")
    before = results(replaced.root)
    prune(replaced, "--yes")
    assert len(replaced.data.kept.entries()) == 2
    monkeypatch.setenv("BACKBLAZE_KEEP_GB", "0.00002")  # there is room for one of them
    assert [row[0] for row in rows(prune(replaced), "replaced results")] == ["1", "1"]
    prune(replaced, "--yes")
    assert len(replaced.data.kept.entries()) == 1
    assert "Freed " in prune(replaced, "--yes", "--kept")
    assert replaced.data.kept.entries() == []
    assert results(replaced.root) == before


@pytest.mark.slow
def test_source_and_records_go_when_no_result_of_them_is_left(replaced, prune):
    folder = replaced.file(".kept/source/survival")
    assert len(list(folder.iterdir())) == 2
    prune(replaced, "--yes", "--kept")  # the results, and the records that newer ones cover
    prune(replaced, "--yes")
    (left,) = folder.iterdir()
    assert (
        left.name.partition(".")[0]
        == replaced.lineage().ledger.get("survival", "2013-04-01").code_version
    )
    assert "There is nothing to remove." in prune(replaced)


def test_days_and_quarters_that_nothing_knows_are_orphans(settled, prune):
    before = results(settled.root)
    orphans = [settled.file(f"frames/{OLD}.jpg"), settled.file(f"movie_clip/{OLD}.mp4")]
    others = [settled.file("frames/notes.txt"), settled.file("frames/2012-99-01.jpg")]
    for path in orphans + others:
        path.write_bytes(b"x" * 1000)
    shutil.copytree(settled.file("drive_lifetimes/2013-04-01"), settled.file("drive_lifetimes/x"))
    said = prune(settled)
    assert [row[0] for row in rows(said, "frames of days")] == ["1"]
    assert [row[0] for row in rows(said, "movie_clip of quarters")] == ["1"]
    assert all(path.exists() for path in orphans)
    prune(settled, "--yes")
    assert not any(path.exists() for path in orphans)
    assert all(path.exists() for path in others)
    assert before.items() <= results(settled.root).items()


def test_what_the_records_know_is_no_orphan_when_its_zip_has_gone(settled, prune):
    """Also for a person whose own records are empty: the folder's say it."""
    settled.file("data_2013.zip").unlink()
    shutil.rmtree(settled.file("raw_quarter"))
    shutil.rmtree(settled.file("drive_lifetimes"))
    before = results(settled.root)
    prune(settled, "--yes", "--kept")
    assert results(settled.root) == before


def test_unfinished_files_of_dead_processes_go_and_no_others(settled, prune):
    begun = left(settled.file("frames/2013-06-25.jpg"))
    inside = left(settled.file("raw_quarter/2013-04-01/x.parquet"))
    kept = left(settled.file(".kept/results/survival/x")) / "2013-04-01.parquet"
    record = left(settled.file(".kept/records/survival/x.json.gz"))
    at_work = unfinished_path(settled.file("frames/2013-06-26.jpg"))
    kept.parent.mkdir(parents=True)
    for path in (begun, inside, kept, record, at_work):
        path.write_bytes(b"x")
    with one_at_a_time(settled.root / ".locks", "render", pytest.fail):
        assert [row[0] for row in rows(prune(settled, "--yes"), "unfinished files")] == ["4"]
    assert not any(path.exists() for path in (begun, inside, kept, record))
    assert at_work.exists()


def test_what_steps_have_printed_long_ago_goes(settled, prune, monkeypatch):
    home = settled.root.with_name("records of data")
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    monkeypatch.setenv("BACKBLAZE_LOG_DAYS", "10")
    logs = {days: home / "storage" / f"run-{days}" / "compute_logs" / "a.out" for days in (9, 11)}
    for days, path in logs.items():
        path.parent.mkdir(parents=True)
        path.write_text("printed", encoding="utf-8")
        os.utime(path, (time.time() - days * 86_400,) * 2)
    said = prune(settled, "--yes")
    assert [row[0] for row in rows(said, "printed by steps")] == ["1"]
    assert {days: path.exists() for days, path in logs.items()} == {9: True, 11: False}
    assert {it for asset in GRAPH for it in settled.status(asset).values()} == {Status.UP_TO_DATE}


@pytest.mark.parametrize("variable", ["BACKBLAZE_KEEP_GB", "BACKBLAZE_LOG_DAYS"])
def test_nonsense_in_a_setting_is_named(settled, run, monkeypatch, variable):
    monkeypatch.setenv(variable, "-1")
    done = run("prune", "--data", settled.root)
    assert done.code == 1
    assert f"{variable} is '-1'; it can be a number of at least" in done.stderr


def test_a_folder_that_is_not_there_is_named(run, tmp_path):
    done = run("prune", "--data", tmp_path / "nowhere")
    assert (done.code, "There is no folder" in done.stderr) == (1, True)
