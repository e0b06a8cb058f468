"""Asset checks through Dagster: each seen passing and failing, in the run that materializes."""

import shutil
from dataclasses import replace
from datetime import date, timedelta

import dagster as dg
import polars as pl
import pyarrow.parquet as pq
import pytest
from backblaze_assets.checks import CHECKS

from backblaze_assets.cli.update import run
from backblaze_assets.drive_stats.quarters import days_of
from backblaze_assets.errors import DataError
from backblaze_assets.files.stamps import read_origin
from backblaze_assets.film.encode import encode_clip
from backblaze_assets_tests.conftest import FIRST, LAST, Project
from backblaze_assets_tests.drive_stats.zips import HEADER, csv, row, write_zip

Q2, Q3 = date(2013, 4, 1), date(2013, 7, 1)
QUARTER = date(2016, 4, 1)
DAYS = days_of(QUARTER)
START, END = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"


def job(project):
    return project.definitions.resolve_implicit_global_asset_job_def()


def evaluations(result):
    return {found.check_name: found for found in result.get_asset_check_evaluations()}


def materialize(project, *assets, first=None, last=None):
    """One run of assets with their checks."""
    return job(project).execute_in_process(
        instance=project.instance,
        asset_selection=[dg.AssetKey(asset) for asset in assets],
        tags={START: str(first), END: str(last or first)} if first else {},
        raise_on_error=False,
    )


def check(project, asset):
    """The checks of an asset alone, as a person can start them in the UI."""
    keys = {
        dg.AssetCheckKey(dg.AssetKey(asset), each.name) for each in CHECKS if each.asset == asset
    }
    alone = job(project).get_subset(asset_selection=frozenset(), asset_check_selection=keys)
    return evaluations(alone.execute_in_process(instance=project.instance, raise_on_error=False))


@pytest.fixture(scope="module")
def copied(built, tmp_path_factory):
    """A copy of a project that is built, with records of its own. Its files stay as they are."""
    root = tmp_path_factory.mktemp("copied") / "data"
    shutil.copytree(built.root, root)
    with dg.DagsterInstance.ephemeral() as instance:
        project = Project(root, instance)
        project.update("afr_table", "movie_clip")
        yield project


@pytest.fixture
def damaged(copied, tmp_path):
    """A copy of its files to be damaged; the records are the same."""
    shutil.copytree(copied.root, tmp_path / "data")
    return replace(copied, root=tmp_path / "data")


@pytest.fixture
def empty(tmp_path):
    """A project without zips."""
    (tmp_path / "data").mkdir()
    with dg.DagsterInstance.ephemeral() as instance:
        yield Project(tmp_path / "data", instance)


def table_of(evaluation):
    return evaluation.metadata["table"].value


def metadata(evaluation):
    return {name: value.value for name, value in evaluation.metadata.items()}


def test_every_asset_but_the_layout_is_checked_when_it_is_built(built):
    keys = [dg.AssetCheckKey(dg.AssetKey(each.asset), each.name) for each in CHECKS]
    records = built.instance.event_log_storage.get_latest_asset_check_execution_by_key(keys)
    status = {key.name: records[key].status.value for key in keys}
    # Twelve days are not two quarters; all else is as it should be.
    assert status.pop("days_present") == "FAILED"
    assert set(status.values()) == {"SUCCEEDED"}
    assert {each.asset for each in CHECKS} == {
        *("raw_quarter", "daily_stats", "drive_lifetimes", "afr_table"),
        *("frames", "movie_clip", "movie"),
    }


def test_checks_of_a_range_run_once_over_all_its_partitions(copied):
    result = materialize(copied, "daily_stats", first=FIRST, last=LAST)
    found = evaluations(result)["days_whole"]
    assert found.passed
    assert metadata(found) == {
        "days": 12,
        "days_partial": 0,
        "days_without_report": 0,
        "partitions": 12,
        "first_partition": str(FIRST),
        "last_partition": str(LAST),
    }


