"""The section on age: how many fail by it, and what became of drives."""

from collections.abc import Mapping
from html import escape
from typing import Any

import polars as pl

from backblaze_assets.drive_stats.publication import PUBLISHED
from backblaze_assets.report import cells, compare
from backblaze_assets.report.drawing import (
    Curve,
    Frame,
    Line,
    axis,
    axis_end,
    dot_and_interval,
    dots,
    for_both,
    stacked_areas,
)
from backblaze_assets.report.inputs import Inputs
from backblaze_assets.report.sentences import FEWEST_AT_RISK
from backblaze_assets.report.text import (
    number,
    percent,
    size,
    tag,
)

YEARS = (1.0, 2.0, 3.0, 4.0, 5.0)


_LEAST_DRIVE_YEARS = 500
"""Of a quarter of a year of age, for its hazard to be drawn."""


_AGES = 33
"""Places of the chart by age: quarters of a year, to eight years."""


def by_age(inputs: Inputs) -> str:
    """How many fail in one to five years, and what became of drives by age."""
    table = inputs.survival
    everyone = table.filter(pl.col("kind") == "all")
    at = {row["age_years"]: row for row in everyone.to_dicts() if row["survival_low"]}
    in_service = inputs.rows("model", "lifetime").filter(pl.col("status") == PUBLISHED)
    rows = []
    for row in in_service.to_dicts():
        curve = table.filter(pl.col("kind") == "model", pl.col("group") == row["model"])
        ages = {
            age["age_years"]: age
            for age in curve.to_dicts()
            if age["supported"] and age["followed"] >= FEWEST_AT_RISK and age["survival_low"]
        }
        reached = [year for year in YEARS if year in ages]
        rows.append((row, ages, max(reached, default=0.0)))
    oldest = [100 * (1 - ages[reached]["survival_low"]) for _, ages, reached in rows if reached]
    end = axis_end([100 * (1 - a[r]["survival"]) for _, a, r in rows if r], oldest)
    rows.sort(key=lambda each: (-each[2], 1 - each[1][each[2]]["survival_low"] if each[2] else 0))
    heads = [
        tag("td", class_="tick"),
        cells.head("Model", text=True, sorts=False),
        cells.head("Maker, size", text=True, far=True, sorts=False),
        *(cells.head(f"{year:g} y", mid=True, sorts=False) for year in YEARS),
        f'<th class="plot" scope="col">At the oldest of these ages{axis(end)}</th>',
        cells.head("Failed", sorts=False),
        cells.head("from - to, %", far=True, sorts=False),
        cells.head("Drives followed", far=True, sorts=False),
    ]
    body = "".join(_age_row(inputs, row, ages, reached, at, end) for row, ages, reached in rows)
    return (
        "<p>Of 100 drives, how many have failed at an age of 1 … 5 years if none is taken out "
        "before. Models in service; coloured where they differ from all drives of the same age "
        f"beyond chance. “·”: fewer than {FEWEST_AT_RISK} drives were followed to that age.</p>"
        f'<table class="ranking"><thead><tr>{"".join(heads)}</tr></thead><tbody>{body}</tbody>'
        "</table>"
        + _compare_by_age(inputs)
        + tag("div", _fate(everyone) + _hazard(everyone), class_="charts")
    )


def _compare_by_age(inputs: Inputs) -> str:
    """Failed by age, all models, and below it how many drives were followed."""
    rows = inputs.survival.filter(
        pl.col("kind") == "model", pl.col("supported"), ~pl.col("boot"), pl.col("age_years") <= 8
    )
    curves, followed = [], []
    for group in rows.partition_by("group", maintain_order=True):
        model = str(group["group"][0])
        ages = {round(4 * row["age_years"]): row for row in group.to_dicts()}
        name = inputs.names.get(model, model)
        low, high = _failed_by_age(ages, "survival_high"), _failed_by_age(ages, "survival_low")
        curves.append(Curve(model, Line(_failed_by_age(ages, "survival"), name, low, high)))
        line = "".join(_followed(ages.get(4 * year), mid=year % 2 == 0) for year in range(7))
        hidden = None if model in inputs.picks else ""
        row = tag("td", escape(name), class_="name") + line
        followed.append(tag("tr", row, data_model=model, hidden=hidden))
    if not curves:
        return ""
    labels = [(4 * year, str(year)) for year in range(9)]
    frame = Frame("Failed by age in years, all models", labels, _AGES, 30, 1152, 360)
    heads = tag("td") + "".join(cells.head(f"{y} y", sorts=False, mid=y % 2 == 0) for y in range(7))
    return (
        tag("h3", "Compare models by age")
        + compare.chips()
        + compare.comparison(
            inputs,
            "Failed, %, if none is taken out",
            frame,
            curves,
            [f"{place / 4:g} years" for place in range(_AGES)],
        )
        + tag("p", "Drives followed to each age, and failed by then:", class_="note")
        + cells.table(heads, "".join(followed))
    )


