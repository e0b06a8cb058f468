"""One row per drive ever seen up to the quarter's end: model, slot, first and last day, failure.

Each quarter continues the one before it, so that history is read once and never again. Beside the
drives stand the days of the history (which of them had a report, which only a partial one) and the
spells of drives that changed their model's name.
"""

import time
from datetime import date

import dagster as dg
import polars as pl

from backblaze_assets.assets.step import Step, step
from backblaze_assets.drive_stats.lifetimes import Lifetimes, extend
from backblaze_assets.drive_stats.quarters import quarter_name
from backblaze_assets.files.stamps import kept
from backblaze_assets.lineage.rules import LIFETIMES, RULES
from backblaze_assets.partitions import quarter_before, quarters, same_time
from backblaze_assets.resources import Data
from backblaze_assets.work.progress import work


@dg.asset(
    description=__doc__,
    deps=[
        dg.AssetDep("raw_quarter", partition_mapping=same_time),
        dg.AssetDep("drive_lifetimes", partition_mapping=quarter_before),
    ],
    partitions_def=quarters,
    backfill_policy=dg.BackfillPolicy.single_run(),
    code_version=RULES["drive_lifetimes"].code_version,
    group_name="drive_stats",
    kinds={"parquet", "polars"},
    tags={"stage": "numbers"},
)
def drive_lifetimes(context: dg.AssetExecutionContext, data: Data) -> dg.MaterializeResult[None]:
    """The history of every drive. See the module's docstring."""
    with step(context, data) as this:
        wanted = this.requested()
        before: tuple[date, Lifetimes] | None = None
        with work("drive_lifetimes", len(wanted), "quarters") as progress:
            for quarter in wanted:
                before = (quarter, _extend_to(this, quarter, before))
                progress.advance(1)
        return this.result()


def _extend_to(this: Step, quarter: date, held: tuple[date, Lifetimes] | None) -> Lifetimes:
    """Make one quarter; `held` is a quarter that is still in memory, and its lifetimes."""
    started = time.perf_counter()
    origin = this.origin(quarter.isoformat())
    folder = this.folder.drive_lifetimes(quarter)
    if all(kept(folder / f"{table}.parquet", origin) for table in LIFETIMES):
        made, version = Lifetimes.load(folder), Lifetimes.stored_version(folder)
    else:
        made = _extended(this, quarter, held)
        version = made.save(folder, origin)
    figures = _metadata(quarter, made)
    this.made(
        origin, version, folder, {**figures, "seconds": round(time.perf_counter() - started, 2)}
    )
    return made


def _extended(this: Step, quarter: date, held: tuple[date, Lifetimes] | None) -> Lifetimes:
    earlier = this.lineage.quarter_before(quarter)
    if held and held[0] == earlier:
        previous: Lifetimes | None = held[1]
    else:
        previous = Lifetimes.load(this.folder.drive_lifetimes(earlier)) if earlier else None
    record = this.lineage.ledger.get("raw_quarter", quarter.isoformat())
    raw = this.folder.raw_quarter(quarter)
    days = this.lineage.day_versions(quarter)
    return extend(
        previous,
        {date.fromisoformat(day): raw / f"{day}.parquet" for day in days},
        quarter,
        synthetic=bool(record and record.metadata.get("synthetic")),
    )


def _metadata(quarter: date, made: Lifetimes) -> dict[str, object]:
    drives = made.drives
    in_service = drives.filter(pl.col("removed_on").is_null() & pl.col("failed_on").is_null())
    return {
        "dagster/row_count": drives.height,
        "drives_in_service": in_service.height,
        "drives_new": drives.filter(pl.col("first_seen") >= quarter).height,
        "drives_failed": drives["failed_on"].count(),
        "failures": int(drives["failures"].sum()),
        "drive_days": int(drives["drive_days"].sum()),
        "models": drives["model"].n_unique(),
        "partial_days": int(made.days.filter(pl.col("date") >= quarter)["partial"].sum()),
        "preview": dg.MetadataValue.md(_preview(quarter, in_service)),
    }


def _preview(quarter: date, in_service: pl.DataFrame) -> str:
    top = in_service.group_by("model").len().sort("len", "model", descending=[True, False]).head(10)
    lines = [
        f"Drives in service at the end of {quarter_name(quarter)}",
        "",
        "| model | drives |",
        "|---|--:|",
    ]
    return "\n".join([*lines, *(f"| {model} | {count:,} |" for model, count in top.iter_rows())])
