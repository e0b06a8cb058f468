"""The chart in the panel."""

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pytest

from backblaze_assets.film.chart import Chart
from backblaze_assets.film.style import Style
from backblaze_assets_tests.film.fleets import START, fleet, history

STYLE = Style.named("1080p")
FIRST = history(fleet(seed=1, drives=500, models=3, days=40), START + timedelta(days=39), STYLE)
LAYOUT = FIRST[0][1]


def drawn(days, services=1000, rates=300):
    """The chart on the last of `days`: drives in service and hundredths of a percent by day."""
    service, rate = (
        tuple(value) if isinstance(value, list) else (value,) * days for value in (services, rates)
    )
    layout = replace(LAYOUT, service=service, rate=rate)
    return np.asarray(Chart(layout, STYLE, 700, 124).at(days - 1))[..., :3]


def columns(chart, colour):
    """The columns in which there is a pixel of `colour`."""
    return np.flatnonzero((chart == colour).all(axis=2).any(axis=0))


@pytest.mark.parametrize(("days", "part"), [(40, 40 / 365), (600, 600 / 1461), (1500, 0.25)])
def test_the_axis_of_time_is_a_year_then_four_then_sixteen(days, part):
    found = columns(drawn(days), STYLE.chart_area)
    assert len(found) == pytest.approx(part * (700 - 14 - 56), abs=8)


@pytest.mark.parametrize("year", [2014, 2017, 2029])
def test_the_axis_of_time_glides_to_its_new_length(year):
    """No frame on which what is drawn jumps: within 36 days it shrinks, little by little."""
    first = (date(year, 1, 1) - START).days
    layout = replace(LAYOUT, service=(1000,) * (first + 50), rate=(300,) * (first + 50))
    chart = Chart(layout, STYLE, 700, 124)
    spans = np.array([chart.axis(day)[1] for day in range(first - 2, first + 40)])
    jan = (date(year, 1, 1) - date(2013, 1, 1)).days
    assert spans[0] == spans[1] == jan
    end = {2014: 2017, 2017: 2029, 2029: 2045}[year]
    assert (spans[37:] == (date(end, 1, 1) - date(2013, 1, 1)).days).all()
    steps = np.diff(np.log(spans))
    assert (steps >= 0).all()
    assert steps.max() < 0.06 * np.log(spans[-1] / spans[0])


def test_more_than_the_axis_holds_makes_it_longer():
    """What grows within an era is not cut off at its upper end."""
    few, many = drawn(200, [*[100] * 199, 100]), drawn(200, [*[100] * 199, 100_000])
    area = [(chart == STYLE.chart_area).all(axis=2)[:, 200].sum() for chart in (few, many)]
    assert area[0] > 20 * area[1] + 20
    assert (many == STYLE.chart_area).all(axis=2).any()
    high = drawn(200, 1000, [*[700] * 100, *[3000] * 100])
    rows = [np.flatnonzero((high == STYLE.high).all(axis=2)[:, x]) for x in (250, 420)]
    assert rows[0].min() > rows[1].min() + 20  # told apart, not both at the top


def test_it_depends_on_nothing_later():
    layout = replace(LAYOUT, service=tuple(range(100, 700)), rate=(250,) * 600)
    short = replace(layout, service=layout.service[:301], rate=layout.rate[:301])
    one, other = (np.asarray(Chart(it, STYLE, 700, 124).at(299)) for it in (layout, short))
    assert (one == other).all()
