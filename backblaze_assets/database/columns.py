"""What the columns of the results hold, from what Parquet files say of themselves."""

from collections.abc import Collection, Mapping
from pathlib import Path

import polars as pl

from backblaze_assets.database.query import Database, no_table
from backblaze_assets.database.views import (
    PUBLISHED,
    TABLES,
    Table,
    escaped,
    identifier,
    missing,
    text_literal,
)
from backblaze_assets.errors import DataError

COLUMNS_SCHEMA = pl.Schema(
    {
        "column": pl.String(),
        "type": pl.String(),
        "filled_percent": pl.Float64(),
        "minimum": pl.String(),
        "maximum": pl.String(),
        "counted": pl.String(),
        "examples": pl.String(),
    }
)
"""Of `describe_columns`: a row is a column of a table.

- type: DuckDB's name of it, over all files.
- filled_percent: of all rows of the table, those that have a value. A column that files of an era
  do not have is empty there.
- minimum, maximum: null where there is no value.
- counted: which rows these three are of: `all`, or `last day of each quarter` for columns of which
  files keep no statistics.
- examples: the first three different values of the newest file.
"""

_EXAMPLES_FROM = 2000

_WHOLE = frozenset({"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UBIGINT", "UINTEGER"})


def describe_tables(root: Path, local: Collection[str] | None = None) -> pl.DataFrame:
    """The tables that there are, with columns `table`, `rows`, `files` and `a row is`.

    Args:
        root: the data folder.
        local: tables whose files are on this machine; None for all.
    """
    rows = []
    with Database(root, local) as database:
        absent = missing(root)
        for name, table in TABLES.items():
            if name in absent:
                continue
            paths = table.paths(root)
            count = f"SELECT count(*) FROM {name}"
            if table.parquet:
                count = f"SELECT sum(num_rows) FROM parquet_file_metadata({table.pattern(root)})"
            rows.append((name, _number(database, count), len(paths), table.says))
        count = f"SELECT count(*) FROM {PUBLISHED}"
        rows.append((PUBLISHED, _number(database, count), 0, "a published rate of a model"))
    schema = {"table": pl.String, "rows": pl.Int64, "files": pl.Int64, "a row is": pl.String}
    return pl.DataFrame(rows, schema, orient="row")


def _number(database: Database, query: str) -> int:
    return int(database.ask(query).fetchall()[0][0])


def describe_columns(root: Path, name: str, local: Collection[str] | None = None) -> pl.DataFrame:
    """What the columns of a table hold; columns `COLUMNS_SCHEMA`.

    For views of Parquet files this reads the files' footers and the head of the newest file, which
    takes seconds for all history.

    Args:
        root: the data folder.
        name: a table of the database, or an asset that is one table.
        local: as for `describe_tables`.

    Raises:
        DataError: there is no such table, or it has no files yet.
    """
    name = table_of(root, name)
    with Database(root, local) as database:
        rows = database.ask(f"SELECT column_name, column_type FROM (DESCRIBE {name})").fetchall()
        types: dict[str, str] = dict(rows)
        table = TABLES.get(name)
        if table is None or not table.parquet:
            found, head = _counted(database, name), name
        else:
            found = _from_footers(database, table, types)
            newest = text_literal(escaped(table.paths(root)[-1]))
            head = f"read_parquet({newest})"
        examples = _examples(database, head)
    return pl.DataFrame(
        [
            (column, kind, *found.get(column, _UNTOLD), examples.get(column))
            for column, kind in types.items()
        ],
        COLUMNS_SCHEMA,
        orient="row",
    )


_Held = tuple[float | None, str | None, str | None, str]
"""Of a column: percent filled, smallest, largest, and which rows this is of."""

_UNTOLD: _Held = (None, None, None, "")


