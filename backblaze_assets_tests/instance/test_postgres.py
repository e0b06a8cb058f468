"""Events in Postgres: the same records as Dagster's own storage, in few statements."""

import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import sqlalchemy
from dagster_postgres import PostgresEventLogStorage

from backblaze_assets.instance import storage
from backblaze_assets.instance.celery_launcher import WatchfulCeleryRunLauncher
from backblaze_assets.instance.opening import look_at_instance, open_instance
from backblaze_assets.instance.postgres_event_log import BatchedPostgresEventLog
from backblaze_assets.instance.postgres_storage import Storage, unfit, with_driver
from backblaze_assets.instance.records import latest_materializations
from backblaze_assets_tests.instance.test_event_log import (
    DAYS,
    KEY,
    KEYS,
    at_once,
    definitions,
    materialized,
    run_days,
    statements,
)
from backblaze_assets_tests.project import END, START
from backblaze_assets_tests.servers import postgres, postgres_server

pytestmark = [pytest.mark.filterwarnings("ignore::dagster.BetaWarning")]

WORK = """
from backblaze_assets.instance.postgres_storage import Storage
from backblaze_assets_tests.instance.test_event_log import KEYS, materialized
def work(url, run):
    log = Storage(url).event_log_storage
    for start in range(0, 250, 50):
        log.store_event_batch([materialized(run, key) for key in KEYS[start:start + 50]])
"""


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with postgres() as url:
        yield url


