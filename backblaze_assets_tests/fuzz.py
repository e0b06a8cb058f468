"""Mutates zips and CSVs at random and looks whether the import does what it promises of any input.

    python -m backblaze_assets_tests.fuzz --inputs 10000 [--seed 1] [--keep build/fuzz]

Promised is: the survey of a folder and the import of a day end with a result or a DataError that
names the file; rows in are rows kept and rows set aside; nothing takes more than `MOST_SECONDS`
of processor time or `MOST_MEMORY_MB`. Each input that breaks a promise is kept in a folder with
what happened, and becomes a test in `drive_stats/test_fuzz.py`, which also runs some of this.
"""

import argparse
import gzip
import io
import random
import sys
import tempfile
import time
import traceback
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import date
from pathlib import Path

import polars as pl

from backblaze_assets.drive_stats.importer import ImportFailedError, import_days
from backblaze_assets.drive_stats.survey import survey
from backblaze_assets.files.origin import Origin
from backblaze_assets_tests.drive_stats.zips import HEADER, csv, row

MOST_SECONDS = 10.0
MOST_MEMORY_MB = 700
ORIGIN = Origin("raw_quarter", None, "fuzz")
DAYS = [date(2016, 1, 1), date(2016, 1, 2), date(2016, 3, 31)]
FRAGMENTS = [
    *(b",", b'"', b'""', b"\n", b"\r", b"\r\n", b"\0", b"\xff", b"\xef\xbb\xbf", b" ", b"\t", b";"),
    *(b".0", b"1e9", b"-", b"0x1F", b"true", b"nan", b"9" * 40, b"PK\1\2", b"PK\3\4", b"PK\5\6"),
    *(b"\x1f\x8b\x08", b"\xd9\xa1", "é".encode(), b"smart_9_raw", b"2016-01-01", b",,,,,,,,,,,,"),
]


def make(chance: random.Random) -> dict[str, bytes]:
    """The files of a data folder, some of them mutated."""
    contents = {day: _csv(chance) for day in DAYS[: chance.randint(1, 3)]}
    match chance.randrange(4):
        case 0:
            files = {f"{day}.csv": content for day, content in contents.items()}
        case 1:
            files = {f"{day}.csv.gz": gzip.compress(text) for day, text in contents.items()}
        case _:
            files = {"data_Q1_2016.zip": _zip(chance, contents)}
    return {name: _mutated(chance, text) for name, text in files.items()}


def _csv(chance: random.Random) -> bytes:
    rows = [
        row(
            f"S{number % chance.randint(1, 50)}",
            chance.choice(["ST4000DM000", '"a,b"', " M ", '2.5" SSD', '"x\ny"']),
            chance.choice(["4000787030016", "-1", "4e12", "4.0"]),
            chance.choice(["0", "1", "0.0", "true", "x"]),
            chance.choice(["100,7,,4000", "1.0,,,", '"1","2","3","4"']),
        )
        for number in range(chance.choice([0, 1, 10, 200]))
    ]
    if chance.random() < 0.02:
        rows.append(chance.choice(["x\n", ",", '"', "1," * 8]) * chance.choice([10**5, 10**6]))
    header = chance.choice([*[HEADER] * 20, HEADER.upper(), HEADER.replace(",", ";")])
    content = csv(*rows, header=header, end=chance.choice(["\n", "\r\n", "\r"]))
    return _mutated(chance, content)


def _zip(chance: random.Random, contents: dict[date, bytes]) -> bytes:
    target = io.BytesIO()
    method = chance.choice([zipfile.ZIP_DEFLATED] * 5 + [zipfile.ZIP_STORED, zipfile.ZIP_BZIP2])
    with zipfile.ZipFile(target, "w", method) as file:
        for day, content in contents.items():
            top = chance.choice(["", "a/", "a\\", "é/", "__MACOSX/._"])
            with file.open(f"{top}{day}.csv", "w", force_zip64=chance.random() < 0.1) as member:
                member.write(content)
        file.comment = chance.choice([b"", b"SYNTHETIC", b"PK\5\6" * 9])
    return target.getvalue()


