"""The sections on time and on the fleet: rates since the beginning, and what stands behind them."""

from collections.abc import Sequence

import polars as pl

from backblaze_assets.drive_stats.quarters import quarter_name
from backblaze_assets.report import cells, compare
from backblaze_assets.report.drawing import (
    Curve,
    Frame,
    Line,
    drives_axis_end,
    for_both,
    line_chart,
    stacked_areas,
    year_labels,
)
from backblaze_assets.report.inputs import Inputs
from backblaze_assets.report.rates import makers_and_sizes, three_years
from backblaze_assets.report.text import (
    number,
    percent,
    tag,
)

_LEAST_SHARE = 0.012
"""A layer of a chart of the fleet with less of it at the end has no label."""


_LEAST_DAYS = 50_000
"""Drive days of a model in twelve months, for its rate to be drawn over time."""


def _compare_over_time(inputs: Inputs, labels: Sequence[tuple[int, str]]) -> str:
    """Rates over twelve months, all models with enough drive days."""
    rows = inputs.series.filter(
        pl.col("kind") == "model", ~pl.col("boot"), pl.col("drive_days") >= _LEAST_DAYS
    )
    curves = []
    for model in rows["group"].unique(maintain_order=True):
        values, low, high = (
            compare.rates_of(inputs, "model", model, figure, least_days=_LEAST_DAYS)
            for figure in ("afr", "afr_low", "afr_high")
        )
        name = inputs.names.get(model, model)
        curves.append(Curve(model, Line(values, name, low, high)))
    title = "Failures a year over twelve months, all models"
    frame = Frame(title, labels, len(inputs.tables), 8, 1152, 360)
    return (
        tag("h3", "Compare models over time")
        + compare.chips()
        + compare.comparison(
            inputs,
            "Failures a year, %, over twelve months",
            frame,
            curves,
            [quarter_name(quarter) for quarter in sorted(inputs.tables)],
        )
    )


def over_time(inputs: Inputs) -> str:
    """Rates over twelve months since the beginning, a chart for each large maker."""
    makers = (
        inputs.rows("maker", "year")
        .sort("drives_end", descending=True)
        .filter(pl.col("drives_end") > 0)
    )
    quarters = sorted(inputs.tables)
    labels = year_labels(quarters, 5)
    figures = []
    for row in makers.head(8).to_dicts():
        models = inputs.series.filter(
            pl.col("kind") == "model", pl.col("maker") == row["maker"], ~pl.col("boot")
        ).filter(pl.col("drive_days") >= _LEAST_DAYS)
        lines = [
            Line(compare.rates_of(inputs, "model", group, least_days=_LEAST_DAYS))
            for group in models["group"].unique(maintain_order=True)
        ]
        lines.append(
            Line(
                compare.rates_of(inputs, "maker", row["group"]),
                row["maker"],
                compare.rates_of(inputs, "maker", row["group"], "afr_low"),
                compare.rates_of(inputs, "maker", row["group"], "afr_high"),
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
            cells.figure(
                f"{row['maker']} · {number(row['drives_end'])} drives · {percent(row['afr'])}",
                line_chart(frame, lines),
            )
        )
    return (
        "<p>Twelve months that end with each quarter. Bold: all drives of the maker, with the 95 % "
        "interval; grey: its models. What is above 8 % leaves through the top.</p>"
        + tag("div", "".join(figures), class_="charts small")
        + _compare_over_time(inputs, labels)
        + three_years(inputs)
    )


def fleet(inputs: Inputs) -> str:
    """What stands behind the numbers: drives in service by size and by maker."""
    return tag(
        "div",
        _stack(inputs, "size", "By size") + _stack(inputs, "maker", "By maker"),
        class_="charts",
    ) + makers_and_sizes(inputs)


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
        step = 1 + place * 7 // len(counts)
        layers.append((label, f"s{step}", [value / unit for value in values]))
    frame = Frame(
        f"Drives in service, {title.lower()}",
        year_labels(quarters, 7),
        len(quarters),
        end,
        unit="k" if unit > 1 else "",
    )
    return cells.figure(title, for_both(frame, lambda each: stacked_areas(each, layers)))
