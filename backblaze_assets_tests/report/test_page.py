"""The report as a whole, and what its sentences say when."""

import re
from dataclasses import replace
from datetime import date
from html import escape
from html.parser import HTMLParser

import polars as pl
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from backblaze_assets.drive_stats.published import RECONCILED_SCHEMA
from backblaze_assets.drive_stats.rates import poisson_interval
from backblaze_assets.drive_stats.survival import SURVIVAL_SCHEMA
from backblaze_assets.report.inputs import Inputs
from backblaze_assets.report.page import SECTIONS, page
from backblaze_assets.report.sentences import sentences
from backblaze_assets.report.text import anchor
from backblaze_assets_tests.drive_stats.tables import Q1, Q2, Q4, afr_rows

VOID = {"meta", "link", "input", "br"}


class Read(HTMLParser):
    """What a browser would find: ids, links, classes; complains of tags that do not match."""

    def __init__(self, text):
        super().__init__()
        self.ids, self.links, self.open, self.rows = [], [], [], 0
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        if "id" in given:
            self.ids.append(given["id"])
        self.links += [given[name] for name in ("href", "src") if name in given]
        self.rows += tag == "tr"
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag


def test_the_page_is_whole_and_makes_no_request(inputs):
    text = page(inputs)
    read = Read(re.sub(r"<(style|script)[^>]*>.*?</\1>", "", text, flags=re.DOTALL))
    assert len(read.ids) == len(set(read.ids))
    inside = {link.removeprefix("#") for link in read.links if link.startswith("#")}
    assert inside <= set(read.ids)
    assert {key for key, *_ in SECTIONS} <= inside
    assert [link for link in read.links if not link.startswith("#")] == [
        "data:,",
        "../movie/movie.mp4",
        "../movie/movie.mp4",
    ]
    assert "http" not in text
    assert set(re.findall(r"url\(([^)]{11})", text)) == {"data:font/w"}
    assert "&lt;three&gt; quarters" in text
    assert len(text.encode()) < 2_000_000
    assert page(inputs) == text


def test_every_model_has_its_section_and_the_ranking_its_rows(inputs):
    text = page(inputs)
    life = inputs.rows("model", "lifetime")
    for model in life["model"]:
        assert text.count(f">{escape(inputs.names[model])}</b>") == 1
    pane = text[text.index('id="pane-year"') : text.index('id="pane-lifetime"')]
    rows = re.findall(r"<tr.*?</tr>", pane)[1:]
    ranked = inputs.rows("model", "year").filter(pl.col("status") == "published")
    assert len(rows) == ranked.height
    for rate, row in zip(ranked.sort("afr_high")["afr"], rows, strict=True):
        assert f">{rate:.1f}\u202f%<" in row or f">{rate:.2f}\u202f%<" in row
    assert "1 models are no longer in service" in pane
    assert "Not ranked: 1 models in service" in pane


def test_a_section_shows_the_rate_over_time_of_models_with_enough_drive_days(inputs):
    counts = pl.col("drive_days", "failures", "drives_end", "drives_seen")
    tables = {quarter: rows.with_columns(counts * 7) for quarter, rows in inputs.tables.items()}
    large = replace(inputs, tables=tables)
    sections = dict(re.findall(r'<details id="(model-[^"]*)">(.*?)</details>', page(large)))
    drawn = set()
    for (model,), rows in large.series.filter(kind="model").group_by("group"):
        told = sections[anchor(model)]
        enough = rows.filter(pl.col("drive_days") >= 3_650).height >= 2
        drawn.add(enough)
        assert ('class="behind"' in told) == enough
        if enough:
            assert f"up to {rows['drives_end'].max():,}</figcaption>" in told
    assert drawn == {True, False}


def with_rates(rows):
    days, failures = pl.col("drive_days"), pl.col("failures")
    bounds = pl.DataFrame(
        [poisson_interval(count) for count in rows["failures"]], ["low", "high"], orient="row"
    )
    return (
        rows.hstack(bounds)
        .with_columns(
            afr=36_500 * failures / days,
            afr_low=36_500 * pl.col("low") / days,
            afr_high=36_500 * pl.col("high") / days,
        )
        .drop("low", "high")
    )


