"""The sections of the page, each as HTML from the tables."""

import json
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import polars as pl

from backblaze_assets.drive_stats.afr import SURE, came_and_went, changes, totals
from backblaze_assets.drive_stats.publication import (
    BOOT,
    PUBLISHED,
    RETIRED,
    TOO_SMALL,
    Window,
    rule_for,
)
from backblaze_assets.drive_stats.published import KNOWN, MATCH, by_period
from backblaze_assets.drive_stats.quarters import quarter_name
from backblaze_assets.report.drawing import (
    Curve,
    Frame,
    Line,
    axis,
    axis_end,
    compare_chart,
    dot_and_interval,
    dots,
    drives_axis_end,
    for_both,
    line_chart,
    sparkline,
    stacked_areas,
)
from backblaze_assets.report.inputs import Inputs
from backblaze_assets.report.sentences import FEWEST_AT_RISK, link
from backblaze_assets.report.text import (
    NOTHING,
    anchor,
    decimals,
    number,
    percent,
    size,
    tag,
)

WINDOW_NAMES: dict[Window, str] = {
    "quarter": "Quarter",
    "year": "12 months",
    "lifetime": "Lifetime",
}
YEARS = (1.0, 2.0, 3.0, 4.0, 5.0)

_LEAST_SHARE = 0.012
"""A layer of a chart of the fleet with less of it at the end has no label."""

_LEAST_DAYS = 50_000
"""Drive days of a model in twelve months, for its rate to be drawn over time."""

_LEAST_DRIVE_YEARS = 500
"""Of a quarter of a year of age, for its hazard to be drawn."""


def ranking(inputs: Inputs) -> str:
    """Which models fail, and how sure is it: a table that is the chart, for three windows."""
    radios = "".join(
        f'<input class="hidden" type="radio" name="window" id="w-{window}"'
        f"{' checked' if window == 'year' else ''}>"
        for window in WINDOW_NAMES
    )
    labels = "".join(
        tag("label", name, for_=f"w-{window}") for window, name in WINDOW_NAMES.items()
    )
    controls = tag(
        "div",
        tag("span", labels, class_="windows", role="group", aria_label="Rate over")
        + '<input type="search" id="filter" placeholder="Filter: 16 TB, Seagate, ST…" '
        'aria-label="Filter models">',
        class_="controls",
    )
    panes = "".join(
        tag("div", _ranking_table(inputs, window), class_="pane", id=f"pane-{window}")
        for window in WINDOW_NAMES
    )
    return (
        "<p>"
        + tag("span", "■ Orange", class_="above")
        + ": fails more often than all other models together, "
        + tag("span", "● blue-green", class_="below")
        + ": less often, each beyond chance. ○ Hollow: cannot be told apart. The dotted line is "
        "the rest. Sorted by the upper bound: on top stand the models that are proven good.</p>"
        + radios
        + controls
        + panes
    )


