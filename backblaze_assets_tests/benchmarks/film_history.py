"""The history that the film's benchmarks draw: 512,600 drives, 2013-04-10 to 2026-06-30.

Made by the developers' tool where it is at hand: real up to 2016-09-30, after that simulated from
published counts. Without it, a made-up fleet of the same size.
"""

import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from backblaze_assets.drive_stats.lifetimes import COUNT_SCHEMA, COUNTED, Lifetimes
from backblaze_assets.drive_stats.quarters import next_quarter
from backblaze_assets.film.extend import extend
from backblaze_assets.film.layout import FilmLayout
from backblaze_assets.film.style import Style
from backblaze_assets_tests.film import fleets
from backblaze_assets_tests.real_data import SHARED

START, LAST = date(2013, 4, 10), date(2026, 6, 30)
TOOL = SHARED / "tools" / "fleet_to_2026.py"


def lifetimes(work: Path) -> list[Path]:
    """A folder as `drive_lifetimes` writes it for each quarter, made when it is not there yet."""
    folder = work / "lifetimes"
    if not folder.exists():
        if TOOL.exists():
            command = [sys.executable, str(TOOL), str(folder), "--quarters"]
            subprocess.run(command, check=True, capture_output=True)
            _write_counts(folder)
        else:
            drives = made_up_fleet(512_600, 100, (LAST - START).days + 1)
            for quarter in fleets.quarters(START, LAST):
                end = min(LAST, next_quarter(quarter) - timedelta(days=1))
                tables = fleets.lifetimes(fleets.known_on(drives, end), fleets.calendar(end))
                target = folder / str(quarter)
                target.mkdir(parents=True)
                for name in ("drives", "spells", "days", "capacities", "counts"):
                    getattr(tables, name).write_parquet(target / f"{name}.parquet")
            _write_counts(folder)
    return sorted(folder.iterdir())


def _write_counts(folder: Path) -> None:
    """Write `counts.parquet` of each quarter, as if every drive reported on every day."""
    quarters = sorted(folder.iterdir())
    counts = _counts(pl.read_parquet(quarters[-1] / "drives.parquet"))
    for tables in quarters:
        quarter = date.fromisoformat(tables.name)
        known = pl.col("date").is_between(quarter - COUNTED, next_quarter(quarter), closed="left")
        counts.filter(known).write_parquet(tables / "counts.parquet")


def _counts(drives: pl.DataFrame) -> pl.DataFrame:
    """Drives and failures of each model on each day of the history."""
    days = np.arange((LAST - START).days + 1)
    parts = []
    for (model,), some in drives.group_by("model"):
        came = np.sort(_days(some["first_seen"]))
        failed = np.sort(_days(some["failed_on"].drop_nulls()))
        gone = some.filter(pl.col("failed_on").is_null())["removed_on"].drop_nulls()
        left = np.sort(np.concatenate([failed + 1, _days(gone)]))
        count = np.searchsorted(came, days, "right") - np.searchsorted(left, days, "right")
        failures = np.searchsorted(failed, days, "right") - np.searchsorted(failed, days)
        parts.append(
            pl.DataFrame({"day": days, "drives": count, "failures": failures})
            .filter(pl.col("drives") > 0)
            .select(
                "drives",
                "failures",
                date=pl.lit(START) + pl.duration(days="day"),
                model=pl.lit(model),
            )
        )
    return pl.concat(parts).select(*COUNT_SCHEMA).cast(dict(COUNT_SCHEMA)).sort("date", "model")


def layouts(work: Path, style: Style) -> dict[Path, FilmLayout]:
    """The layout of each quarter, by the folder of its lifetimes."""
    folder = work / f"layouts-{style.layout_version}"
    folder.mkdir(exist_ok=True)
    found: dict[Path, FilmLayout] = {}
    previous: FilmLayout | None = None
    for tables in lifetimes(work):
        path = folder / f"{tables.name}.json"
        if not path.exists():
            quarter, known = date.fromisoformat(tables.name), Lifetimes.load(tables)
            layout = extend(previous, quarter, known, known.counts, style)
            path.write_text(layout.to_json(), "utf-8")
        previous = found[tables] = FilmLayout.from_json(path.read_text("utf-8"))
    return found


def _days(dates: pl.Series) -> np.ndarray:
    return (dates - START).dt.total_days().to_numpy()


def made_up_fleet(drives: int, models: int, days: int) -> pl.DataFrame:
    """Drives of a fleet that grows, each model for two years, with 1.4 % failures a year."""
    random = np.random.default_rng(1)
    model = np.sort(random.choice(models, drives, p=random.dirichlet(np.full(models, 0.4))))
    begin = np.sqrt(np.arange(models) / models) * (days - 100)
    first = np.minimum(begin[model] + random.random(drives) * 700, days - 1).astype(int)
    first[: drives // 25] = 0
    failed = first + random.exponential(365 / 0.014, drives).astype(int)
    removed = first + random.integers(1600, 3000, drives)
    fails = (failed < removed) & (failed < days)
    leaves = ~fails & (removed < days)
    frame = pl.DataFrame(
        {"number": np.arange(drives), "m": model, "first": first, "failed": failed, "gone": removed}
    )
    start = pl.lit(START)
    return fleets.with_slots(
        frame.select(
            serial_number=pl.format("S{}", pl.col("number").cast(pl.String).str.zfill(7)),
            model=pl.format("ST{}NM{}", 4000 + 100 * pl.col("m"), pl.col("m").cast(pl.String)),
            maker=pl.lit("Seagate"),
            boot=pl.lit(value=False),
            capacity_bytes=(4 + pl.col("m").cast(pl.Int64) // 5) * 10**12,
            first_seen=start + pl.duration(days="first"),
            failed_on=pl.when(pl.Series(fails)).then(start + pl.duration(days="failed")),
            removed_on=pl.when(pl.Series(leaves)).then(start + pl.duration(days="gone")),
        )
    )
