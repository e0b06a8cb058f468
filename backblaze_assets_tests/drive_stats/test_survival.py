"""Survival by age: by hand, against golden figures of real drives, against lifelines."""

import warnings
from datetime import date, timedelta
from fractions import Fraction

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backblaze_assets.drive_stats.lifetimes import DRIVE_SCHEMA, Lifetimes, extend
from backblaze_assets.drive_stats.models import maker
from backblaze_assets.drive_stats.survival import (
    FAILED,
    FEWEST_FOLLOWED,
    IN_SERVICE,
    REMOVED,
    SURVIVAL_SCHEMA,
    Watch,
    by_age,
    curves_from,
    incidence_interval,
    ranking,
    supported_stretch,
    survival,
    survival_interval,
    watched,
)
from backblaze_assets_tests.drive_stats.raw import Row, days_from, write_days
from backblaze_assets_tests.real_data import SHARED

GOLDEN = SHARED / "facts" / "survival"
FLEET = SHARED / "data" / "fleet_2013_2016.parquet"
LAST = date(2016, 9, 30)

# Entry, exit and end of twelve drives: ties, and drives that enter in the hour of an event.
WORKED = [
    (0, 100, FAILED),
    (0, 250, REMOVED),
    (0, 400, IN_SERVICE),
    (0, 160, FAILED),
    (60, 160, REMOVED),
    (100, 300, FAILED),
    (100, 400, IN_SERVICE),
    (160, 220, FAILED),
    (200, 400, IN_SERVICE),
    (220, 300, FAILED),
    (250, 400, IN_SERVICE),
    (300, 350, REMOVED),
]


def watch(rows):
    entry, exit_, ended = zip(*rows, strict=True)
    return Watch(np.array(entry), np.array(exit_), np.array(ended, np.int8))


def test_twelve_drives_by_hand():
    curves = curves_from(watch(WORKED), 0)
    assert curves.hours.tolist() == [100, 160, 220, 250, 300, 350]
    assert curves.at_risk.tolist() == [5, 6, 6, 6, 6, 5]
    assert curves.failures.tolist() == [1, 1, 1, 0, 2, 0]
    assert curves.removals.tolist() == [0, 1, 0, 1, 0, 1]
    alive = [Fraction(4, 5), Fraction(2, 3), Fraction(5, 9), Fraction(5, 9)]
    alive += [Fraction(10, 27), Fraction(10, 27)]
    assert curves.survival.tolist() == pytest.approx([float(share) for share in alive], rel=1e-14)
    spread = [Fraction(1, 20), Fraction(1, 12), Fraction(7, 60), Fraction(7, 60)]
    spread += [Fraction(1, 5), Fraction(1, 5)]
    assert curves.greenwood.tolist() == pytest.approx([float(each) for each in spread], rel=1e-14)
    low, high = survival_interval(curves.survival, curves.greenwood)
    assert low[[0, 4]] == pytest.approx([0.20380926326763904, 0.09066617346533268], rel=1e-12)
    assert high[[0, 4]] == pytest.approx([0.9691797888667427, 0.6630105652540267], rel=1e-12)
    failed = [Fraction(1, 5), Fraction(1, 3), Fraction(19, 45), Fraction(19, 45)]
    failed += [Fraction(221, 405), Fraction(221, 405)]
    assert curves.failed.tolist() == pytest.approx([float(each) for each in failed], rel=1e-14)
    assert curves.removed[-1] == pytest.approx(104 / 405, rel=1e-14)
    assert curves.failed_variance[[0, 1, 5]] == pytest.approx(
        [0.032, 0.03703703703703703, 0.028478179139358836], rel=1e-12
    )
    assert curves.removed_variance[5] == pytest.approx(0.019991667936798258, rel=1e-12)
    low, high = incidence_interval(curves.failed, curves.failed_variance)
    assert low[1] == pytest.approx(0.09556583567748367, rel=1e-12)
    assert high[1] == pytest.approx(0.805383363193765, rel=1e-12)


