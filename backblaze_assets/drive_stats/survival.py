"""How long drives last: survival, hazard and removal by age, with intervals.

Time is whole hours of age. A drive is watched from its age when it was first seen (late entry) to
the end of the day on which it failed or was seen last; it failed, was removed, or is in service.

- Survival is Kaplan and Meier's (1958) with late entry: what would fail if nobody removed drives
  and those removed would have failed like the others.
- Failed and removed are Aalen and Johansen's (1978) cumulative incidence: what did happen. Drives
  that are removed cannot fail any more, so fewer do than survival says.
- The hazard is failures per drive year within a quarter of a year of age.

With late entry few drives are watched at young ages, where one failure would bend the curve for
good. So a curve is given on the longest stretch of ages at which `FEWEST_FOLLOWED` drives or more
are followed throughout, and starts there with 1.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from backblaze_assets.drive_stats.groups import BOOT_DRIVES, DATA_DRIVES, GROUPS, terabytes
from backblaze_assets.drive_stats.lifetimes import Lifetimes, entry_hours
from backblaze_assets.drive_stats.rates import HOURS_PER_YEAR, NORMAL_QUANTILE, poisson_interval

STEP_HOURS = HOURS_PER_YEAR // 4
"""Rows are a quarter of a year of age apart; a year has 365 days, as in the failure rates."""

FEWEST_FOLLOWED = 50
"""Drives that must be followed throughout a stretch for a curve to be given on it."""

FEWEST_RANKED = 200
"""Drives that a group must have had to be ranked."""

FROM_BIRTH_HOURS = 30 * 24
"""A stretch that starts by this age counts as one from birth: half of all drives are first seen
at 179 hours or less, after the maker's tests and the owner's, and none at 0."""

SURVIVAL_SCHEMA = pl.Schema(
    {
        "kind": pl.String(),
        "group": pl.String(),
        "maker": pl.String(),
        "capacity_tb": pl.Float64(),
        "boot": pl.Boolean(),
        "age_years": pl.Float64(),
        "followed": pl.Int64(),
        "entries": pl.Int64(),
        "failures": pl.Int64(),
        "removals": pl.Int64(),
        "censored": pl.Int64(),
        "least_at_risk": pl.Int64(),
        "start_hours": pl.Int64(),
        "end_hours": pl.Int64(),
        "supported": pl.Boolean(),
        "survival": pl.Float64(),
        "survival_low": pl.Float64(),
        "survival_high": pl.Float64(),
        "greenwood": pl.Float64(),
        "failed": pl.Float64(),
        "failed_low": pl.Float64(),
        "failed_high": pl.Float64(),
        "removed": pl.Float64(),
        "removed_low": pl.Float64(),
        "removed_high": pl.Float64(),
        "drive_years": pl.Float64(),
        "hazard": pl.Float64(),
        "hazard_low": pl.Float64(),
        "hazard_high": pl.Float64(),
        "drives_without_age": pl.Int64(),
        "failures_without_age": pl.Int64(),
    }
)
"""Of `survival`: one row per group and age, in steps of 0.25 years.

- kind: `all`, `boot`, `maker`, `size` or `model`; group: its name, as in `afr_table`. maker,
  capacity_tb, boot: null where the group is not of one.
- age_years: at which the quarter of a year of age ends that the row is about.
- followed: drives followed at this age. entries, failures, removals, censored (in service at the
  end): within the quarter of a year of age that ends here, so that followed = followed before +
  entries - failures - removals - censored. least_at_risk: the fewest drives at risk at any failure
  in it, null without one.
- start_hours: the age from which on curves are given; null where there is none. end_hours:
  the age up to which they are. supported: whether this age is within.
- survival: by Kaplan and Meier, from start_hours. survival_low, survival_high: its log-log interval
  at 95 %; null before the first failure, and at 0. greenwood: sum of d / (Y (Y - d)) up to
  here, so that differences of it give the variance over any span.
- failed: cumulative incidence of failure from start_hours; 1 - failed - removed is in service.
  failed_low, failed_high: its interval at 95 %. removed: cumulative incidence of removal from
  start_hours. removed_low, removed_high: its interval at 95 %.
- drive_years: watched within the quarter of a year of age. hazard: failures per hundred drive years
  in it; null without a drive year. hazard_low, hazard_high: its exact interval at 95 %.
