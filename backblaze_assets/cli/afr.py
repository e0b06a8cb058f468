"""Failure rates for people and for programs: tables for the terminal, CSV, JSON."""

import json
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any, Literal

import polars as pl

from backblaze_assets.cli.columns import ALWAYS, Column, table_lines, wrapped
from backblaze_assets.drive_stats.afr import (
    WINDOWS,
    against_the_rest,
    changes,
    over_time,
    period_name,
    totals,
)
from backblaze_assets.drive_stats.models import display_model, short_names
from backblaze_assets.drive_stats.parquet import read_table
from backblaze_assets.drive_stats.publication import (
    AGE_IN_YEARS_UNTIL,
    BOOT,
    PUBLISHED,
    RETIRED,
    TOO_SMALL,
    Counted,
    Window,
    adjusted,
    rule_for,
    with_status,
)
from backblaze_assets.drive_stats.quarters import next_quarter, quarter_name
from backblaze_assets.errors import DataError, no_such

By = Literal["model", "maker", "size", "maker_size", "all"]
Form = Literal["table", "csv", "json"]

SORTS = {
    "model": ("maker", "model"),
    "maker": ("maker", "model"),
    "size": ("capacity_tb", "maker", "model"),
    "drives": ("drives_end",),
    "days": ("drive_days",),
    "failures": ("failures",),
    "afr": ("afr",),
    "low": ("afr_low",),
    "high": ("afr_high",),
    "age": ("mean_age_months",),
}
"""What tables can be sorted by: names rise, figures fall."""

NOTHING = "–"
"""Stands where there is no figure, or a bound that says nothing."""

_COLUMNS = (
    "maker",
    "model",
    "capacity_tb",
    "drives_end",
    "drives_seen",
    "drives_added",
    "drives_failed",
    "drives_removed",
    "drive_days",
    "failures",
    "afr",
    "afr_low",
    "afr_high",
    "mean_age_months",
    "mean_age_of_failed_months",
    "status",
)
_KEYS: dict[str, tuple[str, ...]] = {
    "model": ("maker", "model", "capacity_tb"),
    "maker": ("maker",),
    "size": ("capacity_tb",),
    "maker_size": ("maker", "capacity_tb"),
    "all": (),
}


def report(
    paths: Mapping[date, Path],
    quarter: date,
    *,
    window: Window = "quarter",
    by: By = "model",
    model: str | None = None,
    maker: str | None = None,
    sort: str | None = None,
    since: date | None = None,
    everything: bool = False,
    boot: bool = False,
    min_drives: int | None = None,
    min_days: int | None = None,
    counted: Counted | None = None,
    lists: bool = False,
    form: Form = "table",
    width: int | None = None,
) -> str:
    """The failure rates of a quarter as text; what `backblaze-assets afr` prints.

    Args:
        paths: the files of `afr_table`, by quarter; those that are needed are read.
        quarter: the last quarter of the window.
        window: what the rates are over.
        by: what a row is of.
        model: only models whose name contains this, those that a published table leaves out too.
        maker: only this maker.
        sort: one of `SORTS`.
        since: also this quarter and those after it, up to `quarter`: a series.
        everything: every model, and not only those that the published rule of the time shows.
        boot: boot drives, in place of data drives.
        min_drives: another threshold than that of the time: fewest drives.
        min_days: likewise, fewest drive days.
        counted: likewise, whether drives are those at the `end` or all that were `seen`.
        lists: below a table of models, name those without a failure, and those whose rate is above
            that of the rest by more than chance.
        form: how to print it.
        width: most columns of a line, None for as many as it takes. For tables.

    Raises:
        DataError: there is no such quarter, model, maker, or order; it names the nearest ones.
    """
    tables = _tables(paths, quarter, since, min_drives, min_days, counted)
    rows = over_time(tables, window)
    wanted = select(
        rows, by=by, model=model, maker=maker, sort=sort, everything=everything, boot=boot
    )
    if form != "table":
        left_out = {"model", "capacity_tb", "maker", "status"} - {*_KEYS[by]}
        if by == "model":
            left_out.remove("status")
        columns = [name for name in _COLUMNS if name not in left_out]
        found = wanted.select(["period", *columns] if since else columns)
        return as_json(found) if form == "json" else as_csv(found)
    heading = title(quarter, window, since, boot=boot)
    if since:
        return as_series(wanted, heading, by=by, quarter=quarter, width=width)
    feet = totals(wanted).with_columns(status=pl.lit("all"))
    if by == "model" and not model and not boot:
        feet = totals(_of_maker(rows.filter(pl.col("kind") == "model"), maker), "status")
    elif wanted.height < 2:
        feet = feet.clear()
    in_years = quarter <= AGE_IN_YEARS_UNTIL
    text = as_table(wanted, heading, feet, ages_in_years=in_years, width=width)
    return f"{text}\n\n{as_lists(wanted, width)}" if lists and by == "model" else text


