"""Odd little fleets that once could not be made whole."""

from datetime import date

import pytest

from backblaze_assets_tests.odd_fleets import Fleet, check

DRIVES = [f"S{n},ST4000DM000,4000787030016" for n in range(3)]


def fleet(failed, days):
    """Three drives that report on `days` up to the day `failed`, on which all of them fail."""
    return Fleet(
        {
            day: [f"{day},{drive},{int(day == failed)},100" for drive in DRIVES if day <= failed]
            for day in days
        }
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    "fleet",
    [
        pytest.param(
            fleet(date(2014, 1, 2), [date(2014, 1, 1), date(2014, 1, 2), date(2014, 1, 3)]),
            id="none is left",
        ),
        pytest.param(
            fleet(date(2014, 1, 2), [date(2014, 1, 1), date(2014, 1, 2), date(2014, 4, 1)]),
            id="no drive in the newest quarter",
        ),
    ],
)
def test_all_tables_and_the_report_are_made(fleet, tmp_path):
    check(fleet, tmp_path / "data", "report")
