"""Rates of failure: their exact intervals, and whether two of them differ by more than chance."""

import itertools
import math
from collections.abc import Iterable, Sequence
from functools import cache
from typing import NamedTuple

import polars as pl

DAYS_PER_YEAR = 365
"""Also in leap years: with 366, 15 of the 27 rates published for 2024 come out wrong."""

HOURS_PER_YEAR = DAYS_PER_YEAR * 24

CONFIDENCE = 0.95
"""Of every interval; each of its two sides is left with probability (1 - CONFIDENCE) / 2."""

NORMAL_QUANTILE = 1.959963984540054
"""That of 1 - (1 - CONFIDENCE) / 2, for the intervals that are not exact."""

NOT_TOLD_APART = "not told apart"
"""Verdict on two rates whose difference may be chance."""

_LAST_STEP = 1e-10
"""Relative: Newton's method squares its error, so the step after would be lost in rounding."""


class Ratio(NamedTuple):
    """How many times as high a rate is as another one; `compare_rates` makes it.

    Attributes:
        ratio: None where the other rate is 0.
        low: lower bound of its exact interval; 0 where the rate is 0.
        high: upper bound, None where the other rate is 0.
        p_value: the probability of a difference as large or larger by chance, in both directions.
    """

    ratio: float | None
    low: float | None
    high: float | None
    p_value: float | None


def afr_percent(failures: pl.Expr, drive_days: pl.Expr) -> pl.Expr:
    """Failures a year per hundred drives; null without a drive day."""
    return pl.when(drive_days > 0).then(100 * DAYS_PER_YEAR * failures / drive_days)


def afr_interval(failures: pl.Series) -> pl.DataFrame:
    """Bounds on the expected failures at `CONFIDENCE` for each observed count.

    Returns:
        Columns low and high, in the order of `failures`. `afr_percent` of them are the bounds of
        the rate.
    """
    bounds = [poisson_interval(count) for count in failures]
    return pl.DataFrame(bounds, schema={"low": pl.Float64, "high": pl.Float64}, orient="row")


@cache
def poisson_interval(count: int) -> tuple[float, float]:
    """Exact interval (Garwood 1936) for the mean of a Poisson count, at `CONFIDENCE`.

    The low bound is the mean at which `count` or more events have probability (1 - CONFIDENCE)/2,
    the high bound that at which `count` or fewer have it. They are half the chi-squared quantiles
    with 2 count and 2 count + 2 degrees of freedom. Newton's method on the logarithm of that
    probability: it is concave in the mean, and in its logarithm, so the method converges.
    """
    target = math.log((1 - CONFIDENCE) / 2)
    high = step = count + 1.0
    while abs(step) > _LAST_STEP * high:
        at_most = _sum_of_products((count - i) / high for i in range(count))
        step = (_log_poisson(count, high) + math.log(at_most) - target) * at_most
        high += step
    if count == 0:
        return 0.0, high
    low, relative = float(count), 1.0
    while abs(relative) > _LAST_STEP:
        at_least = _sum_of_products(low / (count + i) for i in itertools.count(1))
        excess = _log_poisson(count, low) + math.log(at_least) - target
        relative = -excess * at_least / count
        low *= math.exp(relative)
    return low, high


def compare_rates(failures: int, days: int, other_failures: int, other_days: int) -> Ratio:
    """The exact conditional test of two Poisson rates (Przyborowski and Wilenski 1940).

    If the rates are equal, the failures of the first are binomial among all failures, with the
    share of its drive days. The p-value is twice the smaller tail, so that it is below
    1 - CONFIDENCE exactly when the interval of the ratio leaves out 1; that interval is made of
    the bounds of Clopper and Pearson on the share. Failures are taken as independent: a bad
    batch that fails at once looks like more than chance, and is.

    Returns:
        All None where there is no failure, or no drive day on one side.
    """
    total = failures + other_failures
    if total == 0 or days <= 0 or other_days <= 0:
        return Ratio(None, None, None, None)
    share = days / (days + other_days)
    low, high = _share_interval(failures, total)
    scale = other_days / days
    return Ratio(
        ratio=failures / other_failures * scale if other_failures else None,
        low=low / (1 - low) * scale,
        high=high / (1 - high) * scale if other_failures else None,
        p_value=min(
            1.0,
            2
            * min(
                _at_least(failures, total, share),
                _at_least(total - failures, total, 1 - share),
            ),
        ),
    )


def benjamini_hochberg(p_values: Sequence[float | None]) -> list[float | None]:
    """P-values adjusted for their number (Benjamini and Hochberg 1995), None where none is given.

    Of the comparisons whose adjusted value is below 0.05, at most one in twenty is expected to be
    chance.
    """
    known = sorted(((p, place) for place, p in enumerate(p_values) if p is not None), reverse=True)
    adjusted: list[float | None] = [None] * len(p_values)
    smallest = 1.0
    for rank, (p, place) in zip(range(len(known), 0, -1), known, strict=True):
        smallest = min(smallest, p * len(known) / rank)
        adjusted[place] = smallest
    return adjusted


def _share_interval(count: int, total: int) -> tuple[float, float]:
    """Exact interval (Clopper and Pearson 1934) of a binomial share, at `CONFIDENCE`."""
    return _lowest_share(count, total), 1 - _lowest_share(total - count, total)


def _lowest_share(count: int, total: int) -> float:
    """The share at which `count` or more of `total` have probability (1 - CONFIDENCE) / 2.

    Newton's method in the logit, in which the logarithm of that probability is concave.
    """
    if count == 0:
        return 0.0
    target = math.log((1 - CONFIDENCE) / 2)
    odds = count / (total - count) if count < total else float(total)
    step = 1.0
    while abs(step) > _LAST_STEP:
        ratio = _upper_ratio(count, total, odds)
        excess = _log_binomial(count, total, odds) + math.log(ratio) - target
        step = -excess * ratio * (1 + odds) / count
        odds *= math.exp(step)
    return odds / (1 + odds)


def _at_least(count: int, total: int, share: float) -> float:
    """The probability of `count` or more of `total`."""
    odds = share / (1 - share)
    if count > total * share:
        return math.exp(_log_binomial(count, total, odds)) * _upper_ratio(count, total, odds)
    if count == 0:
        return 1.0
    below = total - count + 1  # of the others, at least so many
    return 1 - math.exp(_log_binomial(below, total, 1 / odds)) * _upper_ratio(
        below, total, 1 / odds
    )


def _upper_ratio(count: int, total: int, odds: float) -> float:
    """The probability of `count` or more over that of exactly `count`."""
    return _sum_of_products(
        (total - reached) / (reached + 1) * odds for reached in range(count, total)
    )


def _log_binomial(count: int, total: int, odds: float) -> float:
    """Logarithm of the probability of exactly `count` of `total`."""
    ways = math.lgamma(total + 1) - math.lgamma(count + 1) - math.lgamma(total - count + 1)
    return ways + count * math.log(odds) - total * math.log1p(odds)


def _log_poisson(count: int, mean: float) -> float:
    """Logarithm of the probability of `count` events."""
    return count * math.log(mean) - mean - math.lgamma(count + 1)


def _sum_of_products(factors: Iterable[float]) -> float:
    """1 + a + ab + abc + ... for falling factors a, b, c, ..., as far as it matters."""
    total = product = 1.0
    for factor in factors:
        product *= factor
        total += product
        if product < 1e-17 * total:
            break
    return total
