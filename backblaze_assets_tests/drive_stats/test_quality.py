"""What the drive statistics are checked for, case by case; see test_checks.py for whole runs."""

from datetime import date, timedelta

import polars as pl
import pytest

from backblaze_assets.drive_stats import published, quality
from backblaze_assets.drive_stats.archive import scan
from backblaze_assets.drive_stats.importer import DayReport, import_days
from backblaze_assets.drive_stats.quality import ImportedDay
from backblaze_assets.drive_stats.quarters import days_of
from backblaze_assets.errors import DataError
from backblaze_assets.origin import Origin
from backblaze_assets_tests.drive_stats.zips import csv, row, write_zip

Q4_2014, Q2_2016, Q1_2017 = date(2014, 10, 1), date(2016, 4, 1), date(2017, 1, 1)


def imported(day, **changes):
    """A day of 10 rows on which all is well, but for `changes`."""
    stored, listed = changes.pop("rows_stored", None), changes.pop("rows_listed", None)
    fields = {
        "rows_in": 10,
        "rows_kept": 10,
        "rows_rejected": 0,
        "duplicates": 0,
        "failures": 0,
        "drives": 10,
        "dates_differing": 0,
        "rounded_numbers": {},
        "unusable_numbers": {},
        "bad_capacities": 0,
        "unknown_columns": [],
        "columns": 95,
        "line_end": "LF",
        "csv_bytes": 1000,
    } | changes
    report = DayReport(day, **fields)
    return ImportedDay(
        report,
        report.rows_kept if stored is None else stored,
        report.rows_rejected if listed is None else listed,
    )


@pytest.mark.parametrize(
    ("quarter", "without_file", "without_row", "absent"),
    [
        (Q2_2016, [], [], []),
        (date(2013, 4, 1), [], [], []),  # begins on 10 April
        (Q4_2014, [], [date(2014, 11, 2)], []),  # known to have a header only
        (Q1_2017, [], [date(2017, 1, 30)], []),
        (Q4_2014, [date(2014, 11, 2)], [], [("2014-11-02", "2014-11-02", 1, "no file")]),
        (Q2_2016, [], [date(2016, 5, 1)], [("2016-05-01", "2016-05-01", 1, "no row")]),
        (
            Q2_2016,
            [date(2016, 4, 30), date(2016, 5, 1), date(2016, 6, 30)],
            [date(2016, 5, 2)],
            [
                ("2016-04-30", "2016-05-01", 2, "no file"),
                ("2016-05-02", "2016-05-02", 1, "no row"),
                ("2016-06-30", "2016-06-30", 1, "no file"),
            ],
        ),
    ],
)
def test_days_that_are_not_there(quarter, without_file, without_row, absent):
    days = [
        imported(day, **({"rows_in": 0, "rows_kept": 0} if day in without_row else {}))
        for day in days_of(quarter)
        if day not in without_file
    ]
    verdict = quality.days_present({quarter: days})
    assert verdict.passed == (not absent)
    found = [(str(first), str(last), *rest) for first, last, *rest in verdict.table.rows()]
    assert found == absent


@pytest.mark.parametrize(
    ("changes", "recounted", "passed"),
    [
        ({}, None, True),
        ({}, 10, True),
        ({"rows_in": 12, "rows_rejected": 2}, 12, True),
        ({}, 11, False),  # the import has not seen a row of the zip
        ({"rows_in": 11}, None, False),  # one is neither kept nor set aside
        ({"rows_stored": 9}, None, False),  # the Parquet file has lost one
        ({"rows_in": 12, "rows_rejected": 2, "rows_listed": 1}, None, False),
        ({"rows_listed": 1}, None, False),  # listed as set aside, and kept
    ],
)
def test_rows_in_are_rows_kept_and_rows_set_aside(changes, recounted, passed):
    days = [imported(Q2_2016, **changes), imported(Q2_2016 + timedelta(days=1))]
    counts = {} if recounted is None else {Q2_2016: recounted}
    verdict = quality.rows_accounted_for({Q2_2016: days}, counts)
    assert verdict.passed is passed
    assert verdict.table["day"].to_list() == ([] if passed else [Q2_2016])


