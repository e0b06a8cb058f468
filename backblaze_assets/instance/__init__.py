"""The Dagster instance: opening it, and every use of parts of Dagster that are not public.

Belongs here: which instance is used and with which settings (`opening`), the storage of events
(`storage`, `event_log`; in Postgres `postgres_storage`, `postgres_event_log`), launchers of runs
(`run_launcher`, `celery_launcher`), reading many records (`records`).
Does not: what the records mean (`lineage/`).

Each use of a private part says why it is needed, and what is done instead where the installed
Dagster lacks it; private imports stand inside functions or guards, so that no command dies of them.
`backblaze_assets_tests/instance/test_without_private_parts.py` takes each of them away in turn.

| private part | used for | without it |
|---|---|---|
| `SqliteEventLogStorage`: methods, tables | events of many partitions at once | Dagster's own |
| `PostgresEventLogStorage`: methods | the same in Postgres | Dagster's own |
| `SqlEventLogStorageTable` | reading thousands of materializations | public call, slower |
| `CheckRunHealthResult`, `WorkerStatus` | noticing runs that were killed | Dagster's launcher |
| `InstanceRef` | steps that print to the terminal | they print to files |
| the same, classes of SQLite | whether records are on a server | guessed from `dagster.yaml` |
"""
