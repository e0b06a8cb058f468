import polars as pl
import pytest

from backblaze_assets.drive_stats.models import (
    clean_model,
    display_model,
    is_boot_drive,
    maker,
    short_names,
)

TB = 10**12


def clean(model: str) -> str:
    return pl.select(clean_model(pl.lit(model))).item()


@pytest.mark.parametrize(
    ("raw", "cleaned"),
    [
        ("WDC  WUH721414ALE6L4", "WDC WUH721414ALE6L4"),
        (" 00MD00", "00MD00"),
        ("ST1000LM024 HN ", "ST1000LM024 HN"),
        ("WUH721816ALE6L4", "WDC WUH721816ALE6L4"),
        ("WDC  WUH721816ALE6L4", "WDC WUH721816ALE6L4"),
        ("Hitachi HDS5C4040ALE630", "Hitachi HDS5C4040ALE630"),
        ("HGST HDS5C4040ALE630", "Hitachi HDS5C4040ALE630"),
        ("HGST  HDS724040ALE640", "Hitachi HDS724040ALE640"),
        ("Hitachi HDT721010SLA360", "Hitachi HDT721010SLA360"),
        ("Hitachi HMS5C4040BLE640", "HGST HMS5C4040BLE640"),
        ("Hitachi HUH728080ALE600", "HGST HUH728080ALE600"),
        ("HGST HMS5C4040BLE640", "HGST HMS5C4040BLE640"),
        ("Hitachi", "Hitachi"),
        ("HGST HMS5C4040BLE641", "HGST HMS5C4040BLE641"),
    ],
)
def test_a_model_has_one_spelling_and_is_never_guessed(raw, cleaned):
    assert clean(raw) == cleaned
    assert clean(cleaned) == cleaned


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("HGST HMS5C4040BLE640", "HGST"),
        ("Hitachi HDS722020ALA330", "HGST"),
        ("HUH728080ALE600", "HGST"),
        ("ST4000DM000", "Seagate"),
        ("ST500LM012 HN", "Seagate"),
        ("Seagate BarraCuda 120 SSD ZA250CM10003", "Seagate"),
        ("Seagate SSD", "Seagate"),
        ("WDC WD60EFRX", "WDC"),
        ("WDC WUH722222ALE6L4", "WDC"),
        ("WDC WDS250G2B0A", "WDC"),
        ("WD Blue SA510 2.5 250GB", "WDC"),
        ("WUH721816ALE6L4", "WDC"),
        ("WDC", "WDC"),
        ("TOSHIBA MG08ACA16TA", "Toshiba"),
        ("MG08ACA16TA", "Toshiba"),
        ("HDWF180", "Toshiba"),
        ("SAMSUNG HD154UI", "Samsung"),
        ("Samsung SSD 850 EVO 1TB", "Samsung"),
        ("Micron 5300 MTFDDAK480TDS", "Micron"),
        ("MTFDDAV240TCB", "Micron"),
        ("CT250MX500SSD1", "Crucial"),
        ("SSDSCKKB480G8R", "Intel"),
        ("DELLBOSS VD", "Dell"),
        ("HP SSD S700 250GB", "HP"),
        ("00MD00", "Unknown"),
    ],
)
def test_maker(model, expected):
    assert pl.select(maker(pl.lit(model))).item() == expected


@pytest.mark.parametrize(
    ("model", "capacity", "boot"),
    [
        ("ST4000DM000", 4 * TB, False),
        ("ST4000DM000", -1, False),
        ("ST4000DM000", -9116022715867848704, False),
        ("ST4000DM000", 600332565813390450, False),
        ("ST4000DM000", 0, False),
        ("ST4000DM000", None, False),
        ("WDC WD10EADS", 1 * TB, False),
        ("ST500LM012 HN", 500107862016, True),
        ("WDC WD5000LPVX", 899_999_999_999, True),
        ("WDC WD5000LPVX", 900_000_000_000, False),
        ("DELLBOSS VD", 480036847616, True),
        ("DELLBOSS VD", None, True),
        ("Seagate BarraCuda SSD ZA2000CM10002", 2 * TB, True),
        ("Seagate IronWolf ZA250NM10002", -1, True),
        ("Samsung SSD 850 EVO 1TB", 1 * TB, True),
        ("Micron 5300 MTFDDAK480TDS", -1, True),
    ],
)
def test_boot_drives_by_name_or_small_capacity(model, capacity, boot):
    expression = is_boot_drive(pl.lit(model), pl.lit(capacity, pl.Int64))
    assert pl.select(expression).item() is boot


@pytest.mark.parametrize(
    ("model", "shown"),
    [
        ("Hitachi HDS722020ALA330", "HDS722020ALA330"),
        ("WDC WUH721816ALE6L4", "WUH721816ALE6L4"),
        ("TOSHIBA MG08ACA16TA", "MG08ACA16TA"),
        ("ST500LM012 HN", "ST500LM012 HN"),
        ("Seagate BarraCuda SSD ZA250CM10002", "BarraCuda SSD ZA250CM10002"),
        ("DELLBOSS VD", "DELLBOSS VD"),
        ("WDC", "WDC"),
    ],
)
def test_labels_leave_the_maker_out(model, shown):
    assert display_model(model) == shown


def test_names_are_short_where_that_is_clear():
    assert short_names(["HGST A1", "WDC B2", "Seagate B2"]) == {
        "HGST A1": "A1",
        "WDC B2": "WDC B2",
        "Seagate B2": "Seagate B2",
    }
