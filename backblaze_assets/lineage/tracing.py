"""Where a result comes from, down to the zips, and why it is out of date, by Dagster's records."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from rich.tree import Tree

from backblaze_assets.drive_stats.quarters import quarter_of
from backblaze_assets.errors import DataError
from backblaze_assets.instance.records import Evaluation
from backblaze_assets.lineage.ledger import Materialization
from backblaze_assets.lineage.rules import RULES, Cause, Key, Lineage, Status


@dataclass(frozen=True)
class Source:
    """One zip.

    Attributes:
        zip: its file name.
        sha256: of the file as it was imported.
        bytes: its size, None where only a file speaks of it.
    """

    zip: str
    sha256: str
    bytes: int | None


@dataclass(frozen=True)
class Trace:
    """Partitions of one asset that were made by the same code, and what they were made from.

    Attributes:
        asset: its key.
        code_version: digest of the code that made them.
        data_versions: digest of the content of each partition, by key (`""` without partitions).
        runs: the Dagster runs that made them.
        made: when the last of them was made, ISO 8601 in UTC; empty where the records know nothing.
        up_to_date: whether code and inputs are still those that they were made from; if not, the
            tree below shows what there is now.
        sources: the zips, for `raw_quarter`.
        inputs: what they were made from. An asset that stands elsewhere in the tree with the same
            partitions is named there without inputs of its own.
        stated: versions of the inputs by what a file says, where the records know nothing of it.
    """

    asset: str
    code_version: str
    data_versions: dict[str, str]
    runs: list[str]
    made: str
    up_to_date: bool
    sources: list[Source] = field(default_factory=list)
    inputs: list["Trace"] = field(default_factory=list)
    stated: dict[str, str] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """The whole tree as plain values, for JSON."""
        return asdict(self)


def trace(lineage: Lineage, asset: str, keys: Sequence[Key]) -> list[Trace]:
    """How the given partitions of an asset were made, one tree for each code version among them."""
    return _trace(lineage, asset, list(keys), set())


def trace_file(lineage: Lineage, path: Path) -> list[Trace]:
    """How a file of this project was made, by the origin inside it.

    When the data folder's records know that very content, the whole tree is given; otherwise only
    what the file says itself.

    Raises:
        DataError: there is no such file, or it carries no origin.
    """
    from backblaze_assets.files.stamps import (
        read_origin,  # here, for the libraries that formats need
    )

    origin = read_origin(path) if path.is_file() else None
    if origin is None:
        reason = "carries no origin of this project" if path.exists() else "is not there"
        reason = "is a folder" if path.is_dir() else reason
        raise DataError(f"{path} {reason}; give an asset ({', '.join(RULES)}) or such a file.")
    key = origin.partition
    if origin.asset == "raw_quarter":  # its files are days
        key = str(quarter_of(date.fromisoformat(str(key))))
    known = lineage.ledger.get(origin.asset, key)
    if known and (known.code_version, known.inputs) == (origin.code_version, origin.inputs):
        return trace(lineage, origin.asset, [key])
    return [
        Trace(
            asset=origin.asset,
            code_version=origin.code_version,
            data_versions={origin.partition or "": origin.data_version},
            runs=[],
            made="",
            up_to_date=True,
            sources=[Source(name, digest, None) for name, digest in origin.sources.items()],
            stated=origin.inputs,
        )
    ]


def _trace(lineage: Lineage, asset: str, keys: list[Key], seen: set[str]) -> list[Trace]:
    records = [made for key in keys if (made := lineage.ledger.get(asset, key))]
    by_code: dict[str, list[Materialization]] = {}
    for made in records:
        by_code.setdefault(made.code_version, []).append(made)
    return [_node(lineage, asset, code, group, seen) for code, group in by_code.items()]


def _node(
    lineage: Lineage, asset: str, code: str, group: list[Materialization], seen: set[str]
) -> Trace:
    versions = {made.partition or "": made.data_version for made in group}
    identity = f"{asset} {code} {sorted(versions)}"
    first_time = identity not in seen
    seen.add(identity)
    return Trace(
        asset=asset,
        code_version=code,
        data_versions=versions,
        runs=list(dict.fromkeys(made.run_id for made in group)),
        made=datetime.fromtimestamp(max(made.timestamp for made in group), UTC).isoformat(
            timespec="seconds"
        ),
        up_to_date=not any(lineage.causes(made) for made in group),
        sources=_sources(group) if asset == "raw_quarter" else [],
        inputs=_inputs(lineage, asset, group, seen) if first_time else [],
    )


def _inputs(
    lineage: Lineage, asset: str, group: list[Materialization], seen: set[str]
) -> list[Trace]:
    upstream: dict[str, dict[Key, None]] = {}
    own = {made.partition for made in group}
    for made in group:
        for name, keys in lineage.reads(asset, made.partition).items():
            # A quarter that continues one of the same group adds nothing to the tree.
            new = [key for key in keys if not (name == asset and key in own)]
            upstream.setdefault(name, {}).update(dict.fromkeys(new))
    return [
        node for name, keys in upstream.items() for node in _trace(lineage, name, list(keys), seen)
    ]


def _sources(group: list[Materialization]) -> list[Source]:
    found = {
        made.metadata["zip"]: Source(
            made.metadata["zip"], made.metadata["zip_sha256"], made.metadata["zip_bytes"]
        )
        for made in group
    }
    return list(found.values())


def as_tree(traces: Sequence[Trace], tree: Tree | None = None) -> Tree:
    """The traces as a tree for the terminal."""
    tree = Tree("", hide_root=True) if tree is None else tree
    for node in traces:
        branch = tree.add(_label(node))
        for source in node.sources:
            size = f"{source.bytes:,} bytes  " if source.bytes else ""
            branch.add(f"{source.zip}  {size}sha256 {source.sha256}")
        for name, version in node.stated.items():
            branch.add(f"{name}  data {version}")
        as_tree(node.inputs, branch)
    return tree


def _label(node: Trace) -> str:
    keys = sorted(node.data_versions)
    which = "" if keys == [""] else f" {keys[0]}"
    if len(keys) > 1:
        which += f" to {keys[-1]} ({len(keys):,})"
    data = f"data {node.data_versions[keys[0]][:12]}  " if len(keys) == 1 else ""
    code = f"code {node.code_version[:12]}"
    if not node.made:
        return f"[bold]{node.asset}[/]{which}  {data}{code}  made elsewhere"
    runs = f"run {node.runs[0][:8]}" if len(node.runs) == 1 else f"{len(node.runs)} runs"
    stale = "" if node.up_to_date else "  [yellow]out of date[/]"
    return f"[bold]{node.asset}[/]{which}  {data}{code}  {runs}  {node.made}{stale}"


@dataclass(frozen=True)
class Reason:
    """Why partitions of one asset are not up to date.

    Attributes:
        asset: its key.
        keys: the partitions that share the reason, in order.
        status: missing, out of date or refused by a check.
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
    held = "; it waits for what a check refuses" if reason.held else ""
    if reason.status is Status.MISSING:
        return f"{reason.asset}{which} is missing{held}"
    causes = ", ".join(_cause(reason.asset, cause) for cause in reason.causes)
    return f"{reason.asset}{which} is out of date: {causes}{held}"


def _cause(asset: str, cause: Cause) -> str:
    versions = f"({cause.before[:12] or 'absent'} -> {cause.now[:12] or 'absent'})"
    if cause.what == "code":
        return f"the code of {asset} changed {versions}"
    return f"its input {cause.what} changed {versions}"
