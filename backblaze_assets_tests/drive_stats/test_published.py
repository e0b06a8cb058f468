"""The published tables that we carry, and the comparison with ours."""

import csv
from datetime import date

import polars as pl
import pytest

from backblaze_assets.drive_stats.published import (
    FIGURES,
    KNOWN_DIFFERENCES,
    RECONCILED_SCHEMA,
    as_text,
    by_period,
    compare,
    known_tables,
    published,
    published_totals,
    reconcile,
)
from backblaze_assets_tests.drive_stats.tables import afr_rows, as_published
from backblaze_assets_tests.real_data import SHARED

Q1_2021 = date(2021, 1, 1)
WITH_COUNTS = [
    (Q1_2021, "quarter"),
    (date(2017, 1, 1), "quarter"),
    (date(2018, 10, 1), "year"),
    (date(2020, 10, 1), "year"),
    (date(2022, 10, 1), "year"),
    (date(2023, 10, 1), "year"),
    (date(2024, 10, 1), "year"),
    (date(2025, 10, 1), "year"),
    (date(2025, 10, 1), "quarter"),
    (date(2026, 1, 1), "quarter"),
]


def verdicts(comparison):
    return dict(comparison["verdict"].value_counts().rows())


def row_of(comparison, model):
    return comparison.row(by_predicate=pl.col("model") == model, named=True)


@pytest.mark.parametrize(("period", "window"), WITH_COUNTS)
def test_every_published_rate_is_ours_from_the_published_counts(period, window):
    comparison = compare(as_published(period, window), period, window)
    models = comparison.filter(pl.col("model") != "ALL", pl.col("status") == "published")
    assert models.height > 3
    assert set(models["verdict"]) == {"match"}
    assert models["afr_difference"].abs().max() <= 0.005 + 1e-9


@pytest.mark.parametrize(
    ("period", "window", "models", "drive_days", "failures", "afr"),
    [
        (date(2018, 10, 1), "year", 15, 35_658_827, 1_222, 1.25),
        (Q1_2021, "quarter", 23, 14_981_485, 348, 0.85),
        (date(2022, 10, 1), "year", 29, 78_760_434, 2_963, 1.37),
        (date(2023, 10, 1), "year", 35, 89_946_975, 4_189, 1.70),
        (date(2024, 10, 1), "year", 27, 101_906_290, 4_372, 1.57),
        (date(2025, 10, 1), "year", 31, 115_638_676, 4_317, 1.36),
        (date(2026, 1, 1), "quarter", 33, 30_203_180, 1_030, 1.24),
    ],
)
def test_complete_tables_add_up_to_the_published_totals(
    period, window, models, drive_days, failures, afr
):
    rows = published().filter(
        pl.col("period") == period, pl.col("window") == window, pl.col("status") == "published"
    )
    assert rows["complete"].all()
    assert rows.height == models
    assert rows.select(pl.col("drive_days", "failures").sum()).row(0) == (drive_days, failures)
    printed = published_totals().filter(pl.col("period") == period, pl.col("window") == window)
    assert printed["afr"].to_list() == [afr]


def test_all_that_was_collected_is_there_and_says_where_it_is_from():
    collected = SHARED / "facts" / "published" / "collected.csv"
    if not collected.exists():
        pytest.skip(f"{collected} is the collection")
    rows = pl.concat([published(), published_totals()])
    known = {(row["period"], row["window"], row["model"]): row for row in rows.to_dicts()}
    with collected.open(encoding="utf-8") as lines:
        for theirs in csv.DictReader(lines):
            year, _, number = theirs["period"].partition("Q")
            period = date(int(year), 3 * int(number or 4) - 2, 1)
            ours = known[period, theirs["window"], theirs["model"]]
            for name, column in (("drives", "drives"), ("failures", "failures"), ("afr", "afr")):
                if theirs[column]:
                    assert ours[name] == pytest.approx(float(theirs[column]))
            if theirs["avg_age"]:
                assert ours["mean_age"] == float(theirs["avg_age"])
                assert ours["age_unit"] == theirs["age_unit"]
            assert ours["status"] == theirs["status"].split(",")[0] or period.year == 2025


def test_what_we_carry_is_tidy():
    rows = pl.concat([published(), published_totals()])
    assert not rows.select("period", "window", "model").is_duplicated().any()
    assert set(rows["count_basis"].drop_nulls()) == {"end", "seen"}
    assert set(rows["window"]) == {"quarter", "year", "lifetime"}
    assert set(rows["status"]) == {"published", "derived"}
    assert not rows.filter(pl.col("status") == "derived")["complete"].any()
    assert rows["source"].str.len_chars().min() > 5
    assert rows.filter(pl.col("mean_age").is_not_null())["age_unit"].null_count() == 0
    assert known_tables() == sorted(set(rows.select("period", "window").iter_rows()))
    assert all(known.reason for known in KNOWN_DIFFERENCES)


