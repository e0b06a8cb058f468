"""What the import of a daily CSV must give, told slowly and simply, without Arrow or Polars."""

import csv
import io
import re
from dataclasses import dataclass, field
from datetime import date, datetime

TRUTH = {"true": "1", "false": "0"}


@dataclass
class Expected:
    """Rows kept, as tuples of text and integers after the date, and counts."""

    rows: list[tuple[str | int | None, ...]] = field(default_factory=list)
    set_aside: int = 0
    duplicates: int = 0
    dates_differing: int = 0
    rounded: int = 0
    unusable: int = 0
    rewritten: int = 0
    trimmed: int = 0


def expected(content: bytes, day: date) -> Expected:
    """What a CSV whose records are in order, quoted or not, must give."""
    text = content.decode().replace("\r\n", "\n").replace("\r", "\n")
    header, *records = csv.reader(io.StringIO(text, newline=""))
    found = Expected()
    serials: set[str] = set()
    for record in records:
        if not record:
            continue
        if len(record) != len(header):
            found.set_aside += 1
            continue
        fields = dict(zip(header, record, strict=True))
        failure = integer(fields["failure"], 7, truth=True)[0]
        serial = fields["serial_number"].strip()
        if not serial or not fields["model"].strip() or failure not in (0, 1):
            found.set_aside += 1
        elif serial in serials:
            found.set_aside += 1
            found.duplicates += 1
        else:
            serials.add(serial)
            found.rows.append(tuple(value(found, name, fields[name]) for name in header[1:]))
            meant = day_meant(fields["date"])
            found.dates_differing += meant != day
            plain = re.fullmatch(r"\d{4}-\d\d-\d\d", fields["date"])
            found.rewritten += meant is not None and not plain
    return found


def value(found: Expected, name: str, text: str) -> str | int | None:
    bits = {"capacity_bytes": 63, "failure": 7}.get(name)
    if name.startswith("smart_"):
        bits = 15 if name.endswith("normalized") else 63
    if bits is None:
        found.trimmed += text.strip() != text
        return text.strip() or None
    number, form = integer(text, bits, truth=name == "failure")
    found.rewritten += form == "rewritten"
    found.rounded += form == "rounded"
    found.unusable += form == "unusable"
    return number


def integer(text: str, bits: int, *, truth: bool) -> tuple[int | None, str]:
    """The integer meant by a field and how it is written."""
    text = text.strip()
    if not text:
        return None, "blank"
    plain = TRUTH.get(text.lower(), text) if truth else text
    whole = re.fullmatch(r"([+-]?[0-9]+)(\.0*)?", plain)
    if not whole or not -(2**bits) <= int(whole[1]) < 2**bits:
        rounded = re.fullmatch(r"[+-]?[0-9]+(\.[0-9]*)?[eE][+-]?[0-9]+", text)
        return None, "rounded" if rounded else "unusable"
    return int(whole[1]), "plain" if whole[0] == whole[1] == text else "rewritten"


def day_meant(text: str) -> date | None:
    text = re.sub(r"[T ]0?0:00(:00(\.0+)?)?(Z|\+00:00)?$", "", text.strip())
    for form in ("%Y-%m-%d", "%Y/%m/%d", "%m/%d/%y", "%m/%d/%Y"):
        try:
            return datetime.strptime(text, form).date()  # noqa: DTZ007
        except ValueError:
            continue
    return None
