"""From batches of work to requests for runs, which nobody makes twice."""

from collections.abc import Sequence
from dataclasses import dataclass

import dagster as dg

from backblaze_assets.graph import GRAPH
from backblaze_assets.lineage.building import checks_of
from backblaze_assets.lineage.plan import Batch, next_batches
from backblaze_assets.lineage.status import Attempt, Lineage

ACTIVE = [
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]

BATCH = "backblaze/batch"
"""Tag of a run: the digest of its batch, perhaps after the name of an occasion."""


def is_at_work(instance: dg.DagsterInstance) -> bool:
    """Whether any run is queued or going on."""
    return instance.get_runs_count(dg.RunsFilter(statuses=ACTIVE)) > 0


@dataclass(frozen=True)
class Agenda:
    """What to ask for.

    Attributes:
        requests: the runs, which can go on side by side.
        failed: attempts that have failed, or that a person has stopped. They are made again when
            the code or an input changes, or on another occasion.
    """

    requests: list[dg.RunRequest]
    failed: set[Attempt]


def agenda(
    lineage: Lineage,
    instance: dg.DagsterInstance,
    occasion: str = "",
    limit: int | None = None,
    days_per_run: int | None = None,
) -> Agenda:
    """What to ask for now; the same batch of work is asked for once an occasion.

    Args:
        lineage: how everything stands.
        instance: knows what was asked for.
        occasion: a name; none for work that is done when it comes up.
        limit: how many partitions at most.
        days_per_run: about how many days a run has where that can be divided; None for all.
    """
    failed: set[Attempt] = set()
    while True:
        batches = next_batches(lineage, GRAPH, failed, together=True, days_per_run=days_per_run)
        batches = _bounded(batches, limit)
        named = {f"{occasion} {batch.digest}".strip(): batch for batch in batches}
        done = [
            batch
            for name, batch in named.items()
            if instance.get_runs_count(dg.RunsFilter(tags={BATCH: name})) > 0
        ]
        if not done:
            return Agenda([_request(name, batch) for name, batch in named.items()], failed)
        failed |= {attempt for batch in done for attempt in batch.attempts}


def _bounded(batches: Sequence[Batch], limit: int | None) -> list[Batch]:
    """The first of the batches, cut so that together they have at most `limit` partitions."""
    found: list[Batch] = []
    left = limit
    for batch in batches:
        if left is not None and left <= 0:
            break
        found.append(batch.first(left))
        left = None if left is None else left - len(found[-1].keys)
    return found


def _request(name: str, batch: Batch) -> dg.RunRequest:
    checks = [check for asset in batch.assets for check in checks_of(asset)]
    return dg.RunRequest(
        run_key=name,
        asset_selection=[] if batch.judge_only else [dg.AssetKey(it) for it in batch.assets],
        asset_check_keys=checks if batch.judge_only else None,
        tags={**batch.tags, BATCH: name},
    )
