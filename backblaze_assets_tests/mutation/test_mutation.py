"""The mutation run, on a package of a few lines."""

import ast
from pathlib import Path, PurePosixPath

import pytest

from backblaze_assets_tests.mutation import judging
from backblaze_assets_tests.mutation.__main__ import (
    IGNORED,
    PATHS,
    ROOT,
    collect,
    main,
    names,
    read_ignored,
    sample,
    wilson,
)
from backblaze_assets_tests.mutation.mutants import Mutant, mutants_of
from backblaze_assets_tests.mutation.reach import Reach

PATH = PurePosixPath("tiny/rules.py")


def changes(source: str) -> set[str]:
    found = mutants_of(PATH, source)
    for mutant in found:
        ast.parse(mutant.text)
    return {mutant.what for mutant in found}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("a < b", {"a < b → (a <= b)", "a < b → (a >= b)"}),
        ("a is None", {"a is None → (a is not None)"}),
        ("a and b", {"a and b → (a or b)", "a and b → (a)", "a and b → (b)"}),
        ("a + b", {"a + b → (a - b)"}),
        ("not a", {"not a → (a)"}),
        ("x[1:]", {"x[1:] → x[:]", "1 → 2"}),
        ("True", {"True → False"}),
        ("'name'", {"'name' → 'nameX'"}),
        ("f(a, b)", {"f(a, b …) → swapped"}),
        ("f(a, key=b)", {"f() without key"}),
        ("min(a)", {"min → max"}),
        ("[a, b]", {"without a", "without b"}),
        ("reversed(a)", {"reversed → list"}),
        ("[a for a in b]", {"b → reversed(list(b))"}),
        ("{a for a in b if c}", {"c → True"}),
        (
            "{a: b, c: d}",
            {"without item 0 of the mapping", "without item 1 of the mapping"},
        ),
        ("a if b else c", {"b → (not (b))"}),
    ],
)
def test_an_expression_is_changed(source, expected):
    assert changes(f"x = {source}\n") == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("f()", {"f() → pass"}),
        ("x += y", {"x += y → pass"}),
        ("if a: b = c", {"a → (not (a))"}),
        ("if not a: b = c", {"not a → (a)"}),
        ("for a in b: c = a", {"b → reversed(list(b))"}),
        ("for a in b: continue", {"b → reversed(list(b))", "continue → pass"}),
        ("raise E('a' + 'b')", {"raise E('a' + 'b') → pass"}),
    ],
)
def test_a_statement_is_changed(source, expected):
    assert changes(f"{source}\n") == expected


@pytest.mark.parametrize(
    "source",
    [
        '"""Text."""',
        "x: list[1] = y",
        "x = f'{a + b}'",
        "x = 'two words'",
        "def f(a: 1) -> 2: pass",
    ],
)
def test_what_cannot_have_an_effect_is_left_alone(source):
    assert changes(f"{source}\n") == set()


def test_arguments_and_items_are_swapped_and_left_out():
    (swapped,) = mutants_of(PATH, "x = f(a, b)\n")
    assert swapped.text == "x = f(b, a)\n"
    (without,) = mutants_of(PATH, "x = f(a, key=b)\n")
    assert without.text == "x = f(a)\n"
    texts = [mutant.text for mutant in mutants_of(PATH, "x = {a: b, c: d}\n")]
    assert texts == ["x = ({c: d})\n", "x = ({a: b})\n"]


def test_only_the_place_itself_is_changed():
    source = 'def f(a):  # ä\n    """Text."""\n    return "é", (a +\n        1)\n'
    found = {mutant.what: mutant.text for mutant in mutants_of(PATH, source)}
    assert found["a + 1 → (a - 1)"] == source.replace("a +\n        1", "(a - 1)")
    assert found["1 → 2"] == source.replace("1)", "2)")
    assert found["'é' → 'éX'"] == source.replace('"é"', "'éX'")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    files = {
        "tiny/__init__.py": "",
        "tiny/rules.py": (
            "def larger(a, b):\n"
            "    return a if a >= b else b\n"
            "\n"
            "\n"
            "def count(items):\n"
            "    number = 0\n"
            "    while items:\n"
            "        items = items[1:]\n"
            "        number += 1\n"
            "    return number\n"
        ),
        "tiny_tests/__init__.py": "",
        "tiny_tests/test_rules.py": (
            "from tiny.rules import larger\n\n"
            "def test_it():\n    assert larger(1, 2) == 2 == larger(2, 1)\n"
        ),
        "tiny_tests/test_other.py": (
            "from tiny.rules import count\n\ndef test_it():\n    assert count('abc') == 3\n"
        ),
        "pyproject.toml": "[tool.pytest.ini_options]\nmarkers = ['slow: slow']\n",
        "ignored.txt": "",
    }
    for name, text in files.items():
        path = tmp_path / "repository" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return tmp_path / "repository"


