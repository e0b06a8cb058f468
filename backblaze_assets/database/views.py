"""The database of a data folder: a view of every asset that is a table."""

import os
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import duckdb
import polars as pl

from backblaze_assets.drive_stats.importer import REJECT_COLUMNS
from backblaze_assets.drive_stats.published import published
from backblaze_assets.files.atomic import atomic_path
from backblaze_assets.files.origin import digest

FILE_NAME = "backblaze.duckdb"
"""Of the database in the data folder."""


@dataclass(frozen=True)
class Table:
    """A table of the database.

    Attributes:
        name: how queries call it.
        asset: whose files it is a view of.
        files: which, as a pattern for names below the asset's folder.
        says: what a row is.
        newest: whether only the last file is meant, because it holds all that earlier ones do.
        quarter: whether the file's name is the value of a column `quarter`.
    """

    name: str
    asset: str
    files: str
    says: str
    newest: bool = False
    quarter: bool = False

    @property
    def parquet(self) -> bool:
        """Whether its files are Parquet."""
        return self.files.endswith(".parquet")

    def paths(self, root: Path) -> list[Path]:
        """Its files that are there, in order."""
        found = sorted((root / self.asset).glob(self.files))
        return found[-1:] if self.newest else found

    def pattern(self, root: Path) -> str:
        """Its files as DuckDB takes them, a text in SQL."""
        if self.newest:
            return text_literal(escaped(self.paths(root)[-1]))
        return text_literal(f"{escaped(root)}/{self.asset}/{self.files}")

    def query(self, root: Path) -> str:
        """What it is a view of; no row where there is no file, which only rejects may lack."""
        if not self.parquet and not self.paths(root):
            names = ", ".join(
                f"CAST(NULL AS {kind}) AS {identifier(name)}"
                for name, kind in {"date": "DATE", **_REJECT_TYPES}.items()
            )
            return f"SELECT {names} WHERE false"
        files = self.pattern(root)
        if not self.parquet:
            types = ", ".join(f"'{name}': '{_REJECT_TYPES[name]}'" for name in REJECT_COLUMNS)
            return (
                "SELECT CAST(parse_filename(filename, true) AS DATE) AS date, "
                f"{', '.join(map(identifier, REJECT_COLUMNS))} FROM read_csv({files}, "
                f"columns = {{{types}}}, header = true, delim = ',', quote = '\"', escape = '\"', "
                "auto_detect = false, filename = true)"
            )
        if self.quarter:
            return (
                "SELECT CAST(parse_filename(filename, true) AS DATE) AS quarter, "
                f"* EXCLUDE (filename) FROM read_parquet({files}, union_by_name = true, "
                "filename = true)"
            )
        return f"SELECT * FROM read_parquet({files}, union_by_name = true)"


_REJECT_TYPES = {"line": "BIGINT", "reason": "VARCHAR", "row": "VARCHAR", "rows": "BIGINT"}
_DAYS = "[0-9]*.parquet"

TABLES: Mapping[str, Table] = {
    table.name: table
    for table in (
        Table("raw", "raw_quarter", f"[0-9]*/{_DAYS}", "a drive on a day, with every column"),
        Table(
            "rejects", "raw_quarter", "[0-9]*/rejects/[0-9]*.csv",
            "a row that was set aside, with its line and the reason",
        ),
        Table("daily_stats", "daily_stats", _DAYS, "a model on a day"),
        Table(
            "drives", "drive_lifetimes", "[0-9]*/drives.parquet", "a drive ever seen", newest=True
        ),
        Table(
            "spells", "drive_lifetimes", "[0-9]*/spells.parquet",
            "a drive under one model that it was reported as", newest=True,
        ),
        Table(
            "days", "drive_lifetimes", "[0-9]*/days.parquet",
            "a day, and how well it is reported", newest=True,
        ),
        Table(
            "afr", "afr_table", _DAYS,
            "a failure rate: of a group, for a window that ends with the quarter", quarter=True,
        ),
        Table(
            "survival", "survival", _DAYS,
            "an age of a group, as all was known at the quarter's end", quarter=True,
        ),
    )
}  # fmt: skip
"""The tables that are views of files."""

