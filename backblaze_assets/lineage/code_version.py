"""Code versions: a digest of the code that an asset's content depends on.

The version covers the modules named for the asset and all modules of this package that these
import, directly or not. Comments, docstrings and formatting do not count, and neither do modules
that only carry things around.
"""

import ast
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from backblaze_assets.files.origin import digest

PACKAGE = Path(__file__).parents[1]
CARRIERS = ("errors", "files", "work")
"""Modules that shape no content: messages, provenance, progress bars, places of files, Ctrl-C."""


def code_version(*names: str) -> str:
    """Version of the code in `names` and in everything of this package that they import.

    Args:
        names: modules relative to the package, such as `film.render`, or data files with their
            suffix, such as `film/fonts/sans.ttf`.
    """
    return version_below(PACKAGE, names)


def version_below(package: Path, names: Iterable[str]) -> str:
    """`code_version` for the package in the folder `package`."""
    closure: dict[str, bytes] = {}
    todo = list(names)
    while todo:
        name = todo.pop()
        if name not in closure:
            closure[name], imported = _read(package, name)
            todo += imported
    return digest(part for name in sorted(closure) for part in (name, closure[name]))


@cache
def _read(package: Path, name: str) -> tuple[bytes, list[str]]:
    """What counts of a module or data file, and the modules of the package that it imports."""
    path = _file(package, name)
    if path is None:
        raise ValueError(f"no module {name} in {package}")
    if path.suffix != ".py":
        return path.read_bytes(), []
    tree = ast.parse(path.read_text(encoding="utf-8"))
    imported = _imports(package, tree)
    return ast.unparse(_StripDocstrings().visit(tree)).encode(), imported


def _file(package: Path, name: str) -> Path | None:
    """The file of a module or data file; None where the name is a function or an empty package."""
    if "/" in name:
        return package / name
    path = package.joinpath(*name.split("."))
    return next((p for p in (path.with_suffix(".py"), path / "__init__.py") if p.is_file()), None)


def _imports(package: Path, tree: ast.Module) -> list[str]:
    """Modules of the package that a module imports, without those that only carry."""
    found: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            found += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
    prefix = f"{package.name}."
    ours = (module.removeprefix(prefix) for module in found if module.startswith(prefix))
    return [
        module
        for module in ours
        if not module.startswith(CARRIERS) and _file(package, module) is not None
    ]


class _StripDocstrings(ast.NodeTransformer):
    """Takes every statement out that is a mere string."""

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        text = isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        return None if text else node
