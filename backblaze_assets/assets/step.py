"""What every asset does around its own work: decide what to reuse, and tell Dagster what was made.

An asset makes all partitions of a run in one step. Each one gets an event of its own, with its
provenance and its figures. Files that already stand, whole and made by the same code from the same
inputs (a killed run leaves such), are kept: their origin says so.
"""

import platform
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

import dagster as dg

from backblaze_assets.drive_stats.quarters import quarter_name, quarter_of
from backblaze_assets.errors import DataError
from backblaze_assets.files.atomic import remove_unfinished
from backblaze_assets.files.origin import Origin, digest_versions
from backblaze_assets.lineage.ledger import PROVENANCE, Materialization
from backblaze_assets.lineage.ranges import unbroken
from backblaze_assets.lineage.rules import ABSENT, DAILY, RULES, Lineage
from backblaze_assets.partitions import requested
from backblaze_assets.resources import Data
from backblaze_assets.work.progress import Lines, listening, somebody_listens

LIBRARIES = ("polars", "pyarrow", "numpy", "pillow", "imageio-ffmpeg", "isal")
"""Those whose version can shape a result."""

BACKFILL = "dagster/backfill"
"""Tag of the runs of a backfill."""

VERSIONS = ", ".join(
    [f"Python {platform.python_version()}", *(f"{name} {version(name)}" for name in LIBRARIES)]
)


class Step:
    """One asset's step in one run."""

    def __init__(self, context: dg.AssetExecutionContext, data: Data) -> None:
        self.context = context
        self.asset = context.asset_key.to_user_string()
        self.code_version = RULES[self.asset].code_version
        self.folder = data.folder
        self.style = data.style
        self.lineage: Lineage = data.lineage(context.instance)
        self._started = time.perf_counter()
        self._versions: dict[str, str] = {}
        self._metadata: dict[str, Any] = {}

    def requested(self) -> list[date]:
        """The partitions of this run, at least one.

        A backfill may ask for more than there are data of: Dagster adds what lies downstream, such
        as the failure rates of later quarters, whose trailing year begins in an earlier one. What
        there is is made then, and nothing is recorded of the rest but Dagster's own bare event.

        Raises:
            DataError: a person's own range is one that the data cover only in part.
        """
        wanted = requested(self.context)
        expected = {str(key) for key in self.lineage.expected(self.asset)}
        known = [day for day in wanted if str(day) in expected]
        if not known or len(known) == len(wanted):
            return wanted
        pieces = unbroken(self.asset, [str(day) for day in known])
        there = " and of ".join(f"{piece[0]} to {piece[-1]}" for piece in pieces)
        message = (
            f"{len(wanted) - len(known):,} of the {len(wanted):,} partitions {wanted[0]} to "
            f"{wanted[-1]} of {self.asset} have no data in {self.folder.root}. "
            f"There are data of {there}"
        )
        if BACKFILL in self.context.run.tags:
            self.context.log.warning(f"{message}, which is made.")
            return known
        raise DataError(f"{message}: ask for that.")

    def origin(self, partition: str | None, sources: dict[str, str] | None = None) -> Origin:
        """The origin of what this step makes of one partition; its content is not known yet.

        Args:
            partition: its key.
            sources: SHA-256 of zips, for files that are to say so themselves.

        Raises:
            DataError: an input is not there; says which, and how to get it.
        """
        self._check_day(partition)
        inputs = self.lineage.inputs(self.asset, partition)
        absent = [name for name, version in inputs.items() if version == ABSENT]
        if absent:
            raise DataError(
                f"{_what(self.asset, partition)} needs {' and '.join(absent)}, which is not there "
                f"yet. Materialize {' and '.join(absent)} first, or run `backblaze-assets movie`, "
                "which makes everything that is missing."
            )
        self._check_files(partition)
        return Origin(
            self.asset, partition, self.code_version, inputs=inputs, sources=sources or {}
        )

    def _check_files(self, partition: str | None) -> None:
        """Refuse to work from files that have been deleted."""
        for upstream, keys in self.lineage.reads(self.asset, partition).items():
            for key in keys if upstream != self.asset else []:  # its own are made in order
                made = self.lineage.ledger.get(upstream, key)
                if made and not self.lineage.has_files(made):
                    raise DataError(
                        f"{_what(self.asset, partition)} needs files of {_what(upstream, key)} "
                        f"that have been deleted from {self.folder.root / upstream}. "
                        "`backblaze-assets movie` makes them anew"
                        + (", once their zip is there again." if upstream == "raw_quarter" else ".")
                    )

    def _check_day(self, partition: str | None) -> None:
        """Refuse a day that the zip of its quarter does not reach."""
        if partition is None or self.asset not in DAILY:
            return
        day = date.fromisoformat(partition)
        known = self.lineage.days(quarter_of(day))
        if known and day not in known:
            raise DataError(
                f"There are no data of {day}: those of {quarter_name(quarter_of(day))} go from "
                f"{known[0]} to {known[-1]}."
            )

    def made(
        self,
        origin: Origin,
        data_version: str,
        path: Path,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        """Record that `path` holds the partition of `origin`, and figures about it."""
        own = {
            **(metadata or {}),
            "path": dg.MetadataValue.path(path),
            PROVENANCE: dg.MetadataValue.json(
                {
                    "code_version": origin.code_version,
                    "data_version": data_version,
                    "inputs": origin.inputs,
                }
            ),
        }
        if origin.partition is None:
            self._metadata = own
        else:
            self.context.add_asset_metadata(own, partition_key=origin.partition)
        self._versions[origin.partition or ""] = data_version
        plain = {name: getattr(value, "value", value) for name, value in own.items()}
        self.lineage.ledger.note(
            Materialization(
                asset=self.asset,
                partition=origin.partition,
                code_version=origin.code_version,
                data_version=data_version,
                inputs=origin.inputs,
                metadata=plain,
                run_id=self.context.run.run_id,
                timestamp=time.time(),
            )
        )

    def result(self, **shared: Any) -> dg.MaterializeResult[None]:  # noqa: ANN401
        """What the asset returns: figures shared by all partitions of the run."""
        seconds = time.perf_counter() - self._started
        one = next(iter(self._versions.values())) if len(self._versions) == 1 else None
        return dg.MaterializeResult(
            metadata={
                **self._metadata,
                "run_seconds": round(seconds, 2),
                "libraries": VERSIONS,
                **shared,
            },
            data_version=dg.DataVersion(one or digest_versions(self._versions)),
        )


@contextmanager
def step(context: dg.AssetExecutionContext, data: Data) -> Iterator[Step]:
    """Run an asset's work: progress goes to the log, and what the user can mend is not retried."""
    try:
        # The command line runs steps in its own process and has a progress bar.
        with nullcontext() if somebody_listens() else listening(Lines(context.log.info)):
            this = Step(context, data)
            remove_unfinished(data.folder.root / this.asset)
            yield this
    except DataError as error:
        raise dg.Failure(str(error), allow_retries=False) from error


def _what(asset: str, partition: str | None) -> str:
    return f"{asset} {partition}" if partition else asset
