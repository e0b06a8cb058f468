"""The failure rates that Backblaze published, as far as we have them, and how ours compare."""

import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl

from backblaze_assets.drive_stats.models import display_model
from backblaze_assets.drive_stats.publication import (
    AGE_IN_YEARS_UNTIL,
    AGES_VERIFIED_UNTIL,
    PUBLISHED,
    Window,
    rule_for,
)
from backblaze_assets.drive_stats.quarters import quarter_name
from backblaze_assets.drive_stats.rates import afr_interval, afr_percent

_FILE = Path(__file__).with_name("published.csv")

_SCHEMA = pl.Schema(
    {
        "period": pl.Date(),
        "window": pl.String(),
        "maker": pl.String(),
        "model": pl.String(),
        "capacity_tb": pl.Float64(),
        "drives": pl.Int64(),
        "drive_days": pl.Int64(),
        "failures": pl.Int64(),
        "afr": pl.String(),
        "afr_low": pl.String(),
        "afr_high": pl.String(),
        "mean_age": pl.String(),
        "age_unit": pl.String(),
        "count_basis": pl.String(),
        "complete": pl.Boolean(),
        "status": pl.String(),
        "source": pl.String(),
    }
)

ALL_MODELS = "ALL"
"""In the place of the model: all models of a table together."""

DERIVED = "derived"
"""Computed by others from the raw data, never published by Backblaze."""

MATCH = "match"
KNOWN = "known difference"
DIFFERS = "differs"
MISSING = "missing here"
NOT_PUBLISHED = "not published"

_COUNTS = ("drives", "drive_days", "failures")
_PRINTED = ("afr", "afr_low", "afr_high", "mean_age")
FIGURES = (*_COUNTS, *_PRINTED)
"""What is compared."""

RECONCILED_SCHEMA = pl.Schema(
    {
        "period": pl.Date(),
        "window": pl.String(),
        "status": pl.String(),
        "complete": pl.Boolean(),
        "maker": pl.String(),
        "model": pl.String(),
        "count_basis": pl.String(),
        "age_unit": pl.String(),
        **{
            f"{name}{suffix}": pl.Int64() if name in _COUNTS else pl.Float64()
            for name in FIGURES
            for suffix in ("", "_published", "_difference")
        },
        "verdict": pl.String(),
        "reason": pl.String(),
    }
)
"""Of `reconcile`.

- period: first day of the quarter that the table is of, or that its year or history ends with.
- status: `published`, or `derived` for figures that others computed from the raw data.
- complete: whether we have all rows of the published table.
- model: without its maker; `ALL` for all models of the table together.
- count_basis: whether drives are those at the `end` or all `seen`; age_unit: years or months.
- each of `FIGURES`: ours, theirs (`_published`), ours less theirs (`_difference`).
- verdict: `match` when all figures that are published are equal, rates, bounds and ages when
  rounded as there; `known difference`, with its `reason`; `differs`; `missing here` when we have
  no such model; `not published` when ours is shown under the published rule, but not in a
  complete table. Ages are judged only where the way they are computed is known.
"""


@dataclass(frozen=True)
class KnownDifference:
    """A difference between published figures and the raw data that is understood.

    Attributes:
        reason: why, for people.
        since: first quarter; until: last one.
        models: whether it may be in rows of models; else in those of `ALL_MODELS` only.
        drives: how many more drives the data may have.
        rate: how far the rates may be apart, in points.
        exactly: the only differences that it explains, by figure, where these are known.
    """

    reason: str
    since: date
    until: date
    models: bool = True
    drives: int = 0
    rate: float = 0.0
    exactly: Mapping[str, int] | None = None

    def explains(self, row: Mapping[str, Any]) -> bool:
        """Whether it accounts for all differences of a row of `reconcile`.

        A model that is not published is explained when it has few enough drives to be left out.
        """
        if not self.since <= row["period"] <= self.until:
            return False
        if not self.models and row["model"] != ALL_MODELS:
            return False
        if row["verdict"] == NOT_PUBLISHED:
            return bool(0 < row["drives"] <= self.drives)
        more = {name: row[f"{name}_difference"] or 0 for name in _COUNTS}
        if self.exactly is not None:
            return all(more[name] in (0, self.exactly.get(name, 0)) for name in _COUNTS)
        days = {"quarter": 92, "year": 366}.get(row["window"], 366 * 20)
        counted = [row[f"{name}_difference"] is not None for name in _COUNTS]
        if any(counted) and not any(more.values()):
            return False  # more drives are not what makes it differ
        if not any(counted) and row["afr_difference"] is None:
            return False  # nothing tells how many more there are
        return (
            0 <= more["drives"] <= self.drives
            and 0 <= more["drive_days"] <= self.drives * days
            and 0 <= more["failures"] <= self.drives
            and abs(row["afr_difference"] or 0) <= self.rate + 1e-9
        )


