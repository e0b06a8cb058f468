"""The batching event log: same records as Dagster's own, few transactions, killed halfway."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import sqlalchemy
from dagster._core.events import AssetObservationData, DagsterEvent, StepMaterializationData
from dagster._core.storage.event_log import SqliteEventLogStorage

from backblaze_assets.instance import storage
from backblaze_assets.instance.event_log import BatchedEventLog
from backblaze_assets.instance.records import latest_materializations
from backblaze_assets.instance.storage import Storage, unfit

pytestmark = pytest.mark.filterwarnings("ignore::dagster.BetaWarning")
DAYS = dg.DailyPartitionsDefinition("2013-04-10", end_date="2014-04-10")
KEYS = DAYS.get_partition_keys()
KEY = dg.AssetKey("daily")


def definitions() -> tuple[dg.AssetsDefinition, dg.AssetsDefinition, dg.AssetChecksDefinition]:
    @dg.asset(partitions_def=DAYS, backfill_policy=dg.BackfillPolicy.single_run())
    def daily(context: dg.AssetExecutionContext) -> dg.MaterializeResult[Any]:
        for number, key in enumerate(context.partition_keys):
            context.add_asset_metadata({"number": number}, partition_key=key)
        return dg.MaterializeResult(metadata={"shared": "x"}, data_version=dg.DataVersion("v"))

    @dg.asset(deps=[daily], code_version="1")
    def whole(context: dg.AssetExecutionContext) -> None:
        context.log_event(dg.AssetObservation("daily", partition=KEYS[0], metadata={"seen": 1}))

    @dg.asset_check(asset=daily)
    def good() -> dg.AssetCheckResult:
        return dg.AssetCheckResult(passed=True)

    return daily, whole, good


@contextmanager
def instance_in(folder: Path, *, batched: bool = True) -> Iterator[dg.DagsterInstance]:
    custom = {
        "module": "backblaze_assets.instance.storage"
        if batched
        else "dagster._core.storage.sqlite_storage",
        "class": "Storage" if batched else "DagsterSqliteStorage",
        "config": {"base_dir": str(folder)},
    }
    folder.mkdir(exist_ok=True)
    with dg.instance_for_test(overrides={"storage": {"custom": custom}}) as instance:
        expected = BatchedEventLog if batched else SqliteEventLogStorage
        assert type(instance.event_log_storage) is expected
        yield instance


def run_days(instance: dg.DagsterInstance, first: int, last: int) -> str:
    """Materialize and check `daily` for the days with these numbers; the run's id."""
    daily, _, good = definitions()
    tags = {
        "dagster/asset_partition_range_start": KEYS[first],
        "dagster/asset_partition_range_end": KEYS[last],
    }
    return dg.materialize([daily, good], instance=instance, tags=tags).run_id


def materialized(run_id: str, partition: str) -> dg.EventLogEntry:
    """An event like those that Dagster stores, tagged with its own partition."""
    made = dg.AssetMaterialization(
        KEY, partition=partition, tags={"dagster/data_version": partition}
    )
    return entry(run_id, "ASSET_MATERIALIZATION", StepMaterializationData(made))


def entry(run_id: str, kind: str, data: Any) -> dg.EventLogEntry:
    event = DagsterEvent(kind, job_name="job", event_specific_data=data)
    return dg.EventLogEntry(None, "debug", "", run_id, 1.5e9, None, "job", event)


def rows(database: Path, query: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(database)) as connection:
        return connection.execute(query).fetchall()


def everything(folder: Path, run_ids: list[str]) -> dict[str, Any]:
    """All that the event log's files hold, with runs numbered and times left out."""

    def numbered(values: tuple[Any, ...]) -> tuple[Any, ...]:
        text = {run_id: f"run {number}" for number, run_id in enumerate(run_ids)}
        return tuple(text.get(value, value) for value in values)

    log = "select id, run_id, dagster_event_type, step_key, asset_key, partition from event_logs"
    queries = {
        "events": log,
        "tags": "select event_id, asset_key, key, value from asset_event_tags",
        "assets": "select asset_key, last_run_id from asset_keys",
        "checks": "select run_id, check_name, execution_status, partition,"
        " evaluation_event_storage_id from asset_check_executions",
        "version": "select version_num from alembic_version",
    }
    runs = folder / "history" / "runs"
    index = {name: rows(runs / "index.db", query) for name, query in queries.items()}
    logs = {run_id: rows(runs / f"{run_id}.db", log) for run_id in run_ids}
    return {
        name: [numbered(row) for row in table]
        for name, table in {**index, **dict(zip("0123", logs.values(), strict=False))}.items()
    }


