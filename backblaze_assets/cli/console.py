"""What the command line shows: results on stdout; what it does, bars and errors on stderr."""

import sys

from rich.console import Console, RenderableType
from rich.measure import Measurement
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    ProgressColumn,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.text import Text

from backblaze_assets.work.progress import Lines, Listener


def say(text: str) -> None:
    """Tell what is being done, as it is: brackets are no markup."""
    _stderr().print(Text(text))


def complain(text: str) -> None:
    """Tell what went wrong."""
    _stderr().print(Text.assemble(("Error: ", "bold red"), text))


def show(what: RenderableType) -> None:
    """Print a table or a tree in full, even where the terminal is narrower."""
    console = Console(highlight=False)
    natural = Measurement.get(console, console.options.update(width=10_000), what).maximum
    Console(highlight=False, width=max(console.width, natural)).print(what)


def width() -> int | None:
    """Columns of the terminal that results go to; None where they go to a file or a pipe."""
    return Console().width if sys.stdout.isatty() else None


def _stderr() -> Console:
    return Console(stderr=True, highlight=False, soft_wrap=True)


class Bars:
    """A progress bar for each piece of work, removed when it is done."""

    def __init__(self) -> None:
        self._progress: Progress | None = None
        self._task = TaskID(0)

    def start(self, what: str, total: int, unit: str) -> None:
        """Show a bar."""
        counts: tuple[ProgressColumn, ...] = (
            TextColumn("{task.completed:,.0f} of {task.total:,.0f} {task.fields[unit]}"),
        )
        if unit == "bytes":
            counts = (DownloadColumn(), TransferSpeedColumn())
        self._progress = Progress(
            TextColumn("  {task.description}", markup=False),
            BarColumn(),
            *counts,
            TimeRemainingColumn(),
            console=_stderr(),
            transient=True,
        )
        self._task = self._progress.add_task(what, total=total, unit=unit)
        self._progress.start()

    def advance(self, count: int) -> None:
        """Move it."""
        if self._progress:
            self._progress.advance(self._task, count)

    def finish(self) -> None:
        """Remove it."""
        if self._progress:
            self._progress.stop()
            self._progress = None


def listener() -> Listener:
    """Bars on a terminal, lines elsewhere."""
    return Bars() if sys.stderr.isatty() else Lines(say)