KNOWN_DIFFERENCES = (
    KnownDifference(
        "the sum printed for 2018 is 100 drive days more than its rows",
        date(2018, 10, 1),
        date(2018, 10, 1),
        models=False,
        exactly={"drive_days": -100},
    ),
    KnownDifference(
        "the post on 2026-Q2 says 1,498 failures, the data 1,516; no rule makes them agree",
        date(2026, 4, 1),
        date(2026, 4, 1),
        models=False,
        exactly={"failures": 18},
    ),
    KnownDifference(
        "drives that were once over their temperature limit are left out, which is not in the data",
        date(2024, 1, 1),
        date(2024, 10, 1),
        drives=490,
        rate=0.05,
    ),
    KnownDifference(
        "drives under test are left out, which nothing in the data marks",
        date(2013, 4, 1),
        date(9999, 10, 1),
        drives=60,
        rate=0.02,
    ),
)
"""Tried in this order. How many drives and how much of a rate: 275 drives over temperature in
2024-Q1 and 490 left out in all in Q2; 0 to 60 drives and 0.01 to 0.02 points are what others found
where only drives under test are missing (2022-Q3: 226,369 for 226,309)."""


def published() -> pl.DataFrame:
    """All rows of models that we have of published tables, and rows derived from raw data.

    `period` is the first day of the quarter that the table is of, or that its year or history
    ends with; `window` says which. `model` is without its maker. `complete` says whether we have
    all rows of the table. `drives` counts the drives at the `end`, or all `seen`, as
    `count_basis` says. `mean_age` is in `age_unit`. Figures that the source does not have are
    null; `afr_unit`, `afr_low_unit`, `afr_high_unit` and `mean_age_unit` are the last decimals to
    which they are given. `status` is `published`, or `derived` for what was never published.
    `source` says where the row is from.
    """
    return _rows().filter(pl.col("model") != ALL_MODELS)


def published_totals() -> pl.DataFrame:
    """What was published of all models of a table together; columns as of `published`."""
    return _rows().filter(pl.col("model") == ALL_MODELS)


@cache
def _rows() -> pl.DataFrame:
    decimals = {
        name: pl.col(name).str.len_chars()
        - pl.col(name).str.find(".", literal=True).fill_null(pl.col(name).str.len_chars() - 1)
        - 1
        for name in _PRINTED
    }
    return pl.read_csv(_FILE, schema=_SCHEMA).with_columns(
        *(pl.col(name).cast(pl.Float64) for name in _PRINTED),
        **{
            f"{name}_unit": pl.lit(10.0).pow(-places.cast(pl.Int64))
            for name, places in decimals.items()
        },
    )


def known_tables() -> list[tuple[date, Window]]:
    """Period and window of each table of which we have anything, in the order of time."""
    return sorted(set(_rows().select("period", "window").iter_rows()))


def reconcile(tables: Mapping[date, pl.DataFrame]) -> pl.DataFrame:
    """Our figures beside the published ones, model by model and for all together.

    Args:
        tables: `afr_table` of each quarter, made from real data.

    Returns:
        Columns `RECONCILED_SCHEMA`; tables in the order of time, models by maker and name, all
        together last. Nothing for quarters of which nothing is known to be published.
    """
    pieces = [
        compare(tables[period], period, window)
        for period, window in known_tables()
        if period in tables
    ]
    return pl.concat(pieces) if pieces else RECONCILED_SCHEMA.to_frame()


