"""Everything about each model: its figures, and its rate over time beside its drives."""

from collections.abc import Mapping
from html import escape
from typing import Any

import polars as pl

from backblaze_assets.drive_stats.publication import BOOT, RETIRED
from backblaze_assets.report import cells, compare
from backblaze_assets.report.ages import YEARS
from backblaze_assets.report.drawing import Frame, Line, axis_end, rate_over_drives, year_labels
from backblaze_assets.report.inputs import WINDOW_NAMES, Inputs
from backblaze_assets.report.sentences import FEWEST_AT_RISK
from backblaze_assets.report.text import NOTHING, anchor, decimals, number, percent, size, tag

_LEAST_DAYS = 3_650
"""Drive days of a model in twelve months, ten drives all year, for its rate to be drawn: with fewer
one failure is a tenth of all drives."""

_LEAST_END = 2
"""Of an axis, in percent: below it noise would look like news."""


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
            cells.cell(title, text=True)
            + cells.cell(number(row["drive_days"]))
            + cells.cell(number(row["failures"]))
            + cells.cell(percent(row["afr"]))
            + cells.cell(f"{decimals(row['afr_low'])} - {decimals(row['afr_high'])}"),
        )
        for title, row in windows
    )
    heads = cells.head("", text=True, sorts=False) + "".join(
        cells.head(text, sorts=False) for text in ("Drive days", "Failures", "AFR", "from - to, %")
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
            f"{number(life['drives_end'])}, {cells.months(life['mean_age_months'])} months old",
        ),
        (
            "Failed, taken out working",
            f"{number(life['drives_failed'])}, {number(life['drives_removed'])}",
        ),
        ("Age of failed drives", f"{cells.months(life['mean_age_of_failed_months'])} months"),
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
        tag("summary", summary)
        + cells.table(heads, rows)
        + tag("div", cells.facts(facts) + _over_time(inputs, name), class_="charts"),
        id=anchor(name),
    )


def _over_time(inputs: Inputs, model: str) -> str:
    """The rate over twelve months, with its interval, over the drives that it is of."""
    rates, low, high = (
        compare.rates_of(inputs, "model", model, figure, least_days=_LEAST_DAYS)
        for figure in ("afr", "afr_low", "afr_high")
    )
    known = [rate for rate in rates if rate is not None]
    if len(known) < 2:
        return ""
    end = max(axis_end(known, [bound for bound in high if bound is not None]), _LEAST_END)
    drives = compare.rates_of(inputs, "model", model, "drives_end")
    labels = year_labels(sorted(inputs.tables), 6)
    frame = Frame(f"{inputs.names[model]}: failures a year", labels, len(drives), end, 400, 130, 14)
    most = int(max(count or 0 for count in drives))
    return cells.figure(
        f"Failures a year over twelve months; behind it drives, up to {number(most)}",
        rate_over_drives(frame, Line(rates, "", low, high), drives),
    )
