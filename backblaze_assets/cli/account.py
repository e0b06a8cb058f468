"""What became of the data: of each zip its days and rows, used, set aside, left out."""

from collections.abc import Iterator
from datetime import date

from rich.table import Table
from rich.text import Text

from backblaze_assets.drive_stats.quarters import days_of, quarter_name
from backblaze_assets.lineage.ledger import Materialization
from backblaze_assets.lineage.status import UNREADABLE_DAYS, Lineage

_ROWS = {"rows in": "rows_in", "kept": "dagster/row_count", "set aside": "rows_set_aside"}
"""Figures of an imported quarter, by their headings."""


def account_of(lineage: Lineage) -> Table:
    """A row for each zip or folder with data, and the sum: quarters, days, rows, files left out.

    Days are those that have a file, and how many the calendar has. Rows are those of quarters that
    are imported.
    """
    table = Table("data", box=None)
    for heading in ("quarters", "days", "of", *_ROWS, "files left out"):
        table.add_column(heading, justify="right")
    counted: list[list[int | None]] = []
    for name, quarters in _served(lineage).items():
        names = [quarter_name(quarter) for quarter in quarters]
        span = names[0] if len(names) == 1 else f"{names[0]} to {names[-1]}"
        counts = _counts(lineage, quarters)
        counted.append(counts)
        table.add_row(Text(name), span, *map(_shown, counts))
    if len(counted) > 1:
        sums = [
            sum(found) if (found := [n for n in column if n is not None]) else None
            for column in zip(*counted, strict=True)
        ]
        table.add_row("all", "", *map(_shown, sums))
    return table


def set_aside(lineage: Lineage) -> Iterator[str]:
    """Where it stands why rows are set aside, if any are."""
    made = lineage.ledger.all("raw_quarter").values()
    rows = sum(int(each.metadata["rows_set_aside"]) for each in made)
    if rows:
        yield (
            f"Rows set aside: {rows:,}. Why: `backblaze-assets sql "
            '"SELECT reason, sum(rows) AS rows FROM rejects GROUP BY reason"`.'
        )


def _served(lineage: Lineage) -> dict[str, list[date]]:
    served: dict[str, list[date]] = {}
    for quarter in lineage.view.calendar.quarters:
        archive = lineage.view.archives.get(quarter)
        name = archive.path.name if archive else "imported; the zip is gone"
        served.setdefault(name, []).append(quarter)
    return served


def _counts(lineage: Lineage, quarters: list[date]) -> list[int | None]:
    imported = [
        made for quarter in quarters if (made := lineage.ledger.get("raw_quarter", str(quarter)))
    ]
    rows = [
        sum(int(made.metadata[figure]) for made in imported) if imported else None
        for figure in _ROWS.values()
    ]
    return [
        sum(len(lineage.view.calendar.days(quarter)) for quarter in quarters),
        sum(len(days_of(quarter)) for quarter in quarters),
        *rows,
        _left_out(lineage, quarters, imported),
    ]


def _left_out(lineage: Lineage, quarters: list[date], imported: list[Materialization]) -> int:
    archives = lineage.view.archives
    left_out = {
        (each.path, each.name)
        for quarter in quarters
        if quarter in archives
        for each in archives[quarter].account(quarter)
    }
    return len(left_out) + sum(len(made.metadata.get(UNREADABLE_DAYS, {})) for made in imported)


def _shown(count: int | None) -> str:
    return "–" if count is None else f"{count:,}"