def _failed_by_age(ages: Mapping[int, Mapping[str, Any]], column: str) -> list[float | None]:
    """Percent that did not survive, for each place of the chart by age."""
    return [
        100 * (1 - ages[place][column])
        if place in ages and ages[place][column] is not None
        else None
        for place in range(_AGES)
    ]


def _followed(row: Mapping[str, Any] | None, *, mid: bool) -> str:
    """Drives followed at an age, and the share that failed by it."""
    if row is None:
        return cells.cell("·", mid=mid)
    failed = f"<small>{100 * (1 - row['survival']):.1f} %</small>"
    return cells.cell(f"{number(row['followed'])}<br>{failed}", mid=mid)


def _age_row(
    inputs: Inputs,
    row: Mapping[str, Any],
    ages: Mapping[float, Mapping[str, Any]],
    reached: float,
    everyone: Mapping[float, Mapping[str, Any]],
    end: int,
) -> str:
    def verdict(age: float) -> str:
        one, all_ = ages.get(age), everyone.get(age)
        if one is None or all_ is None:
            return ""
        if one["survival_high"] < all_["survival"]:
            return "above"
        return "below" if one["survival_low"] > all_["survival"] else ""

    line = [
        compare.tick(inputs, row["model"]),
        cells.name(inputs, row),
        cells.cell(f"{escape(row['maker'])} {size(row['capacity_tb'])}", text=True, far=True),
    ]
    for year in YEARS:
        said = f"{100 * (1 - ages[year]['survival']):.1f}" if year in ages else "·"
        colour = verdict(year)
        line.append(cells.cell(said, mid=True, name=f"{colour}{' tinted' * (colour == 'above')}"))
    if not reached:
        young = tag("small", "too young")
        empty = cells.cell("", far=True) * 2
        return tag("tr", "".join([*line, tag("td", "", class_="plot"), cells.cell(young), empty]))
    age = ages[reached]
    failed, low, high = (
        100 * (1 - age[name]) for name in ("survival", "survival_high", "survival_low")
    )
    rest = everyone.get(reached)
    line += [
        tag(
            "td",
            dot_and_interval(
                failed,
                low,
                high,
                end=end,
                rest=100 * (1 - rest["survival"]) if rest else None,
                verdict=verdict(reached),
            ),
            class_="plot",
        ),
        cells.cell(f"{percent(failed)} <small>at {reached:g} y</small>", name="rate"),
        cells.cell(f"{low:.1f} - {high:.1f}", far=True),
        cells.cell(number(age["followed"]), far=True),
    ]
    return tag("tr", "".join(line), class_=verdict(reached) or None)


def _fate(everyone: pl.DataFrame) -> str:
    rows = everyone.filter(pl.col("supported")).to_dicts()
    if len(rows) < 2:
        return ""
    ages = [row["age_years"] for row in rows]
    labels = [(place, f"{age:g}") for place, age in enumerate(ages) if age == int(age)]
    frame = Frame("What became of drives, by age in years", labels, len(rows), 100)
    failed = [100 * row["failed"] for row in rows]
    removed = [100 * row["removed"] for row in rows]
    layers = [
        (f"failed {failed[-1]:.0f} %", "failed", failed),
        (f"taken out {removed[-1]:.0f} %", "removed", removed),
    ]
    chart = for_both(frame, lambda each: stacked_areas(each, layers))
    return cells.figure(
        "What became of drives, by age",
        chart,
        f"All models. The rest is in service: {100 - failed[-1] - removed[-1]:.0f} % at "
        f"{ages[-1]:.1f} years.",
    )


def _hazard(everyone: pl.DataFrame) -> str:
    rows = everyone.filter(pl.col("drive_years") >= _LEAST_DRIVE_YEARS).to_dicts()
    if len(rows) < 2:
        return ""
    last = max(row["age_years"] for row in rows)
    labels = [(4 * year, str(year)) for year in range(int(last) + 1)]
    end = axis_end([row["hazard"] for row in rows], [row["hazard_high"] for row in rows])
    frame = Frame("Failures a year by age in years", labels, round(4 * last) + 1, end, right=20)
    points = [
        (4 * row["age_years"] - 0.5, row["hazard"], row["hazard_low"], row["hazard_high"])
        for row in rows
    ]
    return cells.figure(
        "Failures a year by age, %",
        for_both(frame, lambda each: dots(each, points)),
        "All models, a quarter of a year each; the mix of models differs at every age.",
    )