def database(server: str, name: str) -> str:
    """A new database of a server."""
    engine = sqlalchemy.create_engine(with_driver(server), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(sqlalchemy.text(f"create database {name}"))
    engine.dispose()
    return server.replace("/postgres?", f"/{name}?")


def rows(url: str, query: str) -> list[tuple[Any, ...]]:
    engine = sqlalchemy.create_engine(with_driver(url))
    with engine.connect() as connection:
        found = [tuple(row) for row in connection.execute(sqlalchemy.text(query))]
    engine.dispose()
    return found


@contextmanager
def instance_at(url: str, *, batched: bool = True) -> Iterator[dg.DagsterInstance]:
    own = {"module": "dagster_postgres", "class": "DagsterPostgresStorage"}
    ours = {"module": "backblaze_assets.instance.postgres_storage", "class": "Storage"}
    custom = {
        **(ours if batched else own),
        "config": {"postgres_url": url if batched else with_driver(url)},
    }
    with dg.instance_for_test(overrides={"storage": {"custom": custom}}) as instance:
        expected = BatchedPostgresEventLog if batched else PostgresEventLogStorage
        assert type(instance.event_log_storage) is expected
        yield instance


@pytest.mark.slow
def test_same_records_as_dagsters_own_storage(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAGSTER_EVENT_BATCH_SIZE", "3")
    queries = [
        "select id, dagster_event_type, step_key, asset_key, partition from event_logs order by id",
        "select event_id, asset_key, key, value from asset_event_tags"
        " where value not in (select run_id from runs) order by 1, 3, 4",
        "select asset_key, (select count(*) from runs r where r.id <= own.id) from asset_keys"
        " join runs own on own.run_id = last_run_id order by 1",
        "select check_name, execution_status, partition, evaluation_event_storage_id"
        " from asset_check_executions order by id",
    ]
    stored, read = {}, {}
    for batched in (False, True):
        url = database(server, "batched" if batched else "plain")
        with instance_at(url, batched=batched) as instance:
            run_days(instance, 0, 7)
            run_days(instance, 5, 9)
            dg.materialize([definitions()[1]], instance=instance)
            latest = latest_materializations(instance, KEY)
            read[batched] = {key: (each.storage_id, each.metadata) for key, each in latest.items()}
        stored[batched] = [rows(url, query) for query in queries]
    assert stored[True] == stored[False]
    assert all(stored[True])
    assert read[True] == read[False]
    assert len(read[True]) == 10


@pytest.mark.slow
def test_statements_do_not_grow_with_partitions(
    server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAGSTER_EVENT_BATCH_SIZE", "1000")
    counts = []
    with instance_at(database(server, "counted")) as instance:
        run_days(instance, 0, 1)
        for days in (5, 50):
            with statements() as sent:
                run_days(instance, 0, days)
            counts.append(sum(it.startswith(("insert", "update")) for it in sent))
    assert counts[0] == counts[1]


@pytest.mark.slow
def test_processes_make_an_empty_database_ready_and_write_at_once(server: str) -> None:
    url = database(server, "at_once")
    assert at_once(WORK, *((url, run) for run in "abcd")) == [0] * 4
    assert rows(url, "select run_id, count(*) from event_logs group by 1 order by 1") == [
        (run, 250) for run in "abcd"
    ]
    # Each event has the tag with its own partition, so the numbers of its row were right.
    tagged = "select e.id from event_logs e join asset_event_tags t on t.event_id = e.id"
    assert len(rows(url, tagged)) == 1000
    assert not rows(url, f"{tagged} where e.partition <> t.value")


KILLED = """
import os, signal, sys
from backblaze_assets.instance.postgres_storage import Storage
from backblaze_assets_tests.instance.test_event_log import KEYS, materialized
log = Storage(sys.argv[1]).event_log_storage
batches = [[materialized("killed", key) for key in KEYS[n:n + 50]] for n in range(0, 150, 50)]
for number, batch in enumerate(batches):
    if number == 2:  # its rows are sent, and not committed
        log._store_asset_event = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
    log.store_event_batch(batch)
"""


@pytest.mark.slow
def test_killed_process_leaves_whole_batches(server: str) -> None:
    url = database(server, "killed")
    done = subprocess.run([sys.executable, "-c", KILLED, url], check=False)
    assert done.returncode == -signal.SIGKILL
    log = Storage(url).event_log_storage
    assert len(log.get_logs_for_run("killed")) == 100
    assert log.get_materialized_partitions(KEY) == set(KEYS[:100])
    log.store_event_batch([materialized("next", key) for key in KEYS[:150]])
    assert log.get_materialized_partitions(KEY) == set(KEYS[:150])


@pytest.mark.slow
def test_server_that_crashes_during_a_batch_has_it_whole_or_not_at_all() -> None:
    with postgres_server() as own:
        log = Storage(own.url).event_log_storage
        log.store_event_batch([materialized("before", key) for key in KEYS[:50]])
        stored = log._store_asset_event
        log._store_asset_event = lambda *_: own.crash()
        with pytest.raises(sqlalchemy.exc.DatabaseError, match=r"terminat|server closed"):
            log.store_event_batch([materialized("during", key) for key in KEYS[50:100]])
        with pytest.raises(Exception, match="too many retries for DB connection"):
            log.store_event_batch([materialized("during", key) for key in KEYS[50:100]])
        own.start()
        log._store_asset_event = stored
        assert log.get_materialized_partitions(KEY) == set(KEYS[:50])
        assert not log.get_logs_for_run("during")
        log.store_event_batch([materialized("after", key) for key in KEYS[50:100]])
        assert log.get_materialized_partitions(KEY) == set(KEYS[:100])


@pytest.mark.slow
def test_run_goes_on_when_the_server_was_away() -> None:
    with postgres_server() as own, instance_at(own.url) as instance:

        @dg.asset(partitions_def=DAYS, backfill_policy=dg.BackfillPolicy.single_run())
        def daily() -> None:
            own.crash()
            own.start()

        tags = {START: KEYS[0], END: KEYS[9]}
        assert dg.materialize([daily], instance=instance, tags=tags).success
        assert set(latest_materializations(instance, KEY)) == set(KEYS[:10])


@pytest.mark.slow
def test_untested_dagster_gets_its_own_storage_and_a_warning(
    server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage, "TESTED", "0.1.")
    with pytest.warns(UserWarning, match="Dagster .* is not one of 0.1.*one by one"):
        opened = Storage(server)
    assert type(opened.event_log_storage) is PostgresEventLogStorage


def test_changed_methods_are_noticed() -> None:
    class Renamed(PostgresEventLogStorage):
        def _store_asset_event(self, conn: Any, event: Any) -> None: ...  # type: ignore[override]

    assert unfit() is None
    assert "_store_asset_event" in str(unfit(Renamed))


@pytest.mark.slow
def test_settings_for_a_cluster(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Path(__file__).parents[2] / "deploy" / "dagster.yaml"
    shutil.copy(settings, tmp_path)
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    monkeypatch.setenv("BACKBLAZE_POSTGRES", database(server, "settings"))
    monkeypatch.setenv("BACKBLAZE_BROKER", "redis://127.0.0.1:1/0")
    monkeypatch.setenv("BACKBLAZE_RESULTS", "redis://127.0.0.1:1/1")
    with open_instance(tmp_path) as instance:
        assert type(instance.event_log_storage) is BatchedPostgresEventLog
        assert type(instance.run_launcher) is WatchfulCeleryRunLauncher
        run_days(instance, 0, 2)
    # Commands that only look find the records there, too.
    with look_at_instance(tmp_path) as instance:
        assert set(latest_materializations(instance, KEY)) == set(KEYS[:3])
