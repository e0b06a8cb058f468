"""Drive models: one spelling for each, its maker, and whether it is a boot drive.

The expressions work on any column; where a frame has many rows of few models, apply them to the
distinct models and join.
"""

import re
from collections.abc import Sequence

import polars as pl

ALIASES = {
    "WUH721816ALE6L4": "WDC WUH721816ALE6L4",
}
"""Spellings of provably one model (the same part number with and without its maker).

Backblaze adds these up in its own tables. Models are never matched by likeness:
`ST16000NM005G` and `ST16000NM001G` are different drives.
"""

_HITACHI = r"^(?:HGST|Hitachi) (HD[ST]\S+)$"
_HGST = r"^Hitachi (H(?:[^D\s]|D[^ST\s])\S*)$"

_MAKERS = {
    "HGST": r"^(HGST|Hitachi)\b|^H(DS|DT|MS|UH|US)\d",  # Hitachi's drives became HGST's in 2012
    "Seagate": r"^Seagate\b|^ST\d",
    "WDC": r"^WDC?\b|^W[DU][A-Z]*\d",
    "Toshiba": r"^TOSHIBA\b|^(MG|MD|MQ|DT|HDW[A-Z])\d",
    "Samsung": r"^(?i:Samsung)\b",
    "Micron": r"^Micron|^MTFD",
    "Crucial": r"^(Crucial\b|CT\d)",
    "Intel": r"^(INTEL\b|SSDSC)",
    "Dell": r"^DELL",
    "HP": r"^HP\b",
}
"""How each maker's models begin. The order does not matter: no model matches two."""

UNKNOWN_MAKER = "Unknown"

_SSD_NAMES = r"SSD|DELLBOSS|Micron|CT250|CT500|WDS|MTFDDAV|SATADOM|IronWolf ZA|SA510"
_LARGEST_BOOT_DRIVE = 900_000_000_000

_MAKER_PREFIX = re.compile(r"(HGST|Hitachi|Seagate|WDC|TOSHIBA|Samsung|SAMSUNG|Micron|HP) (?=\S)")


def clean_model(model: pl.Expr) -> pl.Expr:
    """One spelling for each model: trimmed, blanks collapsed, aliases resolved.

    `WDC  WUH721414ALE6L4` has two blanks for half of its drives. The maker's name stays, but for
    one that changed its name: Hitachi's disks became HGST's in 2012, and `Hitachi HDS5C4040ALE630`
    and `HGST HDS5C4040ALE630` have one part number, so they are one model. It is named as nearly
    all of these drives are: Hitachi where the number is of Hitachi's time (HDS, HDT), else HGST.
    """
    spelled = model.str.strip_chars().str.replace_all(r"\s+", " ")
    one_maker = spelled.str.replace(_HITACHI, "Hitachi ${1}").str.replace(_HGST, "HGST ${1}")
    return one_maker.replace(ALIASES)


def maker(model: pl.Expr) -> pl.Expr:
    """Who makes a cleaned model, as Backblaze's tables name them; `Unknown` when no rule fits."""
    expression = pl.lit(UNKNOWN_MAKER)
    for name, pattern in _MAKERS.items():
        expression = pl.when(model.str.contains(pattern)).then(pl.lit(name)).otherwise(expression)
    return expression


def is_boot_drive(model: pl.Expr, capacity_bytes: pl.Expr) -> pl.Expr:
    """Whether drives of a model boot machines instead of holding data.

    The data do not say so. The rule, by name or a capacity between 0 and 0.9 TB, comes within 10
    of the number of boot drives that Backblaze counts (2022-Q3, 2025-Q2, 2026-Q1, 2026-Q2).

    Args:
        model: cleaned model.
        capacity_bytes: the model's capacity. That of a single row lies now and then: -1 and other
            impossible sizes do not count as small, but neither do they tell what is large. A
            model without a capacity is judged by its name.
    """
    small = capacity_bytes.is_between(0, _LARGEST_BOOT_DRIVE, closed="none")
    return model.str.contains(_SSD_NAMES) | small.fill_null(value=False)


def display_model(model: str) -> str:
    """A cleaned model without its maker's name, for labels: `HDS722020ALA330`."""
    return _MAKER_PREFIX.sub("", model, count=1) if _MAKER_PREFIX.match(model) else model


def short_names(models: Sequence[str]) -> dict[str, str]:
    """Each model without its maker's name, where no other one is then called the same."""
    short = {model: display_model(model) for model in models}
    taken = list(short.values())
    return {model: name if taken.count(name) == 1 else model for model, name in short.items()}
