"""Metadata in the forms in which the UI shows them best."""

import base64
from collections.abc import Iterable, Mapping

import dagster as dg


def table(rows: Iterable[Mapping[str, str | int | float | None]]) -> dg.TableMetadataValue:
    """A table that the UI shows without a click; rows have the same columns, at least one row."""
    cells = [{name: "" if value is None else value for name, value in row.items()} for row in rows]
    return dg.MetadataValue.table([dg.TableRecord(row) for row in cells])


def picture(jpeg: bytes, text: str) -> dg.MarkdownMetadataValue:
    """A small JPEG picture inside the event itself."""
    data = base64.b64encode(jpeg).decode()
    return dg.MetadataValue.md(f"![{text}](data:image/jpeg;base64,{data})")
