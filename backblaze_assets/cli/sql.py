"""Answers to questions in SQL, for people and for programs, and the prompt that takes them."""

import csv
import io
import json
import math
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import click
import duckdb
import pyarrow as pa

from backblaze_assets.cli import console
from backblaze_assets.database.query import Database
from backblaze_assets.database.views import PUBLISHED, TABLES, missing
from backblaze_assets.errors import DataError, printable

Form = Literal["table", "csv", "json", "parquet"]

MOST_ROWS = 200
"""That a table for people shows."""

_BATCH = 10_000


def answer(root: Path, query: str, form: Form, local: Collection[str] | None = None) -> None:
    """Print the answer to one question.

    Args:
        root: the data folder.
        query: one statement that only reads.
        form: how to print it.
        local: tables whose files are on this machine; None for all.

    Raises:
        DataError: the query is wrong, or Parquet is to go to a terminal.
    """
    if form == "parquet" and sys.stdout.isatty():
        raise DataError("Parquet is no text: send it to a file, with > answer.parquet.")
    with Database(root, local) as database:
        _print(database, query, form)


def prompt(
    root: Path, form: Form, fetch: Callable[[str], Collection[str] | None] = lambda _: None
) -> None:
    """Take questions from stdin, each ended by `;`, and print the answers, up to its end.

    On a terminal a wrong one is told and the next one taken; elsewhere it ends all.

    Args:
        root: the data folder.
        form: how to print answers.
        fetch: sees that the tables of a query are on this machine, and gives those that are; None
            for all.

    Raises:
        DataError: a query that does not come from a terminal is wrong.
    """
    terminal = sys.stdin.isatty()
    if terminal:
        import readline  # noqa: F401 - makes `input` know the arrow keys

        console.say("A query ends with ;  Ctrl-D ends this. DESCRIBE afr; lists columns.")
        # By the names of files, as their content may be in a store only.
        console.say(f"Tables: {', '.join(sorted({*TABLES, PUBLISHED} - {*missing(root)}))}.")
    for text in _queries(terminal=terminal):
        with Database(root, fetch(text)) as database:
            try:
                for query in database.split(text):
                    _print(database, query, form)
            except DataError as error:
                if not terminal:
                    raise
                console.complain(str(error))


def describe(
    root: Path,
    table: str | None,
    form: Literal["table", "csv", "json"],
    local: Collection[str] | None = None,
) -> None:
    """Print the tables that there are, or the columns of one.

    Args:
        root: the data folder.
        table: its name, or that of its asset; None for all tables.
        form: how to print it.
        local: tables whose files are on this machine; None for all.

    Raises:
        DataError: there is no such table.
    """
    from backblaze_assets.database.columns import describe_columns, describe_tables

    found = describe_tables(root, local) if table is None else describe_columns(root, table, local)
    match form:
        case "csv":
            click.echo(found.write_csv().rstrip("\n"))
        case "json":
            click.echo(json.dumps(found.to_dicts(), indent=1))
        case "table":
            numbers = [kind.is_numeric() for kind in found.dtypes]
            _show(found.columns, numbers, found.rows())


def _queries(*, terminal: bool) -> Iterator[str]:
    """What stdin asks, up to a `;` at the end of a line."""
    lines: list[str] = []
    while True:
        try:
            lines.append(input(("...> " if lines else "sql> ") if terminal else ""))
        except EOFError:
            break
        text = "\n".join(lines)
        if _is_whole(text):
            yield text
            lines = []
    if "".join(lines).strip():
        yield "\n".join(lines)


def _is_whole(text: str) -> bool:
    """Whether a query has come to its `;`, which is not one inside a text or a comment."""
    if not text.rstrip().endswith(";"):
        return False
    tokens = duckdb.tokenize(text)
    last = text.rstrip().encode()
    starts, kinds = [start for start, _ in tokens], [kind for _, kind in tokens]
    return bool(starts) and starts[-1] == len(last) - 1 and kinds[-1] == duckdb.token_type.operator


def _print(database: Database, query: str, form: Form) -> None:
    if form == "parquet":
        _send_parquet(database.arrow(query))
        return
    found = database.ask(query)
    try:
        _PRINTERS[form](found)
    except duckdb.Error as error:
        raise database.plain(error) from error


def _names(found: duckdb.DuckDBPyConnection) -> list[str]:
    return [str(it[0]) for it in found.description or []]


def _batches(found: duckdb.DuckDBPyConnection) -> Iterator[list[tuple[Any, ...]]]:
    while rows := found.fetchmany(_BATCH):
        yield rows


def _as_table(found: duckdb.DuckDBPyConnection) -> None:
    numbers = [str(it[1]).partition("(")[0] in _NUMBERS for it in found.description or []]
    rows = found.fetchmany(MOST_ROWS + 1)
    _show(_names(found), numbers, rows[:MOST_ROWS])
    if len(rows) > MOST_ROWS:
        console.say(f"These are the first {MOST_ROWS} rows; --format csv prints all.")


def _show(names: Sequence[str], numbers: Sequence[bool], rows: Iterable[Sequence[Any]]) -> None:
    """Print a table for people; `numbers` says which columns stand to the right."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None)
    for name, number in zip(names, numbers, strict=True):
        table.add_column(Text(printable(name)), justify="right" if number else "left")
    for row in rows:
        table.add_row(*(Text(_cell(value)) for value in row))
    console.show(table)


_NUMBERS = frozenset({
    "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER",
    "UBIGINT", "UHUGEINT", "FLOAT", "DOUBLE", "NUMBER", "DECIMAL",
})  # fmt: skip


def _cell(value: object) -> str:
    """A value for people, without what a terminal might obey."""
    match value:
        case None:
            return "–"
        case float() if math.isfinite(value):
            return f"{value:.6g}" if abs(value) < 1e6 else f"{value:.1f}"
        case _:
            return printable(str(value)).replace("\n", "\\n")


def _as_csv(found: duckdb.DuckDBPyConnection) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(_names(found))
    for rows in _batches(found):
        writer.writerows(rows)


def _as_json(found: duckdb.DuckDBPyConnection) -> None:
    """An array with an object for each row, one a line; a number that is none is null."""
    names = _names(found)
    gap = "\n"
    sys.stdout.write("[")
    for rows in _batches(found):
        for row in rows:
            values = dict(zip(names, map(_plain, row), strict=True))
            sys.stdout.write(gap + json.dumps(values, default=str))
            gap = ",\n"
    sys.stdout.write("\n]\n")


def _plain(value: object) -> object:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _send_parquet(found: pa.Table) -> None:
    import pyarrow.parquet as pq

    file = io.BytesIO()
    pq.write_table(found, file, compression="zstd")
    sys.stdout.buffer.write(file.getvalue())


_PRINTERS: dict[str, Callable[[duckdb.DuckDBPyConnection], None]] = {
    "table": _as_table,
    "csv": _as_csv,
    "json": _as_json,
}
