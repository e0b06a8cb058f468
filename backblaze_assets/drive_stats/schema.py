"""The columns of the daily CSVs: which there are, of which type, and what a header must have.

Eras differ in their columns, 85 in 2013 and 197 in 2024, and in their order; nothing was ever
removed or renamed. So columns are found by name, and new ones are let through.
"""

import csv
import re
from collections import Counter
from collections.abc import Sequence
from datetime import date

import pyarrow as pa

from backblaze_assets.errors import DataError

REQUIRED = ("date", "serial_number", "model", "capacity_bytes", "failure")

LOCATION = (  # since 2023; ids such as 0007 are text
    "datacenter",
    "cluster_id",
    "vault_id",
    "pod_id",
    "pod_slot_num",
    "is_legacy_format",
)

HEADER_ONLY_DAYS = frozenset({date(2014, 11, 2), date(2015, 11, 1), date(2017, 1, 30)})
"""Days whose published CSV has a header and no row."""

SMART_IDS = frozenset(
    {1, 2, 3, 4, 5, 7, 8, 9, 10, 11, 12, 13, 15, 183, 184, 187, 188, 189, 190, 191, 192, 193, 194}
    | {195, 196, 197, 198, 199, 200, 201, 223, 225, 240, 241, 242, 250, 251, 252, 254, 255}  # 2013
    | {22, 220, 222, 224, 226}  # 2015
    | {16, 17, 23, 24, 168, 170, 173, 174, 177, 179, 181, 182, 218, 231, 232, 233, 235}  # 2018
    | {18}  # 2019
    | {175, 180, 202, 206, 210, 234, 245, 247, 248}  # 2020
    | {160, 161, 163, 164, 165, 166, 167, 169, 171, 172, 176, 178, 230, 244, 246}  # 2021
    | {27, 71, 82, 90}  # 2023
    | {211, 212}  # 2024
)
"""The SMART attributes of all eras up to 2026, by the year in which they came in."""

MOST_COLUMNS = 1000
"""Columns of a CSV at most; there are 197 in 2026."""

UNNAMED = "unnamed_"
"""How the name of a column without one begins here; its number in the header follows."""

LONGEST_NAME = 200
"""Characters of a column's name at most."""

_OTHER_SEPARATORS = {"\t": "tabs", ";": "semicolons", "|": "vertical bars"}
_SMART = re.compile(r"smart_(\d+)_(normalized|raw)", re.ASCII)
_MISSPELT = re.compile(r"(smart_\d+_)normailized", re.ASCII)

_TYPES = {
    "date": pa.date32(),
    "capacity_bytes": pa.int64(),
    "failure": pa.int8(),
}


def column_names(header: str, where: str) -> list[str]:
    """The columns that a header line names.

    `smart_211_normailized` gets its right name, known names may be in upper case, each may be
    quoted, and a column without a name is called `unnamed_1` if it is the first.

    Args:
        header: the CSV's first line, without its end.
        where: the zip and member, for messages.

    Raises:
        DataError: a required column is missing, or two columns have the same name, or there are
            more than `MOST_COLUMNS`.
    """
    if header.count(",") >= MOST_COLUMNS:
        raise DataError(
            f"{where}, line 1: more than {MOST_COLUMNS:,} columns. It is not a CSV of daily drive "
            "statistics; use the file as published."
        )
    if kind := _kind(header):
        raise DataError(f"{where}, line 1: {kind}; it begins with {header[:40]!r}.")
    fields = _fields(header, where)
    names = [_column_name(name.strip(), number) for number, name in enumerate(fields, 1)]
    missing = [name for name in REQUIRED if name not in names]
    if missing:
        raise DataError(
            f"{where}, line 1: {_cause(header)}no column {', '.join(missing)}. The header must "
            f"name {', '.join(REQUIRED)}; it begins with {header[:80]!r}."
        )
    odd = next((name for name in names if not name.isprintable()), None)
    if odd is not None:
        raise DataError(
            f"{where}, line 1: control characters in the name {odd!r}. Mend the header."
        )
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise DataError(
            f"{where}, line 1: more than one column {', '.join(twice)}. Remove all but one."
        )
    return names


def _fields(header: str, where: str) -> list[str]:
    """The fields of a header line, without their quotes."""
    try:
        fields = next(csv.reader([header], strict=True)) if '"' in header else header.split(",")
    except csv.Error as error:
        raise DataError(
            f"{where}, line 1: {error}. Mend the header; it begins with {header[:80]!r}."
        ) from error
    if max(map(len, fields)) > LONGEST_NAME:
        raise DataError(
            f"{where}, line 1: a name of more than {LONGEST_NAME} characters. It is not a CSV of "
            f"daily drive statistics; it begins with {header[:80]!r}."
        )
    return fields


def _column_name(name: str, number: int) -> str:
    if not name:
        return f"{UNNAMED}{number}"
    lower = _MISSPELT.sub(r"\1normalized", name.lower())
    return lower if _is_known(lower) or _SMART.fullmatch(lower) else name


def _kind(header: str) -> str:
    """What a file is whose first line is no header, and what to do; empty where that is unknown."""
    start = header.lstrip("\ufeff \t").lower()
    if not start:
        return "there is no header. Remove blank lines before it, or use the file as published"
    if not start.strip("\0"):
        return "there are only zero bytes. It was not written to its end; copy or fetch it again"
    return next((kind for begin, kind in _KINDS.items() if start.startswith(begin)), "")


_CSV = "one CSV a day, as published, is needed"
_KINDS = {
    "<!doctype": f"this is a web page; {_CSV}",
    "<html": f"this is a web page; {_CSV}",
    "<?xml": f"this is XML; {_CSV}",
    "{": f"this is JSON; {_CSV}",
    "[": f"this is JSON; {_CSV}",
    "pk\x03\x04": f"this is a zip or an Excel workbook; {_CSV}",
    "par1": f"this is Parquet; {_CSV}",
    "\x1f": f"this is gzipped; {_CSV}",
    "7z\ufffd": f"this is packed with 7-Zip; {_CSV}",
    "sep=": "this line is for Excel. Remove it, so that the file begins with the names of columns",
    "#": "this is a comment. Remove it, so that the file begins with the names of columns",
}
"""What files are that begin so, in small letters."""


def _cause(header: str) -> str:
    """Why a header might name no column, for the beginning of a message."""
    for encoding, zeros in (("UTF-16", "\0"), ("UTF-32", "\0\0\0")):
        if zeros.join("serial") in header.lower():
            return f"the file is {encoding}, not UTF-8: save it as UTF-8. There is "
    if "'serial_number'" in header.lower():
        return "the fields are in single quotes: save it with double ones or without. There is "
    for separator, name in _OTHER_SEPARATORS.items():
        if set(REQUIRED) <= {part.strip(' "').lower() for part in header.split(separator)}:
            return f"the fields are separated by {name}: save it with commas. There is "
    return ""


def column_type(name: str) -> pa.DataType:
    """Arrow type of a column; text unless it is known to be something else."""
    if match := _SMART.fullmatch(name):
        return pa.int16() if match[2] == "normalized" else pa.int64()
    return _TYPES.get(name, pa.string())


def unknown_columns(names: Sequence[str]) -> list[str]:
    """Those of `names` that no era up to 2026 has."""
    return [name for name in names if not _is_known(name)]


def _is_known(name: str) -> bool:
    match = _SMART.fullmatch(name)
    return int(match[1]) in SMART_IDS if match else name in REQUIRED or name in LOCATION