def compare(table: pl.DataFrame, quarter: date, window: Window) -> pl.DataFrame:
    """`reconcile` for one table.

    Models are matched by name without the maker.

    Args:
        table: what `afr_table` made of `quarter`.
        quarter: its first day.
        window: which window to compare.
    """
    wanted = (pl.col("period") == quarter) & (pl.col("window") == window)
    theirs, printed = published().filter(wanted), published_totals().filter(wanted)
    if theirs.is_empty() and printed.is_empty():
        return RECONCILED_SCHEMA.to_frame()
    shown = theirs.filter(pl.col("status") == PUBLISHED)
    complete = bool(shown.height) and bool(shown["complete"].all())
    if complete:
        printed = _completed(printed, shown)
    ours = _ours(table, quarter, window)
    rows = pl.concat([theirs, printed]).with_columns(there=pl.lit(value=True))
    both = ours.join(
        rows.rename({"drives": "drives_published"}),
        on="model",
        how="full",
        suffix="_published",
        coalesce=True,
    ).filter(pl.col("there") | (pl.col("in_table") & complete & (pl.col("model") != ALL_MODELS)))
    default = rule_for(quarter, window).counted
    return _judged(
        both.with_columns(
            period=pl.lit(quarter),
            window=pl.lit(window),
            status=pl.col("status").fill_null(PUBLISHED),
            complete=pl.lit(complete),
            maker=pl.coalesce("maker_published", "maker"),
            count_basis=pl.col("count_basis").fill_null(_first(shown["count_basis"]) or default),
            age_unit=pl.lit("years" if quarter <= AGE_IN_YEARS_UNTIL else "months"),
        )
        .with_columns(
            drives=pl.when(pl.col("count_basis") == "seen")
            .then("drives_seen")
            .otherwise("drives_end")
        )
        .sort(pl.col("model") == ALL_MODELS, "maker", "model")
    )


def by_period(reconciled: pl.DataFrame) -> pl.DataFrame:
    """One row for each table of `reconcile`.

    Returns:
        period, window, complete, models and models_published (rows of models that are there and
        here), rows that match, are a known difference, or differ (`matching`, `known`,
        `differing`, the last with those that only one side has), figures derived by others that
        differ (`derived_differing`), drive_days, failures and afr of all together, ours and
        theirs (null where not published), the reasons of known differences, and the verdict:
        `match` when all published rows do, `differs` when one does, else `known difference`.
    """
    is_total = pl.col("model") == ALL_MODELS
    real = pl.col("status") == PUBLISHED
    bad = pl.col("verdict").is_in([DIFFERS, MISSING, NOT_PUBLISHED])

    def count(condition: pl.Expr) -> pl.Expr:
        return condition.sum().cast(pl.Int64)

    return (
        reconciled.group_by("period", "window", maintain_order=True)
        .agg(
            pl.col("complete").first(),
            models=count(~is_total & real & pl.col("drive_days").is_not_null()),
            models_published=count(~is_total & real & (pl.col("verdict") != NOT_PUBLISHED)),
            matching=count(real & (pl.col("verdict") == MATCH)),
            known=count(real & (pl.col("verdict") == KNOWN)),
            differing=count(real & bad),
            derived_differing=count(~real & bad),
            **{
                f"{name}{suffix}": pl.col(f"{name}{suffix}").filter(is_total).first()
                for name in ("drive_days", "failures", "afr")
                for suffix in ("", "_published")
            },
            reasons=pl.col("reason").drop_nulls().unique(maintain_order=True),
        )
        .with_columns(
            reasons=pl.col("reasons").list.join("; "),
            verdict=pl.when(pl.col("differing") > 0)
            .then(pl.lit(DIFFERS))
            .when(pl.col("known") > 0)
            .then(pl.lit(KNOWN))
            .when(pl.col("matching") > 0)
            .then(pl.lit(MATCH)),
        )
    )


