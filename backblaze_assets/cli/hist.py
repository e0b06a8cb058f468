"""How the values of a column are spread, for people and for programs."""

import csv
import io
import json
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, Literal

from backblaze_assets.cli.columns import ALWAYS, Column, table_lines, wrapped
from backblaze_assets.database.histogram import By, Histogram, histogram, said

MOST_GROUPS = 25
"""That a table for people shows."""

_BAR = 40
_EIGHTHS = " ▏▎▍▌▋▊▉█"
_LEVELS = "▁▂▃▄▅▆▇█"


def report(
    root: Path,
    column: str,
    *,
    model: str | None = None,
    by: By | None = None,
    form: Literal["table", "csv", "json"] = "table",
    width: int | None = None,
    local: Collection[str] | None = None,
) -> str:
    """How the values of a column of the raw data are spread; what `hist` prints.

    Args:
        root: the data folder.
        column: of the table `raw`.
        model: only rows whose model contains this.
        by: a line for each model, or for drive days with and without a failure.
        form: how to print it.
        width: most columns of a line, None for as many as it takes. For tables.
        local: tables whose files are on this machine; None for all.

    Raises:
        DataError: nothing is imported yet, or there is no such column or model.
    """
    found = histogram(root, column, model=model, by=by, local=local)
    if form != "table":
        rows = _rows(found)
        if form == "json":
            return json.dumps(rows, indent=1)
        text = io.StringIO()
        writer = csv.DictWriter(text, list(rows[0]) if rows else ["value"], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        return text.getvalue().rstrip("\n")
    share = 100 * found.filled / found.rows if found.rows else 0.0
    heading = f"{found.column}: {found.rows:,} drive days"
    heading += f" of models with {model!r}" if model else ""
    heading += f", {share:.1f} % of them with a value"
    lines = [*wrapped(heading, width), ""]
    if not found.filled:
        return "\n".join(lines[:-1])
    lines += _by_group(found, by, width) if by else _whole(found, width)
    return "\n".join(lines)


def _whole(found: Histogram, width: int | None) -> list[str]:
    """A line with a bar for each bin."""
    most = max(each.rows for each in found.bins)
    body: list[dict[str, Any]] = [{"label": each.label, "rows": each.rows} for each in found.bins]
    if found.other:
        body.append({"label": "rarer values", "rows": found.other})
    keys = [Column("value", lambda row: row["label"], ALWAYS, left=True)]
    figures = [
        Column("drive days", lambda row: f"{row['rows']:,}", 6),
        Column("%", lambda row: _percent(row["rows"], found.filled), ALWAYS),
        Column("", lambda row: bar(row["rows"] / most, _BAR), 5, left=True),
    ]
    return table_lines(keys, figures, body, [], width)


def _by_group(found: Histogram, by: By | None, width: int | None) -> list[str]:
    """A line for each group, with the shape of its histogram."""
    body = [
        {"name": each.name, "rows": each.rows, "middle": each.quartiles, "counts": each.counts}
        for each in found.groups[:MOST_GROUPS]
    ]
    keys = [Column(by or "", lambda row: row["name"], ALWAYS, left=True)]
    figures = [Column("drive days", lambda row: f"{row['rows']:,}", 3)]
    if any(each.quartiles for each in found.groups):
        figures += [
            Column("lower", lambda row: _rounded(row["middle"][0]), 4),
            Column("median", lambda row: _rounded(row["middle"][1]), 7),
            Column("upper", lambda row: _rounded(row["middle"][2]), 4),
        ]
    figures.append(Column("spread", lambda row: shape(row["counts"]), ALWAYS, left=True))
    lines = table_lines(keys, figures, body, [], width)
    first, last = found.bins[0].label, found.bins[-1].label
    said_of = (
        f"Spread: {len(found.bins)} bins from {first} to {last}, each line against its own largest."
        if len(found.bins) > 1
        else f"All values are {first}."
    )
    lines += ["", *wrapped(said_of, width)]
    if len(found.groups) > MOST_GROUPS:
        text = f"The first {MOST_GROUPS} of {len(found.groups)}; --format csv has all."
        lines += wrapped(text, width)
    return lines


def bar(share: float, length: int) -> str:
    """A bar of up to `length` characters; what is more than nothing can be seen."""
    eighths = round(8 * length * share)
    if share > 0:
        eighths = max(eighths, 1)
    full, rest = divmod(eighths, 8)
    return "█" * full + (_EIGHTHS[rest] if rest else "")


def shape(counts: Sequence[int]) -> str:
    """One character for each count, as high as it is beside the largest; a blank for none."""
    most = max(counts, default=0)
    return "".join(
        " " if not count else _LEVELS[min(int(len(_LEVELS) * count / most), len(_LEVELS) - 1)]
        for count in counts
    )


def _rounded(value: float) -> str:
    return said(round(value) if abs(value) >= 100 else value)


def _percent(rows: int, of: int) -> str:
    share = 100 * rows / of
    return f"{share:.1f}" if share >= 0.05 or not rows else f"{share:.1g}"


def _rows(found: Histogram) -> list[dict[str, Any]]:
    """A row for each bin, and with groups for each group and bin."""

    def row(place: int, rows: int) -> dict[str, Any]:
        each = found.bins[place]
        return {"value": each.label, "low": each.low, "high": each.high, "drive_days": rows}

    if not found.groups:
        return [row(place, each.rows) for place, each in enumerate(found.bins)]
    return [
        {"group": group.name, **row(place, rows)}
        for group in found.groups
        for place, rows in enumerate(group.counts)
        if rows
    ]