def changes_report(
    paths: Mapping[date, Path],
    quarter: date,
    *,
    against: Literal["quarter", "year"] = "quarter",
    by: By = "model",
    width: int | None = None,
) -> str:
    """How the rates of a quarter differ from the quarter or the year before, as text.

    Args:
        paths: the files of `afr_table`, by quarter; two are read.
        quarter: the newer quarter.
        against: compare it with the quarter before, or with the same quarter of the year before.
        by: what is compared; of models, those that the published rule of the time shows.
        width: most columns of a line, None for as many as it takes.

    Raises:
        DataError: one of the two quarters is not there.
    """
    earlier = quarter.replace(year=quarter.year - 1)
    if against == "quarter":
        earlier = next_quarter(next_quarter(next_quarter(earlier)))
    tables = {each: _tables(paths, each)[each] for each in (earlier, quarter)}
    rows = {
        each: table.filter(pl.col("window") == "quarter", pl.col("kind") == by)
        for each, table in tables.items()
    }
    now = rows[quarter]
    if by == "model":
        now = now.filter(pl.col("status") == PUBLISHED)
    return as_changes(now, rows[earlier], quarter, earlier, width)


def _tables(
    paths: Mapping[date, Path],
    quarter: date,
    since: date | None = None,
    min_drives: int | None = None,
    min_days: int | None = None,
    counted: Counted | None = None,
) -> dict[date, pl.DataFrame]:
    """`afr_table` of the quarters from `since` to `quarter`, judged by the rules asked for."""
    if quarter not in paths:
        raise no_such("quarter", quarter_name(quarter), map(quarter_name, paths))
    if since and since > quarter:
        raise DataError(
            f"{quarter_name(since)} is after {quarter_name(quarter)}: begin with an earlier one."
        )
    tables = {}
    for each in sorted(paths):
        if not (since or quarter) <= each <= quarter:
            continue
        table = read_table(paths[each])
        rules = {
            window: adjusted(
                rule_for(each, window), min_drives=min_drives, min_days=min_days, counted=counted
            )
            for window in WINDOWS
        }
        is_model = pl.col("kind") == "model"
        judged = with_status(table.filter(is_model), rules)
        tables[each] = pl.concat([judged, table.filter(~is_model).select(judged.columns)])
    return tables


def _of_maker(rows: pl.DataFrame, maker: str | None) -> pl.DataFrame:
    if maker is None:
        return rows
    makers = rows["maker"].drop_nulls().unique()
    if maker.lower() not in makers.str.to_lowercase():
        raise no_such("maker", maker, makers)
    return rows.filter(pl.col("maker").str.to_lowercase() == maker.lower())


def select(
    rows: pl.DataFrame,
    *,
    by: By = "model",
    model: str | None = None,
    maker: str | None = None,
    sort: str | None = None,
    everything: bool = False,
    boot: bool = False,
) -> pl.DataFrame:
    """Those of `rows` (of `afr_table`, of one window) that are asked for; see `report`.

    Raises:
        DataError: no model or maker is of that name, or there is no such order.
    """
    kind = "boot" if boot and by == "all" else by
    found = rows.filter(pl.col("kind") == kind)
    if boot and kind != "boot":
        if by != "model":
            raise DataError("Boot drives are shown by model, or in all: `--by model`, `--by all`.")
        found = found.filter(pl.col("status") == BOOT)
    elif by == "model" and not everything and model is None:
        found = found.filter(pl.col("status") == PUBLISHED)
    if maker is not None:
        _of_maker(rows, maker)  # which knows all makers
        found = found.filter(pl.col("maker").str.to_lowercase() == maker.lower())
    if model is not None:
        named = found.filter(
            pl.col("model").str.to_lowercase().str.contains(model.lower(), literal=True)
        )
        if named.is_empty():
            names = rows["model"].drop_nulls().unique().to_list()
            raise no_such("model", model, map(display_model, names))
        found = named
    order = sort or ("size" if by in ("size", "maker_size") else "model")
    if order not in SORTS:
        raise no_such("order", order, SORTS)
    keys = [*SORTS[order], "group"]
    falling = [found.schema[key].is_numeric() and key != "capacity_tb" for key in keys]
    return found.sort(
        "period", *keys, descending=[False, *falling], nulls_last=True, maintain_order=True
    )


