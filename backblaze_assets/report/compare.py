"""What lets readers compare models: boxes, chips, and the charts that answer to them."""

import json
from collections.abc import Sequence
from html import escape

from backblaze_assets.report.drawing import (
    Curve,
    Frame,
    compare_chart,
    for_both,
)
from backblaze_assets.report.inputs import Inputs
from backblaze_assets.report.text import tag


def comparison(
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


def chips() -> str:
    """Where the script puts the models that are picked."""
    return tag("div", class_="chips controls")


def tick(inputs: Inputs, model: str) -> str:
    """A box to pick a model for the charts."""
    box = (
        f'<input type="checkbox" value="{escape(model)}"'
        f' aria-label="Compare {escape(inputs.names[model])}">'
    )
    return tag("td", tag("label", box), class_="tick")


def rates_of(
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
