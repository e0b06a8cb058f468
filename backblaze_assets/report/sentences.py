"""The four sentences at the head of the page: made from the data, each with its rule.

They give the bound that makes the claim, not the rate: "at least 5.65 %" needs no second figure.
"""

from collections.abc import Mapping
from datetime import date
from html import escape
from typing import Any

import polars as pl

from backblaze_assets.drive_stats.afr import changes
from backblaze_assets.drive_stats.quarters import quarter_name
from backblaze_assets.drive_stats.rates import compare_rates
from backblaze_assets.report.inputs import Inputs
from backblaze_assets.report.text import anchor, decimals, joined, number, percent, tag

SURE = 0.01
"""Below this p-value the fleet's rate is said to be more or less than before."""

MOST_NAMED = 3
CLEARLY = 1.5
"""A model is named among those that fail most when its lower bound is so many times the rest."""

MOST_YEARS = 5
FEWEST_AT_RISK = 100
"""Drives that must be followed to an age for the share that fails by it to be said."""

FEWEST_DRIVES = 500
"""Drives in service that a model must have to stand for the best or the worst."""


def sentences(inputs: Inputs) -> list[tuple[str, str]]:
    """The four sentences, each with a note below it, as HTML."""
    found = [_what_happened(inputs), _which_fail(inputs), _which_last(inputs), _how_many(inputs)]
    return [each for each in found if each[0]]


def link(inputs: Inputs, model: str, verdict: str = "") -> str:
    """A model's name as a link to its section, in the colour of its verdict."""
    name = escape(inputs.names.get(model, model))
    return tag("a", name, href=f"#{anchor(model)}", class_=verdict or None)


def _what_happened(inputs: Inputs) -> tuple[str, str]:
    now = inputs.total("quarter")
    so_far = "" if inputs.whole_quarter else f" so far, to {inputs.days['date'][-1]}"
    name = quarter_name(inputs.quarter)
    if not now["drive_days"]:
        return f"<b>No drive was seen in {name}{so_far}.</b>", ""
    failed = f"{number(now['failures'])} drives failed"
    if now["failures"] != now["drives_failed"]:  # some came back and failed again
        failed = f"{number(now['failures'])} failures of {number(now['drives_failed'])} drives"
    text = f"<b>{failed} in {name}{so_far}: {percent(now['afr'])} in a year.</b>"
    clauses = [
        clause
        for when, earlier in (
            ("the quarter before", inputs.quarter_before),
            ("a year ago", inputs.year_before),
        )
        if inputs.comparable(earlier)
        and (clause := _compared(now, inputs.rows("all", "quarter", earlier), when))
    ]
    if clauses:
        text += f" That is {joined(clauses)}."
    if inputs.comparable(inputs.quarter_before):
        text += _up_and_down(inputs, inputs.quarter_before)
    low, high = decimals(now["afr_low"]), decimals(now["afr_high"])
    note = (
        f"95 % interval {low} - {high} · {number(now['drives_seen'])} drives seen · "
        f"{number(now['drive_days'])} drive days"
    )
    return text, note


def _compared(now: Mapping[str, Any], before: pl.DataFrame, when: str) -> str:
    if before.is_empty():
        return ""
    then = before.row(0, named=True)
    test = compare_rates(now["failures"], now["drive_days"], then["failures"], then["drive_days"])
    if test.p_value is None:
        return ""
    how = "within chance of"
    if test.p_value < SURE:
        how = "more than" if now["afr"] > then["afr"] else "less than"
    return f"{how} {when} ({percent(then['afr'])})"


def _up_and_down(inputs: Inputs, earlier: date) -> str:
    found = changes(inputs.ranked("quarter"), inputs.rows("model", "quarter", earlier))
    text = ""
    for verdict, colour in (("up", "above"), ("down", "below")):
        rows = found.filter(pl.col("verdict") == verdict).sort("p_value").head(MOST_NAMED)
        if rows.height:
            names = joined(link(inputs, model, colour) for model in rows["model"])
            text += f" {verdict.capitalize()} for {names}."
    return text


