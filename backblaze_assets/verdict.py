"""What a check has found: whether it passed, said so that a person can act on it."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date

import polars as pl

from backblaze_assets.errors import printable

_MARKUP = re.compile(r"[\\`*_{}\[\]<>()#+!|~$&:]")

MOST_ROWS = 20
"""Rows of a table that are shown at most."""


@dataclass(frozen=True)
class Verdict:
    """The outcome of one check.

    Attributes:
        passed: whether all is as it ought to be.
        message: what was found and, where there is something to do, what.
        figures: numbers and texts by name.
        table: one row for each thing that is not as it ought to be, for people to read.
        at_fault: the partitions that are not as they ought to be; none where a check that did not
            pass cannot tell them from the others that it looked at.
    """

    passed: bool
    message: str
    figures: Mapping[str, int | float | str] = field(default_factory=dict)
    table: pl.DataFrame = field(default_factory=pl.DataFrame)
    at_fault: frozenset[date] = frozenset()

    def markdown(self) -> str:
        """The first `MOST_ROWS` rows of the table as Markdown, and how many there are beyond."""
        lines = [
            _line(map(markdown_text, self.table.columns)),
            _line(["--:" if kind.is_numeric() else "---" for kind in self.table.dtypes]),
            *(_line(_text(value) for value in row) for row in self.table.head(MOST_ROWS).rows()),
        ]
        more = self.table.height - MOST_ROWS
        return "\n".join([*lines, "", f"and {more:,} more"] if more > 0 else lines)


def markdown_text(text: str) -> str:
    """Text from the data as Markdown that shows just that text, on one line of a table."""
    return _MARKUP.sub(r"\\\g<0>", printable(text).replace("\n", "\\n"))


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _text(value: object) -> str:
    match value:
        case None:
            return ""
        case bool():
            return str(value)
        case int():
            return f"{value:,}"
        case float():
            return f"{value:,.4g}"
        case _:
            return markdown_text(str(value))