@pytest.mark.slow
def test_same_records_as_dagsters_own_storage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAGSTER_EVENT_BATCH_SIZE", "3")
    stored, read = {}, {}
    for batched in (False, True):
        folder = tmp_path / str(batched)
        with instance_in(folder, batched=batched) as instance:
            run_ids = [run_days(instance, 0, 7), run_days(instance, 5, 9)]
            run_ids.append(dg.materialize([definitions()[1]], instance=instance).run_id)
            latest = latest_materializations(instance, KEY)
            last = instance.get_latest_materialization_event(KEY)
            assert last is not None
            read[batched] = (
                {key: (record.storage_id, record.metadata) for key, record in latest.items()},
                last.get_dagster_event().partition,
            )
        stored[batched] = everything(folder, run_ids)
    assert stored[True] == stored[False]
    assert read[True] == read[False]
    assert len(read[True][0]) == 10


@pytest.mark.slow
def test_each_storage_reads_what_the_other_wrote(tmp_path: Path) -> None:
    for number, batched in enumerate((True, False)):
        with instance_in(tmp_path, batched=batched) as instance:
            run_days(instance, number * 3, number * 3 + 2)
            assert len(latest_materializations(instance, KEY)) == number * 3 + 3


@contextmanager
def statements() -> Iterator[list[str]]:
    """The SQL statements that are sent to any database inside the block, in lower case."""
    sent: list[str] = []

    def note(*args: Any) -> None:
        sent.append(args[2].lower())

    sqlalchemy.event.listen(sqlalchemy.Engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        sqlalchemy.event.remove(sqlalchemy.Engine, "before_cursor_execute", note)


@pytest.mark.slow
def test_statements_do_not_grow_with_partitions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAGSTER_EVENT_BATCH_SIZE", "1000")
    counts = []
    with instance_in(tmp_path) as instance:
        run_days(instance, 0, 1)  # creates the tables
        for days in (5, 50):
            with statements() as sent:
                run_days(instance, 0, days)
            counts.append(len(sent))
    assert counts[0] == counts[1]


def test_last_event_of_each_type_counts(tmp_path: Path) -> None:
    """A materialization is an asset's last one also when another event follows in its batch."""
    seen = AssetObservationData(dg.AssetObservation(KEY, partition=KEYS[0]))
    observed = entry("run", "ASSET_OBSERVATION", seen)
    log = BatchedEventLog(str(tmp_path))
    log.store_event_batch([materialized("run", KEYS[0]), materialized("run", KEYS[1]), observed])
    latest = log.get_latest_materialization_events([KEY])[KEY]
    assert latest is not None
    assert latest.get_dagster_event().partition == KEYS[1]


def test_no_two_materializations_carry_the_same_millisecond(tmp_path: Path) -> None:
    """Dagster's UI would show one of them only; all events here have one and the same time."""
    log = BatchedEventLog(str(tmp_path))
    for keys in (KEYS[:5], KEYS[5:9]):
        log.store_event_batch([materialized("run", key) for key in keys])
    found = log.fetch_materializations(KEY, limit=100).records
    assert [record.partition_key for record in reversed(found)] == KEYS[:9]
    milliseconds = [int(record.timestamp * 1000) for record in reversed(found)]
    assert milliseconds == [1_500_000_000_000 + number for number in range(9)]


def test_events_of_several_runs_go_to_their_runs(tmp_path: Path) -> None:
    log = BatchedEventLog(str(tmp_path))
    log.store_event_batch([materialized(run, KEYS[0]) for run in ("a", "b", "a")])
    assert [len(log.get_logs_for_run(run)) for run in ("a", "b")] == [2, 1]
    assert len(rows(tmp_path / "index.db", "select 1 from event_logs")) == 3


def test_nothing_is_stored_when_the_index_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dagster stores the events of a failed batch again, one by one."""
    log = BatchedEventLog(str(tmp_path))

    def fail(*_: Any) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(log, "_store_asset_event", fail)
    with pytest.raises(OSError, match="disk full"):
        log.store_event_batch([materialized("run", KEYS[0])])
    assert not log.get_logs_for_run("run")
    assert not rows(tmp_path / "index.db", "select 1 from event_logs")


def test_schema_of_an_older_dagster_is_left_alone(tmp_path: Path) -> None:
    """Before `dagster instance migrate`, columns and tables may be missing, as Dagster allows."""
    BatchedEventLog(str(tmp_path))
    with closing(sqlite3.connect(tmp_path / "index.db")) as index:
        index.execute("drop table asset_event_tags")
        index.execute("alter table asset_keys drop column last_materialization_timestamp")
        index.execute("update alembic_version set version_num = '0da417ae1b81'")
        index.commit()
    log = BatchedEventLog(str(tmp_path))
    log.store_event_batch([materialized("run", key) for key in KEYS[:3]])
    assert log.get_materialized_partitions(KEY) == set(KEYS[:3])
    assert log.alembic_version()[0] == "0da417ae1b81"


WORK = """
import os, signal
from backblaze_assets.instance.storage import Storage
from backblaze_assets_tests.instance.test_event_log import KEYS, materialized
def die(*args):
    os.kill(os.getpid(), signal.SIGKILL)
def work(folder, run, moment=""):
    log = Storage(folder).event_log_storage
    batches = [[materialized(run, key) for key in KEYS[n:n + 50]] for n in range(0, 250, 50)]
    for number, batch in enumerate(batches):
        if number == 3 and moment == "before commit":
            log._store_asset_event = die
        if number == 3 and moment == "between commits":
            commits = iter([None, die])
            from sqlalchemy import Engine, event
            event.listen(Engine, "commit", lambda connection: (next(commits) or str)())
        log.store_event_batch(batch)
"""

AT_ONCE = """
import json, os, sys
children = []
for call in json.loads(sys.argv[1]):  # what is imported, is imported once for all
    child = os.fork()
    if not child:
        code = 1
        try:
            work(*call)
            code = 0
        finally:
            os._exit(code)
    children.append(child)
print([os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children])
"""

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")


def at_once(code: str, *calls: tuple[str, ...]) -> list[int]:
    """Call `work` of some code in processes of their own, all at once; their exit codes."""
    command = [sys.executable, "-c", code + AT_ONCE, json.dumps(calls)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return list(json.loads(done.stdout))


@pytest.mark.slow
@needs_fork
def test_killed_process_leaves_whole_batches(tmp_path: Path) -> None:
    moments = {"before commit": (150, 150), "between commits": (200, 150)}
    folders = {moment: tmp_path / moment for moment in moments}
    calls = [(str(folders[moment]), "killed", moment) for moment in moments]
    assert at_once(WORK, *calls) == [-signal.SIGKILL] * 2
    for moment, (in_run, in_index) in moments.items():
        log = Storage(str(folders[moment])).event_log_storage
        assert len(log.get_logs_for_run("killed")) == in_run
        assert log.get_materialized_partitions(KEY) == set(KEYS[:in_index])
        log.store_event_batch([materialized("next", key) for key in KEYS[:200]])
        assert len(log.get_materialized_partitions(KEY)) == 200


@pytest.mark.slow
@needs_fork
def test_processes_make_an_instance_and_write_at_once(tmp_path: Path) -> None:
    assert at_once(WORK, *((str(tmp_path), run) for run in "abcd")) == [0] * 4
    log = Storage(str(tmp_path)).event_log_storage
    assert [len(log.get_logs_for_run(run)) for run in "abcd"] == [250] * 4
    index = tmp_path / "history" / "runs" / "index.db"
    # Each event has the tag with its own partition, so the numbers of its row were right.
    mismatched = rows(
        index,
        "select e.id from event_logs e left join asset_event_tags t on t.event_id = e.id"
        " where e.partition is not t.value",
    )
    assert not mismatched
    assert len(rows(index, "select 1 from event_logs")) == 1000


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="needs /proc to count open files")
@pytest.mark.usefixtures("no_database_open")
def test_no_files_stay_open(tmp_path: Path) -> None:
    with instance_in(tmp_path) as instance:
        for number in range(2):
            run_days(instance, number, number + 1)
        links = list(Path("/proc/self/fd").iterdir())
        targets = [str(link.readlink()) for link in links if link.is_symlink()]
        assert not [target for target in targets if "/history/runs/" in target]


def test_untested_dagster_gets_its_own_storage_and_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage, "TESTED", "0.1.")
    with pytest.warns(UserWarning, match="Dagster .* is not one of 0.1.*one by one"):
        opened = Storage(str(tmp_path))
    assert type(opened.event_log_storage) is SqliteEventLogStorage


def test_changed_methods_are_noticed() -> None:
    class Renamed(SqliteEventLogStorage):
        def _store_asset_event(self, conn: Any, event: Any) -> None: ...  # type: ignore[override]

    assert unfit() is None
    assert "_store_asset_event" in str(unfit(storage=Renamed))
    assert "1.14.2" in str(unfit(version="1.14.2"))
