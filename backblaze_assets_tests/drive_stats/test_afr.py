"""Failure rates against scipy, against published figures, and against 40 real days."""

import hashlib
from datetime import date

import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.stats import chi2

from backblaze_assets.drive_stats.afr import (
    AFR_SCHEMA,
    TABLE_COLUMNS,
    PublicationRule,
    afr_interval,
    afr_percent,
    afr_table,
    poisson_interval,
    rule_for,
)
from backblaze_assets.drive_stats.archive import scan
from backblaze_assets.drive_stats.daily import write_daily_stats
from backblaze_assets.drive_stats.importer import import_days
from backblaze_assets.drive_stats.lifetimes import Lifetimes, extend
from backblaze_assets.files.origin import Origin
from backblaze_assets_tests.drive_stats.raw import (
    Row,
    by_quarter,
    days_from,
    made_up_fleet,
    write_days,
)
from backblaze_assets_tests.real_data import FORTY_DAYS

ORIGIN = Origin("afr_table", "2013-04-01", "code")
SSD = "Seagate BarraCuda SSD ZA250CM10002"


def built(folder, rows):
    """Lifetimes of each quarter, and the files of daily_stats."""
    return from_raw(folder, write_days(folder / "raw", rows))


def from_raw(folder, raw):
    history: Lifetimes | None = None
    lifetimes = {}
    for quarter, days in by_quarter(raw).items():
        history = lifetimes[quarter] = extend(history, days, quarter)
    daily = {day: folder / "daily" / f"{day}.parquet" for day in raw}
    write_daily_stats(raw, daily.__getitem__, dict.fromkeys(raw, ORIGIN))
    return lifetimes, daily


def model_row(table, window, model):
    return table.row(
        by_predicate=(pl.col("window") == window) & (pl.col("model") == model), named=True
    )


@given(st.integers(0, 50) | st.integers(0, 200_000))
@example(0)
@example(1)
@settings(deadline=None)
def test_the_interval_is_the_chi_squared_one(count):
    low, high = poisson_interval(count)
    assert low == pytest.approx(chi2.ppf(0.025, 2 * count) / 2 if count else 0, rel=1e-9)
    assert high == pytest.approx(chi2.ppf(0.975, 2 * count + 2) / 2, rel=1e-9)


@pytest.mark.parametrize(
    ("afr", "low", "high", "failures"),
    [(4.76, 2.60, 7.98, 14), (2.25, 1.43, 3.38, 23), (1.06, 0.79, 1.40, 50)],
)
def test_intervals_published_for_2014(afr, low, high, failures):
    """ST33000651AS, HDS723030ALA640, HDS722020ALA330, with two decimals recomputed."""
    days = 36_500 * failures / afr
    bounds = afr_interval(pl.Series([failures])).row(0)
    assert [36_500 * bound / days for bound in bounds] == pytest.approx([low, high], abs=0.011)


def test_the_rate_divides_by_365_days_and_has_no_value_without_days():
    counts = pl.DataFrame({"failures": [18, 3, 0], "days": [400_697, 0, 10]})
    rates = counts.select(afr_percent(pl.col("failures"), pl.col("days"))).to_series()
    assert rates.to_list() == [pytest.approx(1.6396, abs=5e-5), None, 0.0]


@pytest.mark.parametrize(
    ("quarter", "window", "rule"),
    [
        (date(2019, 1, 1), "quarter", PublicationRule(45)),
        (date(2019, 4, 1), "quarter", PublicationRule(60)),
        (date(2019, 10, 1), "year", PublicationRule(60, last_quarter_days=5_001)),
        (date(2023, 10, 1), "year", PublicationRule(60)),
        (date(2024, 1, 1), "quarter", PublicationRule(101, 10_001)),
        (date(2024, 10, 1), "year", PublicationRule(251, 50_001)),
        (date(2025, 10, 1), "lifetime", PublicationRule(501, 100_001)),
        (date(2026, 1, 1), "quarter", PublicationRule(101, 10_001, "seen")),
    ],
)
def test_the_published_rule_of_the_time(quarter, window, rule):
    assert rule_for(quarter, window) == rule


def test_windows_count_their_own_days_and_drives(tmp_path):
    days = {
        date(2013, 9, 30): [Row("a", failure=1), Row("b")],
        date(2013, 12, 31): [Row("b"), Row("c")],
        date(2014, 9, 30): [Row("c"), Row("d", failure=1)],
        date(2014, 10, 1): [Row("c"), Row("e")],
    }
    lifetimes, daily = built(tmp_path, days)
    table = afr_table(lifetimes[date(2014, 7, 1)], daily, date(2014, 7, 1))
    assert table.schema == AFR_SCHEMA
    assert set(TABLE_COLUMNS) < set(table.columns)
    counts = {
        window: model_row(table, window, "ST4000DM000")
        for window in ("quarter", "year", "lifetime")
    }
    columns = ("drive_days", "failures", "drives_seen", "drives_end")
    assert {window: tuple(row[name] for name in columns) for window, row in counts.items()} == {
        "quarter": (2, 1, 2, 2),
        "year": (4, 1, 3, 2),
        "lifetime": (6, 2, 4, 2),
    }
    assert counts["quarter"]["afr"] == pytest.approx(100 * 1 / (2 / 365))