def _ranking_table(inputs: Inputs, window: Window) -> str:
    ranked = inputs.ranked(window)
    if ranked.is_empty():
        return tag("p", "No model has enough drives for the table of this window.")
    end = axis_end(ranked["afr"].to_list(), ranked["afr_high"].to_list())
    heads = [
        tag("td", class_="tick"),
        _head("Model", text=True),
        _head("Maker", text=True, far=True),
        _head("TB", mid=True),
        _head("Drives in service", mid=True),
        _head("Mean age, months", far=True),
        _head("Failures", mid=True),
        _head("AFR"),
        f'<th class="plot" scope="col">95 % interval{axis(end)}</th>',
        _head("from - to, %", far=True, sorts=False),
        *([_head("For its age", far=True)] if window == "year" else []),
        _head("12-month rate", far=True, sorts=False),
    ]
    rows = "".join(
        tag(
            "tr",
            "".join(
                [
                    _tick(inputs, row["model"]),
                    _name(inputs, row),
                    _cell(escape(row["maker"]), text=True, far=True),
                    _cell(f"{row['capacity_tb'] or 0:g}", mid=True),
                    _cell(number(row["drives_end"]), value=row["drives_end"], mid=True),
                    _cell(_months(row["mean_age_months"]), far=True, value=row["mean_age_months"]),
                    _cell(number(row["failures"]), value=row["failures"], mid=True),
                    _cell(percent(row["afr"]), value=row["afr"], name="rate"),
                    tag(
                        "td",
                        dot_and_interval(
                            row["afr"],
                            row["afr_low"],
                            row["afr_high"],
                            end=end,
                            rest=row["rest_afr"],
                            verdict=row["verdict"],
                        ),
                        class_="plot",
                    ),
                    _cell(f"{decimals(row['afr_low'])} - {decimals(row['afr_high'])}", far=True),
                    *([_for_its_age(inputs, row["model"])] if window == "year" else []),
                    _cell(sparkline(_rates(inputs, "model", row["group"])), far=True),
                ]
            ),
            class_=row["verdict"] if row["verdict"] in ("above", "below") else None,
            data_size=f"{row['capacity_tb'] or 0:g}",
            data_words=f"{row['maker']} {row['model']}".lower(),
        )
        for row in ranked.to_dicts()
    )
    count = tag("small", f"{ranked.height} of {ranked.height} models", aria_live="polite")
    table = (
        f'<table class="ranking" data-sortable><thead><tr>{"".join(heads)}</tr></thead>'
        f"<tbody>{rows}</tbody></table>"
    )
    return count + table + _not_ranked(inputs, window)


def _not_ranked(inputs: Inputs, window: Window) -> str:
    rows = totals(inputs.rows("model", window), "status")
    found = {row["status"]: row for row in rows.to_dicts()}
    rule = rule_for(inputs.quarter, window)
    least = f"{rule.drives:,} drives" + (
        f" or {rule.drive_days:,} drive days" if rule.drive_days else ""
    )
    said = []
    if TOO_SMALL in found:
        row = found[TOO_SMALL]
        said.append(
            f"Not ranked: {row['models']} models in service with fewer than {least}: "
            f"{number(row['drives_end'])} drives, {number(row['failures'])} failures, together "
            f"{percent(row['afr'])}."
        )
    if RETIRED in found:
        row = found[RETIRED]
        said.append(
            f"{row['models']} models are no longer in service: {number(row['drives_seen'])} "
            f"drives, {number(row['failures'])} failures, {percent(row['afr'])}."
        )
    if BOOT in found:
        row = found[BOOT]
        said.append(
            f"Boot drives are not in it: {number(row['drives_end'])} drives of {row['models']} "
            f"models, {percent(row['afr'])}."
        )
    said.append('All are in <a href="#models">model by model</a>.')
    return tag("p", " ".join(said), class_="note")


