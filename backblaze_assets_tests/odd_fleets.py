"""Odd little fleets through all assets: one drive, no failure, quarters missing, days far apart.

    python -m backblaze_assets_tests.odd_fleets --fleets 100 [--seed 1]

Promised is: everything is made, or what is not is named with what to do, as there is nothing that a
film could show; and drive days and failures are those of the rows. Fleets that broke a promise are
tests in `test_odd_fleets.py`.
"""

import argparse
import random
import sys
import tempfile
import traceback
import zipfile
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import polars as pl

from backblaze_assets.drive_stats.archive import archive_name
from backblaze_assets.drive_stats.quarters import FIRST_DAY, quarter_of
from backblaze_assets.errors import DataError
from backblaze_assets_tests.project import Project, Small, kept_project

HEADER = "date,serial_number,model,capacity_bytes,failure,smart_9_raw"
BOOT = ("DELLBOSS VD", "Seagate BarraCuda 120 SSD ZA250CM10003", "MTFDDAV240TCB")
MODELS = (
    *("ST4000DM000", "Hitachi HDS722020ALA330", "WDC WD30EFRX", "TOSHIBA MG07ACA14TA", "00MD00"),
    *("HGST HUH728080ALE600", "WDC  WUH721816ALE6L4", "X" * 60, "Ä <b>&|`model", *BOOT),
)
CAPACITIES = (4000787030016, 250059350016, 16000900661248, 0, -1, 600332565813390450, "")
HOURS = ("", 0, 1, 20_000, 90_000, 10**9, -5)
QUARTERS = (
    *(date(2013, 4, 1), date(2013, 7, 1), date(2013, 10, 1), date(2014, 1, 1), date(2014, 4, 1)),
    *(date(2015, 1, 1), date(2016, 1, 1)),
)
NO_FILM = ("has no data drives to show", "needs film_layout, which is not there yet")
"""What a fleet without data drives, or of which the first quarter has none, is told."""


@dataclass(frozen=True)
class Fleet:
    """The rows of each day."""

    days: dict[date, list[str]]

    def write(self, folder: Path) -> None:
        """Write the zips."""
        for day, rows in self.days.items():
            path = folder / archive_name(day)
            with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
                archive.writestr(f"{day}.csv", "\n".join([HEADER, *rows, ""]))

    def __str__(self) -> str:
        drives = {row.split(",")[1] for rows in self.days.values() for row in rows}
        return f"{len(drives)} drives, {len(self.days)} days from {min(self.days)}"


def make(seed: int) -> Fleet:
    """A fleet of one to 200 drives, on a few days of up to four quarters."""
    chance = random.Random(seed)
    models = BOOT if chance.random() < 0.1 else MODELS
    drives = [
        f"S{number:03},{chance.choice(models)},{chance.choice(CAPACITIES)}"
        for number in range(chance.choice([1, 1, 2, 5, 30, 200]))
    ]
    failing = chance.choice([0, 0.0005, 0.02, 0.3, 1])
    days: dict[date, list[str]] = {}
    dead: set[str] = set()
    for quarter in sorted(chance.sample(QUARTERS, chance.randint(1, 4))):
        first = max(quarter, FIRST_DAY)
        for offset in sorted(chance.sample(range(70), chance.choice([1, 2, 4, 8]))):
            day = first + timedelta(days=offset)
            days[day] = []
            for drive in drives:
                if (drive in dead and chance.random() < 0.9) or chance.random() < 0.1:
                    continue
                failed = chance.random() < failing
                if failed:
                    dead.add(drive)
                days[day].append(f"{day},{drive},{int(failed)},{chance.choice(HOURS)}")
    return Fleet(days)


def check(fleet: Fleet, root: Path, *targets: str) -> None:
    """Make assets of a fleet, by default all, in a new data folder.

    Raises:
        AssertionError: a promise is broken.
    """
    with kept_project(root, Small) as project:
        fleet.write(root)
        try:
            project.update(*targets)
        except DataError as error:
            others = [line for line in str(error).splitlines() if not any(map(line.count, NO_FILM))]
            if others:
                raise AssertionError("\n".join(others)) from error
        _check_counts(fleet, project)


def _check_counts(fleet: Fleet, project: Project) -> None:
    """Compare the drive days and failures of each quarter's table with the rows up to its end."""
    quarters = sorted({quarter_of(day) for day in fleet.days})
    assert [path.stem for path in sorted(project.root.glob("afr_table/*"))] == [*map(str, quarters)]
    for quarter in quarters:
        days = [rows for day, rows in fleet.days.items() if quarter_of(day) <= quarter]
        failed = [row for rows in days for row in rows if row.split(",")[4] == "1"]
        table = pl.read_parquet(project.file(f"afr_table/{quarter}.parquet"))
        models = table.filter(pl.col("kind") == "model", pl.col("window") == "lifetime")
        assert models["drive_days"].sum() == sum(map(len, days))
        assert models["failures"].sum() == len(failed)


def main() -> int:
    """Check random fleets; the exit code is 1 when one breaks a promise."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--fleets", type=int, default=100, help="how many")
    parser.add_argument("--seed", type=int, default=1, help="of the first one")
    arguments = parser.parse_args()
    broken = 0
    for seed in range(arguments.seed, arguments.seed + arguments.fleets):
        fleet = make(seed)
        said = "as promised"
        with tempfile.TemporaryDirectory() as folder:
            try:
                check(fleet, Path(folder, "data"))
            except Exception:  # noqa: BLE001 - whatever it is, it is a finding
                broken += 1
                said = traceback.format_exc()
        sys.stdout.write(f"seed {seed}: {fleet}: {said}\n")
        sys.stdout.flush()
    sys.stdout.write(f"{broken} of {arguments.fleets} fleets broke a promise\n")
    return int(broken > 0)


if __name__ == "__main__":
    sys.exit(main())
