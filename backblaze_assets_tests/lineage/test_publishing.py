"""What a step makes is stored while it goes on; what a store refuses costs no more than that."""

import time
from collections import Counter
from dataclasses import replace
from datetime import date

import dagster as dg
import pytest

from backblaze_assets.files.store import Store, StoreError
from backblaze_assets.film import share
from backblaze_assets.lineage import step
from backblaze_assets_tests.project import FIRST, LAST, failure, new_project, write_fleet

pytestmark = pytest.mark.slow  # whole runs of Dagster

BAD = "daily_stats/2013-06-27.parquet"


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A working copy of a store with the zip of twelve days in it, and these days imported."""
    monkeypatch.setattr(step, "WAITS_S", (0, 0))
    store = f"file://{tmp_path}/store"
    write_fleet(tmp_path / "zips", drives=8)
    for path in (tmp_path / "zips").iterdir():
        Store(store).put(path.name, path)
    with new_project(tmp_path / "copy", store) as project:
        project.update("raw_quarter")
        yield project


@pytest.fixture
def refusals(monkeypatch):
    """How often what is to be stored is refused, with which error; and what was asked for."""
    rest: dict[str, tuple[int, StoreError]] = {}
    asked: Counter[str] = Counter()
    put = Store.put

    def refusing(self, key, path):
        asked[key] += 1
        count, error = rest.get(key, (0, StoreError()))
        if count:
            rest[key] = count - 1, error
            raise error
        return put(self, key, path)

    monkeypatch.setattr(Store, "put", refusing)
    return rest, asked


def make_days(project) -> dg.ExecuteInProcessResult:
    return project.run("daily_stats", first=FIRST, last=LAST)


def days_stored(project) -> set[str]:
    return {key for key in Store(project.store).objects() if key.startswith("daily_stats/")}


def test_what_a_store_refuses_for_the_moment_is_tried_again(project, refusals):
    rest, asked = refusals
    rest[BAD] = 2, StoreError("too many requests", passes=True)
    result = make_days(project)
    assert result.success
    retries = result.filter_events(lambda event: event.is_step_up_for_retry)
    assert len(retries) == 2
    assert asked[BAD] == 3
    assert {
        count for key, count in asked.items() if key.startswith("daily_stats/") and key != BAD
    } == {1}
    assert days_stored(project) == days_recorded(project)
    assert len(days_stored(project)) == 12


def test_what_it_goes_on_refusing_costs_that_partition_alone(project, refusals):
    rest, asked = refusals
    rest[BAD] = 99, StoreError("too many requests", passes=True)
    result = make_days(project)
    assert not result.success
    assert failure(result) == "daily_stats 2013-06-27: too many requests"
    assert asked[BAD] == 3
    assert days_stored(project) == days_recorded(project)
    assert len(days_stored(project)) == 11


def test_what_it_denies_is_not_tried_again(project, refusals):
    rest, asked = refusals
    rest[BAD] = 99, StoreError("the store denies it")
    result = make_days(project)
    assert failure(result) == "daily_stats 2013-06-27: the store denies it"
    assert asked[BAD] == 1
    assert len(days_recorded(project)) == 11


def days_recorded(project) -> set[str]:
    ledger = project.lineage().ledger
    return {f"daily_stats/{made.partition}.parquet" for made in ledger.all("daily_stats").values()}


def test_of_many_frames_only_those_that_are_shared_are_fetched(project, monkeypatch):
    project.update("movie")
    folder = project.data.folder
    replace(folder, most_bytes=0).make_room(before=time.time())
    fetched: list[str] = []
    read = Store.read

    def noting(self, key, *arguments):
        fetched.append(key)
        return read(self, key, *arguments)

    monkeypatch.setattr(Store, "read", noting)
    monkeypatch.setattr(share, "MOST_FRAMES", 3)
    project.update("share")
    days = [date(2013, 6, 25), date(2013, 7, 1), date(2013, 7, 6)]
    frames = [f"frames/{day}.jpg" for day in days]
    assert sorted(it for it in fetched if it.startswith("frames/")) == frames
    layouts = ["film_layout/2013-04-01.json", "film_layout/2013-07-01.json"]
    assert sorted(it for it in fetched if it.startswith("film_layout/")) == layouts
