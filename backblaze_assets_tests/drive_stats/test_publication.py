"""Which models a table shows: the rules by period, and what they do with models."""

from datetime import date

import polars as pl
import pytest

from backblaze_assets.drive_stats.publication import (
    RULES,
    PublicationRule,
    adjusted,
    rule_for,
    with_status,
)
from backblaze_assets_tests.real_data import SHARED

WINDOWS = ("quarter", "year", "calendar_year", "lifetime")


@pytest.mark.parametrize(
    ("quarter", "window", "rule"),
    [
        (date(2013, 4, 1), "lifetime", PublicationRule(45)),
        (date(2019, 1, 1), "quarter", PublicationRule(45)),
        (date(2019, 4, 1), "quarter", PublicationRule(60)),
        (date(2019, 10, 1), "year", PublicationRule(60, last_quarter_days=5_001)),
        (date(2019, 10, 1), "calendar_year", PublicationRule(60, last_quarter_days=5_001)),
        (date(2020, 1, 1), "year", PublicationRule(60)),
        (date(2023, 10, 1), "year", PublicationRule(60)),
        (date(2024, 1, 1), "quarter", PublicationRule(100, 10_001)),
        (date(2024, 10, 1), "year", PublicationRule(251, 50_001)),
        (date(2025, 7, 1), "quarter", PublicationRule(101, 10_001)),
        (date(2025, 7, 1), "year", PublicationRule(251, 50_001)),
        (date(2025, 10, 1), "year", PublicationRule(251, 50_001, "seen")),
        (date(2025, 10, 1), "quarter", PublicationRule(101, 10_001, "seen")),
        (date(2025, 7, 1), "lifetime", PublicationRule(501, 100_001)),
        (date(2026, 1, 1), "lifetime", PublicationRule(501, 100_001, "seen")),
        (date(2026, 1, 1), "quarter", PublicationRule(101, 10_001, "seen")),
    ],
)
def test_the_published_rule_of_the_time(quarter, window, rule):
    assert rule_for(quarter, window) == rule


def test_every_rule_says_where_it_is_from():
    assert all(len(entry.source) > 10 for entry in RULES)
    assert [entry.since for entry in RULES if entry.window == "year"] == sorted(
        entry.since for entry in RULES if entry.window == "year"
    )


def test_a_person_may_ask_for_other_thresholds():
    rule = rule_for(date(2019, 10, 1), "year")
    assert adjusted(rule) == rule
    assert adjusted(rule, counted="seen") == PublicationRule(60, 0, "seen", 5_001)
    assert adjusted(rule, min_drives=0, min_days=7) == PublicationRule(1, 7)
    with pytest.raises(ValueError, match="at least one drive"):
        PublicationRule(0)


def models(rows):
    return pl.DataFrame(
        rows,
        ["window", "model", "boot", "drives_end", "drives_seen", "drive_days"],
        orient="row",
    )


def statuses(rows, rules):
    judged = with_status(models(rows), rules)
    assert judged.columns[-1] == "status"
    return {(row["window"], row["model"]): row["status"] for row in judged.iter_rows(named=True)}


def test_lifetime_tables_show_models_in_service_only_with_all_their_history():
    rows = [
        ("quarter", "A", False, 2_600, 2_608, 234_350),
        ("quarter", "small", False, 10, 10, 900),
        ("lifetime", "A", False, 2_600, 2_697, 6_115_413),
        ("lifetime", "small", False, 10, 5_000, 5_000_000),
        ("lifetime", "gone", False, 0, 37_018, 80_000_000),
        ("lifetime", "boot", True, 900, 900, 800_000),
        ("quarter", "boot", True, 900, 900, 80_000),
    ]
    found = statuses(rows, {w: rule_for(date(2026, 1, 1), w) for w in WINDOWS})
    assert {model: status for (window, model), status in found.items() if window == "lifetime"} == {
        "A": "published",
        "small": "too small",
        "gone": "retired",
        "boot": "boot",
    }


