"""The report of the whole history that the film's benchmarks draw: 53 quarters, 512,600 drives.

    python -m backblaze_assets_tests.benchmarks.report_history WORK PAGE [QUARTERS]

writes the page as the asset would, from `WORK/lifetimes` (`film_history`), made when it is
not there.
`just bench report` measures it.
"""

import sys
from datetime import date
from pathlib import Path

import polars as pl

from backblaze_assets.assets.report import FILM
from backblaze_assets.drive_stats.afr import afr_table, window_starts
from backblaze_assets.drive_stats.age_adjusted import for_its_age
from backblaze_assets.drive_stats.daily import DAILY_SCHEMA
from backblaze_assets.drive_stats.lifetimes import DRIVE_SCHEMA, Lifetimes
from backblaze_assets.drive_stats.published import reconcile
from backblaze_assets.drive_stats.quarters import next_quarter
from backblaze_assets.drive_stats.survival import survival
from backblaze_assets.files.origin import Origin, digest
from backblaze_assets.film.layout import write_layout
from backblaze_assets.film.style import Style
from backblaze_assets.report.inputs import Inputs
from backblaze_assets.report.page import page
from backblaze_assets.report.poster import film_of
from backblaze_assets_tests.benchmarks import film_history


def tables(work: Path, quarters: int = 0) -> dict[date, Path]:
    """`afr_table` of each quarter, or of the newest ones, made when it is not there."""
    folder = work / "afr_to_2026"
    folder.mkdir(parents=True, exist_ok=True)
    daily: dict[date, Path] = {}
    found: dict[date, Path] = {}
    histories = {
        date.fromisoformat(path.name): path for path in film_history.lifetimes(work)[-quarters:]
    }
    for quarter, tables in histories.items():
        found[quarter] = folder / f"{quarter}.parquet"
        if found[quarter].exists():
            continue
        known = load(tables)
        # The year's days in one file, under the day that stands for them all.
        path = folder / "days.arrow"
        days = known.counts.join(known.models(), on="model").with_columns(
            maker="maker", boot="boot"
        )
        after, start = next_quarter(quarter), window_starts(quarter)["year"]
        days.filter(pl.col("date").is_between(start, after, closed="left")).select(
            DAILY_SCHEMA.names()
        ).cast(dict(DAILY_SCHEMA)).write_parquet(path)
        daily = {quarter: path}
        afr_table(known, daily, quarter).write_parquet(found[quarter])
        path.unlink()
    return found


def load(folder: Path) -> Lifetimes:
    """`drive_lifetimes` of a quarter; what the tool does not tell of ages is worked out."""
    known = Lifetimes.load(folder)
    drives = known.drives
    if "first_power_on_hours" not in drives.columns:
        waited = (pl.col("hours_on") - pl.col("first_seen")).dt.total_days() * 24
        drives = drives.with_columns(
            first_power_on_hours=(pl.col("power_on_hours") - waited).clip(lower_bound=0),
            first_hours_on="first_seen",
        )
    return Lifetimes(
        drives.select(DRIVE_SCHEMA.names()).cast(dict(DRIVE_SCHEMA)),
        known.spells,
        known.days,
        known.capacities,
        known.counts,
    )


def page_of(work: Path, quarters: int = 0) -> str:
    """The page, from everything that it is made from."""
    made = {quarter: pl.read_parquet(path) for quarter, path in tables(work, quarters).items()}
    newest = max(made)
    folder = work / "lifetimes" / str(newest)
    known = load(folder)
    last_day = known.days["date"][-1]
    style = Style.named("1080p", 60)
    layout = work / "report_layout.html"
    if not layout.exists():
        drawn = film_history.layouts(work, style)[folder]
        origin = Origin("benchmark", None, "").with_data_version(digest([drawn.to_json()]))
        write_layout(layout, drawn, origin)
    film = film_of(FILM, folder, layout, style, last_day)
    return page(
        Inputs(
            quarter=newest,
            tables=made,
            survival=survival(known),
            days=known.days,
            reconciled=reconcile({q: table for q, table in made.items() if q < date(2016, 10, 1)}),
            age_adjusted=for_its_age(known.drives, window_starts(newest)["year"], last_day),
            provenance=[("Benchmark", "made up from 2016-10-01 on")],
            film=film,
        )
    )


if __name__ == "__main__":
    _, work, target, *rest = sys.argv
    Path(target).write_text(page_of(Path(work), *map(int, rest)), encoding="utf-8")
