"""Axes and marks of the report's charts."""

import itertools
import re
from datetime import date
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backblaze_assets.report.drawing import (
    Frame,
    Line,
    axis,
    axis_end,
    dot_and_interval,
    dots,
    drives_axis_end,
    line_chart,
    rate_over_drives,
    sparkline,
    stacked_areas,
    ticks,
    year_labels,
)

FRAME = Frame("what", [(0, "2013"), (4, "2014")], 5, 8)


@given(st.lists(st.floats(0, 60), min_size=1, max_size=40))
def test_an_axis_holds_all_rates_and_most_upper_bounds(rates):
    highs = [rate * 1.3 for rate in rates]
    end = axis_end(rates, highs)
    assert max(rates) <= end
    assert sum(high <= end for high in highs) >= 0.85 * len(highs)
    marks = ticks(end)
    assert (marks[0], len(marks) <= 9, marks[-1] <= end) == (0, True, True)


def test_one_far_bound_does_not_stretch_the_axis():
    assert axis_end([1.0] * 20, [2.0] * 19 + [90.0]) == 2
    assert (drives_axis_end(85.4), drives_axis_end(351), drives_axis_end(0)) == (100, 400, 1)


@pytest.mark.parametrize(
    ("verdict", "shape", "hollow"),
    [
        ("above", "rect", "apart"),
        ("below", "circle", "apart"),
        ("not told apart", "circle", "open"),
    ],
)
def test_a_verdict_has_its_own_shape(verdict, shape, hollow):
    drawn = ET.fromstring(dot_and_interval(2.0, 1.0, 3.0, end=4, rest=1.5, verdict=verdict))
    assert drawn.get("class") == f"interval {hollow}"
    marks = [each.tag for each in drawn.iter() if each.tag in ("rect", "circle")]
    assert marks == [shape]
    span = next(each for each in drawn if each.get("class") == "range")
    assert (span.get("x1"), span.get("x2")) == ("25.00%", "75.00%")
    rest = next(each for each in drawn if each.get("class") == "rest")
    assert rest.get("x1") == "37.50%"


def test_what_goes_over_the_axis_ends_in_an_arrowhead():
    over = dot_and_interval(2.0, 1.0, 9.0, end=4, rest=None, verdict="above")
    assert 'class="over"' in over
    assert 'x2="100.00%"' in over
    assert "over" not in dot_and_interval(2.0, 1.0, 4.0, end=4, rest=9.0, verdict="above")
    assert axis(4).count("<text") == 5


def test_missing_values_break_a_line_and_are_not_drawn_at_zero():
    drawn = sparkline([1.0, None, 2.0, 5.0])
    path = re.search(r' d="([^"]*)"', drawn)[1]
    assert re.findall("[ML]", path) == ["M", "M", "L"]
    assert path.endswith("2.0")  # the axis ends at 5
    assert sparkline([None, None]) == ""
    chart = ET.fromstring(line_chart(FRAME, [Line([1, None, 2, 100, 3], "bold")]))
    line = next(each for each in chart.iter() if each.get("class") == "bold")
    assert re.findall("[ML]", line.get("d")) == ["M", "M", "M"]


def test_layers_stand_on_each_other():
    chart = ET.fromstring(
        stacked_areas(FRAME, [("a", "s1", [1, 1, 1, 1, 2]), ("b", "s2", [2, 2, 2, 2, 4])])
    )
    first, second = (each.get("d") for each in chart.iter() if each.get("class") in ("s1", "s2"))
    top_of_first = first.removeprefix("M").split("L")[:5]
    bottom_of_second = second.removeprefix("M").removesuffix("Z").split("L")[5:]
    assert bottom_of_second == top_of_first[::-1]
    assert second.split("L")[4].split()[1] == f"{FRAME.y(6):.1f}"


def test_labels_of_thin_layers_do_not_lie_on_each_other():
    layers = [(name, "s1", [0.1] * 5) for name in "abcd"]
    chart = ET.fromstring(stacked_areas(FRAME, layers))
    labels = next(each for each in chart if each.get("class") == "labels")
    places = [float(each.get("y")) for each in labels]
    assert all(below - above > 12.9 for below, above in itertools.pairwise(places))


def test_bands_and_dots_are_well_formed():
    band = line_chart(FRAME, [Line([1, 2, 3, 4, 5], "b", [0.5, 1, 2, None, 4], [2, 3, 9, 9, 9])])
    drawn = next(each for each in ET.fromstring(band).iter() if each.get("class") == "band")
    assert drawn.get("d").count("L") == 7
    points = dots(FRAME, [(0, 1.0, 0.5, 2.0), (1, 2.0, 1.0, 20.0)])
    lines = [each for each in ET.fromstring(points).iter() if each.tag == "circle"]
    assert len(lines) == 2


def test_behind_a_rate_stand_its_drives_up_to_the_top():
    rate = Line([None, 2.0, 4.0], "", [None, 1.0, 3.0], [None, 3.0, 6.0])
    frame = Frame("what", [], 3, 8, 400, 130, 14)
    drawn = ET.fromstring(rate_over_drives(frame, rate, [None, 50.0, 100.0]))
    paths = {each.get("class"): each.get("d") for each in drawn.iter() if each.tag == "path"}
    heights = [float(each.split()[1]) for each in re.split("[ML]", paths["behind"].rstrip("Z"))[1:]]
    bottom, top = frame.y(0), frame.y(8)
    middle = (bottom + top) / 2
    assert heights == pytest.approx([bottom, bottom, middle, top, bottom], abs=0.1)
    assert paths["bold"] == (
        f"M{frame.x(1):.1f} {frame.y(2):.1f}L{frame.x(2):.1f} {frame.y(4):.1f}"
    )
    assert "behind" in rate_over_drives(frame, rate, [None, None, None])


@pytest.mark.parametrize("years", range(1, 20))
def test_years_are_named_at_even_steps(years):
    quarters = [date(2013 + n, month, 1) for n in range(years) for month in (4, 7, 10)]
    quarters += [date(2014 + n, 1, 1) for n in range(years)]
    labels = year_labels(sorted(quarters), 6)
    assert 1 <= len(labels) <= 6
    steps = {int(b) - int(a) for (_, a), (_, b) in itertools.pairwise(labels)}
    assert len(steps) <= 1
    assert all(sorted(quarters)[place] == date(int(year), 1, 1) for place, year in labels)
