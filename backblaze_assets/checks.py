"""Asset checks: what is looked at after each materialization, in the same run.

What is judged, and how, stands in `drive_stats/import_quality.py`, `drive_stats/quality.py` and
`film/quality.py`. The checks of an asset are one step, so that files are read once for all of
them. A run over a range of partitions runs them once, over all its partitions; those at fault are
in the table of the result, and no others are refused. Without a run of the asset, as the UI can
start them, they look at all partitions that there are.

ERROR is for what makes the results wrong, WARN for what a person should look at. A blocking check
that fails with ERROR stops the run and, by `lineage`, all later ones, so that nothing is made from
what is wrong.

https://docs.dagster.io/guides/test/asset-checks
"""

import inspect
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from pathlib import Path

import dagster as dg
import polars as pl

from backblaze_assets.drive_stats import import_quality, quality
from backblaze_assets.drive_stats.import_quality import ImportedDay
from backblaze_assets.drive_stats.quarters import quarter_name
from backblaze_assets.errors import DataError
from backblaze_assets.film import quality as film_quality
from backblaze_assets.instance.records import AT_FAULT, PARTITIONS
from backblaze_assets.lineage.rules import BLOCKING, Lineage
from backblaze_assets.resources import Data
from backblaze_assets.verdict import Verdict

WARN, ERROR = dg.AssetCheckSeverity.WARN, dg.AssetCheckSeverity.ERROR


class Scope:
    """What one execution of an asset's checks looks at.

    Attributes:
        lineage: how the data folder stands.
        days: the partitions, as dates; empty for an asset without partitions.
    """

    def __init__(self, data: Data, lineage: Lineage, days: Sequence[date]) -> None:
        self.folder = data.folder
        self.style = data.style
        self.lineage = lineage
        self.days = days

    @cached_property
    def imported(self) -> dict[date, list[ImportedDay]]:
        """The imported days of each quarter."""
        return {
            quarter: import_quality.imported_days(self.folder.raw_quarter(quarter))
            for quarter in self.days
        }

    def raw(self, quarter: date) -> list[Path]:
        """Raw files of a quarter."""
        return sorted(self.folder.raw_quarter(quarter).glob("[0-9]*.parquet"))

    def daily(self, days: Sequence[date]) -> dict[date, Path]:
        """Those files of `daily_stats` that are there."""
        paths = {day: self.folder.daily_stats(day) for day in days}
        return {day: path for day, path in paths.items() if path.exists()}


# The checks: their docstrings are what the UI says about them.


def days_present(scope: Scope) -> Verdict:
    """All days of the quarter are in the zip, save the known ones without a report."""
    return import_quality.days_present(scope.imported)


def rows_accounted_for(scope: Scope) -> Verdict:
    """Rows in = rows kept + rows set aside, for every day, as the files have them.

    The rows of one day a quarter are counted again in the zip, by other means.
    """
    archives = scope.lineage.archives
    recounted: dict[date, int] = {}
    for quarter, days in scope.imported.items():
        if quarter in archives:
            recounted |= import_quality.recount(archives[quarter], days)
    return import_quality.rows_accounted_for(scope.imported, recounted)


def no_duplicates(scope: Scope) -> Verdict:
    """No serial number occurs twice on a day."""
    return import_quality.no_duplicates(scope.imported)


def rows_readable(scope: Scope) -> Verdict:
    """No row had to be set aside for another reason, and no number to be blanked."""
    return import_quality.rows_readable(scope.imported)


def dates_agree(scope: Scope) -> Verdict:
    """The rows' dates are those of their files' names."""
    return import_quality.dates_agree(scope.imported)


def capacities_plausible(scope: Scope) -> Verdict:
    """At most one row in a thousand has a capacity that no drive can have."""
    return import_quality.capacities_plausible(scope.imported)


def columns_known(scope: Scope) -> Verdict:
    """No column is unknown to the schema."""
    return import_quality.columns_known(scope.imported)


def models_stable(scope: Scope) -> Verdict:
    """No drive changes its model within the quarter, other spellings of the same one aside."""
    return import_quality.models_stable((quarter, scope.raw(quarter)) for quarter in scope.days)


def days_whole(scope: Scope) -> Verdict:
    """Every day has a report of the whole fleet, save the known ones without a report."""
    first, last = min(scope.days), max(scope.days)
    span = pl.date_range(first - quality.HISTORY, last, eager=True).to_list()
    return quality.days_whole(quality.drives_by_day(scope.daily(span)), scope.days)


def drives_once(scope: Scope) -> Verdict:
    """Every drive of the quarter's rows is there exactly once.

    By serial number for the rows of one day a week; exposure_agrees shows that none is lost of the
    others.
    """
    return quality.drives_once(
        (quarter, scope.folder.drive_lifetimes(quarter), scope.raw(quarter))
        for quarter in scope.days
    )


