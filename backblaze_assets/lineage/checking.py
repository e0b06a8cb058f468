"""Asset checks: what is looked at after each materialization, in the same run.

What is judged, and how, stands in the domain packages; each asset's module lists its checks. The
checks of an asset are one step, so that files are read once for all of them. A run over a range of
partitions runs them once, over all its partitions that are there; each evaluation says which it
looked at, and a failed one which of them are at fault, if it can tell. So it is known of every
partition whether its checks have looked at it since it was made.

ERROR is for what makes the results wrong, WARN for what a person should look at. A blocking check
that fails with ERROR stops the run and holds back all later ones, so that nothing is made from what
is wrong.

https://docs.dagster.io/guides/test/asset-checks
"""

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any

import dagster as dg

from backblaze_assets.drive_stats.import_quality import ImportedDay, imported_days
from backblaze_assets.drive_stats.reading import faults
from backblaze_assets.errors import DataError
from backblaze_assets.graph import GRAPH, keys_of
from backblaze_assets.instance.records import AT_FAULT, LOOKED_AT
from backblaze_assets.lineage.ledger import Materialization
from backblaze_assets.lineage.status import Lineage
from backblaze_assets.lineage.view import View
from backblaze_assets.partitions import Calendar, Key, day_of
from backblaze_assets.resources import Data
from backblaze_assets.verdict import Verdict

WARN, ERROR = dg.AssetCheckSeverity.WARN, dg.AssetCheckSeverity.ERROR


class Scope:
    """What one execution of an asset's checks looks at.

    Attributes:
        lineage: how the data folder stands.
        made: the partitions, in order.
    """

    def __init__(self, data: Data, lineage: Lineage, made: Sequence[Materialization]) -> None:
        self.lineage = lineage
        self.view = lineage.view
        self.style = data.style
        self.made = made
        self.view.folder.fetch(path for each in made for path in lineage.files(each))

    @property
    def days(self) -> list[date]:
        """The partitions as dates; none for an asset without partitions."""
        return [day_of(made.partition) for made in self.made if made.partition]

    def path(self, asset: str, name: date | str) -> Path:
        """A file or folder of an asset by its name, such as a day."""
        path = self.view.folder.path(asset, str(name))
        self.view.folder.fetch([path])
        return path

    def file(self, made: Materialization) -> Path:
        """The one file of a partition."""
        (path,) = self.lineage.files(made)
        return path

    @cached_property
    def imported(self) -> dict[date, list[ImportedDay]]:
        """The imported days of each quarter."""
        return {quarter: imported_days(self.path("raw_quarter", quarter)) for quarter in self.days}

    def raw(self, quarter: date) -> list[Path]:
        """Raw files of a quarter, in order of days."""
        return sorted(self.path("raw_quarter", quarter).glob("[0-9]*.parquet"))

    @cached_property
    def daily(self) -> dict[date, Path]:
        """All files of `daily_stats` that there are, by day, in order."""
        files = sorted(self.view.folder.root.glob("daily_stats/[0-9]*.parquet"))
        self.view.folder.fetch(files)
        return {date.fromisoformat(path.stem): path for path in files}


Judge = Callable[[Scope], Verdict]
"""A check: a function that gives the check its name and, by its docstring, its description."""

FolderJudge = Callable[[View], Verdict]
"""A check of the data folder, not of partitions: what it finds wrong is an error."""


def checks_step(
    asset: str, judges: Sequence[Judge], folder_judges: Sequence[FolderJudge], calendar: Calendar
) -> dg.AssetChecksDefinition:
    """All checks of one asset as one step.

    Args:
        asset: its key.
        judges: checks of its partitions.
        folder_judges: checks of the data folder, which are shown at the asset.
        calendar: what there are partitions of.
    """
    by_name = {judge.__name__: judge for judge in judges}
    of_folder = {judge.__name__: judge for judge in folder_judges}

    @dg.multi_asset_check(
        name=f"check_{asset}",
        specs=[
            dg.AssetCheckSpec(
                name,
                asset=asset,
                description=inspect.getdoc(judge),
                blocking=name in GRAPH[asset].blocking,
            )
            for name, judge in (by_name | of_folder).items()
        ],
        can_subset=True,
    )
    def execute(
        context: dg.AssetCheckExecutionContext, data: dg.ResourceParam[Data]
    ) -> Iterator[dg.AssetCheckResult]:
        lineage = data.lineage(context.instance)
        wanted = _wanted(context.run.tags, keys_of(asset, calendar))
        made = lineage.ledger.all(asset)
        selected = {key.name for key in context.selected_asset_check_keys}
        with data.folder.using():
            scope = Scope(data, lineage, [made[key] for key in wanted if key in made])
            for name, judge in by_name.items():
                if name in selected:
                    yield _result(asset, name, judge, scope)
        for name, folder_judge in of_folder.items():
            if name in selected:
                verdict = folder_judge(lineage.view)
                yield dg.AssetCheckResult(**folder_evaluation(asset, name, verdict))

    return execute


def folder_evaluation(asset: str, name: str, verdict: Verdict) -> dict[str, Any]:
    """What Dagster is told of a check of the data folder."""
    return {
        "asset_key": dg.AssetKey(asset),
        "check_name": name,
        "passed": verdict.passed,
        "severity": ERROR,
        "description": verdict.message,
        "metadata": dict(verdict.figures),
    }


def _wanted(tags: Mapping[str, str], keys: Sequence[Key]) -> list[Key]:
    """The partitions of a run by its tags: a range, a single one, or all."""
    single = tags.get("dagster/partition", "")
    first = tags.get("dagster/asset_partition_range_start", single)
    last = tags.get("dagster/asset_partition_range_end", single)
    return [key for key in keys if key is None or not last or first <= key <= last]


def _faults() -> tuple[type[BaseException], ...]:
    return (DataError, *faults())


def _result(asset: str, name: str, judge: Judge, scope: Scope) -> dg.AssetCheckResult:
    grave = name in (*GRAPH[asset].blocking, *GRAPH[asset].errors)
    severity = ERROR if grave else WARN
    try:
        verdict = judge(scope)
    except _faults() as error:
        # What cannot even be read is wrong, whatever the check is about.
        severity = ERROR
        verdict = Verdict(passed=False, message=f"Cannot be checked: {error}")
    metadata: dict[str, int | float | str | dg.MarkdownMetadataValue | dg.JsonMetadataValue] = {
        **verdict.figures
    }
    if verdict.table.height:
        metadata["table"] = dg.MetadataValue.md(verdict.markdown())
    if verdict.at_fault:
        metadata[AT_FAULT] = dg.MetadataValue.json(sorted(map(str, verdict.at_fault)))
    if scope.made:
        metadata[LOOKED_AT] = dg.MetadataValue.json(
            {
                "first": scope.made[0].partition or "",
                "last": scope.made[-1].partition or "",
                "newest": max(made.storage_id for made in scope.made),
                "partitions": len(scope.made),
            }
        )
    return dg.AssetCheckResult(
        asset_key=asset,
        check_name=name,
        passed=verdict.passed,
        severity=severity,
        description=verdict.message,
        metadata=metadata,
    )
