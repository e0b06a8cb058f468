"""Where a result comes from, down to the zips, by Dagster's records."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from rich.text import Text
from rich.tree import Tree

from backblaze_assets.drive_stats.quarters import quarter_of
from backblaze_assets.errors import DataError
from backblaze_assets.files.origin import Origin
from backblaze_assets.files.records import Records
from backblaze_assets.files.sources import Sources
from backblaze_assets.graph import GRAPH
from backblaze_assets.lineage.code_version import PACKAGE, code_version, source_below
from backblaze_assets.lineage.ledger import Materialization
from backblaze_assets.lineage.status import SOURCES, Lineage
from backblaze_assets.partitions import Key


@dataclass(frozen=True)
class Source:
    """One zip.

    Attributes:
        zip: its file name.
        sha256: of the file as it was imported.
    """

    zip: str
    sha256: str


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

    # Subtitles have no room for an origin: the folder's records know them by their digest.
    by_digest = path.suffix.lower() == ".srt" and path.is_file()
    if by_digest:
        origin = _recorded(lineage, path)
    else:
        origin = read_origin(path) if path.is_file() else None
    if origin is None and by_digest:
        raise DataError(
            f"{path} is not known to the records in {lineage.view.folder.root}: subtitles say "
            "nothing of themselves. Give with --data the folder where they were made, or trace "
            "the film that they belong to."
        )
    if origin is None:
        reason = "carries no origin of this project" if path.exists() else "is not there"
        reason = "is a folder" if path.is_dir() else reason
        raise DataError(f"{path} {reason}; give an asset ({', '.join(GRAPH)}) or such a file.")
    key = origin.partition
    if origin.asset in GRAPH and "{day}" in GRAPH[origin.asset].files[0]:  # its files are days
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
            sources=[Source(name, digest) for name, digest in origin.sources.items()],
            stated=origin.inputs,
        )
    ]


def _recorded(lineage: Lineage, path: Path) -> Origin | None:
    """The origin of a file by the records that runs have left in the data folder."""
    from backblaze_assets.files.verifying import digest_file

    digest, root = digest_file(path), lineage.view.folder.root
    for asset in GRAPH:
        for record in Records(root).all(asset).values():
            if digest in record.digests.values():
                versions = record.code_version, record.data_version
                return Origin(asset, record.partition, *versions, dict(record.inputs))
    return None


def source_of(root: Path, asset: str, version: str) -> dict[str, bytes]:
    """The source of a version of an asset's code: content of each file by its name.

    It is what the version is the digest of, so without comments and formatting.

    Args:
        root: the data folder.
        asset: the asset that it makes.
        version: of the code.

    Raises:
        DataError: it is neither the code that is installed, nor kept in the folder.
    """
    if asset in GRAPH and version == code_version(asset):
        return source_below(PACKAGE, asset)
    found = Sources(root).get(asset, version)
    if found is None:
        raise DataError(
            f"The source of code {version[:12]} of {asset} is not kept in {root}: the result was "
            "made in another folder, or before source was kept, or `prune` has removed it."
        )
    return found


def source_text(asset: str, version: str, source: Mapping[str, bytes], form: str) -> str:
    """Source as text for people, or as JSON where `form` is `json`; of data files, the size."""
    texts = {
        name: content.decode() if name.endswith((".py", ".csv", ".json", ".txt")) else None
        for name, content in sorted(source.items())
    }
    if form == "json":
        return json.dumps({"asset": asset, "code_version": version, "source": texts}, indent=1)
    lines = [f"# The code of {asset}, version {version}, without comments."]
    for name, text in texts.items():
        lines += ["", f"# {name}", text or f"# {len(source[name]):,} bytes of data"]
    return "\n".join(lines)


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
        sources=_sources(group) if GRAPH[asset].sources else [],
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
        name: Source(name, digest)
        for made in group
        for name, digest in made.metadata.get(SOURCES, {}).items()
    }
    return list(found.values())


def as_tree(traces: Sequence[Trace], tree: Tree | None = None) -> Tree:
    """The traces as a tree for the terminal."""
    tree = Tree("", hide_root=True) if tree is None else tree
    for node in traces:
        branch = tree.add(_label(node))
        for source in node.sources:
            branch.add(Text(f"{source.zip}  sha256 {source.sha256}"))
        for name, version in node.stated.items():
            branch.add(Text(f"{name}  data {version}"))
        as_tree(node.inputs, branch)
    return tree


def _label(node: Trace) -> Text:
    keys = sorted(node.data_versions)
    which = "" if keys == [""] else f" {keys[0]}"
    if len(keys) > 1:
        which += f" to {keys[-1]} ({len(keys):,})"
    data = f"data {node.data_versions[keys[0]][:12]}  " if len(keys) == 1 else ""
    code = f"code {node.code_version[:12]}"
    label = Text.assemble((node.asset, "bold"), f"{which}  {data}{code}  ")
    if not node.made:
        return label.append("made elsewhere")
    runs = f"run {node.runs[0][:8]}" if len(node.runs) == 1 else f"{len(node.runs)} runs"
    label.append(f"{runs}  {node.made}")
    return label if node.up_to_date else label.append("  out of date", "yellow")
