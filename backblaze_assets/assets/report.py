"""The report: one page with tables, charts and sentences, which opens from disk by itself."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import dagster as dg

from backblaze_assets.drive_stats.afr import window_starts
from backblaze_assets.drive_stats.age_adjusted import for_its_age
from backblaze_assets.drive_stats.lifetimes import Lifetimes
from backblaze_assets.drive_stats.parquet import read_table
from backblaze_assets.drive_stats.published import reconcile
from backblaze_assets.files.atomic import write_atomic
from backblaze_assets.files.origin import KEY, digest
from backblaze_assets.lineage.metadata import link
from backblaze_assets.lineage.parts import Part
from backblaze_assets.lineage.status import SOURCES
from backblaze_assets.lineage.step import Step
from backblaze_assets.partitions import day_of
from backblaze_assets.report.inputs import Inputs
from backblaze_assets.report.page import page
from backblaze_assets.report.poster import film_of

FILM = "../movie/movie.mp4"
"""Where the film lies, from the page. The page has a still of its own, so it is made without the
film, and a new film leaves it as it is."""


@dataclass(frozen=True)
class Report:
    """What a person wants to know of the page: how large it is, and of which quarter."""

    bytes: int
    quarter: str
    models: int


def report(step: Step) -> None:
    """Write the page from the tables of all quarters and the curves of the newest one."""
    for part in step.parts():
        with step.making(part.key):
            tables = {
                day_of(key): read_table(path) for key, path in part.inputs["afr_table"].items()
            }
            newest = max(tables)
            lifetimes = Lifetimes.load(part.input("drive_lifetimes"))
            days = lifetimes.days
            year, last_day = window_starts(newest)["year"], days["date"][-1]
            real = {} if days["synthetic"].any() else tables
            inputs = Inputs(
                quarter=newest,
                tables=tables,
                survival=read_table(part.input("survival")),
                age_adjusted=for_its_age(lifetimes.drives, year, last_day),
                days=days,
                reconciled=reconcile(real),
                provenance=_provenance(step),
                film=film_of(
                    FILM,
                    part.input("drive_lifetimes"),
                    part.input("film_layout"),
                    step.style,
                    last_day,
                ),
            )
            text = page(inputs)
            version = digest([text])
            origin = part.origin.with_data_version(version).to_json()
            stamp = f"<!-- {KEY} {origin} -->\n"  # JSON of hexadecimal digests has no two dashes
            write_atomic(part.path, (text + stamp).encode())
            models = inputs.rows("model", "lifetime").height
            made = Report(part.path.stat().st_size, str(newest), models)
            step.made(part, version, made)


def _provenance(step: Step) -> list[tuple[str, str]]:
    """SHA-256 of every imported zip."""
    imported = step.lineage.ledger.all("raw_quarter").values()
    found = {name: digest for made in imported for name, digest in made.metadata[SOURCES].items()}
    return [(name, f"SHA-256 {digest}") for name, digest in sorted(found.items())]


def metadata(part: Part, made: Report) -> Mapping[str, Any]:
    """Where the page is."""
    return {
        **link(part.viewer, "report"),
        "path": dg.MetadataValue.path(part.path),
        "newest_quarter": made.quarter,
        "models": made.models,
        "kilobytes": round(made.bytes / 1e3, 1),
    }
