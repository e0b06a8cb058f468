"""A sensor that has everything made that is missing or out of date, from the zips to the film."""

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import dagster as dg

from backblaze_assets.assets.raw_quarter import zips_readable
from backblaze_assets.automation.reloading import reload_definitions
from backblaze_assets.automation.requests import Agenda, agenda, is_at_work
from backblaze_assets.files.folder import DataFolder
from backblaze_assets.files.origin import digest
from backblaze_assets.graph import GRAPH
from backblaze_assets.lineage.checking import folder_evaluation
from backblaze_assets.lineage.code_version import PACKAGE
from backblaze_assets.lineage.reasons import complaints
from backblaze_assets.lineage.view import NO_INPUT, View
from backblaze_assets.resources import Data

INTERVAL_S = 2
"""Seconds between ticks; Dagster's loop makes 5 of them, and 10 of what is just below 5."""

AT_WORK = "Runs are at work; what they leave is for the next time."

CLICK = "click `Reload` on the page Deployment"

STILL_S = 2
"""Seconds for which a zip must not have changed before it is looked at: it may be being copied."""

PATIENCE_S = 10
"""Seconds for which a tick waits for a run to end, so that what comes next need not wait for the
next tick. Dagster gives a tick 60 seconds."""

LOOK_S = 0.25
"""Seconds between two looks while a tick waits."""


