"""How much room is asked for what is still to be made."""

import zipfile

import pytest

from backblaze_assets.graph import GRAPH
from backblaze_assets.lineage.room import AS_PACKED, RECORDS, TYPICAL, needed
from backblaze_assets_tests.project import Q2, Q3, Project

COUNT = {"daily_stats": 12, "frames": 12, "movie": 1, "report": 1, "share": 1}
"""Partitions of the assets that have no two quarters of them."""


def packed(project: Project, *ends: str) -> int:
    """Bytes of what is packed under names with these ends, beside what a Mac has added."""
    with zipfile.ZipFile(project.root / "data_2013.zip") as archive:
        members = [it for it in archive.infolist() if not it.filename.startswith("__MACOSX")]
    return sum(it.compress_size for it in members if it.filename.endswith(ends))


def test_with_nothing_made_everything_takes_what_is_typical(project):
    counts = {asset: COUNT.get(asset, 2) for asset in GRAPH}
    typical = sum(TYPICAL[asset] * count for asset, count in counts.items() if asset in TYPICAL)
    expected = AS_PACKED * packed(project, ".csv") + typical + RECORDS * sum(counts.values())
    assert needed(project.data.view) == pytest.approx(expected, abs=len(GRAPH))


def test_what_is_there_is_not_asked_for_and_serves_as_an_example(project):
    before = needed(project.data.view)
    (project.root / "daily_stats").mkdir()
    for day, size in (("2013-06-25", 500), ("2013-06-26", 1500)):
        (project.root / f"daily_stats/{day}.parquet").write_bytes(bytes(size))
    after = needed(project.data.view)
    # Ten are missing instead of twelve, of 1,000 bytes each.
    assert before - after == 12 * TYPICAL["daily_stats"] - 10 * 1000 + 2 * RECORDS


def test_days_that_are_imported_need_nothing_of_their_zip(project):
    before = needed(project.data.view)
    for quarter, days in ((Q2, range(25, 31)), (Q3, ())):
        (project.root / f"raw_quarter/{quarter}").mkdir(parents=True)
        for day in days:
            (project.root / f"raw_quarter/{quarter}/2013-06-{day}.parquet").write_bytes(b"x")
    # All days of one quarter are there, and so the quarter.
    saved = AS_PACKED * packed(project, *(f"2013-06-{day}.csv" for day in range(25, 31))) + RECORDS
    assert before - needed(project.data.view) == pytest.approx(saved, abs=2)
