"""Settings: environment variables, all with a default."""

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import overload

from backblaze_assets.drive_stats.archive import BASE_URL, GIGABYTE, MOST_BYTES
from backblaze_assets.errors import DataError
from backblaze_assets.files.store import is_address
from backblaze_assets.film.style import FORMATS, PACES


@dataclass(frozen=True)
class Settings:
    """What a user can set.

    Attributes:
        data: folder with the zips and all results; BACKBLAZE_DATA, default `data` in the current
            folder. Absolute once constructed. Where BACKBLAZE_DATA is the address of an object
            store, such as `s3://bucket/prefix`, the folder is a working copy of it on this machine,
            below BACKBLAZE_COPY.
        store: that address; empty where there is none. BACKBLAZE_STORE gives it where
            BACKBLAZE_DATA is the folder of the working copy, as Dagster's processes need it: `.env`
            makes a path of BACKBLAZE_DATA.
        copy_gb: the most gigabytes that the working copy keeps on this machine; BACKBLAZE_COPY_GB.
        film: the film's format, `1080p`, `2160p` or `upright`; BACKBLAZE_FILM.
        pace: days a second that the film shows: 60, 30 or 15; BACKBLAZE_PACE.
        download: whether newly published quarters are looked for every day and downloaded;
            BACKBLAZE_DOWNLOAD, `on` or `off`, which is the default.
        url: where zips are downloaded from; BACKBLAZE_URL, for a mirror.
        keep_gb: the most gigabytes (10^9 bytes) to keep of results that newer ones have replaced;
            BACKBLAZE_KEEP_GB, 0 for none.
        log_days: days after which `prune` removes what steps have printed; BACKBLAZE_LOG_DAYS.
        zip_limit: gigabytes that the CSVs of one zip may take unpacked; BACKBLAZE_ZIP_LIMIT.
        partitions_per_tick: how many partitions the nightly schedule asks for at a time;
            BACKBLAZE_PARTITIONS_PER_TICK.
        days_per_run: about how many days one run of the automation or of a backfill works on, where
            an asset's partitions can be made independently, or None for all in one;
            BACKBLAZE_DAYS_PER_RUN.
        port: where the UI listens, so that the sensor can have new partitions shown there;
            BACKBLAZE_PORT.
        viewer_port: where the viewer listens, which pictures and links in the UI lead to, or None
            for none; BACKBLAZE_VIEWER_PORT, a number or `off`.

    Raises:
        DataError: a setting has a value that it cannot have.
    """

    data: Path = field(default=Path("data"))
    store: str = ""
    copy_gb: float = 50
    film: str = "1080p"
    pace: int = 60
    download: bool = False
    url: str = BASE_URL
    keep_gb: float = 2
    log_days: int = 90
    zip_limit: int = MOST_BYTES // GIGABYTE
    partitions_per_tick: int = 1000
    days_per_run: int | None = None
    port: int = 3000
    viewer_port: int | None = 3001

    def __post_init__(self) -> None:
        object.__setattr__(self, "data", Path(self.data).expanduser().absolute())
        if self.film not in FORMATS:
            raise DataError(f"BACKBLAZE_FILM is {self.film!r}; it can be {', '.join(FORMATS)}.")
        if self.pace not in PACES:
            choices = ", ".join(map(str, PACES))
            raise DataError(f"BACKBLAZE_PACE is {self.pace}; it can be {choices}.")

    @property
    def variables(self) -> dict[str, str]:
        """What makes another process work on the same data."""
        return {"BACKBLAZE_DATA": str(self.data), "BACKBLAZE_STORE": self.store}

    @classmethod
    def from_environment(cls) -> "Settings":
        """The settings of this process."""
        data = os.environ.get("BACKBLAZE_DATA") or "data"
        store = data if is_address(data) else os.environ.get("BACKBLAZE_STORE") or ""
        if store and not is_address(store):
            raise DataError(f"BACKBLAZE_STORE is {store!r}, which is no address of a store.")
        store = store.rstrip("/")
        return cls(
            data=copy_of(store) if is_address(data) else Path(data),
            store=store,
            copy_gb=_amount("BACKBLAZE_COPY_GB", 50),
            film=os.environ.get("BACKBLAZE_FILM") or "1080p",
            pace=_count("BACKBLAZE_PACE", 60),
            download=_switch("BACKBLAZE_DOWNLOAD"),
            url=(os.environ.get("BACKBLAZE_URL") or BASE_URL).rstrip("/"),
            keep_gb=_amount("BACKBLAZE_KEEP_GB", 2),
            log_days=_count("BACKBLAZE_LOG_DAYS", 90),
            zip_limit=_count("BACKBLAZE_ZIP_LIMIT", MOST_BYTES // GIGABYTE),
            partitions_per_tick=_count("BACKBLAZE_PARTITIONS_PER_TICK", 1000),
            days_per_run=_count("BACKBLAZE_DAYS_PER_RUN", None),
            port=_count("BACKBLAZE_PORT", 3000),
            viewer_port=None
            if os.environ.get("BACKBLAZE_VIEWER_PORT") == "off"
            else _count("BACKBLAZE_VIEWER_PORT", 3001),
        )


def copy_of(store: str) -> Path:
    """Where the working copy of an object store is on this machine, by its address."""
    folder = os.environ.get("BACKBLAZE_COPY") or "~/.cache/backblaze-assets"
    return Path(folder) / re.sub(r"[^A-Za-z0-9.-]+", "_", store)


def instance_home(data: Path) -> Path:
    """Dagster's folder: DAGSTER_HOME if that is set, else `dagster` in the data folder."""
    return Path(os.environ.get("DAGSTER_HOME") or data.absolute() / "dagster")


def _switch(name: str) -> bool:
    """A variable that is `on` or `off`; off when it is not set."""
    text = os.environ.get(name) or "off"
    if text not in ("on", "off"):
        raise DataError(f"{name} is {text!r}; it can be on or off.")
    return text == "on"


@overload
def _count(name: str, default: int) -> int: ...
@overload
def _count(name: str, default: None) -> int | None: ...
def _count(name: str, default: int | None) -> int | None:
    """A variable that is a number of at least 1."""
    text = os.environ.get(name)
    if not text:
        return default
    if not (text.isdecimal() and int(text) > 0):
        raise DataError(f"{name} is {text!r}; it can be a number of at least 1.")
    return int(text)


def _amount(name: str, default: float) -> float:
    """A variable that is a number of at least 0."""
    text = os.environ.get(name) or str(default)
    try:
        amount = float(text)
    except ValueError:
        amount = -1
    if not 0 <= amount < float("inf"):
        raise DataError(f"{name} is {text!r}; it can be a number of at least 0, such as 2 or 0.5.")
    return amount
