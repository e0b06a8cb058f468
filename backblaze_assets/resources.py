"""What the assets share: the data folder, seen once, and the film's style."""

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import dagster as dg

from backblaze_assets.drive_stats.archive import BASE_URL, GIGABYTE, MOST_BYTES
from backblaze_assets.files.folder import DataFolder
from backblaze_assets.files.kept import Kept
from backblaze_assets.film.style import Style
from backblaze_assets.lineage.ledger import Ledger
from backblaze_assets.lineage.status import Lineage
from backblaze_assets.lineage.view import NO_INPUT, View
from backblaze_assets.settings import Settings
from backblaze_assets.viewer.server import ADDRESS


@dataclass(frozen=True)
class Data:
    """The data folder with everything in it, and the settings that shape the film.

    Attributes:
        root: absolute path of the folder with the zips and all results.
        store: address of the object store that the folder is a working copy of, if any.
        copy_bytes: what that working copy may take on this machine.
        film: the film's format, `1080p`, `2160p` or `upright`.
        pace: days a second that the film shows.
        url: where zips are downloaded from.
        viewer_port: where the viewer is to listen that the UI's pictures and links lead to, if any.
        keep_bytes: the most to keep of results that newer ones have replaced.
        most_bytes: what the CSVs of one zip may take unpacked.
        days_per_run: about how many days one run works on where that can be divided; None for all.
    """

    root: Path
    film: str = "1080p"
    pace: int = 60
    url: str = BASE_URL
    viewer_port: int | None = None
    keep_bytes: int = 2_000_000_000
    most_bytes: int = MOST_BYTES
    days_per_run: int | None = None
    store: str = ""
    copy_bytes: int = 0

    @classmethod
    def from_settings(cls, settings: Settings) -> "Data":
        """The resource for the given settings."""
        return cls(
            settings.data,
            settings.film,
            settings.pace,
            settings.url,
            settings.viewer_port,
            # A store keeps what it is told to keep, and everything costs there.
            0 if settings.store else round(settings.keep_gb * 1e9),
            settings.zip_limit * GIGABYTE,
            settings.days_per_run,
            settings.store,
            round(settings.copy_gb * 1e9),
        )

    @property
    def folder(self) -> DataFolder:
        """Where the files are."""
        return DataFolder(self.root, self.store, self.copy_bytes, NO_INPUT)

    @property
    def locks(self) -> Path:
        """Where the locks are that keep heavy work apart."""
        return self.root / ".locks"

    @property
    def kept(self) -> Kept:
        """What is kept of results that newer ones have replaced."""
        return Kept(self.root, self.keep_bytes)

    @property
    def viewer(self) -> str | None:
        """Address of the viewer, if there is to be one."""
        return f"http://{ADDRESS}:{self.viewer_port}" if self.viewer_port else None

    @property
    def style(self) -> Style:
        """How the film looks."""
        return Style.named(self.film, self.pace)

    @cached_property
    def view(self) -> View:
        """What the folder had when it was first looked at through this object."""
        return View.of(self.folder, self.most_bytes)

    def seen_anew(self) -> "Data":
        """The same, with another look at the folder."""
        return replace(self)

    def lineage(self, instance: dg.DagsterInstance) -> Lineage:
        """How everything stands now by the instance's records, for what was seen of the folder."""
        return Lineage(Ledger(instance), self.view, self.style)
