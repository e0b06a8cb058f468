import pyarrow as pa
import pytest

from backblaze_assets.drive_stats import schema
from backblaze_assets.errors import DataError
from backblaze_assets_tests.real_data import HEADERS

NEEDED = "date,serial_number,model,capacity_bytes,failure"


def test_every_column_of_every_era_is_known():
    widths = []
    for path in HEADERS:
        names = schema.column_names(path.read_text(encoding="utf-8").strip(), path.name)
        assert schema.unknown_columns(names) == []
        widths.append(len(names))
    assert widths == [85, 95, 105, 109, 129, 131, 149, 169, 179, 186, 193, 197]


def test_types():
    assert schema.column_type("date") == pa.date32()
    assert schema.column_type("failure") == pa.int8()
    assert schema.column_type("capacity_bytes") == pa.int64()
    assert schema.column_type("smart_9_normalized") == pa.int16()
    assert schema.column_type("smart_999_raw") == pa.int64()
    for text in ("serial_number", "vault_id", "is_legacy_format", "moon_phase", "smart_9"):
        assert schema.column_type(text) == pa.string()


def test_new_columns_are_let_through_and_named():
    names = schema.column_names(f"{NEEDED},smart_9_raw,smart_999_raw,moon_phase", "x.csv")
    assert schema.unknown_columns(names) == ["smart_999_raw", "moon_phase"]


def test_the_misspelt_columns_get_their_right_name():
    names = schema.column_names(f"{NEEDED},smart_211_normailized,smart_211_raw", "x.csv")
    assert names[-2:] == ["smart_211_normalized", "smart_211_raw"]


def test_a_missing_column_is_named_with_its_file():
    with pytest.raises(DataError, match=r"data\.zip: x\.csv, line 1: no column model, failure"):
        schema.column_names("date,serial_number,capacity_bytes", "data.zip: x.csv")


def test_a_column_named_twice_is_an_error():
    with pytest.raises(DataError, match="more than one column smart_9_raw"):
        schema.column_names(f"{NEEDED},smart_9_raw,smart_9_raw", "x.csv")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "no header"),
        (b"\n\ndate,serial_number", "Remove blank lines before it"),
        (bytes(300), "only zero bytes"),
        (b"<!DOCTYPE html><html>", "a web page"),
        (b'[{"date":"2018-02-25"}]', "JSON"),
        (b'{"date":"2018-02-25"}', "JSON"),
        (b"PK\x03\x04\x14", "a zip or an Excel workbook"),
        (b"PAR1\x15\x04", "Parquet"),
        (b"\x1f\x8b\x08", "gzipped"),
        (b"7z\xbc\xaf\x27\x1c", "7-Zip"),
        (b"sep=,", "for Excel"),
        (b"# exported", "a comment"),
    ],
)
def test_what_is_no_csv_is_called_what_it_is(content, said):
    header = content.partition(b"\n")[0].decode("utf-8-sig", "replace")
    with pytest.raises(DataError, match=said):
        schema.column_names(header, "x.csv")
