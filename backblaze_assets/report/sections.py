"""The sections of the page, each as HTML from the tables."""

from collections.abc import Mapping
from html import escape
from typing import Any

import polars as pl

from backblaze_assets.drive_stats.afr import SURE, came_and_went, changes, totals
from backblaze_assets.drive_stats.publication import (
    BOOT,
    RETIRED,
    TOO_SMALL,
    Window,
    rule_for,
)
from backblaze_assets.drive_stats.published import KNOWN, MATCH, by_period
from backblaze_assets.drive_stats.quarters import quarter_name
from backblaze_assets.report import cells, compare
from backblaze_assets.report.drawing import (
    axis,
    axis_end,
    dot_and_interval,
    sparkline,
)
from backblaze_assets.report.inputs import WINDOW_NAMES, Inputs
from backblaze_assets.report.sentences import link
from backblaze_assets.report.text import (
    NOTHING,
    decimals,
    number,
    percent,
    size,
    tag,
)


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
        cells.head("Model", text=True),
        cells.head("Maker", text=True, far=True),
        cells.head("TB", mid=True),
        cells.head("Drives in service", mid=True),
        cells.head("Mean age, months", far=True),
        cells.head("Failures", mid=True),
        cells.head("AFR"),
        f'<th class="plot" scope="col">95 % interval{axis(end)}</th>',
        cells.head("from - to, %", far=True, sorts=False),
        *([cells.head("For its age", far=True)] if window == "year" else []),
        cells.head("12-month rate", far=True, sorts=False),
    ]
    rows = "".join(
        tag(
            "tr",
            "".join(
                [
                    compare.tick(inputs, row["model"]),
                    cells.name(inputs, row),
                    cells.cell(escape(row["maker"]), text=True, far=True),
                    cells.cell(f"{row['capacity_tb'] or 0:g}", mid=True),
                    cells.cell(number(row["drives_end"]), value=row["drives_end"], mid=True),
                    cells.cell(
                        cells.months(row["mean_age_months"]), far=True, value=row["mean_age_months"]
                    ),
                    cells.cell(number(row["failures"]), value=row["failures"], mid=True),
                    cells.cell(percent(row["afr"]), value=row["afr"], name="rate"),
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
                    cells.cell(
                        f"{decimals(row['afr_low'])} - {decimals(row['afr_high'])}", far=True
                    ),
                    *([_for_its_age(inputs, row["model"])] if window == "year" else []),
                    cells.cell(
                        sparkline(compare.rates_of(inputs, "model", row["group"])), far=True
                    ),
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
        cells.head("Model", text=True, sorts=False),
        cells.head("Maker, size", text=True, mid=True, sorts=False),
        cells.head("Drives", mid=True, sorts=False),
        cells.head("AFR", sorts=False),
        cells.head("Times the rest", sorts=False),
        cells.head("For its age", mid=True, sorts=False),
        cells.head("Excess failures", text=True, sorts=False),
        cells.head("On the list since", mid=True, sorts=False),
        cells.head("12-month rate", far=True, sorts=False),
    ]
    rows = "".join(
        tag(
            "tr",
            "".join(
                [
                    cells.name(inputs, row),
                    cells.cell(
                        f"{escape(row['maker'])} {size(row['capacity_tb'])}", text=True, mid=True
                    ),
                    cells.cell(number(row["drives_end"]), mid=True),
                    cells.cell(percent(row["afr"]), name="rate"),
                    cells.cell(_times_the_rest(row)),
                    _for_its_age(inputs, row["model"], mid=True, watched=True),
                    cells.cell(
                        tag(
                            "span",
                            class_="bar",
                            style=f"width:{max(7 * row['excess_failures'] / most, 0.2):.2f}vw",
                        )
                        + f"+{row['excess_failures']:,.0f}",
                        text=True,
                    ),
                    cells.cell(since[row["model"]], mid=True),
                    cells.cell(
                        sparkline(compare.rates_of(inputs, "model", row["group"])), far=True
                    ),
                ]
            ),
            class_="above",
        )
        for row in above.to_dicts()
    )
    return (
        "<p>Models whose rate of the last 12 months is above that of all others beyond chance, by "
        "the failures above what the rest's rate would give.</p>"
        + cells.table("".join(heads), rows)
        + tag(
            "p",
            f"With {ranked.height} models about {0.025 * ranked.height:.1f} would stand here by "
            "chance alone. In brackets: at least. For its age: failures over those that other "
            "models' drives of the same age would have had; “old” where a model is on this list "
            "only because the others are younger.",
            class_="note",
        )
    )


def _times_the_rest(row: Mapping[str, Any]) -> str:
    """How many times the rate of the rest a model's is, and at least."""
    if row["times_the_rest"] is None:
        return f"{NOTHING} <small>(the rest: no failure)</small>"
    at_least = row["afr_low"] / row["rest_afr"]
    return f"{row['times_the_rest']:.1f} <small>(≥ {at_least:.1f})</small>"


def _for_its_age(inputs: Inputs, model: str, *, mid: bool = False, watched: bool = False) -> str:
    """How often a model failed beside others of the same age; `old` where that acquits it."""
    row = inputs.for_its_age.get(model)
    if row is None:
        return cells.cell(NOTHING, far=not mid, mid=mid, value=None)
    old = " <small>old</small>" if watched and row["verdict"] != "above" else ""
    colour = row["verdict"] if row["verdict"] in ("above", "below") else ""
    said = f"{row['for_its_age']:.2f}{old}"
    return cells.cell(said, far=not mid, mid=mid, name=colour, value=row["for_its_age"])


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
        parts.append(tag("h3", "Rates") + (cells.items(items) if items else tag("p", none)))
        if items:
            parts.append(
                tag(
                    "p",
                    f"{len(items)} of {tested} models that had a failure changed by more than "
                    "chance, as judged for all of them together.",
                    class_="note",
                )
            )
    now = inputs.total("quarter")
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
    return "".join([*parts, tag("h3", "Drives"), cells.items(lines)])


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
            cells.cell(f"{quarter_name(row['period'])} {row['window']}", text=True)
            + cells.cell(
                f"{row['models']} of {row['models_published']}"
                if row["models_published"]
                else NOTHING,
                mid=True,
            )
            + "".join(
                cells.cell(number(row[name]), far=True)
                for figure in ("drive_days", "failures")
                for name in (figure, f"{figure}_published")
            )
            + cells.cell(percent(row["afr"]))
            + cells.cell(percent(row["afr_published"]))
            + cells.cell(
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
            cells.head("Table", text=True, sorts=False),
            cells.head("Models", mid=True, sorts=False),
            cells.head("Drive days", far=True, sorts=False),
            cells.head("published", far=True, sorts=False),
            cells.head("Failures", far=True, sorts=False),
            cells.head("published", far=True, sorts=False),
            cells.head("AFR", sorts=False),
            cells.head("published", sorts=False),
            cells.head("", text=True, sorts=False),
        ]
    )
    return tag("p", first) + cells.table(heads, rows)


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
        + cells.facts(found)
        + tag("h3", "How it is computed")
        + method
        + tag("h3", "Where it comes from")
        + cells.facts(inputs.provenance)
        + '<p class="note">Data by Backblaze.</p>'
    )


def _missing_quarters(inputs: Inputs) -> list[Any]:
    known = sorted(inputs.tables)
    return [
        quarter
        for quarter in pl.date_range(known[0], known[-1], "3mo", eager=True).to_list()
        if quarter not in inputs.tables
    ]