def test_without_removals_the_incidence_is_the_complement_of_survival():
    rows = [(entry, exit_, ended) for entry, exit_, ended in WORKED if ended != REMOVED]
    curves = curves_from(watch(rows), 0)
    assert curves.failed == pytest.approx(1 - curves.survival, rel=1e-12)
    low, high = survival_interval(curves.survival, curves.greenwood)
    failed_low, failed_high = incidence_interval(curves.failed, curves.failed_variance)
    assert failed_low == pytest.approx(1 - high, rel=1e-9)
    assert failed_high == pytest.approx(1 - low, rel=1e-9)


lives = st.lists(
    st.tuples(
        st.integers(0, 60), st.integers(1, 60), st.sampled_from([FAILED, REMOVED, IN_SERVICE])
    ).map(lambda life: (life[0], life[0] + life[1], life[2])),
    min_size=1,
    max_size=60,
)


@given(lives, st.integers(0, 30))
@settings(deadline=None)
def test_curves_equal_exact_fractions_counted_one_by_one(rows, start):
    curves = curves_from(watch(rows), start)
    alive, here, failed, removed = (Fraction(1), Fraction(1), Fraction(0), Fraction(0))
    ages = sorted({exit_ for _, exit_, ended in rows if ended != IN_SERVICE and exit_ > start})
    assert curves.hours.tolist() == ages
    for place, age in enumerate(ages):
        at_risk = sum(entry < age <= exit_ for entry, exit_, _ in rows)
        f = sum(exit_ == age and ended == FAILED for _, exit_, ended in rows)
        r = sum(exit_ == age and ended == REMOVED for _, exit_, ended in rows)
        failed += here * Fraction(f, at_risk)
        removed += here * Fraction(r, at_risk)
        alive *= 1 - Fraction(f, at_risk)
        here *= 1 - Fraction(f + r, at_risk)
        assert here + failed + removed == 1
        assert curves.survival[place] == pytest.approx(float(alive), abs=1e-12)
        assert curves.failed[place] == pytest.approx(float(failed), abs=1e-12)
        assert curves.removed[place] == pytest.approx(float(removed), abs=1e-12)


@given(lives, st.integers(1, 10))
def test_the_stretch_is_the_longest_with_enough_drives_throughout(rows, fewest):
    entry = np.sort([row[0] for row in rows])
    exit_ = np.sort([row[1] for row in rows])
    followed = [sum(a <= age < b for a, b, _ in rows) >= fewest for age in range(125)]
    best, start = (0, None), None
    for age, enough in enumerate([*followed, False]):
        if enough and start is None:
            start = age
        if not enough and start is not None:
            best = best if best[0] >= age - start else (age - start, start)
            start = None
    found = supported_stretch(entry, exit_, fewest)
    assert found == ((best[1], best[1] + best[0]) if best[0] else (None, None))


@pytest.mark.slow
@given(lives)
@settings(deadline=None)
def test_counts_and_drive_years_by_age_account_for_every_hour(rows):
    longer = [(entry * 300, exit_ * 300, ended) for entry, exit_, ended in rows]
    table = by_age(watch(longer))
    assert table["entries"].sum() == len(rows)
    change = table["entries"] - table["failures"] - table["removals"] - table["censored"]
    assert table["followed"].to_list() == change.cum_sum().to_list()
    assert table["drive_years"].sum() == pytest.approx(
        sum(exit_ - entry for entry, exit_, _ in longer) / 8_760
    )
    for age, followed, years in table.select("age_years", "followed", "drive_years").iter_rows():
        hour = round(age * 8_760)
        assert followed == sum(entry <= hour < exit_ for entry, exit_, _ in longer)
        lived = sum(
            max(0, min(exit_, hour) - max(entry, hour - 2_190)) for entry, exit_, _ in longer
        )
        assert years == pytest.approx(lived / 8_760)


def real_drives():
    """The real drives of 2013 to 2016-09-30 as `Lifetimes.drives`."""
    if not FLEET.exists():
        pytest.skip(f"{FLEET} holds the real drives")
    failed = pl.col("failures") > 0
    size = pl.col("capacity_tb").cast(pl.Float64).round(3)
    left = ~failed & (pl.col("last_seen") < LAST)
    return pl.read_parquet(FLEET).select(
        "serial_number",
        "model",
        "first_seen",
        "last_seen",
        maker=maker(pl.col("model")),
        boot=size < 0.9,
        capacity_bytes=(size * 1e12).cast(pl.Int64),
        failed_on=pl.when(failed).then("last_seen"),
        removed_on=pl.when(left).then(pl.col("last_seen") + timedelta(days=1)),
        first_power_on_hours=pl.col("first_power_on_hours").cast(pl.Int64),
        first_hours_on="first_seen",
    )


