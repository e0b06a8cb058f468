"""Asset checks through Dagster: each seen passing and failing, in the run that materializes."""

import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from importlib import import_module

import dagster as dg
import polars as pl
import pytest

from backblaze_assets import graph
from backblaze_assets.assets import raw_quarter
from backblaze_assets.cli.update import bring_up_to_date
from backblaze_assets.drive_stats.quarters import days_of
from backblaze_assets.files.stamps import read_origin
from backblaze_assets.film.encode import encode_clip
from backblaze_assets.graph import GRAPH
from backblaze_assets.instance.records import LOOKED_AT
from backblaze_assets.lineage.status import Status
from backblaze_assets_tests import project
from backblaze_assets_tests.drive_stats.zips import HEADER, csv, row, write_zip
from backblaze_assets_tests.project import (
    CLOSING,
    END,
    END_CARD,
    FIRST,
    LAST,
    START,
    TITLE,
    Project,
    lose_a_row,
    made,
    new_project,
    write_fleet,
)

pytestmark = pytest.mark.slow  # whole runs of Dagster

found_by = project.found

Q2, Q3 = date(2013, 4, 1), date(2013, 7, 1)
QUARTER = date(2016, 4, 1)
DAYS = days_of(QUARTER)


@pytest.fixture
def damaged(settled) -> Project:
    """A project with everything made, to be damaged."""
    return settled


@pytest.fixture
def empty(tmp_path) -> Iterator[Project]:
    """A project without zips."""
    with new_project(tmp_path / "data") as project:
        yield project


def figures(evaluation: dg.AssetCheckEvaluation) -> dict[str, object]:
    """What it tells in numbers and words, beside what it looked at."""
    told = {name: value.value for name, value in evaluation.metadata.items()}
    told.pop(LOOKED_AT, None)
    return told


def looked_at(evaluation: dg.AssetCheckEvaluation) -> tuple[str, str, int]:
    """First and last partition that it looked at, and how many."""
    seen = evaluation.metadata[LOOKED_AT].value
    return seen["first"], seen["last"], seen["partitions"]


def table_of(evaluation: dg.AssetCheckEvaluation) -> str:
    return str(evaluation.metadata["table"].value)


def test_all_checks_pass_on_what_has_just_been_made(built):
    checks = {
        dg.AssetCheckKey(dg.AssetKey(asset), check.__name__)
        for asset in GRAPH
        for kind in ("CHECKS", "FOLDER_CHECKS")
        for check in getattr(import_module(f"backblaze_assets.assets.{asset}"), kind, ())
    }
    records = built.instance.event_log_storage.get_latest_asset_check_execution_by_key(list(checks))
    status = {key.name: records[key].status.value for key in checks}
    # Twelve days are not two quarters; all else is as it should be.
    assert status.pop("days_present") == "FAILED"
    assert set(status.values()) == {"SUCCEEDED"}
    assert len(status) == len(checks) - 1  # names do not repeat
    asked = {key.asset_key.to_user_string() for key in checks}
    assert set(GRAPH) - asked == {"survival", "report", "film_layout", "share"}


def test_checks_of_a_range_run_once_over_all_its_partitions(settled):
    result = settled.run("daily_stats", first=FIRST, last=LAST)
    (evaluation,) = result.get_asset_check_evaluations()
    assert evaluation.passed
    assert looked_at(evaluation) == (str(FIRST), str(LAST), 12)
    assert figures(evaluation)["days"] == 12


def test_checks_of_one_partition_look_at_that_alone(settled):
    evaluation = found_by(settled.run("raw_quarter", first=Q3))["days_present"]
    assert looked_at(evaluation) == (str(Q3), str(Q3), 1)
    assert figures(evaluation) == {
        "days_expected": 92,
        "days_found": 6,
        "days_absent": 86,
        "table": "| first | last | days | why |\n| --- | --- | --: | --- |\n"
        "| 2013-07-07 | 2013-09-30 | 86 | no file |",
    }


