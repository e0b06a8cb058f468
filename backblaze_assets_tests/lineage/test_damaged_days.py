"""A day of a zip that cannot be read: what it costs, and what happens when the zip is mended."""

import os
import zipfile
from datetime import date
from pathlib import Path

import pytest

from backblaze_assets.errors import DataError
from backblaze_assets.lineage.status import UNREADABLE_DAYS, Status
from backblaze_assets_tests.conftest import Project

Q2, BAD = "2013-04-01", "2013-06-28"


def damage(zip_path: Path, day: str) -> None:
    """Overwrite part of a day's packed bytes; the zip's directory stays as it is."""
    with zipfile.ZipFile(zip_path) as file:
        (member,) = (it for it in file.infolist() if it.filename.endswith(f"/{day}.csv"))
    content = bytearray(zip_path.read_bytes())
    begin = member.header_offset + 30 + len(member.filename)
    middle = begin + member.compress_size // 2
    content[middle : middle + 40] = bytes(40)
    zip_path.write_bytes(content)


@pytest.mark.slow
def test_a_bad_day_costs_itself_and_is_read_once_the_zip_is_mended(project: Project):
    zip_path = project.root / "data_2013.zip"
    whole = zip_path.read_bytes()
    damage(zip_path, BAD)
    for _ in range(2):  # said again, though nothing is done again
        with pytest.raises(DataError, match=rf"days_readable: .*{BAD}\.csv"):
            project.update("afr_table")
    lineage = project.lineage()
    imported = lineage.ledger.get("raw_quarter", Q2)
    assert list(imported.metadata[UNREADABLE_DAYS]) == [BAD]
    assert not project.file(f"raw_quarter/{Q2}/{BAD}.parquet").exists()
    for asset in ("raw_quarter", "daily_stats", "drive_lifetimes", "afr_table"):
        statuses = {lineage.status(asset, key) for key in lineage.expected(asset)}
        assert statuses == {Status.UP_TO_DATE}, asset
    assert lineage.ledger.get("daily_stats", BAD).metadata["reported"] is False

    # The whole zip lists the same checksums as the damaged one; only its time tells.
    zip_path.write_bytes(whole)
    later = zip_path.stat().st_mtime + 10
    os.utime(zip_path, (later, later))
    days = [ran.partitions for ran in project.update("afr_table") if ran.asset == "daily_stats"]
    assert days == [1]
    lineage = project.lineage()
    imported = lineage.ledger.get("raw_quarter", Q2)
    assert imported.metadata[UNREADABLE_DAYS] == {}
    assert imported.metadata["days_reused"] == (date(2013, 6, 30) - date(2013, 6, 25)).days
    assert project.file(f"raw_quarter/{Q2}/{BAD}.parquet").exists()
    assert project.update("afr_table") == []
