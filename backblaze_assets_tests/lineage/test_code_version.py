import shutil
from pathlib import Path

import pytest

from backblaze_assets.lineage.code_version import version_below


@pytest.fixture
def package(tmp_path: Path) -> Path:
    folder = tmp_path / "backblaze_assets"
    (folder / "drive_stats").mkdir(parents=True)
    (folder / "drive_stats" / "__init__.py").write_text("")
    (folder / "drive_stats" / "afr.py").write_text(
        "from backblaze_assets.drive_stats import rules\n\n\n"
        "def afr(n):\n    return rules.scale * n\n"
    )
    (folder / "drive_stats" / "rules.py").write_text("scale = 365\n")
    (folder / "drive_stats" / "other.py").write_text("x = 1\n")
    (folder / "progress.py").write_text("y = 1\n")
    return folder


def version(package: Path, name: str = "drive_stats.afr") -> str:
    # Modules are cached by path; a copy elsewhere is read anew.
    copy = package.parent / f"copy{len(list(package.parent.iterdir()))}" / "backblaze_assets"
    shutil.copytree(package, copy)
    return version_below(copy, [name])


def test_a_changed_rule_in_an_imported_module_changes_the_version(package):
    before = version(package)
    (package / "drive_stats" / "rules.py").write_text("scale = 366\n")
    assert version(package) != before


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("drive_stats/rules.py", '"""What for."""\n\nscale = 365  # days\n'),
        ("drive_stats/other.py", "x = 2\n"),
        ("drive_stats/afr.py", None),
    ],
)
def test_comments_docstrings_and_unrelated_modules_do_not_count(package, name, text):
    before = version(package)
    path = package / name
    path.write_text(text or path.read_text().replace("(n):", '(n):\n    """Rate."""\n    # Why.'))
    assert version(package) == before


def test_an_unknown_module_is_an_error(package):
    with pytest.raises(ValueError, match=r"no module drive_stats\.nowhere"):
        version_below(package, ["drive_stats.nowhere"])


def test_data_files_count(package):
    font = package / "drive_stats" / "font.ttf"
    font.write_bytes(b"one")
    before = version(package, "drive_stats/font.ttf")
    font.write_bytes(b"two")
    assert version(package, "drive_stats/font.ttf") != before
