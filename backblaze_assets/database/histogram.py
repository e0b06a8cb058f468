"""How the values of a column are spread over all rows of the raw data, in all and by group."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

from backblaze_assets.database.query import Database, no_table
from backblaze_assets.database.views import identifier, missing, text_literal
from backblaze_assets.errors import no_such

By = Literal["model", "failure"]

MOST_VALUES = 24
"""A column with no more different values is counted value by value."""

MOST_BINS = 24

_FEW = 0.01
"""Share of the values that the upper nine tenths of a linear scale must hold."""


@dataclass(frozen=True)
class Bin:
    """A bin of a histogram: a value, or values from `low` up to, not including, `high`.

    Attributes:
        label: for people.
        low: lower bound of numbers; None for values that are no numbers, or without a bound.
        high: upper bound; the last bin includes it.
        rows: with such a value.
    """

    label: str
    low: float | None
    high: float | None
    rows: int


@dataclass(frozen=True)
class Group:
    """One group of rows: its name, rows with a value, how many in each bin, and the quartiles.

    The quartiles (lower, median, upper) are within a fiftieth of a bin of the true ones, on a scale
    of powers of ten within 2 %. None for what is no number.
    """

    name: str
    rows: int
    counts: tuple[int, ...]
    quartiles: tuple[float, float, float] | None


@dataclass(frozen=True)
class Histogram:
    """How a column's values are spread.

    Attributes:
        column: its name in the table `raw`.
        rows: all that were looked at.
        filled: those of them with a value.
        bins: in the order of the values; of texts, the most frequent first.
        other: rows with a value for which there is no bin: rarer ones of many texts.
        groups: the same by group, those with the most rows first; none unless asked for.
    """

    column: str
    rows: int
    filled: int
    bins: tuple[Bin, ...]
    other: int
    groups: tuple[Group, ...]


def histogram(
    root: Path,
    column: str,
    *,
    model: str | None = None,
    by: By | None = None,
    local: Collection[str] | None = None,
) -> Histogram:
    """Count the values of a column of the raw data, over all days and eras.

    The bins of numbers are of one width, a round one, or, where that would put nearly all into the
    first, go by powers of ten or by 1, 2, 5, 10, …

    Args:
        root: the data folder.
        column: of the table `raw`, in any case; `smart_5` is `smart_5_raw`.
        model: only rows whose model contains this, in any case.
        by: also count by this column.
        local: tables whose files are on this machine; None for all.

    Raises:
        DataError: nothing is imported yet, or there is no such column or model; it names the
            nearest ones.
    """
    if "raw" in missing(root):
        raise no_table(root, "raw")
    with Database(root, local) as database:
        name, kind = _column(database, column)
        where = ""
        if model is not None:
            where = f" WHERE contains(lower(model), {text_literal(model.lower())})"
        source = f"(SELECT {identifier(name)} AS x{f', {by} AS g' if by else ''} FROM raw{where})"
        rows, filled, different, least, most = database.ask(
            f"SELECT count(*), count(x), approx_count_distinct(x), min(x), max(x) FROM {source}"
        ).fetchall()[0]
        if model is not None and not rows:
            models = database.ask("SELECT DISTINCT model FROM raw").fetchall()
            raise no_such("model", model, [str(each[0]) for each in models])
        number = kind in _NUMBERS
        if not filled:
            return Histogram(name, rows, 0, (), 0, ())
        if kind == "DATE":
            edges, key = None, "CAST(date_trunc('year', x) AS DATE)"
        elif not number or different <= MOST_VALUES:
            edges, key = None, "x"
        else:
            edges = _edges(database, source, float(least), float(most), whole=kind in _WHOLE)
            key = _place(edges)
        groups: tuple[Group, ...] = ()
        if edges is None:
            bins, places = _values(database, source, key, kind)
        else:
            places = {place: place for place in range(len(edges) - 1)}
            if by:
                groups = _groups(database, source, key, edges, places, number=number)
            bins = _bins(database, source, key, edges, groups, whole=kind in _WHOLE)
        if by and not groups:
            groups = _groups(database, source, key, edges, places, number=number)
        return Histogram(name, rows, filled, bins, filled - sum(b.rows for b in bins), groups)


_WHOLE = frozenset({"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UBIGINT", "UINTEGER"})
_NUMBERS = _WHOLE | {"FLOAT", "DOUBLE"}


def _column(database: Database, column: str) -> tuple[str, str]:
    """The name and the type of a column of `raw`."""
    known: dict[str, str] = dict(
        database.ask("SELECT column_name, column_type FROM (DESCRIBE raw)").fetchall()
    )
    lower = {name.lower(): name for name in known}
    for name in (column.lower(), f"{column.lower()}_raw"):
        if name in lower:
            return lower[name], known[lower[name]]
    raise no_such("column", column, known)


def _edges(
    database: Database, source: str, least: float, most: float, *, whole: bool
) -> list[float]:
    """Rising bounds of bins that hold all values."""
    linear = _linear(least, most, whole=whole)
    if most <= 0 or least == most:
        return linear
    ((upper,),) = database.ask(
        f"SELECT count(*) FILTER (x > {least!r} + {(most - least) / 10!r}) / count(x) FROM {source}"
    ).fetchall()
    if upper >= _FEW:
        return linear
    smallest = 1.0
    if not whole:
        ((smallest,),) = database.ask(f"SELECT min(x) FROM {source} WHERE x > 0").fetchall()
    first = 0
    while 10.0**first > smallest:
        first -= 1
    last = first
    while 10.0**last <= most:
        last += 1
    times = (1,) if 3 * (last - first) > MOST_BINS else (1, 2, 5)
    rising = [time * 10.0**power for power in range(first, last) for time in times]
    rising = [each for each in rising if each <= most]
    below = [least] if least < 0 else []
    return [*below, 0.0, *rising, 10.0**last]


def _linear(least: float, most: float, *, whole: bool) -> list[float]:
    """Multiples of the least round width that makes no more than `MOST_BINS` bins."""
    widths = (time * 10.0**power for power in range(-12, 20) for time in (1, 2, 5))
    width = next(
        each
        for each in widths
        if (not whole or each >= 1) and most // each - least // each < MOST_BINS
    )
    first = int(least // width)
    return [width * place for place in range(first, int(most // width) + 2)]


def _is_linear(edges: Sequence[float]) -> bool:
    return (
        len({round((high - low) / (edges[1] - edges[0]), 6) for low, high in pairwise(edges)}) < 2
    )


def _place(edges: Sequence[float]) -> str:
    """The number of the bin of `x`, in SQL."""
    last = len(edges) - 2
    if _is_linear(edges):
        width = (edges[-1] - edges[0]) / (last + 1)
        return f"least(CAST(floor((x - {edges[0]!r}) / {width!r}) AS INTEGER), {last})"
    whens = " ".join(f"WHEN x < {edge!r} THEN {place}" for place, edge in enumerate(edges[1:-1]))
    return f"CASE {whens} ELSE {last} END"


def _finely(edges: Sequence[float] | None) -> str:
    """A finer division of `x` for quartiles, in SQL: fiftieths of a bin, or 2 % of the value."""
    if edges is None:
        return "0"
    if _is_linear(edges):
        width = (edges[1] - edges[0]) / 50
        return f"CAST(floor((x - {edges[0]!r}) / {width!r}) AS INTEGER)"
    return "CASE WHEN x > 0 THEN CAST(floor(100 * log10(x)) AS INTEGER) ELSE -9999 END"


_COUNT = "SELECT {key} AS k, count(x) FROM {source} WHERE x IS NOT NULL GROUP BY k"


def _values(
    database: Database, source: str, key: str, kind: str
) -> tuple[tuple[Bin, ...], dict[Any, int]]:
    """A bin for each value, the most frequent ones, and the place of each by what `key` says."""
    number = kind in _NUMBERS
    order = "k" if number or kind in ("DATE", "BOOLEAN") else "2 DESC, k"
    counted = database.ask(
        f"FROM ({_COUNT.format(key=key, source=source)} ORDER BY 2 DESC, k LIMIT {MOST_VALUES}) "
        f"ORDER BY {order}"
    ).fetchall()
    bins = []
    for value, rows in counted:
        at = float(value) if number else None
        bins.append(Bin(str(value.year) if kind == "DATE" else said(value), at, at, rows))
    return tuple(bins), {value: place for place, (value, _) in enumerate(counted)}


def _bins(
    database: Database,
    source: str,
    key: str,
    edges: Sequence[float],
    groups: Sequence[Group],
    *,
    whole: bool,
) -> tuple[Bin, ...]:
    """The bins between `edges`, with the rows of `groups` if these are counted already."""
    if groups:
        rows = dict(enumerate(map(sum, zip(*(each.counts for each in groups), strict=True))))
    else:
        rows = dict(database.ask(_COUNT.format(key=key, source=source)).fetchall())
    return tuple(
        Bin(_label(low, high, whole=whole), low, high, rows.get(place, 0))
        for place, (low, high) in enumerate(pairwise(edges))
    )


def _groups(
    database: Database,
    source: str,
    key: str,
    edges: Sequence[float] | None,
    places: dict[Any, int],
    *,
    number: bool,
) -> tuple[Group, ...]:
    """The rows of each group in each bin, and its quartiles."""
    least, most = ("min(x)", "max(x)") if number else ("NULL", "NULL")
    found = database.ask(
        f"SELECT g, {key} AS k, {_finely(edges)} AS f, count(x), {least}, {most} FROM {source} "
        "WHERE x IS NOT NULL GROUP BY g, k, f"
    ).fetchall()
    cells: dict[Any, list[tuple[Any, ...]]] = {}
    for group, *cell in found:
        cells.setdefault(group, []).append(tuple(cell))
    groups = []
    for group, own in cells.items():
        counts = [0] * len(places)
        for value, _, rows, *_ in own:
            if value in places:
                counts[places[value]] += rows
        spans = (
            sorted((float(low), float(high), rows) for *_, rows, low, high in own) if number else []
        )
        quartiles = _quartiles(spans) if spans else None
        groups.append(Group(said(group), sum(cell[2] for cell in own), tuple(counts), quartiles))
    return tuple(sorted(groups, key=lambda group: (-group.rows, group.name)))


def _quartiles(spans: Sequence[tuple[float, float, int]]) -> tuple[float, float, float]:
    """Quartiles of values of which it is known how many lie from a low to a high one, in order.

    Within such a span they are taken to lie evenly.
    """
    total = sum(rows for *_, rows in spans)

    def at(share: float) -> float:
        before = 0
        for low, high, rows in spans:
            if before + rows >= share * total:
                return low + (high - low) * (share * total - before) / rows
            before += rows
        return spans[-1][1]

    return at(0.25), at(0.5), at(0.75)


def _label(low: float, high: float, *, whole: bool) -> str:
    """What is in a bin: `0`, `20 - 39` for whole numbers, `0.5 - 1` for others."""
    if not whole:
        return f"{said(low)} - {said(high)}"
    last = high - 1
    return said(low) if last <= low else f"{said(low)} - {said(last)}"


def said(value: object) -> str:
    """A value as people write it; large numbers short."""
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return str(value)
    for power, unit in ((18, "E"), (15, "P"), (12, "T"), (9, "G"), (6, "M")):
        if abs(value) >= 10**power:
            return f"{value / 10**power:.4g} {unit}"
    return f"{int(value):,}" if float(value).is_integer() else f"{value:.4g}"