PUBLISHED = "published"
"""The table of the figures that Backblaze has published, which come with this package."""


def identifier(name: str) -> str:
    """A name as SQL takes it."""
    return '"' + name.replace('"', '""') + '"'


def text_literal(text: str) -> str:
    """A text as SQL takes it."""
    return "'" + text.replace("'", "''") + "'"


def escaped(path: Path) -> str:
    """A path in which no character stands for others."""
    return re.sub(r"([\[*?])", r"[\1]", str(path))


def missing(root: Path) -> list[str]:
    """Tables of which there is no file yet. Without raw data there are no rejects, either."""
    files = {name: table.paths(root) for name, table in TABLES.items()}
    return [name for name in TABLES if not files["raw" if name == "rejects" else name]]


def tables_in(query: str) -> set[str]:
    """Tables that a query may be about: those whose names are words in it."""
    words = set(re.findall(r"\w+", query.lower()))
    return words & TABLES.keys()


def open_database(root: Path, tables: Collection[str] | None = None) -> duckdb.DuckDBPyConnection:
    """The database of a data folder, to be read only; it is written first if it is not right.

    It stands as `backblaze.duckdb` in the data folder, where any DuckDB client can open it. Its
    views name files by absolute paths, so it holds for this folder where it is now. Where the
    folder cannot be written to, or has a "?" in its path, it is made in memory.

    Through the connection no file can be written, and none outside of the folder be read.

    Args:
        root: the data folder.
        tables: those whose files are on this machine, where not all are; then the database is made
            in memory and has no others.
    """
    root = root.absolute()
    path = root / FILE_NAME
    state = _state(root) if tables is None else ""
    # DuckDB takes what follows a "?" in the path of a database for options.
    if tables is not None or not os.access(root, os.W_OK) or "?" in str(root):
        connection = duckdb.connect()
        _fill(connection, root, state, TABLES if tables is None else tables)
    else:
        if _state_of(path) != state:
            with atomic_path(path) as unfinished, duckdb.connect(str(unfinished)) as fresh:
                _fill(fresh, root, state)
        connection = duckdb.connect(str(path), read_only=True)
    # Patterns are looked up among these as they are written.
    allowed = ", ".join(text_literal(f"{it}/") for it in (root, escaped(root)))
    connection.execute(f"SET allowed_directories = [{allowed}]")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
    return connection


def _fill(
    connection: duckdb.DuckDBPyConnection,
    root: Path,
    state: str,
    tables: Collection[str] = tuple(TABLES),
) -> None:
    """Make views of those tables of which there are files, and that of published figures."""
    for name in {*tables} - {*missing(root)}:
        table = TABLES[name]
        connection.execute(f"CREATE VIEW {name} AS {table.query(root)}")
        connection.execute(f"COMMENT ON VIEW {name} IS {text_literal(table.says)}")
    connection.register("figures", published().to_arrow(compat_level=pl.CompatLevel.oldest()))
    connection.execute(f"CREATE TABLE {PUBLISHED} AS SELECT * FROM figures")
    connection.unregister("figures")
    connection.execute(f"COMMENT ON TABLE {PUBLISHED} IS {text_literal(_STATE + state)}")


_STATE = "figures that Backblaze has published; made from "


def _state_of(path: Path) -> str | None:
    """The state of the folder that a database was made for; None for what is no such database."""
    if not path.is_file():
        return None
    try:
        with duckdb.connect(str(path), read_only=True) as connection:
            row = connection.execute(
                "SELECT comment FROM duckdb_tables() WHERE table_name = ?", [PUBLISHED]
            ).fetchone()
    except duckdb.Error:
        return None
    return str(row[0]).removeprefix(_STATE) if row else None


def _state(root: Path) -> str:
    """A digest that changes whenever views have to be made anew: files, code, or place.

    A file that is replaced changes the time of its folder.
    """
    parts = [str(root), duckdb.__version__, digest([published().write_csv()])]
    for name in sorted(TABLES.keys() - missing(root)):
        table = TABLES[name]
        parts += [name, table.query(root)]
        folders = {path.parent for path in table.paths(root)}
        parts += [f"{folder} {folder.stat().st_mtime_ns}" for folder in sorted(folders)]
    return digest(parts)
