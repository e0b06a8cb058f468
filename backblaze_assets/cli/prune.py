"""The command `prune`: what can be removed from the data folder, and its removal."""

import os

import click
from rich.filesize import decimal
from rich.table import Table

from backblaze_assets.cli import console
from backblaze_assets.errors import DataError
from backblaze_assets.files.records import HIDDEN
from backblaze_assets.instance.opening import is_read_only, look_at_instance
from backblaze_assets.lineage.pruning import Waste, find_waste, remove_waste
from backblaze_assets.resources import Data
from backblaze_assets.settings import Settings, instance_home
from backblaze_assets.work.locks import one_at_a_time


def prune(settings: Settings, *, yes: bool, all_kept: bool) -> None:
    """Print what can go from the data folder; with `yes`, remove it.

    Raises:
        DataError: it is to be removed, and the folder can only be read.
    """
    data = Data.from_settings(settings)
    root = data.root
    if yes and (is_read_only(root) or not os.access(root, os.W_OK)):
        raise DataError(
            f"{root} can only be read, so nothing can be removed from it. Without --yes, prune "
            "says what there is."
        )

    def find() -> list[Waste]:
        with look_at_instance(root) as instance, data.folder.using():
            data.folder.look()
            data.folder.fetch([root / HIDDEN])
            logs = instance_home(root) / "storage"
            lineage = data.lineage(instance)
            return find_waste(lineage, data.kept, logs, settings.log_days, all_kept=all_kept)

    if not yes:
        _show(find(), yes=False)
        return
    waits = f"Another backblaze-assets is at work in {root}; waiting for it."
    with one_at_a_time(data.locks, "update", lambda: console.say(waits)):
        found = find()
        _show(found, yes=True)
        if any(not each.stays for each in found):
            console.say(f"Freed {decimal(remove_waste(found, data.locks, data.folder))}.")


def _show(found: list[Waste], *, yes: bool) -> None:
    if not found:
        click.echo("There is nothing to remove.")
        return
    table = Table("what", box=None)
    table.add_column("how many", justify="right")
    table.add_column("size", justify="right")
    table.add_column("")
    table.add_column("why")
    goes = "removed" if yes else "can go"
    for each in found:
        count, size = f"{len(each.paths):,}", decimal(each.bytes)
        table.add_row(each.what, count, size, "stays" if each.stays else goes, each.why)
    console.show(table)
    going = [each for each in found if not each.stays]
    total = decimal(sum(each.bytes for each in going))
    if going and not yes:
        console.say(f"`backblaze-assets prune --yes` frees {total}. Nothing of it is up to date.")