- drives_without_age: drives of the group that never told their power-on hours, and are left out;
  failures_without_age: how many of them failed.
"""

Hours = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

FAILED, REMOVED, IN_SERVICE = 1, 2, 0


@dataclass(frozen=True)
class Watch:
    """For how long each drive of a group was watched, and how that ended.

    Attributes:
        entry: age in hours when it was first seen.
        exit: age when the watch ended, more than `entry`.
        ended: `FAILED`, `REMOVED` or `IN_SERVICE`.
    """

    entry: Hours
    exit: Hours
    ended: npt.NDArray[np.int8]


@dataclass(frozen=True)
class Curves:
    """Survival and incidence after each event, from some age on.

    Attributes:
        hours: ages at which drives failed or were removed, in order.
        at_risk: drives at risk at each: that entered before it and had not gone before it.
        failures: that failed at each.
        removals: that were removed at each.
        survival: of Kaplan and Meier.
        greenwood: sum of d / (Y (Y - d)); infinite once survival is 0.
        failed: cumulative incidence of failure.
        failed_variance: its variance.
        removed: cumulative incidence of removal.
        removed_variance: its variance.
    """

    hours: Hours
    at_risk: Hours
    failures: Hours
    removals: Hours
    survival: Floats
    greenwood: Floats
    failed: Floats
    failed_variance: Floats
    removed: Floats
    removed_variance: Floats


def survival(lifetimes: Lifetimes) -> pl.DataFrame:
    """Survival, hazard and removal by age of all groups of drives.

    Args:
        lifetimes: what is known at the end of a quarter.

    Returns:
        Columns `SURVIVAL_SCHEMA`, sorted by kind and group (kinds in the order of the schema's
        description), then age. A drive belongs to the model under which it was first seen. All
        kinds but `boot` and `model` leave boot drives out.
    """
    drives = watched(lifetimes.drives)
    tables = []
    for (kind, group), rows in _groups(drives):
        if rows.is_empty():
            continue
        known = rows.filter(pl.col("entry").is_not_null())
        unknown = rows.filter(pl.col("entry").is_null())
        common = {
            "kind": kind,
            "group": group,
            "maker": rows["maker"][0] if kind in ("maker", "model") else None,
            "capacity_tb": rows["capacity_tb"][0] if kind in ("size", "model") else None,
            "boot": rows["boot"][0],
            "drives_without_age": unknown.height,
            "failures_without_age": int((unknown["ended"] == FAILED).sum()),
        }
        if known.height:
            watch = Watch(
                known["entry"].to_numpy(), known["exit"].to_numpy(), known["ended"].to_numpy()
            )
            tables.append(
                by_age(watch)
                .with_columns(
                    pl.lit(value, SURVIVAL_SCHEMA[name]).alias(name)
                    for name, value in common.items()
                )
                .select(SURVIVAL_SCHEMA.names())
            )
    return pl.concat(tables).cast(SURVIVAL_SCHEMA) if tables else SURVIVAL_SCHEMA.to_frame()


def watched(drives: pl.DataFrame) -> pl.DataFrame:
    """For how long each drive was watched.

    Args:
        drives: `Lifetimes.drives`.

    Returns:
        model, maker, boot, capacity_tb, entry and exit (hours; null for a drive that never told
        its power-on hours), ended (`FAILED`, `REMOVED`, `IN_SERVICE`). The day of the failure, or
        the last day seen, counts as a whole.
    """
    failed = pl.col("failed_on").is_not_null()
    end = pl.coalesce("failed_on", "last_seen")
    ended = (
        pl.when(failed)
        .then(FAILED)
        .when(pl.col("removed_on").is_not_null())
        .then(REMOVED)
        .otherwise(IN_SERVICE)
    )
    return drives.select(
        "model",
        "maker",
        "boot",
        capacity_tb=terabytes(pl.col("capacity_bytes")),
        entry=entry_hours(),
        exit=entry_hours() + 24 * ((end - pl.col("first_seen")).dt.total_days() + 1),
        ended=ended.cast(pl.Int8),
    )


def by_age(watch: Watch) -> pl.DataFrame:
    """The rows of one group in `survival`, without the columns that say which group it is."""
    entry, exit_ = np.sort(watch.entry), np.sort(watch.exit)
    last = int(-(-exit_[-1] // STEP_HOURS))
    ages = STEP_HOURS * np.arange(last + 1)
    start, end = supported_stretch(entry, exit_)
    curves = curves_from(watch, start if start is not None else int(exit_[-1]))
    place = np.searchsorted(curves.hours, ages, "right") - 1
    supported = (
        (ages >= start) & (ages <= end)
        if start is not None and end is not None
        else np.zeros(ages.size, bool)
    )

    def at_ages(values: Floats, before: float) -> Floats:
        """The value after the last event by each age; NaN where the curve is not given."""
        filled = np.append(values, before)  # which place -1 takes
        return np.where(supported, filled[place], np.nan)

    alive = at_ages(curves.survival, 1.0)
    greenwood = at_ages(curves.greenwood, 0.0)
    low, high = survival_interval(alive, greenwood)
    failed, removed = at_ages(curves.failed, 0.0), at_ages(curves.removed, 0.0)
    failed_low, failed_high = incidence_interval(failed, at_ages(curves.failed_variance, 0.0))
    removed_low, removed_high = incidence_interval(removed, at_ages(curves.removed_variance, 0.0))
    failures = _in_steps(watch.exit[watch.ended == FAILED], ages)
    years = np.diff(_watched_until(entry, exit_, ages), prepend=0) / HOURS_PER_YEAR
    bounds = np.array([poisson_interval(int(count)) for count in failures])
    with np.errstate(divide="ignore", invalid="ignore"):
        hazard, hazard_low, hazard_high = (
            np.where(years > 0, 100 * counts / years, np.nan)
            for counts in (failures, bounds[:, 0], bounds[:, 1])
        )
    return pl.DataFrame(
        {
            "age_years": ages / HOURS_PER_YEAR,
            "followed": _followed(entry, exit_, ages),
            "entries": _in_steps(entry, ages),
            "failures": failures,
            "removals": _in_steps(watch.exit[watch.ended == REMOVED], ages),
            "censored": _in_steps(watch.exit[watch.ended == IN_SERVICE], ages),
            "least_at_risk": _least_at_risk(watch, entry, exit_, ages),
            "supported": supported,
            "survival": alive,
            "survival_low": low,
            "survival_high": high,
            "greenwood": greenwood,
            "failed": failed,
            "failed_low": failed_low,
            "failed_high": failed_high,
            "removed": removed,
            "removed_low": removed_low,
            "removed_high": removed_high,
            "drive_years": years,
            "hazard": hazard,
            "hazard_low": hazard_low,
            "hazard_high": hazard_high,
        },
        nan_to_null=True,
    ).with_columns(
        start_hours=pl.lit(start, pl.Int64),
        end_hours=pl.lit(end, pl.Int64),
        least_at_risk=pl.when(pl.col("least_at_risk") >= 0).then("least_at_risk"),
    )


def supported_stretch(
    entry: Hours, exit_: Hours, fewest: int = FEWEST_FOLLOWED
) -> tuple[int | None, int | None]:
    """The longest stretch of ages at which `fewest` drives or more are followed throughout.

    Args:
        entry: ages at entry, sorted.
        exit_: ages at exit, sorted.
        fewest: how many.

    Returns:
        First age, and the first one after the stretch; of equally long ones the earlier. None and
        None where so many are never followed.
    """
    times = np.unique(np.concatenate([entry, exit_]))
    enough = _followed(entry, exit_, times) >= fewest
    changes = np.flatnonzero(np.diff(enough, prepend=False, append=False))
    starts, ends = times[changes[::2]], times[changes[1::2]]  # the last age has none: it ends
    if not starts.size:
        return None, None
    longest = int(np.argmax(ends - starts))
    return int(starts[longest]), int(ends[longest])


def curves_from(watch: Watch, start: int) -> Curves:
    """Survival and incidence of a group from the age `start` on.

    Drives that entered before are taken in at `start`; events up to it are left out. At an age at
    which drives fail and are removed, all of them are at risk, and so are those whose watch ends
    there; a drive that enters there is not.
    """
    hours, counts = np.unique(
        watch.exit[(watch.ended != IN_SERVICE) & (watch.exit > start)], return_counts=True
    )
    failed_at = watch.exit[(watch.ended == FAILED) & (watch.exit > start)]
    d1 = np.bincount(np.searchsorted(hours, failed_at), minlength=hours.size).astype(np.int64)
    d2 = counts - d1
    at_risk = np.searchsorted(np.sort(watch.entry), hours, "left") - np.searchsorted(
        np.sort(watch.exit), hours, "left"
    )
    y, f, r, d = (values.astype(np.float64) for values in (at_risk, d1, d2, counts))
    alive = np.cumprod(1 - f / y, dtype=np.float64)
    with np.errstate(divide="ignore"):
        greenwood = np.cumsum(np.where(f > 0, f / (y * (y - f)), 0.0))
    here = np.cumprod(1 - d / y)
    before = np.concatenate([[1.0], here[:-1]]) if hours.size else here
    incidence = [np.cumsum(before * each / y) for each in (f, r)]
    # Where all at risk go at once, nothing changes after it and the first term has no part.
    spread = np.where(y > d, d / (y * np.where(y > d, y - d, 1)), 0.0)
    variances = []
    for share, each in zip(incidence, (f, r), strict=True):
        own = before**2 * each * (y - each) / y**3
        mixed = before * each / y**2
        variances.append(
            share**2 * np.cumsum(spread)
            - 2 * share * np.cumsum(spread * share)
            + np.cumsum(spread * share**2)
            + np.cumsum(own)
            - 2 * share * np.cumsum(mixed)
            + 2 * np.cumsum(mixed * share)
        )
    return Curves(
        hours,
        at_risk.astype(np.int64),
        d1,
        d2,
        alive,
        greenwood,
        incidence[0],
        variances[0],
        incidence[1],
        variances[1],
    )


def survival_interval(alive: Floats, greenwood: Floats) -> tuple[Floats, Floats]:
    """Log-log interval (Kalbfleisch and Prentice) of survival; NaN where it is 1 or 0."""
    inside = (alive > 0) & (alive < 1)
    logarithm = np.log(np.where(inside, alive, 0.5))
    factor = NORMAL_QUANTILE * np.sqrt(np.where(inside, greenwood, 0.0)) / -logarithm
    low = np.where(inside, np.exp(logarithm * np.exp(factor)), np.nan)
    high = np.where(inside, np.exp(logarithm * np.exp(-factor)), np.nan)
    return low, high


def incidence_interval(share: Floats, variance: Floats) -> tuple[Floats, Floats]:
    """Interval of a cumulative incidence; NaN where it is 0 or 1.

    The log-log interval of 1 - share, so that it is the complement of survival's where no drive is
    removed.
    """
    inside = (share > 0) & (share < 1)
    rest = np.where(inside, 1 - share, 0.5)
    error = np.sqrt(np.where(inside, np.maximum(variance, 0.0), 0.0))
    factor = NORMAL_QUANTILE * error / (rest * -np.log(rest))
    low = np.where(inside, 1 - rest ** np.exp(-factor), np.nan)
    high = np.where(inside, 1 - rest ** np.exp(factor), np.nan)
    return low, high


def ranking(
    table: pl.DataFrame, kind: str, from_years: float = 0, to_years: float = 5
) -> pl.DataFrame:
    """Groups of a kind by the lower bound of their survival over a span of age.

    A group is ranked when its supported stretch holds the span; from 0 means from birth: a stretch
    that starts by `FROM_BIRTH_HOURS`. Groups of fewer than `FEWEST_RANKED` drives are not ranked.
    Not ranked is not bad: `why_not` says what is missing.

    Args:
        table: `survival`.
        kind: such as `model`; boot drives are not ranked.
        from_years: first age of the span, a multiple of 0.25.
        to_years: last one.

    Returns:
        rank (null for those that are not ranked), group, maker, capacity_tb, survival,
        survival_low and survival_high of drives that reached the first age, least_at_risk within
        the span, why_not. Ranked ones first, by rank; then the others by group.
    """
    rows = table.filter(pl.col("kind") == kind, ~pl.col("boot").fill_null(value=False))
    found = [
        _over_span(group, from_years, to_years)
        for _, group in rows.group_by("group", maintain_order=True)
    ]
    schema = {
        "group": pl.String,
        "maker": pl.String,
        "capacity_tb": pl.Float64,
        "survival": pl.Float64,
        "survival_low": pl.Float64,
        "survival_high": pl.Float64,
        "least_at_risk": pl.Int64,
        "why_not": pl.String,
    }
    ranked = pl.DataFrame(found, schema=schema).with_columns(
        rank=pl.col("survival_low").rank("min", descending=True).cast(pl.Int64)
    )
    return ranked.select("rank", *schema).sort("rank", "group", nulls_last=True)


def _over_span(group: pl.DataFrame, from_years: float, to_years: float) -> dict[str, Any]:
    first = group.row(0, named=True)
    result: dict[str, Any] = {name: first[name] for name in ("group", "maker", "capacity_tb")}
    start, end = first["start_hours"], first["end_hours"]
    if group["entries"].sum() < FEWEST_RANKED:
        return result | {"why_not": f"fewer than {FEWEST_RANKED} drives"}
    latest = from_years * HOURS_PER_YEAR if from_years else FROM_BIRTH_HOURS
    if start is None:
        return result | {"why_not": f"never {FEWEST_FOLLOWED} followed"}
    if start > latest:
        years = start / HOURS_PER_YEAR
        return result | {
            "why_not": f"fewer than {FEWEST_FOLLOWED} followed before {years:.2f} years"
        }
    if end < to_years * HOURS_PER_YEAR:
        years = end / HOURS_PER_YEAR
        return result | {
            "why_not": f"fewer than {FEWEST_FOLLOWED} followed after {years:.2f} years"
        }
    ages = {row["age_years"]: row for row in group.iter_rows(named=True)}
    at_end = ages[to_years]
    at_start = ages[from_years] if from_years else {"survival": 1.0, "greenwood": 0.0}
    if not at_start["survival"]:
        return result | {"why_not": f"none survived {from_years:g} years"}
    alive = at_end["survival"] / at_start["survival"]
    spread = at_end["greenwood"] - at_start["greenwood"]
    low, high = survival_interval(np.array([alive]), np.array([spread]))
    if math.isnan(low[0]):
        return result | {"survival": alive, "why_not": "no failure" if alive else "all failed"}
    within = group.filter(pl.col("age_years") > from_years, pl.col("age_years") <= to_years)
    return result | {
        "survival": alive,
        "survival_low": float(low[0]),
        "survival_high": float(high[0]),
        "least_at_risk": within["least_at_risk"].min(),
    }


def _groups(drives: pl.DataFrame) -> list[tuple[tuple[str, str], pl.DataFrame]]:
    """Kind and name of each group, and its drives."""
    data, boot = drives.filter(~pl.col("boot")), drives.filter("boot")
    groups = [(("all", DATA_DRIVES), data), (("boot", BOOT_DRIVES), boot)]
    for kind, rows in (("maker", data), ("size", data), ("model", drives)):
        named = rows.with_columns(group=GROUPS[kind])
        groups += [
            ((kind, str(name)), group)
            for (name,), group in sorted(named.partition_by("group", as_dict=True).items())
        ]
    return groups


def _followed(entry: Hours, exit_: Hours, ages: Hours) -> Hours:
    """How many drives are followed at each age: entry <= age < exit. Both sorted."""
    return np.searchsorted(entry, ages, "right") - np.searchsorted(exit_, ages, "right")


def _in_steps(hours: Hours, ages: Hours) -> Hours:
    """How many of `hours` are at most each age and more than the one before."""
    return np.diff(np.searchsorted(np.sort(hours), ages, "right"), prepend=0)


def _watched_until(entry: Hours, exit_: Hours, ages: Hours) -> Hours:
    """Hours for which all drives together were watched up to each age. Both sorted."""

    def capped(hours: Hours) -> Hours:
        """Sum of min(hours, age) for each age."""
        below = np.searchsorted(hours, ages, "right")
        sums = np.concatenate([[0], np.cumsum(hours)])
        result: Hours = sums[below] + (hours.size - below) * ages
        return result

    return capped(exit_) - capped(entry)


def _least_at_risk(watch: Watch, entry: Hours, exit_: Hours, ages: Hours) -> Hours:
    """The fewest at risk at a failure in the step that ends with each age; -1 without one."""
    hours = np.unique(watch.exit[watch.ended == FAILED])
    at_risk = np.searchsorted(entry, hours, "left") - np.searchsorted(exit_, hours, "left")
    fewest = np.full(ages.size, np.iinfo(np.int64).max)
    np.minimum.at(fewest, np.searchsorted(ages, hours, "left"), at_risk)
    return np.where(fewest == np.iinfo(np.int64).max, -1, fewest)
