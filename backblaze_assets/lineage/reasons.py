"""Why partitions are not up to date, in words."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from backblaze_assets.instance.records import Evaluation
from backblaze_assets.lineage.status import Cause, Lineage, Status
from backblaze_assets.partitions import Key


@dataclass(frozen=True)
class Reason:
    """Why partitions of one asset are not up to date.

    Attributes:
        asset: its key.
        keys: the partitions that share the reason, in order.
        status: missing, out of date, not checked yet or refused by a check.
        causes: what changed, for those out of date.
        refusals: what the checks have found, for those refused.
        held: whether they cannot be made now, as what they are made from is refused.
    """

    asset: str
    keys: list[Key]
    status: Status
    causes: tuple[Cause, ...] = ()
    refusals: tuple[Evaluation, ...] = ()
    held: bool = False


def why(lineage: Lineage, assets: Sequence[str]) -> list[Reason]:
    """All that is not up to date of the given assets, grouped by the kind of reason."""
    reasons: list[Reason] = []
    for asset in assets:
        groups: dict[tuple[object, ...], list[Reason]] = {}
        for key in lineage.expected(asset):
            status = lineage.status(asset, key)
            if status is not Status.UP_TO_DATE:
                made = lineage.ledger.get(asset, key)
                causes = tuple(lineage.causes(made)) if made else ()
                refused = status is Status.REFUSED
                refusals = tuple(lineage.refusals(asset, key)) if refused else ()
                held = bool(lineage.held_by(asset, key))
                kind = (status, tuple(cause.what for cause in causes), refusals, held)
                one = Reason(asset, [key], status, causes, refusals, held)
                groups.setdefault(kind, []).append(one)
        for members in groups.values():
            keys = [key for one in members for key in one.keys]
            reasons.append(replace(members[0], keys=keys))
    return reasons


def refusals(lineage: Lineage, assets: Sequence[str]) -> list[str]:
    """What blocking checks refuse of the given assets, and what to do: a line for each reason."""
    refused = [
        asset
        for asset in assets
        if any(lineage.refusals(asset, key) for key in lineage.expected(asset))
    ]
    return [sentence(reason) for reason in why(lineage, refused) if reason.status is Status.REFUSED]


def complaints(lineage: Lineage, assets: Sequence[str]) -> list[str]:
    """All that is wrong, though nobody has to run anything: a line for each thing.

    Data that cannot be used, partitions that blocking checks refuse, errors that others have found.
    """
    errors = [
        f"{asset}, {found.check}: {found.description}"
        for asset in assets
        for key in lineage.expected(asset)
        for found in lineage.errors(asset, key)
    ]
    problems = [str(problem) for problem in lineage.view.problems()]
    return list(dict.fromkeys([*problems, *refusals(lineage, assets), *errors]))


def sentence(reason: Reason) -> str:
    """A reason as a line for people."""
    keys = [str(key) for key in reason.keys if key is not None]
    which = f" {keys[0]}" if keys else ""
    if len(keys) > 1:
        which += f" to {keys[-1]} ({len(keys):,})"
    if reason.status is Status.REFUSED:
        found = " ".join(f"{it.check}: {it.description}" for it in reason.refusals)
        return (
            f"{reason.asset}{which} is refused by a check, and nothing is made from it. {found} "
            "Once the files at fault are deleted, `backblaze-assets movie` makes them anew, checks "
            "again and goes on."
        )
    if reason.status is Status.UNCHECKED:
        return f"{reason.asset}{which} has not been checked since it was made"
    held = "; it waits for what a check refuses or has not looked at" if reason.held else ""
    if reason.status is Status.MISSING:
        return f"{reason.asset}{which} is missing{held}"
    causes = ", ".join(_cause(reason.asset, cause) for cause in reason.causes)
    return f"{reason.asset}{which} is out of date: {causes}{held}"


def _cause(asset: str, cause: Cause) -> str:
    versions = f"({cause.before[:12] or 'absent'} -> {cause.now[:12] or 'absent'})"
    if cause.what == "code":
        return f"the code of {asset} changed {versions}"
    return f"its input {cause.what} changed {versions}"
