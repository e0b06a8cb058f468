"""What is the matter with the data folder when a library says something else: full, or damaged."""

import sqlite3
from pathlib import Path

from backblaze_assets.errors import DataError
from backblaze_assets.files import space
from backblaze_assets.files.folder import DataFolder
from backblaze_assets.settings import Settings


def about_the_folder(error: BaseException) -> str:
    """A full disk or damaged records, if that is what an error comes from; else nothing."""
    try:
        root = Settings.from_environment().data
    except BaseException:  # noqa: BLE001 - then it is the settings that are at fault
        return ""
    if space.lacks_space(error, root):
        folder = space.where_full(error, root)
        return space.sentence(folder, _needed() if folder.is_relative_to(root) else None)
    if any(isinstance(each, sqlite3.Error) for each in space.chain(error)):
        return _damaged_records(root)
    return ""


def with_address(text: str) -> str:
    """A text in which what lies in an object store has its address."""
    try:
        settings = Settings.from_environment()
    except DataError:  # then it is the settings that the text is about
        return text
    return DataFolder(settings.data, settings.store).told(text)


def _needed() -> int:
    from backblaze_assets.lineage.room import needed
    from backblaze_assets.resources import Data

    return needed(Data.from_settings(Settings.from_environment()).view)


def _damaged_records(root: Path) -> str:
    from backblaze_assets.instance.opening import damaged_databases
    from backblaze_assets.settings import instance_home

    damaged = damaged_databases(root)
    lines = [f"{path}: {reason}." for path, reason in damaged]
    return "\n".join([*lines, advice(instance_home(root))]) if damaged else ""


def advice(home: Path) -> str:
    """What to do about damaged records."""
    return (
        f"Dagster keeps its records of what was made in {home}. Deleting that folder loses no "
        "data: the next `backblaze-assets movie` begins new records, keeps the imported days, "
        "frames and clips that stand, and makes the rest anew."
    )
