"""Damage on the disk, bit by bit."""

import random
from datetime import date
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from backblaze_assets.drive_stats.archive import scan
from backblaze_assets.drive_stats.daily import daily_stats
from backblaze_assets.drive_stats.importer import import_days
from backblaze_assets.drive_stats.parquet import (
    check_columns,
    read_origin,
    verify,
    write_parquet,
)
from backblaze_assets.drive_stats.tally import tally
from backblaze_assets.errors import DataError
from backblaze_assets.files.origin import Origin
from backblaze_assets_tests.drive_stats.zips import csv, row, write_zip

DAY = date(2018, 2, 25)
ORIGIN = Origin("raw_quarter", None, "code")
COLUMNS = ["serial_number", "model", "capacity_bytes", "failure", "smart_9_raw"]


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A day as the importer writes it."""
    folder = tmp_path_factory.mktemp("raw")
    rows = [
        row(f"S{number}", f"M{number % 9}", failure=str(number % 2), smart=f"1,{number},,{number}")
        for number in range(3_000)
    ]
    archive = scan(write_zip(folder / "data_Q1_2018.zip", {DAY: csv(*rows)}))
    import_days(archive, [DAY], folder, ORIGIN)
    return folder / f"{DAY}.parquet"


@pytest.mark.parametrize("where", ["anywhere", "in the columns", "in the footer"])
def test_no_flipped_bit_gives_other_data_without_a_word(raw, tmp_path, where):
    content, good = raw.read_bytes(), pl.read_parquet(raw, columns=COLUMNS)
    chunks = [pq.read_metadata(raw).row_group(0).column(number) for number in range(9)]
    spots = {
        "anywhere": range(len(content)),
        "in the columns": [
            at
            for chunk in chunks
            if chunk.path_in_schema in COLUMNS
            for start in [chunk.dictionary_page_offset or chunk.data_page_offset]
            for at in range(start, start + chunk.total_compressed_size)
        ],
        "in the footer": range(max(c.data_page_offset for c in chunks), len(content)),
    }[where]
    chance = random.Random(where)
    path = tmp_path / f"{DAY}.parquet"
    noticed = 0
    for _ in range(200):
        damaged = bytearray(content)
        damaged[chance.choice(spots)] ^= 1 << chance.randrange(8)
        path.write_bytes(damaged)
        with pytest.raises(DataError, match=r"2018-02-25\.parquet cannot be read: .*damaged; rem"):
            verify(path)
        try:
            check_columns(path, COLUMNS)
        except DataError:
            noticed += 1
        else:
            assert pl.read_parquet(path, columns=COLUMNS).equals(good)
    assert noticed > (190 if where == "in the columns" else 20)


def test_new_work_does_not_start_from_damaged_files(raw, tmp_path):
    content = raw.read_bytes()
    chunk = pq.read_metadata(raw).row_group(0).column(2)
    damaged = bytearray(content)
    damaged[chunk.data_page_offset + chunk.total_compressed_size // 2] ^= 4
    path = tmp_path / raw.name
    path.write_bytes(damaged)
    for work in (lambda: daily_stats(path, DAY), lambda: tally({DAY: path})):
        with pytest.raises(DataError, match=r"column model is not what was written.*remove it"):
            work()


TABLES = {
    "no rows": pa.table({"a": pa.array([], pa.int64()), "b": pa.array([], pa.string())}),
    "odd names": pa.table({"a b": [1], "a": [2], "ä,ö": [3], "": [4]}),
    "from Polars": pl.DataFrame({"d": [DAY], "e": [1.5], "f": [True], "g": ["x"]}).to_arrow(),
    "long": pa.table({"a": pa.array(range(1_200_000), pa.int32())}),
}


@pytest.mark.parametrize("name", TABLES)
def test_a_whole_file_of_any_table_is_found_whole(tmp_path, name):
    path = tmp_path / "x.parquet"
    version = write_parquet(TABLES[name], path, ORIGIN, {"more": "text"})
    check_columns(path, TABLES[name].column_names)
    assert verify(path) == read_origin(path) == ORIGIN.with_data_version(version)
    assert pq.read_table(path).equals(TABLES[name])
    if TABLES[name].num_rows:
        content = bytearray(path.read_bytes())
        content[60] ^= 1
        path.write_bytes(content)
        with pytest.raises(DataError):
            verify(path)


def test_files_of_other_programs_are_read_and_not_verified(tmp_path):
    path = tmp_path / "x.parquet"
    pl.DataFrame({"a": [1]}).write_parquet(path)
    check_columns(path, ["a"])
    with pytest.raises(DataError, match="does not carry its checksums"):
        verify(path)


@pytest.mark.parametrize("content", [b"", b"PAR1", b"PAR1" * 9, b"x" * 100])
def test_what_is_no_parquet_file_is_named(tmp_path, content):
    path = tmp_path / "x.parquet"
    path.write_bytes(content)
    for look in (verify, lambda path: check_columns(path, ["a"])):
        with pytest.raises(DataError, match=r"x\.parquet cannot be read: .*no whole Parquet file"):
            look(path)
