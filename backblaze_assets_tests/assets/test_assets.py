"""Assets through Dagster: what they write, what they record, what they refuse, what they keep."""

from datetime import date

import dagster as dg
import polars as pl
import pytest
from backblaze_assets.lineage.rules import RULES, Status
from PIL import Image

from backblaze_assets.errors import DataError
from backblaze_assets.files.stamps import read_origin
from backblaze_assets.film.probe import probe
from backblaze_assets.lineage.ledger import PROVENANCE
from backblaze_assets_tests.conftest import FIRST, LAST, write_fleet

Q2, Q3 = date(2013, 4, 1), date(2013, 7, 1)


def test_everything_is_made_for_every_partition(built):
    lineage = built.lineage()
    for asset in RULES:
        statuses = {lineage.status(asset, key) for key in lineage.expected(asset)}
        assert statuses == {Status.UP_TO_DATE}, asset
    assert len(lineage.expected("frames")) == (LAST - FIRST).days + 1


def test_the_film_has_a_frame_a_day_and_closing_frames(built):
    video = probe(built.folder.movie)
    assert video.frames == 12 + 60
    assert (video.width, video.height, video.fps) == (1920, 1080, 60)
    assert (video.codec, video.pixel_format, video.faststart) == ("avc1", "yuv420p", True)
    with Image.open(built.folder.frame(FIRST)) as frame:
        assert frame.size == (1920, 1080)


def test_drive_days_and_failures_are_the_same_everywhere(built):
    raw = pl.concat(
        [
            pl.read_parquet(path, columns=["serial_number", "failure"])
            for quarter in (Q2, Q3)
            for path in built.folder.raw_quarter(quarter).glob("*.parquet")
        ]
    )
    table = pl.read_parquet(built.folder.afr_table(Q3)).filter(pl.col("window") == "lifetime")
    assert table["drive_days"].sum() == raw.height
    assert table["failures"].sum() == raw["failure"].sum() > 0
    drives = pl.read_parquet(built.folder.drive_lifetimes(Q3) / "drives.parquet")
    assert drives.height == raw["serial_number"].n_unique()


def test_every_file_says_where_it_comes_from(built):
    folder, ledger = built.folder, built.lineage().ledger
    files = {
        ("daily_stats", str(FIRST)): folder.daily_stats(FIRST),
        ("afr_table", str(Q2)): folder.afr_table(Q2),
        ("frames", str(LAST)): folder.frame(LAST),
        ("movie_clip", str(Q3)): folder.movie_clip(Q3),
        ("movie", None): folder.movie,
        ("film_layout", None): folder.film_layout,
    }
    for (asset, partition), path in files.items():
        origin, made = read_origin(path), ledger.get(asset, partition)
        assert (origin.asset, origin.partition) == (asset, partition)
        assert origin.code_version == made.code_version == RULES[asset].code_version
        assert origin.data_version == made.data_version
        assert origin.inputs == made.inputs
    assert set(read_origin(folder.movie).sources) == {"data_2013.zip"}


def test_each_day_has_an_event_of_its_own_with_its_figures(built):
    events = built.instance.fetch_materializations(dg.AssetKey("frames"), limit=100).records
    by_day = {record.partition_key: record.asset_materialization.metadata for record in events}
    assert len(events) == len(by_day) == 12
    assert by_day[str(LAST)]["drives_in_service"].value > 0
    assert "data:image/jpeg;base64" in by_day["2013-06-30"]["preview"].value
    assert "preview" not in by_day[str(LAST)]
    versions = {metadata[PROVENANCE].value["data_version"] for metadata in by_day.values()}
    assert len(versions) == 12


def test_a_missing_zip_is_named_with_the_way_to_get_it(project):
    with pytest.raises(dg.Failure, match=r"data_Q1_2016\.zip") as failure:
        project.materialize("raw_quarter", "2016-01-01")
    assert "backblaze-assets download 2016-Q1" in failure.value.description
    assert str(project.root) in failure.value.description


def test_a_missing_input_is_named(project):
    with pytest.raises(dg.Failure, match=r"daily_stats 2013-06-25 needs raw_quarter"):
        project.materialize("daily_stats", "2013-06-25")


def test_days_outside_of_the_zip_are_refused(project):
    project.update("raw_quarter")
    with pytest.raises(dg.Failure, match="from 2013-07-01 to 2013-07-06"):
        project.materialize("daily_stats", "2013-07-30", "2013-07-31")
    assert not project.folder.daily_stats(date(2013, 7, 30)).exists()


def test_a_reversed_range_is_refused(project):
    project.update("raw_quarter")
    with pytest.raises(dg.Failure, match="reversed"):
        project.materialize("daily_stats", "2013-06-27", "2013-06-25")


def test_files_that_a_killed_run_left_are_kept(project):
    project.update("film_layout")
    project.materialize("frames", str(FIRST), str(LAST))
    folder = project.root / "frames"
    project.folder.frame(FIRST).unlink()
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    project.instance.wipe_assets([dg.AssetKey("frames")])
    project.materialize("frames", str(FIRST), str(LAST))
    after = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert set(after) - set(before) == {project.folder.frame(FIRST)}
    assert {path: after[path] for path in before} == before
    made = project.lineage().ledger.all("frames")
    assert len({record.metadata["drives_in_service"] for record in made.values()}) > 0
    assert set(made) == {
        str(day) for day in project.lineage().days(Q2) + project.lineage().days(Q3)
    }


def test_a_second_update_runs_nothing(project):
    assert project.update()
    assert project.update() == []


def test_one_more_zip_computes_only_what_depends_on_it(project):
    project.update()
    frames = {path: path.stat().st_mtime_ns for path in (project.root / "frames").iterdir()}
    write_fleet(project.root, FIRST, date(2014, 1, 3))
    (project.root / "data_2013.zip").unlink()  # it was imported, and stays so
    ran = {(run.asset, run.partitions) for run in project.update()}
    assert ran >= {("raw_quarter", 1), ("daily_stats", 3), ("frames", 3), ("movie", 1)}
    assert {path: path.stat().st_mtime_ns for path in frames} == frames


def test_nothing_to_work_from_is_said(tmp_path):
    from backblaze_assets.cli.update import bring_up_to_date
    from backblaze_assets.resources import Data

    with (
        dg.DagsterInstance.ephemeral() as instance,
        pytest.raises(DataError, match="There are no zips in"),
    ):
        bring_up_to_date(instance, Data(root=str(tmp_path)), ["movie"])


@pytest.mark.parametrize(
    ("asset", "first", "last"),
    [("raw_quarter", "2013-04-01", "2014-04-01"), ("daily_stats", "2013-06-25", "2013-07-31")],
)
def test_a_range_that_reaches_beyond_the_data_is_refused_with_the_one_to_ask_for(
    project, asset, first, last
):
    """Dagster would record what is passed over as materialized."""
    project.update("raw_quarter")
    known = project.lineage().expected(asset)
    with pytest.raises(dg.Failure, match=f"data of {known[0]} to {known[-1]}: ask for that"):
        project.materialize(asset, first, last)
    assert set(project.lineage().ledger.all("daily_stats")) == set()
