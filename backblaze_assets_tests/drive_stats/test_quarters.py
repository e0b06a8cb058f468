"""Quarters: what a person may write, and what follows what."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backblaze_assets.drive_stats.quarters import (
    FIRST_DAY,
    days_of,
    next_quarter,
    parse_quarter,
    parse_quarters,
    quarter_name,
    quarter_of,
)
from backblaze_assets.errors import DataError

days = st.dates(min_value=FIRST_DAY, max_value=date(2099, 12, 31))


@pytest.mark.parametrize(
    "text",
    ["2021-Q2", "2021Q2", "2021_q2", "2021 Q2", "Q2 2021", "Q2_2021", "q22021", " 2021-04-01 "],
)
def test_all_ways_to_write_a_quarter(text):
    assert parse_quarter(text) == date(2021, 4, 1)


@pytest.mark.parametrize(
    "text",
    ["", "2021", "2021-Q5", "2021-Q0", "Q2", "2021-04-02", "2021-05-01", "21-Q2", "2021-Q2x"],
)
def test_anything_else_is_refused_with_an_example(text):
    with pytest.raises(DataError, match="2021-Q2"):
        parse_quarter(text)


@pytest.mark.parametrize("text", ["2013-Q1", "2012-10-01", "2012"])
def test_quarters_before_the_first_day_are_refused(text):
    with pytest.raises(DataError, match="begin on 2013-04-10"):
        parse_quarters(text)


def test_a_year_is_its_quarters_that_have_data():
    assert parse_quarters("2013") == [date(2013, 4, 1), date(2013, 7, 1), date(2013, 10, 1)]
    assert parse_quarters("2016") == [date(2016, month, 1) for month in (1, 4, 7, 10)]
    assert parse_quarters("2021-Q2") == [date(2021, 4, 1)]


@given(days)
def test_every_day_is_in_its_quarter_and_in_no_other(day):
    quarter = quarter_of(day)
    assert quarter <= day < next_quarter(quarter)
    assert day in days_of(quarter)
    assert parse_quarter(quarter_name(quarter)) == quarter == parse_quarter(quarter.isoformat())


@given(days.map(quarter_of))
def test_quarters_follow_each_other_without_gap(quarter):
    last, first = days_of(quarter)[-1], days_of(next_quarter(quarter))[0]
    assert last + timedelta(days=1) == first == next_quarter(quarter)


def test_the_first_quarter_begins_with_the_first_day():
    assert days_of(date(2013, 4, 1))[0] == FIRST_DAY
    assert len(days_of(date(2013, 4, 1))) == 82
