"""The small real inputs: made from the whole files, and small enough for a repository."""

import zipfile

import pytest

from backblaze_assets_tests.data.make import make_failures, make_forty_days
from backblaze_assets_tests.real_data import (
    ALL_DRIVES,
    ALL_DRIVES_MODELS,
    DATA,
    FAILURES,
    HEADERS,
    SHARED,
    SOME_DRIVES_MODELS,
    needs,
    rows_of,
)


def counts(path, name):
    return {row["model"]: int(row[name]) for row in rows_of(path)}


def content(path):
    """What a file holds; of a zip its members, for libraries pack differently."""
    if path.suffix != ".zip":
        return path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        return [(name, archive.read(name)) for name in archive.namelist()]


def test_the_sample_has_every_model_and_every_failure():
    assert len(rows_of(ALL_DRIVES_MODELS)) == 37
    assert counts(SOME_DRIVES_MODELS, "failures") == counts(ALL_DRIVES_MODELS, "failures")
    days = rows_of(DATA / "forty_days" / "days.csv")
    assert sum(int(day["failures"]) for day in days) == 120
    drives = rows_of(DATA / "forty_days" / "drives.csv")
    assert sum(int(drive["drive_days"]) for drive in drives) == sum(
        int(day["drives"]) for day in days
    )


def test_the_inputs_are_few_and_small():
    assert (len(FAILURES), len(HEADERS)) == (4, 12)
    files = [path for path in DATA.rglob("*") if path.is_file() and path.suffix != ".pyc"]
    assert sum(path.stat().st_size for path in files) < 500_000


@pytest.mark.slow
@needs(ALL_DRIVES)
def test_the_inputs_are_what_is_made_from_the_whole_files(tmp_path):
    make_forty_days(ALL_DRIVES, tmp_path / "forty_days")
    make_failures(sorted((SHARED / "data" / "failure_rows").glob("*.zip")), tmp_path / "failures")
    for folder in ("forty_days", "failures"):
        names = sorted(path.name for path in (tmp_path / folder).iterdir())
        assert names == sorted(path.name for path in (DATA / folder).iterdir())
        for name in names:
            assert content(tmp_path / folder / name) == content(DATA / folder / name), name


@needs(SHARED / "facts")
def test_the_counts_of_all_drives_are_those_of_another_project():
    golden = SHARED / "facts" / "fleet" / "golden_afr_2013-04-10_2013-05-19.csv"
    for ours, theirs in (("drives_seen", "distinct_serials"), ("drive_days",) * 2):
        assert counts(ALL_DRIVES_MODELS, ours) == counts(golden, theirs)
    assert counts(ALL_DRIVES_MODELS, "failures") == counts(golden, "failures")