def title(quarter: date, window: Window, since: date | None = None, *, boot: bool = False) -> str:
    """What a table is about."""
    name = quarter_name(quarter)
    over = {
        "quarter": name,
        "year": f"the year that ends with {name}",
        "calendar_year": str(quarter.year)
        if quarter.month == 10
        else f"{quarter.year} up to {name}",
        "lifetime": f"all history up to {name}",
    }[window]
    if since:
        each = {"quarter": "by quarter", "year": "over twelve months", "lifetime": "over all time"}
        first = period_name(since, window)
        last = period_name(quarter, window)
        over = f"{each.get(window, 'by year')}, {first} to {last}"
    return f"Annualized failure rates{' of boot drives' if boot else ''}, {over}"


def as_json(table: pl.DataFrame) -> str:
    """An array of objects, one per row; AFR in percent, unrounded."""
    return json.dumps(table.to_dicts(), indent=1)


def as_csv(table: pl.DataFrame) -> str:
    """Comma-separated values with a header."""
    return table.write_csv().rstrip("\n")


def as_table(
    shown: pl.DataFrame,
    heading: str,
    feet: pl.DataFrame,
    *,
    ages_in_years: bool = False,
    width: int | None = None,
) -> str:
    """A table for the terminal, and below it what groups of its rows come to.

    Args:
        shown: rows of one window and kind.
        heading: what it is about.
        feet: `totals` with what each is of in the column `status`.
        ages_in_years: as in the tables published up to 2015, in place of months.
        width: most columns of a line; columns that have no room are left out.
    """
    names = short_names(shown["model"].drop_nulls().to_list())
    by_model = bool(names)
    keys = []
    if shown["maker"].null_count() < shown.height:
        worth = 3 if by_model else ALWAYS
        keys.append(Column("maker", lambda row: row["maker"], worth, left=True))
    if by_model:
        keys.append(Column("model", lambda row: names[row["model"]], ALWAYS, left=True))
    if shown["capacity_tb"].null_count() < shown.height:
        keys.append(Column("TB", lambda row: _size(row["capacity_tb"]), 4 if by_model else ALWAYS))
    if not keys:
        keys.append(Column("", lambda row: row["group"], ALWAYS, left=True))
    months, unit = (12, "y") if ages_in_years else (1, "m")
    figures = [
        Column("drives", lambda row: f"{row['drives_end']:,}", 6),
        Column("seen", lambda row: f"{row['drives_seen']:,}", 1),
        Column(f"age, {unit}", lambda row: _fixed(row["mean_age_months"], months), 2),
        Column("drive days", lambda row: f"{row['drive_days']:,}", 5),
        Column("failed", lambda row: f"{row['failures']:,}", 7),
        Column("AFR %", lambda row: rate(row["afr"]), ALWAYS),
        Column("95 % interval", interval, 8),
    ]
    named = feet.with_columns(
        label=pl.when(pl.col("status") == "all")
        .then("status")
        .otherwise(pl.format("{} {}", "models", pl.col("status").replace({BOOT: "boot"})))
    )
    order = {name: place for place, name in enumerate(("all", PUBLISHED, TOO_SMALL, RETIRED, BOOT))}
    below = sorted(named.to_dicts(), key=lambda row: order[row["status"]])
    lines = table_lines(keys, figures, shown.to_dicts(), below, width)
    if {TOO_SMALL, RETIRED} & set(feet["status"]):
        lines += [
            "",
            *wrapped(
                "Too small: in service, but not enough of them for the table of the time. "
                "Retired: none in service at the end. --all shows every model.",
                width,
            ),
        ]
    return "\n".join([*wrapped(heading, width), "", *lines])


