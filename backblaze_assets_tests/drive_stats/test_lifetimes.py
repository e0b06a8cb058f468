"""Lives of drives: hand-made fleets, a naive recount of random ones, and the real drives."""

import hashlib
from collections import defaultdict
from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from backblaze_assets.drive_stats.archive import scan
from backblaze_assets.drive_stats.importer import import_days
from backblaze_assets.drive_stats.lifetimes import (
    CAPACITY_SCHEMA,
    COUNTED,
    DAY_SCHEMA,
    DRIVE_SCHEMA,
    LONGEST_DIP,
    SPELL_SCHEMA,
    Lifetimes,
    entry_hours,
    extend,
    in_service,
    partial_days,
)
from backblaze_assets.drive_stats.quarters import quarter_of
from backblaze_assets.errors import DataError
from backblaze_assets.files.origin import Origin
from backblaze_assets_tests.drive_stats.raw import (
    Row,
    by_quarter,
    days_from,
    made_up_fleet,
    write_days,
)
from backblaze_assets_tests.real_data import DATA, SOME_DRIVES, rows_of

ORIGIN = Origin("drive_lifetimes", "2013-04-01", "code")
FIRST = date(2013, 9, 27)
FLEET = tuple(f"S{number}" for number in range(10))


def folded(paths: dict[date, Path]) -> Lifetimes:
    """The history, quarter after quarter."""
    history = None
    for quarter, days in by_quarter(paths).items():
        history = extend(history, days, quarter)
    assert history is not None
    return history


def at_once(paths: dict[date, Path]) -> Lifetimes:
    """The same history in one step, its days labelled with their quarters."""
    made = extend(None, paths, quarter_of(max(paths)))
    quarter = [quarter_of(day) for day in made.days["date"]]
    days = made.days.with_columns(pl.Series("quarter", quarter))
    return Lifetimes(made.drives, made.spells, days, made.capacities)


def drive(history: Lifetimes, serial: str) -> dict:
    return history.drives.row(by_predicate=pl.col("serial_number") == serial, named=True)


def assert_same(one: Lifetimes, other: Lifetimes) -> None:
    assert_frame_equal(one.drives, other.drives)
    assert_frame_equal(one.spells, other.spells)
    assert_frame_equal(one.days, other.days)
    assert_frame_equal(one.capacities, other.capacities)


def test_a_drive_comes_fails_and_another_leaves(tmp_path):
    days = days_from(FIRST, 4)
    history = extend(
        None,
        write_days(
            tmp_path,
            {
                days[0]: [Row("fails", hours=10), Row("leaves"), "stays"],
                days[1]: [Row("fails", hours=None), "leaves", "stays", "new"],
                days[2]: [Row("fails", failure=1, hours=58), "stays", "new"],
                days[3]: ["stays", "new"],
            },
        ),
        date(2013, 7, 1),
    )
    assert drive(history, "fails") == {
        "serial_number": "fails",
        "model": "ST4000DM000",
        "maker": "Seagate",
        "boot": False,
        "capacity_bytes": 4_000_787_030_016,
        "slot": 0,
        "first_seen": days[0],
        "last_seen": days[2],
        "failed_on": days[2],
        "removed_on": None,
        "failures": 1,
        "drive_days": 3,
        "power_on_hours": 58,
        "hours_on": days[2],
        "first_power_on_hours": 10,
        "first_hours_on": days[0],
    }
    assert drive(history, "leaves")["removed_on"] == days[2]
    assert drive(history, "stays")["removed_on"] is None
    assert [drive(history, name)["slot"] for name in ("leaves", "stays", "new")] == [1, 2, 3]
    assert history.drives.schema == DRIVE_SCHEMA
    assert history.spells.schema == SPELL_SCHEMA
    assert history.days.schema == DAY_SCHEMA
    assert history.capacities.schema == CAPACITY_SCHEMA


def test_a_drive_is_in_service_through_its_last_day(tmp_path):
    days = days_from(FIRST, 3)
    history = extend(
        None,
        write_days(
            tmp_path,
            {days[0]: ["a", "b"], days[1]: [Row("a", failure=1), *FLEET], days[2]: [*FLEET]},
        ),
        date(2013, 7, 1),
    )
    service = [set(in_service(history, day)["serial_number"]) for day in days]
    assert service == [{"a", "b"}, {"a", *FLEET}, set(FLEET)]


