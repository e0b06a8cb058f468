"""Failure rates as they are printed: what is chosen, how it fits the terminal, what is unknown."""

import csv
import io
import json
from datetime import date

import polars as pl
import pytest

from backblaze_assets.cli.afr import (
    NOTHING,
    changes_report,
    interval,
    rate,
    report,
    title,
)
from backblaze_assets.drive_stats.afr import AFR_SCHEMA
from backblaze_assets.errors import DataError
from backblaze_assets_tests.drive_stats.tables import three_quarters

Q4, Q1, Q2 = date(2013, 10, 1), date(2014, 1, 1), date(2014, 4, 1)


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    return three_quarters(tmp_path_factory.mktemp("afr")).tables


def rows_of(paths, quarter=Q2, **wanted):
    return list(csv.DictReader(io.StringIO(report(paths, quarter, form="csv", **wanted))))


def test_csv_and_json_are_the_stored_figures(paths):
    stored = pl.read_parquet(paths[Q2]).filter(
        pl.col("kind") == "model", pl.col("window") == "year", pl.col("status") == "published"
    )
    read = json.loads(report(paths, Q2, window="year", form="json"))
    assert sorted(read, key=lambda row: row["model"]) == sorted(
        stored.select(*read[0]).to_dicts(), key=lambda row: row["model"]
    )
    again = rows_of(paths, window="year")
    assert [row["model"] for row in again] == [row["model"] for row in read]
    assert [float(row["afr_high"]) for row in again] == [row["afr_high"] for row in read]
    assert "mean_age_months" in again[0]
    assert "mean_age_of_failed_months" in again[0]


@pytest.mark.parametrize("by", ["maker", "size", "maker_size", "all"])
def test_rows_of_other_groups(paths, by):
    stored = pl.read_parquet(paths[Q2]).filter(pl.col("kind") == by, pl.col("window") == "quarter")
    rows = rows_of(paths, by=by)
    assert sorted(int(row["drive_days"]) for row in rows) == sorted(stored["drive_days"])
    keys = {"maker": ["maker"], "size": ["capacity_tb"], "maker_size": ["maker", "capacity_tb"]}
    assert [name for name in ("maker", "model", "capacity_tb", "status") if name in rows[0]] == (
        keys.get(by, [])
    )


def test_models_makers_boot_drives_and_everything(paths):
    every = {row["model"] for row in rows_of(paths, everything=True)}
    shown = {row["model"] for row in rows_of(paths)}
    boot = {row["model"] for row in rows_of(paths, boot=True)}
    assert shown < every
    assert boot == {"Seagate BarraCuda SSD ZA250CM10002"} <= every - shown
    assert {row["maker"] for row in rows_of(paths, maker="wdc", everything=True)} == {"WDC"}
    found = rows_of(paths, model="zA250")
    assert [row["status"] for row in found] == ["boot"]
    assert rows_of(paths, boot=True, by="all") != rows_of(paths, by="all")
    strict = rows_of(paths, min_drives=10_000)
    assert strict == []
    seen = rows_of(paths, min_drives=1, min_days=1)
    assert len(seen) == len(every) - 1


def test_figures_fall_and_names_rise(paths):
    rates = [float(row["afr"]) for row in rows_of(paths, sort="afr", everything=True)]
    assert rates == sorted(rates, reverse=True)
    names = [(row["maker"], row["model"]) for row in rows_of(paths, everything=True)]
    assert names == sorted(names)
    sizes = [float(row["capacity_tb"]) for row in rows_of(paths, sort="size", everything=True)]
    assert sizes == sorted(sizes)


def test_a_series_has_every_quarter(paths):
    rows = rows_of(paths, since=Q4, model="ST4000DM000")
    assert [row["period"] for row in rows] == ["2013-Q4", "2014-Q1", "2014-Q2"]
    one = report(paths, Q2, since=Q4, model="ST4000DM000", width=80)
    assert [line.split()[0] for line in one.splitlines()[-3:]] == [
        "2013-Q4",
        "2014-Q1",
        "2014-Q2",
    ]
    several = report(paths, Q2, since=Q4, by="maker", width=80)
    assert several.splitlines()[2].split() == ["2013-Q4", "2014-Q1", "2014-Q2"]
    stored = pl.read_parquet(paths[Q1]).filter(
        pl.col("group") == "WDC", pl.col("window") == "quarter"
    )
    cells = next(line for line in several.splitlines() if line.startswith("WDC")).split()
    assert cells[2] == rate(stored["afr"][0])
    narrow = report(paths, Q2, since=Q4, by="maker", width=24)
    assert "1 earlier periods have no room" in narrow.replace("\n", " ")
    years = rows_of(paths, since=Q4, by="all", window="calendar_year")
    assert [row["period"] for row in years] == ["2013", "2014"]


