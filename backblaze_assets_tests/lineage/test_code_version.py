"""Which changes of the code make which assets out of date: those whose content they shape."""

import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from backblaze_assets.graph import GRAPH
from backblaze_assets.lineage import code_version as module
from backblaze_assets.lineage.code_version import (
    PACKAGE,
    code_version,
    digest_below,
    version_below,
)


class Copy:
    """A copy of the package, to be edited once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def edit(self, name: str, old: str | bytes, new: str | bytes) -> None:
        """Replace what stands exactly once in a file."""
        path = self.folder / name
        content = path.read_bytes()
        before, after = (it.encode() if isinstance(it, str) else it for it in (old, new))
        assert content.count(before) == 1, (name, old)
        path.write_bytes(content.replace(before, after))

    def out_of_date(self) -> set[str]:
        """Assets that have another version than the package itself."""
        return {name for name in GRAPH if version_below(self.folder, name) != code_version(name)}


@pytest.fixture
def copy(tmp_path: Path) -> Copy:
    folder = tmp_path / PACKAGE.name
    shutil.copytree(PACKAGE, folder, ignore=shutil.ignore_patterns("__pycache__"))
    return Copy(folder)


@pytest.mark.slow
def test_a_copy_has_the_versions_of_the_package(copy):
    assert copy.out_of_date() == set()
    assert len({code_version(name) for name in GRAPH}) == len(GRAPH)


@pytest.mark.parametrize(
    ("name", "old", "new", "expected"),
    [
        # How an asset chooses, orders and hands on its inputs.
        (
            "assets/movie.py",
            "in sorted(clips.items(), key=str)",
            "in sorted(clips.items(), key=str, reverse=True)",
            {"movie"},
        ),
        (
            "assets/afr_table.py",
            'part.inputs["daily_stats"].items()}',
            'list(part.inputs["daily_stats"].items())[-2:]}',
            {"afr_table"},
        ),
        ("assets/drive_lifetimes.py", 'bool(facts["synthetic"])', "False", {"drive_lifetimes"}),
        ("assets/daily_stats.py", "if path.exists() else None", "", {"daily_stats"}),
        (
            "assets/raw_quarter.py",
            "_remove_others(part.path, [day for day in days if day not in unreadable])",
            "pass",
            {"raw_quarter"},
        ),
        # What the function that makes an asset uses of its own module.
        (
            "assets/drive_lifetimes.py",
            "previous = held.get(before) or Lifetimes.load(before) if before else None",
            "previous = Lifetimes.load(before) if before else None",
            {"drive_lifetimes"},
        ),
        (
            "assets/frames.py",
            "groupby(parts, key=lambda part: quarter_of(part.day))",
            "groupby(parts, key=lambda part: part.day)",
            {"frames"},
        ),
        # Modules and constants of the domain.
        ("drive_stats/rates.py", "DAYS_PER_YEAR = 365", "DAYS_PER_YEAR = 366", None),
        ("film/encode.py", "def join_clips(", "ONE_MORE = 1\n\n\ndef join_clips(", None),
        ("film/layout.py", "class FilmLayout:", "class FilmLayout:\n    one_more = 1\n", None),
    ],
)
def test_code_that_shapes_content_makes_exactly_its_assets_out_of_date(
    copy, name, old, new, expected
):
    copy.edit(name, old, new)
    drawn = {"film_layout", "frames", "movie", "share", "report"}  # it has a still of the film
    many = {
        "film/encode.py": {"movie_clip", "movie"},
        "film/layout.py": drawn,
        "drive_stats/rates.py": {"afr_table", "survival"} | drawn - {"frames"},
    }
    assert copy.out_of_date() == (expected or many[name])


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("drive_stats/daily_csv.py", {"raw_quarter"}),
        ("drive_stats/publication.py", {"afr_table", "report"}),
        ("report/sections.py", {"report"}),
        ("film/rings.py", {"frames", "movie", "share", "report"}),
        # What judges results does not shape them, nor does what carries them around.
        ("drive_stats/quality.py", set()),
        ("drive_stats/import_quality.py", set()),
        ("drive_stats/demo.py", set()),
        ("drive_stats/download.py", set()),
        ("film/quality.py", set()),
        ("lineage/step.py", set()),
        ("lineage/status.py", set()),
        ("files/atomic.py", set()),
        ("work/processes.py", set()),
        ("instance/records.py", set()),
        ("automation/keep_up_to_date.py", set()),
        ("cli/update.py", set()),
        ("graph.py", set()),
        ("partitions.py", set()),
    ],
)
def test_one_more_statement_in_a_module(copy, name, expected):
    path = copy.folder / name
    path.write_text(path.read_text("utf-8") + "\nONE_MORE = 1\n", "utf-8")
    assert copy.out_of_date() == expected


def test_a_byte_of_a_font_makes_everything_out_of_date_that_is_drawn(copy):
    font = copy.folder / "film" / "fonts" / "Roboto-Light.ttf"
    content = bytearray(font.read_bytes())
    content[-1] ^= 1
    font.write_bytes(content)
    assert copy.out_of_date() == {"frames", "movie", "share", "report"}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("drive_stats/published.csv", {"report"}),
        ("report/style.css", {"report"}),
        ("drive_stats/archives.csv", set()),
    ],
)
def test_tables_and_styles_count_for_what_reads_them(copy, name, expected):
    path = copy.folder / name
    path.write_bytes(path.read_bytes() + b"\n")
    assert copy.out_of_date() == expected


@pytest.mark.parametrize("asset", GRAPH)
def test_what_is_told_of_a_result_and_its_checks_do_not_count(copy, asset):
    path = copy.folder / "assets" / f"{asset}.py"
    text = path.read_text("utf-8")
    head, found, tail = text.partition("\ndef metadata(")
    assert found
    # Another first statement of `metadata`, one more check, and other constants for both.
    signature, colon, body = tail.partition(":\n    ")
    assert colon
    text = f"{head}{found}{signature}{colon}print()\n    {body}"
    text += "\n\ndef one_more(scope):\n    return TOLD\n\n\nTOLD, CHECKS, COLUMNS = 1, (), None\n"
    path.write_text(text, "utf-8")
    assert copy.out_of_date() == set()


def test_comments_docstrings_and_formatting_make_nothing_out_of_date(copy):
    for path in copy.folder.rglob("*.py"):
        text = path.read_text("utf-8").replace("\n\n\n", "\n\n# Why.\n\n\n\n")
        path.write_text(f'"""Another docstring."""\n{text}\n# The end.\n', "utf-8")
    assert copy.out_of_date() == set()


def test_a_module_that_an_asset_begins_to_use_counts(copy):
    (copy.folder / "drive_stats" / "fresh.py").write_text("FACTOR = 2\n", "utf-8")
    copy.edit(
        "drive_stats/rates.py",
        "DAYS_PER_YEAR = 365",
        "from backblaze_assets.drive_stats.fresh import FACTOR\nDAYS_PER_YEAR = 365",
    )
    one = version_below(copy.folder, "afr_table")
    assert one != code_version("afr_table")
    # Modules are cached by path.
    other = copy.folder.parent / "other" / PACKAGE.name
    shutil.copytree(copy.folder, other)
    (other / "drive_stats" / "fresh.py").write_text("FACTOR = 3\n", "utf-8")
    assert version_below(other, "afr_table") not in (one, code_version("afr_table"))


def test_an_asset_without_module_or_function_is_an_error(copy):
    with pytest.raises(ValueError, match=r"no module .*nothing\.py"):
        version_below(copy.folder, "nothing")
    (copy.folder / "assets" / "nothing.py").write_text("something = 1\n", "utf-8")
    with pytest.raises(ValueError, match="no function nothing"):
        version_below(copy.folder, "nothing")


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where versions are kept, and none found yet, as in a process that has just begun."""
    path = tmp_path / "code_versions.json"
    monkeypatch.setattr(module, "KEPT", path)
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    code_version.cache_clear()
    yield path
    code_version.cache_clear()