def watch_list(inputs: Inputs) -> str:
    """What to replace first: models above the rest, by the failures that this costs."""
    ranked = inputs.ranked("year")
    above = ranked.filter(pl.col("verdict") == "above").sort("excess_failures", descending=True)
    if above.is_empty():
        return tag("p", "No model fails more often than the rest by more than chance.")
    most = float(above["excess_failures"][0])
    since = _on_the_list_since(inputs)
    heads = [
        _head("Model", text=True, sorts=False),
        _head("Maker, size", text=True, mid=True, sorts=False),
        _head("Drives", mid=True, sorts=False),
        _head("AFR", sorts=False),
        _head("Times the rest", sorts=False),
        _head("For its age", mid=True, sorts=False),
        _head("Excess failures", text=True, sorts=False),
        _head("On the list since", mid=True, sorts=False),
        _head("12-month rate", far=True, sorts=False),
    ]
    rows = "".join(
        tag(
            "tr",
            "".join(
                [
                    _name(inputs, row),
                    _cell(
                        f"{escape(row['maker'])} {size(row['capacity_tb'])}", text=True, mid=True
                    ),
                    _cell(number(row["drives_end"]), mid=True),
                    _cell(percent(row["afr"]), name="rate"),
                    _cell(
                        f"{row['times_the_rest']:.1f} "
                        f"<small>(≥ {row['afr_low'] / row['rest_afr']:.1f})</small>"
                    ),
                    _for_its_age(inputs, row["model"], mid=True, watched=True),
                    _cell(
                        tag(
                            "span",
                            class_="bar",
                            style=f"width:{max(7 * row['excess_failures'] / most, 0.2):.2f}vw",
                        )
                        + f"+{row['excess_failures']:,.0f}",
                        text=True,
                    ),
                    _cell(since[row["model"]], mid=True),
                    _cell(sparkline(_rates(inputs, "model", row["group"])), far=True),
                ]
            ),
            class_="above",
        )
        for row in above.to_dicts()
    )
    return (
        "<p>Models whose rate of the last 12 months is above that of all others beyond chance, by "
        "the failures above what the rest's rate would give.</p>"
        + _table("".join(heads), rows)
        + tag(
            "p",
            f"With {ranked.height} models about {0.025 * ranked.height:.1f} would stand here by "
            "chance alone. In brackets: at least. For its age: failures over those that other "
            "models' drives of the same age would have had; “old” where a model is on this list "
            "only because the others are younger.",
            class_="note",
        )
    )


def _for_its_age(inputs: Inputs, model: str, *, mid: bool = False, watched: bool = False) -> str:
    """How often a model failed beside others of the same age; `old` where that acquits it."""
    row = inputs.for_its_age.get(model)
    if row is None:
        return _cell(NOTHING, far=not mid, mid=mid, value=None)
    old = " <small>old</small>" if watched and row["verdict"] != "above" else ""
    colour = row["verdict"] if row["verdict"] in ("above", "below") else ""
    said = f"{row['for_its_age']:.2f}{old}"
    return _cell(said, far=not mid, mid=mid, name=colour, value=row["for_its_age"])


def _on_the_list_since(inputs: Inputs) -> dict[str, str]:
    """The first quarter of the unbroken row, up to now, in which each model was above the rest."""
    since: dict[str, str] = {}
    for quarter in sorted(inputs.tables):
        rows = inputs.ranked("year", quarter).filter(pl.col("verdict") == "above")
        since = {model: since.get(model, quarter_name(quarter)) for model in rows["model"]}
    return since


def what_changed(inputs: Inputs) -> str:
    """Rates that differ from the quarter before by more than chance; models that came or went."""
    parts = []
    before = inputs.quarter_before
    if inputs.comparable(before):
        found = changes(inputs.ranked("quarter"), inputs.rows("model", "quarter", before))
        tested = found.drop_nulls("p_value").height
        sure = found.filter(pl.col("p_adjusted") < SURE).sort("p_adjusted")
        items = [
            f"{link(inputs, row['model'], 'above' if row['verdict'] == 'up' else 'below')} "
            f"{percent(row['afr'])}, {row['verdict']} from {percent(row['afr_before'])}"
            + (
                f": {row['ratio']:.1f} times ({row['ratio_low']:.1f} - {row['ratio_high']:.1f})"
                if row["ratio"] is not None
                else ""
            )
            for row in sure.to_dicts()
        ]
        none = f"Of {tested} models that had a failure, none changed by more than chance."
        parts.append(tag("h3", "Rates") + (_list(items) if items else tag("p", none)))
        if items:
            parts.append(
                tag(
                    "p",
                    f"{len(items)} of {tested} models that had a failure changed by more than "
                    "chance, as judged for all of them together.",
                    class_="note",
                )
            )
    now = inputs.rows("all", "quarter").row(0, named=True)
    events = came_and_went(inputs.newest, inputs.quarter)
    lines = [
        f"{number(now['drives_added'])} drives came, {number(now['drives_failed'])} failed, "
        f"{number(now['drives_removed'])} were taken out working."
    ]
    for event, word in (("new", "New models"), ("gone", "Gone from service")):
        names = [link(inputs, model) for model in events.filter(event=event)["model"]]
        if names:
            lines.append(f"{word}: {', '.join(names)}.")
    rows = inputs.rows("model", "quarter").filter(pl.col("status") != BOOT)
    for column, word in (("drives_added", "Most came"), ("drives_removed", "Most were taken out")):
        most = rows.filter(pl.col(column) > 0).sort(column, descending=True).head(3)
        if most.height:
            each = ", ".join(
                f"{link(inputs, row['model'])} {number(row[column])}" for row in most.to_dicts()
            )
            lines.append(f"{word}: {each}.")
    return "".join([*parts, tag("h3", "Drives"), _list(lines)])


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
        _head("Model", text=True, sorts=False),
        _head("Maker, size", text=True, far=True, sorts=False),
        *(_head(f"{year:g} y", mid=True, sorts=False) for year in YEARS),
        f'<th class="plot" scope="col">At the oldest of these ages{axis(end)}</th>',
        _head("Failed", sorts=False),
        _head("from - to, %", far=True, sorts=False),
        _head("Drives followed", far=True, sorts=False),
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