def table(counts):
    """The same counts over every window: drives, days and failures of each model."""
    rows = []
    total = {"drives_end": 0, "drive_days": 0, "failures": 0}
    for model, counted in counts.items():
        figures = dict(zip(total, counted, strict=True))
        rows.append({"model": model, "first_seen": Q1, "last_seen": Q2, **figures})
        total = {name: total[name] + figures[name] for name in total}
    rows.append({"kind": "all", "group": "data drives", **total})
    for row in rows:
        row["drives_failed"] = row["failures"]
    return with_rates(
        pl.concat(
            afr_rows([{**row, "window": window} for row in rows])
            for window in ("quarter", "year", "lifetime")
        )
    )


def days(quarter_days):
    rows = [
        (day, quarter, True, partial, False)
        for quarter, partial in quarter_days.items()
        for day in pl.date_range(
            quarter, quarter.replace(month=quarter.month + 2, day=28), "1d", eager=True
        )
    ]
    schema = ["date", "quarter", "reported", "partial", "synthetic"]
    return pl.DataFrame(rows, schema, orient="row")


def small(now, before=None, *, partial=False, **given):
    tables = {Q2: table(now)} | ({Q1: table(before)} if before else {})
    known = days({Q1: partial, Q2: False} if before else {Q2: False})
    return Inputs(
        Q2,
        tables,
        given.get("survival", SURVIVAL_SCHEMA.to_frame()),
        known,
        RECONCILED_SCHEMA.to_frame(),
    )


def said(inputs):
    return [re.sub("<[^>]*>", "", text).replace("\u202f", " ") for text, _ in sentences(inputs)]


EVEN = {"A": (900, 90_000, 5), "B": (900, 90_000, 6), "C": (900, 90_000, 5)}


def test_without_a_difference_nothing_is_claimed():
    first, second, third = said(small(EVEN, EVEN))
    assert first == (
        "16 drives failed in 2014-Q2 so far, to 2014-06-28: 2.16 % in a year. That is within "
        "chance of the quarter before (2.16 %)."
    )
    assert second == "No model's rate is above the rest's by more than chance."
    assert third == "No model's rate is below the rest's by more than chance."


def test_drives_that_fail_twice_are_told_from_failures():
    even = small(EVEN)
    twice = even.newest.with_columns(drives_failed=pl.col("failures") - 1)
    first = said(replace(even, tables={Q2: twice}))[0]
    assert first.startswith("16 failures of 15 drives in 2014-Q2 so far")


def test_a_quarter_without_a_drive_is_called_that():
    none = small(EVEN)
    empty = replace(none, tables={Q2: none.newest.filter(pl.col("window") == "lifetime")})
    assert said(empty) == ["No drive was seen in 2014-Q2 so far, to 2014-06-28."]
    assert "0 drives came, 0 failed" in page(empty)


def test_more_and_up_are_said_only_beyond_chance():
    many = EVEN | {"A": (900, 90_000, 60)}
    first, second, third = said(small(many, EVEN))
    assert "more than the quarter before (2.16 %)" in first
    assert first.endswith("Up for A.")
    low = 36_500 * poisson_interval(60)[0] / 90_000
    assert second == (f"One of 3 models fails more often than the rest: A (at least {low:.1f} %).")
    high = 36_500 * poisson_interval(5)[1] / 90_000
    assert third.startswith(f"Lowest, and proven so: C (at most {high:.2f} %)")
    assert "less than the quarter before" in said(small(EVEN, many))[0]
    assert said(small(EVEN, many))[0].endswith("Down for A.")


def test_a_partial_or_missing_quarter_is_not_compared_with():
    assert "That is" not in said(small(EVEN, EVEN, partial=True))[0]
    assert "That is" not in said(small(EVEN))[0]


