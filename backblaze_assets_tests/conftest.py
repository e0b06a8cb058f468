"""A data folder with a tiny made-up fleet, empty or with everything built from it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import dagster as dg
import pytest

from backblaze_assets.cli.update import Ran, bring_up_to_date
from backblaze_assets.definitions import build_definitions
from backblaze_assets.drive_stats.demo import write_zips
from backblaze_assets.lineage.status import Lineage
from backblaze_assets.partitions import range_tags
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
    def data(self) -> Data:
        """The folder, looked at anew."""
        return Data(self.root)

    @property
    def definitions(self) -> dg.Definitions:
        return build_definitions(self.data, Settings(data=self.root))

    def lineage(self) -> Lineage:
        return self.data.lineage(self.instance)

    def path(self, asset: str, name: object) -> Path:
        """A file or folder of an asset."""
        return self.root / asset / str(name)

    def update(self, *targets: str) -> list[Ran]:
        """Bring assets up to date; by default all."""
        return bring_up_to_date(self.instance, self.data, targets or ["afr_table", "movie"])

    def materialize(self, asset: str, *keys: str) -> dg.ExecuteInProcessResult:
        """Materialize an asset, or its partitions from the first to the last key."""
        job = self.definitions.resolve_implicit_global_asset_job_def()
        return job.execute_in_process(
            instance=self.instance,
            asset_selection=[dg.AssetKey(asset)],
            tags=range_tags(keys or (None,)),
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
