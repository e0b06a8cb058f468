"""The published tables that we carry, and the comparison with ours."""

from datetime import date

import polars as pl
import pytest

from backblaze_assets.drive_stats.published import compare, published

TABLES = sorted(set(published().select("period", "window").rows()))
Q1_2021 = date(2021, 1, 1)


def ours(period, window, **changes):
    """A table of ours that says what was published, with a maker's name before each model."""
    rows = published().filter(pl.col("period") == period, pl.col("window") == window)
    return rows.select(
        "window",
        "maker",
        model=pl.concat_str(pl.lit("HGST "), "model"),
        drive_days="drive_days",
        failures="failures",
        published=pl.lit(value=True),
    ).with_columns(**changes)


def verdicts(comparison):
    return dict(comparison["verdict"].value_counts().rows())


@pytest.mark.parametrize(("period", "window"), TABLES[1:])
def test_every_published_rate_is_ours_from_the_published_counts(period, window):
    comparison = compare(ours(period, window), period, window)
    assert set(comparison["verdict"]) == {"match"}
    assert comparison["afr_difference"].abs().max() <= 0.005 + 1e-9


@pytest.mark.parametrize(
    ("period", "window", "drive_days", "failures"),
    [
        (Q1_2021, "quarter", 14_981_485, 348),
        (date(2022, 10, 1), "year", 78_760_434, 2_963),
        (date(2023, 10, 1), "year", 89_946_975, 4_189),
        (date(2024, 10, 1), "year", 101_906_290, 4_372),
        (date(2026, 1, 1), "quarter", 30_203_180, 1_030),
    ],
)
def test_complete_tables_add_up_to_the_published_totals(period, window, drive_days, failures):
    rows = published().filter(pl.col("period") == period, pl.col("window") == window)
    assert rows["complete"].all()
    assert rows.select(pl.col("drive_days", "failures").sum()).row(0) == (drive_days, failures)


def test_what_we_carry_is_tidy():
    rows = published()
    assert not rows.select("period", "window", "model").is_duplicated().any()
    assert set(rows["count_basis"].drop_nulls()) == {"end", "seen"}
    assert set(rows["window"]) == {"quarter", "year"}
    assert rows["source"].str.len_chars().min() > 10
    decimals = rows.group_by("period").agg(pl.col("afr_unit").unique()).sort("period")
    assert decimals["afr_unit"].to_list() == [[0.1]] + [[0.01]] * 11


@pytest.mark.parametrize("column", ["drive_days", "failures"])
def test_a_count_that_is_one_off_differs_although_the_rate_rounds_alike(column):
    first = pl.col("model") == "HGST HMS5C4040BLE640"
    changed = pl.when(first).then(pl.col(column) + 1).otherwise(pl.col(column))
    comparison = compare(ours(Q1_2021, "quarter", **{column: changed}), Q1_2021, "quarter")
    assert verdicts(comparison) == {"match": 22, "differs": 1}
    row = comparison.row(by_predicate=pl.col("verdict") == "differs", named=True)
    assert (row["model"], row[f"{column}_difference"]) == ("HMS5C4040BLE640", 1)


def test_models_on_one_side_only():
    table = ours(Q1_2021, "quarter")
    extra = table.head(2).with_columns(
        model=pl.Series(["ST1", "ST2"]), published=pl.Series([True, False])
    )
    comparison = compare(pl.concat([table[1:], extra]), Q1_2021, "quarter")
    assert verdicts(comparison) == {"match": 22, "missing here": 1, "not published": 1}
    partial = compare(extra, date(2020, 4, 1), "quarter")
    assert verdicts(partial) == {"missing here": 8}


def test_two_spellings_of_one_model_are_added_up():
    table = ours(Q1_2021, "quarter")
    days = pl.Series([table["drive_days"][0] - 5, 5])
    name = table["model"][0].removeprefix("HGST ")
    halves = pl.concat([table[:1]] * 2).with_columns(
        model=pl.Series([f"HGST {name}", f"Hitachi {name}"]),
        drive_days=days,
        failures=pl.Series([table["failures"][0], 0]),
    )
    assert verdicts(compare(pl.concat([halves, table[1:]]), Q1_2021, "quarter")) == {"match": 23}


def test_nothing_is_compared_where_nothing_is_known():
    table = ours(Q1_2021, "quarter")
    assert compare(table, date(2018, 1, 1), "quarter").height == 0
    assert compare(table, Q1_2021, "year").height == 0


def test_rates_of_2014_are_compared_to_one_decimal():
    row = published().filter(pl.col("model") == "ST4000DM000", pl.col("afr") == 2.6)
    assert row["period"].to_list() == [date(2014, 10, 1)]
    table = pl.DataFrame(
        {
            "window": ["year"],
            "maker": ["Seagate"],
            "model": ["ST4000DM000"],
            "drive_days": [365_000],
            "failures": [26],
            "published": [True],
        }
    )
    for failures, verdict in ((26, "match"), (27, "differs")):
        comparison = compare(table.with_columns(failures=failures), date(2014, 10, 1), "year")
        found = comparison.row(by_predicate=pl.col("model") == "ST4000DM000", named=True)
        assert found["verdict"] == verdict