def as_text(reconciled: pl.DataFrame, *, every_model: bool = False) -> str:
    """`reconcile` for people, at most 80 columns wide.

    A line for each table, ours beside theirs, and below it what does not match.

    Args:
        reconciled: what `reconcile` gives.
        every_model: list models that match, too.
    """
    if reconciled.is_empty():
        return "No published table is known of these quarters."
    lines = [
        f"{'':17} {'models':^7} {'drive days':^25}  {'failures':^13}  {'AFR %':^11}",
        f"{'table':17} {'our/pub':>7} {'ours':>12} {'published':>12}  {'ours':>6} {'publ.':>6}"
        f"  {'ours':>5} {'publ.':>5}",
    ]
    for table in by_period(reconciled).iter_rows(named=True):
        rows = reconciled.filter(
            pl.col("period") == table["period"], pl.col("window") == table["window"]
        )
        lines.append(
            f"{_table_name(table['period'], table['window']):17} "
            f"{table['models']:>3}/{table['models_published']:<3} "
            f"{_number(table['drive_days']):>12} {_number(table['drive_days_published']):>12}  "
            f"{_number(table['failures']):>6} {_number(table['failures_published']):>6}  "
            f"{_rate(table['afr']):>5} {_rate(table['afr_published']):>5}"
        )
        lines.append(f"  {_verdict_line(table)}")
        for row in rows.iter_rows(named=True):
            if every_model or row["verdict"] != MATCH:
                lines += _model_lines(row)
    return "\n".join(lines)


def _table_name(period: date, window: str) -> str:
    """How a table is called: `2018`, `2026-Q1`, `2026-Q1 lifetime`."""
    if window == "year":
        return str(period.year)
    return quarter_name(period) + (" lifetime" if window == "lifetime" else "")


def _verdict_line(table: Mapping[str, Any]) -> str:
    rows = table["matching"] + table["known"] + table["differing"]
    parts = [f"{table['matching']} of {rows} rows agree" if rows else "no row was published"]
    for figure, end in (
        ("known", " for a known reason"),
        ("differing", ""),
        ("derived_differing", " of those that others derived"),
    ):
        if table[figure]:
            parts.append(f"{table[figure]} {'differs' if table[figure] == 1 else 'differ'}{end}")
    return ", ".join(parts) + ("" if table["complete"] else " (the table is known in part)")


_NAMES = {
    "drives": "drives",
    "drive_days": "drive days",
    "failures": "failures",
    "afr": "AFR",
    "afr_low": "lower bound",
    "afr_high": "upper bound",
    "mean_age": "age",
}


def _model_lines(row: Mapping[str, Any]) -> list[str]:
    """One row of `reconcile` in lines of at most 80 characters."""
    pairs = [
        f"{_NAMES[name]} {_figure(name, row[name])} for {_as_is(row[f'{name}_published'])}"
        for name in FIGURES
        if row[f"{name}_difference"]
        and _figure(name, row[name]) != _figure(name, row[f"{name}_published"])
    ]
    derived = " (derived)" if row["status"] == DERIVED else ""
    reason = f": {row['reason']}" if row["reason"] else ""
    text = f"{row['model']}{derived} {row['verdict']}{reason}{'; ' if pairs else ''}"
    return textwrap.wrap(
        text + ", ".join(pairs), 80, initial_indent="    ", subsequent_indent="      "
    )


def _figure(name: str, value: float | None) -> str:
    return _number(int(value)) if name in _COUNTS and value is not None else _rate(value)


def _as_is(value: float) -> str:
    """A published figure with the decimals that it has."""
    return f"{value:,}" if isinstance(value, int) else f"{value:g}"


def _number(value: int | None) -> str:
    return "–" if value is None else f"{value:,}"