def run(repository: Path, *arguments: str, path: str = "tiny/rules.py") -> int:
    ignored = str(repository / "ignored.txt")
    return main(["--root", str(repository), "--ignored", ignored, "--paths", path, *arguments])


@pytest.mark.slow
def test_tests_notice_or_do_not(repository, capsys):
    before = (repository / "tiny" / "rules.py").read_bytes()
    (repository / "ignored.txt").write_text(
        "# equal values are alike\n"
        "file: tiny/rules.py\n"
        "line: return a if a >= b else b\n"
        "what: a >= b → (a > b)\n"
        "why: either of two equal values is the larger one\n",
        encoding="utf-8",
    )
    assert run(repository, "--max", "2", "--workers", "2", "--fail-under", "100") == 0
    lines = capsys.readouterr().out.splitlines()
    assert len([line for line in lines if line.startswith("killed ")]) == 2
    assert "noticed 2 of 2: 100.0 % (95 % interval 34.2 - 100.0)" in lines
    assert "   2 of    2  tiny/rules.py" in lines
    assert (repository / "tiny" / "rules.py").read_bytes() == before


@pytest.mark.slow
def test_what_nothing_notices_is_listed(repository, capsys):
    (repository / "tiny_tests" / "test_other.py").unlink()
    (repository / "tiny" / "rules.py").write_text(
        "NUMBER = 1\n\ndef larger(a, b):\n    return max(a, b)\n"
    )
    assert run(repository, "--fail-under", "80") == 1
    output = capsys.readouterr().out
    assert "\nsurvived:\n  tiny/rules.py:1  1 → 2\n      NUMBER = 1\n" in output
    assert "survived:\n" in output
    assert "noticed 1 of 3: 33.3 %" in output


@pytest.mark.slow
def test_tests_that_hang_are_ended(repository, capsys, monkeypatch):
    monkeypatch.setitem(judging.SECONDS, judging.FAST, 2)
    (repository / "tiny_tests" / "test_other.py").unlink()
    (repository / "tiny_tests" / "test_rules.py").write_text(
        "from tiny.rules import emptied\n\ndef test_it():\n    assert emptied([1]) == []\n"
    )
    (repository / "tiny" / "rules.py").write_text(
        "def emptied(items):\n    while items:\n        items.pop()\n    return items\n"
    )
    run(repository)
    output = capsys.readouterr().out
    assert "noticed 2 of 2: 100.0 %" in output
    assert output.endswith("\n1 killed, 1 timeout\n")


@pytest.mark.slow
def test_tests_that_fail_without_a_change_are_an_error(repository, capsys):
    (repository / "tiny_tests" / "test_rules.py").write_text("def test_it():\n    assert False\n")
    assert run(repository, "--max", "1") == 2
    assert capsys.readouterr().err == (
        "the tests fail without any change: tiny_tests/test_rules.py::test_it\n"
    )


@pytest.mark.slow
def test_what_keeps_all_tests_from_being_imported_is_noticed(repository, capsys):
    (repository / "tiny" / "rules.py").write_text("NUMBER = 1\n")
    for path in (repository / "tiny_tests").glob("test_*.py"):
        path.write_text("def test_it():\n    pass\n")
    (repository / "tiny_tests" / "conftest.py").write_text(
        "from tiny import rules\n\nassert rules.NUMBER == 1\n"
    )
    assert run(repository) == 0
    assert "noticed 1 of 1: 100.0 %" in capsys.readouterr().out


def test_when_the_time_is_over_none_is_begun(repository, capsys):
    assert run(repository, "--minutes", "0") == 1
    assert "noticed 0 of 0" in capsys.readouterr().out


def test_list_runs_nothing(repository, capsys):
    (repository / "tiny_tests" / "test_rules.py").write_text("def test_it():\n    assert False\n")
    assert run(repository, "--list", path="tiny") == 0
    lines = capsys.readouterr().out.splitlines()
    assert "tiny/rules.py:2  a >= b → (a > b)" in lines
    assert lines[-1] == f"{len(lines) - 1} mutants"


@pytest.mark.slow
def test_what_the_log_has_is_not_tested_again_unless_it_survived(repository, capsys):
    rules = repository / "tiny" / "rules.py"
    rules.write_text("NUMBER = 1\n\ndef larger(a, b):\n    return max(a, b)\n")
    other = repository / "tiny_tests" / "test_other.py"
    other.write_text("")
    run(repository, "--fast")
    first = capsys.readouterr().out
    assert "noticed 1 of 3" in first
    rules.write_text("\n" + rules.read_text())  # lines may move
    assert run(repository, "--resume") == 0
    assert "NUMBER" in capsys.readouterr().out
    other.write_text("from tiny import rules\n\ndef test_it():\n    assert rules.NUMBER == 1\n")
    run(repository, "--survivors")
    again = capsys.readouterr().out
    assert "noticed 2 of 3" in again
    rows = [line for line in again.splitlines() if "tiny/rules.py:" in line and " s  " in line]
    assert [row.split()[0] for row in rows] == ["killed", "survived"]


