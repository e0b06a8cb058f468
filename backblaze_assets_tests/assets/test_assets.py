"""Assets through Dagster: what they write, what they record, what they refuse, what they keep."""

from datetime import date, timedelta

import dagster as dg
import polars as pl
import pytest
from PIL import Image

from backblaze_assets.errors import DataError
from backblaze_assets.files.stamps import read_origin
from backblaze_assets.film.probe import probe
from backblaze_assets.graph import GRAPH
from backblaze_assets.lineage import step
from backblaze_assets.lineage.building import build_assets
from backblaze_assets.lineage.code_version import code_version
from backblaze_assets.lineage.ledger import PROVENANCE
from backblaze_assets.lineage.status import Status
from backblaze_assets_tests.project import (
    CLOSING,
    END_CARD,
    FIRST,
    LAST,
    TITLE,
    failure,
    write_fleet,
)

Q2, Q3 = date(2013, 4, 1), date(2013, 7, 1)


def test_everything_is_made_for_every_partition(built):
    lineage = built.lineage()
    for asset in GRAPH:
        statuses = {lineage.status(asset, key) for key in lineage.expected(asset)}
        assert statuses == {Status.UP_TO_DATE}, asset
    assert len(lineage.expected("frames")) == (LAST - FIRST).days + 1


def test_the_film_has_a_frame_a_day_between_title_and_end(built):
    video = probe(built.file("movie/movie.mp4"))
    assert video.frames == TITLE + 12 + CLOSING + END_CARD
    assert (video.width, video.height, video.fps) == (1920, 1080, 60)
    assert (video.codec, video.pixel_format, video.faststart) == ("avc1", "yuv420p", True)
    with Image.open(built.file(f"frames/{FIRST}.jpg")) as frame:
        assert frame.size == (1920, 1080)


def test_drive_days_and_failures_are_the_same_everywhere(built):
    raw = pl.concat(
        [
            pl.read_parquet(path, columns=["serial_number", "failure"])
            for quarter in (Q2, Q3)
            for path in built.file(f"raw_quarter/{quarter}").glob("*.parquet")
        ]
    )
    table = pl.read_parquet(built.file(f"afr_table/{Q3}.parquet")).filter(
        pl.col("window") == "lifetime", pl.col("kind") == "model"
    )
    assert table["drive_days"].sum() == raw.height
    assert table["failures"].sum() == raw["failure"].sum() > 0
    drives = pl.read_parquet(built.file(f"drive_lifetimes/{Q3}") / "drives.parquet")
    assert drives.height == raw["serial_number"].n_unique()


def test_every_file_says_where_it_comes_from(built):
    ledger = built.lineage().ledger
    files = {
        ("daily_stats", str(FIRST)): built.file(f"daily_stats/{FIRST}.parquet"),
        ("afr_table", str(Q2)): built.file(f"afr_table/{Q2}.parquet"),
        ("frames", str(LAST)): built.file(f"frames/{LAST}.jpg"),
        ("movie_clip", str(Q3)): built.file(f"movie_clip/{Q3}.mp4"),
        ("movie", None): built.file("movie/movie.mp4"),
        ("film_layout", str(Q2)): built.file(f"film_layout/{Q2}.json"),
    }
    for (asset, partition), path in files.items():
        origin, made = read_origin(path), ledger.get(asset, partition)
        assert (origin.asset, origin.partition) == (asset, partition)
        assert origin.code_version == made.code_version == code_version(asset)
        assert origin.data_version == made.data_version
        assert origin.inputs == made.inputs
    assert set(read_origin(built.file("movie/movie.mp4")).sources) == {"data_2013.zip"}


def test_each_day_has_an_event_of_its_own_with_its_figures(built):
    events = built.instance.fetch_materializations(dg.AssetKey("frames"), limit=100).records
    by_day = {record.partition_key: record.asset_materialization.metadata for record in events}
    assert len(events) == len(by_day) == 12
    assert by_day[str(LAST)]["drives_in_service"].value > 0
    assert "data:image/jpeg;base64" in by_day["2013-06-30"]["picture"].value
    assert "picture" not in by_day[str(LAST)]
    versions = {metadata[PROVENANCE].value["data_version"] for metadata in by_day.values()}
    assert len(versions) == 12


def test_a_zip_that_has_gone_is_named_with_the_way_to_get_it(project):
    """Gone after the definitions were loaded, as a UI does that has been open since."""
    shown = project.data
    assert shown.view.calendar.quarters
    (project.root / "data_2013.zip").unlink()
    now = project.data
    assets = build_assets(shown.view.calendar)
    definitions = dg.Definitions(assets, resources={"data": now}, executor=dg.in_process_executor)
    done = definitions.resolve_implicit_global_asset_job_def().execute_in_process(
        instance=project.instance,
        asset_selection=[dg.AssetKey("raw_quarter")],
        partition_key="2013-04-01",
        raise_on_error=False,
    )
    [failure] = done.filter_events(lambda event: event.is_step_failure)
    said = str(failure.step_failure_data.user_failure_data.description)
    assert "needs data_2013.zip, which is not in" in said
    assert "backblaze-assets download 2013-Q2" in said
    assert str(project.root) in said


def test_a_missing_input_is_named(project):
    assert "daily_stats 2013-06-25 needs raw_quarter" in failure(
        project.run("daily_stats", first=FIRST)
    )


@pytest.mark.slow
def test_a_step_works_while_no_other_of_its_pool_does(project, monkeypatch):
    taken = []
    lock = step.one_at_a_time

    def noted(folder, pool, waits):
        taken.append((folder, pool))
        return lock(folder, pool, waits)

    monkeypatch.setattr(step, "one_at_a_time", noted)
    assert project.run("raw_quarter", first=str(Q2)).success
    assert project.run("daily_stats", first=FIRST).success
    assert taken == [(project.data.locks, "import"), (project.data.locks, "daily_stats")]


@pytest.mark.slow
def test_files_that_a_killed_run_left_are_kept(project):
    project.update("film_layout")
    project.run("frames", first=FIRST, last=LAST)
    folder = project.root / "frames"
    project.file(f"frames/{FIRST}.jpg").unlink()
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    project.instance.wipe_assets([dg.AssetKey("frames")])
    project.run("frames", first=FIRST, last=LAST)
    after = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert set(after) - set(before) == {project.file(f"frames/{FIRST}.jpg")}
    assert {path: after[path] for path in before} == before
    made = project.lineage().ledger.all("frames")
    assert len({record.metadata["drives_in_service"] for record in made.values()}) > 0
    assert set(made) == {str(FIRST + timedelta(days=n)) for n in range(12)}


@pytest.mark.slow
def test_one_more_zip_computes_only_what_depends_on_it(settled):
    project = settled
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
        bring_up_to_date(instance, Data(tmp_path), ["movie"])
