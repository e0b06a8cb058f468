"""Bringing assets up to date in this process, as the command line does.

Each asset that has something to do gets one run for every unbroken range of partitions, on the
instance that the Dagster UI shows. What is up to date gets none.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from uuid import uuid4

import dagster as dg
from dagster._core.errors import DagsterAssetCheckFailedError

from backblaze_assets.drive_stats.quarters import quarter_name
from backblaze_assets.errors import DataError
from backblaze_assets.lineage.ranges import range_tags, unbroken
from backblaze_assets.lineage.rules import DAILY, upstream_of
from backblaze_assets.lineage.tracing import refusals
from backblaze_assets.resources import Data
from backblaze_assets.settings import Settings


@dataclass(frozen=True)
class Ran:
    """One run that was made: its asset and how many partitions it materialized."""

    asset: str
    partitions: int


def bring_up_to_date(
    instance: dg.DagsterInstance,
    data: Data,
    targets: Iterable[str],
    say: Callable[[str], None] = lambda _: None,
) -> list[Ran]:
    """Materialize what is missing or out of date of `targets` and everything upstream of them.

    Args:
        instance: where runs and records are kept.
        data: the data folder.
        targets: names of assets.
        say: is told what is about to run.

    Returns:
        The runs that were made, none when everything is up to date.

    Raises:
        DataError: there is nothing to work from, or a step failed on something a user can mend.
    """
    lineage = data.lineage(instance)
    for error in lineage.unreadable.values():
        raise error
    if not lineage.quarters():
        raise DataError(
            f"There are no zips in {data.root}. Put Backblaze's zips there "
            "(`backblaze-assets download 2021-Q2` fetches one), or try `backblaze-assets demo`."
        )
    ran: list[Ran] = []
    for asset in upstream_of(targets):
        # Again until nothing is left: a quarter made anew may make the one after it out of date.
        while todo := lineage.to_do(asset, refused=True):
            for keys in unbroken(asset, todo):
                say(_sentence(asset, keys))
                for complaint in run(instance, data, asset, keys):
                    say(complaint)
                ran.append(Ran(asset, len(keys)))
            lineage.forget()
        if refused := refusals(lineage, [asset]):  # and not to be made again, for want of its zip
            raise DataError("\n".join(refused))
    return ran


def run(
    instance: dg.DagsterInstance, data: Data, asset: str, keys: Sequence[str | None]
) -> list[str]:
    """Materialize an unbroken range of partitions of one asset in one run.

    Returns:
        What the asset's checks have found, in words.

    Raises:
        DataError: the step failed on something that a user can mend, or a blocking check did.
    """
    # Here, because where all is up to date nothing runs, and these bring every asset's libraries.
    from backblaze_assets.checks import complaints
    from backblaze_assets.definitions import build_definitions

    settings = Settings(data=Path(data.root), film=data.film)
    run_id = str(uuid4())
    job = build_definitions(settings).resolve_implicit_global_asset_job_def()
    try:
        job.execute_in_process(
            instance=instance,
            run_id=run_id,
            asset_selection=[dg.AssetKey(asset)],
            # The daemon is not to try again what a person has stopped.
            tags={**range_tags(keys), "dagster/max_retries": "0"},
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
        )
    except dg.DagsterExecutionInterruptedError as interrupt:
        # A failure to Dagster, which knows of no request to stop; but a person has stopped it.
        if stopped := instance.get_run_by_id(run_id):
            instance.report_run_canceled(stopped)
        raise KeyboardInterrupt from interrupt
    except dg.Failure as failure:
        raise DataError(failure.description or f"{asset} failed") from failure
    except DagsterAssetCheckFailedError as failure:
        found = refusals(data.lineage(instance), [asset]) or complaints(instance, asset)
        raise DataError("\n".join(found)) from failure
    return complaints(instance, asset)


def _sentence(asset: str, keys: Sequence[str | None]) -> str:
    if keys[0] is None:
        return asset
    names = [str(key) for key in keys]
    if asset not in DAILY:
        names = [quarter_name(date.fromisoformat(name)) for name in names]
    return f"{asset} {names[0]}" + (f" to {names[-1]} ({len(names)})" if len(names) > 1 else "")