def test_checks_alone_look_at_everything_there_is(built):
    found = built.check("raw_quarter")
    assert looked_at(found["rows_accounted_for"]) == (str(Q2), str(Q3), 2)
    assert figures(found["rows_accounted_for"])["days_recounted"] == 2
    assert figures(built.check("frames")["frames_whole"])["frames"] == 12


def test_checks_alone_over_a_range_look_at_that(built):
    found = built.check("raw_quarter", tags={START: str(Q2), END: str(Q2)})
    assert LOOKED_AT not in found.pop("zips_readable").metadata  # it looks at the folder
    assert {looked_at(each) for each in found.values()} == {(str(Q2), str(Q2), 1)}


def test_a_check_that_is_selected_runs_alone(built):
    assert set(built.check("raw_quarter", "rows_accounted_for")) == {"rows_accounted_for"}


def test_a_zip_that_cannot_be_read_is_an_error_that_names_it(damaged):
    (damaged.root / "data_2014.zip").write_bytes(b"PK\x03\x04 cut short")
    result = damaged.run("raw_quarter", first=Q2)
    assert result.success  # nothing is to wait for it
    zips = found_by(result)["zips_readable"]
    assert (zips.passed, zips.severity) == (False, dg.AssetCheckSeverity.ERROR)
    assert "data_2014.zip is not a whole zip file" in (zips.description or "")
    assert figures(zips)["zips_unusable"] == 1


def test_lost_rows_stop_the_run(damaged):
    lose_a_row(damaged.file(f"raw_quarter/{Q2}/{FIRST}.parquet"))
    # The asset keeps what stands there, because it says that it was made from the same zip.
    result = damaged.run("raw_quarter", "drive_lifetimes", first=Q2)
    assert not result.success
    found = found_by(result)
    assert not found["rows_accounted_for"].passed
    assert found["rows_accounted_for"].severity is dg.AssetCheckSeverity.ERROR
    assert f"| {FIRST} |" in table_of(found["rows_accounted_for"])
    assert "drives_once" not in found
    assert made(result) == [("raw_quarter", str(Q2))]


def test_slots_with_a_gap_are_refused(empty):
    """What is drawn would have a hole, or two drives in one place."""
    write_fleet(empty.root)
    empty.update("drive_lifetimes")
    path = empty.file(f"drive_lifetimes/{Q3}/drives.parquet")
    drives = pl.read_parquet(path)
    slot = pl.when(pl.col("slot") == 1).then(99).otherwise("slot").cast(drives.schema["slot"])
    drives.with_columns(slot=slot).write_parquet(path)
    found = empty.check("drive_lifetimes")
    assert (found["drives_once"].passed, found["slots_gapless"].passed) == (True, False)
    assert empty.status("drive_lifetimes")[str(Q3)] is Status.REFUSED
    assert empty.lineage().to_do("film_layout") == [str(Q2)]  # which does not continue it


def test_drive_days_are_compared_with_the_raw_rows_while_daily_stats_are_not_there(empty):
    write_fleet(empty.root)
    empty.update("raw_quarter")
    found = found_by(empty.run("drive_lifetimes", first=Q2, last=Q3))
    assert found["exposure_agrees"].passed
    assert figures(found["exposure_agrees"])["counts_compared"] == 2
    path = empty.file(f"drive_lifetimes/{Q3}/spells.parquet")
    pl.read_parquet(path).with_columns(failures=1 + pl.col("failures")).write_parquet(path)
    assert "| 2013-Q3 | all models |" in table_of(empty.check("drive_lifetimes")["exposure_agrees"])


def test_a_trailing_year_of_two_quarters_is_noticed(empty, monkeypatch):
    """The check cuts its windows by the calendar, and does not ask what the table was made from."""
    for quarter in (date(2013, 6, 30), date(2013, 9, 30), date(2013, 12, 31), date(2014, 3, 31)):
        write_fleet(empty.root, quarter, quarter)
        (name,) = empty.root.glob("*.zip")
        empty.update("drive_lifetimes", "daily_stats")
        name.unlink()
    last = "2014-01-01"
    assert found_by(empty.run("afr_table", first=last))["agrees_with_daily_stats"].passed
    short = replace(GRAPH["afr_table"].reads["daily_stats"], keys=graph._windows(-1, 0))
    line = replace(GRAPH["afr_table"], reads={**GRAPH["afr_table"].reads, "daily_stats": short})
    monkeypatch.setitem(GRAPH, "afr_table", line)
    found = found_by(empty.run("afr_table", first=last))["agrees_with_daily_stats"]
    assert (found.passed, found.severity) == (False, dg.AssetCheckSeverity.ERROR)
    assert "| 2014-Q1 year |" in table_of(found)