def test_those_that_fail_most_are_named_by_their_lower_bounds():
    bad = {f"bad {n}": (900, 90_000, 50 + 20 * n) for n in range(5)}
    good = {f"good {n}": (9_000, 9_000_000, 300 + n) for n in range(6)}
    _, second, third = said(small(bad | good))
    assert second.startswith("5 of 11 models fail more often than the rest, most clearly bad 4 (")
    assert second.count("at least") == 3
    assert third.count("at most") == 3
    assert "good 0" in third


def test_where_the_rest_has_no_failure_nothing_is_divided_by_it():
    text = page(small({"A": (900, 90_000, 30), "B": (900, 90_000, 0)}))
    watched = text[text.index('id="watch"') : text.index('id="changed"')]
    assert "(the rest: no failure)" in watched
    assert "+30" in watched


@st.composite
def counts(draw):
    """Drives, drive days and failures of some models: few or many of each, or none."""
    some = st.one_of(st.just(0), st.integers(1, 3), st.integers(4, 5_000))
    fleet = {}
    for model in "ABCDE"[: draw(st.integers(1, 5))]:
        days = 1 + draw(some) * draw(st.sampled_from([1, 90]))
        fleet[model] = (draw(some), days, min(draw(some), days))
    return fleet


@pytest.mark.slow
@settings(max_examples=100, deadline=None, phases=[Phase.generate])  # a page is too long to shrink
@given(now=counts(), before=st.none() | counts())
def test_whatever_the_counts_are_there_is_a_whole_page(now, before):
    text = page(small(now, before))
    Read(re.sub(r"<(style|script)[^>]*>.*?</\1>", "", text, flags=re.DOTALL))
    assert not re.search(r">\s*(nan|inf|None)\b", text)


def test_how_many_fail_is_of_the_oldest_age_that_was_watched():
    def curve(kind, group, alive):
        return [
            {
                "kind": kind,
                "group": group,
                "age_years": float(age),
                "supported": True,
                "followed": 500 if age < 4 else 99,
                "survival": share,
                "survival_low": share - 0.01,
                "survival_high": share + 0.01,
                "failed": (1 - share) * 0.9,
                "removed": 0.2,
                "boot": False,
            }
            for age, share in enumerate(alive, 1)
        ]

    rows = curve("all", "data drives", [0.98, 0.95, 0.9, 0.8])
    rows += curve("model", "A", [0.99, 0.98, 0.97, 0.96])
    rows += curve("model", "B", [0.9, 0.8, 0.7, 0.6])
    table = pl.DataFrame(
        [{name: row.get(name) for name in SURVIVAL_SCHEMA.names()} for row in rows],
        schema=SURVIVAL_SCHEMA,
    )
    found = sentences(small(EVEN, survival=table))[-1]
    assert re.sub("<[^>]*>", "", found[0]) == (
        "Of 100 drives 10.0 fail within three years, of A 3.0, of B 30.0."
    )
    assert "9.0 - 11.0" in found[1]
    assert "9.0 failed and 20.0 were taken out working" in found[1]
    alike = table.with_columns(pl.lit(0.9).alias("survival_low"))
    text = said(small(EVEN, survival=alike))[-1]
    assert text == "Of 100 drives 10.0 fail within three years."


def test_names_are_escaped(inputs):
    tables = {
        quarter: each.with_columns(pl.col("model", "group").str.replace("ST4000", "<i>&"))
        for quarter, each in inputs.tables.items()
    }
    text = page(replace(inputs, tables=tables))
    assert "<i>" not in text
    assert "&lt;i&gt;&amp;DM000" in text


def test_models_whose_names_differ_in_signs_alone_have_sections_of_their_own():
    names = ("A B", "A-B", "A_B", "A  B", "AÄB", "A_2d_B")
    text = page(small(dict.fromkeys(names, (900, 90000, 5))))
    assert len(set(re.findall(r'<details id="(model-[^"]*)">', text))) == len(names)


def test_quarters_before(inputs):
    assert (inputs.quarter_before, inputs.year_before) == (Q1, date(2013, 4, 1))
    assert replace(inputs, quarter=Q1).quarter_before == Q4
