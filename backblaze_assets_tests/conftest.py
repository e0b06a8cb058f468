"""A data folder with a tiny made-up fleet, empty or with everything built from it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import dagster as dg
import pytest
from backblaze_assets.lineage.rules import Lineage

from backblaze_assets.cli.update import Ran, bring_up_to_date
from backblaze_assets.definitions import build_definitions
from backblaze_assets.drive_stats.demo import write_zips
from backblaze_assets.files.folder import DataFolder
from backblaze_assets.resources import Data
from backblaze_assets.settings import Settings

FIRST, LAST = date(2013, 6, 25), date(2013, 7, 6)
"""Twelve days on both sides of a quarter's end: two quarters in one zip."""


@dataclass(frozen=True)
class Project:
    """A data folder and the Dagster instance that goes with it."""

    root: Path
    instance: dg.DagsterInstance

    @property
    def settings(self) -> Settings:
        return Settings(data=self.root)

    @property
    def data(self) -> Data:
        return Data.from_settings(self.settings)

    @property
    def folder(self) -> DataFolder:
        return self.data.folder

    @property
    def definitions(self) -> dg.Definitions:
        return build_definitions(self.settings)

    def lineage(self) -> Lineage:
        return self.data.lineage(self.instance)

    def update(self, *targets: str) -> list[Ran]:
        """Bring assets up to date; by default all."""
        return bring_up_to_date(self.instance, self.data, targets or ["afr_table", "movie"])

    def materialize(self, asset: str, first: str | None = None, last: str | None = None) -> None:
        """Materialize an asset, or a range of its partitions, as the Dagster CLI does."""
        tags = {
            "dagster/asset_partition_range_start": first,
            "dagster/asset_partition_range_end": last or first,
        }
        self.definitions.resolve_implicit_global_asset_job_def().execute_in_process(
            instance=self.instance,
            asset_selection=[dg.AssetKey(asset)],
            tags=tags if first else {},
        )


def write_fleet(folder: Path, first: date = FIRST, last: date = LAST) -> None:
    """Zips of a fleet of about sixty drives, some of which fail within days."""
    write_zips(folder, drives=60, first=first, last=last, hazard=20)


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    """A data folder with zips, of which nothing is built."""
    root = tmp_path / "data"
    write_fleet(root)
    with dg.DagsterInstance.ephemeral() as instance:
        yield Project(root, instance)


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A data folder from which everything is built; not to be changed."""
    root = tmp_path_factory.mktemp("built") / "data"
    write_fleet(root)
    with dg.DagsterInstance.ephemeral() as instance:
        project = Project(root, instance)
        project.update()
        yield project