@pytest.fixture(scope="module")
def real():
    drives = real_drives()
    empty = pl.DataFrame()
    return survival(Lifetimes(drives, empty, empty, empty))


def golden(name):
    return pl.read_csv(GOLDEN / name, infer_schema_length=None)


@pytest.mark.parametrize(
    ("file", "age", "columns"),
    [
        (
            "kaplan_meier.csv",
            "age_years",
            {
                **{
                    name: name
                    for name in (
                        "followed",
                        "entries",
                        "failures",
                        "removals",
                        "censored",
                        "least_at_risk",
                        "start_hours",
                        "survival",
                    )
                },
                "low": "survival_low",
                "high": "survival_high",
            },
        ),
        (
            "cumulative_incidence.csv",
            "age_years",
            {
                name: name
                for name in (
                    "failed",
                    "failed_low",
                    "failed_high",
                    "removed",
                    "removed_low",
                    "removed_high",
                )
            },
        ),
        (
            "hazard.csv",
            "age_to",
            {
                "drive_years": "drive_years",
                "failures": "failures",
                "removals": "removals",
                "afr_percent": "hazard",
                "low": "hazard_low",
                "high": "hazard_high",
            },
        ),
    ],
)
def test_real_drives_have_the_golden_figures(real, file, age, columns):
    theirs = golden(file).rename({age: "age"})
    key = ["kind", "group", "age"]
    ours = real.rename({"age_years": "age"}).select(
        *key, *(pl.col(name).alias(f"our {name}") for name in columns.values())
    )
    both = theirs.join(ours, on=key, how="left")
    assert both.height > 300
    for name, our_name in columns.items():
        expected = [
            value if value is None else pytest.approx(value, rel=1e-9)
            for value in both[name].to_list()
        ]
        assert both[f"our {our_name}"].to_list() == expected


def test_real_models_are_ranked_as_in_the_golden_list(real):
    spans = golden("ranking.csv").filter(pl.col("how") == "own", ~pl.col("boot"))
    for (kind, first, last), rows in spans.group_by("kind", "from_years", "to_years"):
        ours = {row["group"]: row for row in ranking(real, kind, first, last).to_dicts()}
        for row in rows.iter_rows(named=True):
            found = ours[row["group"]]
            assert found["rank"] == row["rank"]
            assert found["why_not"] is None
            assert found["least_at_risk"] == row["least_at_risk"]
            for name, theirs in (("survival", "survival"), ("survival_low", "low")):
                assert found[name] == pytest.approx(row[theirs], rel=1e-9)
    five = ranking(real, "model")
    assert five["rank"].drop_nulls().to_list() == [1, 2]
    assert five.filter(pl.col("rank").is_null())["why_not"].null_count() == 0


