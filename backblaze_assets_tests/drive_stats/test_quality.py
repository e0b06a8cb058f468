"""What statistics are checked for, case by case; see test_checks.py for whole runs."""

from datetime import date, timedelta

import polars as pl
import pytest

from backblaze_assets.drive_stats import quality
from backblaze_assets.drive_stats.afr import afr_table
from backblaze_assets.drive_stats.daily import write_daily_stats
from backblaze_assets.drive_stats.lifetimes import extend
from backblaze_assets.files.origin import Origin
from backblaze_assets_tests.drive_stats.raw import by_quarter, write_days
from backblaze_assets_tests.drive_stats.tables import afr_rows, as_published

ORIGIN = Origin("test", None, "code")

Q2_2016 = date(2016, 4, 1)


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


def test_published_figures_are_compared_model_by_model():
    quarter = date(2021, 1, 1)
    ours = as_published(quarter, "quarter")
    assert quality.agrees_with_published([(quarter, ours)]).passed
    one_less = pl.when(pl.col("model") == ours["model"][0]).then(1).otherwise(0)
    changed = ours.with_columns(failures=pl.col("failures") - one_less)
    verdict = quality.agrees_with_published([(quarter, changed)])
    days = ours["drive_days"][0]
    assert verdict.figures == {
        "rows_compared": 24,
        "rows_known_to_differ": 0,
        "rows_differing": 2,
        "derived_rows_compared": 0,
        "derived_rows_differing": 0,
        "largest_rate_difference": pytest.approx(36500 / days, abs=0.005),
    }
    name = ours["model"][0].removeprefix("HGST ")
    assert verdict.table["model"].to_list() == [name, "ALL"]


def test_known_and_derived_differences_do_not_warn():
    quarter = date(2018, 10, 1)
    verdict = quality.agrees_with_published([(quarter, as_published(quarter, "year"))])
    assert verdict.passed
    assert verdict.figures["rows_known_to_differ"] == 1
    assert "100 drive days more" in verdict.message
    rows = [{"model": "ST1", "drives_end": 354_415, "drive_days": 31_553_350, "failures": 1_516}]
    verdict = quality.agrees_with_published([(date(2026, 4, 1), afr_rows(rows))])
    assert verdict.passed
    assert verdict.figures["derived_rows_differing"] == 30


def test_nothing_published_is_nothing_to_compare():
    verdict = quality.agrees_with_published([(date(2013, 4, 1), counts())])
    assert verdict.passed
    assert "no published table" in verdict.message


def fleet_of_days(folder, days):
    """Each day one drive: its files of daily_stats and the lifetimes of each quarter."""
    raw = write_days(folder / "raw", {day: ["a"] for day in days})
    history, lifetimes = None, {}
    for quarter, files in by_quarter(raw).items():
        history = lifetimes[quarter] = extend(history, files, quarter)
        history.save(folder / "lifetimes" / str(quarter), ORIGIN)
    daily = {day: folder / "daily" / f"{day}.parquet" for day in days}
    write_daily_stats(raw, daily.__getitem__, dict.fromkeys(days, ORIGIN))
    return lifetimes, daily


def test_windows_are_cut_by_the_calendar_whichever_quarters_there_are(tmp_path):
    months = [(2013, 8), (2014, 1), (2014, 9), (2014, 10), (2015, 8)]
    days = [date(year, month, 3) for year, month in months]
    lifetimes, daily = fleet_of_days(tmp_path, days)
    quarter = date(2015, 7, 1)
    folder = tmp_path / "lifetimes" / str(quarter)
    table = afr_table(lifetimes[quarter], daily, quarter)
    in_year = table.filter(pl.col("kind") == "model", pl.col("window") == "year")
    assert in_year["drive_days"].to_list() == [2]
    assert quality.windows_agree([(quarter, table, folder)], daily).passed
    four_quarters = pl.when(pl.col("window") == "year").then(4).otherwise(pl.col("drive_days"))
    wrong = table.with_columns(drive_days=four_quarters.cast(pl.Int64))
    verdict = quality.windows_agree([(quarter, wrong, folder)], daily)
    assert not verdict.passed
    assert verdict.table["period"].to_list() == ["2015-Q3 year"]


def test_a_year_that_was_made_of_two_quarters_is_noticed(tmp_path):
    days = [date(2014, month, 3) for month in (1, 4, 7, 10)]
    lifetimes, daily = fleet_of_days(tmp_path, days)
    quarter = date(2014, 10, 1)
    half = {day: path for day, path in daily.items() if day.month > 6}
    folder = tmp_path / "lifetimes" / str(quarter)
    verdict = quality.windows_agree(
        [(quarter, afr_table(lifetimes[quarter], half, quarter), folder)], daily
    )
    assert verdict.table["period"].to_list() == ["2014-Q4 year", "2014-Q4 calendar_year"]
