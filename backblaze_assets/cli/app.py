"""The command line, `backblaze-assets`: thin over the same definitions and instance as the UI.

Dagster takes two seconds to import, so commands import it when they need it.
"""

import gc
import json
import os
import signal
import sys
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import click

from backblaze_assets.cli import console
from backblaze_assets.drive_stats.quarters import (
    next_quarter,
    parse_quarter,
    parse_quarters,
    quarter_name,
)
from backblaze_assets.errors import DataError
from backblaze_assets.files.folder import DataFolder
from backblaze_assets.files.store import is_address
from backblaze_assets.settings import Settings
from backblaze_assets.work.interrupts import EXIT_CODE, ending_soon
from backblaze_assets.work.progress import listening

if TYPE_CHECKING:
    from backblaze_assets.lineage.status import Lineage
    from backblaze_assets.resources import Data


Command = TypeVar("Command", bound=Callable[..., Any])


def _use_data(_: click.Context, __: click.Parameter, folder: str | None) -> None:
    if folder is not None:
        where = folder if is_address(folder) else str(Path(folder).expanduser().absolute())
        os.environ |= {"BACKBLAZE_DATA": where, "BACKBLAZE_STORE": ""}


def _use_debug(_: click.Context, __: click.Parameter, debug: bool) -> None:
    if debug:
        os.environ["BACKBLAZE_DEBUG"] = "1"


def _quarter(_: click.Context, __: click.Parameter, text: str | None) -> date | None:
    """The quarter that was asked for; nonsense is wrong usage."""
    try:
        return parse_quarter(text) if text else None
    except DataError as error:
        raise click.BadParameter(str(error)) from error


def _period(_: click.Context, __: click.Parameter, text: str | None) -> list[date] | None:
    """The quarters that a person means by a quarter or a year; nonsense is wrong usage."""
    try:
        return parse_quarters(text) if text else None
    except DataError as error:
        raise click.BadParameter(str(error)) from error


def _archives(_: click.Context, __: click.Parameter, texts: tuple[str, ...]) -> list[str]:
    """Names of the zips for the quarters and years that were asked for."""
    from backblaze_assets.drive_stats.archive import archive_name

    try:
        wanted = [archive_name(quarter) for text in texts for quarter in parse_quarters(text)]
    except DataError as error:
        raise click.BadParameter(str(error)) from error
    return list(dict.fromkeys(wanted))


def _shared(command: Command) -> Command:
    """Give a command the options that all have; they may stand before the command as well."""
    data = click.option(
        "--data",
        metavar="DIR",
        expose_value=False,
        callback=_use_data,
        help="Folder, or address of an object store, with the zips and all results (else "
        "BACKBLAZE_DATA, else ./data).",
    )
    debug = click.option(
        "--debug",
        is_flag=True,
        expose_value=False,
        callback=_use_debug,
        help="Show tracebacks of errors.",
    )
    return data(debug(command))


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="backblaze-assets")
@_shared
def app() -> None:
    """Backblaze's drive statistics: failure-rate tables, and a film of every drive."""


@app.command()
@_shared
def demo() -> None:
    """Make a small synthetic fleet and build everything from it, in a folder of its own."""
    from backblaze_assets.cli.afr import report as afr_report
    from backblaze_assets.drive_stats.demo import write_zips
    from backblaze_assets.graph import GRAPH

    settings = Settings(data=Settings.from_environment().data / "demo")
    os.environ |= settings.variables
    console.say(f"Writing the zips of a synthetic fleet to {_shown(settings.data)}")
    with listening(console.listener()):
        write_zips(settings.data, last=date(2014, 6, 30))  # a trailing year, and more
    data = _data(settings)
    _bring_up_to_date(data, list(GRAPH))
    tables = _tables("afr_table", None)
    click.echo(afr_report(tables, max(tables), window="lifetime", width=console.width()))
    _print_film(data)
    console.say(
        f"\nLook around in the Dagster UI: backblaze-assets dev --data {_shown(settings.data)}"
    )