@pytest.mark.slow
def test_survival_is_that_of_lifelines(real):
    """Of all models with a curve, those without golden figures too."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from lifelines import KaplanMeierFitter
    drives = watched(real_drives())
    curves = real.filter(pl.col("kind") == "model", pl.col("supported")).partition_by("group")
    assert len(curves) > 25
    for curve in curves:
        start = curve["start_hours"][0]
        rows = drives.filter(pl.col("model") == curve["group"][0], pl.col("exit") > start)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            fit = KaplanMeierFitter().fit(
                rows["exit"].to_numpy(),
                (rows["ended"] == FAILED).to_numpy(),
                entry=rows["entry"].clip(lower_bound=start).to_numpy(),
            )
            hours = np.round(curve["age_years"].to_numpy() * 8_760)
            alive = fit.survival_function_at_times(hours).to_numpy()
            bounds = (
                fit.confidence_interval_.reindex(fit.confidence_interval_.index.union(hours))
                .ffill()
                .loc[hours]
                .to_numpy()
            )
        later = hours > start
        assert curve["survival"].to_numpy()[later] == pytest.approx(alive[later], abs=1e-9)
        failed = curve["survival_low"].is_not_null().to_numpy()
        ours = curve.select("survival_low", "survival_high").to_numpy()
        assert ours[failed] == pytest.approx(bounds[failed], abs=1e-9)


def test_late_entry_and_removal_matter(real):
    """The case of facts/survival, section 8: 0.885 with late entry, 0.958 without."""
    row = real.filter(pl.col("group") == "Hitachi HDS722020ALA330", pl.col("age_years") == 5).row(
        0, named=True
    )
    assert row["survival"] == pytest.approx(0.885, abs=0.0005)
    drives = watched(real_drives().filter(pl.col("model") == "Hitachi HDS722020ALA330"))
    ignored = Watch(
        np.zeros(drives.height, np.int64), drives["exit"].to_numpy(), drives["ended"].to_numpy()
    )
    without = by_age(ignored).filter(pl.col("age_years") == 5)["survival"][0]
    assert without == pytest.approx(0.958, abs=0.0005)
    everyone = real.filter(pl.col("kind") == "all", pl.col("age_years") == 5).row(0, named=True)
    assert everyone["failed"] == pytest.approx(0.1472, abs=5e-5)
    assert 1 - everyone["survival"] == pytest.approx(0.1645, abs=5e-5)


def test_all_kinds_of_groups_from_raw_days(tmp_path):
    first = date(2013, 10, 1)
    days = days_from(first, 40)
    rows = {day: [] for day in days}
    for number in range(60):
        for place, day in enumerate(days):
            fails = number == 0 and place == 20
            if number == 0 and place > 20:
                continue
            hours = None if number == 1 else 24 * place
            rows[day].append(Row(f"S{number}", failure=int(fails), hours=hours))
    for day in days:
        rows[day].append(Row("boot", "Samsung SSD 850", 250_059_350_016, hours=5))
    lifetimes = extend(None, write_days(tmp_path, rows), first)
    table = survival(lifetimes)
    assert table.schema == SURVIVAL_SCHEMA
    groups = table.select("kind", "group").unique(maintain_order=True).rows()
    assert groups == [
        ("all", "data drives"),
        ("boot", "boot drives"),
        ("maker", "Seagate"),
        ("size", "4 TB"),
        ("model", "ST4000DM000"),
        ("model", "Samsung SSD 850"),
    ]
    row = table.filter(pl.col("kind") == "maker").row(-1, named=True)
    assert (table["entries"][0], row["failures"], row["censored"]) == (59, 1, 58)
    assert (row["drives_without_age"], row["failures_without_age"]) == (1, 0)
    assert (row["start_hours"], row["end_hours"]) == (0, 960)
    assert not row["supported"]  # 0.25 years are more than 40 days
    young = Lifetimes(DRIVE_SCHEMA.to_frame(), *[pl.DataFrame()] * 3)
    assert survival(young).schema == SURVIVAL_SCHEMA


def test_what_is_not_ranked_says_why():
    whole = watch([(0, 50_000 + number, IN_SERVICE) for number in range(300)])
    failing = watch([(0, 43_000 + 10 * number, FAILED) for number in range(300)])
    short = watch([(0, 30_000, REMOVED)] * 300)
    late = watch([(9_000, 50_000, REMOVED)] * 300)
    few = watch([(0, 50_000, FAILED)] * 199)
    rare = watch([(1_000 * number, 1_000 * number + 999, FAILED) for number in range(200)])
    groups = {"whole": whole, "failing": failing, "short": short, "late": late, "few": few}
    table = pl.concat(
        by_age(each).with_columns(
            kind=pl.lit("model"),
            group=pl.lit(name),
            maker=pl.lit("HGST"),
            capacity_tb=pl.lit(4.0),
            boot=pl.lit(value=False),
        )
        for name, each in (groups | {"rare": rare}).items()
    )
    found = {row["group"]: row for row in ranking(table, "model").to_dicts()}
    assert found["failing"]["rank"] == 1
    assert {name: row["why_not"] for name, row in found.items()} == {
        "failing": None,
        "whole": "no failure",
        "short": "fewer than 50 followed after 3.42 years",
        "late": "fewer than 50 followed before 1.03 years",
        "few": "fewer than 200 drives",
        "rare": "never 50 followed",
    }
    assert found["whole"]["survival"] == 1.0
    assert {row["why_not"] for row in ranking(table, "model", 1.25, 5).to_dicts()} >= {None}
    assert FEWEST_FOLLOWED == 50
