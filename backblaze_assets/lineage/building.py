"""From the graph to Dagster's definitions: one asset for each line, made by the module of its name.

`assets/NAME.py` has

- the asset's description as its docstring,
- a function NAME, which makes the partitions of a `Step`; it and all that it uses is the code of
  the asset, so what is below is not to be used by it;
- a function `metadata`, which says what people are told of a partition that was made,
- where it has any, `CHECKS` of its partitions, `FOLDER_CHECKS` of what it is made from, and
  `COLUMNS`, those of its table.
"""

import inspect
import warnings
from importlib import import_module
from pathlib import Path
from types import ModuleType

import dagster as dg
import polars as pl

from backblaze_assets.graph import GRAPH, Asset
from backblaze_assets.lineage.checking import checks_step
from backblaze_assets.lineage.code_version import code_version
from backblaze_assets.lineage.columns import descriptions
from backblaze_assets.lineage.step import run_step
from backblaze_assets.partitions import Calendar, Partitioning, quarters_per_run
from backblaze_assets.resources import Data

OWNER = "team:drive-stats"


def build_assets(calendar: Calendar, days_per_run: int | None = None) -> list[dg.AssetsDefinition]:
    """All assets of the graph, with partitions as in `calendar`.

    Args:
        calendar: quarters and days.
        days_per_run: about how many days a run of a backfill has where that can be divided.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dg.BetaWarning)  # backfill policies are marked so
        return [
            _build(asset, _module(asset), calendar, _policy(asset, days_per_run), priority=-place)
            for place, asset in enumerate(GRAPH.values())
        ]


def build_checks(calendar: Calendar) -> list[dg.AssetChecksDefinition]:
    """The checks of all assets, one step for each asset that has any."""
    found = []
    for name, asset in GRAPH.items():
        module = _module(asset)
        judges, of_folder = getattr(module, "CHECKS", ()), getattr(module, "FOLDER_CHECKS", ())
        if judges or of_folder:
            found.append(checks_step(name, judges, of_folder, calendar))
    return found


def checks_of(asset: str) -> list[dg.AssetCheckKey]:
    """The checks of an asset's partitions, those that only warn among them."""
    judges = getattr(_module(GRAPH[asset]), "CHECKS", ())
    return [dg.AssetCheckKey(dg.AssetKey(asset), judge.__name__) for judge in judges]


def _module(asset: Asset) -> ModuleType:
    return import_module(f"backblaze_assets.assets.{asset.name}")


def _build(
    asset: Asset,
    module: ModuleType,
    calendar: Calendar,
    policy: dg.BackfillPolicy,
    priority: int,
) -> dg.AssetsDefinition:
    make = getattr(module, asset.name)

    @dg.asset(
        name=asset.name,
        description=module.__doc__,
        deps=[
            dg.AssetDep(upstream, partition_mapping=reading.mapping)
            for upstream, reading in asset.reads.items()
        ],
        partitions_def=calendar.definition(asset.partitioning),
        backfill_policy=policy,
        code_version=code_version(asset.name),
        group_name=asset.group,
        kinds=set(asset.kinds),
        owners=[OWNER],
        # Of the steps of a run that could begin, the first of the graph does: the film before
        # what is cut from it to be shared.
        op_tags={"dagster/priority": str(priority)},
        metadata={**_code(module, make), **_columns(getattr(module, "COLUMNS", None))},
    )
    def execute(
        context: dg.AssetExecutionContext, data: dg.ResourceParam[Data]
    ) -> dg.MaterializeResult[None]:
        return run_step(context, data, make, module.metadata)

    return execute


def _policy(asset: Asset, days_per_run: int | None) -> dg.BackfillPolicy:
    """A whole range in one run, as Dagster would start a process for each partition; or portions.

    Several runs of what continues itself would not go in order (Dagster 1.13).
    """
    if days_per_run is None or not asset.is_divisible:
        return dg.BackfillPolicy.single_run()
    days = asset.partitioning is Partitioning.DAYS
    return dg.BackfillPolicy.multi_run(days_per_run if days else quarters_per_run(days_per_run))


def _code(module: ModuleType, make: object) -> dict[str, object]:
    """Where the code is, for the link in the UI."""
    path = Path(str(module.__file__))
    line = inspect.getsourcelines(make)[1]  # type: ignore[arg-type]
    reference = dg.LocalFileCodeReference(
        file_path=str(path), line_number=line, label=f"assets/{path.name}"
    )
    return {"dagster/code_references": dg.CodeReferencesMetadataValue(code_references=[reference])}


def _columns(schema: pl.Schema | None) -> dict[str, object]:
    """The columns of the asset's table, for the UI."""
    if schema is None:
        return {}
    words = descriptions(schema)
    columns = [dg.TableColumn(name, str(kind), words.get(name)) for name, kind in schema.items()]
    return {"dagster/column_schema": dg.TableSchema(columns)}