def _which_fail(inputs: Inputs) -> tuple[str, str]:
    ranked = inputs.ranked("year")
    above = ranked.filter(pl.col("verdict") == "above").sort("times_the_rest", descending=True)
    if ranked.is_empty():
        return "", ""
    if above.is_empty():
        return "<b>No model's rate is above the rest's by more than chance.</b>", "Last 12 months."
    clear = above.filter(pl.col("afr_low") >= CLEARLY * pl.col("rest_afr"))
    named = joined(
        f"{link(inputs, row['model'], 'above')} (at least {percent(row['afr_low'])})"
        for row in (clear.head(MOST_NAMED) if clear.height else above.head(1)).to_dicts()
    )
    if above.height == 1:
        text = f"<b>One of {ranked.height} models fails more often than the rest</b>: {named}."
    else:
        how = "most clearly " if clear.height else ""
        text = (
            f"<b>{above.height} of {ranked.height} models fail more often than the rest</b>, "
            f"{how}{named}."
        )
    shares = [
        100 * int(above[name].sum()) / max(int(ranked[name].sum()), 1)
        for name in ("drives_end", "failures")
    ]
    note = (
        f"Last 12 months. {'They are' if above.height > 1 else 'It is'} {shares[0]:.0f} % of the "
        f"drives and {shares[1]:.0f} % of the failures: {above['excess_failures'].sum():,.0f} more "
        "than at the rate of the rest."
    )
    return text, note


def _which_last(inputs: Inputs) -> tuple[str, str]:
    ranked = inputs.ranked("year")
    best = ranked.filter(pl.col("verdict") == "below").head(MOST_NAMED)
    if ranked.is_empty():
        return "", ""
    if best.is_empty():
        return "<b>No model's rate is below the rest's by more than chance.</b>", "Last 12 months."
    named = joined(
        f"{link(inputs, row['model'], 'below')} (at most {percent(row['afr_high'])})"
        for row in best.to_dicts()
    )
    note = f"Last 12 months, by the upper bound · {number(int(best['drives_end'].sum()))} drives."
    return f"<b>Lowest, and proven so:</b> {named}.", note


def _how_many(inputs: Inputs) -> tuple[str, str]:
    rows = inputs.survival.filter(
        pl.col("kind") == "all",
        pl.col("supported"),
        pl.col("followed") >= FEWEST_AT_RISK,
        pl.col("survival_low").is_not_null(),
        pl.col("age_years").is_in([float(year) for year in range(1, MOST_YEARS + 1)]),
    )
    if rows.is_empty():
        return "", ""
    everyone = rows.row(-1, named=True)
    years = everyone["age_years"]
    words = {1.0: "one year", 2.0: "two years", 3.0: "three years", 4.0: "four years"}
    text = (
        f"<b>Of 100 drives {_failed(everyone, 'survival')} fail within "
        f"{words.get(years, 'five years')}</b>"
    )
    in_service = inputs.rows("model", "quarter").filter(pl.col("drives_end") >= FEWEST_DRIVES)
    models = inputs.survival.filter(
        pl.col("kind") == "model",
        pl.col("age_years") == years,
        pl.col("survival_low").is_not_null(),
        pl.col("followed") >= FEWEST_AT_RISK,
        pl.col("group").is_in(in_service["model"].to_list()),
    )
    if models.height:
        best = models.sort("survival_low", descending=True).row(0, named=True)
        worst = models.sort("survival_high").row(0, named=True)
        if best["survival_low"] > everyone["survival"] > worst["survival_high"]:
            text += (
                f", of {link(inputs, best['group'], 'below')} {_failed(best, 'survival')}, of "
                f"{link(inputs, worst['group'], 'above')} {_failed(worst, 'survival')}"
            )
    note = (
        "If none is taken out before; 95 % interval "
        f"{_failed(everyone, 'survival_high')} - {_failed(everyone, 'survival_low')}. As things "
        f"went, {100 * everyone['failed']:.1f} failed and {100 * everyone['removed']:.1f} were "
        "taken out working."
    )
    return f"{text}.", note


def _failed(row: Mapping[str, Any], name: str) -> str:
    """The share that did not survive, in percent."""
    return f"{100 * (1 - row[name]):.1f}"