def test_checks_of_one_partition_look_at_that_alone(copied):
    assert metadata(evaluations(materialize(copied, "raw_quarter", first=Q3))["days_present"]) == {
        "days_expected": 92,
        "days_found": 6,
        "days_absent": 86,
        "partitions": 1,
        "first_partition": str(Q3),
        "last_partition": str(Q3),
        "table": "| first | last | days | why |\n| --- | --- | --: | --- |\n"
        "| 2013-07-07 | 2013-09-30 | 86 | no file |",
    }


def test_checks_alone_look_at_everything_there_is(copied):
    found = check(copied, "raw_quarter")
    assert metadata(found["rows_accounted_for"])["partitions"] == 2
    assert metadata(found["rows_accounted_for"])["days_recounted"] == 2
    assert metadata(check(copied, "frames")["frames_whole"])["frames"] == 12


def test_a_whole_quarter_of_clean_rows_passes_all_checks(empty):
    days = {day: csv(row("S1", day=str(day)), row("S2", day=str(day))) for day in DAYS}
    write_zip(empty.root / "data_Q2_2016.zip", days)
    found = evaluations(materialize(empty, "raw_quarter", first=QUARTER))
    assert len(found) == 8
    assert {name: each.passed for name, each in found.items()} == dict.fromkeys(found, True)
    assert metadata(found["rows_accounted_for"]) == {
        "rows_in": 182,
        "rows_kept": 182,
        "rows_set_aside": 0,
        "days_recounted": 1,
        "days_wrong": 0,
        "partitions": 1,
        "first_partition": str(QUARTER),
        "last_partition": str(QUARTER),
    }


def test_what_is_odd_about_a_zip_is_a_warning_each(empty):
    days = {day: csv(row("S1", day=str(day)), row("S2", day=str(day))) for day in DAYS}
    odd = {
        0: csv(row("S1", day=str(DAYS[0])), row("S1", day=str(DAYS[0]))),
        1: csv(row("S1", day="2016-04-09"), row("S2", day="2016-04-09")),
        2: csv(row("S1", capacity="-1", day=str(DAYS[2]))),
        3: csv(row("S1", model="WDC WD60EFRX", day=str(DAYS[3]))),
        4: csv(row("S1", smart="1E+12,7,,4000", day=str(DAYS[4]))),
        5: csv(row("S1", smart="100,7,,4000,x", day=str(DAYS[5])), header=f"{HEADER},colour"),
        6: csv(),
    }
    days |= {DAYS[number]: content for number, content in odd.items()}
    del days[DAYS[7]]
    write_zip(empty.root / "data_Q2_2016.zip", days)
    result = materialize(empty, "raw_quarter", "drive_lifetimes", first=QUARTER)
    assert result.success
    found = evaluations(result)
    assert {name for name, each in found.items() if each.passed} == {
        *("rows_accounted_for", "drives_once", "slots_gapless", "exposure_agrees")
    }
    failed = {name: each for name, each in found.items() if not each.passed}
    assert {each.severity for each in failed.values()} == {dg.AssetCheckSeverity.WARN}
    assert "| 2016-04-07 | 2016-04-07 | 1 | no row |" in table_of(failed["days_present"])
    assert "| 2016-04-08 | 2016-04-08 | 1 | no file |" in table_of(failed["days_present"])
    assert "backblaze-assets download 2016-Q2" in failed["days_present"].description
    assert "| 2016-04-01 | 1 |" in table_of(failed["no_duplicates"])
    assert "| 2016-04-05 | 0 | 1 | 0 |" in table_of(failed["rows_readable"])
    assert "| 2016-04-02 | 2 |" in table_of(failed["dates_agree"])
    assert "| 2016-04-03 | 1 |" in table_of(failed["capacities_plausible"])
    assert "| colour | 2016-04-06 | 2016-04-06 | 1 |" in table_of(failed["columns_known"])
    assert "| ST4000DM000 and WDC WD60EFRX | 1 |" in table_of(failed["models_stable"])