def test_a_model_is_shown_when_the_rule_of_the_window_says_so(tmp_path):
    fleet = [Row(f"S{n}") for n in range(45)] + [Row("few", "ST8000DM002")]
    boot = [Row(f"B{n}", SSD, 250_059_350_016) for n in range(45)]
    lifetimes, daily = built(tmp_path, dict.fromkeys(days_from(date(2013, 10, 1), 2), fleet + boot))
    history = lifetimes[date(2013, 10, 1)]

    def shown(rule=None):
        table = afr_table(history, daily, date(2013, 10, 1), rule).filter("published")
        return {window: set(group["model"]) for (window,), group in table.group_by("window")}

    assert shown() == {window: {"ST4000DM000"} for window in ("quarter", "year", "lifetime")}
    assert shown(PublicationRule(46)) == {}
    assert shown(PublicationRule(1))["quarter"] == {"ST4000DM000", "ST8000DM002"}
    assert shown(PublicationRule(1, drive_days=3))["year"] == {"ST4000DM000"}
    assert shown(PublicationRule(1, last_quarter_days=3))["lifetime"] == {"ST4000DM000"}


def test_drives_can_be_counted_at_the_end_or_all(tmp_path):
    days = days_from(date(2013, 10, 1), 2)
    many = [Row(f"S{n}") for n in range(10)]
    lifetimes, daily = built(tmp_path, {days[0]: many, days[1]: [*many[:9], Row("new")]})
    tables = [
        afr_table(lifetimes[date(2013, 10, 1)], daily, days[0], PublicationRule(11, counted=basis))
        for basis in ("end", "seen")
    ]
    assert [table["published"].all() for table in tables] == [False, True]
    assert tables[0]["drives_end"].to_list() == [10] * 3
    assert tables[0]["drives_seen"].to_list() == [11] * 3


def test_age_is_by_hours_and_else_by_the_first_day(tmp_path):
    days = days_from(date(2013, 10, 1), 31)
    rows = {day: [Row("told", hours=None), Row("untold", "ST8000DM002")] for day in days}
    sunday = days[5]
    rows[sunday][0] = Row("told", hours=7_305)
    lifetimes, daily = built(tmp_path, rows)
    table = afr_table(lifetimes[date(2013, 10, 1)], daily, days[0])
    assert model_row(table, "year", "ST4000DM000")["mean_age_months"] == pytest.approx(
        10 + 25 * 24 / 730.5
    )
    assert model_row(table, "year", "ST8000DM002")["mean_age_months"] == pytest.approx(
        30 * 24 / 730.5
    )


def test_a_history_without_rows_has_no_rates(tmp_path):
    lifetimes, daily = built(tmp_path, {date(2013, 10, 1): []})
    table = afr_table(lifetimes[date(2013, 10, 1)], daily, date(2013, 10, 1))
    assert table.schema == AFR_SCHEMA
    assert table.height == 0


def test_a_drive_counts_for_the_model_it_is_reported_as(tmp_path):
    days = days_from(date(2013, 10, 1), 2)
    other = [Row(f"S{n}", "ST8000DM002") for n in range(4)]
    lifetimes, daily = built(
        tmp_path, {days[0]: [Row("x"), *other], days[1]: [Row("x", "ST12000NM0007"), *other]}
    )
    table = afr_table(lifetimes[days[0]], daily, days[0])
    counts = table.filter(pl.col("window") == "quarter")["model", "drive_days", "drives_end"]
    assert counts.rows() == [("ST12000NM0007", 1, 1), ("ST4000DM000", 1, 0), ("ST8000DM002", 8, 4)]


def test_tables_stay_the_same_to_the_byte(tmp_path):
    """Change the digest only together with a rule of the data, never for speed."""
    lifetimes, daily = built(tmp_path, made_up_fleet(42, date(2013, 8, 1), 150, 200))
    content = "".join(
        afr_table(history, daily, quarter).with_columns(pl.selectors.float().round(9)).write_csv()
        for quarter, history in lifetimes.items()
    )
    digest = hashlib.blake2b(content.encode(), digest_size=8).hexdigest()
    assert digest == "9e23a066ee7d05b5"


@pytest.mark.parametrize(("path", "models"), FORTY_DAYS)
def test_forty_real_days_equal_an_independent_count(tmp_path, path, models):
    archive = scan(path)
    days = sorted(archive.members)
    assert len(days) == 40
    import_days(archive, days, tmp_path / "raw", ORIGIN)
    raw = {day: tmp_path / "raw" / f"{day}.parquet" for day in days}
    lifetimes, daily = from_raw(tmp_path, raw)
    table = afr_table(lifetimes[date(2013, 4, 1)], daily, date(2013, 4, 1))
    golden = pl.read_csv(models)
    assert golden.height == 37
    for window in ("quarter", "year", "lifetime"):
        ours = table.filter(pl.col("window") == window)
        assert dict(
            zip(ours["model"], ours["drive_days", "failures", "drives_seen"].rows(), strict=True)
        ) == dict(
            zip(
                golden["model"],
                golden["drive_days", "failures", "drives_seen"].rows(),
                strict=True,
            )
        )
        both = ours.join(golden, on="model", suffix="_known")
        assert both["afr"].to_list() == pytest.approx(both["afr_known"].to_list(), abs=1e-6)