def _counted(database: Database, name: str) -> dict[str, _Held]:
    """By reading all of a small table."""
    rows = database.ask(
        f"SELECT column_name, null_percentage, min, max FROM (SUMMARIZE {name})"
    ).fetchall()
    return {
        column: (None if empty is None else 100 - float(empty), smallest, largest, "all")
        for column, empty, smallest, largest in rows
    }


def _from_footers(database: Database, table: Table, types: Mapping[str, str]) -> dict[str, _Held]:
    """By the statistics of each piece of each file."""
    files = table.pattern(database.root)
    (total,) = database.ask(f"SELECT sum(num_rows) FROM parquet_file_metadata({files})").fetchall()[
        0
    ]
    least, most = "stats_min_value", "stats_max_value"
    rows = database.ask(
        f"""
        SELECT path_in_schema, sum(num_values - stats_null_count),
            min({least}), max({most}),
            min(try_cast({least} AS HUGEINT)), max(try_cast({most} AS HUGEINT)),
            min(try_cast({least} AS DOUBLE)) + 0.0, max(try_cast({most} AS DOUBLE)) + 0.0
        FROM parquet_metadata({files}) GROUP BY path_in_schema
        """
    ).fetchall()
    found: dict[str, _Held] = {}
    for column, filled, *extremes in rows:
        kind = types.get(column, "")
        at = 2 if kind in _WHOLE else 4 if kind in ("FLOAT", "DOUBLE") else 0
        smallest, largest = (None if it is None else str(it) for it in extremes[at : at + 2])
        if filled is not None:
            share = 100 * float(filled) / float(total) if total else None
            found[column] = (share, smallest, largest, "all")
    if table.quarter:
        quarters = [path.stem for path in table.paths(database.root)]
        found["quarter"] = (100.0, quarters[0], quarters[-1], "all")
    untold = [column for column in types if column not in found]
    return found | (_from_some_files(database, table, untold) if untold else {})


def _from_some_files(database: Database, table: Table, columns: list[str]) -> dict[str, _Held]:
    """By reading the last file of each folder, for columns without statistics."""
    last = {path.parent: path for path in table.paths(database.root)}  # the paths are in order
    files = ", ".join(text_literal(escaped(path)) for path in last.values())
    there = f"read_parquet([{files}], union_by_name = true)"
    has = {
        row[0]
        for row in database.ask(f"SELECT column_name FROM (DESCRIBE FROM {there})").fetchall()
    }
    columns = [column for column in columns if column in has]
    wanted = ", ".join(
        f"count({it}), min({it})::VARCHAR, max({it})::VARCHAR" for it in map(identifier, columns)
    )
    (row,) = database.ask(f"SELECT count(*), {wanted} FROM {there}").fetchall()
    total, figures = row[0], row[1:]
    return {
        column: (
            100 * figures[3 * at] / total if total else None,
            *figures[3 * at + 1 : 3 * at + 3],
            "last day of each quarter",
        )
        for at, column in enumerate(columns)
    }


def _examples(database: Database, head: str) -> dict[str, str]:
    """The first different values of each column."""
    found = database.ask(f"SELECT * FROM {head} LIMIT {_EXAMPLES_FROM}")
    names = [str(it[0]) for it in found.description or []]
    columns = zip(*found.fetchall(), strict=True)
    return {
        name: ", ".join(map(str, list(dict.fromkeys(it for it in values if it is not None))[:3]))
        for name, values in zip(names, columns, strict=False)
    }


def table_of(root: Path, name: str) -> str:
    """The table that a name means, which may be that of its asset.

    Raises:
        DataError: it means none, or several, or there is nothing in it yet.
    """
    of_asset = [it.name for it in TABLES.values() if it.asset == name and it.parquet]
    if len(of_asset) > 1:
        raise DataError(f"{name} is several tables: {', '.join(of_asset)}.")
    table = next(iter(of_asset), name)
    if table in missing(root) or table not in (*TABLES, PUBLISHED):
        raise no_table(root, table)
    return table