def lose_a_row(path):
    """Write a Parquet file anew without its last row, but with all it says about itself."""
    table = pq.read_table(path)
    pq.write_table(table.slice(0, table.num_rows - 1), path)


def test_lost_rows_stop_the_run(damaged):
    lose_a_row(damaged.folder.raw_quarter(Q2) / f"{FIRST}.parquet")
    # The asset keeps what stands there, because it says that it was made from the same zip.
    result = materialize(damaged, "raw_quarter", "drive_lifetimes", first=Q2)
    assert not result.success
    found = evaluations(result)
    assert not found["rows_accounted_for"].passed
    assert found["rows_accounted_for"].severity is dg.AssetCheckSeverity.ERROR
    assert f"| {FIRST} |" in table_of(found["rows_accounted_for"])
    assert "drives_once" not in found
    made = {event.asset_key.to_user_string() for event in result.get_asset_materialization_events()}
    assert made == {"raw_quarter"}


def test_a_file_that_cannot_be_read_is_an_error_of_the_check(damaged):
    (damaged.folder.raw_quarter(Q2) / f"{FIRST}.parquet").write_bytes(b"PAR1 no more")
    found = check(damaged, "raw_quarter")
    assert {(each.passed, each.severity) for each in found.values()} == {
        (False, dg.AssetCheckSeverity.ERROR)
    }
    assert str(FIRST) in found["rows_accounted_for"].description