@app.command()
@click.option("--from", "first", metavar="QUARTER|YEAR", callback=_period, help="A cut from here.")
@click.option("--to", "last", metavar="QUARTER|YEAR", callback=_period, help="A cut up to here.")
@_shared
def movie(first: list[date] | None, last: list[date] | None) -> None:
    """Bring everything up to date for the data in the data folder; print the film's path.

    With --from or --to, print the path of a cut of it.
    """
    from backblaze_assets.graph import GRAPH

    data = _data(Settings.from_environment())
    _bring_up_to_date(data, list(GRAPH))
    if not first and not last:
        _print_film(data)
        return
    from backblaze_assets.cli.cut import make_cut
    from backblaze_assets.instance.opening import look_at_instance

    quarters = data.view.calendar.quarters
    begin, end = first[0] if first else quarters[0], last[-1] if last else quarters[-1]
    with (
        look_at_instance(data.root) as instance,
        listening(console.listener()),
        data.folder.using(),
    ):
        click.echo(_shown(make_cut(data.lineage(instance), begin, end)))


@app.command("import")
@_shared
def import_() -> None:
    """Import all zips in the data folder: `raw_quarter`."""
    _bring_up_to_date(_data(Settings.from_environment()), ["raw_quarter"])


_quarter_argument = click.argument("quarter", required=False, callback=_quarter)
_form = click.option(
    "--format",
    "form",
    type=click.Choice(["table", "csv", "json"]),
    default="table",
    show_default=True,
    help="How to print it.",
)
_by = click.option(
    "--by",
    type=click.Choice(["model", "maker", "size", "maker_size", "all"]),
    default="model",
    show_default=True,
    help="What a row is of.",
)


@app.command()
@_quarter_argument
@click.option(
    "--window",
    type=click.Choice(["quarter", "year", "calendar_year", "lifetime"]),
    default="quarter",
    show_default=True,
    help="What the rates are over.",
)
@_by
@click.option("--model", metavar="TEXT", help="Only models whose name contains this.")
@click.option("--maker", metavar="NAME", help="Only this maker.")
@click.option(
    "--sort", metavar="WHAT", help="model, maker, size, drives, days, failures, afr, low, high, age"
)
@click.option("--since", metavar="QUARTER", callback=_quarter, help="A series from this quarter.")
@click.option(
    "--all",
    "everything",
    is_flag=True,
    help="Every model, and not only those that Backblaze's rule of the time would show.",
)
@click.option("--boot", is_flag=True, help="Boot drives, in place of data drives.")
@click.option("--min-drives", type=click.IntRange(1), help="Fewest drives of a model.")
@click.option("--min-days", type=click.IntRange(0), help="Fewest drive days of a model.")
@click.option(
    "--counted",
    type=click.Choice(["end", "seen"]),
    help="Whether drives are those in service at the end, or all that were seen.",
)
@click.option("--lists", is_flag=True, help="Name those without a failure, and with a high rate.")
@_form
@_shared
def afr(quarter: date | None, **options: Any) -> None:  # noqa: ANN401 - those of `cli.afr.report`
    """Print the annualized failure rates of a quarter, building what is missing.

    QUARTER is written as 2021-Q2; it is the newest if left out.
    """
    from backblaze_assets.cli.afr import report

    paths = _tables("afr_table", quarter)
    width = console.width() if options["form"] == "table" else None
    click.echo(report(paths, quarter or max(paths), width=width, **options))


@app.command()
@_quarter_argument
@click.option(
    "--against",
    type=click.Choice(["quarter", "year"]),
    default="quarter",
    show_default=True,
    help="The quarter before, or the same quarter of the year before.",
)
@_by
@_shared
def changes(quarter: date | None, **options: Any) -> None:  # noqa: ANN401 - of `changes_report`
    """Print how the failure rates have changed, and what of it is more than chance."""
    from backblaze_assets.cli.afr import changes_report

    paths = _tables("afr_table", quarter)
    click.echo(changes_report(paths, quarter or max(paths), width=console.width(), **options))


@app.command()
@_quarter_argument
@click.option(
    "--by",
    type=click.Choice(["model", "maker", "size"]),
    default="model",
    show_default=True,
    help="What a row is of.",
)
@click.option("--from-years", type=float, default=0, show_default=True, help="Age to begin at.")
@click.option("--to-years", type=float, default=5, show_default=True, help="Age to end at.")
@click.option("--all", "everything", is_flag=True, help="Also those that cannot be ranked.")
@_form
@_shared
def survival(quarter: date | None, **options: Any) -> None:  # noqa: ANN401 - of `report`
    """Print which models survive a span of age best, by the lower bound of their survival."""
    from backblaze_assets.cli.survival import report

    paths = _tables("survival", quarter)
    width = console.width() if options["form"] == "table" else None
    click.echo(report(paths[quarter or max(paths)], width=width, **options))