def test_made_up_rates_are_never_compared_with_published_ones(built):
    found = built.check("afr_table")["agrees_with_published"]
    assert (found.passed, figures(found)) == (True, {})


def test_what_is_made_from_a_made_up_fleet_says_so(built):
    """So that nobody takes it for real, and the film says SYNTHETIC."""
    for quarter in (Q2, Q3):
        made_up = built.lineage().ledger.get("raw_quarter", str(quarter)).metadata["synthetic"]
        days = pl.read_parquet(built.file(f"drive_lifetimes/{quarter}/days.parquet"))
        assert made_up is True
        assert days["synthetic"].all()


def test_the_command_line_is_told_what_checks_have_found(empty):
    write_fleet(empty.root)
    said: list[str] = []
    bring_up_to_date(empty.instance, empty.data, ["raw_quarter"], said.append)
    assert said == [
        "raw_quarter 2013-Q2 to 2013-Q3 (2)",
        "raw_quarter, days_present: Not in the zip, or without a row in it: 162 of 174 "
        "days. In the film they look like the day before. If Backblaze has published more, fetch "
        "it with `backblaze-assets download 2013-Q2 2013-Q3`.",
    ]


def test_a_whole_quarter_of_clean_rows_passes_all_checks(empty):
    days = {day: csv(row("S1", day=str(day)), row("S2", day=str(day))) for day in DAYS}
    write_zip(empty.root / "data_Q2_2016.zip", days)
    found = found_by(empty.run("raw_quarter", first=QUARTER))
    assert set(found) == {
        check.__name__ for check in (*raw_quarter.CHECKS, *raw_quarter.FOLDER_CHECKS)
    }
    assert {name: each.passed for name, each in found.items()} == dict.fromkeys(found, True)
    assert figures(found["rows_accounted_for"]) == {
        "rows_in": 182,
        "rows_kept": 182,
        "rows_set_aside": 0,
        "days_recounted": 1,
        "days_wrong": 0,
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
    result = empty.run("raw_quarter", "drive_lifetimes", first=QUARTER)
    assert result.success
    found = found_by(result)
    assert {name for name, each in found.items() if each.passed} == {
        *("zips_readable", "days_readable", "days_used", "rows_accounted_for"),
        *("drives_once", "slots_gapless", "exposure_agrees"),
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


def test_a_file_that_cannot_be_read_is_an_error_of_the_check(damaged):
    (damaged.file(f"raw_quarter/{Q2}/{FIRST}.parquet")).write_bytes(b"PAR1 no more")
    found = damaged.check("raw_quarter")
    for name in ("zips_readable", "days_readable", "days_used"):  # these do not look into it
        assert found.pop(name).passed
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
    empty.run("raw_quarter", first=QUARTER)
    result = empty.run("daily_stats", first=DAYS[0], last=DAYS[5])
    assert result.success
    found = found_by(result)["days_whole"]
    assert (found.passed, found.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert f"| {DAYS[3]} | 5 | 20 |" in table_of(found)
    # The days before tell it also when that day alone is made.
    alone = found_by(empty.run("daily_stats", first=DAYS[3]))["days_whole"]
    assert (alone.passed, figures(alone)["days"]) == (False, 1)


def test_drives_lost_doubled_or_displaced_are_errors(damaged):
    path = damaged.file(f"drive_lifetimes/{Q3}/drives.parquet")
    drives = pl.read_parquet(path)
    lost = drives["serial_number"][0]
    pl.concat([drives[1:], drives[-1:]]).write_parquet(path)
    found = damaged.check("drive_lifetimes")
    assert f"| 2013-Q3 | {lost} | missing |" in table_of(found["drives_once"])
    assert "| twice |" in table_of(found["drives_once"])
    assert figures(found["slots_gapless"])["models_wrong"] == 2
    for name in ("drives_once", "slots_gapless"):
        assert figures(found[name])["partitions_at_fault"] == [str(Q3)]
    assert found["exposure_agrees"].passed
    assert {each.severity for each in found.values()} == {dg.AssetCheckSeverity.ERROR}


def test_drive_days_that_are_not_those_of_daily_stats_are_an_error(damaged):
    path = damaged.file(f"drive_lifetimes/{Q3}/spells.parquet")
    pl.read_parquet(path).with_columns(pl.col("drive_days") + 1).write_parquet(path)
    found = damaged.check("drive_lifetimes")["exposure_agrees"]
    assert not found.passed
    assert "2013-Q2" not in table_of(found)
    assert "| 2013-Q3 |" in table_of(found)


def test_rates_that_do_not_come_from_the_daily_figures_are_an_error(damaged):
    path = damaged.file(f"afr_table/{Q3}.parquet")
    table = pl.read_parquet(path)
    table.filter(
        (pl.col("window") != "year") | (pl.col("model") != table["model"][0])
    ).write_parquet(path)
    found = damaged.check("afr_table")["agrees_with_daily_stats"]
    assert (found.passed, found.severity) == (False, dg.AssetCheckSeverity.ERROR)
    assert f"| 2013-Q3 year | {table['model'][0]} | 0 |" in table_of(found)
    assert figures(found)["counts_differing"] == 1


def test_real_rates_are_compared_with_published_ones(empty):
    day = date(2021, 1, 1)
    write_zip(empty.root / "data_Q1_2021.zip", {day: csv(row("S1", day=str(day)))})
    empty.run("raw_quarter", first=day)
    empty.run("daily_stats", first=day)
    result = empty.run("drive_lifetimes", "afr_table", first=day)
    found = found_by(result)["agrees_with_published"]
    assert (found.passed, found.severity) == (False, dg.AssetCheckSeverity.WARN)
    # 23 models and the sum of all, of which one drive of one model is there.
    assert figures(found)["rows_compared"] == figures(found)["rows_differing"] == 24
    assert re.search(r"\| 2021-Q1 quarter \| ST4000DM000 \| [a-z ]+ \| 1 \|", table_of(found))


def test_a_frame_that_ends_early_is_an_error_and_is_drawn_anew(damaged):
    path = damaged.file(f"frames/{LAST}.jpg")
    whole = path.read_bytes()
    path.write_bytes(whole[:-20_000])
    found = damaged.check("frames", "frames_whole")["frames_whole"]
    assert (found.passed, found.severity) == (False, dg.AssetCheckSeverity.ERROR)
    assert table_of(found).endswith(f"| {LAST} | it ends early |")
    assert damaged.run("frames", first=FIRST, last=LAST).success
    assert path.read_bytes() == whole


def test_a_clip_that_lacks_a_frame_stops_the_run(damaged):
    path = damaged.file(f"movie_clip/{Q3}.mp4")
    days = [Q3 + timedelta(days=number) for number in range(5)]
    encode_clip([damaged.file(f"frames/{day}.jpg") for day in days], path, 60, read_origin(path))
    result = damaged.run("movie_clip", "movie", first=Q3)
    assert not result.success
    assert "| 2013-07-01 | 5 frames, not 6 |" in table_of(found_by(result)["clips_complete"])


def test_a_film_of_another_length_or_none_at_all_is_an_error(damaged):
    shutil.copy(damaged.file(f"movie_clip/{Q3}.mp4"), damaged.file("movie/movie.mp4"))
    found = damaged.check("movie")
    assert (found["film_complete"].passed, found["film_plays"].passed) == (False, True)
    assert figures(found["film_complete"])["frames_expected"] == TITLE + 12 + CLOSING + END_CARD
    damaged.file("movie/movie.mp4").unlink()
    assert {each.passed for each in damaged.check("movie").values()} == {False}