def keep_up_to_date_sensor(data: Data, port: int) -> dg.SensorDefinition:
    """The sensor for a data folder.

    A tick that finds zips, results and runs as the last one left them ends there, without reading
    zips or records. While runs are at work it waits for them. Each batch of work is asked for once.
    Where there are data beyond the partitions shown, the definitions are loaded anew in the tick
    after the one that asks for runs, as that takes seconds and no run depends on it.

    Args:
        data: the data folder, as seen when the definitions were loaded.
        port: where the UI listens.
    """
    loaded = time.time()

    @dg.sensor(
        asset_selection=dg.AssetSelection.all(),
        minimum_interval_seconds=INTERVAL_S,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Makes what is missing or out of date, from a new zip to the film.",
    )
    def keep_up_to_date(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        before = json.loads(context.cursor or "{}")
        if not _lie_still(data.folder):
            return _skip("A zip has just changed, or is being copied: next time.", before)
        show = before.get("show") == loaded
        if is_at_work(context.instance) and not _are_over(context, port, show=show):
            return _skip(AT_WORK, {**before, "show": None})
        seen = _seen(data.folder, context.instance)
        if before.get("seen") == seen and before.get("loaded") == loaded:
            return _skip(before["note"], before)
        fresh = data.seen_anew()
        if _is_edited(loaded):
            # Runs use the new code at once, and this process the old one until it is loaded anew,
            # so the two would never agree. When the code is ready to be used, a person says.
            return _skip(f"The code has been edited: {CLICK}.", before)
        beyond = data.view.calendar != fresh.view.calendar
        lineage = fresh.lineage(context.instance)
        found = agenda(lineage, context.instance, days_per_run=data.days_per_run)
        zips = fresh.view.verdict()
        notes = complaints(lineage, list(GRAPH)) or [fresh.view.emptiness()]
        if beyond and not found.requests:
            notes.insert(0, _show_new_partitions(context, port))
        if found.failed:
            notes.append(_failed(found))
        note = "\n".join(filter(None, notes)) or "Everything is up to date."
        now = {"seen": seen, "loaded": loaded, "note": note, "zips": zips.message}
        known = zips.passed if "zips" not in before else zips.message == before["zips"]
        events = [] if known else [_evaluation(fresh.view)]
        if found.requests:  # their runs will change what is seen
            now["show"] = loaded if beyond else None
            return dg.SensorResult(found.requests, cursor=json.dumps(now), asset_events=events)
        return dg.SensorResult(skip_reason=note, cursor=json.dumps(now), asset_events=events)

    return keep_up_to_date


def _skip(reason: str, cursor: dict[str, object]) -> dg.SensorResult:
    return dg.SensorResult(skip_reason=reason, cursor=json.dumps(cursor))


def _failed(found: Agenda) -> str:
    names = ", ".join(sorted({asset for asset, _, _ in found.failed}))
    return (
        f"Partitions of {names} could not be made; see their last run. They are asked for again "
        "when their inputs change. `Materialize` tries at once."
    )


def _lie_still(folder: DataFolder) -> bool:
    """Whether no zip is being copied; of one that has just changed, waits to see that it stays."""
    if folder.store:
        return True  # an object is there whole, or not yet
    root = folder.root
    before = list(_zips(root))
    left = max((changed for *_, changed in before), default=0.0) + STILL_S - time.time()
    if left <= 0:
        return True
    time.sleep(min(left, STILL_S))
    return list(_zips(root)) == before


def _are_over(context: dg.SensorEvaluationContext, port: int, *, show: bool) -> bool:
    """Whether the runs at work end within the time that a tick waits for them.

    To `show` new partitions takes seconds. It is done in that time, when nothing else waits for it.
    """
    if show:
        _show_new_partitions(context, port)
        return False  # what has been loaded anew has the next word
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        time.sleep(LOOK_S)
        if not is_at_work(context.instance):
            return True
    return False


def _zips(root: Path) -> Iterator[tuple[str, int, float]]:
    """Path, size and time of the last change of what lies in the data folder beside the results."""
    for where, folders, files in os.walk(root):
        hidden = [name for name in folders if name.startswith(".")]
        skipped = {*hidden, *(NO_INPUT if where == str(root) else ())}
        folders[:] = sorted(set(folders) - skipped)
        for name in sorted(files):
            try:
                status = os.stat(f"{where}/{name}")  # noqa: PTH116  # there may be thousands
            except OSError:
                continue  # it was there a moment ago, or is a link to nowhere
            yield f"{where}/{name}", status.st_size, status.st_mtime


def _seen(folder: DataFolder, instance: dg.DagsterInstance) -> str:
    """A digest of all that may change what there is to do: zips, result folders, the last run."""
    root = folder.root
    folders = [root / asset for asset in GRAPH]
    # Where partitions are folders, a file that is deleted changes that folder's time alone.
    of_folders = [asset.name for asset in GRAPH.values() if any("/" in it for it in asset.files)]
    folders += [path for name in of_folders for path in sorted(root.glob(f"{name}/*/"))]
    changed = [str(path.stat().st_mtime_ns) for path in folders if path.is_dir()]
    last = instance.get_run_records(limit=1, order_by="update_timestamp", ascending=False)
    run = [str((it.storage_id, it.dagster_run.status.value, it.update_timestamp)) for it in last]
    zips = folder.inputs() if folder.store else _zips(root)
    return digest([*map(str, zips), *changed, *run])


def _is_edited(loaded: float) -> bool:
    """Whether a module of this package has been written since it was loaded."""
    return any(path.stat().st_mtime > loaded for path in PACKAGE.rglob("*.py"))


def _show_new_partitions(context: dg.SensorEvaluationContext, port: int) -> str:
    """Have the definitions loaded anew; what a person is to do where that does not work."""
    origin = context.code_location_origin
    if reload_definitions(port, origin.location_name if origin else ""):
        context.log.info("There are new partitions: the definitions were loaded anew.")
        return ""
    return f"There are data beyond the partitions shown: {CLICK}, or set BACKBLAZE_PORT."


def _evaluation(view: View) -> dg.AssetCheckEvaluation:
    """What the check of the zips finds, so that a bad one is seen in the graph."""
    verdict = zips_readable(view)
    return dg.AssetCheckEvaluation(
        **folder_evaluation("raw_quarter", zips_readable.__name__, verdict)
    )