def test_a_failed_drive_stays_failed_and_its_rows_count(tmp_path):
    days = days_from(FIRST, 5)
    rows = {day: [Row("again", failure=int(n in {1, 3}))] for n, day in enumerate(days[:4])}
    history = extend(None, write_days(tmp_path, {**rows, days[4]: ["other"]}), date(2013, 7, 1))
    again = drive(history, "again")
    assert again["failed_on"] == days[1]
    assert again["removed_on"] is None
    assert (again["failures"], again["drive_days"], again["last_seen"]) == (2, 4, days[3])


def test_a_drive_that_comes_back_is_in_service_in_the_later_table_only(tmp_path):
    days = [date(2013, 9, 29), date(2013, 9, 30), date(2013, 10, 1)]
    paths = write_days(
        tmp_path, {days[0]: ["back", *FLEET], days[1]: FLEET, days[2]: ["back", *FLEET]}
    )
    third, fourth = by_quarter(paths).items()
    before = extend(None, third[1], third[0])
    after = extend(before, fourth[1], fourth[0])
    assert drive(before, "back")["removed_on"] == days[1]
    assert drive(after, "back")["removed_on"] is None
    assert drive(after, "back")["drive_days"] == 2


def test_the_gap_of_2013_removes_nobody_although_a_quarter_ends_in_it(tmp_path):
    before, gap = days_from(date(2013, 8, 15), 5), days_from(date(2013, 8, 20), 56)
    after = days_from(date(2013, 10, 15), 3)
    assert gap[-1] == date(2013, 10, 14)
    fleet = [f"S{number}" for number in range(100)]
    paths = write_days(
        tmp_path,
        dict.fromkeys(before, fleet)
        | dict.fromkeys(gap, fleet[:3])
        | dict.fromkeys(after, fleet[:99]),
    )
    (third, third_days), (fourth, fourth_days) = by_quarter(paths).items()
    at_third = extend(None, third_days, third)
    assert at_third.drives["removed_on"].null_count() == 100
    assert in_service(at_third, date(2013, 9, 30)).height == 100
    at_fourth = extend(at_third, fourth_days, fourth)
    assert at_fourth.days.filter("partial")["date"].to_list() == gap
    assert drive(at_fourth, "S99")["removed_on"] == date(2013, 8, 20)
    assert at_fourth.drives["removed_on"].null_count() == 99


def test_a_fleet_that_shrinks_for_good_is_believed_after_the_longest_dip(tmp_path):
    fleet = [f"S{number}" for number in range(100)]
    paths = write_days(
        tmp_path,
        dict.fromkeys(days_from(date(2013, 9, 1), 5), fleet)
        | dict.fromkeys(days_from(date(2013, 9, 6), 117), fleet[:70]),
    )
    (third, third_days), (fourth, fourth_days) = by_quarter(paths).items()
    at_third = extend(None, third_days, third)
    assert at_third.drives["removed_on"].count() == 0
    assert at_third.days["partial"].sum() == 25
    at_fourth = extend(at_third, fourth_days, fourth)
    assert at_fourth.days["partial"].sum() == 0
    assert set(at_fourth.drives["removed_on"].drop_nulls()) == {date(2013, 9, 6)}
    assert at_fourth.drives["removed_on"].count() == 30


@pytest.mark.parametrize(
    ("rows", "partial"),
    [
        ([10, 10, 79, 81], []),  # growth, however sudden
        ([100, 80, 71, 72], [2]),
        ([100, 50, 0, 50, 100], [1, 3]),  # a day without a report inside
        ([100] * 7 + [1], [7]),
        ([100, 70] + [70] * 88, range(1, 90)),
        ([100, 70] + [70] * 90, []),
        ([100, 70] + [70] * 89 + [1], [91]),  # judged by the new size
        ([100, 3, 70] + [70] * 90, []),
        ([100, 70] + [70] * 50 + [3] + [70] * 50, [52]),
        ([0, 0, 5], []),
    ],
)
def test_partial_days(rows, partial):
    flags = partial_days(days_from(FIRST, len(rows)), rows)
    assert [index for index, flag in enumerate(flags) if flag] == list(partial)


@given(st.lists(st.integers(0, 1000), max_size=300))
def test_no_stretch_of_partial_days_is_longer_than_the_longest_dip(rows):
    dates = days_from(FIRST, len(rows))
    begin = None
    for day, count, partial in zip(dates, rows, partial_days(dates, rows), strict=True):
        assert not (partial and count == 0)
        if count and not partial:
            begin = None
        elif partial:
            begin = begin or day
            assert day - begin < LONGEST_DIP


