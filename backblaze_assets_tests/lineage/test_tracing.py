"""From a result back to the zips."""

import json
import shutil
from datetime import date

import pytest
from rich.console import Console

from backblaze_assets.drive_stats.archive import sha256
from backblaze_assets.errors import DataError
from backblaze_assets.files.origin import digest
from backblaze_assets.graph import GRAPH, upstream_of
from backblaze_assets.lineage import tracing
from backblaze_assets.lineage.code_version import code_version
from backblaze_assets.lineage.tracing import Trace
from backblaze_assets_tests.project import FIRST, LAST

Q2 = date(2013, 4, 1)


def assets_in(traces: list[Trace]) -> set[str]:
    return {name for node in traces for name in ({node.asset} | assets_in(node.inputs))}


def sources_in(traces: list[Trace]) -> set[tuple[str, str]]:
    return {
        found
        for node in traces
        for found in ({(s.zip, s.sha256) for s in node.sources} | sources_in(node.inputs))
    }


def shown(traces: list[Trace]) -> str:
    console = Console(width=300)
    with console.capture() as capture:
        console.print(tracing.as_tree(traces))
    return capture.get()


def test_the_film_is_traced_to_the_zip(built):
    [film] = tracing.trace(built.lineage(), "movie", [None])
    assert assets_in([film]) == set(upstream_of(["movie"]))
    archive = built.root / "data_2013.zip"
    assert sources_in([film]) == {(archive.name, sha256(archive))}
    assert film.up_to_date
    assert film.code_version == code_version("movie")


def test_a_frame_is_traced_to_its_own_quarter_alone(built):
    [frame] = tracing.trace(built.lineage(), "frames", [str(FIRST)])
    [lifetimes] = [node for node in frame.inputs if node.asset == "drive_lifetimes"]
    assert list(lifetimes.data_versions) == [str(Q2)]


def test_the_tree_names_every_asset_and_the_zip_in_full(built):
    text = shown(tracing.trace(built.lineage(), "movie", [None]))
    assert sha256(built.root / "data_2013.zip") in text
    assert f"frames {FIRST} to {LAST} (12)" in text
    assert "raw_quarter 2013-04-01 to 2013-07-01 (2)" in text
    film = built.lineage().ledger.get("movie", None)
    code, run = film.code_version[:12], film.run_id[:8]
    (line,) = [line for line in text.splitlines() if line.startswith("movie ")]
    assert f"movie  data {film.data_version[:12]}  code {code}  run {run}  20" in line
    assert "out of date" not in text


@pytest.mark.parametrize(
    ("asset", "partition"),
    [
        ("frames", str(LAST)),
        ("movie_clip", str(Q2)),
        ("movie", None),
        ("film_layout", str(Q2)),
        ("report", None),
        ("share", None),
    ],
)
def test_a_file_is_known_wherever_it_is_copied_to(built, tmp_path, asset, partition):
    traced = tracing.trace(built.lineage(), asset, [partition])
    for path in built.lineage().files(built.lineage().ledger.get(asset, partition)):
        copy = shutil.copy(path, tmp_path / f"copy{path.suffix}")
        assert tracing.trace_file(built.lineage(), copy) == traced


def test_a_raw_day_is_known_by_its_quarter(built):
    path = built.file(f"raw_quarter/{Q2}") / f"{FIRST}.parquet"
    [found] = tracing.trace_file(built.lineage(), path)
    assert (found.asset, list(found.data_versions)) == ("raw_quarter", [str(Q2)])
    assert [source.zip for source in found.sources] == ["data_2013.zip"]


def test_a_file_from_elsewhere_speaks_for_itself(built, project):
    [found] = tracing.trace_file(project.lineage(), built.file("movie/movie.mp4"))
    assert (found.asset, found.made, found.runs) == ("movie", "", [])
    assert [source.zip for source in found.sources] == ["data_2013.zip"]
    assert set(found.stated) == {*GRAPH["movie"].reads, "film style"}
    assert "made elsewhere" in shown([found])


def test_a_file_of_others_is_refused(built, tmp_path):
    (tmp_path / "holiday.txt").write_text("sun", encoding="utf-8")
    with pytest.raises(DataError, match=r"holiday\.txt is not a file of this project"):
        tracing.trace_file(built.lineage(), tmp_path / "holiday.txt")
    with pytest.raises(DataError, match="is not there"):
        tracing.trace_file(built.lineage(), tmp_path / "nothing.mp4")
    with pytest.raises(DataError, match="is a folder"):
        tracing.trace_file(built.lineage(), built.file(f"raw_quarter/{Q2}"))


def test_subtitles_that_no_record_knows_are_refused_with_what_to_do(built, tmp_path):
    path = tmp_path / "other.srt"
    path.write_text("1\n00:00:00,000 --> 00:00:01,000\nnothing of ours\n", encoding="utf-8")
    with pytest.raises(DataError, match="Give with --data the folder where they were made"):
        tracing.trace_file(built.lineage(), path)


# Source


def test_the_source_that_is_kept_is_that_of_the_code_version(built, monkeypatch):
    made = built.lineage().ledger.get("frames", str(FIRST))
    installed = tracing.source_of(built.root, "frames", made.code_version)
    assert "class Renderer" in installed["film/render.py"].decode()
    assert not any(name.startswith(("lineage", "cli")) for name in installed)
    monkeypatch.setattr(tracing, "code_version", lambda _: "newer code")
    assert tracing.source_of(built.root, "frames", made.code_version) == installed
    parts = [part for name in sorted(installed) for part in (name, installed[name])]
    assert digest(parts) == made.code_version


def test_source_that_is_nowhere_is_said(project):
    with pytest.raises(DataError, match="The source of code aaaaaaaaaaaa of frames is not kept"):
        tracing.source_of(project.root, "frames", "a" * 32)


def test_source_is_text_and_data_are_told_of_by_their_size(built):
    version = code_version("frames")
    source = tracing.source_of(built.root, "frames", version)
    text = tracing.source_text("frames", version, source, "tree")
    assert version in text
    assert "\n# film/render.py\n" in text
    (font, *_) = [name for name in source if name.endswith(".ttf")]
    assert f"\n# {font}\n# {len(source[font]):,} bytes of data" in text
    told = json.loads(tracing.source_text("frames", version, source, "json"))
    assert (told["source"][font], told["code_version"]) == (None, version)
    assert told["source"]["film/render.py"] == source["film/render.py"].decode()