@app.command()
@click.option("--all", "every_model", is_flag=True, help="Every model, and not only differences.")
@_shared
def reconcile(*, every_model: bool) -> None:
    """Print our figures beside those that Backblaze has published, per period."""
    from backblaze_assets.drive_stats import published
    from backblaze_assets.drive_stats.parquet import read_table

    paths = _tables("afr_table", None)
    tables = {quarter: read_table(path) for quarter, path in paths.items()}
    click.echo(published.as_text(published.reconcile(tables), every_model=every_model))


@app.command()
@_shared
def report() -> None:
    """Bring the report up to date, one page for the browser, and print its path."""
    data = _data(Settings.from_environment())
    _bring_up_to_date(data, ["report"])
    click.echo(_shown(_fetched(data, "report", "report.html")))


@app.command()
@click.argument("query", required=False)
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "csv", "json", "parquet"]),
    default="table",
    show_default=True,
    help="How to print it; Parquet only into a file or a pipe.",
)
@_shared
def sql(query: str | None, form: Literal["table", "csv", "json", "parquet"]) -> None:
    """Answer a question in SQL (DuckDB) from all results there are; without one, ask for it.

    Tables: raw, rejects, daily_stats, drives, spells, days, afr, survival, published.
    """
    from backblaze_assets.cli.sql import answer, prompt
    from backblaze_assets.database.views import tables_in

    settings = Settings.from_environment()
    root = _existing(settings)

    def fetch(text: str) -> Collection[str] | None:
        return _fetch_tables(settings, tables_in(text))

    if query is None:
        prompt(root, form, fetch)
    else:
        answer(root, query, form, fetch(query))


@app.command()
@click.argument("table", required=False)
@_form
@_shared
def columns(table: str | None, form: Literal["table", "csv", "json"]) -> None:
    """Print what the columns of TABLE hold: type, how many are filled, smallest, largest, examples.

    Without TABLE, print which tables there are for `sql`, with their rows.
    """
    from backblaze_assets.cli.sql import describe
    from backblaze_assets.database.columns import table_of
    from backblaze_assets.database.views import TABLES

    settings = Settings.from_environment()
    root = _existing(settings)
    names = [table_of(root, table)] if table and settings.store else list(TABLES)
    describe(root, table, form, _fetch_tables(settings, [it for it in names if it in TABLES]))


@app.command()
@click.argument("column")
@click.option("--model", metavar="TEXT", help="Only models whose name contains this.")
@click.option(
    "--by", type=click.Choice(["model", "failure"]), help="A line for each value of this column."
)
@_form
@_shared
def hist(column: str, **options: Any) -> None:  # noqa: ANN401 - those of `cli.hist.report`
    """Print how the values of COLUMN are spread over all raw data, such as smart_5_raw."""
    from backblaze_assets.cli.hist import report

    width = console.width() if options["form"] == "table" else None
    settings = Settings.from_environment()
    root, local = _existing(settings), _fetch_tables(settings, ["raw"])
    click.echo(report(root, column, width=width, local=local, **options))


@app.command()
@_shared
def status() -> None:
    """What the data folder has, and how many partitions of each asset are up to date."""
    from rich.table import Table

    from backblaze_assets.cli.account import account_of, set_aside
    from backblaze_assets.graph import GRAPH
    from backblaze_assets.lineage.reasons import complaints
    from backblaze_assets.lineage.status import Status

    with _lineage() as lineage:
        console.show(account_of(lineage))
        table = Table("asset", box=None)
        columns = (Status.MISSING, Status.OUT_OF_DATE, Status.UNCHECKED, Status.REFUSED)
        for heading in ("present", "missing", "out of date", "unchecked", "refused"):
            table.add_column(heading, justify="right")
        for asset in GRAPH:
            found = [lineage.status(asset, key) for key in lineage.expected(asset)]
            counts = [found.count(status) for status in columns]
            table.add_row(asset, *(f"{n:,}" for n in (len(found) - counts[0], *counts)))
        console.show(table)
        nothing = lineage.view.emptiness()
        unused = lineage.view.survey.unused.values()
        told = [*complaints(lineage, list(GRAPH)), *unused, *set_aside(lineage)]
        for sentence in [nothing] if nothing else told:
            console.say(sentence)


