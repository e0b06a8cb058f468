"""Dates, sizes, rates and names as they stand on the picture, the same in every locale."""

from collections.abc import Sequence
from datetime import date

from backblaze_assets.drive_stats.models import display_model

MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)


def long_date(day: date) -> str:
    """A date such as `30 September 2016`."""
    return f"{day.day} {MONTHS[day.month - 1]} {day.year}"


def month(day: date) -> str:
    """A month such as `September 2016`."""
    return f"{MONTHS[day.month - 1]} {day.year}"


def capacity(size: int) -> str:
    """Bytes with a decimal unit and three or four figures, such as `276.3 PB`."""
    value, unit = size / 1e12, "TB"
    for larger in ("PB", "EB"):
        if value < 1000:
            break
        value, unit = value / 1000, larger
    if unit == "TB":
        return f"{value:,.0f} TB"
    return f"{value:.2f} {unit}" if value < 10 else f"{value:.1f} {unit}"


def round_capacity(size: int) -> str:
    """Bytes that are a round number of a unit, such as `100 PB`."""
    for unit, name in ((10**18, "EB"), (10**15, "PB")):
        if size >= unit:
            return f"{size // unit} {name}"
    return f"{size // 10**12} TB"


def capacity_of_drive(size: int) -> str:
    """A drive's capacity as its maker sells it, such as `1.5 TB` or `500 GB`."""
    return f"{size / 1e12:.2g} TB" if size >= 0.95e12 else f"{size / 1e9:.0f} GB"


def rate(percent: float) -> str:
    """A rate with one figure after the point, such as `31.1 %`."""
    return f"{percent:.1f} %"


def whole_rate(percent: float) -> str:
    """A rate for a sentence: a whole number from 10 on, such as `31 %`; else as in `rate`."""
    return f"{percent:.0f} %" if percent >= 10 else rate(percent)


def short_names(models: Sequence[str]) -> dict[str, str]:
    """Names without the maker, where they are unique without it."""
    short = {model: display_model(model) for model in models}
    uses: dict[str, int] = {}
    for name in short.values():
        uses[name] = uses.get(name, 0) + 1
    return {model: name if uses[name] == 1 else model for model, name in short.items()}
