"""The benchmarks can be run: their modules, and the code that they run in other interpreters."""

import ast
import importlib
from pathlib import Path

import pytest

from backblaze_assets_tests.benchmarks import __main__ as benchmarks


def test_help_names_every_benchmark(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["benchmarks", "--help"])
    with pytest.raises(SystemExit) as end:
        benchmarks.main()
    assert end.value.code == 0
    said = capsys.readouterr().out
    assert len(benchmarks.NAMES) >= 8
    assert all(name in said for name in benchmarks.NAMES)


@pytest.mark.parametrize("name", ["harness", *(f"bench_{name}" for name in benchmarks.NAMES)])
def test_all_that_a_benchmark_imports_is_there(name):
    module = importlib.import_module(f"backblaze_assets_tests.benchmarks.{name}")
    assert name == "harness" or callable(module.run)
    for code in _scripts(Path(str(module.__file__))):
        for node in ast.walk(ast.parse(code)):
            if isinstance(node, ast.ImportFrom):
                source = importlib.import_module(str(node.module))
                for alias in node.names:
                    assert hasattr(source, alias.name) or importlib.import_module(
                        f"{node.module}.{alias.name}"
                    )


def _scripts(path: Path) -> list[str]:
    """The strings of a module that are programs."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    texts = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)]
    return [text for text in texts if isinstance(text, str) and text.lstrip().startswith("import ")]