@app.command()
@click.argument("what", metavar="ASSET|FILE", default="movie")
@click.argument("partition", required=False)
@click.option(
    "--format",
    "form",
    type=click.Choice(["tree", "json"]),
    default="tree",
    show_default=True,
    help="How to print it.",
)
@click.option("--source", is_flag=True, help="Print the source of the code that made it.")
@_shared
def trace(what: str, partition: str | None, form: str, *, source: bool) -> None:
    """Show what a result was made from, back to the SHA-256 of each zip.

    The result is an asset, by default the film, or one PARTITION of it, or a file of this project,
    wherever it has been copied.
    """
    from backblaze_assets.files.records import Records
    from backblaze_assets.files.sources import Sources
    from backblaze_assets.graph import GRAPH
    from backblaze_assets.lineage import tracing

    # A file speaks for itself, wherever it is and whatever there is besides.
    with _lineage(must_exist=what in GRAPH) as lineage:
        folder = lineage.view.folder
        hidden = [Records(folder.root).folder(asset) for asset in GRAPH]
        folder.fetch([Path(what).absolute(), Sources(folder.root).folder, *hidden])
        if what in GRAPH:
            keys = [partition] if partition else list(lineage.ledger.all(what))
            found = tracing.trace(lineage, what, keys)
        else:
            found = tracing.trace_file(lineage, Path(what))
    if not found:
        raise DataError(f"{what} {partition or ''}".strip() + " has not been materialized.")
    if source:
        for asset, version in dict.fromkeys((node.asset, node.code_version) for node in found):
            code = tracing.source_of(folder.root, asset, version)
            click.echo(tracing.source_text(asset, version, code, form))
    elif form == "json":
        click.echo(json.dumps([node.as_dict() for node in found], indent=1))
    else:
        console.show(tracing.as_tree(found))


@app.command()
@click.argument("asset", default="movie")
@_shared
def why(asset: str) -> None:
    """Say what is out of date of an asset and of all that it is made from, and why."""
    from backblaze_assets.graph import GRAPH, upstream_of
    from backblaze_assets.lineage import reasons

    if asset not in GRAPH:
        raise click.BadParameter(f"There is no asset {asset}; there are {', '.join(GRAPH)}.")
    with _lineage() as lineage:
        lineage.view.check_not_empty()
        found = reasons.why(lineage, upstream_of([asset]))
    for reason in found:
        click.echo(reasons.sentence(reason))
    for sentence in lineage.view.survey.unused.values():
        console.say(sentence)
    problems = "\n".join(map(str, lineage.view.problems()))
    if problems:
        raise DataError(problems)
    if not found:
        click.echo(f"{asset} is up to date, and so is all that it is made from.")


@app.command()
@click.option("--yes", is_flag=True, help="Remove it.")
@click.option("--kept", "all_kept", is_flag=True, help="All replaced results, not only the oldest.")
@_shared
def prune(*, yes: bool, all_kept: bool) -> None:
    """Say what in the data folder is of no use any more; with --yes, remove it.

    Replaced results beyond the limit (BACKBLAZE_KEEP_GB), days and quarters that no zip and no
    record has, what killed processes have left, what steps have printed long ago
    (BACKBLAZE_LOG_DAYS). Never anything that is up to date.
    """
    from backblaze_assets.cli.prune import prune as look_and_remove

    settings = Settings.from_environment()
    _existing(settings)
    look_and_remove(settings, yes=yes, all_kept=all_kept)


@app.command()
@click.option("--remove", is_flag=True, help="Remove damaged files that can be made anew.")
@_shared
def verify(*, remove: bool) -> None:
    """Read all results, and name those that are not what was written. Changes nothing by itself."""
    from backblaze_assets.cli.verify import verify as verify_all

    click.echo(verify_all(_data(Settings.from_environment()), remove=remove))


