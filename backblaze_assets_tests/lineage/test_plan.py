"""What is to be made next, as the command line and the automation are told."""

from dataclasses import replace
from datetime import date

import pytest

from backblaze_assets.cli.update import Ran, bring_up_to_date
from backblaze_assets.errors import DataError
from backblaze_assets.graph import GRAPH, Asset
from backblaze_assets.lineage.plan import Batch, next_batches
from backblaze_assets.lineage.status import Status
from backblaze_assets.partitions import Partitioning
from backblaze_assets_tests.project import (
    FIRST,
    LAST,
    Q2,
    Q3,
    RUNS,
    Project,
    lose_a_row,
    spoil,
    write_fleet,
)
from backblaze_assets_tests.repack import repack


def planned(project: Project, *targets: str, **options) -> list[tuple[tuple[str, ...], int]]:
    """Assets and number of partitions of each batch."""
    batches = next_batches(project.lineage(), targets or GRAPH, **options)
    return [(batch.assets, len(batch.keys)) for batch in batches]


JANUARY_1 = date(2014, 1, 1)


@pytest.mark.slow
def test_a_new_zip_takes_three_batches_to_everything(project):
    spans = {Partitioning.QUARTERS: (Q2, Q3), Partitioning.DAYS: (FIRST, LAST)}
    for assets in RUNS:
        first, last = spans[GRAPH[assets[0]].partitioning]
        assert planned(project, together=True) == [(assets, 12 if first == FIRST else 2)]
        assert project.run(*assets, first=first, last=last).success
    assert planned(project, together=True) == []
    assert project.update() == []  # the command line agrees


@pytest.mark.slow
def test_alone_each_asset_waits_for_those_it_reads(project):
    seen = []
    while batches := next_batches(project.lineage(), ["afr_table", "film_layout"]):
        seen.append([batch.assets for batch in batches])
        for batch in batches:
            project.run(*batch.assets, first=batch.keys[0], last=batch.keys[-1])
    assert seen == [
        [("raw_quarter",)],
        [("daily_stats",), ("drive_lifetimes",)],
        [("afr_table",), ("film_layout",)],
    ]


@pytest.mark.slow
def test_only_targets_and_what_they_read_are_planned(project):
    project.update("raw_quarter")
    assert planned(project, "daily_stats") == [(("daily_stats",), 12)]
    assert planned(project, "film_layout") == [(("drive_lifetimes",), 2)]


@pytest.mark.slow
def test_a_zip_of_another_quarter_waits_for_nobody(project):
    project.update("raw_quarter", "daily_stats")
    write_fleet(project.root, JANUARY_1, JANUARY_1)
    assert planned(project, "daily_stats", "drive_lifetimes") == [(("raw_quarter",), 1)]
    write_fleet(project.root, date(2015, 1, 1), date(2015, 1, 1))
    assert planned(project, "raw_quarter") == [(("raw_quarter",), 2)]


def test_what_lies_between_is_not_asked_for(project):
    write_fleet(project.root, JANUARY_1, JANUARY_1)
    project.run("raw_quarter", first=Q3)
    found = next_batches(project.lineage(), ["raw_quarter"])
    assert [batch.keys for batch in found] == [(Q2,), ("2014-01-01",)]
    assert found[0].tags["dagster/asset_partition_range_end"] == Q2


@pytest.mark.slow
def test_failed_attempts_are_neither_waited_for_nor_repeated(project):
    write_fleet(project.root, JANUARY_1, JANUARY_1)
    spoil(project.root / "data_2014.zip", JANUARY_1)
    (batch,) = next_batches(project.lineage(), GRAPH, together=True)
    assert batch.keys == (Q2, Q3, "2014-01-01")
    assert not project.run("raw_quarter", first=Q2, last="2014-01-01").success
    bad = {it for it in batch.attempts if it[:2] == ("raw_quarter", "2014-01-01")}
    assert len(bad) == 1
    # Made, but not checked, as their run has failed: they are judged first.
    (judged,) = next_batches(project.lineage(), ["daily_stats"], bad)
    assert (judged.judge_only, judged.keys) == (True, (Q2, Q3))
    project.check("raw_quarter")
    assert planned(project, "daily_stats", "drive_lifetimes", tried=bad) == [
        (("daily_stats",), 12),
        (("drive_lifetimes",), 2),
    ]
    # Other content of that zip is another attempt.
    repack(project.root / "data_2013.zip")
    write_fleet(project.root, JANUARY_1, date(2014, 1, 2))
    assert planned(project, "raw_quarter", tried=bad) == [(("raw_quarter",), 1)]


