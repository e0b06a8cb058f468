"""What the assets share: the data folder and the film's style."""

from pathlib import Path

import dagster as dg

from backblaze_assets.drive_stats.archive import BASE_URL
from backblaze_assets.files.folder import DataFolder
from backblaze_assets.film.style import Style
from backblaze_assets.lineage.ledger import Ledger
from backblaze_assets.lineage.rules import Lineage
from backblaze_assets.settings import Settings


class Data(dg.ConfigurableResource):  # type: ignore[type-arg]
    """The data folder with everything in it, and the settings that shape the film.

    Attributes:
        root: absolute path of the folder with the zips and all results.
        film: the film's format, `1080p` or `2160p`.
        url: where zips are downloaded from.
    """

    root: str
    film: str = "1080p"
    url: str = BASE_URL

    @classmethod
    def from_settings(cls, settings: Settings) -> "Data":
        """The resource for the given settings."""
        return cls(root=str(settings.data), film=settings.film, url=settings.url)

    @property
    def folder(self) -> DataFolder:
        """Where the files are."""
        return DataFolder(Path(self.root))

    @property
    def style(self) -> Style:
        """How the film looks."""
        return Style.named(self.film)

    def lineage(self, instance: dg.DagsterInstance) -> Lineage:
        """How everything in the folder stands now, by the instance's records."""
        return Lineage(Ledger(instance), self.folder, self.style)