@pytest.mark.parametrize("column", ["drive_days", "failures", "drives_seen"])
def test_a_count_that_is_one_off_differs_although_the_rate_rounds_alike(column):
    table = as_published(Q1_2021, "quarter")
    first = pl.col("model") == "HGST HMS5C4040BLE640"
    fewer = pl.when(first).then(pl.col(column) - 1).otherwise(pl.col(column))
    comparison = compare(table.with_columns(fewer), Q1_2021, "quarter")
    figure = "drives" if column == "drives_seen" else column
    found = row_of(comparison, "HMS5C4040BLE640")
    assert (found["verdict"], found[f"{figure}_difference"]) == ("differs", -1)
    assert verdicts(comparison.filter(pl.col("model") != "ALL")) == {"match": 22, "differs": 1}


def test_drives_are_compared_by_the_basis_on_which_they_were_counted():
    period = date(2026, 1, 1)
    table = as_published(period, "quarter").with_columns(drives_end=pl.lit(1, pl.Int64))
    assert verdicts(compare(table, period, "quarter")).get("differs", 0) == 1  # the printed sum
    table = as_published(date(2022, 10, 1), "year").with_columns(drives_seen=pl.lit(1, pl.Int64))
    assert verdicts(compare(table, date(2022, 10, 1), "year")) == {"match": 30}


def test_a_few_drives_more_are_a_known_difference_but_no_more_than_were_ever_found():
    table = as_published(Q1_2021, "quarter")
    first = pl.col("model") == "HGST HMS5C4040BLE640"

    def with_more(drives, days, failures=0):
        more = table.with_columns(
            drives_seen=pl.col("drives_seen") + pl.when(first).then(drives).otherwise(0),
            drive_days=pl.col("drive_days") + pl.when(first).then(days).otherwise(0),
            failures=pl.col("failures") + pl.when(first).then(failures).otherwise(0),
        )
        return row_of(compare(more, Q1_2021, "quarter"), "HMS5C4040BLE640")

    assert with_more(20, 900)["verdict"] == "known difference"
    assert "under test" in with_more(20, 900)["reason"]
    assert with_more(61, 900)["verdict"] == "differs"
    assert with_more(-1, -90)["verdict"] == "differs"
    assert with_more(20, 900, failures=2)["verdict"] == "differs"  # of 0.32 %, 0.06 points


def test_the_printed_sum_of_2018_and_the_failures_of_2026_q2_are_explained():
    comparison = compare(as_published(date(2018, 10, 1), "year"), date(2018, 10, 1), "year")
    assert verdicts(comparison) == {"match": 15, "known difference": 1}
    period = date(2026, 4, 1)
    ours = {"model": "ST1", "drives_end": 354_415, "drive_days": 31_553_350}
    for failures, verdict in ((1_516, "known difference"), (1_498, "match"), (1_517, "differs")):
        found = compare(afr_rows([{**ours, "failures": failures}]), period, "quarter")
        assert row_of(found, "ALL")["verdict"] == verdict


def test_models_on_one_side_only():
    table = as_published(Q1_2021, "quarter")
    extra = table.head(3).with_columns(
        model=pl.Series(["ST1", "ST2", "ST3"]),
        status=pl.Series(["published", "too small", "published"]),
        drives_seen=pl.Series([61, 61, 60]),
    )
    comparison = compare(pl.concat([table[1:], extra]), Q1_2021, "quarter")
    models = comparison.filter(pl.col("model") != "ALL")
    assert verdicts(models) == {
        "match": 22,
        "missing here": 1,
        "not published": 1,
        "known difference": 1,  # 60 drives that may be under test
    }
    partial = compare(extra, date(2020, 4, 1), "quarter").filter(pl.col("model") != "ALL")
    assert verdicts(partial) == {"missing here": 8}


def test_two_spellings_of_one_model_are_added_up():
    table = as_published(Q1_2021, "quarter")
    name = table["model"][0].removeprefix("HGST ")
    halves = pl.concat([table[:1]] * 2).with_columns(
        model=pl.Series([f"HGST {name}", f"Hitachi {name}"]),
        drive_days=pl.Series([table["drive_days"][0] - 5, 5]),
        failures=pl.Series([table["failures"][0], 0]),
        drives_seen=pl.Series([table["drives_seen"][0] - 1, 1]),
        drives_end=pl.Series([table["drives_end"][0] - 1, 1]),
    )
    assert verdicts(compare(pl.concat([halves, table[1:]]), Q1_2021, "quarter")) == {"match": 24}


def test_derived_figures_are_compared_and_never_called_published():
    period = date(2026, 4, 1)
    derived = published().filter(pl.col("period") == period)
    assert set(derived["status"]) == {"derived"}
    assert derived["drive_days"].sum() > 30_000_000
    table = afr_rows([{"model": "ST8000NM0055", "drive_days": 1_177_541, "failures": 111}])
    found = row_of(compare(table, period, "quarter"), "ST8000NM0055")
    assert (found["status"], found["verdict"]) == ("derived", "differs")
    summary = by_period(compare(table, period, "quarter")).row(0, named=True)
    assert (summary["models"], summary["models_published"]) == (0, 0)
    assert summary["derived_differing"] == 30