def test_a_missing_quarter_is_a_cut_and_its_end_decides_who_has_left(tmp_path):
    early, late = date(2013, 9, 30), date(2014, 1, 1)
    paths = write_days(tmp_path, {early: ["gone", *FLEET], late: [*FLEET, "new"]})
    history = folded(paths)
    assert history.days["date"].to_list() == [early, late]
    assert history.days["quarter"].to_list() == [date(2013, 7, 1), date(2014, 1, 1)]
    assert history.drives.filter(pl.col("removed_on").is_not_null())[
        "serial_number", "removed_on"
    ].rows() == [("gone", late)]


def test_a_fleet_halved_across_a_missing_quarter_is_not_a_partial_one(tmp_path):
    paths = write_days(tmp_path, {date(2013, 9, 30): FLEET, date(2014, 1, 1): FLEET[:5]})
    assert folded(paths).drives["removed_on"].count() == 5


def test_days_say_what_the_zip_had(tmp_path):
    days = days_from(date(2013, 10, 2), 4)
    paths = write_days(tmp_path, {days[0]: ["a"], days[1]: [], days[3]: ["a"]})
    history = extend(None, paths, date(2013, 10, 1), synthetic=True)
    assert history.days.select("date", "rows", "reported", "in_zip").rows() == [
        (days[0], 1, True, True),
        (days[1], 0, False, True),
        (days[2], 0, False, False),
        (days[3], 1, True, True),
    ]
    assert history.days["synthetic"].all()
    assert not history.days["partial"].any()
    assert drive(history, "a")["drive_days"] == 2


def test_a_quarter_without_rows_keeps_what_was_known(tmp_path):
    before = folded(write_days(tmp_path, {date(2013, 9, 30): FLEET}))
    after = extend(before, write_days(tmp_path, {date(2013, 10, 1): []}), date(2013, 10, 1))
    assert_frame_equal(after.drives, before.drives)
    empty = extend(None, write_days(tmp_path, {date(2013, 10, 1): []}), date(2013, 10, 1))
    assert empty.drives.height == 0
    assert empty.drives.schema == DRIVE_SCHEMA


@pytest.mark.parametrize("rows", [["a", "a", "b"], ["a", "b", "b"]])
def test_a_drive_that_is_in_a_file_twice_is_an_error(tmp_path, rows):
    paths = write_days(tmp_path, {date(2013, 9, 29): ["a"], date(2013, 9, 30): rows})
    with pytest.raises(DataError, match=r"2013-09-30\.parquet has a drive more than once"):
        folded(paths)


def test_a_quarter_out_of_order_or_without_files_is_refused(tmp_path):
    paths = write_days(tmp_path, {date(2013, 9, 30): FLEET})
    history = folded(paths)
    with pytest.raises(ValueError, match="2013-07-01 is not after 2013-09-30"):
        extend(history, paths, date(2013, 7, 1))
    with pytest.raises(ValueError, match="no raw day"):
        extend(None, {}, date(2013, 7, 1))


def test_a_drive_that_changes_its_model_keeps_its_slot_and_has_two_spells(tmp_path):
    days = days_from(date(2013, 9, 30), 2)
    history = folded(
        write_days(
            tmp_path,
            {
                days[0]: [Row("x", "WDC  WUH721414ALE6L4"), Row("y", "WDC WUH721414ALE6L4")],
                days[1]: [Row("x", "ST8000DM002", failure=1), Row("y", "WDC WUH721414ALE6L4")],
            },
        )
    )
    assert history.drives["serial_number", "model", "slot"].rows() == [
        ("x", "WDC WUH721414ALE6L4", 0),
        ("y", "WDC WUH721414ALE6L4", 1),
    ]
    assert history.spells["serial_number", "model", "drive_days", "failures"].rows() == [
        ("x", "WDC WUH721414ALE6L4", 1, 0),
        ("y", "WDC WUH721414ALE6L4", 2, 0),
        ("x", "ST8000DM002", 1, 1),
    ]
    assert set(in_service(history, days[1])["model"]) == {"ST8000DM002", "WDC WUH721414ALE6L4"}


