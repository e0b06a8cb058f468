"""Figures of single days."""

import hashlib
from datetime import date

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from backblaze_assets.drive_stats.daily import (
    DAILY_SCHEMA,
    DailyReport,
    daily_stats,
    write_daily_stats,
)
from backblaze_assets.drive_stats.parquet import read_extra
from backblaze_assets.files.origin import KEY, Origin
from backblaze_assets_tests.drive_stats.raw import Row, days_from, made_up_fleet, write_days

DAY = date(2013, 4, 10)


def origins(days):
    return {day: Origin("daily_stats", str(day), "code") for day in days}


def test_a_day_is_counted_by_cleaned_model(tmp_path):
    size = 14_000_519_643_136
    paths = write_days(
        tmp_path,
        {
            DAY: [
                Row("a", "WDC  WUH721414ALE6L4", size),
                Row("b", "WDC WUH721414ALE6L4", size, failure=1),
                Row("c", "WDC WUH721414ALE6L4", -1),
                Row("d", "WDC WUH721414ALE6L4", -1),
                Row("e", "WDC WUH721414ALE6L4", -1),
                Row("f", "DELLBOSS VD", -1),
            ]
        },
    )
    stats = daily_stats(paths[DAY], DAY)
    assert stats.schema == DAILY_SCHEMA
    assert stats.rows() == [
        (DAY, "Dell", "DELLBOSS VD", True, 1, 0, None),
        (DAY, "WDC", "WDC WUH721414ALE6L4", False, 5, 1, size),
    ]


@pytest.mark.parametrize("file", ["missing", "empty"])
def test_a_day_without_a_report_has_no_rows(tmp_path, file):
    path = write_days(tmp_path, {DAY: []})[DAY] if file == "empty" else None
    stats = daily_stats(path, DAY)
    assert stats.schema == DAILY_SCHEMA
    assert stats.height == 0


@pytest.mark.slow
def test_a_range_is_written_as_its_days_are_one_by_one(tmp_path):
    rows = made_up_fleet(3, DAY, 150, 20)
    missing, empty = DAY.replace(day=20), DAY.replace(day=21)
    rows[empty] = []
    paths = {**write_days(tmp_path / "raw", rows), missing: None}
    reports = write_daily_stats(
        paths, lambda day: tmp_path / "out" / f"{day}.parquet", origins(paths)
    )
    assert list(reports) == days_from(DAY, 150)
    for day, report in reports.items():
        path = tmp_path / "out" / f"{day}.parquet"
        written = pl.read_parquet(path)
        assert_frame_equal(written, daily_stats(paths[day], day))
        assert report == DailyReport(
            data_version=report.data_version,
            drives=len(rows[day]) if day != missing else 0,
            failures=sum(row.failure for row in rows[day]) if day != missing else 0,
            models=written["model"].n_unique(),
            capacity_bytes_total=sum(
                drives * (size or 0) for drives, size in written["drives", "capacity_bytes"].rows()
            ),
            reported=day not in {missing, empty} and len(rows[day]) > 0,
            bytes=path.stat().st_size,
        )
        origin = Origin.from_json(read_extra(path)[KEY])
        assert (origin.partition, origin.data_version) == (str(day), report.data_version)


def test_equal_content_has_equal_versions(tmp_path):
    paths = write_days(tmp_path, {DAY: ["a", "b"], DAY.replace(day=11): ["a", "b"]})
    target = (tmp_path / "out.parquet").joinpath
    first, second = (
        write_daily_stats({DAY: paths[DAY]}, lambda _: target(), origins([DAY]))[DAY]
        for _ in range(2)
    )
    assert first == second
    turned = write_days(tmp_path, {DAY: ["b", "a"]})
    assert write_daily_stats(turned, lambda _: target(), origins([DAY]))[DAY] == first


def test_figures_stay_the_same_to_the_byte(tmp_path):
    """Change the digest only together with a rule of the data, never for speed."""
    paths = write_days(tmp_path, made_up_fleet(42, DAY, 80, 100))
    content = "".join(daily_stats(path, day).write_csv() for day, path in paths.items())
    digest = hashlib.blake2b(content.encode(), digest_size=8).hexdigest()
    assert digest == "d6073a6e70199006"


def test_capacities_that_no_drive_can_have_shape_no_result(tmp_path):
    rows = [
        *(Row(f"a{n}", "A", 600_332_565_813_390_450) for n in range(5)),
        Row("a9", "A", 4_000_787_030_016),
        *(Row(f"b{n}", "B", 2**62) for n in range(5)),
        *(Row(f"c{n}", "C", 100 * 10**12) for n in range(5)),
    ]
    paths = write_days(tmp_path, {DAY: rows})
    stats = daily_stats(paths[DAY], DAY)
    assert dict(stats.select("model", "capacity_bytes").iter_rows()) == {
        "A": 4_000_787_030_016,
        "B": None,
        "C": 100 * 10**12,
    }


def test_the_capacity_of_a_large_fleet_does_not_overflow(tmp_path, monkeypatch):
    stats = pl.DataFrame(
        [(DAY, "Seagate", "A", False, 200_000, 0, 90 * 10**12)], schema=DAILY_SCHEMA, orient="row"
    )
    monkeypatch.setattr("backblaze_assets.drive_stats.daily._stats", lambda _: {DAY: stats})
    paths = write_days(tmp_path, {DAY: ["a"]})
    report = write_daily_stats(paths, lambda _: tmp_path / "out.parquet", origins([DAY]))[DAY]
    assert report.capacity_bytes_total == 200_000 * 90 * 10**12 > 2**63
