"""Which models Backblaze shows in its tables, how it counts them, and what it leaves out.

Everything that depends on when a table was published stands here, with where it is known from.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Literal

import polars as pl

from backblaze_assets.drive_stats.quarters import FIRST_DAY, quarter_of

Window = Literal["quarter", "year", "calendar_year", "lifetime"]
"""What a rate is over: the quarter, the twelve months that end with it, the calendar year up to
its end, or all history up to its end."""

Counted = Literal["end", "seen"]
"""How drives are counted: in service at the end, or all that were seen."""

PUBLISHED = "published"
TOO_SMALL = "too small"
RETIRED = "retired"
BOOT = "boot"


@dataclass(frozen=True)
class PublicationRule:
    """Which models a published table shows. Boot drives are never shown.

    Attributes:
        drives: fewest drives of a model. Those of a lifetime table are counted in its quarter,
            so that it shows models in service only; others in the table's window.
        drive_days: fewest drive days in the window.
        counted: drives in service at the end, or all that were `seen`.
        last_quarter_days: fewest drive days in the window's last quarter.
    """

    drives: int
    drive_days: int = 0
    counted: Counted = "end"
    last_quarter_days: int = 0

    def __post_init__(self) -> None:
        """A table of models without a drive would show retired ones as if they were in service."""
        if self.drives < 1:
            raise ValueError("a published model has at least one drive")


@dataclass(frozen=True)
class DatedRule:
    """The rule that was followed for tables of some quarters.

    Attributes:
        since: first day of the first quarter; the rule holds until the next one of its window.
        window: what the tables are over.
        rule: the rule.
        source: where it is known from.
    """

    since: date
    window: Window
    rule: PublicationRule
    source: str


_TO_2019 = "techpowerup.com/255046 and Backblaze's stats.sql: at least 45 drives at the end"
_FROM_2019 = "techrepublic on 2019-Q2, pcge.eu on 2023: at least 60 drives at the end"
_FROM_2024 = "post on 2024-Q1: at least 100 drives at the end, more than 10,000 drive days"
_POST_2025 = (
    "post on 2025: a quarter more than 100 drives and 10,000 days, a year 250 and 50,000, "
    "lifetime 500 and 100,000"
)
_SEEN = (
    f"{_POST_2025}; drives seen, by the tables of 2025-Q4, 2025 (HMS5C4040BLE640 with 186 at the "
    "end is in) and 2026-Q1"
)
_IN_SERVICE = "models in service; drives are those of the quarter (2026-Q1: HUH721212ALE600 2,608)"

RULES = (
    DatedRule(quarter_of(FIRST_DAY), "quarter", PublicationRule(45), _TO_2019),
    DatedRule(date(2019, 4, 1), "quarter", PublicationRule(60), _FROM_2019),
    DatedRule(date(2024, 1, 1), "quarter", PublicationRule(100, 10_001), _FROM_2024),
    DatedRule(date(2024, 7, 1), "quarter", PublicationRule(101, 10_001), _POST_2025),
    DatedRule(date(2025, 10, 1), "quarter", PublicationRule(101, 10_001, "seen"), _SEEN),
    DatedRule(quarter_of(FIRST_DAY), "year", PublicationRule(45), _TO_2019),
    DatedRule(date(2019, 4, 1), "year", PublicationRule(60), _FROM_2019),
    DatedRule(
        date(2019, 10, 1),
        "year",
        PublicationRule(60, last_quarter_days=5_001),
        f"{_FROM_2019}; cdrinfo.com on 2019: more than 5,000 drive days in its last quarter",
    ),
    DatedRule(date(2020, 1, 1), "year", PublicationRule(60), _FROM_2019),
    DatedRule(date(2024, 1, 1), "year", PublicationRule(251, 50_001), "post on 2024"),
    DatedRule(date(2025, 10, 1), "year", PublicationRule(251, 50_001, "seen"), _SEEN),
    DatedRule(quarter_of(FIRST_DAY), "lifetime", PublicationRule(45), f"{_TO_2019}; {_IN_SERVICE}"),
    DatedRule(date(2019, 4, 1), "lifetime", PublicationRule(60), f"{_FROM_2019}; {_IN_SERVICE}"),
    DatedRule(
        date(2024, 1, 1),
        "lifetime",
        PublicationRule(501, 100_001),
        f"{_POST_2025}; {_IN_SERVICE}",
    ),
    DatedRule(
        date(2025, 10, 1),
        "lifetime",
        PublicationRule(501, 100_001, "seen"),
        f"{_SEEN}; {_IN_SERVICE}",
    ),
)
"""All rules, those of one window in the order of time. Calendar years follow those of `year`.