@app.command()
@click.argument("names", metavar="QUARTERS...", nargs=-1, required=True, callback=_archives)
@_shared
def download(names: list[str]) -> None:
    """Fetch official zips into the data folder, resuming where a transfer broke off.

    QUARTERS are written as 2021-Q2; 2014 is all of its year.
    """
    from backblaze_assets.drive_stats.download import download as fetch

    settings = Settings.from_environment()
    if settings.store:
        folder = _data(settings).folder
        folder.look()
    else:
        folder = DataFolder(settings.data)
    paths = [folder.root / name for name in names]
    folder.fetch(paths)  # those that are there are looked at
    with listening(console.listener()):
        for done in fetch(names, settings.data, base_url=settings.url):
            click.echo(str(done))
    folder.publish(paths)


@app.command()
@click.option("--port", default=3000, show_default=True, help="Port of the UI.")
@click.option(
    "--viewer-port",
    type=click.IntRange(1, 65535),
    help="Port of the viewer (else BACKBLAZE_VIEWER_PORT, else 3001).",
)
@_shared
def dev(port: int, viewer_port: int | None) -> None:
    """Run the Dagster UI and daemon on the data folder's instance, and the viewer beside them."""
    from backblaze_assets.instance.opening import environment

    settings = Settings.from_environment()
    command = [sys.executable, "-m", "dagster", "dev", "-m", "backblaze_assets.definitions"]
    variables = {
        **environment(settings.data),
        **settings.variables,
        "BACKBLAZE_PORT": str(port),
        "BACKBLAZE_VIEWER_PORT": _start_viewer(settings, viewer_port),
        "PYTHONSAFEPATH": "1",  # else a gql.py in the current folder would be taken for a library
    }
    # In the place of this process, so that Ctrl-C and `kill` reach it and it can stop its own.
    # Scripts start what is in their background with SIGINT ignored, and Dagster, which takes
    # SIGTERM for the same, could then not be ended by `kill`.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.execve(sys.executable, [*command, "--port", str(port)], variables)


def _start_viewer(settings: Settings, port: int | None) -> str:
    """Start the viewer beside Dagster; what BACKBLAZE_VIEWER_PORT is to be there."""
    from backblaze_assets.viewer.server import ADDRESS, start_beside

    chosen = port or settings.viewer_port
    if chosen is None:
        return "off"
    try:
        start_beside(settings.variables, chosen)
    except DataError as error:
        console.say(f"{error} The UI starts without it; --viewer-port gives it another one.")
        return "off"
    console.say(f"The viewer is at http://{ADDRESS}:{chosen}")
    return str(chosen)


@app.command()
@click.option("--port", type=click.IntRange(1, 65535), help="Port (else BACKBLAZE_VIEWER_PORT).")
@_shared
def view(port: int | None) -> None:
    """Show report, film, days and tables in the browser, without the Dagster UI."""
    from backblaze_assets.viewer.server import ADDRESS, listen, serve

    settings = Settings.from_environment()
    chosen = port or settings.viewer_port or 3001
    root = _existing(settings)
    with listen(chosen) as listener:
        console.say(f"http://{ADDRESS}:{chosen} shows {_shown(root)}; Ctrl-C ends it.")
        serve(_data(settings).folder if settings.store else DataFolder(root), listener)


@contextmanager
def _lineage(*, must_exist: bool = True) -> Iterator["Lineage"]:
    """How everything stands, for commands that only look."""
    from backblaze_assets.instance.opening import look_at_instance

    data = _data(Settings.from_environment(), must_exist=must_exist)
    with look_at_instance(data.root) as instance:
        yield data.lineage(instance)


def _data(settings: Settings, *, must_exist: bool = True) -> "Data":
    from backblaze_assets.resources import Data

    if must_exist:
        _existing(settings)
    return Data.from_settings(settings)


def _existing(settings: Settings) -> Path:
    """The data folder.

    Raises:
        DataError: there is none.
    """
    if settings.store:
        settings.data.mkdir(parents=True, exist_ok=True)
    elif not settings.data.is_dir():
        raise DataError(
            f"There is no folder {settings.data}. Say with --data where the zips are, or get some "
            "with `backblaze-assets download` or `backblaze-assets demo`."
        )
    return settings.data


