"""Cells, tables and figures of the page, as HTML."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from backblaze_assets.report.inputs import Inputs
from backblaze_assets.report.text import NOTHING, anchor, number, size, tag


def name(inputs: Inputs, row: Mapping[str, Any]) -> str:
    """A cell with a model's name, a link to its section, and on a phone what it is."""
    below = tag(
        "small",
        f"{escape(row['maker'])} {size(row['capacity_tb'])} · {number(row['drives_end'])} drives",
    )
    name = tag("a", escape(inputs.names[row["model"]]), href=f"#{anchor(row['model'])}")
    return tag("td", name + below, class_="name", data_value=row["model"])


def head(
    title: str, *, text: bool = False, mid: bool = False, far: bool = False, sorts: bool = True
) -> str:
    """The head of a column; a button if the table can be sorted by it.

    Args:
        title: what it says.
        text: the column is text, at the left.
        mid: it is left out on phones.
        far: it is left out on tablets, too.
        sorts: whether the table can be sorted by it.
    """
    classes = _classes(text=text, mid=mid, far=far)
    if not title:
        return tag("td", class_=classes)
    inside = tag("button", title, type="button") if sorts else title
    return tag("th", inside, scope="col", class_=classes)


def cell(
    content: str,
    *,
    text: bool = False,
    mid: bool = False,
    far: bool = False,
    name: str = "",
    value: float | None = None,
) -> str:
    """A cell; see `head` for where it is shown.

    Args:
        content: HTML.
        text: it is text, at the left.
        mid: it is left out on phones.
        far: it is left out on tablets, too.
        name: further classes.
        value: by which it is sorted.
    """
    classes = f"{_classes(text=text, mid=mid, far=far) or ''} {name}".strip()
    return tag("td", content, class_=classes or None, data_value=value)


def table(heads: str, rows: str) -> str:
    """A table that scrolls by itself where the page is too narrow."""
    head, body = tag("thead", tag("tr", heads)), tag("tbody", rows)
    return tag("div", tag("table", head + body), class_="wide", tabindex="0")


def _classes(*, text: bool, mid: bool, far: bool) -> str | None:
    names = [name for name, given in (("text", text), ("col-mid", mid), ("col-far", far)) if given]
    return " ".join(names) or None


def months(value: float | None) -> str:
    """An age."""
    return NOTHING if value is None else f"{value:.0f}"


def items(items: Sequence[str]) -> str:
    """A list of HTML."""
    return tag("ul", "".join(tag("li", item) for item in items))


def facts(pairs: Sequence[tuple[str, str]]) -> str:
    """Names with what is said of each; text."""
    inside = "".join(tag("dt", escape(name)) + tag("dd", escape(text)) for name, text in pairs)
    return tag("dl", inside, class_="facts")


def figure(title: str, chart: str, note: str = "") -> str:
    """A chart with its title, and a note below it."""
    caption = tag("figcaption", title)
    below = tag("p", note, class_="note") if note else ""
    return tag("figure", caption + chart + below)