def test_what_one_process_has_found_the_next_one_believes_while_the_code_is_the_same(kept):
    found = code_version("movie")
    known = json.loads(kept.read_text())
    assert known == {"of": digest_below(PACKAGE), "movie": found}
    kept.write_text(json.dumps({**known, "movie": "as was found"}))
    code_version.cache_clear()
    assert code_version("movie") == "as was found"
    assert code_version("share") == version_below(PACKAGE, "share")
    assert json.loads(kept.read_text()).keys() == {"of", "movie", "share"}


@pytest.mark.parametrize(
    "text",
    [json.dumps({"of": "other bytes", "movie": "old"}), json.dumps({"movie": "old"}), "{", "7"],
)
def test_a_process_finds_versions_itself_when_the_code_is_another(kept, text):
    kept.write_text(text)
    assert code_version("movie") == version_below(PACKAGE, "movie")


def test_where_nothing_can_be_kept_versions_are_found_each_time(kept, monkeypatch):
    (kept.parent / "file").write_text("")
    monkeypatch.setattr(module, "KEPT", kept.parent / "file" / "versions.json")
    assert code_version("movie") == version_below(PACKAGE, "movie")


def test_where_python_keeps_nothing_neither_does_this(kept, monkeypatch):
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    code_version("movie")
    assert not kept.exists()


def test_every_byte_of_the_package_decides_whether_that_is_so(copy):
    before = digest_below(copy.folder)
    digest_below.cache_clear()
    assert digest_below(copy.folder) == before
    (copy.folder / "__pycache__").mkdir()
    (copy.folder / "__pycache__" / "anything").write_text("")
    digest_below.cache_clear()
    assert digest_below(copy.folder) == before
    (copy.folder / "drive_stats" / "published.csv").write_text("")
    digest_below.cache_clear()
    assert digest_below(copy.folder) != before
