"""Tables of rates beside each other, read back from the page."""

import re
from dataclasses import replace
from datetime import date

import polars as pl

from backblaze_assets.report.rates import LEAST_DAYS, makers_and_sizes, three_years
from backblaze_assets.report.text import decimals


def lines(html):
    """The text of each cell of each row."""
    return [
        [re.sub("<[^>]*>", " ", cell).replace("\u202f", " ").split()
         for cell in re.findall(r"<t[dh].*?</t[dh]>", row)]
        for row in re.findall(r"<tr.*?</tr>", html)
    ]  # fmt: skip


def test_calendar_years_stand_beside_each_other(inputs):
    heads, *rows = lines(three_years(inputs))
    assert [" ".join(head) for head in heads if head[0] == "AFR"] == ["AFR 2013", "AFR 2014 to Q2"]
    ends = {date(2013, 10, 1): 4, max(inputs.tables): 8}
    ranked = inputs.ranked("calendar_year")
    assert len(rows) == ranked.height > 2
    told = 0
    for model, row in zip(ranked["model"], rows, strict=True):
        for quarter, place in ends.items():
            table = inputs.rows("model", "calendar_year", quarter)
            found = table.filter(pl.col("model") == model, pl.col("status") == "published")
            expected = [decimals(found["afr"][0]), "%"] if found.height else ["–"]
            assert row[place] == expected
            told += found.height
    assert told > ranked.height


def test_one_year_is_no_comparison(inputs):
    newest = {quarter: table for quarter, table in inputs.tables.items() if quarter.year == 2014}
    assert three_years(replace(inputs, tables=newest)) == ""


def test_makers_by_size_say_a_rate_where_there_are_days_for_one(inputs):
    middle = sorted(inputs.rows("maker_size", "year")["drive_days"])[1]
    more = pl.col("drive_days") * LEAST_DAYS // middle
    inputs = replace(inputs, tables={inputs.quarter: inputs.newest.with_columns(drive_days=more)})
    heads, *rows = lines(makers_and_sizes(inputs))
    table = inputs.rows("maker_size", "year").filter(pl.col("drives_end") > 0)
    cells = {(row[0][0], " ".join(heads[place])): row[place]
             for row in rows for place in range(1, len(heads)) if row[place]}  # fmt: skip
    assert len(cells) == table.height > 3
    few = 0
    for row in table.to_dicts():
        cell = cells[row["maker"], f"{row['capacity_tb']:g} TB"]
        enough = row["drive_days"] >= LEAST_DAYS
        few += not enough
        assert cell[0] == (decimals(row["afr"]) if enough else "–")
        assert cell[-2:] == [f"{row['drives_end']:,}", "drives"]
    assert 0 < few < table.height