def test_a_partial_day_is_a_warning(empty):
    drives = [f"S{number}" for number in range(20)]
    days = {
        day: csv(*(row(serial, day=str(day)) for serial in drives[: 5 if number == 3 else 20]))
        for number, day in enumerate(DAYS[:6])
    }
    write_zip(empty.root / "data_Q2_2016.zip", days)
    materialize(empty, "raw_quarter", first=QUARTER)
    result = materialize(empty, "daily_stats", first=DAYS[0], last=DAYS[5])
    assert result.success
    found = evaluations(result)["days_whole"]
    assert (found.passed, found.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert f"| {DAYS[3]} | 5 | 20 |" in table_of(found)
    # The days before tell it also when that day alone is made.
    alone = evaluations(materialize(empty, "daily_stats", first=DAYS[3]))["days_whole"]
    assert (alone.passed, metadata(alone)["days"]) == (False, 1)


def test_drives_lost_doubled_or_displaced_are_errors(damaged):
    path = damaged.folder.drive_lifetimes(Q3) / "drives.parquet"
    drives = pl.read_parquet(path)
    lost = drives["serial_number"][0]
    pl.concat([drives[1:], drives[-1:]]).write_parquet(path)
    found = check(damaged, "drive_lifetimes")
    assert f"| 2013-Q3 | {lost} | missing |" in table_of(found["drives_once"])
    assert "| twice |" in table_of(found["drives_once"])
    assert metadata(found["slots_gapless"])["models_wrong"] == 2
    for name in ("drives_once", "slots_gapless"):
        assert metadata(found[name])["partitions_at_fault"] == [str(Q3)]
    assert found["exposure_agrees"].passed
    assert {each.severity for each in found.values()} == {dg.AssetCheckSeverity.ERROR}


def test_drive_days_that_are_not_those_of_daily_stats_are_an_error(damaged):
    path = damaged.folder.drive_lifetimes(Q3) / "spells.parquet"
    pl.read_parquet(path).with_columns(pl.col("drive_days") + 1).write_parquet(path)
    found = check(damaged, "drive_lifetimes")["exposure_agrees"]
    assert not found.passed
    assert "2013-Q2" not in table_of(found)
    assert "| 2013-Q3 |" in table_of(found)


def test_drive_days_are_compared_with_the_raw_rows_while_daily_stats_are_not_there(project):
    project.materialize("raw_quarter", str(Q2), str(Q3))
    found = evaluations(materialize(project, "drive_lifetimes", first=Q2, last=Q3))
    assert found["exposure_agrees"].passed
    assert metadata(found["exposure_agrees"])["counts_compared"] == 2
    path = project.folder.drive_lifetimes(Q3) / "spells.parquet"
    pl.read_parquet(path).with_columns(failures=1 + pl.col("failures")).write_parquet(path)
    assert "| 2013-Q3 | all models |" in table_of(
        check(project, "drive_lifetimes")["exposure_agrees"]
    )


def test_rates_that_do_not_come_from_the_daily_figures_are_an_error(damaged):
    path = damaged.folder.afr_table(Q3)
    table = pl.read_parquet(path)
    table.filter(
        (pl.col("window") != "year") | (pl.col("model") != table["model"][0])
    ).write_parquet(path)
    found = check(damaged, "afr_table")["agrees_with_daily_stats"]
    assert (found.passed, found.severity) == (False, dg.AssetCheckSeverity.ERROR)
    assert f"| 2013-Q3 year | {table['model'][0]} | 0 |" in table_of(found)
    assert metadata(found)["counts_differing"] == 1


def test_made_up_rates_are_never_compared_with_published_ones(copied):
    assert "counts" not in (found := check(copied, "afr_table")["agrees_with_published"]).metadata
    assert (found.passed, set(found.metadata)) == (
        True,
        {"partitions", "first_partition", "last_partition"},
    )


def test_real_rates_are_compared_with_published_ones(empty):
    day = date(2021, 1, 1)
    write_zip(empty.root / "data_Q1_2021.zip", {day: csv(row("S1", day=str(day)))})
    materialize(empty, "raw_quarter", first=day)
    materialize(empty, "daily_stats", first=day)
    result = materialize(empty, "drive_lifetimes", "afr_table", first=day)
    found = evaluations(result)["agrees_with_published"]
    assert (found.passed, found.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert metadata(found)["models_compared"] == metadata(found)["models_differing"] == 23
    assert "| 2021-Q1 quarter | ST4000DM000 | 1 |" in table_of(found)


def test_the_command_line_tells_what_checks_have_found(damaged):
    assert run(damaged.instance, damaged.data, "raw_quarter", [str(Q2), str(Q3)]) == [
        "WARN: raw_quarter, days_present: Not in the zip, or without a row in it: 162 of 174 "
        "days. In the film they look like the day before. If Backblaze has published more, fetch "
        "it with `backblaze-assets download 2013-Q2 2013-Q3`."
    ]
    lose_a_row(damaged.folder.raw_quarter(Q2) / f"{FIRST}.parquet")
    with pytest.raises(
        DataError, match=r"raw_quarter 2013-04-01 is refused .* after the import: 1 of"
    ):
        run(damaged.instance, damaged.data, "raw_quarter", [str(Q2)])


def test_a_frame_that_ends_early_stops_the_run(damaged):
    path = damaged.folder.frame(LAST)
    path.write_bytes(path.read_bytes()[:-20_000])
    result = materialize(damaged, "frames", first=FIRST, last=LAST)
    assert not result.success
    found = evaluations(result)["frames_whole"]
    assert (found.passed, found.severity) == (False, dg.AssetCheckSeverity.ERROR)
    assert table_of(found).endswith(f"| {LAST} | it ends early |")


def test_a_clip_that_lacks_a_frame_stops_the_run(damaged):
    path = damaged.folder.movie_clip(Q3)
    days = [Q3 + timedelta(days=number) for number in range(5)]
    encode_clip([damaged.folder.frame(day) for day in days], path, 60, read_origin(path))
    result = materialize(damaged, "movie_clip", "movie", first=Q3)
    assert not result.success
    assert "| 2013-07-01 | 5 frames, not 6 |" in table_of(evaluations(result)["clips_complete"])


def test_a_film_of_another_length_or_none_at_all_is_an_error(damaged):
    shutil.copy(damaged.folder.movie_clip(Q3), damaged.folder.movie)
    found = check(damaged, "movie")
    assert (found["film_complete"].passed, found["film_plays"].passed) == (False, True)
    assert metadata(found["film_complete"])["frames_expected"] == 12 + 60
    damaged.folder.movie.unlink()
    assert {each.passed for each in check(damaged, "movie").values()} == {False}
