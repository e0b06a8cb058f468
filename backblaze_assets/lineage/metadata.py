"""Metadata in the forms in which the UI shows them best."""

import base64
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import dagster as dg

from backblaze_assets.report.pictures import picture_of


def table(
    name: str, rows: Iterable[Mapping[str, str | int | float | None]]
) -> dict[str, dg.MetadataValue]:
    """The metadata `name`, a table that the UI shows without a click; none without rows.

    Args:
        name: of the metadata.
        rows: with the same columns each.
    """
    cells = [{name: "" if value is None else value for name, value in row.items()} for row in rows]
    records = [dg.TableRecord(row) for row in cells]
    return {name: dg.MetadataValue.table(records)} if records else {}


_WIDTH = 540
"""Pixels that the UI has room for on a laptop; it cuts what is wider."""


def viewed_picture(viewer: str, name: str, text: str) -> dg.MarkdownMetadataValue:
    """A picture that the UI takes from the viewer, so that the event is small.

    Args:
        viewer: the viewer's address.
        name: asset and file, such as `frames/2013-05-01.jpg`.
        text: what stands in its place where no viewer runs.
    """
    return dg.MetadataValue.md(f"![{text}]({viewer}/thumb/{name}?width={_WIDTH})")


def link(viewer: str | None, page: str) -> dict[str, dg.MetadataValue]:
    """The metadata `watch` or `open`, a link to a page of the viewer, if there is one."""
    name = "watch" if page == "film" else "open"
    return {name: dg.MetadataValue.url(f"{viewer}/{page}")} if viewer else {}


def chart(
    viewer: str | None, asset: str, path: Path, text: str, *, many: bool = False
) -> dict[str, dg.MetadataValue]:
    """The metadata `picture`: what says most of a table, in one look.

    The viewer draws it when somebody looks, which costs a run nothing. Without one it stands in
    the event, 5 to 15 KB.

    Args:
        viewer: the viewer's address, if there is one.
        asset: the table's asset.
        path: the partition's file or folder.
        text: what the picture shows, for those who do not see it.
        many: the asset has too many partitions for pictures inside events.
    """
    if viewer:
        address = f"{viewer}/chart/{asset}/{path.stem}.png?width={_WIDTH}"
        return {"picture": dg.MetadataValue.md(f"![{text}]({address})")}
    if many:
        return {}
    data = base64.b64encode(picture_of(asset, path, _WIDTH)).decode()
    return {"picture": dg.MetadataValue.md(f"![{text}](data:image/png;base64,{data})")}


def picture(jpeg: bytes, text: str) -> dg.MarkdownMetadataValue:
    """A small JPEG picture inside the event itself."""
    data = base64.b64encode(jpeg).decode()
    return dg.MetadataValue.md(f"![{text}](data:image/jpeg;base64,{data})")


def to_plain(value: object) -> dict[str, Any]:
    """Metadata in a form that JSON holds; `from_plain` makes it what it was."""
    match value:
        case dg.TableMetadataValue():
            return {"table": [dict(record.data) for record in value.records]}
        case dg.MarkdownMetadataValue():
            return {"md": value.md_str}
        case dg.UrlMetadataValue():
            return {"url": value.url}
        case dg.PathMetadataValue():
            return {"path": value.path}
        case dg.JsonMetadataValue():
            return {"json": value.data}
        case dg.MetadataValue():
            return {"value": value.value}
        case dict() | list():
            return {"json": value}
        case _:
            return {"value": value}


def from_plain(plain: Mapping[str, Any]) -> Any:  # noqa: ANN401 - as various as metadata are
    """What `to_plain` was given, as Dagster takes it."""
    ((kind, value),) = plain.items()
    match kind:
        case "table":
            return dg.MetadataValue.table([dg.TableRecord(row) for row in value])
        case "md":
            return dg.MetadataValue.md(value)
        case "url":
            return dg.MetadataValue.url(value)
        case "path":
            return dg.MetadataValue.path(value)
        case "json":
            return dg.MetadataValue.json(value)
        case _:
            return value