@pytest.mark.parametrize(
    ("check", "changes", "figures"),
    [
        (quality.no_duplicates, {"duplicates": 3, "rows_rejected": 3}, {"duplicates": 3}),
        (
            quality.rows_readable,
            {"duplicates": 3, "rows_rejected": 5},
            {"rows_set_aside": 2, "numbers_rounded": 0, "numbers_unusable": 0},
        ),
        (
            quality.rows_readable,
            {"rounded_numbers": {"smart_9_raw": 4, "smart_1_raw": 1}},
            {"rows_set_aside": 0, "numbers_rounded": 5, "numbers_unusable": 0},
        ),
        (
            quality.rows_readable,
            {"unusable_numbers": {"smart_9_raw": 1}},
            {"rows_set_aside": 0, "numbers_rounded": 0, "numbers_unusable": 1},
        ),
        (quality.dates_agree, {"dates_differing": 7}, {"rows_of_other_dates": 7}),
    ],
)
def test_what_ought_to_be_zero_on_every_day(check, changes, figures):
    clean = imported(Q2_2016)
    assert check({Q2_2016: [clean]}).passed
    odd = imported(Q2_2016 + timedelta(days=1), **changes)
    verdict = check({Q2_2016: [clean, odd]})
    assert not verdict.passed
    assert verdict.figures == {**figures, "days_concerned": 1}
    assert verdict.table["day"].to_list() == [odd.report.day]
    assert all(f"{count}" in verdict.message for count in figures.values())


def test_rows_set_aside_for_their_serial_number_alone_are_readable():
    day = imported(Q2_2016, duplicates=2, rows_rejected=2)
    assert quality.rows_readable({Q2_2016: [day]}).passed


@pytest.mark.parametrize(("rows", "false", "passed"), [(1000, 1, True), (999, 1, False)])
def test_one_row_in_a_thousand_may_have_a_false_capacity(rows, false, passed):
    days = [imported(Q2_2016, rows_kept=rows, bad_capacities=false)]
    assert quality.capacities_plausible({Q2_2016: days}).passed is passed


def test_a_column_that_is_new_is_named_with_its_days():
    days = [
        imported(day, unknown_columns=["colour"] if day.day > 10 else [])
        for day in days_of(Q2_2016)
    ]
    verdict = quality.columns_known({Q2_2016: days})
    assert verdict.table.rows() == [("colour", date(2016, 4, 11), date(2016, 6, 30), 61)]
    assert "colour" in verdict.message


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_rows_are_counted_again_in_the_zip(tmp_path, end):
    content = {
        Q2_2016: csv(row("A"), row("B"), row("C"), end=end),
        Q2_2016 + timedelta(days=1): csv(row("A"), "", row("A"), row("caf\xe9"), end=end),
    }
    archive = scan(write_zip(tmp_path / "data_Q2_2016.zip", content))
    import_days(archive, list(content), tmp_path / "raw", Origin("raw_quarter", None, "code"))
    days = quality.imported_days(tmp_path / "raw")
    # The day with a row set aside is counted, though the other keeps more.
    assert quality.recount(archive, days) == {Q2_2016 + timedelta(days=1): 3}
    assert quality.rows_accounted_for({Q2_2016: days}, quality.recount(archive, days)).passed
    # A zip that is no longer the one that was imported tells nothing.
    changed = scan(write_zip(tmp_path / "data_Q2_2016.zip", {Q2_2016: csv(row("A"))}))
    assert quality.recount(changed, days) == {}


def test_a_file_that_is_no_import_is_named(tmp_path):
    pl.DataFrame({"a": [1]}).write_parquet(tmp_path / "2016-04-01.parquet")
    with pytest.raises(DataError, match=r"2016-04-01\.parquet"):
        quality.imported_days(tmp_path)