def _mutated(chance: random.Random, content: bytes) -> bytes:
    """`content`, most of the time as it is, with a few changes otherwise."""
    if chance.random() < 0.7:
        return content
    changed = bytearray(content)
    for _ in range(chance.choice([1, 1, 2, 8])):
        # Zips are decided at their end, CSVs at their beginning.
        near = chance.choice([64, 1000, len(changed) + 1])
        at = min(chance.randrange(near), len(changed))
        at = len(changed) - at if chance.random() < 0.5 else at
        match chance.randrange(6):
            case 0 if changed:
                changed[min(at, len(changed) - 1)] ^= 1 << chance.randrange(8)
            case 1:
                changed[at:at] = chance.choice(FRAGMENTS) * chance.choice([1, 1, 1, 50])
            case 2:
                del changed[at : at + chance.choice([1, 4, 100, len(changed)])]
            case 3:
                length = chance.choice([1, 2, 4, 8])
                changed[at : at + length] = chance.choice([b"\0", b"\xff"]) * length
            case 4:
                changed[at:at] = changed[: chance.choice([10, 100, len(changed)])]
            case _:
                changed[at : at + 4] = chance.randbytes(4)
    return bytes(changed)


def run(folder: Path) -> str:
    """Survey and import `folder`; how it ended, in a word.

    Raises:
        AssertionError: a promise is broken, other exceptions aside.
    """
    started = time.process_time()
    found = survey(folder)
    ended = "imported" if found.archives else "refused"
    for path, error in found.unusable.items():
        assert path.name in str(error), error
    for path, text in found.unused.items():
        assert path.name in text, text
    for quarter, archive in found.archives.items():
        archive.version(quarter)
        try:
            reports = import_days(archive, archive.days(quarter), folder / "raw", ORIGIN, workers=1)
        except ImportFailedError as error:
            reports = error.reports
            ended = "some days refused"
            for day, fault in error.failed.items():
                assert archive.members[day].path.name in str(fault), fault
                assert not isinstance(fault.__cause__, pl.exceptions.PanicException), fault
                assert not (folder / "raw" / f"{day}.parquet").exists()
        for report in reports:
            assert report.rows_in == report.rows_kept + report.rows_rejected
            assert report.drives == report.rows_kept
    seconds = time.process_time() - started
    assert seconds < MOST_SECONDS, f"{seconds:.1f} s"
    assert (memory := _peak_mb()) < MOST_MEMORY_MB, f"{memory:.0f} MB"
    return ended


def _peak_mb() -> float:
    """The most memory that this process has had, in MB; 0 where the system does not tell.

    From /proc, because `getrusage` counts what the process had before it became this program.
    """
    status = Path("/proc/self/status")
    lines = status.read_text(encoding="ascii").splitlines() if status.exists() else []
    return sum(int(it.split()[1]) for it in lines if it.startswith("VmHWM:")) / 1024


def fuzz(
    seeds: Iterable[int], keep: Path, say: Callable[[str], object]
) -> tuple[Counter[str], int]:
    """Try the random input of each seed; how they ended, and how many broke a promise."""
    ends: Counter[str] = Counter()
    broken = 0
    for seed in seeds:
        files = make(random.Random(seed))
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            for path, content in files.items():
                (folder / path).write_bytes(content)
            try:
                ends[run(folder)] += 1
            except KeyboardInterrupt:
                raise
            except BaseException as error:  # noqa: BLE001 - whatever escapes is a finding
                broken += 1
                say(f"seed {seed}: {type(error).__name__}: {error}")
                _keep(keep / str(seed), files)
    return ends, broken


def _keep(folder: Path, files: dict[str, bytes]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    (folder / "happened.txt").write_text(traceback.format_exc(), encoding="utf-8")


def main() -> int:
    """Run by hand; 1 when a promise was broken."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("--inputs", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, default=Path("build/fuzz"))
    arguments = parser.parse_args()
    with suppress(KeyboardInterrupt):
        seeds = range(arguments.seed, arguments.seed + arguments.inputs)
        ends, broken = fuzz(seeds, arguments.keep, _say)
        _say(f"{ends.total() + broken:,} inputs: {dict(ends)}; {broken} broke a promise")
        return int(broken > 0)
    return 130


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")


if __name__ == "__main__":
    sys.exit(main())
