"""Intervals and tests of rates against scipy, and against golden figures of real drives."""

import polars as pl
import pytest
import scipy
from hypothesis import example, given, settings
from hypothesis import strategies as st

from backblaze_assets.drive_stats.rates import (
    afr_interval,
    afr_percent,
    benjamini_hochberg,
    compare_rates,
    poisson_interval,
)
from backblaze_assets_tests.real_data import SHARED


@given(st.integers(0, 50) | st.integers(0, 200_000))
@example(0)
@example(1)
@settings(deadline=None)
def test_the_interval_is_the_chi_squared_one(count):
    low, high = poisson_interval(count)
    assert low == pytest.approx(
        scipy.stats.chi2.ppf(0.025, 2 * count) / 2 if count else 0, rel=1e-9
    )
    assert high == pytest.approx(scipy.stats.chi2.ppf(0.975, 2 * count + 2) / 2, rel=1e-9)


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


@pytest.mark.slow
@given(
    st.integers(0, 300) | st.integers(0, 30_000),
    st.integers(1, 10**8),
    st.integers(0, 300) | st.integers(0, 30_000),
    st.integers(1, 10**8),
)
@settings(deadline=None, max_examples=200)
def test_two_rates_are_compared_by_the_exact_binomial_test(now, days, before, days_before):
    found = compare_rates(now, days, before, days_before)
    total = now + before
    if not total:
        assert found == (None, None, None, None)
        return
    share = days / (days + days_before)
    tails = scipy.stats.binom.cdf(now, total, share), scipy.stats.binom.sf(now - 1, total, share)
    assert found.p_value == pytest.approx(min(1, 2 * min(tails)), rel=1e-6, abs=1e-250)
    low = scipy.stats.beta.ppf(0.025, now, before + 1) if now else 0.0
    assert found.low == pytest.approx(low / (1 - low) * days_before / days, rel=1e-7)
    if before:
        rest = scipy.stats.beta.ppf(0.025, before, now + 1)  # of the other's share
        assert found.high == pytest.approx((1 - rest) / rest * days_before / days, rel=1e-7)
        assert found.ratio == pytest.approx(now / days / (before / days_before))
    else:
        assert (found.ratio, found.high) == (None, None)


@given(st.lists(st.floats(1e-12, 1) | st.none(), max_size=40))
def test_p_values_are_adjusted_as_scipy_does(p_values):
    adjusted = benjamini_hochberg(p_values)
    known = [p for p in p_values if p is not None]
    assert [place for place, p in enumerate(adjusted) if p is None] == [
        place for place, p in enumerate(p_values) if p is None
    ]
    if known:
        expected = scipy.stats.false_discovery_control(known)
        assert [p for p in adjusted if p is not None] == pytest.approx(list(expected))


def test_golden_comparisons_of_real_drives():
    path = SHARED / "facts" / "survival" / "rate_tests.csv"
    if not path.exists():
        pytest.skip(f"{path} holds the golden figures")
    golden = pl.read_csv(path, infer_schema_length=None)
    assert golden.height == 393
    for row in golden.iter_rows(named=True):
        counts = ("failures", "drive_days", "failures_before", "drive_days_before")
        found = compare_rates(*(row[name] for name in counts))
        expected = (row["ratio"], row["ratio_low"], row["ratio_high"], row["p_value"])
        for ours, theirs in zip(found, expected, strict=True):
            assert ours == (None if theirs is None else pytest.approx(theirs, rel=1e-9, abs=1e-11))
    whole = golden.filter(pl.col("kind") == "maker")  # of models, half are kept back
    for _, group in whole.group_by("compared", "period"):
        adjusted = benjamini_hochberg(group["p_value"].to_list())
        assert adjusted == pytest.approx(group["p_bh"].to_list(), rel=1e-9)