def as_series(
    rows: pl.DataFrame, heading: str, *, by: By, quarter: date, width: int | None = None
) -> str:
    """Rates of several periods: a line for each period of one group, else a column for each.

    Args:
        rows: of one window and kind, with the column `period`.
        heading: what it is about.
        by: what a row is of.
        quarter: the last quarter.
        width: most columns of a line; the oldest periods that have no room are left out, and said.
    """
    groups = rows["group"].unique(maintain_order=True).to_list()
    if not groups:
        return "\n".join([*wrapped(heading, width), "", "There is no such row."])
    if len(groups) == 1:
        months, unit = (12, "y") if quarter <= AGE_IN_YEARS_UNTIL else (1, "m")
        keys = [Column("period", lambda row: str(row["period"]), ALWAYS, left=True)]
        figures = [
            Column("drives", lambda row: f"{row['drives_end']:,}", 6),
            Column("added", lambda row: f"{row['drives_added']:,}", 2),
            Column("removed", lambda row: f"{row['drives_removed']:,}", 2),
            Column(f"age, {unit}", lambda row: _fixed(row["mean_age_months"], months), 1),
            Column("drive days", lambda row: f"{row['drive_days']:,}", 5),
            Column("failed", lambda row: f"{row['failures']:,}", 7),
            Column("AFR %", lambda row: rate(row["afr"]), ALWAYS),
            Column("95 % interval", interval, 8),
        ]
        lines = table_lines(keys, figures, rows.to_dicts(), [], width)
        return "\n".join([*wrapped(f"{heading}: {groups[0]}", width), "", *lines])
    periods = sorted(rows["period"].unique())
    names = short_names(groups) if by == "model" else {name: name for name in groups}
    rates = {(row["group"], row["period"]): rate(row["afr"]) for row in rows.to_dicts()}
    label = max(len(names[group]) for group in groups)
    cell = max(len(period) for period in periods)
    room = len(periods) if width is None else max(1, (width - label) // (cell + 1))
    kept = periods[-room:]
    lines = [" ".join([" " * label, *(f"{period:>{cell}}" for period in kept)])]
    lines += [
        " ".join(
            [
                f"{names[group]:{label}}",
                *(f"{rates.get((group, period), ''):>{cell}}" for period in kept),
            ]
        ).rstrip()
        for group in groups
    ]
    if len(kept) < len(periods):
        left = len(periods) - len(kept)
        lines += [
            "",
            *wrapped(f"{left} earlier periods have no room; --format csv has all.", width),
        ]
    return "\n".join([*wrapped(heading, width), "", *lines])


def as_changes(
    now: pl.DataFrame, before: pl.DataFrame, quarter: date, earlier: date, width: int | None = None
) -> str:
    """What has changed since an earlier quarter, and whether by more than chance, as text.

    Args:
        now: rows of one window and kind of `quarter`, those that are to be compared.
        before: the same rows of `earlier`, whose windows do not overlap.
        quarter: first day of the newer one.
        earlier: first day of the older one.
        width: most columns of a line.
    """
    found = changes(now, before)
    names = short_names(found["group"].to_list())
    tested = found.filter(pl.col("p_value").is_not_null())
    lines = [
        *wrapped(
            f"Changes from {quarter_name(earlier)} to {quarter_name(quarter)}: "
            f"{tested.height} of {found.height} have a failure in either and are compared.",
            width,
        ),
        "",
    ]
    for row in found.sort("p_adjusted", nulls_last=True).iter_rows(named=True):
        name = names[row["group"]]
        was, is_now = rate(row["afr_before"]), rate(row["afr"])
        times = _times(row)
        match row["verdict"]:
            case "no failure in both":
                text = f"{name}: no failure in both"
            case "within chance":
                text = f"{name}: {is_now} % after {was} %: within chance"
            case direction:
                text = f"{name}: {is_now} %, {direction} from {was} %: {times}more than chance"
        lines += wrapped(text, width, hang=2)
    return "\n".join(lines)


def as_lists(shown: pl.DataFrame, width: int | None = None) -> str:
    """Models without a failure, and those that fail more often than the rest beyond chance.

    Args:
        shown: the published rows of one window.
        width: most columns of a line.
    """
    compared = against_the_rest(shown)
    names = short_names(compared["model"].to_list())
    none = compared.filter(pl.col("failures") == 0).sort("afr_high")
    high = compared.filter(pl.col("verdict") == "above").sort("excess_failures", descending=True)
    lines = ["No failure: " + (_listed(none, names, "afr_high", "at most") or "none.")]
    lines.append(
        f"Above the rest, most excess failures first ({high.height} of {compared.height}): "
        + (_listed(high, names, "afr_low", "at least") or "none.")
    )
    return "\n".join(line for text in lines for line in wrapped(text, width, hang=2))


def rate(value: float | None) -> str:
    """A rate in percent: two decimals, one from 9.95 up."""
    if value is None:
        return NOTHING
    return f"{value:.1f}" if value >= 9.95 else f"{value:.2f}"


def interval(row: Mapping[str, Any]) -> str:
    """The bounds of a rate. One says nothing when it is 0, or more than all drives a year."""
    low, high = row["afr_low"], row["afr_high"]
    below = rate(low) if low else NOTHING
    above = rate(high) if high is not None and high <= 100 else NOTHING
    return f"{below} - {above}" if (below, above) != (NOTHING, NOTHING) else NOTHING


def _size(terabytes: float | None) -> str:
    return "" if terabytes is None else f"{terabytes:g}"


def _fixed(months: float | None, per: int) -> str:
    return NOTHING if months is None else f"{months / per:.1f}"


def _times(row: Mapping[str, Any]) -> str:
    if row["ratio"] is None:
        return ""
    low, high = row["ratio_low"], row["ratio_high"]
    return f"{row['ratio']:.1f} times ({low:.1f} - {high:.1f}), "


def _listed(rows: pl.DataFrame, names: Mapping[str, str], bound: str, word: str) -> str:
    return ", ".join(
        f"{names[row['model']]} ({word} {rate(row[bound])} %)" for row in rows.to_dicts()
    ) + ("." if rows.height else "")
