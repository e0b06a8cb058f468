"""Tables for the terminal: as many columns as there is room for, the least telling left out."""

import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

ALWAYS = 9
"""The worth of a column without which a table would say nothing."""


@dataclass(frozen=True)
class Column:
    """A column of a table for the terminal: its heading, what stands in it, how much it matters.

    Those with the lowest `worth` are left out first where the line is too short.
    """

    heading: str
    text: Callable[[Mapping[str, Any]], str]
    worth: int
    left: bool = False


def table_lines(
    keys: Sequence[Column],
    figures: Sequence[Column],
    body: Sequence[Mapping[str, Any]],
    feet: Sequence[Mapping[str, Any]],
    width: int | None,
) -> list[str]:
    """The lines of a table with as many columns as there is room for.

    The `label` of a row below the table takes the place of its keys.
    """
    kept, gap = [*keys, *figures], 2

    def size(column: Column) -> int:
        rows = body if column in keys else [*body, *feet]
        return max(len(text) for text in [column.heading, *map(column.text, rows)])

    def span(columns: Sequence[Column]) -> int:
        return sum(map(size, columns)) + gap * (len(columns) - 1)

    labels = max((len(row["label"]) for row in feet), default=0)

    def needed() -> int:
        own = [column for column in kept if column in keys]
        return span(kept) + max(0, labels - span(own))

    while width is not None and needed() > width:
        least = min(kept, key=lambda column: column.worth)
        if least.worth == ALWAYS:
            break
        if gap == 2 and least.worth > 1:
            gap = 1
        else:
            kept.remove(least)
            gap = 2
    own = [column for column in kept if column in keys]
    shown = [column for column in kept if column not in keys]
    sizes = {column.heading: size(column) for column in kept}
    name = next((column.heading for column in own if column.worth == ALWAYS), own[0].heading)
    sizes[name] += max(0, labels - span(own))
    over = max(0, needed() - (width or needed()))
    sizes[name] -= min(over, max(0, sizes[name] - 4))
    space = " " * gap
    room = sum(sizes[column.heading] for column in own) + gap * (len(own) - 1)

    def cells(columns: Sequence[Column], texts: Iterable[str]) -> str:
        return space.join(
            _fitted(text, sizes[column.heading], left=column.left)
            for column, text in zip(columns, texts, strict=True)
        )

    def line(row: Mapping[str, Any], head: str) -> str:
        return space.join([head, cells(shown, (column.text(row) for column in shown))]).rstrip()

    heading = cells(kept, (column.heading for column in kept))
    rule = "─" * len(heading)
    lines = [heading.rstrip(), rule]
    lines += [line(row, cells(own, (column.text(row) for column in own))) for row in body]
    if feet:
        lines += [rule, *(line(row, _fitted(row["label"], room, left=True)) for row in feet)]
    return lines


def _fitted(text: str, room: int, *, left: bool) -> str:
    shown = text if len(text) <= room else text[: room - 1] + "…"
    return f"{shown:<{room}}" if left else f"{shown:>{room}}"


def wrapped(text: str, width: int | None, hang: int = 0) -> list[str]:
    """The lines of a text; those after the first are indented by `hang`.

    No line breaks before a "%". Without a width the text is one line.
    """
    if width is None:
        return [text]
    unbroken = text.replace(" %", "\N{NO-BREAK SPACE}%")
    return textwrap.wrap(unbroken, width, subsequent_indent=" " * hang) or [""]
