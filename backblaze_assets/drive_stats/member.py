"""One day's CSV, wherever it lies: in a zip, gzipped, or as it is."""

from dataclasses import dataclass
from datetime import date
from enum import Enum, auto
from pathlib import Path

from backblaze_assets.drive_stats.reading import Stamp

LARGEST_DAY = 512 << 20
"""Bytes of a day's CSV at most; the largest up to 2026 has 138 million."""


class Packing(Enum):
    """How a CSV lies in its file."""

    DEFLATED = auto()
    STORED = auto()
    GZIPPED = auto()
    PLAIN = auto()


@dataclass(frozen=True)
class Member:
    """One day's CSV.

    Attributes:
        day: the day that its name says.
        path: the file that it lies in: a zip, or the CSV or its gzip itself.
        stamp: what `path` was when it was looked at.
        name: its full name inside the zip, with `/` between folders; the file's name otherwise.
        packing: how it lies there.
        crc: CRC-32 of the CSV; None where only reading tells.
        size: bytes of the CSV; None where only reading tells.
        compressed_size: bytes in the file.
        offset: where it begins in the file; in a zip, its local header.
        problem: why it cannot be imported, and what to do; empty where nothing is known so far.
    """

    day: date
    path: Path
    stamp: Stamp
    name: str
    packing: Packing
    crc: int | None
    size: int | None
    compressed_size: int
    offset: int = 0
    problem: str = ""

    @property
    def in_zip(self) -> bool:
        """Whether it lies in a zip."""
        return self.packing in (Packing.DEFLATED, Packing.STORED)

    def __str__(self) -> str:
        """How it is named to people."""
        return f"{self.path}: {self.name}" if self.in_zip else str(self.path)