@pytest.mark.slow
def test_what_has_noticed_earlier_mutants_comes_first(repository):
    rules = repository / "tiny_tests" / "test_rules.py"
    rules.write_text(
        "def test_one():\n    pass\n\ndef test_two():\n    assert False\n\n"
        "def test_three():\n    assert False\n"
    )
    copy = judging.Copy(repository, repository.parent / "copy")
    assert copy.test([rules], judging.FAST).last == "tiny_tests/test_rules.py::test_two"
    first = ["tiny_tests/test_rules.py::test_three", "tiny_tests/test_rules.py::test_gone"]
    assert copy.test([rules], judging.FAST, first).last == first[0]


def test_a_sample_has_all_files_and_hardly_changes_with_the_code():
    def of(file: str, number: int) -> list[Mutant]:
        lines = "".join(f"x{n} = {n}\n" for n in range(number))
        return mutants_of(PurePosixPath(file), lines)

    def drawn(*mutants: Mutant, number: int = 20) -> set[tuple[str, str, str, int]]:
        return set(sample(names(mutants), number, seed=1))

    large, small = of("a.py", 190), of("b.py", 10)
    chosen = drawn(*large, *small)
    assert (len(chosen), len([name for name in chosen if name[0] == "b.py"])) == (20, 1)
    assert {name[0] for name in drawn(*large, *small, number=2)} == {"a.py", "b.py"}
    gone = next(it for it in large if (*it.key, 0) not in chosen)
    assert drawn(*(it for it in large if it is not gone), *small) == chosen
    assert len(drawn(*small, number=20)) == 10
    alike = mutants_of(PATH, "x = 1\nx = 1\n")
    assert [name[-1] for name in names(alike)] == [0, 1]


@pytest.mark.parametrize(("noticed", "judged"), [(97, 120), (2, 2), (0, 5)])
def test_the_interval_is_that_of_wilson(noticed, judged):
    """At its ends, a true share would be 1.96 standard deviations from the one that was seen."""
    for end in wilson(noticed, judged):
        share = end / 100
        away = (noticed / judged - share) ** 2
        assert away == pytest.approx(1.959964**2 * share * (1 - share) / judged, abs=1e-12)


def test_nearest_tests_come_first():
    reach, folder = Reach(ROOT), ROOT / "backblaze_assets_tests" / "lineage"
    near = reach.near(PurePosixPath("backblaze_assets/lineage/code_version.py"))
    assert near[0] == folder / "test_code_version.py"
    assert set(near) == set(folder.glob("test_*.py"))
    assert reach.near(PurePosixPath("backblaze_assets/verdict.py")) == [
        ROOT / "backblaze_assets_tests" / "test_verdict.py"
    ]


def test_what_cannot_run_a_file_is_left_out(repository):
    tests = repository / "tiny_tests" / "deep"
    tests.mkdir()
    for name, text in {
        "helper.py": "import tiny.rules\n",
        "conftest.py": "@pytest.fixture\ndef rules():\n    import tiny.rules\n",
        "test_by_fixture.py": "def test_it(rules):\n    pass\n",
        "test_by_helper.py": "from tiny_tests.deep import helper\n",
        "test_by_mark.py": "pytestmark = pytest.mark.usefixtures('rules')\n",
        "test_by_name.py": "from importlib import import_module\n",
        "test_nothing.py": "def test_it(tmp_path):\n    pass\n",
        "test_program.py": "import subprocess\n",
    }.items():
        (tests / name).write_text(text)
    others = Reach(repository).others(PATH)
    assert [file.name for file in others] == [
        "test_other.py",  # it alone imports the file itself
        *("test_by_fixture.py", "test_by_helper.py", "test_by_mark.py", "test_by_name.py"),
        "test_program.py",
    ]


@pytest.mark.slow
def test_what_is_ignored_is_still_there():
    paths = [Path("backblaze_assets", name) for name in PATHS]
    mutants = collect(ROOT, [path for path in paths if (ROOT / path).exists()])
    assert set(read_ignored(IGNORED)) <= {mutant.key for mutant in mutants}


@pytest.mark.parametrize("end", ["", "why:\n"])
def test_what_is_ignored_needs_a_reason(tmp_path, end):
    text = f"file: a\nline: b\nwhat: c\n{end}"
    (tmp_path / "ignored.txt").write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match="expected lines file:"):
        read_ignored(tmp_path / "ignored.txt")
