"""How the report writes numbers, names and HTML."""

import re
from collections.abc import Iterable
from html import escape

NOTHING = "–"
"""Stands where there is no figure."""

_NARROW = "\N{NARROW NO-BREAK SPACE}"


def number(value: int | None) -> str:
    """A count with commas."""
    return NOTHING if value is None else f"{value:,}"


def decimals(value: float | None) -> str:
    """A rate without its sign: two decimals, one from 9.95 up."""
    if value is None:
        return NOTHING
    return f"{value:.1f}" if value >= 9.95 else f"{value:.2f}"


def percent(value: float | None) -> str:
    """A rate, its sign after a space at which no line breaks."""
    return NOTHING if value is None else f"{decimals(value)}{_NARROW}%"


def size(terabytes: float | None) -> str:
    """A capacity: `4 TB`."""
    return NOTHING if terabytes is None else f"{terabytes:g}{_NARROW}TB"


def anchor(model: str) -> str:
    """The id of a model's section; each model has its own, whatever it is called."""
    return "model-" + re.sub(r"[^A-Za-z0-9]", _in_id, model)


def _in_id(match: re.Match[str]) -> str:
    return "-" if match[0] == " " else f"_{ord(match[0]):x}_"


def tag(name: str, content: str = "", **attributes: str | float | None) -> str:
    """An element; `content` is HTML already, the values of attributes are escaped.

    An underscore at the end of an attribute's name is dropped, others become hyphens; those that
    are None are left out.
    """
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(str(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    return f"<{name}{written}>{content}</{name}>"


def joined(parts: Iterable[str]) -> str:
    """Names in a sentence: `A, B and C`."""
    names = list(parts)
    return f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else "".join(names)
