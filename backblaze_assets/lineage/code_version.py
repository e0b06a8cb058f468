"""Code versions: a digest of all the code that makes an asset's content.

It begins at the function in `assets/` that makes the asset, and covers what that function uses of
its own module, and every module below `SHAPING` that these import, directly or not, with the data
files beside them that they read. Comments, docstrings and formatting do not count. Neither do an
asset's metadata and checks, nor any other folder: those carry things around, and a change there
must not import 744 million rows anew.
"""

import ast
import json
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import cache
from importlib.util import cache_from_source
from pathlib import Path

from backblaze_assets.files.atomic import write_atomic
from backblaze_assets.files.origin import digest

PACKAGE = Path(__file__).parents[1]

SHAPING = ("assets", "drive_stats", "film", "report")
"""Folders of the package whose code shapes content."""

KEPT = Path(cache_from_source(str(PACKAGE / "code_versions.py"))).with_suffix(".json")
"""Where the versions that were found are kept, with a digest of the bytes that they were found of:
beside the compiled modules. To find them anew takes each process half a second or more."""


@cache
def code_version(asset: str) -> str:
    """Version of the code that makes an asset."""
    known = {"of": digest_below(PACKAGE)}
    known |= _kept(known["of"])
    if asset not in known:
        known[asset] = version_below(PACKAGE, asset)
        if not sys.dont_write_bytecode:
            with suppress(OSError):  # the package may be read-only
                write_atomic(KEPT, json.dumps(known).encode(), sync=False)
    return known[asset]


def _kept(of: str) -> dict[str, str]:
    """The versions that are kept, if they are those of just this code."""
    try:
        known: dict[str, str] = json.loads(KEPT.read_bytes())
        return known if known["of"] == of else {}
    except (OSError, ValueError, LookupError, TypeError):
        return {}


@cache
def digest_below(package: Path) -> str:
    """A digest of all files of the package, byte by byte, those aside that Python derives."""
    files = (path for path in package.rglob("*") if path.is_file())
    source = sorted(path for path in files if "__pycache__" not in path.parts)
    return digest(part for path in source for part in (str(path), path.read_bytes()))


def version_below(package: Path, asset: str) -> str:
    """`code_version` for the package in the folder `package`; raises as `source_below`."""
    source = source_below(package, asset)
    return digest(part for name in sorted(source) for part in (name, source[name]))


def source_below(package: Path, asset: str) -> dict[str, bytes]:
    """What the code version of an asset is a digest of: what counts of each file, by its name.

    Args:
        package: the folder of the package.
        asset: its key.

    Raises:
        ValueError: there is no module of the asset's name with a function of that name.
    """
    own = package / "assets" / f"{asset}.py"
    if not own.is_file():
        raise ValueError(f"no module {own}")
    source = _source(_used_by(asset, _tree(own.read_text(encoding="utf-8"))))
    closure: dict[str, bytes] = {own.name: source.encode()}
    todo = _needed(package, own, source)
    while todo:
        path = todo.pop()
        name = path.relative_to(package).as_posix()
        if name not in closure:
            closure[name], needed = _read(package, path)
            todo += needed
    return closure


@cache
def _read(package: Path, path: Path) -> tuple[bytes, list[Path]]:
    """What counts of a module or data file, and the files of the package that it needs."""
    if path.suffix != ".py":
        return path.read_bytes(), []
    source = _whole(path.read_text(encoding="utf-8"))
    return source.encode(), _needed(package, path, source)


@cache  # by what is read, so that copies of the package cost nothing
def _whole(text: str) -> str:
    return _source(_tree(text).body)


def _tree(text: str) -> ast.Module:
    """A module without its docstrings, and without other statements that are a mere string."""
    tree = ast.parse(text)
    _strip(tree)
    return tree


def _strip(node: ast.AST) -> None:
    for name in ("body", "orelse", "finalbody"):
        if isinstance(statements := getattr(node, name, None), list):
            statements[:] = [it for it in statements if not _is_text(it)]
            for statement in statements:
                _strip(statement)
    for part in (*getattr(node, "handlers", ()), *getattr(node, "cases", ())):
        _strip(part)


def _is_text(statement: ast.stmt) -> bool:
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )


def _source(body: Iterable[ast.stmt]) -> str:
    """Statements as text that does not hang on how they were formatted."""
    return ast.unparse(ast.Module(body=list(body), type_ignores=[]))


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


FROM = re.compile(r"^ *from (\S+) import (.+)$", re.MULTILINE)
IMPORT = re.compile(r"^ *import (.+)$", re.MULTILINE)
BESIDE = re.compile(r"Path\(__file__\)\.with_name\((?:'([^']*)'\))?")


def _needed(package: Path, path: Path, source: str) -> list[Path]:
    """Files of the package that shape what a module does: modules and data files.

    `ast.unparse` writes every import on a line of its own, so that they are found as text, which
    takes a fifth of the time that walking the tree takes; every process of Dagster does this when
    it starts.
    """
    names = [name for imported in IMPORT.findall(source) for name in _names(imported)]
    for module, imported in FROM.findall(source):
        names += [module, *(f"{module}.{name}" for name in _names(imported))]
    return [*_modules(package, names), *_data_files(path, source)]


def _names(imported: str) -> Iterator[str]:
    """The names in `a.b as c, d`."""
    for each in imported.split(", "):
        yield each.partition(" as ")[0]


def _modules(package: Path, names: Iterable[str]) -> list[Path]:
    """The files of those modules that shape content; a name may be a function or a constant."""
    found = []
    for name in names:
        top, _, rest = name.partition(".")
        if top == package.name and rest.partition(".")[0] in SHAPING:
            at = package.joinpath(*rest.split("."))
            found += [p for p in (at.with_suffix(".py"), at / "__init__.py") if p.is_file()]
    return found


def _data_files(path: Path, source: str) -> list[Path]:
    """What `Path(__file__).with_name(...)` stands for: a data file, or a folder of them.

    Where the name is not written there, all data files beside the module.
    """
    found: list[Path] = []
    for name in BESIDE.findall(source):
        beside = path.with_name(name) if name else path.parent
        inside = sorted(file for file in beside.rglob("*") if file.is_file())
        data = [file for file in inside if file.suffix not in (".py", ".pyc", ".typed")]
        found += data if beside.is_dir() else [beside]
    return found
