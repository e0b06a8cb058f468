"""Small zips in the published layout, made by hand."""

import zipfile
from collections.abc import Mapping
from datetime import date
from pathlib import Path

HEADER = (
    "date,serial_number,model,capacity_bytes,failure,"
    "smart_1_normalized,smart_1_raw,smart_9_normalized,smart_9_raw"
)


def row(
    serial: str = "S1",
    model: str = "ST4000DM000",
    capacity: str = "4000787030016",
    failure: str = "0",
    smart: str = "100,7,,4000",
    day: str = "2018-02-25",
) -> str:
    return f"{day},{serial},{model},{capacity},{failure},{smart}"


def csv(*rows: str, header: str = HEADER, end: str = "\n") -> bytes:
    return "".join(line + end for line in (header, *rows)).encode()


def write_zip(path: Path, days: Mapping[date, bytes], comment: bytes = b"", top: str = "") -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for day, content in days.items():
            file.writestr(f"{top}{day}.csv", content)
        file.comment = comment
    return path