def _rate(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def _first(values: pl.Series) -> str | None:
    known = values.drop_nulls()
    return str(known[0]) if known.len() else None


def _completed(printed: pl.DataFrame, shown: pl.DataFrame) -> pl.DataFrame:
    """The printed total of a complete table; what is not printed, as its rows add up to it."""
    sums = {
        name: int(shown[name].sum()) if shown[name].null_count() == 0 else None for name in _COUNTS
    }
    if printed.is_empty():
        empty = pl.DataFrame(schema=printed.schema).clear(1)
        printed = empty.with_columns(
            shown["period"][:1],
            shown["window"][:1],
            model=pl.lit(ALL_MODELS),
            status=pl.lit(PUBLISHED),
            complete=pl.lit(value=True),
        )
    return printed.with_columns(
        pl.col(name).fill_null(pl.lit(value, pl.Int64)) for name, value in sums.items()
    ).cast(printed.schema)


def _ours(table: pl.DataFrame, quarter: date, window: Window) -> pl.DataFrame:
    """Our models, named without the maker, those of one name added up; `ALL_MODELS` last.

    Returns:
        model, maker, drives_end, drives_seen, drive_days, failures, afr, afr_low, afr_high,
        mean_age and in_table: whether the rule of the time shows the model.
    """
    models = table.filter(pl.col("kind") == "model")
    rows = models.filter(pl.col("window") == window)
    if window == "lifetime":  # whose drives are those of the quarter
        counts = models.filter(pl.col("window") == "quarter").select("model", "drives_seen")
        rows = rows.drop("drives_seen").join(counts, on="model", how="left")
    months = pl.col("mean_age_months") * pl.col("drives_end")
    sums = [
        pl.col("drives_end", "drives_seen", "drive_days", "failures", "months").sum(),
        (pl.col("status") == PUBLISHED).any().alias("in_table"),
    ]
    named = rows.with_columns(
        model=rows["model"].map_elements(display_model, return_dtype=pl.String), months=months
    )
    total = named.filter(pl.col("status") == PUBLISHED).select(
        *sums, model=pl.lit(ALL_MODELS), maker=pl.lit(None, pl.String)
    )
    added = named.group_by("model").agg(*sums, pl.col("maker").first())
    known = total.filter("in_table").select(added.columns)  # none where no model is shown
    together = pl.concat([added, known])
    bounds = afr_interval(together["failures"])
    days = pl.col("drive_days")
    return together.hstack(bounds).select(
        "model",
        "maker",
        "drives_end",
        "drives_seen",
        "drive_days",
        "failures",
        "in_table",
        afr=afr_percent(pl.col("failures"), days),
        afr_low=afr_percent(pl.col("low"), days),
        afr_high=afr_percent(pl.col("high"), days),
        mean_age=pl.when(pl.col("drives_end") > 0).then(pl.col("months") / pl.col("drives_end"))
        / (12 if quarter <= AGE_IN_YEARS_UNTIL else 1),
    )


def _judged(both: pl.DataFrame) -> pl.DataFrame:
    """`both` with differences, verdicts and reasons."""
    both = both.with_columns(
        **{f"{name}_difference": pl.col(name) - pl.col(f"{name}_published") for name in FIGURES}
    )
    alike = pl.all_horizontal(pl.col(f"{name}_difference").fill_null(0) == 0 for name in _COUNTS)
    ages_known = pl.col("period") <= AGES_VERIFIED_UNTIL
    for name in _PRINTED:
        rounded = pl.col(f"{name}_difference").abs() <= pl.col(f"{name}_unit") / 2 + 1e-9
        missing = pl.col(f"{name}_difference").is_null()
        alike &= rounded | missing | (~ages_known if name == "mean_age" else pl.lit(value=False))
    verdict = (
        pl.when(pl.col("there").is_null())
        .then(pl.lit(NOT_PUBLISHED))
        .when(pl.col("drive_days").is_null())
        .then(pl.lit(MISSING))
        .when(alike)
        .then(pl.lit(MATCH))
        .otherwise(pl.lit(DIFFERS))
    )
    both = both.with_columns(verdict=verdict)
    reasons = [
        next((known.reason for known in KNOWN_DIFFERENCES if known.explains(row)), None)
        if row["verdict"] in (DIFFERS, NOT_PUBLISHED)
        else None
        for row in both.iter_rows(named=True)
    ]
    return (
        both.with_columns(reason=pl.Series(reasons, dtype=pl.String))
        .with_columns(
            verdict=pl.when(pl.col("reason").is_not_null()).then(pl.lit(KNOWN)).otherwise("verdict")
        )
        .select(RECONCILED_SCHEMA.names())
        .cast(RECONCILED_SCHEMA)
    )