def test_another_spelling_of_a_model_is_no_change(tmp_path):
    names = {
        "A": ["WDC  WUH721414ALE6L4", "WDC WUH721414ALE6L4"],
        "B": ["WUH721816ALE6L4", "WDC WUH721816ALE6L4"],
        "C": ["ST4000DM000", "ST4000DM000"],
        "D": ["ST4000DM000", "ST4000DX000"],
        "E": ["ST4000DM000", "ST4000DX000"],
    }
    paths = []
    for number in (0, 1):
        paths.append(tmp_path / f"{number}.parquet")
        models = [both[number] for both in names.values()]
        pl.DataFrame({"serial_number": list(names), "model": models}).write_parquet(paths[-1])
    verdict = quality.models_stable([(Q2_2016, paths)])
    assert verdict.table.rows() == [("2016-Q2", "ST4000DM000 and ST4000DX000", 2)]
    assert quality.models_stable([(Q2_2016, paths[:1])]).passed


def test_partial_days_and_days_without_report():
    days = [Q2_2016 + timedelta(days=number) for number in range(6)]
    drives = dict(zip(days, [100, 100, 70, 0, 100, 81], strict=True))
    verdict = quality.days_whole(drives, days)
    assert verdict.table.rows() == [(days[2], 70, 100), (days[3], 0, 100)]
    assert verdict.figures == {"days": 6, "days_partial": 1, "days_without_report": 1}
    assert quality.days_whole(drives, days[4:]).passed
    assert not quality.days_whole(drives, days[2:3]).passed


def test_a_known_day_without_report_is_no_finding():
    days = [date(2014, 11, 1), date(2014, 11, 2), date(2014, 11, 3)]
    assert quality.days_whole(dict(zip(days, [100, 0, 100], strict=True)), days).passed


def counts(**models):
    rows = [(name, *both) for name, both in models.items()]
    return pl.DataFrame(rows, ["model", "drive_days", "failures"], orient="row")


@pytest.mark.parametrize(
    ("theirs", "differing"),
    [
        (counts(A=(10, 1), B=(20, 0)), []),
        (counts(B=(20, 0), A=(10, 1)), []),
        (counts(A=(10, 1), B=(21, 0)), [("2016-Q2", "B", 20, 21, 0, 0)]),
        (counts(A=(10, 0), B=(20, 0)), [("2016-Q2", "A", 10, 10, 1, 0)]),
        (counts(A=(10, 1)), [("2016-Q2", "B", 20, 0, 0, 0)]),
        (counts(A=(10, 1), B=(20, 0), C=(1, 0)), [("2016-Q2", "C", 0, 1, 0, 0)]),
    ],
)
def test_drive_days_and_failures_of_every_model_agree(theirs, differing):
    ours = counts(A=(10, 1), B=(20, 0))
    verdict = quality.exposure_agrees([("2016-Q2", ours, theirs)], "daily_stats")
    assert verdict.passed == (not differing)
    assert verdict.table.rows() == differing


def test_published_rates_are_compared_model_by_model():
    quarter = date(2026, 1, 1)
    theirs = published.published().filter(
        pl.col("period") == quarter, pl.col("window") == "quarter"
    )
    ours = theirs.select(
        "window", "maker", "model", "drive_days", "failures", published=pl.lit(value=True)
    )
    assert quality.agrees_with_published([(quarter, ours)]).passed
    one_more = pl.when(pl.col("model") == ours["model"][0]).then(1).otherwise(0)
    changed = ours.with_columns(failures=pl.col("failures") + one_more)
    verdict = quality.agrees_with_published([(quarter, changed)])
    days = ours["drive_days"][0]
    assert verdict.figures == {
        "models_compared": 33,
        "models_differing": 1,
        "largest_rate_difference": pytest.approx(36500 / days),
    }
    assert verdict.table["model"].to_list() == [ours["model"][0]]


def test_nothing_published_is_nothing_to_compare():
    verdict = quality.agrees_with_published([(date(2013, 4, 1), counts())])
    assert verdict.passed
    assert "no published table" in verdict.message
