"""The ranking by survival as it is printed."""

import csv
import io
import json

import numpy as np
import polars as pl
import pytest

from backblaze_assets.cli.survival import report
from backblaze_assets.drive_stats.survival import (
    FAILED,
    REMOVED,
    SURVIVAL_SCHEMA,
    Watch,
    by_age,
)
from backblaze_assets.errors import DataError


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """One model that fails slowly, one that fails fast, one that was not watched for long."""
    file = tmp_path_factory.mktemp("survival") / "survival.parquet"
    watches = {
        "HGST slow": ([0] * 400, [20_000 + 100 * n for n in range(400)], FAILED),
        "ST fast": ([0] * 400, [100 * (n + 1) for n in range(400)], FAILED),
        "WDC young": ([0] * 400, [9_000] * 400, REMOVED),
    }
    pl.concat(
        by_age(
            Watch(np.array(entry), np.array(exit_), np.full(len(exit_), ended, np.int8))
        ).with_columns(
            kind=pl.lit("model"),
            group=pl.lit(model),
            maker=pl.lit(model.split()[0]),
            capacity_tb=pl.lit(4.0),
            boot=pl.lit(value=False),
            drives_without_age=pl.lit(0),
            failures_without_age=pl.lit(0),
        )
        for model, (entry, exit_, ended) in watches.items()
    ).select(SURVIVAL_SCHEMA.names()).write_parquet(file)
    return file


def test_models_by_the_lower_bound(path):
    rows = json.loads(report(path, to_years=3, form="json"))
    assert [(row["rank"], row["group"]) for row in rows] == [(1, "HGST slow"), (2, "ST fast")]
    # 63 of 400 fail by 26,280 hours, the first at 20,000; and 262, one each 100 hours.
    assert [row["survival"] for row in rows] == pytest.approx([1 - 63 / 400, 1 - 262 / 400])
    later = json.loads(report(path, from_years=2, to_years=3, form="json"))
    assert later[1]["survival"] == pytest.approx((400 - 262) / (400 - 175))


def test_all_and_why_not(path):
    rows = list(csv.DictReader(io.StringIO(report(path, everything=True, form="csv"))))
    assert rows[-1]["why_not"] == "fewer than 50 followed after 1.03 years"
    text = report(path, everything=True, width=80)
    assert "fewer than 50 followed after 1.03 years" in text
    assert "2 are not ranked" in report(path).replace("\n", " ")  # one has no drive left


@pytest.mark.parametrize("width", [80, 50, 30])
def test_every_line_fits_the_terminal(path, width):
    text = report(path, width=width)
    assert max(map(len, text.splitlines())) <= width
    assert "slow" in text


@pytest.mark.parametrize("span", [(5, 5), (3, 2), (-1, 5), (0, 0.3), (0, 21)])
def test_a_span_that_is_none_is_said(path, span):
    with pytest.raises(DataError, match="no span of age"):
        report(path, from_years=span[0], to_years=span[1])