@pytest.mark.slow
def test_a_zip_without_a_readable_day_costs_its_quarter_and_what_continues_it(project):
    """All else is made, and the bad one is named at the end."""
    write_fleet(project.root, JANUARY_1, JANUARY_1)
    spoil(project.root / "data_2014.zip", JANUARY_1)
    with pytest.raises(DataError, match=r"raw_quarter 2014-01-01: (?s:.*)data_2014\.zip") as error:
        project.update("afr_table")
    assert "2013" not in str(error.value)
    assert list(project.lineage().ledger.all("afr_table")) == [Q2, Q3]
    assert list(project.lineage().ledger.all("raw_quarter")) == [Q2, Q3]


@pytest.mark.slow
def test_a_bad_day_costs_that_day_until_its_zip_is_replaced(project):
    """A whole zip has the same list of checksums as the damaged one, so that cannot tell."""
    write_fleet(project.root, JANUARY_1, date(2014, 1, 3))
    path = project.root / "data_2014.zip"
    whole = path.read_bytes()
    spoil(path, JANUARY_1)
    ran = []
    for _ in range(2):
        with pytest.raises(DataError, match=r"days_readable: .*2014-01-01\.csv cannot be read"):
            ran += project.update("daily_stats")
        assert set(project.status("daily_stats").values()) == {Status.UP_TO_DATE}
    made = project.lineage().ledger.get("daily_stats", "2014-01-01")
    assert (made.metadata["reported"], made.metadata["drives"]) == (False, 0)
    assert len(project.instance.get_runs()) == 2  # the second time there is nothing to do
    assert planned(project, "raw_quarter", refused=True) == []
    path.write_bytes(whole)
    assert project.update("daily_stats") == [Ran("raw_quarter", 1), Ran("daily_stats", 1)]


@pytest.mark.slow
def test_a_changed_day_in_the_middle_is_one_batch_from_there_on(project):
    write_fleet(project.root, JANUARY_1, JANUARY_1)
    project.update("drive_lifetimes")
    repack(project.root / "data_2013.zip", changed_day="2013-07-02")
    assert planned(project, "drive_lifetimes") == [(("raw_quarter",), 1)]
    project.run("raw_quarter", first=Q3)
    assert planned(project, "drive_lifetimes") == [(("drive_lifetimes",), 2)]
    # With both in one run, they do not have the same range, and the second waits.
    repack(project.root / "data_2013.zip", changed_day="2013-07-03")
    assert planned(project, "drive_lifetimes", together=True) == [(("raw_quarter",), 1)]


@pytest.mark.slow
def test_nothing_is_planned_from_what_is_refused(project):
    project.update("raw_quarter")
    lose_a_row(project.file(f"raw_quarter/{Q2}/{FIRST}.parquet"))
    project.check("raw_quarter", "rows_accounted_for")
    assert planned(project, "daily_stats", "drive_lifetimes") == [(("daily_stats",), 6)]
    # A person who asks again gets it judged again, and what is made from it waits for that.
    (judged,) = next_batches(project.lineage(), ["daily_stats"], refused=True)
    assert (judged.judge_only, judged.assets, judged.keys) == (True, ("raw_quarter",), (Q2,))


def test_batches_of_the_same_work_have_one_name(project):
    (one,) = next_batches(project.lineage(), ["raw_quarter"])
    (same,) = next_batches(project.lineage(), ["raw_quarter"])
    assert one.digest == same.digest
    repack(project.root / "data_2013.zip", changed_day="2013-07-02")
    (changed,) = next_batches(project.lineage(), ["raw_quarter"])
    assert len({one.digest, changed.digest, one.first(1).digest}) == 3