When in 2025 the basis of the counts changed is not known; nor whether 2024-Q3 and Q4 asked for
100 drives or for more.
"""

AGE_IN_YEARS_UNTIL = date(2015, 1, 1)
"""The last quarter whose table printed ages in years; later ones print months."""

AGES_VERIFIED_UNTIL = AGE_IN_YEARS_UNTIL
"""Ages by SMART 9 of the drives at the end are those of the published tables, as far as that was
seen: 12 of 13 models of 2014. For tables since 2022 nobody has shown how ages are computed."""


def rule_for(quarter: date, window: Window) -> PublicationRule:
    """The rule that Backblaze followed, or is taken to have followed, for a table.

    Args:
        quarter: first day of the quarter, or of the last quarter of the window.
        window: what the table is over.
    """
    name = "year" if window == "calendar_year" else window
    return [entry for entry in RULES if entry.window == name and entry.since <= quarter][-1].rule


def adjusted(
    rule: PublicationRule,
    *,
    min_drives: int | None = None,
    min_days: int | None = None,
    counted: Counted | None = None,
) -> PublicationRule:
    """`rule` with what a person wants to be otherwise; None leaves it as it is.

    With any of the two thresholds given, that of the last quarter no longer applies.
    """
    changes: dict[str, object] = {}
    if min_drives is not None:
        changes["drives"] = max(min_drives, 1)
    if min_days is not None:
        changes["drive_days"] = min_days
    if changes:
        changes["last_quarter_days"] = 0
    if counted is not None:
        changes["counted"] = counted
    return replace(rule, **changes)  # type: ignore[arg-type]


def with_status(models: pl.DataFrame, rules: Mapping[Window, PublicationRule]) -> pl.DataFrame:
    """Rows of models with the column `status`: what a table by these rules does with each.

    Args:
        models: columns window, model, boot, drives_end, drives_seen and drive_days, with the rows
            of the window `quarter` among them: they say what is in service.
        rules: the rule of each window.

    Returns:
        `models` in their order; `status` is `published` (shown), `too small` (in service, below a
        threshold), `retired` (no drive in service at the end, and not shown) or `boot`.
    """
    in_quarter = models.filter(pl.col("window") == "quarter").select(
        "model",
        quarter_end="drives_end",
        quarter_seen="drives_seen",
        quarter_days="drive_days",
    )
    joined = models.join(in_quarter, on="model", how="left", maintain_order="left")
    shown = pl.lit(value=False)
    for window, rule in rules.items():
        end_or_seen = f"{'quarter' if window == 'lifetime' else 'drives'}_{rule.counted}"
        passes = (
            (pl.col(end_or_seen).fill_null(0) >= rule.drives)
            & (pl.col("drive_days") >= rule.drive_days)
            & (pl.col("quarter_days").fill_null(0) >= rule.last_quarter_days)
        )
        shown = pl.when(pl.col("window") == window).then(passes).otherwise(shown)
    status = (
        pl.when("boot")
        .then(pl.lit(BOOT))
        .when(shown)
        .then(pl.lit(PUBLISHED))
        .when(pl.col("drives_end") == 0)
        .then(pl.lit(RETIRED))
        .otherwise(pl.lit(TOO_SMALL))
    )
    kept = [name for name in models.columns if name != "status"]
    return joined.select(*kept, status=status)
