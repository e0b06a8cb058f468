"""What the data folder has at one moment: looked at once, and handed on.

A command or a run works from one view. What changes in the folder meanwhile is for the next one.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime

from backblaze_assets.drive_stats.archive import MOST_BYTES, Archive
from backblaze_assets.drive_stats.quarters import next_quarter, quarter_name, quarter_of
from backblaze_assets.drive_stats.survey import Survey, survey
from backblaze_assets.errors import DataError
from backblaze_assets.files.folder import DataFolder
from backblaze_assets.graph import GRAPH
from backblaze_assets.partitions import Calendar
from backblaze_assets.verdict import Verdict

NO_INPUT = frozenset({*GRAPH, "dagster", "demo"})
"""Folders in the data folder that hold no input: results, records, the demonstration."""


@dataclass(frozen=True)
class View:
    """What a data folder has.

    Attributes:
        folder: the data folder.
        survey: the zips, and what looks like data and is not used.
        calendar: quarters that are imported or could be, and their days; perhaps none.
        not_ended: quarters that have data and have not ended yet; Dagster has no partition of them.
    """

    folder: DataFolder
    survey: Survey
    calendar: Calendar
    not_ended: list[date] = field(default_factory=list)

    @classmethod
    def of(cls, folder: DataFolder, most_bytes: int = MOST_BYTES) -> "View":
        """Look at a folder; it need not exist.

        Args:
            folder: the data folder.
            most_bytes: what the CSVs of one zip may take unpacked.

        Raises:
            StoreError: the folder is in an object store, which does not say what it has.
        """
        folder.look()
        found = survey(folder.root, NO_INPUT, most_bytes=most_bytes)
        folder.fetch(found.unread())
        known = imported_days(folder)
        for quarter, archive in found.archives.items():
            known[quarter] = archive.days(quarter)
        today = datetime.now(UTC).date()
        not_ended = sorted(quarter for quarter in known if next_quarter(quarter) > today)
        calendar = Calendar.of_days({q: known[q] for q in known if q not in not_ended})
        return cls(folder, found, calendar, not_ended)

    @property
    def archives(self) -> dict[date, Archive]:
        """The source of each quarter that has one."""
        return self.survey.archives

    def problems(self) -> list[DataError]:
        """What in the folder cannot be used, one error each."""
        return [
            *self.survey.unusable.values(),
            *(
                DataError(
                    f"{self.archives[quarter].path} has days of {quarter_name(quarter)}, which has "
                    f"not ended yet. It is used from {next_quarter(quarter)} on."
                )
                for quarter in self.not_ended
                if quarter in self.archives
            ),
        ]

    def verdict(self) -> Verdict:
        """Whether all zips in the folder can be used."""
        problems = [str(problem) for problem in self.problems()]
        return Verdict(
            passed=not problems,
            message="\n".join(problems) or "All zips in the data folder can be read.",
            figures={"zips_unusable": len(problems)},
        )

    def emptiness(self) -> str:
        """What there is instead of data, and how to get some; empty where there are data."""
        if self.calendar.quarters:
            return ""
        problems = [str(problem) for problem in self.problems()]
        nothing = (
            f"There are no zips in {self.folder.root}. Put Backblaze's zips there "
            "(`backblaze-assets download 2021-Q2` fetches one), or try `backblaze-assets demo`."
        )
        return "\n".join([*(problems or [nothing]), *self.survey.unused.values()])

    def check_not_empty(self) -> None:
        """Refuse to go on where there is nothing to work from.

        Raises:
            DataError: says what is there instead of data, and how to get some.
        """
        if nothing := self.emptiness():
            raise DataError(nothing)


def imported_days(folder: DataFolder) -> dict[date, list[date]]:
    """The days of each quarter that has been imported, by what stands in the folder.

    Raw files may have been deleted together with their zip. Then the quarter's lifetimes tell that
    it was imported, and the files of `daily_stats` which days it had.
    """
    known: dict[date, list[date]] = {}
    for name in folder.names("raw_quarter"):
        for day in _dates([name.rpartition("/")[2].removesuffix(".parquet")]):
            if name.endswith(f"/{day}.parquet"):
                known.setdefault(quarter_of(day), []).append(day)
    lifetimes = {name.partition("/")[0] for name in folder.names("drive_lifetimes")}
    only = set(_dates(lifetimes)) - known.keys()
    if only:
        stats = (name.removesuffix(".parquet") for name in folder.names("daily_stats"))
        for day in _dates(stats):
            if quarter_of(day) in only:
                known.setdefault(quarter_of(day), []).append(day)
    return known


def _dates(names: Iterator[str] | set[str] | list[str]) -> Iterator[date]:
    for name in names:
        try:
            yield date.fromisoformat(name)
        except ValueError:
            continue
