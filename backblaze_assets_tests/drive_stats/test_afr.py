"""Failure rates counted by hand, and against 40 real days."""

import hashlib
from datetime import date

import polars as pl
import pytest

from backblaze_assets.drive_stats.afr import (
    AFR_SCHEMA,
    TABLE_COLUMNS,
    WINDOWS,
    afr_table,
    against_the_rest,
    came_and_went,
    changes,
    over_time,
    totals,
)
from backblaze_assets.drive_stats.archive import scan
from backblaze_assets.drive_stats.daily import write_daily_stats
from backblaze_assets.drive_stats.importer import import_days
from backblaze_assets.drive_stats.lifetimes import Lifetimes, extend
from backblaze_assets.drive_stats.publication import PublicationRule
from backblaze_assets.drive_stats.rates import poisson_interval
from backblaze_assets.files.origin import Origin
from backblaze_assets_tests.drive_stats.raw import (
    Row,
    by_quarter,
    days_from,
    made_up_fleet,
    write_days,
)
from backblaze_assets_tests.drive_stats.tables import afr_rows
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
        by_predicate=(pl.col("kind") == "model")
        & (pl.col("window") == window)
        & (pl.col("model") == model),
        named=True,
    )


def models_of(table, window="quarter"):
    return table.filter(pl.col("kind") == "model", pl.col("window") == window)


def same_rule(*args, **kwargs):
    return dict.fromkeys(WINDOWS, PublicationRule(*args, **kwargs))


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
    counts = {window: model_row(table, window, "ST4000DM000") for window in WINDOWS}
    columns = ("drive_days", "failures", "drives_seen", "drives_end")
    assert {window: tuple(row[name] for name in columns) for window, row in counts.items()} == {
        "quarter": (2, 1, 2, 2),
        "year": (4, 1, 3, 2),
        "calendar_year": (2, 1, 2, 2),
        "lifetime": (6, 2, 4, 2),
    }
    assert counts["quarter"]["afr"] == pytest.approx(100 * 1 / (2 / 365))


def test_a_model_is_shown_when_the_rule_of_the_window_says_so(tmp_path):
    fleet = [Row(f"S{n}") for n in range(45)] + [Row("few", "ST8000DM002")]
    boot = [Row(f"B{n}", SSD, 250_059_350_016) for n in range(45)]
    lifetimes, daily = built(tmp_path, dict.fromkeys(days_from(date(2013, 10, 1), 2), fleet + boot))
    history = lifetimes[date(2013, 10, 1)]

    def shown(rule=None):
        table = afr_table(history, daily, date(2013, 10, 1), rule)
        table = table.filter(pl.col("status") == "published")
        return {window: set(group["model"]) for (window,), group in table.group_by("window")}

    assert shown() == {window: {"ST4000DM000"} for window in WINDOWS}
    assert shown(same_rule(46)) == {}
    assert shown(same_rule(1))["quarter"] == {"ST4000DM000", "ST8000DM002"}
    assert shown(same_rule(1, drive_days=3))["year"] == {"ST4000DM000"}
    assert shown(same_rule(1, last_quarter_days=3))["lifetime"] == {"ST4000DM000"}


def test_drives_can_be_counted_at_the_end_or_all(tmp_path):
    days = days_from(date(2013, 10, 1), 2)
    many = [Row(f"S{n}") for n in range(10)]
    lifetimes, daily = built(tmp_path, {days[0]: many, days[1]: [*many[:9], Row("new")]})
    tables = [
        models_of(
            afr_table(lifetimes[date(2013, 10, 1)], daily, days[0], same_rule(11, counted=basis)),
            "lifetime",
        )
        for basis in ("end", "seen")
    ]
    assert [table["status"].to_list() for table in tables] == [["too small"], ["published"]]
    assert tables[0]["drives_end"].to_list() == [10]
    assert tables[0]["drives_seen"].to_list() == [11]


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
    counts = models_of(table)["model", "drive_days", "drives_end"]
    assert counts.rows() == [("ST12000NM0007", 1, 1), ("ST4000DM000", 1, 0), ("ST8000DM002", 8, 4)]


