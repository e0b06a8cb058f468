"""What the UI is told of results: figures counted in the files, by other means than the assets'."""

from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
import pytest

from backblaze_assets.assets import afr_table, report, survival
from backblaze_assets.drive_stats.survival import SURVIVAL_SCHEMA
from backblaze_assets.files.origin import Origin
from backblaze_assets.lineage.parts import Part
from backblaze_assets_tests.drive_stats.tables import afr_rows
from backblaze_assets_tests.project import FIRST, LAST, Q2, Q3, Project

RAW = ["date", "serial_number", "model", "capacity_bytes", "failure"]


def told(project: Project, asset: str, key: str | None = None) -> dict[str, Any]:
    """The metadata of the newest materialization."""
    wanted = dg.AssetRecordsFilter(dg.AssetKey(asset), asset_partitions=[key] if key else None)
    (record,) = project.instance.fetch_materializations(wanted, limit=1).records
    assert record.asset_materialization is not None
    return {
        name: it if isinstance(it, dg.TableMetadataValue) else it.value
        for name, it in record.asset_materialization.metadata.items()
    }


def rows(table: dg.TableMetadataValue) -> list[dict[str, Any]]:
    """The rows of a table in the UI."""
    return [dict(record.data) for record in table.records]


@pytest.fixture(scope="module")
def raw(built: Project) -> pl.DataFrame:
    """All imported rows."""
    return pl.concat(
        pl.read_parquet(path, columns=RAW)
        for path in sorted(built.root.glob("raw_quarter/*/*.parquet"))
    )


def test_of_an_imported_quarter(built, raw):
    shown = told(built, "raw_quarter", Q3)
    of_quarter = raw.filter(pl.col("date") >= date.fromisoformat(Q3))
    last = of_quarter.filter(date=LAST)
    days = list(of_quarter.group_by("date", maintain_order=True).len().iter_rows())
    assert shown["dagster/row_count"] == shown["rows_in"] == of_quarter.height
    assert (shown["days"], shown["first_day"], shown["last_day"]) == (len(days), Q3, str(LAST))
    assert (shown["drives_last_day"], shown["failures"]) == (
        last.height,
        of_quarter["failure"].sum(),
    )
    assert (shown["rows_set_aside"], shown["days_without_report"], shown["days_reused"]) == (0,) * 3
    assert shown["rows_per_second"] == pytest.approx(of_quarter.height / shown["seconds"], rel=0.2)
    columns = pl.read_parquet_schema(built.file(f"raw_quarter/{Q3}/{Q3}.parquet"))
    assert shown["columns"] == len(columns)
    assert (shown["synthetic"], shown["left_out"], shown["unreadable_days"]) == (True, [], {})
    assert shown["source_bytes"] == built.file("data_2013.zip").stat().st_size
    assert shown["bytes"] == size(built.file(f"raw_quarter/{Q3}"), "*.parquet")
    listed = [(row["day"], row["rows"], row["drives"]) for row in rows(shown["days_to_look_at"])]
    assert listed == [(str(day), count, count) for day, count in days[:3] + days[-3:]]


def size(folder: Path, pattern: str) -> int:
    return sum(path.stat().st_size for path in folder.glob(pattern))


def test_of_a_day(built, raw):
    shown, of_day = told(built, "daily_stats", str(LAST)), raw.filter(date=LAST)
    figures = shown["drives"], shown["failures"], shown["dagster/row_count"]
    assert figures == (of_day.height, of_day["failure"].sum(), of_day["model"].n_unique())
    assert shown["capacity_pb"] == pytest.approx(of_day["capacity_bytes"].sum() / 1e15, abs=5e-4)
    assert shown["reported"] is True


def test_of_the_drives_of_a_quarter(built, raw):
    shown = told(built, "drive_lifetimes", Q3)
    drives = raw.group_by("serial_number").agg(
        pl.col("date").min().alias("first"),
        pl.col("date").max().alias("last"),
        pl.col("model").last(),
        pl.col("failure").max(),
    )
    there = drives.filter(last=LAST, failure=0)
    assert shown["dagster/row_count"] == drives.height
    assert shown["drives_in_service"] == there.height
    new = drives.filter(pl.col("first") >= date.fromisoformat(Q3)).height
    assert (shown["drives_new"], shown["models"]) == (new, drives["model"].n_unique())
    assert shown["drives_failed"] == shown["failures"] == raw["failure"].sum() > 0
    assert (shown["drive_days"], shown["partial_days"]) == (raw.height, 0)
    largest = [(row["model"], row["drives in service"]) for row in rows(shown["largest_models"])]
    counted = dict(there.group_by("model").len().iter_rows())
    assert largest == sorted(counted.items(), key=lambda it: (-it[1], it[0]))[:10]


def part(asset: str, key: str | None) -> Part:
    """A partition of a project with a viewer, so that no picture is drawn."""
    path = Path("data", asset, f"{key or asset}.x")
    return Part(key, path, Origin(asset, key, "code"), {}, "http://127.0.0.1:3999")


