"""Which Dagster instance is used: one, for this command line, `dagster`, `dg` and the daemon.

It is kept in the folder `dagster` below the data folder, unless the user has set DAGSTER_HOME. Its
settings are those of `dagster.yaml`, which lies at the top of the repository, where Dagster's own
commands find it, and inside an installed package. It says by variables where files are; `.env` sets
them for Dagster's own commands, and this module for ours. A `dagster.yaml` of the current folder
that belongs to another project is never looked at.
"""

import errno
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from importlib import import_module
from pathlib import Path

import dagster as dg

from backblaze_assets.errors import DataError
from backblaze_assets.files.atomic import write_atomic
from backblaze_assets.instance.run_launcher import fail_dead_runs
from backblaze_assets.settings import instance_home

DATABASES = ("history/runs.db", "history/runs/index.db", "schedules/schedules.db")
"""What an instance keeps on disk that says what has been made and checked."""

_NO_COMPUTE_LOGS = {
    "module": "dagster._core.storage.noop_compute_log_manager",
    "class": "NoOpComputeLogManager",
}


def environment(data: Path) -> dict[str, str]:
    """The environment for a child process whose Dagster is to use the instance of `data`.

    The instance's folder is made ready.

    Raises:
        DataError: DAGSTER_HOME is not a folder.
    """
    return {
        **os.environ,
        **_variables(data),
        "BACKBLAZE_DATA": str(data.absolute()),
        "DAGSTER_HOME": str(_prepared(data)),
    }


@contextmanager
def open_instance(data: Path) -> Iterator[dg.DagsterInstance]:
    """The instance of `data`, for runs in this process.

    Runs whose process has been killed are marked as failed first, so that nothing waits for them.

    Raises:
        DataError: DAGSTER_HOME is not a folder, or cannot be written to.
    """
    folder = _prepared(data)
    os.environ.update(_variables(data))
    with _instance_without_compute_logs(folder) as instance:
        fail_dead_runs(instance)
        yield instance


def _instance_without_compute_logs(folder: Path) -> dg.DagsterInstance:
    """The instance in a folder, whose steps print to the terminal.

    Dagster would send what they print through processes of its own, which complain on the terminal
    when Ctrl-C ends them, too. It has no public way to open an instance with one setting changed;
    without the private one the prints go to files, and the complaints come.
    """
    try:
        from dagster._core.instance.ref import InstanceRef
    except ImportError:
        return dg.DagsterInstance.from_config(str(folder))
    ref = InstanceRef.from_dir(str(folder), overrides={"compute_logs": _NO_COMPUTE_LOGS})
    return dg.DagsterInstance.from_ref(ref)


def is_read_only(data: Path) -> bool:
    """Whether the instance of `data` cannot be written to, or not be made."""
    folder = instance_home(data)
    return not os.access(folder if folder.exists() else data, os.W_OK)


@contextmanager
def look_at_instance(data: Path, *, empty: bool = False) -> Iterator[dg.DagsterInstance]:
    """The instance of `data`, for questions that change nothing; it need not exist.

    Where the folder cannot be written to, SQLite may not be able to open the databases, so copies
    in a temporary folder are asked.

    Args:
        data: the data folder.
        empty: whether it is to be one without any records, whatever there is.

    Raises:
        DataError: DAGSTER_HOME is not a folder.
    """
    _check_users_home()
    folder = instance_home(data)
    writable = (folder / DATABASES[1]).is_file() and not is_read_only(data)
    if (writable or _is_on_a_server(folder)) and not empty:
        with open_instance(data) as instance:
            yield instance
        return
    with tempfile.TemporaryDirectory(prefix="backblaze-assets-") as copy:
        for name in () if empty else DATABASES:
            for path in (folder / name, folder / f"{name}-wal"):
                if path.is_file():
                    target = Path(copy) / path.relative_to(folder)
                    target.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(path, target)
        Path(copy, "dagster.yaml").write_text("telemetry:\n  enabled: false\n", encoding="utf-8")
        with dg.DagsterInstance.from_config(copy) as instance:
            yield instance


def _is_on_a_server(folder: Path) -> bool:
    """Whether the user's own settings keep the records elsewhere than in files of SQLite.

    Asked of the settings as Dagster reads them, for to open the instance would make those files.
    Dagster has no public way; without the private one any setting of a storage counts.
    """
    settings = folder / "dagster.yaml"
    if not os.environ.get("DAGSTER_HOME") or not settings.is_file():
        return False
    try:
        from dagster._core.instance.ref import InstanceRef
        from dagster._core.storage.event_log import SqliteEventLogStorage
        from dagster._core.storage.sqlite_storage import DagsterSqliteStorage
    except ImportError:
        lines = settings.read_text(encoding="utf-8").splitlines()
        return any(line.startswith(("storage:", "event_log_storage:")) for line in lines)
    found = InstanceRef.from_dir(str(folder)).event_storage_data
    if found is None:
        return False
    inside = found.config_dict  # of one storage for all records: its class
    module = inside.get("module_name") or found.module_name
    kept_by = getattr(import_module(module), inside.get("class_name") or found.class_name)
    return not issubclass(kept_by, SqliteEventLogStorage | DagsterSqliteStorage)


def damaged_databases(data: Path) -> list[tuple[Path, str]]:
    """Which of the instance's databases SQLite finds damaged, and what it says."""
    paths = [path for path in sorted(instance_home(data).glob("*/**/*.db")) if path.is_file()]
    return [(path, reason) for path in paths if (reason := _damage(path))]


def _damage(path: Path) -> str:
    try:
        # A file that nobody is to write to, in a folder that perhaps nobody can write to.
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=60)) as database:
            said = database.execute("PRAGMA quick_check(1)").fetchone()[0]
    except sqlite3.DatabaseError as error:
        said = str(error)
        if "malformed" not in said and "not a database" not in said:
            return ""  # cannot be opened here, which says nothing of its content
    return "" if said == "ok" else f"the database is damaged ({said})"


def _prepared(data: Path) -> Path:
    """The instance's folder, with its settings unless it is the user's own."""
    _check_users_home()
    folder = instance_home(data)
    if os.environ.get("DAGSTER_HOME"):
        return folder
    written, wanted = folder / "dagster.yaml", settings_file().read_bytes()
    try:
        if not written.exists() or written.read_bytes() != wanted:
            write_atomic(written, wanted)
    except OSError as error:
        if error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise
        raise DataError(
            f"{data} can only be read; this command keeps its records in {folder}. Give --data a "
            "folder that can be written to, or set DAGSTER_HOME."
        ) from error
    return folder


def _check_users_home() -> None:
    """Refuse a DAGSTER_HOME that Dagster would refuse, in words of ours."""
    folder = Path(os.environ.get("DAGSTER_HOME") or Path.cwd())
    if not (folder.is_absolute() and folder.is_dir()):
        raise DataError(
            f"DAGSTER_HOME is {folder}, which is not the absolute path of a folder. "
            "Create it, or unset DAGSTER_HOME to keep the records in the data folder."
        )


def settings_file() -> Path:
    """The instance's settings: inside the installed package, or at the top of the repository."""
    inside = Path(__file__).with_name("dagster.yaml")
    return inside if inside.is_file() else Path(__file__).parents[2] / "dagster.yaml"


def _variables(data: Path) -> dict[str, str]:
    """The variables that `dagster.yaml` names."""
    folder = instance_home(data)
    return {"BACKBLAZE_INSTANCE": str(folder), "BACKBLAZE_LOGS": str(folder / "storage")}