@pytest.mark.slow
def test_makers_sizes_and_all_add_up_their_models_and_count_each_drive_once(tmp_path):
    rows = made_up_fleet(7, date(2013, 8, 1), 240, 150)
    lifetimes, daily = built(tmp_path, rows)
    quarter = date(2014, 1, 1)
    table = afr_table(lifetimes[quarter], daily, quarter)
    labels = {
        "ST4000DM000": ("Seagate", "4 TB"),
        "ST8000DM002": ("Seagate", None),  # told by the drives that change to it
        "WDC WUH721414ALE6L4": ("WDC", "14 TB"),
        "Hitachi HDS722020ALA330": ("HGST", "2 TB"),
        SSD: (None, None),
    }
    sizes = dict(models_of(table, "lifetime").select("model", "capacity_tb").iter_rows())
    starts = {
        "quarter": quarter,
        "year": date(2013, 4, 1),
        "calendar_year": quarter,
        "lifetime": date(2013, 4, 1),
    }
    for window, start in starts.items():
        expected = {}
        for day, drives in rows.items():
            if not start <= day < date(2014, 4, 1):
                continue
            for row in drives:
                model = " ".join(row.model.split())
                maker, _ = labels[model]
                size = f"{sizes[model]:g} TB"
                groups = [("model", model)]
                if model == SSD:
                    groups.append(("boot", "boot drives"))
                else:
                    groups += [("maker", maker), ("size", size), ("maker_size", f"{maker} {size}")]
                    groups.append(("all", "data drives"))
                for group in groups:
                    found = expected.setdefault(group, [0, 0, set()])
                    found[0] += 1
                    found[1] += row.failure
                    found[2].add(row.serial_number)
        ours = {
            (row["kind"], row["group"]): [row["drive_days"], row["failures"], row["drives_seen"]]
            for row in table.filter(pl.col("window") == window).iter_rows(named=True)
        }
        assert ours == {
            group: [days, failures, len(serials)]
            for group, (days, failures, serials) in expected.items()
        }
    whole = table.filter(pl.col("kind") == "all", pl.col("window") == "lifetime").row(0, named=True)
    low, high = poisson_interval(whole["failures"])
    assert whole["afr_low"] == pytest.approx(36_500 * low / whole["drive_days"])
    assert whole["afr_high"] == pytest.approx(36_500 * high / whole["drive_days"])
    ends = table.filter(pl.col("kind") == "maker", pl.col("window") == "quarter")["drives_end"]
    assert ends.sum() == whole["drives_end"]


def test_drives_that_came_failed_and_left_and_their_ages(tmp_path):
    days = days_from(date(2013, 9, 29), 5)  # two days of the third quarter
    lives = {
        "stays": (0, 5, 240),
        "came": (2, 5, 5),
        "leaves": (0, 4, 100),
        "left before": (0, 1, 0),
        "fails": (0, 4, 1_000),
    }
    rows = {
        day: [
            Row(
                name,
                failure=int(name == "fails" and place == end - 1),
                hours=hours + 24 * (place - begin),
            )
            for name, (begin, end, hours) in lives.items()
            if begin <= place < end
        ]
        + [Row(f"other {number}", "ST8000DM002") for number in range(20)]  # no day is partial
        for place, day in enumerate(days)
    }
    lifetimes, daily = built(tmp_path, rows)
    table = afr_table(lifetimes[date(2013, 10, 1)], daily, date(2013, 10, 1))
    columns = ("drives_end", "drives_seen", "drives_added", "drives_failed", "drives_removed")
    by_window = {
        window: tuple(model_row(table, window, "ST4000DM000")[name] for name in columns)
        for window in ("quarter", "lifetime")
    }
    assert by_window == {"quarter": (2, 4, 1, 1, 1), "lifetime": (2, 5, 5, 1, 2)}
    row = model_row(table, "quarter", "ST4000DM000")
    assert row["mean_age_months"] == pytest.approx((240 + 96 + 5 + 48) / 2 / 730.5)
    assert row["mean_age_of_failed_months"] == pytest.approx((1_000 + 72) / 730.5)
    assert (row["first_seen"], row["last_seen"]) == (days[0], days[-1])