def test_of_the_rates():
    """Those of published models, the ones with most drive days first."""
    rates = afr_rows(
        [
            {"window": window, "model": model, "drive_days": days, "failures": failures}
            | {"afr": 36_500 * failures / days, "afr_low": 1.234, "afr_high": 2.5}
            | {"drives_end": 70, "capacity_tb": tb, "mean_age_months": 12.34, "status": status}
            for window, times in (("quarter", 1), ("lifetime", 3))
            for model, days, failures, tb, status in (
                ("A", 1000 * times, 2 * times, 4.0, "published"),
                ("B", 9000 * times, 1 * times, None, "published"),
                ("C", 7, 7, 4.0, "few drives"),
            )
        ]
    )
    shown = afr_table.metadata(part("afr_table", Q3), rates)
    assert set(list(shown)[:4]) == {"picture", "quarter_afr", "lifetime_afr", "rates"}
    assert shown["dagster/row_count"] == rates.height
    assert (shown["quarter_failures"], shown["lifetime_failures"]) == (3, 9)
    assert (shown["quarter_drive_days"], shown["lifetime_drive_days"]) == (10_000, 30_000)
    assert shown["quarter_afr"] == shown["lifetime_afr"] == 10.95  # 3 x 36,500 / 10,000
    both = {"maker": "HGST", "drives": 70, "95 % interval": "1.23 - 2.50", "age, months": 12.3}
    assert rows(shown["rates"]) == [
        {**both, "model": "B", "TB": "", "drive days": 9000, "failures": 1, "AFR %": 4.06},
        {**both, "model": "A", "TB": 4.0, "drive days": 1000, "failures": 2, "AFR %": 73.0},
    ]
    none = afr_table.metadata(part("afr_table", Q3), rates.filter(status="few drives"))
    assert list(none) == ["picture", "dagster/row_count"]


def test_of_survival():
    """The fleet and the largest models at three years, where enough drives are followed."""
    at_three = {"age_years": 3.0, "supported": True, "followed": 50, "start_hours": 8766}
    at_three |= {"survival": 0.91234, "failed": 0.05, "removed": 0.03766}
    given = [
        {**at_three, "kind": "all", "group": "all", "failed": 0.06},
        {**at_three, "kind": "model", "group": "A", "start_hours": None},
        {**at_three, "kind": "model", "group": "B", "followed": 90}
        | {"survival_low": 0.9, "survival_high": 0.92346},
        {**at_three, "kind": "model", "group": "C", "supported": False},
        {**at_three, "kind": "model", "group": "D", "age_years": 2.0},
    ]
    curves = pl.DataFrame(
        [{name: row.get(name) for name in SURVIVAL_SCHEMA} for row in given], SURVIVAL_SCHEMA
    )
    shown = survival.metadata(part("survival", Q3), curves)
    assert list(shown)[:3] == ["picture", "fleet_failed_within_3_years", "models"]
    assert (shown["groups"], shown["dagster/row_count"]) == (5, 5)
    assert shown["fleet_failed_within_3_years"] == 0.06
    both = {"survive %": 91.23, "failed %": 5.0, "removed %": 3.77}
    assert rows(shown["models"]) == [
        {**both, "model": "B", "followed at 3 years": 90, "from year": 1.0}
        | {"95 % interval": "90.00 - 92.35"},
        {**both, "model": "A", "followed at 3 years": 50, "from year": 0.0, "95 % interval": ""},
    ]
    young = survival.metadata(part("survival", Q3), curves.filter(age_years=2.0))
    assert list(young) == ["picture", "groups", "dagster/row_count"]


def test_of_frames(built, raw):
    shown, of_day = told(built, "frames", str(LAST)), raw.filter(date=LAST)
    assert shown["bytes"] == built.file(f"frames/{LAST}.jpg").stat().st_size
    assert shown["drives_in_service"] == of_day.height - of_day["failure"].sum()
    assert shown["drives_failed"] == raw["failure"].sum()
    assert shown["capacity_pb"] == pytest.approx(
        of_day.filter(failure=0)["capacity_bytes"].sum() / 1e15, abs=5e-4
    )


def test_of_a_clip(built):
    shown, path = told(built, "movie_clip", Q2), built.file(f"movie_clip/{Q2}.mp4")
    days = (date(2013, 6, 30) - FIRST).days + 1
    assert (shown["frames"], shown["size"]) == (days, "1920 x 1080")
    assert shown["film_seconds"] == pytest.approx(days / 60, abs=5e-4)
    assert shown["bytes"] == path.stat().st_size


def test_of_the_film(built):
    shown = told(built, "movie")
    first = ["poster", "path", "first_day", "last_day", "film_seconds", "megabytes", "frames"]
    assert list(shown)[: len(first)] == first
    assert (shown["first_day"], shown["last_day"]) == (str(FIRST), str(LAST))
    assert shown["film_seconds"] == pytest.approx(shown["frames"] / 60, abs=5e-4)
    assert shown["size"] == "1920 x 1080"
    megabytes = built.file("movie/movie.mp4").stat().st_size / 1e6
    assert shown["megabytes"] == pytest.approx(megabytes, abs=0.05)
    assert list(shown["zips"]) == ["data_2013.zip"]


def test_of_report_and_share(built):
    page, share = told(built, "report"), told(built, "share")
    assert page["kilobytes"] == pytest.approx(
        built.file("report/report.html").stat().st_size / 1e3, abs=0.05
    )
    table = pl.read_parquet(built.file(f"afr_table/{Q3}.parquet"))
    models = table.filter(kind="model", window="lifetime").height
    assert (page["newest_quarter"], page["models"]) == (Q3, models)
    for path in built.file("share/film").iterdir():
        kilobytes = share[f"{path.name}_kilobytes"]
        assert kilobytes == round(path.stat().st_size / 1e3, 1)


def test_of_a_report_beside_a_viewer():
    shown = report.metadata(part("report", None), report.Report(1234, Q3, 4))
    assert shown["open"].value == "http://127.0.0.1:3999/report"
    assert shown["kilobytes"] == 1.2
