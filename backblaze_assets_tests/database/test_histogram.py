"""How values are spread: against counts by other means, over days of two eras."""

import csv
import io
import json
from collections import Counter
from datetime import date
from itertools import pairwise

import numpy as np
import polars as pl
import pytest

from backblaze_assets.cli.hist import bar, report, shape
from backblaze_assets.database.histogram import MOST_BINS, histogram
from backblaze_assets.errors import DataError

MODELS = ("ST4000DM000", "WDC WD30EFRX", "Hitachi HDS5C3030ALA630")


def rows_of_a_day(seed: int, day: date) -> pl.DataFrame:
    chance = np.random.default_rng(seed)
    rows = 700
    return pl.DataFrame(
        {
            "date": [day] * rows,
            "serial_number": [f"S{number}" for number in range(rows)],
            "model": chance.choice(MODELS, rows, p=[0.6, 0.3, 0.1]),
            "failure": (chance.random(rows) < 0.01).astype(np.int8),
            "smart_5_raw": np.where(
                chance.random(rows) < 0.97, 0, 10 ** chance.uniform(0, 5, rows)
            ).astype(int),
            "smart_9_raw": chance.integers(137, 48_211, rows),
            "smart_194_raw": [None if value < 20 else value for value in
                              chance.integers(18, 33, rows).tolist()],
        }
    )  # fmt: skip


@pytest.fixture(scope="module")
def days() -> list[pl.DataFrame]:
    first = rows_of_a_day(1, date(2013, 12, 31))
    second = rows_of_a_day(2, date(2014, 1, 1)).with_columns(smart_7_raw=pl.lit(5, pl.Int64))
    return [first, second]


@pytest.fixture(scope="module")
def root(tmp_path_factory, days):
    root = tmp_path_factory.mktemp("histogram")
    for day in days:
        when = day["date"][0]
        folder = root / "raw_quarter" / str(date(when.year, 3 * ((when.month - 1) // 3) + 1, 1))
        folder.mkdir(parents=True)
        day.write_parquet(folder / f"{when}.parquet")
    return root


def values(days: list[pl.DataFrame], column: str, model: str = "") -> list:
    return [
        value
        for day in days
        for value in day.filter(pl.col("model").str.contains(model))[column].drop_nulls().to_list()
    ]


@pytest.mark.parametrize("column", ["smart_5_raw", "smart_9_raw"])
def test_every_value_is_in_the_bin_that_holds_it(root, days, column):
    found = histogram(root, column, by="model")
    assert 5 < len(found.bins) <= MOST_BINS
    for one, following in pairwise(found.bins):
        assert one.high == following.low
    for place, each in enumerate(found.bins):
        inside = [v for v in values(days, column) if each.low <= v < each.high]
        assert each.rows == len(inside)
        for group in found.groups:
            own = values(days, column, group.name)
            assert group.counts[place] == sum(each.low <= v < each.high for v in own)
    assert sum(each.rows for each in found.bins) == found.filled == found.rows == 1400
    assert found.other == 0


def test_bins_are_round_and_of_one_width_unless_nearly_all_is_small(root):
    even, skewed = histogram(root, "smart_9_raw"), histogram(root, "smart_5_raw")
    assert {each.high - each.low for each in even.bins} == {5000.0}
    assert [each.low for each in skewed.bins][:5] == [0, 1, 2, 5, 10]


def test_few_values_are_counted_one_by_one_and_what_is_empty_is_said(root, days):
    found = histogram(root, "smart_194_raw")
    counted = Counter(values(days, "smart_194_raw"))
    assert [(each.label, each.rows) for each in found.bins] == [
        (str(value), counted[value]) for value in sorted(counted)
    ]
    assert (found.rows, found.filled) == (1400, len(values(days, "smart_194_raw")))
    assert f"{100 * found.filled / 1400:.1f} % of them with a value" in report(
        root, "smart_194_raw"
    )


def test_the_quartiles_of_each_group_are_about_those_of_its_values(root, days):
    found = histogram(root, "smart_9_raw", by="model")
    assert [group.name for group in found.groups] == list(MODELS)
    for group in found.groups:
        own = np.array(values(days, "smart_9_raw", group.name))
        for share, quartile in zip((0.25, 0.5, 0.75), group.quartiles, strict=True):
            assert abs((own < quartile).mean() - share) < 0.03


def test_columns_of_one_era_dates_and_texts(root):
    late = histogram(root, "smart_7")
    assert (late.column, late.rows, late.filled) == ("smart_7_raw", 1400, 700)
    years = histogram(root, "date")
    assert [(each.label, each.rows) for each in years.bins] == [("2013", 700), ("2014", 700)]
    serials = histogram(root, "SERIAL_NUMBER")
    assert (len(serials.bins), serials.other) == (24, 1400 - 2 * 24)
    assert "rarer values" in report(root, "serial_number")
    models = histogram(root, "model")
    assert [each.label for each in models.bins] == list(MODELS)


def test_a_model_alone_and_by_failure(root, days):
    found = histogram(root, "smart_9_raw", model="wd30", by="failure")
    rows = pl.concat([day.drop("smart_7_raw", strict=False) for day in days])
    rows = rows.filter(model="WDC WD30EFRX")
    assert {group.name: group.rows for group in found.groups} == {
        str(failure): count for failure, count in rows["failure"].value_counts().iter_rows()
    }


@pytest.mark.slow
def test_fits_the_terminal_and_loses_nothing_elsewhere(root):
    for options in ({}, {"by": "model"}, {"by": "failure", "model": "ST4"}):
        for width in (60, 80):
            text = report(root, "smart_9_raw", width=width, **options)
            assert max(map(len, text.splitlines())) <= width
    whole = histogram(root, "smart_9_raw")
    read = list(csv.DictReader(io.StringIO(report(root, "smart_9_raw", form="csv"))))
    assert [int(row["drive_days"]) for row in read] == [each.rows for each in whole.bins]
    grouped = json.loads(report(root, "smart_9_raw", by="model", form="json"))
    assert sum(row["drive_days"] for row in grouped) == 1400
    assert {row["group"] for row in grouped} == set(MODELS)


def test_what_there_is_not_is_named_with_what_is_near(root, tmp_path):
    with pytest.raises(DataError, match=r"no column 'smart_6'. Do you mean .*smart_5_raw"):
        histogram(root, "smart_6")
    with pytest.raises(DataError, match=r"no model 'ST4000DM001'. Do you mean ST4000DM000"):
        histogram(root, "smart_5_raw", model="ST4000DM001")
    with pytest.raises(DataError, match="no data of raw"):
        histogram(tmp_path, "smart_5_raw")


def test_bars_and_shapes():
    assert (bar(1, 4), bar(0.5, 4), bar(0, 4), bar(1e-6, 4)) == ("████", "██", "", "▏")
    assert shape([0, 1, 4, 8]) == " ▂▅█"
    assert shape([]) == ""
