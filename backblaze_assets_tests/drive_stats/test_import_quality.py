"""What an import is checked for, case by case; see test_checks.py for whole runs."""

import gzip
from datetime import date, timedelta

import polars as pl
import pytest

from backblaze_assets.drive_stats import import_quality
from backblaze_assets.drive_stats.archive import scan
from backblaze_assets.drive_stats.import_quality import ImportedDay
from backblaze_assets.drive_stats.importer import DayReport, import_days
from backblaze_assets.drive_stats.quarters import days_of
from backblaze_assets.drive_stats.survey import survey
from backblaze_assets.errors import DataError
from backblaze_assets.files.origin import Origin
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
        "rewritten": {},
        "trimmed": {},
        "quoted_rows": 0,
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
    verdict = import_quality.days_present({quarter: days})
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
    verdict = import_quality.rows_accounted_for({Q2_2016: days}, counts)
    assert verdict.passed is passed
    assert verdict.table["day"].to_list() == ([] if passed else [Q2_2016])


@pytest.mark.parametrize(
    ("check", "changes", "figures"),
    [
        (import_quality.no_duplicates, {"duplicates": 3, "rows_rejected": 3}, {"duplicates": 3}),
        (
            import_quality.rows_readable,
            {"duplicates": 3, "rows_rejected": 5},
            {"rows_set_aside": 2, "numbers_rounded": 0, "numbers_unusable": 0},
        ),
        (
            import_quality.rows_readable,
            {"rounded_numbers": {"smart_9_raw": 4, "smart_1_raw": 1}},
            {"rows_set_aside": 0, "numbers_rounded": 5, "numbers_unusable": 0},
        ),
        (
            import_quality.rows_readable,
            {"unusable_numbers": {"smart_9_raw": 1}},
            {"rows_set_aside": 0, "numbers_rounded": 0, "numbers_unusable": 1},
        ),
        (import_quality.dates_agree, {"dates_differing": 7}, {"rows_of_other_dates": 7}),
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
    assert import_quality.rows_readable({Q2_2016: [day]}).passed


@pytest.mark.parametrize(("rows", "false", "passed"), [(1000, 1, True), (999, 1, False)])
def test_one_row_in_a_thousand_may_have_a_false_capacity(rows, false, passed):
    days = [imported(Q2_2016, rows_kept=rows, bad_capacities=false)]
    assert import_quality.capacities_plausible({Q2_2016: days}).passed is passed


def test_a_column_that_is_new_is_named_with_its_days():
    days = [
        imported(day, unknown_columns=["colour"] if day.day > 10 else [])
        for day in days_of(Q2_2016)
    ]
    verdict = import_quality.columns_known({Q2_2016: days})
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
    days = import_quality.imported_days(tmp_path / "raw")
    # The day with a row set aside is counted, though the other keeps more.
    assert import_quality.recount(archive, days) == {Q2_2016 + timedelta(days=1): 3}
    assert import_quality.rows_accounted_for(
        {Q2_2016: days}, import_quality.recount(archive, days)
    ).passed
    # A zip that is no longer the one that was imported tells nothing.
    changed = scan(write_zip(tmp_path / "data_Q2_2016.zip", {Q2_2016: csv(row("A"))}))
    assert import_quality.recount(changed, days) == {}


def test_a_file_that_is_no_import_is_named(tmp_path):
    pl.DataFrame({"a": [1]}).write_parquet(tmp_path / "2016-04-01.parquet")
    with pytest.raises(DataError, match=r"2016-04-01\.parquet"):
        import_quality.imported_days(tmp_path)


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
    verdict = import_quality.models_stable([(Q2_2016, paths)])
    assert verdict.table.rows() == [("2016-Q2", "ST4000DM000 and ST4000DX000", 2)]
    assert import_quality.models_stable([(Q2_2016, paths[:1])]).passed


@pytest.mark.parametrize("form", ["zip", "csv", "csv.gz"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_rows_are_counted_again_wherever_the_day_lies(tmp_path, form, end, monkeypatch):
    monkeypatch.setattr(import_quality, "_PIECE", 7)  # so that every border is met
    day = date(2016, 4, 1)
    content = csv(row("A"), "", row("B"), "x", row("C"), end=end)
    if form == "zip":
        write_zip(tmp_path / "data_Q2_2016.zip", {day: content})
    else:
        packed = gzip.compress(content) if form == "csv.gz" else content
        (tmp_path / f"{day}.{form}").write_bytes(packed)
    archive = survey(tmp_path).archive(Q2_2016)
    import_days(archive, [day], tmp_path / "raw", Origin("raw_quarter", None, ""))
    found = import_quality.imported_days(tmp_path / "raw")
    counted = import_quality.recount(archive, found)
    assert counted == {day: 4}
    assert import_quality.rows_accounted_for({Q2_2016: found}, counted).passed


def test_a_day_with_quotation_marks_is_not_counted_by_its_lines(tmp_path):
    day = date(2016, 4, 1)
    write_zip(tmp_path / "data_Q2_2016.zip", {day: csv(row('"A"', '"two\nlines"'))})
    archive = survey(tmp_path).archive(Q2_2016)
    import_days(archive, [day], tmp_path / "raw", Origin("raw_quarter", None, ""))
    found = import_quality.imported_days(tmp_path / "raw")
    assert found[0].rows_stored == found[0].report.quoted_rows == 1
    assert import_quality.recount(archive, found) == {}


def test_values_in_another_form_are_told_and_are_no_fault():
    odd = imported(
        date(2016, 4, 1),
        rewritten={"smart_9_raw": 4, "date": 1},
        trimmed={"model": 2},
        quoted_rows=3,
    )
    verdict = import_quality.rows_readable({Q2_2016: [odd]})
    assert verdict.passed
    assert "5 values" in verdict.message
    assert verdict.figures["values_rewritten"] == 5
    assert verdict.figures["texts_trimmed"] == 2
    assert verdict.figures["rows_quoted"] == 3


def test_what_looks_like_a_day_and_was_not_imported_is_listed(tmp_path):
    contents = {day: csv(row()) for day in (date(2016, 4, 1), date(2016, 7, 1))}
    write_zip(tmp_path / "data_Q2_2016.zip", contents)
    account = survey(tmp_path).archive(Q2_2016).account(Q2_2016)
    verdict = import_quality.members_accounted_for({Q2_2016: account})
    assert not verdict.passed
    assert verdict.table.rows() == [
        (
            "2016-Q2",
            "data_Q2_2016.zip",
            "2016-07-01.csv",
            "is of 2016-Q3, which data_Q2_2016.zip does not serve",
        )
    ]
    assert import_quality.members_accounted_for({Q2_2016: []}).passed


def test_a_column_without_a_name_is_called_that():
    verdict = import_quality.columns_known(
        {Q2_2016: [imported(date(2016, 4, 1), unknown_columns=["unnamed_1", "moon"])]}
    )
    assert "moon, one without a name (column 1)" in verdict.message
