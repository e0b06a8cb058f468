"""Where the tests find real data: small files in the repository, and the whole files outside of it.

A test that needs the whole files is marked with `needs(path)`, which says why it is skipped in a
clone that has only the repository.
"""

import csv
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
SHARED = REPOSITORY.parent / "shared"
"""What developers and CI have beside the repository: tools, facts, and the whole real files."""

DATA = Path(__file__).parent / "data"
FAILURES = sorted((DATA / "failures").glob("*.zip"))
HEADERS = sorted((DATA / "headers").glob("*.csv"))

SOME_DRIVES = DATA / "forty_days" / "data_2013.zip"
SOME_DRIVES_MODELS = DATA / "forty_days" / "models.csv"
ALL_DRIVES = SHARED / "data" / "data_2013.zip"
ALL_DRIVES_MODELS = DATA / "forty_days" / "all_drives_models.csv"


def needs(path: Path) -> pytest.MarkDecorator:
    """Skip a test where `path` does not exist."""
    return pytest.mark.skipif(not path.exists(), reason=f"needs {path}, which is not there")


FORTY_DAYS = [
    pytest.param(SOME_DRIVES, SOME_DRIVES_MODELS, id="some drives"),
    pytest.param(
        *(ALL_DRIVES, ALL_DRIVES_MODELS),
        id="all drives",
        marks=[needs(ALL_DRIVES), pytest.mark.slow],
    ),
]
"""The first forty days: the zip, and the counts of its models."""


def rows_of(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV, as text."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
