"""Tables of rates beside each other: calendar years, and makers by size."""

from html import escape
from typing import Any

import polars as pl

from backblaze_assets.drive_stats.afr import over_time
from backblaze_assets.drive_stats.publication import PUBLISHED
from backblaze_assets.drive_stats.quarters import quarter_name
from backblaze_assets.report import cells
from backblaze_assets.report.inputs import Inputs
from backblaze_assets.report.text import NOTHING, decimals, number, percent, size, tag

YEARS = 3
"""Calendar years that are compared."""


LEAST_DAYS = 10_000
"""Drive days of a maker's size, for its rate to be said: 27 drives for a year."""


def three_years(inputs: Inputs) -> str:
    """The rates of the last calendar years of each model that is ranked, as published each year."""
    rows = over_time(inputs.tables, "calendar_year").filter(pl.col("kind") == "model")
    periods = sorted(rows["period"].unique())[-YEARS:]
    if len(periods) < 2:
        return ""
    of_year: dict[tuple[str, str], dict[str, Any]] = {
        (row["model"], row["period"]): row
        for row in rows.filter(pl.col("period").is_in(periods)).to_dicts()
    }
    heads = [cells.head("Model", text=True, sorts=False), cells.head("Maker, size", text=True,
             far=True, sorts=False)]  # fmt: skip
    for period in periods:
        over = period == str(inputs.quarter.year) and inputs.quarter.month != 10
        year = f"{period} to {quarter_name(inputs.quarter)[-2:]}" if over else period
        heads += [
            cells.head(f"{year}: drives", mid=True, sorts=False),
            cells.head("failures", far=True, sorts=False),
            cells.head(f"AFR {year}", sorts=False),
            cells.head("from - to, %", far=True, sorts=False),
        ]
    ranked = inputs.ranked("calendar_year")
    body = []
    for model in ranked.iter_rows(named=True):
        line = [
            cells.name(inputs, model),
            cells.cell(
                f"{escape(model['maker'])} {size(model['capacity_tb'])}", text=True, far=True
            ),
        ]
        for period in periods:
            row = of_year.get((model["model"], period))
            # As in the table of that year: with too few drives there is no rate.
            if row is None or row["status"] != PUBLISHED:
                line += [cells.cell(number(row["drives_end"]) if row else NOTHING, mid=True)]
                line += [cells.cell(NOTHING, far=True), cells.cell(NOTHING)]
                line += [cells.cell("", far=True)]
                continue
            line += [
                cells.cell(number(row["drives_end"]), mid=True),
                cells.cell(number(row["failures"]), far=True),
                cells.cell(percent(row["afr"])),
                cells.cell(f"{decimals(row['afr_low'])} - {decimals(row['afr_high'])}", far=True),
            ]
        body.append(tag("tr", "".join(line)))
    return (
        tag("h3", "The last three calendar years" if len(periods) == YEARS else "Calendar years")
        + cells.table("".join(heads), "".join(body))
        + tag(
            "p",
            f"“{NOTHING}”: too few drives for the table of that year, or none.",
            class_="note",
        )
    )


def makers_and_sizes(inputs: Inputs) -> str:
    """Rates over twelve months by maker and size, in one table."""
    rows = inputs.rows("maker_size", "year").drop_nulls("capacity_tb")
    rows = rows.filter(pl.col("drives_end") > 0)
    if rows.is_empty():
        return ""
    sizes = sorted(rows["capacity_tb"].unique())
    makers = rows.group_by("maker").agg(pl.col("drives_end").sum())
    makers = makers.sort("drives_end", "maker", descending=[True, False])
    at = {(row["maker"], row["capacity_tb"]): row for row in rows.to_dicts()}
    heads = cells.head("", sorts=False) + "".join(
        cells.head(size(each), sorts=False) for each in sizes
    )

    def rate(maker: str, terabytes: float) -> str:
        row = at.get((maker, terabytes))
        if row is None:
            return cells.cell("")
        drives = tag("small", f"{number(row['drives_end'])} drives")
        if row["drive_days"] < LEAST_DAYS:
            return cells.cell(f"{NOTHING}<br>{drives}")
        interval = f"{decimals(row['afr_low'])} - {decimals(row['afr_high'])}"
        return tag("td", f"{percent(row['afr'])}<br>{drives}", title=f"95 % interval {interval}")

    body = "".join(
        tag(
            "tr",
            cells.cell(escape(maker), name="name")
            + "".join(rate(maker, terabytes) for terabytes in sizes),
        )
        for maker in makers["maker"]
    )
    return tag("h3", "Failures a year by maker and size, twelve months") + cells.table(heads, body)
