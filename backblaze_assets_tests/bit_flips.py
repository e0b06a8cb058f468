"""Single bits that turn over in results: how many `verify` notices, how many are read in silence.

    python -m backblaze_assets_tests.bit_flips DATA --flips 600 --seed 1

DATA is a data folder with everything made. Each file is put back after its flip.
"""

import argparse
import random
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

from backblaze_assets.drive_stats.daily import write_daily_stats
from backblaze_assets.drive_stats.parquet import read_table
from backblaze_assets.drive_stats.tally import tally
from backblaze_assets.errors import DataError
from backblaze_assets.files.origin import Origin
from backblaze_assets.film.layout import read_layout
from backblaze_assets.film.whole import check_jpeg, check_video
from backblaze_assets.instance.opening import look_at_instance
from backblaze_assets.lineage.status import Lineage
from backblaze_assets.lineage.verifying import Result, look, results
from backblaze_assets.resources import Data


@dataclass
class Outcome:
    """How many bits were turned over, by kind of file, and what became of it.

    Attributes:
        flips: all of them.
        unnoticed: those that `verify` did not notice.
        refused: those that kept the file from being read for new work.
        silent: those after which something else was read, without a word.
        where: the places of the last two kinds: file, byte, bit.
    """

    flips: Counter[str] = field(default_factory=Counter)
    unnoticed: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    silent: Counter[str] = field(default_factory=Counter)
    where: list[tuple[str, int, int]] = field(default_factory=list)


def _raw(path: Path) -> list[object]:
    """What daily_stats and drive_lifetimes take from a raw day."""
    day = date.fromisoformat(path.stem)
    told, counted = tally({day: path})
    with TemporaryDirectory() as folder:
        target = Path(folder) / path.name
        write_daily_stats({day: path}, lambda _: target, {day: Origin("daily_stats", None, "")})
        stats = read_table(target).rows()
    return [told.sort(told.columns).rows(), counted.sort(counted.columns).rows(), stats]


def _frame(path: Path) -> bytes:
    content = path.read_bytes()
    check_jpeg(path, content)
    return content.rpartition(b"\xff\xdb")[2]


READERS: Mapping[str, Callable[[Path], object]] = {
    "raw_quarter.parquet": _raw,
    "daily_stats.parquet": lambda path: read_table(path).rows(),
    "drive_lifetimes.parquet": lambda path: read_table(path).rows(),
    "afr_table.parquet": lambda path: read_table(path).rows(),
    "survival.parquet": lambda path: read_table(path).rows(),
    "film_layout.json": lambda path: read_layout(path).to_json(),
    "frames.jpg": _frame,
    "movie_clip.mp4": check_video,
}
"""How files are read when something is made from them; of all others nothing is made."""


def flip_bits(lineage: Lineage, flips: int, seed: int) -> Outcome:
    """Turn over `flips` bits, as many in each kind of file."""
    chance = random.Random(seed)
    kinds: dict[str, list[Result]] = {}
    for result in results(lineage):
        if result.path.stat().st_size:
            kinds.setdefault(f"{result.asset}{result.path.suffix}", []).append(result)
    before: dict[Path, object] = {}
    outcome = Outcome()
    for number in range(flips):
        kind = sorted(kinds)[number % len(kinds)]
        result = chance.choice(kinds[kind])
        reader = READERS.get(kind)
        if reader and result.path not in before:
            before[result.path] = reader(result.path)
        content = result.path.read_bytes()
        byte, bit = chance.randrange(len(content)), chance.randrange(8)
        damaged = bytearray(content)
        damaged[byte] ^= 1 << bit
        result.path.write_bytes(damaged)
        try:
            _note(outcome, kind, lineage, result, reader, before.get(result.path), (byte, bit))
        finally:
            result.path.write_bytes(content)
    return outcome


def _note(
    outcome: Outcome,
    kind: str,
    lineage: Lineage,
    result: Result,
    reader: Callable[[Path], object] | None,
    expected: object,
    place: tuple[int, int],
) -> None:
    outcome.flips[kind] += 1
    if look(lineage, result) is None:
        outcome.unnoticed[kind] += 1
        outcome.where.append((f"unnoticed: {result.path}", *place))
    if reader is None:
        return
    try:
        if reader(result.path) != expected:
            outcome.silent[kind] += 1
            outcome.where.append((f"silent: {result.path}", *place))
    except DataError:
        outcome.refused[kind] += 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a table; 1 when a flip was not noticed, or read in silence."""
    parser = argparse.ArgumentParser(prog="python -m backblaze_assets_tests.bit_flips")
    parser.add_argument("data", type=Path)
    parser.add_argument("--flips", type=int, default=600)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    data = Data(options.data.absolute())
    with look_at_instance(data.root) as instance:
        found = flip_bits(data.lineage(instance), options.flips, options.seed)
    _say(f"{'':28}{'flips':>8}{'unnoticed':>11}{'refused':>9}{'silent':>8}")
    for kind in [*sorted(found.flips), "all"]:
        counts = [
            sum(it.values()) if kind == "all" else it[kind]
            for it in (found.flips, found.unnoticed, found.refused, found.silent)
        ]
        _say("{:28}{:8}{:11}{:9}{:8}".format(kind, *counts))
    for place in found.where:
        _say(" ".join(map(str, place)))
    return int(bool(found.where))


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")


if __name__ == "__main__":
    sys.exit(main())
