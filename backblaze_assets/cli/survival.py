"""Which models last: the ranking by survival over a span of age, for people and for programs."""

import json
from pathlib import Path
from typing import Literal

import polars as pl

from backblaze_assets.cli.columns import ALWAYS, Column, table_lines, wrapped
from backblaze_assets.drive_stats.models import short_names
from backblaze_assets.drive_stats.parquet import read_table
from backblaze_assets.drive_stats.rates import HOURS_PER_YEAR
from backblaze_assets.drive_stats.survival import STEP_HOURS, ranking
from backblaze_assets.errors import DataError

OLDEST_YEARS = 20
"""No span of age may end later."""


def report(
    path: Path,
    *,
    by: Literal["model", "maker", "size"] = "model",
    from_years: float = 0,
    to_years: float = 5,
    everything: bool = False,
    form: Literal["table", "csv", "json"] = "table",
    width: int | None = None,
) -> str:
    """Groups of drives by the lower bound of their survival; what `survival` prints.

    Args:
        path: the file of `survival` of a quarter.
        by: what a row is of.
        from_years: the span of age begins here, a multiple of 0.25; 0 is from birth.
        to_years: and ends here.
        everything: also those that cannot be ranked, with the reason.
        form: how to print it.
        width: most columns of a line, None for as many as it takes. For tables.

    Raises:
        DataError: there is no such span of age.
    """
    step = STEP_HOURS / HOURS_PER_YEAR
    if not 0 <= from_years < to_years <= OLDEST_YEARS or from_years % step or to_years % step:
        raise DataError(
            f"From {from_years:g} to {to_years:g} years is no span of age: both are multiples of "
            f"{step:g}, the first one is less, and the second at most {OLDEST_YEARS}."
        )
    ranked = ranking(read_table(path), by, from_years, to_years)
    shown = ranked if everything else ranked.filter(pl.col("rank").is_not_null())
    if form == "json":
        return json.dumps(shown.to_dicts(), indent=1)
    if form == "csv":
        return shown.write_csv().rstrip("\n")
    names = short_names(shown["group"].to_list()) if by == "model" else {}
    keys = [
        Column("", lambda row: f"{row['rank'] or ''}", 6),
        Column(by, lambda row: names.get(row["group"], row["group"]), ALWAYS, left=True),
    ]
    figures = [
        Column("survive %", lambda row: _share(row["survival"]), ALWAYS),
        Column(
            "95 % interval",
            lambda row: (
                f"{_share(row['survival_low'])} - {_share(row['survival_high'])}"
                if row["rank"]
                else row["why_not"]
            ),
            8,
        ),
        Column("least followed", lambda row: f"{row['least_at_risk'] or '–'}", 2),
    ]
    since = f"of drives that reached {from_years:g} years" if from_years else "from birth"
    title = f"Survival to {to_years:g} years, {since}, if none is taken out before"
    left_out = ranked.height - shown.height
    note = "By the lower bound of the interval. Not ranked is not bad." + (
        f" {left_out} are not ranked; --all says why." if left_out else ""
    )
    lines = table_lines(keys, figures, shown.to_dicts(), [], width)
    return "\n".join([*wrapped(title, width), "", *lines, "", *wrapped(note, width)])


def _share(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f}"
