"""One row per drive ever seen up to the quarter's end: model, slot, first and last day, failure.

Each quarter continues the one before it, so that history is read once and never again. Beside the
drives stand the days of the history (which of them had a report, which only a partial one) and the
spells of drives that changed their model's name.
"""

from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl

from backblaze_assets.drive_stats import quality
from backblaze_assets.drive_stats.lifetimes import DRIVE_SCHEMA, Lifetimes, extend
from backblaze_assets.drive_stats.quarters import quarter_name
from backblaze_assets.files.stamps import kept
from backblaze_assets.lineage.checking import Scope
from backblaze_assets.lineage.metadata import chart, table
from backblaze_assets.lineage.parts import Part
from backblaze_assets.lineage.status import DAY_VERSIONS
from backblaze_assets.lineage.step import Step
from backblaze_assets.partitions import day_of
from backblaze_assets.verdict import Verdict
from backblaze_assets.work.progress import work


def drive_lifetimes(step: Step) -> None:
    """Continue the history quarter by quarter."""
    held: dict[Path, Lifetimes] = {}  # the last quarter, which the next one continues
    with work("drive_lifetimes", len(step.requested()), "quarters") as progress:
        for part in step.parts():
            with step.making(part.key):
                if all(kept(path, part.origin) for path in Lifetimes.files(part.path)):
                    made, version = Lifetimes.load(part.path), Lifetimes.stored_version(part.path)
                else:
                    made = _extended(step, part, held)
                    version = made.save(part.path, part.origin)
                step.made(part, version, made)
                held = {part.path: made}
            progress.advance(1)


def _extended(step: Step, part: Part, held: Mapping[Path, Lifetimes]) -> Lifetimes:
    """One quarter's lifetimes; `held` are lifetimes in memory, by their folder."""
    before = next(iter(part.inputs.get("drive_lifetimes", {}).values()), None)
    previous = held.get(before) or Lifetimes.load(before) if before else None
    raw = part.input("raw_quarter")
    imported = step.lineage.ledger.get("raw_quarter", part.key)
    facts = imported.metadata if imported else {}
    return extend(
        previous,
        {date.fromisoformat(day): raw / f"{day}.parquet" for day in sorted(facts[DAY_VERSIONS])},
        part.day,
        synthetic=bool(facts["synthetic"]),
    )


def metadata(part: Part, made: Lifetimes) -> Mapping[str, Any]:
    """The fleet at the quarter's end."""
    drives = made.drives
    in_service = drives.filter(pl.col("removed_on").is_null() & pl.col("failed_on").is_null())
    models = in_service.group_by("model").len().sort("len", "model", descending=[True, False])
    return {
        **chart(part.viewer, "drive_lifetimes", part.path, "drives in service by size"),
        "dagster/row_count": drives.height,
        "drives_in_service": in_service.height,
        "drives_new": drives.filter(pl.col("first_seen") >= part.day).height,
        "drives_failed": drives["failed_on"].count(),
        "failures": int(drives["failures"].sum()),
        "drive_days": int(drives["drive_days"].sum()),
        "models": drives["model"].n_unique(),
        "partial_days": int(made.days.filter(pl.col("date") >= part.day)["partial"].sum()),
        **table(
            "largest_models",
            (
                {"model": model, "drives in service": count}
                for model, count in models.head(10).iter_rows()
            ),
        ),
    }


def drives_once(scope: Scope) -> Verdict:
    """Every drive of the quarter's rows is there exactly once.

    By serial number for the rows of one day a week; exposure_agrees shows that none is lost of the
    others.
    """
    return quality.drives_once(
        (quarter, scope.path("drive_lifetimes", quarter), scope.raw(quarter))
        for quarter in scope.days
    )


def slots_gapless(scope: Scope) -> Verdict:
    """The slots of each model's drives are 0, 1, 2, ... up to their number."""
    return quality.slots_gapless(
        (quarter, scope.path("drive_lifetimes", quarter)) for quarter in scope.days
    )


def exposure_agrees(scope: Scope) -> Verdict:
    """The quarter's drive days and failures are those of daily_stats, model by model.

    Where daily_stats are not up to date, totals are compared with those of raw_quarter.
    """
    return quality.exposure_agrees(_added_and_counted(scope), "the daily counts")


def _added_and_counted(scope: Scope) -> Iterator[tuple[str, pl.DataFrame, pl.DataFrame]]:
    for made in scope.made:
        quarter = day_of(made.partition)
        history = scope.view.calendar.quarters
        at = history.index(quarter)
        before = scope.path("drive_lifetimes", history[at - 1]) if at else None
        folder = scope.path("drive_lifetimes", quarter)
        added = quality.exposure_of_quarter(folder, before)
        imported = scope.lineage.ledger.get("raw_quarter", made.partition)
        versions = imported.metadata[DAY_VERSIONS] if imported else {}
        counted = [scope.lineage.ledger.get("daily_stats", day) for day in versions]
        current = all(
            each and each.inputs["raw_quarter"] == version
            for each, version in zip(counted, versions.values(), strict=True)
        )
        if current:
            days = [date.fromisoformat(day) for day in versions]
            paths = [scope.daily[day] for day in days if day in scope.daily]
            yield quarter_name(quarter), added, quality.exposure(quality.read_daily(paths))
        else:
            total = quality.exposure(added.with_columns(model=pl.lit(quality.ALL_MODELS)))
            raw = quality.exposure_of_raw(scope.path("raw_quarter", quarter))
            yield quarter_name(quarter), total, raw


CHECKS = (
    drives_once,
    slots_gapless,
    exposure_agrees,
)
COLUMNS = DRIVE_SCHEMA
