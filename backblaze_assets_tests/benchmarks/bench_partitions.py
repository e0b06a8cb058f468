"""Dagster's own cost for each partition: a range of daily partitions of an asset that does nothing.

The project's instance settings against Dagster's defaults, on SQLite both, in one process with the
in-process executor; and, where Postgres is installed, its storage of a cluster against Dagster's
own, on a server on this machine. By Dagster's own ways each partition costs the same, so that a
short range tells enough.
Milliseconds depend on the machine; the numbers of statements, transactions and events do not.
"""

import json
import shutil
from pathlib import Path

from backblaze_assets.instance.postgres_storage import with_driver
from backblaze_assets_tests.benchmarks.harness import Measurement, Result, measure, written_mb
from backblaze_assets_tests.servers import installed, postgres

GOAL_MS = 8.0
GOAL_POSTGRES_MS = 3.0
PARTITIONS = 2800
PARTITIONS_BY_DEFAULT = 300

CODE = """
import json, sys, time, warnings
from contextlib import contextmanager
from pathlib import Path
import dagster as dg
from sqlalchemy import Engine, event
from backblaze_assets.instance.opening import open_instance

warnings.filterwarnings("ignore", category=dg.BetaWarning)
kind, partitions, folder, url = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]), sys.argv[4]
days = dg.DailyPartitionsDefinition("2013-04-10")

@dg.asset(partitions_def=days, backfill_policy=dg.BackfillPolicy.single_run())
def nothing() -> dg.MaterializeResult:
    return dg.MaterializeResult()

@contextmanager
def default_instance():
    folder.mkdir(parents=True)
    storages = {
        "Postgres, default": ("dagster_postgres", "DagsterPostgresStorage"),
        "Postgres, project": ("backblaze_assets.instance.postgres_storage", "Storage"),
    }
    overrides = {}
    if kind in storages:
        module, name = storages[kind]
        custom = {"module": module, "class": name, "config": {"postgres_url": url}}
        overrides = {"storage": {"custom": custom}}
    with dg.DagsterInstance.local_temp(str(folder), overrides=overrides) as instance:
        yield instance

counts = {"statements": 0, "transactions": 0}
def count(what):
    def one_more(*args):
        counts[what] += 1
    return one_more
event.listen(Engine, "before_cursor_execute", count("statements"))
event.listen(Engine, "commit", count("transactions"))

definitions = dg.Definitions([nothing], executor=dg.in_process_executor)
job = definitions.resolve_implicit_global_asset_job_def()
keys = days.get_partition_keys()[:partitions]
tags = {f"dagster/asset_partition_range_{end}": keys[i] for end, i in [("start", 0), ("end", -1)]}
quiet = {"loggers": {"console": {"config": {"log_level": "ERROR"}}}}
with open_instance(folder) if kind == "project" else default_instance() as instance:
    counts.update(statements=0, transactions=0)
    started = time.perf_counter(), time.process_time()
    run = job.execute_in_process(run_config=quiet, instance=instance, tags=tags)
    wall, cpu = time.perf_counter() - started[0], time.process_time() - started[1]
    materialized = instance.event_log_storage.get_materialized_partitions(dg.AssetKey("nothing"))
    assert materialized == set(keys)
    counts["events"] = len(instance.all_logs(run.run_id))
print(json.dumps({"wall_ms": wall / partitions * 1e3, "cpu_ms": cpu / partitions * 1e3, **counts}))
"""


def run(work: Path) -> list[Result]:
    default = _measure(work, "default", PARTITIONS_BY_DEFAULT)
    ours = _measure(work, "project", PARTITIONS)
    found = [
        _result(work, "Dagster's defaults", "default", PARTITIONS_BY_DEFAULT, default),
        _result(work, "this project", "project", PARTITIONS, ours),
    ]
    if installed("initdb"):
        kinds = {"Postgres, default": PARTITIONS_BY_DEFAULT, "Postgres, project": PARTITIONS}
        for kind, partitions in kinds.items():
            with postgres() as url:
                measured = _measure(work, kind, partitions, with_driver(url))
            found.append(_result(work, kind, kind, partitions, measured))
    return found


def _measure(work: Path, kind: str, partitions: int, url: str = "") -> Measurement:
    folder = work / "partitions" / kind
    shutil.rmtree(folder, ignore_errors=True)  # the range must be new
    return measure(CODE, kind, str(partitions), str(folder), url, env={"DAGSTER_HOME": ""})


def _result(work: Path, case: str, kind: str, partitions: int, measured: Measurement) -> Result:
    figures = json.loads(measured.stdout.splitlines()[-1])
    return Result(
        benchmark="partitions",
        case=f"{case}, {partitions} partitions",
        measured=measured,
        written_mb=written_mb(work / "partitions" / kind),
        goal={"project": GOAL_MS, "Postgres, project": GOAL_POSTGRES_MS}.get(kind),
        note=(
            f"{figures['wall_ms']:.2f} ms ({figures['cpu_ms']:.2f} CPU) a partition,"
            f" {figures['statements']} statements, {figures['transactions']} transactions,"
            f" {figures['events']} events"
        ),
    )
