"""The README says what the graph and the command line are."""

import re

from backblaze_assets.cli.app import app
from backblaze_assets_tests.readme import README, SECTIONS, generated

TEXT = README.read_text(encoding="utf-8")


def test_generated_sections_are_those_of_the_graph():
    assert generated(TEXT) == TEXT, "write them with `python -m backblaze_assets_tests.readme`"
    for name, section in SECTIONS.items():
        assert f"<!-- {name} -->\n{section()}\n<!-- end -->" in TEXT


def test_the_table_of_commands_names_each_once():
    rows = TEXT.partition("| command | does |\n")[2].partition("\n\n")[0].splitlines()[1:]
    named = [match[1] for row in rows if (match := re.match(r"\| `([a-z-]+)", row))]
    assert len(named) == len(rows)
    assert sorted(named) == sorted(app.commands)