def test_2025_counts_drives_that_were_seen():
    rows = [
        ("quarter", "HMS5C4040BLE640", False, 186, 187, 17_151),
        ("calendar_year", "HMS5C4040BLE640", False, 186, 4_121, 375_277),
        ("year", "HMS5C4040BLE640", False, 186, 4_121, 375_277),
    ]
    rules = {window: rule_for(date(2025, 10, 1), window) for window in WINDOWS}
    assert set(statuses(rows, rules).values()) == {"published"}
    at_end = {window: adjusted(rule, counted="end") for window, rule in rules.items()}
    assert statuses(rows, at_end) == {
        ("quarter", "HMS5C4040BLE640"): "published",
        ("calendar_year", "HMS5C4040BLE640"): "too small",
        ("year", "HMS5C4040BLE640"): "too small",
    }


def test_the_year_2019_asks_for_drive_days_in_its_last_quarter():
    rows = [
        ("year", "A", False, 60, 60, 20_000),
        ("quarter", "A", False, 60, 60, 5_000),
        ("year", "B", False, 60, 60, 20_000),
        ("quarter", "B", False, 60, 60, 5_001),
    ]
    rules = {window: rule_for(date(2019, 10, 1), window) for window in WINDOWS}
    found = statuses(rows, rules)
    assert (found["year", "A"], found["year", "B"]) == ("too small", "published")
    assert found["quarter", "A"] == "published"


def test_a_table_can_be_judged_again():
    rules = {window: PublicationRule(5) for window in WINDOWS}
    once = with_status(models([("quarter", "A", False, 5, 5, 9)]), rules)
    stricter = {window: PublicationRule(6) for window in WINDOWS}
    assert with_status(once, rules)["status"].to_list() == ["published"]
    assert with_status(once, stricter)["status"].to_list() == ["too small"]


def test_without_the_retired_models_the_lifetime_rate_falls_by_a_fifth_of_a_point():
    path = SHARED / "facts" / "fleet" / "models_lifetime.csv"
    if not path.exists():
        pytest.skip(f"{path} holds the lifetimes of real models")
    lifetime = pl.read_csv(path, infer_schema_length=None).drop_nulls(
        ["drive_years_by_power_on_hours_2026Q2", "failures_to_2026Q2"]
    )
    service = pl.read_csv(
        SHARED / "facts" / "published" / "collected.csv", infer_schema_length=None
    ).filter(pl.col("period") == "2026Q1", pl.col("window") == "quarter")
    seen = dict(service.select("model", "drives").drop_nulls().iter_rows())
    rows = []
    for row in lifetime.iter_rows(named=True):
        model = row["model_as_in_file"]
        days = round(row["drive_years_by_power_on_hours_2026Q2"] * 365)
        ever = row["distinct_serials_to_2026Q2"]
        drives = seen.get(model.split(" ")[-1], 0)
        rows.append(("lifetime", model, False, drives, ever, days))
        rows.append(("quarter", model, False, drives, drives, drives * 90))
    judged = with_status(
        models(rows), {window: rule_for(date(2026, 1, 1), window) for window in WINDOWS}
    ).filter(pl.col("window") == "lifetime")
    failures = lifetime.rename({"model_as_in_file": "model"})
    both = judged.join(failures, on="model")

    def rate(rows):
        return 36_500 * rows["failures_to_2026Q2"].sum() / rows["drive_days"].sum()

    gone = both.filter(pl.col("status") == "retired")
    assert gone.height == 7
    assert "ST4000DM000" in gone["model"]
    assert rate(both.join(gone, on="model", how="anti")) == pytest.approx(1.334, abs=0.0005)
    assert rate(both) == pytest.approx(1.525, abs=0.0005)
    shown = both.filter(pl.col("status") == "published")
    assert shown["drives_end"].min() > 500
    assert "HGST HMS5C4040BLE640" not in shown["model"]  # 187 seen