def test_days_before_the_twelve_months_do_not_count_although_they_are_given(tmp_path):
    days = [date(2013, 8, 1), date(2013, 11, 1), date(2014, 1, 1), date(2014, 10, 1)]
    lifetimes, daily = built(tmp_path, {day: ["a"] for day in days})
    table = afr_table(lifetimes[date(2014, 10, 1)], daily, date(2014, 10, 1))
    counts = {window: model_row(table, window, "ST4000DM000")["drive_days"] for window in WINDOWS}
    assert counts == {"quarter": 1, "year": 2, "calendar_year": 2, "lifetime": 4}
    unread = {day: path for day, path in daily.items() if day >= date(2014, 1, 1)}
    unread[date(2013, 8, 1)] = tmp_path / "there is no such file"
    assert afr_table(lifetimes[date(2014, 10, 1)], unread, date(2014, 10, 1)).equals(table)


def test_totals_of_what_a_table_does_not_show():
    rows = afr_rows(
        [
            {"model": "A", "drives_end": 90, "drive_days": 36_500, "failures": 3},
            {"model": "B", "drives_end": 10, "drive_days": 36_500, "failures": 1},
            {"model": "C", "status": "retired", "drive_days": 7_300, "failures": 2},
        ]
    ).with_columns(mean_age_months=pl.Series([10.0, 20.0, None]))
    together = totals(rows, "status")
    assert together["status", "models", "drives_end", "failures"].rows() == [
        ("published", 2, 100, 4),
        ("retired", 1, 0, 2),
    ]
    assert together["afr"].to_list() == pytest.approx([2.0, 10.0])
    assert together["afr_low"][0] == pytest.approx(poisson_interval(4)[0] / 2)
    assert together["mean_age_months"].to_list() == [pytest.approx(11.0), None]
    assert totals(rows)["drive_days"].to_list() == [80_300]


def test_changes_name_what_is_more_than_chance_among_all_that_is_compared():
    def table(counts):
        return afr_rows(
            [
                {"model": model, "drives_end": 1_000, "drive_days": days, "failures": failures}
                for model, (failures, days) in counts.items()
            ]
        ).with_columns(afr=36_500 * pl.col("failures") / pl.col("drive_days"))

    now = table({"up": (60, 90_000), "same": (12, 90_000), "none": (0, 90_000), "new": (1, 9)})
    before = table({"up": (20, 90_000), "same": (5, 90_000), "none": (0, 90_000)})
    found = {row["group"]: row for row in changes(now, before).iter_rows(named=True)}
    assert {name: row["verdict"] for name, row in found.items()} == {
        "up": "up",
        "same": "within chance",
        "none": "no failure in both",
    }
    assert found["same"]["p_value"] == pytest.approx(0.14346, abs=1e-5)  # facts, section 7
    assert found["same"]["ratio_high"] == pytest.approx(8.696, abs=1e-3)
    assert found["up"]["p_adjusted"] == pytest.approx(2 * found["up"]["p_value"])
    back = {row["group"]: row["verdict"] for row in changes(before, now).iter_rows(named=True)}
    assert back["up"] == "down"
    few = now.with_columns(drives_end=pl.lit(44, pl.Int64))
    assert changes(few, before).is_empty()


