"""One question to the database, and what goes wrong with it in plain words."""

import re
from collections.abc import Collection
from difflib import get_close_matches
from pathlib import Path

import duckdb
import pyarrow as pa

from backblaze_assets.database.views import PUBLISHED, TABLES, missing, open_database
from backblaze_assets.errors import DataError


class Database:
    """The results in a data folder, to ask in SQL; a context manager.

    Args:
        root: the data folder.
        tables: those whose files are on this machine; None for all.
    """

    def __init__(self, root: Path, tables: Collection[str] | None = None) -> None:
        self.root = root
        self._connection = open_database(root, tables)

    def __enter__(self) -> "Database":
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def ask(self, query: str) -> duckdb.DuckDBPyConnection:
        """Ask one question, and return what its rows can be fetched from.

        Args:
            query: one statement that only reads: SELECT, FROM, WITH, VALUES, DESCRIBE, SHOW or
                SUMMARIZE.

        Raises:
            DataError: it is not one such statement, it is wrong, or there is no such table.
        """
        try:
            return self._connection.execute(self._checked(query))
        except duckdb.Error as error:
            raise self.plain(error) from error

    def arrow(self, query: str) -> pa.Table:
        """The whole answer to one question, as of `ask`."""
        try:
            return self._connection.sql(self._checked(query)).to_arrow_table()
        except duckdb.Error as error:
            raise self.plain(error) from error

    def split(self, text: str) -> list[str]:
        """The queries of a text, each ended by `;`.

        Raises:
            DataError: one of them is no SQL.
        """
        try:
            return [it.query for it in self._connection.extract_statements(text)]
        except duckdb.Error as error:
            raise self.plain(error) from error

    def _checked(self, query: str) -> str:
        statements = self._connection.extract_statements(query)
        if len(statements) != 1:
            raise DataError(f"This is {len(statements)} queries; ask one at a time.")
        if statements[0].type != duckdb.StatementType.SELECT:
            raise DataError(
                "Queries only read: SELECT, FROM, WITH, VALUES, DESCRIBE, SHOW, SUMMARIZE. "
                f"This is {statements[0].type.name}."
            )
        return statements[0].query

    def plain(self, error: duckdb.Error) -> DataError:
        """What an error of DuckDB means to somebody who asks."""
        text = str(error)
        unknown = re.search(r"Table with name (\S+) does not exist", text)
        return no_table(self.root, unknown[1]) if unknown else DataError(text)


def no_table(root: Path, name: str) -> DataError:
    """Why there is no table of a name: it is not made yet, or another one is meant."""
    if name in missing(root):
        return DataError(
            f"There are no data of {name} in {root} yet: `backblaze-assets movie` makes everything "
            "that is missing."
        )
    there = [*TABLES, PUBLISHED]
    close = get_close_matches(name.lower(), there, n=2, cutoff=0.5)
    meant = f"Do you mean {' or '.join(close)}? " if close else ""
    return DataError(f"There is no table {name}. {meant}There are {', '.join(there)}.")
