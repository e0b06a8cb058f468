from datetime import date, timedelta

import polars as pl
import pytest

from backblaze_assets.drive_stats.afr import afr_table
from backblaze_assets.errors import DataError
from backblaze_assets.film.extend import extend
from backblaze_assets.film.rates import trailing_year
from backblaze_assets.film.style import Style
from backblaze_assets_tests.film.fleets import (
    START,
    calendar,
    daily,
    fleet,
    history,
    known_on,
    lifetimes,
    models_of,
    one_quarter,
)

HD = Style.named("1080p")
UPRIGHT = Style.named("upright")
LAST = START + timedelta(days=700)


def test_a_new_quarter_changes_no_earlier_layout():
    drives = fleet(seed=3, drives=3000, days=700)
    rows = daily(drives, LAST)
    long = history(drives, LAST, HD, rows)
    short = history(known_on(drives, date(2014, 6, 30)), date(2014, 6, 30), HD, rows)
    assert len(short) == 5
    for (_, one), (_, other) in zip(short, long, strict=False):
        assert one.to_json() == other.to_json()


def test_rates_on_the_film_are_those_of_the_tables():
    drives = fleet(seed=8, drives=4000, models=6, days=700)
    rows = daily(drives, LAST)
    end = date(2014, 12, 31)
    _known, layout = history(known_on(drives, end), end, HD, rows.filter(pl.col("date") <= end))[-1]
    # afr_table reads files; its window of a year is summed here from the same rows.
    year = rows.filter(pl.col("date").is_between(date(2014, 1, 1), end))
    sums = year.group_by("model").agg(pl.col("drives").sum(), pl.col("failures").sum())
    number = (end - layout.start).days
    compared = 0
    for model, drive_days, failures in sums.iter_rows():
        if model in layout.labels and drive_days >= 3650:
            afr = 100 * 365 * failures / drive_days
            assert layout.labels[model].rate(number)[0] == f"{afr:.1f} %"
            compared += 1
    assert compared >= 3


def test_rates_equal_afr_table_to_the_printed_digit(tmp_path):
    drives = fleet(seed=8, drives=3000, models=5, days=400)
    last = date(2014, 3, 31)
    rows = daily(drives, last)
    known, layout = history(known_on(drives, last), last, HD, rows)[-1]
    files = {}
    for (day,), part in rows.group_by("date"):
        files[day] = tmp_path / f"{day}.parquet"
        part.write_parquet(files[day])
    table = afr_table(lifetimes(known, calendar(last)), files, date(2014, 1, 1))
    year = table.filter(
        (pl.col("window") == "year") & (pl.col("kind") == "model") & ~pl.col("boot")
    )
    said = 0
    for row in year.iter_rows(named=True):
        label = layout.labels.get(row["model"])
        text = label.rate(len(layout.service) - 1)[0] if label else ""
        if text:
            assert text == f"{row['afr']:.1f} %"
            said += 1
    assert said >= 3
    total = 100 * 365 * year["failures"].sum() / year["drive_days"].sum()
    assert layout.rate[-1] == round(100 * total)


def test_the_trailing_year_begins_as_in_the_tables():
    assert trailing_year(date(2016, 9, 30)) == date(2015, 10, 1)
    assert trailing_year(date(2016, 2, 28)) == date(2015, 3, 1)
    assert trailing_year(date(2016, 2, 29)) == date(2015, 3, 1)
    assert trailing_year(date(2014, 12, 31)) == date(2014, 1, 1)


def test_figures_are_those_of_the_drives_in_service():
    drives = fleet(seed=2)
    for known, layout in history(drives, START + timedelta(days=400), HD):
        data = known.filter(~pl.col("boot"))
        for day in (layout.days[0], layout.days[-1]):
            seen = known_on(data, day)
            alive = seen.filter(pl.col("failed_on").is_null() & pl.col("removed_on").is_null())
            number = (day - layout.start).days
            assert layout.service[number] == len(alive)
            assert layout.failed[number - layout.first] == seen["failed_on"].count()
            assert layout.capacity[number - layout.first] == alive["capacity_bytes"].sum()


def test_a_quarter_without_drives_is_an_error_that_says_so():
    with pytest.raises(DataError, match="no data drives"):
        one_quarter(models_of([("ST1", 3)]).with_columns(boot=True), HD)


def test_another_format_cannot_be_continued():
    drives = fleet(drives=50)
    first = history(drives, date(2013, 6, 30), HD)[-1][1]
    days = calendar(date(2013, 9, 30))
    with pytest.raises(DataError, match="another format"):
        extend(
            first, date(2013, 7, 1), lifetimes(drives, days), daily(drives.head(0), START), UPRIGHT
        )


def test_a_cut_is_carried_forward_and_said():
    drives = fleet(seed=2)
    first = history(drives, date(2013, 6, 30), HD)[-1][1]
    last = date(2013, 12, 31)
    days = calendar(last).filter(pl.col("quarter") != date(2013, 7, 1))
    known = known_on(drives, last)
    layout = extend(first, date(2013, 10, 1), lifetimes(known, days), daily(known, last), HD)
    gap = [day for day, share in layout.odd_days if share == -1]
    assert gap == list(range(82, 174))
    assert len(layout.service) == (last - START).days + 1
    assert set(layout.service[82:174]) == {layout.service[81]}


def test_a_quarter_without_a_report_carries_the_days_before_forward():
    drives = fleet(seed=2)
    first = history(drives, date(2013, 6, 30), HD)[-1][1]
    last = date(2013, 9, 30)
    days = calendar(last).with_columns(
        reported=pl.col("date") < date(2013, 7, 1),
        rows=pl.when(pl.col("date") < date(2013, 7, 1)).then(1).otherwise(0).cast(pl.Int64),
    )
    known = known_on(drives, date(2013, 6, 30))
    rows = daily(known, date(2013, 6, 30))
    layout = extend(first, date(2013, 7, 1), lifetimes(known, days), rows, HD)
    assert [share for _, share in layout.odd_days] == [0] * 92
    assert set(layout.service[82:]) == {layout.service[81]}
    assert layout.failed[-1] == first.failed[-1]
