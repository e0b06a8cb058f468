from datetime import date

import polars as pl
import pytest

from backblaze_assets.verdict import MOST_ROWS, Verdict


def test_a_table_is_shown_as_markdown():
    table = pl.DataFrame(
        {
            "day": [date(2016, 4, 1), None],
            "rows": [12345, 0],
            "share": [0.25, 1 / 3],
            "what": ["a|b", ""],
        }
    )
    assert Verdict(passed=False, message="", table=table).markdown().splitlines() == [
        "| day | rows | share | what |",
        "| --- | --: | --: | --- |",
        "| 2016-04-01 | 12,345 | 0.25 | a\\|b |",
        "|  | 0 | 0.3333 |  |",
    ]


def test_a_long_table_is_cut_and_says_so():
    table = pl.DataFrame({"number": range(MOST_ROWS + 1500)})
    lines = Verdict(passed=False, message="", table=table).markdown().splitlines()
    assert len(lines) == MOST_ROWS + 4
    assert lines[-1] == "and 1,500 more"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a|b", r"a\|b"),
        ("<b>&lt;", r"\<b\>\&lt;"),
        ("[x](javascript:y)", r"\[x\]\(javascript\:y\)"),
        ("a\nb\x1b[31m", r"a\\nb\\x1b\[31m"),
        ("`*_~", r"\`\*\_\~"),
        ("\u202eevil", r"\\u202eevil"),
        ("é 日本", "é 日本"),
    ],
)
def test_text_from_the_data_is_text(text, shown):
    table = pl.DataFrame({text: [text]})
    lines = Verdict(passed=False, message="", table=table).markdown().splitlines()
    assert lines == [f"| {shown} |", "| --- |", f"| {shown} |"]