def counted(*rows):
    """Rows of `afr_table` of models with their drive days and failures."""
    names = ("model", "drive_days", "failures")
    counts = afr_rows([dict(zip(names, row, strict=True)) for row in rows])
    days, failures = pl.col("drive_days"), pl.col("failures")
    bounds = pl.DataFrame(
        [poisson_interval(count) for count in counts["failures"]], ["low", "high"], orient="row"
    )
    return counts.hstack(bounds).with_columns(
        afr=36_500 * failures / days,
        afr_low=36_500 * pl.col("low") / days,
        afr_high=36_500 * pl.col("high") / days,
    )


def test_a_rate_is_compared_with_that_of_all_others():
    rows = counted(("high", 36_500, 20), ("low", 365_000, 5), ("few", 365, 0))
    found = against_the_rest(rows)
    assert found["verdict"].to_list() == ["above", "below", "not told apart"]
    rest = 5 / 365_365
    assert found["rest_afr"][0] == pytest.approx(36_500 * rest)
    assert found["times_the_rest"][0] == pytest.approx(20 / 36_500 / rest)
    assert found["excess_failures"][0] == pytest.approx(20 - 36_500 * rest)
    assert against_the_rest(rows[:1])["verdict"].to_list() == ["not told apart"]


@pytest.mark.parametrize(
    ("rows", "verdicts"),
    [
        # As published for the first quarter of 2020: nine of a model failed, and four of all others
        # in a quarter of the time. Twice scipy's binomtest for 'less' is 0.44.
        ([("HMS5C4040BLE640", 1_159_692, 9), ("others", 269_816, 4)], ["not told apart"] * 2),
        ([("one failed", 13_932, 1), ("others", 11_668, 0)], ["not told apart"] * 2),
        ([("thirty failed", 90_000, 30), ("others", 90_000, 0)], ["above", "below"]),
    ],
)
def test_that_the_rate_of_a_small_rest_is_uncertain_too_is_heeded(rows, verdicts):
    assert against_the_rest(counted(*rows))["verdict"].to_list() == verdicts


def test_tables_of_several_quarters_and_models_that_came_and_went(tmp_path):
    days = {
        date(2013, 12, 30): ["a", Row("b", "ST8000DM002")],
        date(2014, 3, 30): ["a", Row("c", "ST6000DX000"), Row("b", "ST8000DM002", failure=1)],
        date(2014, 3, 31): ["a", Row("c", "ST6000DX000")],
        date(2014, 12, 30): ["a", Row("c", "ST6000DX000")],
    }
    lifetimes, daily = built(tmp_path, days)
    tables = {quarter: afr_table(lifetimes[quarter], daily, quarter) for quarter in lifetimes}
    series = over_time(tables, "quarter").filter(pl.col("kind") == "all")
    assert series["period", "drive_days"].rows() == [
        ("2013-Q4", 2),
        ("2014-Q1", 5),
        ("2014-Q4", 2),
    ]
    years = over_time(tables, "calendar_year").filter(pl.col("kind") == "all")
    assert years["period", "drive_days"].rows() == [("2013", 2), ("2014", 7)]
    events = came_and_went(tables[date(2014, 1, 1)], date(2014, 1, 1))
    assert events["event", "model"].rows() == [("gone", "ST8000DM002"), ("new", "ST6000DX000")]
    assert over_time({}, "year").columns == ["period", *AFR_SCHEMA.names()]


@pytest.mark.slow
def test_tables_stay_the_same_to_the_byte(tmp_path):
    """Change the digest only together with a rule of the data, never for speed."""
    lifetimes, daily = built(tmp_path, made_up_fleet(42, date(2013, 8, 1), 150, 200))
    content = "".join(
        afr_table(history, daily, quarter).with_columns(pl.selectors.float().round(9)).write_csv()
        for quarter, history in lifetimes.items()
    )
    digest = hashlib.blake2b(content.encode(), digest_size=8).hexdigest()
    assert digest == "08d5b48ddc1a6440"


@pytest.mark.slow
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
        ours = models_of(table, window)
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