def test_a_models_capacity_is_what_most_rows_of_all_history_say(tmp_path):
    days = days_from(date(2013, 9, 28), 5)
    wrong = 600_332_565_813_390_450
    told = [wrong, 500, -1, 500, wrong]
    rows = {
        day: [Row("a", "ST1", size), Row("b", "WDC", -1)]
        for day, size in zip(days, told, strict=True)
    }
    rows[days[1]].append(Row("c", "ST1", 500))
    history = folded(write_days(tmp_path, rows))
    assert history.models().rows() == [
        ("ST1", 500, "Seagate", True),
        ("WDC", None, "WDC", False),
    ]
    assert drive(history, "a")["capacity_bytes"] == 500
    assert drive(history, "b")["capacity_bytes"] is None
    assert history.capacities.rows() == [("ST1", 500, 3), ("ST1", wrong, 2)]


def test_hours_that_no_drive_can_have_are_not_a_reading(tmp_path):
    days = days_from(date(2013, 9, 27), 6)
    told = [None, 2**40, 100, 90, -1, 20 * 365 * 24 + 1]
    rows = {day: [Row("a", hours=hours)] for day, hours in zip(days, told, strict=True)}
    known = drive(folded(write_days(tmp_path, rows)), "a")
    assert (known["power_on_hours"], known["hours_on"]) == (90, days[3])
    assert (known["first_power_on_hours"], known["first_hours_on"]) == (100, days[2])


def test_a_drive_that_lives_a_single_weekday_has_its_age(tmp_path):
    tuesday = date(2013, 10, 8)
    rows = {day: [Row("b", hours=5)] for day in days_from(date(2013, 10, 7), 3)}
    rows[tuesday] = [*rows[tuesday], Row("a", failure=1, hours=17)]
    history = folded(write_days(tmp_path, rows))
    ages = history.drives.select("serial_number", hours=entry_hours())
    assert sorted(ages.rows()) == [("a", 17), ("b", 5)]


def test_the_age_at_entry_is_counted_back_from_the_first_reading_and_never_below_zero(tmp_path):
    days = days_from(date(2013, 9, 29), 4)  # two quarters
    told = {"late": [None, None, 100, 900], "new": [None, 3, 27, 51], "untold": [None] * 4}
    rows = {
        day: [Row(name, hours=hours[place]) for name, hours in told.items()]
        for place, day in enumerate(days)
    }
    history = folded(write_days(tmp_path, rows))
    ages = dict(history.drives.select("serial_number", entry_hours().alias("hours")).rows())
    assert ages == {"late": 100 - 48, "new": 0, "untold": None}


def test_files_of_different_eras_and_without_hours_are_read(tmp_path):
    early, late = date(2013, 9, 30), date(2013, 10, 1)
    paths = write_days(tmp_path, {early: FLEET, late: FLEET})
    pl.read_parquet(paths[late]).drop("smart_9_raw").with_columns(
        datacenter=pl.lit("phx1")
    ).write_parquet(paths[late])
    assert_frame_equal(at_once(paths).drives, folded(paths).drives)


def test_a_folder_gives_back_what_was_saved(tmp_path):
    paths = write_days(tmp_path / "raw", made_up_fleet(1, date(2013, 9, 20), 20, 30))
    history = folded(paths)
    version = history.save(tmp_path / "saved", ORIGIN)
    assert_same(Lifetimes.load(tmp_path / "saved"), history)
    assert history.save(tmp_path / "again", ORIGIN) == version
    other = extend(None, paths, date(2013, 10, 1), synthetic=True)
    assert other.save(tmp_path / "saved", ORIGIN) != version
    assert_same(Lifetimes.load(tmp_path / "saved"), other)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["again", "raw", "saved"]


def naive(rows: dict[date, list[Row]]) -> tuple[dict, dict]:
    """Drives and spells, counted row by row."""
    drives: dict[str, dict] = {}
    spells: dict[tuple[str, str], list] = {}
    for day in sorted(rows):
        for row in rows[day]:
            model = " ".join(row.model.split())
            known = drives.setdefault(
                row.serial_number,
                {"model": model, "first": day, "failed": None, "days": 0, "hours": [], "n": 0},
            )
            known["last"] = day
            known["days"] += 1
            known["n"] += row.failure
            if row.failure:
                known["failed"] = known["failed"] or day
            if row.hours is not None:
                known["hours"].append((row.hours, day))
            spell = spells.setdefault((row.serial_number, model), [day, day, 0, 0])
            spell[1:] = [day, spell[2] + 1, spell[3] + row.failure]
    return drives, spells