_AGES = 33
"""Places of the chart by age: quarters of a year, to eight years."""


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
        cells = "".join(_followed(ages.get(4 * year), mid=year % 2 == 0) for year in range(7))
        hidden = None if model in inputs.picks else ""
        row = tag("td", escape(name), class_="name") + cells
        followed.append(tag("tr", row, data_model=model, hidden=hidden))
    if not curves:
        return ""
    labels = [(4 * year, str(year)) for year in range(9)]
    frame = Frame("Failed by age in years, all models", labels, _AGES, 30, 1152, 360)
    heads = tag("td") + "".join(_head(f"{y} y", sorts=False, mid=y % 2 == 0) for y in range(7))
    return (
        tag("h3", "Compare models by age")
        + _chips()
        + _comparison(
            inputs,
            "Failed, %, if none is taken out",
            frame,
            curves,
            [f"{place / 4:g} years" for place in range(_AGES)],
        )
        + tag("p", "Drives followed to each age, and failed by then:", class_="note")
        + _table(heads, "".join(followed))
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
        return _cell("·", mid=mid)
    failed = f"<small>{100 * (1 - row['survival']):.1f} %</small>"
    return _cell(f"{number(row['followed'])}<br>{failed}", mid=mid)


def _compare_over_time(inputs: Inputs, labels: Sequence[tuple[int, str]]) -> str:
    """Rates over twelve months, all models with enough drive days."""
    rows = inputs.series.filter(
        pl.col("kind") == "model", ~pl.col("boot"), pl.col("drive_days") >= _LEAST_DAYS
    )
    curves = []
    for model in rows["group"].unique(maintain_order=True):
        values, low, high = (
            _rates(inputs, "model", model, figure, least_days=_LEAST_DAYS)
            for figure in ("afr", "afr_low", "afr_high")
        )
        name = inputs.names.get(model, model)
        curves.append(Curve(model, Line(values, name, low, high)))
    title = "Failures a year over twelve months, all models"
    frame = Frame(title, labels, len(inputs.tables), 8, 1152, 360)
    return (
        tag("h3", "Compare models over time")
        + _chips()
        + _comparison(
            inputs,
            "Failures a year, %, over twelve months",
            frame,
            curves,
            [quarter_name(quarter) for quarter in sorted(inputs.tables)],
        )
    )


def _comparison(
    inputs: Inputs, title: str, frame: Frame, curves: Sequence[Curve], places: Sequence[str]
) -> str:
    """A chart to compare models in, and for the script what stands at each place of it."""
    sizes = {
        row["model"]: (f"{row['maker']} {row['model']}".lower(), f"{row['capacity_tb'] or 0:g}")
        for row in inputs.rows("model", "lifetime").to_dicts()
    }

    def figures(curve: Curve) -> list[list[float] | None]:
        line = curve.line
        return [
            None
            if value is None
            else [round(each, 2) for each in (value, low, high) if each is not None]
            for value, low, high in zip(line.values, line.low, line.high, strict=True)
        ]

    told = {
        "places": places,
        "curves": {
            curve.model: {
                "name": curve.line.label,
                "words": sizes.get(curve.model, ("", ""))[0],
                "size": sizes.get(curve.model, ("", ""))[1],
                "values": figures(curve),
            }
            for curve in curves
        },
    }
    data = json.dumps(told, separators=(",", ":")).replace("<", "\\u003c")
    chart = for_both(frame, lambda each: compare_chart(each, curves, inputs.picks))
    return tag(
        "figure",
        tag("figcaption", title)
        + tag("div", chart, class_="plot-area", tabindex="0", role="group", aria_label=frame.title)
        + tag("p", "", class_="readout note", aria_live="polite")
        + f'<script type="application/json">{data}</script>',
        class_="compare",
    )


def _chips() -> str:
    """Where the script puts the models that are picked."""
    return tag("div", class_="chips controls")


def _tick(inputs: Inputs, model: str) -> str:
    """A box to pick a model for the charts."""
    box = (
        f'<input type="checkbox" value="{escape(model)}"'
        f' aria-label="Compare {escape(inputs.names[model])}">'
    )
    return tag("td", tag("label", box), class_="tick")


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

    cells = [
        _tick(inputs, row["model"]),
        _name(inputs, row),
        _cell(f"{escape(row['maker'])} {size(row['capacity_tb'])}", text=True, far=True),
    ]
    for year in YEARS:
        said = f"{100 * (1 - ages[year]['survival']):.1f}" if year in ages else "·"
        colour = verdict(year)
        cells.append(_cell(said, mid=True, name=f"{colour}{' tinted' * (colour == 'above')}"))
    if not reached:
        young = tag("small", "too young")
        empty = _cell("", far=True) * 2
        return tag("tr", "".join([*cells, tag("td", "", class_="plot"), _cell(young), empty]))
    age = ages[reached]
    failed, low, high = (
        100 * (1 - age[name]) for name in ("survival", "survival_high", "survival_low")
    )
    rest = everyone.get(reached)
    cells += [
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
        _cell(f"{percent(failed)} <small>at {reached:g} y</small>", name="rate"),
        _cell(f"{low:.1f} - {high:.1f}", far=True),
        _cell(number(age["followed"]), far=True),
    ]
    return tag("tr", "".join(cells), class_=verdict(reached) or None)


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
    return _figure(
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
    return _figure(
        "Failures a year by age, %",
        for_both(frame, lambda each: dots(each, points)),
        "All models, a quarter of a year each; the mix of models differs at every age.",
    )


def over_time(inputs: Inputs) -> str:
    """Rates over twelve months since the beginning, a chart for each large maker."""
    makers = (
        inputs.rows("maker", "year")
        .sort("drives_end", descending=True)
        .filter(pl.col("drives_end") > 0)
    )
    quarters = sorted(inputs.tables)
    labels = [
        (place, str(quarter.year))
        for place, quarter in enumerate(quarters)
        if quarter.month == 1 and (len(quarters) < 30 or quarter.year % 3 == 0)
    ]
    figures = []
    for row in makers.head(8).to_dicts():
        models = inputs.series.filter(
            pl.col("kind") == "model", pl.col("maker") == row["maker"], ~pl.col("boot")
        ).filter(pl.col("drive_days") >= _LEAST_DAYS)
        lines = [
            Line(_rates(inputs, "model", group, least_days=_LEAST_DAYS))
            for group in models["group"].unique(maintain_order=True)
        ]
        lines.append(
            Line(
                _rates(inputs, "maker", row["group"]),
                row["maker"],
                _rates(inputs, "maker", row["group"], "afr_low"),
                _rates(inputs, "maker", row["group"], "afr_high"),
            )
        )
        frame = Frame(
            f"{row['maker']}: failures a year over twelve months",
            labels,
            len(quarters),
            8,
            width=270,
            height=170,
            right=8,
        )
        figures.append(
            _figure(
                f"{row['maker']} · {number(row['drives_end'])} drives · {percent(row['afr'])}",
                line_chart(frame, lines),
            )
        )
    return (
        "<p>Twelve months that end with each quarter. Bold: all drives of the maker, with the 95 % "
        "interval; grey: its models. What is above 8 % leaves through the top.</p>"
        + tag("div", "".join(figures), class_="charts small")
        + _compare_over_time(inputs, labels)
    )


def fleet(inputs: Inputs) -> str:
    """What stands behind the numbers: drives in service by size and by maker."""
    return tag(
        "div",
        _stack(inputs, "size", "By size") + _stack(inputs, "maker", "By maker"),
        class_="charts",
    )


def _stack(inputs: Inputs, kind: str, title: str) -> str:
    quarters = sorted(inputs.tables)
    rows = inputs.series.filter(pl.col("kind") == kind)
    if len(quarters) < 2 or rows.is_empty():
        return ""
    counts = {
        group: [
            int(
                rows.filter(pl.col("group") == group, pl.col("quarter") == quarter)[
                    "drives_end"
                ].sum()
            )
            for quarter in quarters
        ]
        for group in rows.sort("capacity_tb", "group", nulls_last=True)["group"].unique(
            maintain_order=True
        )
    }
    total = max(sum(values) for values in zip(*counts.values(), strict=True))
    unit = 1_000 if total >= 10_000 else 1
    end = drives_axis_end(total / unit)
    last = sum(values[-1] for values in counts.values())
    layers = []
    for place, (group, values) in enumerate(counts.items()):
        shown = values[-1] >= _LEAST_SHARE * last
        label = f"{group} {number(values[-1])}" if shown else ""
        layers.append((label, f"s{1 + place % 7}", [value / unit for value in values]))
    labels = [(place, str(each.year)) for place, each in enumerate(quarters) if each.month == 1]
    frame = Frame(
        f"Drives in service, {title.lower()}",
        labels[:: 1 + len(labels) // 8],
        len(quarters),
        end,
        unit="k" if unit > 1 else "",
    )
    return _figure(title, for_both(frame, lambda each: stacked_areas(each, layers)))


def models(inputs: Inputs) -> str:
    """Everything about each model, closed until it is asked for; retired ones in a group."""
    life = inputs.rows("model", "lifetime").sort("drives_end", "drives_seen", descending=True)
    gone = life.filter(pl.col("status") == RETIRED)
    boot = life.filter(pl.col("status") == BOOT)
    rest = life.filter(~pl.col("status").is_in([RETIRED, BOOT]))
    parts = "".join(_model(inputs, row) for row in rest.to_dicts())
    for name, rows in (("No longer in service", gone), ("Boot drives", boot)):
        if rows.height:
            inside = "".join(_model(inputs, row) for row in rows.to_dicts())
            summary = (
                f"{name}: {rows.height} models, {number(int(rows['drives_seen'].sum()))} drives"
            )
            parts += tag("details", tag("summary", summary) + inside)
    return parts


def _model(inputs: Inputs, life: Mapping[str, Any]) -> str:
    name = life["model"]
    windows = [
        (title, row)
        for window, title in WINDOW_NAMES.items()
        for row in inputs.rows("model", window).filter(pl.col("model") == name).to_dicts()
    ]
    rows = "".join(
        tag(
            "tr",
            _cell(title, text=True)
            + _cell(number(row["drive_days"]))
            + _cell(number(row["failures"]))
            + _cell(percent(row["afr"]))
            + _cell(f"{decimals(row['afr_low'])} - {decimals(row['afr_high'])}"),
        )
        for title, row in windows
    )
    heads = _head("", text=True, sorts=False) + "".join(
        _head(text, sorts=False) for text in ("Drive days", "Failures", "AFR", "from - to, %")
    )
    curve = inputs.survival.filter(
        pl.col("kind") == "model", pl.col("group") == name, pl.col("age_years").is_in(YEARS)
    )
    shares = ", ".join(
        f"{100 * (1 - row['survival']):.1f} % at {row['age_years']:g} y"
        for row in curve.to_dicts()
        if row["survival"] is not None and row["followed"] >= FEWEST_AT_RISK
    )
    facts = [
        ("Drives ever", number(life["drives_seen"])),
        (
            "In service",
            f"{number(life['drives_end'])}, {_months(life['mean_age_months'])} months old",
        ),
        (
            "Failed, taken out working",
            f"{number(life['drives_failed'])}, {number(life['drives_removed'])}",
        ),
        ("Age of failed drives", f"{_months(life['mean_age_of_failed_months'])} months"),
        ("Seen", f"{life['first_seen']} to {life['last_seen']}"),
        ("Fail if none is taken out", shares or NOTHING),
    ]
    summary = (
        f"<b>{escape(inputs.names[name])}</b> {escape(life['maker'])} "
        f"{size(life['capacity_tb'])} · {number(life['drives_end'])} in service · "
        f"{percent(life['afr'])} over its life"
    )
    return tag(
        "details",
        tag("summary", summary) + _table(heads, rows) + _facts(facts),
        id=anchor(name),
    )


def reconciled(inputs: Inputs) -> str:
    """Ours beside the published figures, a row for each table."""
    if inputs.reconciled.is_empty():
        return tag("p", "No published table is known of these quarters.")
    periods = by_period(inputs.reconciled)
    whole = periods.filter(pl.col("complete"))
    agree = whole.filter(pl.col("verdict") == MATCH).height
    known = whole.filter(pl.col("verdict") == KNOWN).height
    if whole.is_empty():
        first = "Of these quarters no published table is known whole."
    elif agree + known == whole.height:
        first = (
            f"{agree} of {whole.height} complete tables agree; {known} differ for reasons that "
            "are known."
        )
    else:
        differing = whole.filter(~pl.col("verdict").is_in([MATCH, KNOWN]))
        names = ", ".join(quarter_name(period) for period in differing["period"])
        first = f"Complete tables that differ, of {whole.height}: {names}."
    signs = {MATCH: "✓ agrees", KNOWN: "≠ known"}
    rows = "".join(
        tag(
            "tr",
            _cell(f"{quarter_name(row['period'])} {row['window']}", text=True)
            + _cell(f"{row['models']} of {row['models_published']}", mid=True)
            + "".join(
                _cell(number(row[name]), far=True)
                for figure in ("drive_days", "failures")
                for name in (figure, f"{figure}_published")
            )
            + _cell(percent(row["afr"]))
            + _cell(percent(row["afr_published"]))
            + _cell(
                signs.get(row["verdict"], tag("span", "✗ differs", class_="above"))
                + (f" <small>{escape(row['reasons'])}</small>" if row["reasons"] else ""),
                text=True,
                name="verdict",
            ),
        )
        for row in periods.to_dicts()
    )
    heads = "".join(
        [
            _head("Table", text=True, sorts=False),
            _head("Models", mid=True, sorts=False),
            _head("Drive days", far=True, sorts=False),
            _head("published", far=True, sorts=False),
            _head("Failures", far=True, sorts=False),
            _head("published", far=True, sorts=False),
            _head("AFR", sorts=False),
            _head("published", sorts=False),
            _head("", text=True, sorts=False),
        ]
    )
    return tag("p", first) + _table(heads, rows)


def data(inputs: Inputs) -> str:
    """What is weak in the data, how the figures are computed, what the page was made from."""
    days = inputs.days
    missing = [quarter_name(quarter) for quarter in _missing_quarters(inputs)]
    silent = days.filter(~pl.col("reported"))["date"].to_list()
    partial = days.filter(pl.col("partial")).height
    everyone = inputs.survival.filter(pl.col("kind") == "all")
    untold = int(everyone["drives_without_age"][0]) if everyone.height else 0
    found = [
        ("Quarters that are missing", ", ".join(missing) or "none"),
        ("Days without a report", ", ".join(map(str, silent)) or "none"),
        (
            "Days with a part of the fleet",
            f"{partial}: absent drives are not taken for removed; their drive days are missing",
        ),
        ("Drives that never told their age", f"{number(untold)}, left out of all curves by age"),
    ]
    method = (
        "<p>AFR % = 100 × failures / (drive days / 365), with the exact Poisson interval at 95 %. "
        "Every row of the data is a drive day, every row with a failure a failure. Boot drives "
        "are left out. Survival is Kaplan and Meier's with late entry: drives count from the age "
        "at which they were first seen. What became of drives is Aalen and Johansen's: drives that "
        "are taken out cannot fail any more. Changes are judged by the exact test of two rates, "
        "adjusted for the number of models (Benjamini and Hochberg). Failures are taken as "
        "independent, which a bad batch is not.</p>"
    )
    return (
        tag("h3", "Data")
        + _facts(found)
        + tag("h3", "How it is computed")
        + method
        + tag("h3", "Where it comes from")
        + _facts(inputs.provenance)
        + '<p class="note">Data by Backblaze.</p>'
    )


def _missing_quarters(inputs: Inputs) -> list[Any]:
    known = sorted(inputs.tables)
    return [
        quarter
        for quarter in pl.date_range(known[0], known[-1], "3mo", eager=True).to_list()
        if quarter not in inputs.tables
    ]


def _rates(
    inputs: Inputs, kind: str, group: str, figure: str = "afr", *, least_days: int = 0
) -> list[float | None]:
    """A figure over twelve months of one group, for each quarter."""
    key = (kind, group)
    found = inputs.by_group.get(key, {})
    return [
        found[quarter][figure]
        if quarter in found and found[quarter]["drive_days"] >= least_days
        else None
        for quarter in sorted(inputs.tables)
    ]


def _name(inputs: Inputs, row: Mapping[str, Any]) -> str:
    below = tag(
        "small",
        f"{escape(row['maker'])} {size(row['capacity_tb'])} · {number(row['drives_end'])} drives",
    )
    name = tag("a", escape(inputs.names[row["model"]]), href=f"#{anchor(row['model'])}")
    return tag("td", name + below, class_="name", data_value=row["model"])


def _head(
    title: str, *, text: bool = False, mid: bool = False, far: bool = False, sorts: bool = True
) -> str:
    classes = _classes(text=text, mid=mid, far=far)
    if not title:
        return tag("td", class_=classes)
    inside = tag("button", title, type="button") if sorts else title
    return tag("th", inside, scope="col", class_=classes)


def _cell(
    content: str,
    *,
    text: bool = False,
    mid: bool = False,
    far: bool = False,
    name: str = "",
    value: float | None = None,
) -> str:
    classes = f"{_classes(text=text, mid=mid, far=far) or ''} {name}".strip()
    return tag("td", content, class_=classes or None, data_value=value)


def _table(heads: str, rows: str) -> str:
    """A table that scrolls by itself where the page is too narrow."""
    head, body = tag("thead", tag("tr", heads)), tag("tbody", rows)
    return tag("div", tag("table", head + body), class_="wide", tabindex="0")


def _classes(*, text: bool, mid: bool, far: bool) -> str | None:
    names = [name for name, given in (("text", text), ("col-mid", mid), ("col-far", far)) if given]
    return " ".join(names) or None


def _months(value: float | None) -> str:
    return NOTHING if value is None else f"{value:.0f}"


def _list(items: Sequence[str]) -> str:
    return tag("ul", "".join(tag("li", item) for item in items))


def _facts(pairs: Sequence[tuple[str, str]]) -> str:
    inside = "".join(tag("dt", escape(name)) + tag("dd", escape(text)) for name, text in pairs)
    return tag("dl", inside, class_="facts")


def _figure(title: str, chart: str, note: str = "") -> str:
    caption = tag("figcaption", title)
    below = tag("p", note, class_="note") if note else ""
    return tag("figure", caption + chart + below)
