"""Rates for their age, counted day by day by other means."""

import random
from collections import defaultdict
from datetime import date, timedelta

import polars as pl
import pytest
import scipy

from backblaze_assets.drive_stats.age_adjusted import (
    AGE_ADJUSTED_SCHEMA,
    FEWEST_OTHER_YEARS,
    LEAST_COVERED,
    for_its_age,
)

FIRST, LAST = date(2015, 7, 1), date(2016, 6, 30)


def fleet(drives):
    return pl.DataFrame(
        drives,
        schema={
            "model": pl.String,
            "boot": pl.Boolean,
            "first_seen": pl.Date,
            "last_seen": pl.Date,
            "failed_on": pl.Date,
            "first_power_on_hours": pl.Int64,
            "first_hours_on": pl.Date,
        },
        orient="row",
    )


def some_drives(seed, count):
    chance = random.Random(seed)
    rows = []
    for _ in range(count):
        model = chance.choice(["A", "B", "C"])
        seen = date(2014, 1, 1) + timedelta(days=chance.randrange(900))
        last = min(seen + timedelta(days=chance.randrange(900)), date(2016, 9, 30))
        fails = chance.random() < {"A": 0.1, "B": 0.3, "C": 0.2}[model]
        hours = chance.choice([None, *range(0, 30_000, 37)])
        boot = chance.random() < 0.05
        told = None if hours is None else seen
        rows.append((model, boot, seen, last, last if fails else None, hours, told))
    return rows


def counted_day_by_day(rows):
    """Hours lived and failures in the span, by model and half a year of age."""
    hours, failures = defaultdict(int), defaultdict(int)
    for model, boot, seen, last, failed, age, _ in rows:
        if boot or age is None:
            continue
        for offset in range((last - seen).days + 1):
            day = seen + timedelta(days=offset)
            if not FIRST <= day <= LAST:
                continue
            for hour in range(24):
                hours[model, (age + 24 * offset + hour) // 4_380] += 1
            failures[model, (age + 24 * offset + 23) // 4_380] += day == failed
    return hours, failures


@pytest.mark.slow
def test_expected_failures_are_those_of_the_others_at_the_same_age():
    rows = some_drives(5, 900)
    hours, failures = counted_day_by_day(rows)
    found = {row["model"]: row for row in for_its_age(fleet(rows), FIRST, LAST).to_dicts()}
    assert set(found) == {"A", "B", "C"}
    for model, row in found.items():
        expected, count, covered = 0.0, 0, 0
        own = {age: lived for (name, age), lived in hours.items() if name == model}
        others = [name for name in "ABC" if name != model]
        for age, lived in own.items():
            years = sum(hours[name, age] for name in others) / 8_760
            if years >= FEWEST_OTHER_YEARS:
                expected += lived / 8_760 * sum(failures[name, age] for name in others) / years
                count += failures[model, age]
                covered += lived
        assert row["drive_years"] == pytest.approx(sum(own.values()) / 8_760)
        assert row["covered"] == pytest.approx(covered / sum(own.values()))
        assert row["failures"] == count
        assert row["expected"] == pytest.approx(expected)
        told = row["covered"] >= LEAST_COVERED
        low = scipy.stats.chi2.ppf(0.025, 2 * count) / 2
        assert row["for_its_age"] == (pytest.approx(count / expected) if told else None)
        assert row["for_its_age_low"] == (pytest.approx(low / expected) if told else None)


def test_an_old_model_is_acquitted_where_the_others_failed_as_often_at_its_age():
    """All drives fail three times as often from the second year on; one model has no young ones."""
    old = [("old", 20_000)] * 300
    young = [("mixed", 20_000)] * 300 + [("mixed", 100)] * 3_000
    rows = []
    for place, (model, hours) in enumerate([*old, *young]):
        fails = place % (20 if hours > 8_760 else 60) == 0
        rows.append((model, False, FIRST, LAST, LAST if fails else None, hours, FIRST))
    table = for_its_age(fleet(rows), FIRST, LAST)
    found = {row["model"]: row for row in table.to_dicts()}
    assert found["old"]["failures"] == 15
    assert found["old"]["for_its_age"] == pytest.approx(1.0)
    assert found["old"]["verdict"] == "not told apart"
    assert found["mixed"]["covered"] == pytest.approx(300 / 3_300)
    assert found["mixed"]["verdict"] is None


def test_without_drives_nothing_is_said():
    assert for_its_age(fleet([]), FIRST, LAST).schema == AGE_ADJUSTED_SCHEMA
