"""A sensor that notices new and changed zips in the data folder and has them imported."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path

import dagster as dg

from backblaze_assets.automation.agenda import Agenda
from backblaze_assets.drive_stats.archive import Archive, find_archives, scan
from backblaze_assets.errors import DataError
from backblaze_assets.files.origin import digest
from backblaze_assets.lineage.ranges import range_tags, unbroken
from backblaze_assets.resources import Data


@dataclass(frozen=True)
class Look:
    """What one look at a zip has found.

    Attributes:
        size: its bytes.
        mtime_ns: time of its last change.
        content: digest of its central directory, so of the CRCs of all days; empty where it cannot
            be read.
    """

    size: int
    mtime_ns: int
    content: str


def new_zips_sensor(data: Data) -> dg.SensorDefinition:
    """The sensor for the zips of a data folder.

    A zip is imported once two looks at it have found the same, so that one that is just being
    copied is left alone. Each zip gets a run of its own, so that a bad one fails alone: one run for
    all quarters of an annual zip that are not up to date. The key of the run is made from content
    and code; so the same thing is not asked for twice, and a zip that has been downloaded again
    with the same content leads to nothing.
    """

    @dg.sensor(
        name="new_zips",
        asset_selection=["raw_quarter"],
        minimum_interval_seconds=30,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Imports zips that are new in the data folder, or have changed there.",
    )
    def new_zips(context: dg.SensorEvaluationContext) -> dg.SensorResult:
        before = {name: Look(**it) for name, it in json.loads(context.cursor or "{}").items()}
        archives: list[Archive] = []
        looks: dict[str, Look] = {}
        notes: list[str] = []
        for path in sorted(set(find_archives(data.folder.root).values())):
            try:
                look, found = _look(path)
            except FileNotFoundError:
                continue  # It was there a moment ago.
            looks[path.name] = look
            if look != before.get(path.name):
                notes.append(f"{path.name} is new or still being written: next time.")
            elif isinstance(found, DataError):
                notes.append(str(found))
                context.log.warning(str(found))
            else:
                archives.append(found)
        agenda = Agenda(data.lineage(context.instance), context.instance)
        requests = [request for archive in archives for request in _requests(agenda, archive)]
        skipped = None if requests else " ".join(notes) or "All zips are imported, or are being so."
        cursor = json.dumps({name: asdict(look) for name, look in looks.items()})
        return dg.SensorResult(run_requests=requests, skip_reason=skipped, cursor=cursor)

    return new_zips


def _look(path: Path) -> tuple[Look, Archive | DataError]:
    status = path.stat()
    try:
        found: Archive | DataError = scan(path)
    except DataError as error:
        found = error
    content = ""
    if isinstance(found, Archive):
        content = digest(f"{day} {m.crc} {m.size}" for day, m in found.members.items())
    return Look(status.st_size, status.st_mtime_ns, content), found


def _requests(agenda: Agenda, archive: Archive) -> Iterator[dg.RunRequest]:
    """One run for each unbroken range of quarters of a zip that are not up to date.

    Those that are being imported already, by whatever command, are left alone.
    """
    busy = agenda.in_progress("raw_quarter")
    wanted = [
        key
        for key in agenda.to_do("raw_quarter")
        if key not in busy
        and agenda.lineage.archives[date.fromisoformat(str(key))].path == archive.path
    ]
    for keys in unbroken("raw_quarter", wanted):
        made = [agenda.lineage.ledger.get("raw_quarter", key) for key in keys]
        # The run that made it before, so that it is asked for again when its files are deleted.
        before = [it.run_id for it in made if it]
        content = digest([*(agenda.version("raw_quarter", key) for key in keys), *before])
        yield dg.RunRequest(
            run_key=f"{archive.path.name} {keys[0]} {keys[-1]} {content}", tags=range_tags(keys)
        )
