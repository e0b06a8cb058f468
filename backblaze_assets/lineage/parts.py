"""The partitions that a step is to make, with what they are made from, found and fetched."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from backblaze_assets.errors import DataError
from backblaze_assets.files.folder import file_names
from backblaze_assets.files.origin import Origin
from backblaze_assets.graph import GRAPH, Source
from backblaze_assets.lineage.code_version import code_version
from backblaze_assets.lineage.status import ABSENT, Lineage
from backblaze_assets.partitions import Key, day_of


@dataclass(frozen=True)
class Part:
    """One partition that a step is to make.

    Attributes:
        key: its key.
        path: where its file is to be, or the folder of its files.
        origin: what its files are to say of themselves; their content is not known yet.
        inputs: the file or folder of each partition that it reads, by upstream asset and key.
        viewer: address of the viewer that the UI's pictures and links are to lead to, if any.
    """

    key: Key
    path: Path
    origin: Origin
    inputs: Mapping[str, Mapping[Key, Path]]
    viewer: str | None = None

    @property
    def day(self) -> date:
        """The first day of the partition."""
        return day_of(self.key)

    def input(self, asset: str) -> Path:
        """The one file or folder that it reads of an upstream asset.

        Raises:
            ValueError: it reads none, or more than one.
        """
        (path,) = self.inputs[asset].values()
        return path


class Parts:
    """Finds what partitions of an asset are made from.

    Attributes:
        fetched: when the inputs of a partition were fetched from a store.
    """

    def __init__(self, asset: str, lineage: Lineage, viewer: str | None) -> None:
        self.fetched: dict[Key, float] = {}
        self._asset = asset
        self._lineage = lineage
        self._folder = lineage.view.folder
        self._viewer = viewer

    def find(self, key: Key) -> Part:
        """A partition that is to be made.

        Raises:
            DataError: something that it is made from is not there, or its files are not.
        """
        inputs = self._lineage.inputs(self._asset, key)
        absent = [name for name, version in inputs.items() if version == ABSENT]
        if Source.ZIP.value in absent:
            self._lineage.view.survey.archive(day_of(key))  # says what is the matter with it
        if absent:
            raise DataError(
                f"{what(self._asset, key)} needs {' and '.join(absent)}, which is not there yet. "
                f"Materialize {' and '.join(absent)} first, or run `backblaze-assets movie`, which "
                "makes everything that is missing."
            )
        reads = self._lineage.reads(self._asset, key)
        self._check_files(key, reads)
        return Part(
            key,
            self.path(self._asset, key),
            Origin(self._asset, key, code_version(self._asset), inputs=inputs),
            {name: {k: self.path(name, k) for k in keys} for name, keys in reads.items()},
            self._viewer,
        )

    def fetch_inputs(self, parts: Sequence[Part]) -> None:
        """See that what partitions are made from is on this machine.

        Raises:
            StoreError: it cannot be fetched.
        """
        if not self._folder.store:
            return
        self.fetched |= dict.fromkeys((part.key for part in parts), time.time())
        paths: dict[Path, None] = {}
        for part in parts:
            if Source.ZIP in GRAPH[self._asset].sources:
                archive = self._lineage.view.survey.archive(part.day)
                paths |= dict.fromkeys(archive.files(part.day))
            for upstream, inputs in part.inputs.items():
                reading = GRAPH[self._asset].reads[upstream]
                for key, path in inputs.items() if not reading.chosen else ():
                    if reading.by_day:
                        names = file_names(GRAPH[upstream].files, key, [str(part.key)])
                        paths |= {self._folder.path(upstream, name): None for name in names}
                    else:
                        paths[path] = None
        self._folder.fetch(paths)

    def path(self, asset: str, key: Key) -> Path:
        """The file of a partition of any asset, or the folder of its files."""
        (name, *_) = file_names(GRAPH[asset].files, key, [""])
        return self._folder.path(asset, name.partition("/")[0])

    def _check_files(self, key: Key, reads: Mapping[str, list[Key]]) -> None:
        """Refuse to work from files that have been deleted."""
        for upstream, keys in reads.items():
            for other in keys if upstream != self._asset else []:  # its own are made in order
                made = self._lineage.ledger.get(upstream, other)
                if made and not self._lineage.has_files(made):
                    raise DataError(
                        f"{what(self._asset, key)} needs files of {what(upstream, other)} that "
                        f"have been deleted from {self._folder.root / upstream}. "
                        "`backblaze-assets movie` makes them anew, if what they were made from is "
                        "still there."
                    )


def what(asset: str, key: Key) -> str:
    """A partition as people call it."""
    return f"{asset} {key}" if key else asset
