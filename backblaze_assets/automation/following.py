"""Everything downstream follows its inputs: a declarative condition, and the sensor that asks.

Dagster's own conditions (`eager`, `any_deps_updated`, `data_version_changed`) look at the code
version and the data version that a run has recorded. A run over many partitions records one data
version for all of them, so they would ask for far too much, or for nothing. The one condition here
asks the lineage instead, as the command line does; waiting and asking are left to Dagster.
"""

import json
import time
import warnings
from collections.abc import Sequence
from weakref import WeakKeyDictionary

import dagster as dg
from dagster._core.asset_graph_view.asset_graph_view import AssetGraphView
from dagster._core.asset_graph_view.entity_subset import EntitySubset

from backblaze_assets.automation.agenda import Agenda
from backblaze_assets.lineage.code_version import PACKAGE
from backblaze_assets.lineage.rules import RULES, Key
from backblaze_assets.resources import Data

FOLLOWING = [asset for asset in RULES if asset != "raw_quarter"]
"""Assets that follow their inputs; `raw_quarter` follows the zips, see `new_zips`."""

ATTEMPTS = 3
"""How often a partition is asked for with the same code and inputs, when runs are cancelled."""

LOADED = time.time()
"""When this process has loaded the code, in seconds since 1970."""


class OutOfDate(dg.AutomationCondition[dg.AssetKey]):
    """Partitions to materialize now, by the lineage.

    A partition is asked for again only if its code or one of its inputs has changed since; without
    a change, only if the last run did not fail but was cancelled or lost, and `ATTEMPTS` times at
    most. So nothing that cannot succeed is tried for ever.

    When the code is edited, runs use the new one at once, and this process the old one until it is
    reloaded in the UI. The two would never agree, so nothing is asked for until then.
    """

    def __init__(self, data: Data) -> None:
        self._data = data
        self._agendas: WeakKeyDictionary[AssetGraphView, Agenda] = WeakKeyDictionary()

    @property
    def name(self) -> str:
        """How the condition is called in the UI."""
        return "out_of_date"

    @property
    def description(self) -> str:
        """What the UI says of it."""
        return "Other code or other inputs than at the last materialization; all inputs settled"

    async def evaluate(  # type: ignore[override]  # Dagster awaits what is a coroutine
        self, context: dg.AutomationContext[dg.AssetKey]
    ) -> dg.AutomationResult[dg.AssetKey]:
        """The partitions among the candidates, all in one go."""
        asset = context.key.to_user_string()
        agenda = self._agenda(context)
        ready = agenda.ready(asset)
        failed = await context.asset_graph_view.compute_execution_failed_subset(
            key=context.key, from_subset=context.candidate_subset
        )
        if ready and _is_edited():
            context.log.warning("The code has been edited; reload it in the UI to go on.")
            ready = []
        known = {str(key) for key in agenda.to_do(asset)}
        asked = {key: it for key, it in json.loads(context.cursor or "{}").items() if key in known}
        candidates, failures = _keys(context.candidate_subset), _keys(failed)
        wanted: list[Key] = []
        for key in ready:
            if key not in candidates:
                continue
            version = agenda.version(asset, key)
            before, times = asked.get(str(key), (version, 0))
            times = times if before == version else 0
            if times == 0 or (times < ATTEMPTS and key not in failures):
                wanted.append(key)
                asked[str(key)] = (version, times + 1)
        return dg.AutomationResult(context, _subset(context, wanted), cursor=json.dumps(asked))

    def _agenda(self, context: dg.AutomationContext[dg.AssetKey]) -> Agenda:
        """The agenda of this tick, which all assets share."""
        view = context.asset_graph_view
        if view not in self._agendas:
            self._agendas[view] = Agenda(self._data.lineage(view.instance), view.instance)
        return self._agendas[view]


def _is_edited() -> bool:
    """Whether a module of this package has been written since it was loaded."""
    return any(path.stat().st_mtime > LOADED for path in PACKAGE.rglob("*.py"))


def _keys(subset: EntitySubset[dg.AssetKey]) -> set[Key]:
    """Partition keys of a subset; {None} or nothing for an asset without partitions."""
    if subset.is_partitioned:
        return set(subset.expensively_compute_partition_keys())
    return set() if subset.is_empty else {None}


def _subset(
    context: dg.AutomationContext[dg.AssetKey], keys: list[Key]
) -> EntitySubset[dg.AssetKey]:
    if not keys:
        return context.get_empty_subset()
    if keys == [None]:
        return context.candidate_subset
    return context.candidate_subset.compute_intersection_with_partition_keys(
        {str(key) for key in keys}
    )


def follow_inputs(assets: Sequence[dg.AssetsDefinition], data: Data) -> list[dg.AssetsDefinition]:
    """`assets` with the condition on each one that is in `FOLLOWING`."""
    condition = ~dg.AutomationCondition.in_progress() & OutOfDate(data)
    return [
        asset.with_attributes(automation_condition=condition)
        if asset.key.to_user_string() in FOLLOWING
        else asset
        for asset in assets
    ]


def follow_inputs_sensor() -> dg.AutomationConditionSensorDefinition:
    """The sensor that asks for what the condition finds: one range run per asset, not one a day."""
    with warnings.catch_warnings():
        # That code of ours is evaluated where our code runs is marked as beta.
        warnings.simplefilter("ignore", dg.BetaWarning)
        return dg.AutomationConditionSensorDefinition(
            "follow_inputs",
            target=dg.AssetSelection.assets(*FOLLOWING).without_checks(),
            description="Materializes what is missing or out of date downstream of raw_quarter.",
            default_status=dg.DefaultSensorStatus.RUNNING,
            minimum_interval_seconds=30,
            emit_backfills=True,
            use_user_code_server=True,
        )