@pytest.mark.slow
@settings(max_examples=10, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    days=st.integers(1, 110),
    drives=st.integers(1, 30),
    offset=st.integers(0, 200),
)
def test_the_fold_equals_one_step_and_a_naive_count(tmp_path_factory, seed, days, drives, offset):
    folder = tmp_path_factory.mktemp("fold")
    rows = made_up_fleet(seed, date(2013, 6, 1) + timedelta(days=offset), days, drives)
    paths = write_days(folder, rows)
    history = folded(paths)
    assert_same(history, at_once(paths))

    expected, spells = naive(rows)
    assert history.drives.height == len(expected)
    for found in history.drives.iter_rows(named=True):
        known = expected[found["serial_number"]]
        assert found["model"] == known["model"]
        assert (found["first_seen"], found["last_seen"]) == (known["first"], known["last"])
        assert (found["failed_on"], found["failures"]) == (known["failed"], known["n"])
        assert found["drive_days"] == known["days"]
        hours = (found["power_on_hours"], found["hours_on"])
        first = (found["first_power_on_hours"], found["first_hours_on"])
        told = known["hours"] or [(None, None)]
        assert (first, hours) == (told[0], told[-1])
    assert {
        (serial, model): [first, last, lived, failures]
        for serial, model, first, last, lived, failures in history.spells.iter_rows()
    } == spells

    daily: dict[tuple[date, str], list[int]] = {}
    for day, those in rows.items():
        for row in those:
            count = daily.setdefault((day, " ".join(row.model.split())), [0, 0])
            count[0] += 1
            count[1] += row.failure
    last_quarter = quarter_of(max(rows))
    recent = {key: n for key, n in daily.items() if key[0] >= last_quarter - COUNTED}
    assert {(row[0], row[1]): [*row[2:]] for row in history.counts.iter_rows()} == recent

    full = history.days.filter(pl.col("reported") & ~pl.col("partial"))["date"]
    for found in history.drives.iter_rows(named=True):
        left = not found["failed_on"] and len(full) > 0 and found["last_seen"] < full[-1]
        after = found["last_seen"] + timedelta(days=1)
        assert found["removed_on"] == (after if left else None)


@pytest.mark.slow
@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_slots_are_dense_and_never_change(tmp_path_factory, seed):
    folder = tmp_path_factory.mktemp("slots")
    paths = write_days(folder, made_up_fleet(seed, date(2013, 8, 1), 100, 40))
    before: dict[str, tuple[str, int]] = {}
    history = None
    for quarter, days in by_quarter(paths).items():
        history = extend(history, days, quarter)
        places = {
            serial: (model, slot)
            for serial, model, slot in history.drives["serial_number", "model", "slot"].rows()
        }
        assert before.items() <= places.items()
        slots = defaultdict(list)
        for model, slot in places.values():
            slots[model].append(slot)
        assert all(held == list(range(len(held))) for held in slots.values())
        assert history.drives.select("model", "slot").is_sorted(["model", "slot"])
        before = places


@pytest.mark.slow
def test_the_order_of_rows_and_files_does_not_matter(tmp_path):
    rows = made_up_fleet(7, date(2013, 9, 1), 60, 40)
    paths = write_days(tmp_path / "one", rows)
    turned = {day: rows[day][::-1] for day in reversed(rows)}
    assert_same(folded(paths), folded(write_days(tmp_path / "other", turned)))


@pytest.mark.slow
def test_tables_stay_the_same_to_the_byte(tmp_path):
    """Change the digest only together with a rule of the data, never for speed."""
    history = folded(write_days(tmp_path, made_up_fleet(42, date(2013, 8, 1), 150, 200)))
    tables = (history.drives, history.spells, history.days, history.capacities)
    content = "".join(table.write_csv() for table in tables)
    digest = hashlib.blake2b(content.encode(), digest_size=8).hexdigest()
    assert digest == "39cf57fefe098350"


def imported(archives: list[Path], folder: Path) -> dict[date, Path]:
    paths = {}
    for path in archives:
        archive = scan(path)
        days = sorted(archive.members)
        import_days(archive, days, folder, ORIGIN)
        paths |= {day: folder / f"{day}.parquet" for day in days}
    return paths


@pytest.mark.slow
def test_lives_of_real_drives_equal_an_independent_count(tmp_path):
    history = folded(imported([SOME_DRIVES], tmp_path))
    known = rows_of(DATA / "forty_days" / "drives.csv")
    found = history.drives.select(pl.col(list(known[0])).cast(pl.String).fill_null(""))
    assert found.sort("serial_number").to_dicts() == known
