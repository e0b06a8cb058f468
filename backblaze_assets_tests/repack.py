"""Zips made from others: with other bytes, as one that is published anew, or with fewer days."""

import re
import zipfile
from datetime import date
from pathlib import Path

from backblaze_assets.drive_stats.quarters import quarter_of


def repack(path: Path, changed_day: str | None = None, column: str = "serial_number") -> None:
    """Write a zip anew: with the same content, or with a change in the last row of one day.

    Args:
        path: the zip.
        changed_day: the day, such as `2013-07-02`.
        column: where that row gets another value.
    """
    with zipfile.ZipFile(path) as old:
        comment, infos = old.comment, old.infolist()
        members = {info.filename: old.read(info) for info in infos}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as new:
        new.comment = comment + b"."  # so that the bytes differ in any case
        for name, content in members.items():
            changed = changed_day and name.endswith(f"/{changed_day}.csv") and "MACOSX" not in name
            new.writestr(name, _changed(content, column) if changed else content)


def _changed(csv: bytes, column: str) -> bytes:
    header, *rows, last = csv.decode().splitlines()
    values = last.split(",")
    values[header.split(",").index(column)] = "77" if column.startswith("smart_") else "ANOTHER1"
    return "\n".join([header, *rows, ",".join(values), ""]).encode()


def shortened(path: Path, folder: Path, days: int) -> Path:
    """A copy of a zip that has only the first days of each of its quarters.

    Args:
        path: the zip.
        folder: where to write the copy, under the same name.
        days: how many.
    """
    copy = folder / path.name
    with (
        zipfile.ZipFile(path) as whole,
        zipfile.ZipFile(copy, "w", zipfile.ZIP_DEFLATED) as short,
    ):
        for name in whole.namelist():
            if found := re.search(r"(\d{4}-\d\d-\d\d)\.csv$", name):
                day = date.fromisoformat(found[1])
                if (day - quarter_of(day)).days < days:
                    short.writestr(name, whole.read(name))
    return copy