def test_a_batch_can_be_cut(project):
    (batch,) = next_batches(project.lineage(), GRAPH, together=True)
    first = batch.first(1)
    assert (first.assets, first.keys) == (batch.assets, (Q2,))
    assert set(first.assets) >= {"raw_quarter", "drive_lifetimes", "film_layout"}
    assert {(asset, key) for asset, key, _ in first.attempts} == {(it, Q2) for it in first.assets}
    assert batch.first(2) == batch.first(None) == batch


def test_a_part_of_a_batch_makes_nothing_that_needs_all_of_it():
    clips = batch(GRAPH["movie_clip"], Q2, Q3).with_(batch(GRAPH["movie"], None))
    assert clips.first(1) == batch(GRAPH["movie_clip"], Q2)
    assert batch(GRAPH["movie"], None).first(1) == batch(GRAPH["movie"], None)


def batch(asset: Asset, *keys: str | None) -> Batch:
    attempts = frozenset((asset.name, key, "") for key in keys)
    return Batch((asset.name,), keys, attempts, replaces=frozenset())


def test_one_run_takes_one_range_and_assets_without_partitions():
    raw, clips = batch(GRAPH["raw_quarter"], Q2), batch(GRAPH["movie_clip"], Q2)
    daily, film = batch(GRAPH["daily_stats"], Q2), batch(GRAPH["movie"], None)
    assert raw.fits(clips)
    assert raw.fits(film)
    assert film.fits(raw)
    assert not raw.fits(daily)  # the same key, but of a day
    assert not raw.fits(batch(GRAPH["movie_clip"], Q2, Q3))
    assert raw.with_(film).keys == film.with_(raw).keys == (Q2,)
    assert {GRAPH[name].partitioning for name in raw.with_(film).assets} == {
        Partitioning.QUARTERS,
        Partitioning.NONE,
    }


@pytest.mark.slow
def test_what_can_be_divided_is_in_runs_of_about_so_many_days(project):
    def planned_days(days: int) -> list[tuple[tuple[str, ...], list[str | None]]]:
        options = {"together": True, "days_per_run": days}
        batches = next_batches(project.lineage(), GRAPH, **options)
        return [(it.assets, [it.keys[0], it.keys[-1]]) for it in batches]

    assert planned_days(91) == [(("raw_quarter",), [Q2, Q2]), (("raw_quarter",), [Q3, Q3])]
    assert planned_days(183) == [(("raw_quarter",), [Q2, Q3])]
    project.run("raw_quarter", first=Q2, last=Q3)
    # What no other run can help with comes first.
    assert planned_days(3) == [
        (("drive_lifetimes", "survival", "film_layout"), [Q2, Q3]),
        (("daily_stats",), [str(FIRST), "2013-06-27"]),
        (("daily_stats",), ["2013-06-28", "2013-06-30"]),
        (("daily_stats",), ["2013-07-01", "2013-07-03"]),
        (("daily_stats",), ["2013-07-04", str(LAST)]),
    ]


def test_portions_of_a_batch_have_all_its_work_once():
    whole = batch(GRAPH["raw_quarter"], Q2, Q3, "2013-10-01")
    parts = whole.portions(183)
    assert [it.keys for it in parts] == [(Q2, Q3), ("2013-10-01",)]
    assert frozenset[object]().union(*(it.attempts for it in parts)) == whole.attempts
    assert len({it.digest for it in parts}) == 2
    assert whole.portions(None) == [whole]
    # What continues itself, what is made of all, and what is only judged is left whole.
    for other in (
        batch(GRAPH["drive_lifetimes"], Q2, Q3),
        batch(GRAPH["film_layout"], Q2, Q3),
        batch(GRAPH["movie"], None),
        replace(whole, judge_only=True),
    ):
        assert other.portions(1) == [other]


@pytest.mark.slow
def test_an_update_ends_though_the_zip_is_replaced_meanwhile(project):
    """Each attempt is made once, whatever a person does in the folder during it."""
    said = []

    def say(sentence: str) -> None:
        said.append(sentence)
        repack(project.root / "data_2013.zip", changed_day="2013-07-02")

    with pytest.raises(DataError, match="was replaced or changed while it was being imported"):
        bring_up_to_date(project.instance, project.data, ["daily_stats"], say)
    assert said == ["raw_quarter 2013-Q2 to 2013-Q3 (2)"]
    assert project.update("daily_stats") == [Ran("raw_quarter", 2), Ran("daily_stats", 12)]
