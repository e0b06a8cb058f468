"""Groups of drives that rates and survival are given for, and how each is named."""

import polars as pl

DATA_DRIVES = "data drives"
BOOT_DRIVES = "boot drives"
UNKNOWN_SIZE = "unknown size"


def terabytes(capacity_bytes: pl.Expr) -> pl.Expr:
    """The size that a drive is sold as: one decimal from 1 TB up, two below.

    A drive of 26 TB has 26,006 GB: with two decimals it would be of another size than it is.
    """
    exact = capacity_bytes / 1e12
    return pl.when(exact >= 1).then(exact.round(1)).otherwise(exact.round(2))


_SIZE = (
    pl.when(pl.col("capacity_tb").is_null())
    .then(pl.lit(UNKNOWN_SIZE))
    .otherwise(pl.format("{} TB", pl.col("capacity_tb").cast(pl.String).str.strip_suffix(".0")))
)
GROUPS: dict[str, pl.Expr] = {
    "model": pl.col("model"),
    "maker": pl.col("maker"),
    "size": _SIZE,
    "maker_size": pl.format("{} {}", "maker", _SIZE),
    "all": pl.lit(DATA_DRIVES),
    "boot": pl.lit(BOOT_DRIVES),
}
"""The name of the group that a drive or a model belongs to, for each kind.

From its columns model, maker and capacity_tb.
"""
