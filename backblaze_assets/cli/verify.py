"""`backblaze-assets verify`: reads all results and says which are damaged."""

from backblaze_assets.cli import console
from backblaze_assets.cli.faults import advice
from backblaze_assets.errors import DataError
from backblaze_assets.instance.opening import damaged_databases, look_at_instance
from backblaze_assets.lineage.verifying import Damage, damaged
from backblaze_assets.resources import Data
from backblaze_assets.settings import instance_home
from backblaze_assets.work.locks import one_at_a_time
from backblaze_assets.work.progress import listening


def verify(data: Data, *, remove: bool) -> str:
    """Read everything.

    Args:
        data: the data folder.
        remove: whether damaged files are to be removed that can be made anew.

    Returns:
        What to tell when nothing is damaged any more.

    Raises:
        DataError: something is damaged; it is named.
    """
    records = [f"{path}: {reason}." for path, reason in damaged_databases(data.root)]
    # Without records each file still speaks for itself.
    with look_at_instance(data.root, empty=bool(records)) as instance:
        lineage = data.lineage(instance)
        with listening(console.listener()):
            count, found = damaged(lineage)
    if not count and not records:
        raise DataError(f"There are no results in {data.root} yet: `backblaze-assets movie`.")
    removed: list[Damage] = []
    if remove and found:
        waits = f"Another backblaze-assets is at work in {data.root}; waiting for it."
        with one_at_a_time(data.locks, "update", lambda: console.say(waits)):
            removed = [each for each in found if each.can_be_made]
            for each in removed:
                each.remove(data.folder)
    for each in removed:
        console.say(f"Removed {each.result.path}: {each.reason}.")
    left = [each for each in found if each not in removed]
    if left or records:
        told = [*records, *([advice(instance_home(data.root))] if records else []), *map(str, left)]
        if any(each.can_be_made for each in left):
            told.append("`backblaze-assets verify --remove` removes what can be made anew.")
        what = f"{len(left) + len(records):,} of {count:,} files are damaged:"
        raise DataError("\n".join([what, *told]))
    if removed:
        return f"{count:,} files were read. `backblaze-assets movie` makes the removed ones anew."
    return f"{count:,} files are as they were written."