@pytest.mark.parametrize("width", [80, 60, 40, 24])
@pytest.mark.parametrize(
    "wanted",
    [
        {"everything": True},
        {"window": "lifetime", "lists": True},
        {"by": "maker"},
        {"by": "size"},
        {"by": "maker_size"},
        {"by": "all"},
        {"boot": True},
        {"since": Q4},
        {"since": Q4, "by": "all"},
    ],
)
def test_every_line_fits_the_terminal(paths, wanted, width):
    text = report(paths, Q2, width=width, **wanted)
    assert max(len(line) for line in text.splitlines()) <= width
    if width == 80 and not {"since", "boot", "everything"} & set(wanted):
        assert "age, y" in text


def test_without_a_width_all_columns_are_there(paths):
    text = report(paths, Q2, everything=True)
    heading = text.splitlines()[2]
    for name in ("maker", "model", "TB", "drives", "seen", "age, y", "drive days", "AFR %"):
        assert name in heading
    later = {date(2015, 4, 1): paths[Q2]}  # since when ages are published in months
    assert "age, m" in report(later, date(2015, 4, 1), everything=True).splitlines()[2]


def test_what_the_table_leaves_out_stands_below_it_with_its_totals(paths):
    text = report(paths, Q2, window="lifetime", width=100)
    stored = pl.read_parquet(paths[Q2]).filter(
        pl.col("kind") == "model", pl.col("window") == "lifetime"
    )
    boot = stored.filter("boot")
    foot = next(line for line in text.splitlines() if line.startswith("1 boot"))
    assert foot.split()[-4:-1] == [
        f"{boot['drive_days'][0]:,}",
        f"{boot['failures'][0]:,}",
        rate(boot["afr"][0]),
    ]
    labels = [line[:12].strip() for line in text.splitlines() if line[:1].isdigit()]
    assert sum(int(label.split()[0]) for label in labels) == stored.height


def test_bounds_that_say_nothing_are_not_printed():
    assert interval({"afr_low": 0.0, "afr_high": 12.34}) == f"{NOTHING} - 12.3"
    assert interval({"afr_low": 0.0, "afr_high": 100.5}) == NOTHING
    assert interval({"afr_low": 10.0, "afr_high": 396.7}) == f"10.0 - {NOTHING}"
    assert interval({"afr_low": 0.5, "afr_high": 2.25}) == "0.50 - 2.25"
    assert interval({"afr_low": None, "afr_high": None}) == NOTHING
    assert (rate(9.944), rate(9.95), rate(None)) == ("9.94", "9.9", NOTHING)


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({"model": "ST4000DM00O"}, "no model 'ST4000DM00O'. Do you mean ST4000DM000"),
        ({"model": "nothing like it"}, "There are BarraCuda SSD ZA250CM10002, HDS"),
        ({"maker": "Seagat"}, "no maker 'Seagat'. Do you mean Seagate?"),
        ({"maker": "Quantum"}, "There are HGST, Seagate, WDC"),
        ({"sort": "faliures"}, "Do you mean failures?"),
        ({"since": date(2015, 1, 1)}, "begin with an earlier one"),
        ({"boot": True, "by": "maker"}, "by model"),
    ],
)
def test_what_is_unknown_is_said_with_what_is_near(paths, wanted, message):
    with pytest.raises(DataError, match=message):
        report(paths, Q2, **wanted)


def test_a_quarter_that_is_not_there_is_an_error(paths):
    with pytest.raises(DataError, match=r"no quarter '2014-Q3'\. Do you mean 2014-Q"):
        report(paths, date(2014, 7, 1))
    with pytest.raises(DataError, match="no quarter '2013-Q3'"):
        changes_report(paths, Q4)


def test_changes_say_whether_they_are_more_than_chance(paths):
    text = changes_report(paths, Q1, width=80)
    assert "2013-Q4 to 2014-Q1" in text
    line = next(line for line in text.splitlines() if line.startswith("ST4000DM000"))
    assert "up from" in line
    assert "more than chance" in " ".join(text.split())
    assert "within chance" in text
    assert max(len(line) for line in text.splitlines()) <= 80
    assert "HGST" in changes_report(paths, Q1, by="maker")


def test_titles():
    assert title(Q2, "quarter").endswith("2014-Q2")
    assert title(Q4, "calendar_year").endswith(", 2013")
    assert title(Q2, "calendar_year").endswith("2014 up to 2014-Q2")
    assert title(Q2, "year", boot=True).startswith("Annualized failure rates of boot drives")
    assert title(Q2, "quarter", Q4).endswith("by quarter, 2013-Q4 to 2014-Q2")


def test_a_table_without_rows_is_still_one(tmp_path):
    AFR_SCHEMA.to_frame().write_parquet(tmp_path / "empty.parquet")
    text = report({Q2: tmp_path / "empty.parquet"}, Q2, width=80)
    assert "AFR %" in text
