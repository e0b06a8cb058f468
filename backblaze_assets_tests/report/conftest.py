"""The tables of three quarters, as the report takes them."""

import io
from datetime import date

import polars as pl
import pytest
from PIL import Image

from backblaze_assets.drive_stats.age_adjusted import for_its_age
from backblaze_assets.drive_stats.published import reconcile
from backblaze_assets.drive_stats.survival import survival
from backblaze_assets.report.inputs import Inputs
from backblaze_assets.report.poster import Film
from backblaze_assets_tests.drive_stats.tables import Q2, three_quarters


def still() -> bytes:
    """A small WebP file."""
    buffer = io.BytesIO()
    Image.new("RGB", (160, 90), (17, 19, 23)).save(buffer, "WEBP")
    return buffer.getvalue()


@pytest.fixture(scope="session")
def inputs(tmp_path_factory):
    made = three_quarters(tmp_path_factory.mktemp("report"))
    tables = {quarter: pl.read_parquet(path) for quarter, path in made.tables.items()}
    return Inputs(
        Q2,
        tables,
        survival(made.lifetimes),
        made.lifetimes.days,
        reconcile(tables),
        for_its_age(made.lifetimes.drives, date(2013, 7, 1), date(2014, 6, 30)),
        [("data", "<three> quarters")],
        Film("../movie/movie.mp4", still(), 160, 90, date(2014, 6, 30)),
    )