def _bring_up_to_date(data: "Data", targets: list[str], *, quiet: bool = False) -> bool:
    """Materialize what is missing or out of date, and say what is done: whether there was any."""
    from backblaze_assets.cli.update import bring_up_to_date
    from backblaze_assets.instance.opening import is_read_only, look_at_instance, open_instance

    # Where all is up to date, nothing has to be written.
    opened = look_at_instance if is_read_only(data.root) else open_instance
    with opened(data.root) as instance, listening(console.listener()):
        ran = bring_up_to_date(instance, data, targets, say=console.say)
    for sentence in data.view.survey.unused.values():
        console.say(sentence)
    if not ran and not quiet:
        console.say("Everything is up to date.")
    return bool(ran)


def _print_film(data: "Data") -> None:
    click.echo(_shown(_fetched(data, "movie", "movie.mp4")))


def _tables(asset: str, quarter: date | None) -> dict[date, Path]:
    """The files of a quarterly asset, of all quarters, brought up to date.

    Raises:
        DataError: there are no data of `quarter`; said before anything is made.
    """
    from backblaze_assets.lineage import unchanged

    settings = Settings.from_environment()
    root = _existing(settings)
    seen = unchanged.state(settings)
    note = unchanged.recall(settings, asset, seen)
    if note and (quarter is None or quarter in note.quarters):
        for sentence in note.told:
            console.say(sentence)
        return _files(root, asset, note.quarters)
    data = _data(settings)
    there = data.view.calendar.quarters
    if quarter and there and quarter not in there:
        name = quarter_name(quarter)
        if next_quarter(quarter) > datetime.now(UTC).date():
            raise DataError(
                f"{name} has not ended yet; its zip is published after {next_quarter(quarter)}. "
                f"The newest quarter in {data.root} is {quarter_name(there[-1])}."
            )
        raise DataError(
            f"There is no zip for {name} in {data.root}: fetch it with `backblaze-assets "
            f"download {name}`. There are {', '.join(quarter_name(other) for other in there)}."
        )
    if not _bring_up_to_date(data, [asset], quiet=True):
        told = list(data.view.survey.unused.values())
        unchanged.remember(settings, asset, seen, unchanged.Note(there, told))
    paths = _files(root, asset, there)
    data.folder.fetch(paths.values())
    return paths


def _files(root: Path, asset: str, quarters: list[date]) -> dict[date, Path]:
    return {each: DataFolder(root).path(asset, f"{each}.parquet") for each in quarters}


def _fetched(data: "Data", asset: str, name: str) -> Path:
    """A file of an asset on this machine."""
    path = data.folder.path(asset, name)
    data.folder.fetch([path])
    return path


def _fetch_tables(settings: Settings, names: Collection[str]) -> Collection[str] | None:
    """See that the files of tables of the database are on this machine; None where all are."""
    if not settings.store:
        return None
    from backblaze_assets.database.views import TABLES

    folder = _data(settings).folder
    folder.look()
    folder.fetch(path for name in names for path in TABLES[name].paths(folder.root))
    return names


def _shown(path: Path) -> str:
    """A path as a person would write it from the current folder."""
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)


@cache
def _say_stopped() -> None:
    console.say("Stopped. What is whole is kept; the same command goes on from there.")


def main() -> None:
    """Run the command line; what goes wrong is one message and exit code 1."""
    # What imports make stays. To look for garbage among it time and again is a fifth of the start.
    gc.set_threshold(100_000)
    with ending_soon(_say_stopped):
        interrupted = False
        try:
            app(standalone_mode=False)
        except click.ClickException as error:
            error.show()
            raise SystemExit(error.exit_code) from None
        except (KeyboardInterrupt, click.Abort):
            interrupted = True
        except SystemExit:
            raise
        except BaseException as error:  # a person is to see one message, not a traceback
            if os.environ.get("BACKBLAZE_DEBUG"):
                raise
            console.complain(_message(error))
            raise SystemExit(1) from None
        if interrupted:  # here, where the error's frames and all that they held are gone
            _say_stopped()
            os._exit(EXIT_CODE)  # because the interpreter's own end takes a second


def _message(error: BaseException) -> str:
    """What to tell a person of an error."""
    from backblaze_assets.cli.faults import about_the_folder, with_address

    if text := about_the_folder(error):
        return text
    match error:
        case DataError():
            return with_address(str(error))
        case OSError(filename=str(path), strerror=str(reason)):
            return f"{path}: {reason}"
        case _:
            first_line = str(error).partition("\n")[0]
            return f"{type(error).__name__}: {first_line}\n--debug shows where it happened."