def slots_gapless(scope: Scope) -> Verdict:
    """The slots of each model's drives are 0, 1, 2, ... up to their number."""
    return quality.slots_gapless(
        (quarter, scope.folder.drive_lifetimes(quarter)) for quarter in scope.days
    )


def exposure_agrees(scope: Scope) -> Verdict:
    """The quarter's drive days and failures are those of daily_stats, model by model.

    Where daily_stats are not up to date, totals are compared with those of raw_quarter.
    """
    return quality.exposure_agrees(
        (_added_and_counted(scope, quarter) for quarter in scope.days), "the daily counts"
    )


def _added_and_counted(scope: Scope, quarter: date) -> tuple[str, pl.DataFrame, pl.DataFrame]:
    before = scope.lineage.quarter_before(quarter)
    folder = scope.folder.drive_lifetimes
    added = quality.exposure_of_quarter(folder(quarter), folder(before) if before else None)
    ledger = scope.lineage.ledger
    versions = scope.lineage.day_versions(quarter)
    made = [ledger.get("daily_stats", day) for day in versions]
    if all(
        each and each.inputs["raw_quarter"] == version
        for each, version in zip(made, versions.values(), strict=True)
    ):
        paths = scope.daily([date.fromisoformat(day) for day in versions])
        return quarter_name(quarter), added, quality.exposure(quality.read_daily(paths.values()))
    total = quality.exposure(added.with_columns(model=pl.lit(quality.ALL_MODELS)))
    return quarter_name(quarter), total, quality.exposure_of_raw(scope.folder.raw_quarter(quarter))


def agrees_with_daily_stats(scope: Scope) -> Verdict:
    """Drive days and failures of each window and model are those of daily_stats.

    Those of the whole history are compared with drive_lifetimes.
    """
    return quality.exposure_agrees(_windows(scope), "daily_stats and drive_lifetimes")


def _windows(scope: Scope) -> Iterator[tuple[str, pl.DataFrame, pl.DataFrame]]:
    years = {quarter: scope.lineage.trailing_days(quarter) for quarter in scope.days}
    needed = sorted({day for year in years.values() for day in year})
    daily = quality.read_daily(scope.daily(needed).values())
    for quarter, year in years.items():
        table = pl.read_parquet(scope.folder.afr_table(quarter), glob=False)
        in_year = daily.filter(pl.col("date").is_between(year[0], year[-1]))
        others = {
            "quarter": quality.exposure(in_year.filter(pl.col("date") >= quarter)),
            "year": quality.exposure(in_year),
            "lifetime": quality.exposure_of_history(scope.folder.drive_lifetimes(quarter)),
        }
        for window, other in others.items():
            rows = table.filter(pl.col("window") == window)
            yield f"{quarter_name(quarter)} {window}", quality.exposure(rows), other


def agrees_with_published(scope: Scope) -> Verdict:
    """The rates are those that Backblaze published, for the periods of which we have them.

    Made-up data are not compared.
    """
    real = [quarter for quarter in scope.days if not _is_made_up(scope, quarter)]
    return quality.agrees_with_published(
        (quarter, pl.read_parquet(scope.folder.afr_table(quarter), glob=False)) for quarter in real
    )


def _is_made_up(scope: Scope, quarter: date) -> bool:
    """Whether any data up to the end of a quarter are."""
    days = scope.folder.drive_lifetimes(quarter) / "days.parquet"
    return bool(pl.read_parquet(days, columns=["synthetic"], glob=False)["synthetic"].any())


def frames_whole(scope: Scope) -> Verdict:
    """Every frame is a whole JPEG file of the canvas's size.

    The size is read from every file's head, and its last bytes show that it does not end early.
    Eight frames of each run are decoded.
    """
    frames = {day: scope.folder.frame(day) for day in scope.days}
    return film_quality.frames_whole(frames, scope.style)


def clips_complete(scope: Scope) -> Verdict:
    """The clip has one frame for each of the quarter's days, in the film's size, rate and codec."""
    clips = {
        quarter: (scope.folder.movie_clip(quarter), len(scope.lineage.days(quarter)))
        for quarter in scope.days
    }
    return film_quality.clips_complete(clips, scope.style)


def film_complete(scope: Scope) -> Verdict:
    """The film has a frame for each day and the closing frames, and lasts as long as they take."""
    days = sum(len(scope.lineage.days(quarter)) for quarter in scope.lineage.quarters())
    return film_quality.film_complete(scope.folder.movie, days, scope.style)


def film_plays(scope: Scope) -> Verdict:
    """The film is H.264 in yuv420p of the canvas's size, with the index in front of the frames."""
    return film_quality.film_plays(scope.folder.movie, scope.style)


