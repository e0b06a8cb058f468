"""Quarters. One is known by its first day, `date(2021, 4, 1)`, and shown as `2021-Q2`."""

import re
from datetime import date, timedelta

from backblaze_assets.errors import DataError

FIRST_DAY = date(2013, 4, 10)
"""The first day that Backblaze has published."""

_YEAR_FIRST = re.compile(r"(?P<year>\d{4})[-_ ]?Q(?P<number>[1-4])", re.IGNORECASE)
_QUARTER_FIRST = re.compile(r"Q(?P<number>[1-4])[-_ ]?(?P<year>\d{4})", re.IGNORECASE)
_FIRST_DAY = re.compile(r"(?P<year>\d{4})-(?P<month>01|04|07|10)-01")
_YEAR = re.compile(r"\d{4}")


def quarter_of(day: date) -> date:
    """First day of the quarter that `day` is in."""
    return date(day.year, (day.month - 1) // 3 * 3 + 1, 1)


def next_quarter(quarter: date) -> date:
    """First day of the quarter after `quarter`."""
    return date(quarter.year + quarter.month // 10, (quarter.month + 2) % 12 + 1, 1)


def quarter_name(quarter: date) -> str:
    """How a quarter is shown to people, such as `2021-Q2`."""
    return f"{quarter.year}-Q{quarter.month // 3 + 1}"


def days_of(quarter: date) -> list[date]:
    """All days of `quarter` in order; those before `FIRST_DAY` are left out."""
    count = (next_quarter(quarter) - quarter).days
    days = (quarter + timedelta(days=offset) for offset in range(count))
    return [day for day in days if day >= FIRST_DAY]


def parse_quarter(text: str) -> date:
    """First day of the quarter that a person means by `text`.

    Understood are `2021-Q2`, `2021Q2`, `Q2 2021`, `Q2_2021` in upper or lower case, and the first
    day itself, `2021-04-01`.

    Raises:
        DataError: `text` is none of these, or lies before the first published day.
    """
    text = text.strip()
    if match := _YEAR_FIRST.fullmatch(text) or _QUARTER_FIRST.fullmatch(text):
        year, month = int(match["year"]), 3 * int(match["number"]) - 2
    elif match := _FIRST_DAY.fullmatch(text):
        year, month = int(match["year"]), int(match["month"])
    else:
        raise DataError(f"{text!r} is not a quarter: write it as 2021-Q2, or as its first day.")
    if (year, month) < (FIRST_DAY.year, FIRST_DAY.month):
        raise DataError(f"There are no data for {text!r}: they begin on {FIRST_DAY}.")
    return date(year, month, 1)


def parse_quarters(text: str) -> list[date]:
    """The quarters that a person means by `text`: one, or all that have data of a year (`2013`).

    Raises:
        DataError: as `parse_quarter`.
    """
    if not _YEAR.fullmatch(text.strip()):
        return [parse_quarter(text)]
    year = int(text)
    if year < FIRST_DAY.year:
        raise DataError(f"There are no data for {year}: they begin on {FIRST_DAY}.")
    quarters = [date(year, month, 1) for month in (1, 4, 7, 10)]
    return [quarter for quarter in quarters if quarter >= quarter_of(FIRST_DAY)]
