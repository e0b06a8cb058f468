"""Code versions: a digest of all the code that makes an asset's content.

It begins at the function in `assets/` that makes the asset, and covers what that function uses of
its own module, and every module below `SHAPING` that these import, directly or not, with the data
files beside them that they read. Comments, docstrings and formatting do not count. Neither do an
asset's metadata and checks, nor any other folder: those carry things around, and a change there
must not import 744 million rows anew.
"""

import ast
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from backblaze_assets.files.origin import digest

PACKAGE = Path(__file__).parents[1]

SHAPING = ("assets", "drive_stats", "film", "report")
"""Folders of the package whose code shapes content."""


@cache
def code_version(asset: str) -> str:
    """Version of the code that makes an asset."""
    return version_below(PACKAGE, asset)


def version_below(package: Path, asset: str) -> str:
    """`code_version` for the package in the folder `package`.

    Raises:
        ValueError: there is no module of the asset's name with a function of that name.
    """
    own = package / "assets" / f"{asset}.py"
    if not own.is_file():
        raise ValueError(f"no module {own}")
    used = _used_by(asset, _tree(own))
    closure: dict[str, bytes] = {own.name: _source(used)}
    todo = _needed(package, own, used)
    while todo:
        path = todo.pop()
        name = path.relative_to(package).as_posix()
        if name not in closure:
            closure[name], needed = _read(package, path)
            todo += needed
    return digest(part for name in sorted(closure) for part in (name, closure[name]))


@cache
def _read(package: Path, path: Path) -> tuple[bytes, list[Path]]:
    """What counts of a module or data file, and the files of the package that it needs."""
    if path.suffix != ".py":
        return path.read_bytes(), []
    body = _tree(path).body
    return _source(body), _needed(package, path, body)


def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def _source(body: Iterable[ast.stmt]) -> bytes:
    module = ast.Module(body=list(body), type_ignores=[])
    # A copy without docstrings: the trees of `body` are looked at again.
    return ast.unparse(_StripDocstrings().visit(ast.parse(ast.unparse(module)))).encode()


def _used_by(function: str, tree: ast.Module) -> list[ast.stmt]:
    """The statements of a module that a function of it needs: itself, and all that it names."""
    defined: dict[str, list[ast.stmt]] = {}
    for statement in tree.body:
        for name in _names_bound(statement):
            defined.setdefault(name, []).append(statement)
    if function not in defined:
        raise ValueError(f"no function {function} in the module of that name")
    used: set[ast.stmt] = set()
    todo = [function]
    while todo:
        for statement in defined.get(todo.pop(), []):
            if statement not in used:
                used.add(statement)
                nodes = ast.walk(statement)
                todo += [node.id for node in nodes if isinstance(node, ast.Name)]
    return [statement for statement in tree.body if statement in used]


def _names_bound(statement: ast.stmt) -> list[str]:
    """The names that a statement at the top of a module gives a meaning to."""
    match statement:
        case ast.Import() | ast.ImportFrom():
            return [(alias.asname or alias.name).partition(".")[0] for alias in statement.names]
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            return [statement.name]
        case _:
            nodes = ast.walk(statement)
            return [
                node.id
                for node in nodes
                if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
            ]


def _needed(package: Path, path: Path, body: Iterable[ast.stmt]) -> list[Path]:
    """Files of the package that shape what these statements do: modules and data files."""
    found: list[Path] = []
    for node in (node for statement in body for node in ast.walk(statement)):
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
            found += _modules(package, names)
        elif isinstance(node, ast.Import):
            found += _modules(package, [alias.name for alias in node.names])
        elif isinstance(node, ast.Call):
            found += _data_files(path, node)
    return found


def _modules(package: Path, names: Iterable[str]) -> list[Path]:
    """The files of those modules that shape content; a name may be a function or a constant."""
    found = []
    for name in names:
        top, _, rest = name.partition(".")
        if top == package.name and rest.partition(".")[0] in SHAPING:
            at = package.joinpath(*rest.split("."))
            found += [p for p in (at.with_suffix(".py"), at / "__init__.py") if p.is_file()]
    return found


def _data_files(path: Path, call: ast.Call) -> list[Path]:
    """What `Path(__file__).with_name(...)` stands for: a data file, or a folder of them.

    Where the name is not written there, all data files beside the module.
    """
    match call:
        case ast.Call(
            func=ast.Attribute(
                value=ast.Call(func=ast.Name(id="Path"), args=[ast.Name(id="__file__")]),
                attr="with_name",
            ),
            args=[name],
        ):
            beside = (
                path.with_name(str(name.value)) if isinstance(name, ast.Constant) else path.parent
            )
            inside = sorted(file for file in beside.rglob("*") if file.is_file())
            data = [file for file in inside if file.suffix not in (".py", ".pyc", ".typed")]
            return data if beside.is_dir() else [beside]
    return []


class _StripDocstrings(ast.NodeTransformer):
    """Takes every statement out that is a mere string."""

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        text = isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        return None if text else node