def test_intervals_and_ages_are_compared_as_printed():
    period = date(2015, 1, 1)
    theirs = row_of(published().filter(pl.col("period") == period), "HDS722020ALA330")
    assert (theirs["afr"], theirs["afr_low"], theirs["afr_high"], theirs["mean_age"]) == (
        1.66,
        1.0,
        2.6,
        4.1,
    )
    # 19 failures in 417,500 days are 1.66 %, 1.00 to 2.59 by the chi-squared quantiles.
    ours = {
        "model": "Hitachi HDS722020ALA330",
        "drives_end": 4_664,
        "drive_days": 417_500,
        "failures": 19,
        "mean_age_months": 4.14 * 12,
    }
    assert row_of(compare(afr_rows([ours]), period, "quarter"), "HDS722020ALA330")["verdict"] == (
        "match"
    )
    older = afr_rows([{**ours, "mean_age_months": 4.16 * 12}])
    found = row_of(compare(older, period, "quarter"), "HDS722020ALA330")
    assert found["verdict"] == "differs"
    assert found["mean_age_difference"] == pytest.approx(0.06)
    fewer = afr_rows([{**ours, "drive_days": 459_500, "failures": 21}])  # the same rate
    found = row_of(compare(fewer, period, "quarter"), "HDS722020ALA330")
    assert found["afr"] == pytest.approx(1.668, abs=0.001)


def test_ages_of_later_tables_are_shown_but_not_judged():
    period = date(2022, 10, 1)
    table = as_published(period, "year").with_columns(pl.col("mean_age_months") + 3)
    comparison = compare(table, period, "year")
    assert verdicts(comparison) == {"match": 30}
    assert comparison["mean_age_difference"].drop_nulls().to_list() == pytest.approx([3.0] * 29)


def test_drives_of_a_lifetime_table_are_those_of_its_quarter():
    period = date(2026, 1, 1)
    quarter = {"model": "HGST HUH721212ALE600", "drives_seen": 2_608, "drive_days": 234_350}
    lifetime = {**quarter, "window": "lifetime", "drives_seen": 2_697, "drive_days": 6_115_413}
    table = afr_rows([{**quarter, "failures": 8}, {**lifetime, "failures": 104}])
    found = row_of(compare(table, period, "lifetime"), "HUH721212ALE600")
    assert (found["drives"], found["verdict"]) == (2_608, "match")


def test_nothing_is_compared_where_nothing_is_known():
    table = as_published(Q1_2021, "quarter")
    assert compare(table, date(2014, 1, 1), "quarter").height == 0
    assert compare(table, Q1_2021, "year").height == 0
    nothing = reconcile({date(2014, 1, 1): table})
    assert nothing.schema == RECONCILED_SCHEMA
    assert as_text(nothing) == "No published table is known of these quarters."


def test_all_tables_are_reconciled_and_shown_in_80_columns():
    tables = {period: as_published(period, window) for period, window in WITH_COUNTS}
    reconciled = reconcile(tables)
    assert reconciled.schema == RECONCILED_SCHEMA
    for name in FIGURES:
        both = reconciled.drop_nulls([name, f"{name}_published"])
        assert both[f"{name}_difference"].to_list() == pytest.approx(
            (both[name] - both[f"{name}_published"]).to_list()
        )
    summary = by_period(reconciled)
    found = summary.row(by_predicate=pl.col("period") == date(2018, 10, 1), named=True)
    assert found["verdict"] == "known difference"
    assert found["drive_days_published"] - found["drive_days"] == 100
    assert "100 drive days more" in found["reasons"]
    text = as_text(reconciled)
    assert max(len(line) for line in text.splitlines()) <= 80
    assert "35,658,827   35,658,927   1,222  1,222   1.25  1.25" in text
    every = as_text(reconciled, every_model=True)
    assert "ST12000NM0007 match" in every
    assert "ST12000NM0007 match" not in text


def test_rates_of_2014_are_compared_to_one_decimal():
    row = published().filter(pl.col("model") == "ST4000DM000", pl.col("afr") == 2.6)
    assert row["period"].to_list() == [date(2014, 10, 1)]
    ours = {"window": "year", "model": "ST4000DM000", "drive_days": 4_000_000}
    ours |= {"drives_end": 12_098, "mean_age_months": 0.9 * 12}
    for failures, verdict in ((285, "match"), (292, "differs")):
        comparison = compare(afr_rows([{**ours, "failures": failures}]), date(2014, 10, 1), "year")
        assert row_of(comparison, "ST4000DM000")["verdict"] == verdict
