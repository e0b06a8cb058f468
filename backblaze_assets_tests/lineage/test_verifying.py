"""Damage of results is noticed, named, and made anew by the next run."""

import shutil

import pytest

from backblaze_assets.errors import DataError
from backblaze_assets.lineage.verifying import damaged, result_at
from backblaze_assets_tests.bit_flips import READERS, flip_bits
from backblaze_assets_tests.conftest import FIRST, LAST
from backblaze_assets_tests.kills import contents

Q2, Q3 = "2013-04-01", "2013-07-01"
KINDS = 13
"""Kinds of files that there are: Parquet of five assets, layouts, frames, clips, film, page, ..."""


def flip(path, byte=-2000):
    """Turn over one bit of a file, by default of one near its end."""
    content = bytearray(path.read_bytes())
    content[max(byte, -len(content) // 2)] ^= 4
    path.write_bytes(content)


def test_no_flipped_bit_goes_unnoticed(settled):
    found = flip_bits(settled.lineage(), 3 * KINDS, seed=7)
    assert set(found.flips.values()) == {3}
    assert set(found.flips) > set(READERS)
    assert (found.unnoticed.total(), found.silent.total()) == (0, 0), found.where


@pytest.mark.slow
def test_no_flipped_bit_of_a_hundred_goes_unnoticed(settled):
    found = flip_bits(settled.lineage(), 10 * KINDS, seed=1)
    assert (found.unnoticed.total(), found.silent.total()) == (0, 0), found.where
    assert found.refused.total() > 0.9 * sum(found.flips[kind] for kind in READERS)


def test_what_is_whole_is_whole(built):
    count, found = damaged(built.lineage())
    assert found == []
    days = (LAST - FIRST).days + 1
    # Raw, counts and frames of each day; of two quarters five tables, rates, survival, layout,
    # clip; film and its subtitles; page; four to share.
    assert count == 3 * days + 2 * 9 + 2 + 1 + 4


@pytest.mark.slow
def test_damaged_results_are_named_and_made_anew_once_removed(settled):
    before = contents(settled.root)
    names = [
        f"raw_quarter/{Q2}/{FIRST}.parquet",
        f"daily_stats/{LAST}.parquet",
        f"drive_lifetimes/{Q2}/drives.parquet",
        "report/report.html",
        f"film_layout/{Q3}.json",
        f"frames/{FIRST}.jpg",
        f"movie_clip/{Q3}.mp4",
        "share/film/loop.gif",
    ]
    for name in names:
        flip(settled.file(name))
    _, found = damaged(settled.lineage())
    assert {it.result.path for it in found} == {settled.file(name) for name in names}
    for damage in found:
        assert "makes it anew" in str(damage)
        assert damage.can_be_made
        damage.remove(settled.data.folder)
    made = {ran.asset for ran in settled.update()}
    assert made == {name.partition("/")[0] for name in names}
    after = contents(settled.root)
    assert after.keys() == before.keys()
    changed = {path for path, content in after.items() if content != before[path]}
    assert not changed
    assert damaged(settled.lineage())[1] == []


def test_what_cannot_be_made_anew_is_said_and_kept(settled):
    (settled.root / "data_2013.zip").unlink()
    path = settled.file(f"raw_quarter/{Q2}/{FIRST}.parquet")
    flip(path)
    ((damage,),) = damaged(settled.lineage())[1:]
    assert not damage.can_be_made
    assert "backblaze-assets download 2013-Q2" in str(damage)


def test_a_whole_file_in_the_place_of_another_is_damage(settled):
    shutil.copyfile(settled.file(f"frames/{FIRST}.jpg"), settled.file(f"frames/{LAST}.jpg"))
    ((damage,),) = damaged(settled.lineage())[1:]
    assert damage.reason == f"it is another file, frames {FIRST}"


def test_subtitles_and_rows_set_aside_are_looked_at_by_their_digest(settled):
    settled.file("movie/movie.srt").write_text("1\n", encoding="utf-8")
    ((damage,),) = damaged(settled.lineage())[1:]
    assert damage.result.path.name == "movie.srt"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "made_from_it"),
    [
        (f"daily_stats/{FIRST}.parquet", f"afr_table/{Q2}.parquet"),
        (f"drive_lifetimes/{Q2}/days.parquet", f"survival/{Q2}.parquet"),
    ],
)
def test_what_new_work_finds_damaged_is_removed_and_the_next_run_makes_it_anew(
    settled, name, made_from_it
):
    before = contents(settled.root)
    asset = made_from_it.partition("/")[0]
    settled.file(made_from_it).unlink()
    flip(settled.file(name), byte=-3000)
    with pytest.raises(DataError, match=f"{name} was damaged: its .* It is removed") as error:
        settled.update(asset)
    assert "makes " + name.partition("/")[0] in str(error.value)
    settled.update()
    assert contents(settled.root) == before


def test_a_path_elsewhere_is_no_result(built, tmp_path):
    lineage = built.lineage()
    assert result_at(lineage, tmp_path / "x.parquet") is None
    assert result_at(lineage, built.root / "data_2013.zip") is None
    found = result_at(lineage, built.file(f"drive_lifetimes/{Q3}/days.parquet"))
    assert (found.asset, found.key) == ("drive_lifetimes", Q3)


def test_what_can_be_made_has_its_zip_or_all_that_it_is_made_from(settled):
    settled.file("data_2013.zip").unlink()
    assert settled.lineage().can_be_made("daily_stats", str(FIRST))
    shutil.rmtree(settled.file("raw_quarter"))
    lineage = settled.lineage()
    assert not lineage.can_be_made("raw_quarter", Q2)
    assert not lineage.can_be_made("daily_stats", str(FIRST))
    assert lineage.can_be_made("frames", str(FIRST))


def test_where_there_is_a_zip_everything_can_be_made(project):
    assert project.lineage().can_be_made("frames", str(FIRST))