@dataclass(frozen=True)
class Check:
    """One asset check.

    Attributes:
        asset: the asset's key.
        judge: the check; gives its name and description as well.
        severity: of a failure.
    """

    asset: str
    judge: Callable[[Scope], Verdict]
    severity: dg.AssetCheckSeverity = WARN

    @property
    def name(self) -> str:
        """Its name."""
        return self.judge.__name__

    @property
    def blocking(self) -> bool:
        """Whether nothing is made from what it refuses."""
        return self.name in BLOCKING.get(self.asset, ())


CHECKS = (
    Check("raw_quarter", days_present),
    Check("raw_quarter", rows_accounted_for, ERROR),
    Check("raw_quarter", no_duplicates),
    Check("raw_quarter", rows_readable),
    Check("raw_quarter", dates_agree),
    Check("raw_quarter", capacities_plausible),
    Check("raw_quarter", columns_known),
    Check("raw_quarter", models_stable),
    Check("daily_stats", days_whole),
    Check("drive_lifetimes", drives_once, ERROR),
    Check("drive_lifetimes", slots_gapless, ERROR),
    Check("drive_lifetimes", exposure_agrees, ERROR),
    Check("afr_table", agrees_with_daily_stats, ERROR),
    Check("afr_table", agrees_with_published),
    Check("frames", frames_whole, ERROR),
    Check("movie_clip", clips_complete, ERROR),
    Check("movie", film_complete, ERROR),
    Check("movie", film_plays, ERROR),
)


def complaints(instance: dg.DagsterInstance, asset: str) -> list[str]:
    """What the latest execution of an asset's checks has found wrong: a line for each."""
    keys = [_key(check) for check in CHECKS if check.asset == asset]
    records = instance.event_log_storage.get_latest_asset_check_execution_by_key(keys)
    evaluations = [records[key].evaluation for key in keys if key in records]
    return [
        f"{found.severity.value}: {asset}, {found.check_name}: {found.description}"
        for found in evaluations
        if found and not found.passed
    ]


def _key(check: Check) -> dg.AssetCheckKey:
    return dg.AssetCheckKey(dg.AssetKey(check.asset), check.name)


def _checks_of(asset: str) -> dg.AssetChecksDefinition:
    """All checks of one asset as one step."""
    checks = {check.name: check for check in CHECKS if check.asset == asset}

    @dg.multi_asset_check(
        name=f"check_{asset}",
        specs=[
            dg.AssetCheckSpec(
                name,
                asset=asset,
                description=inspect.getdoc(check.judge),
                blocking=check.blocking,
            )
            for name, check in checks.items()
        ],
        can_subset=True,
    )
    def execute(
        context: dg.AssetCheckExecutionContext, data: Data
    ) -> Iterator[dg.AssetCheckResult]:
        lineage = data.lineage(context.instance)
        scope = Scope(data, lineage, _partitions(context, lineage, asset))
        selected = {key.name for key in context.selected_asset_check_keys}
        for name, check in checks.items():
            if name in selected:
                yield _result(check, scope)

    return execute


def _partitions(context: dg.AssetCheckExecutionContext, lineage: Lineage, asset: str) -> list[date]:
    """The partitions of the run, as far as they have been made; all of them if it has none."""
    keys = [key for key in lineage.ledger.all(asset) if key]
    if context.has_partition_key or context.has_partition_key_range:
        wanted = set(context.partition_keys)
        keys = [key for key in keys if key in wanted]
    return sorted(date.fromisoformat(key) for key in keys)


def _result(check: Check, scope: Scope) -> dg.AssetCheckResult:
    severity = check.severity
    try:
        verdict = check.judge(scope)
    except (DataError, OSError, LookupError, ValueError, pl.exceptions.PolarsError) as error:
        # What cannot even be read is wrong, whatever the check is about.
        severity = ERROR
        verdict = Verdict(passed=False, message=f"Cannot be checked: {error}")
    metadata: dict[str, int | float | str | dg.MarkdownMetadataValue | dg.JsonMetadataValue] = {
        **verdict.figures,
        "partitions": len(scope.days) or 1,
    }
    if scope.days:
        metadata |= dict(zip(PARTITIONS, (str(scope.days[0]), str(scope.days[-1])), strict=True))
    if verdict.at_fault:
        metadata[AT_FAULT] = dg.MetadataValue.json(sorted(map(str, verdict.at_fault)))
    if verdict.table.height:
        metadata["table"] = dg.MetadataValue.md(verdict.markdown())
    return dg.AssetCheckResult(
        asset_key=check.asset,
        check_name=check.name,
        passed=verdict.passed,
        severity=severity,
        description=verdict.message,
        metadata=metadata,
    )


ASSET_CHECKS = [_checks_of(asset) for asset in dict.fromkeys(check.asset for check in CHECKS)]
