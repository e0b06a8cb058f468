"""What statistics are checked for, case by case; see test_checks.py for whole runs."""

from datetime import date, timedelta

import polars as pl
import pytest

from backblaze_assets.drive_stats import published, quality

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
