"""Which tests can notice a change of a file, and which are the nearest."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

IMPORTS_BY_NAME = "import_module"
STARTS_PROGRAMS = "subprocess"


@dataclass(frozen=True)
class Source:
    """A Python file, and what of the repository it imports."""

    root: Path
    file: Path

    @cached_property
    def text(self) -> str:
        return self.file.read_text(encoding="utf-8")

    @cached_property
    def _nodes(self) -> list[ast.AST]:
        return list(ast.walk(ast.parse(self.text)))

    @cached_property
    def imports(self) -> set[Path]:
        names: set[str] = set()
        for node in self._nodes:
            if isinstance(node, ast.Import):
                names.update(alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                names.add(node.module)
                names.update(f"{node.module}.{alias.name}" for alias in node.names)
        return {file for name in names for file in self._files(name)}

    def _files(self, name: str) -> Iterator[Path]:
        path = self.root.joinpath(*name.split("."))
        for file in (path.with_suffix(".py"), path / "__init__.py"):
            if file.exists():
                yield file

    @cached_property
    def fixtures(self) -> set[str]:
        """The fixtures that it defines."""
        return {
            node.name
            for node in self._nodes
            if isinstance(node, ast.FunctionDef)
            and any("fixture" in ast.unparse(decorator) for decorator in node.decorator_list)
        }

    @cached_property
    def words(self) -> set[str]:
        """Names of arguments and plain texts: by these a test asks for a fixture."""
        found = {node.arg for node in self._nodes if isinstance(node, ast.arg)}
        return found | {
            node.value
            for node in self._nodes
            if isinstance(node, ast.Constant) and isinstance(node.value, str)
        }


class Reach:
    """The tests of a repository, each package's in a package beside it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._sources: dict[Path, Source] = {}
        self._closures: dict[Path, set[Path]] = {}

    def near(self, path: PurePosixPath) -> list[Path]:
        """The files that mirror `path`: the one of its name, then those of its folder.

        Of a module at the package's root, only the one of its name.
        """
        folder = self._folder(path).joinpath(*path.parts[1:-1])
        own = folder / f"test_{path.name}"
        found = [own] if own.exists() else []
        if len(path.parts) > 2:
            found += [file for file in self._direct_first(folder, path) if file != own]
        return found

    def others(self, path: PurePosixPath) -> list[Path]:
        """All further files whose tests may run code of `path`."""
        near = self.near(path)
        return [
            file
            for file in self._direct_first(self._folder(path), path)
            if file not in near and self.may_run(file, path)
        ]

    def may_run(self, test: Path, path: PurePosixPath) -> bool:
        """Whether a test imports a file, by whatever way, or imports or starts who knows what."""
        uses = self._uses(test)
        tests = self._folder(path)
        return self.root / path in uses or any(
            IMPORTS_BY_NAME in self._source(file).text
            or (STARTS_PROGRAMS in self._source(file).text and file.is_relative_to(tests))
            for file in uses
        )

    def _folder(self, path: PurePosixPath) -> Path:
        return self.root / f"{path.parts[0]}_tests"

    def _direct_first(self, folder: Path, path: PurePosixPath) -> list[Path]:
        """The test files below a folder, those that import `path` themselves first."""
        mutated = self.root / path
        return sorted(
            folder.rglob("test_*.py"),
            key=lambda file: (mutated not in self._source(file).imports, file),
        )

    def _source(self, file: Path) -> Source:
        return self._sources.setdefault(file, Source(self.root, file))

    def _uses(self, test: Path) -> set[Path]:
        """All files of the repository that a test imports, or a fixture that it asks for."""
        if test not in self._closures:
            found, new = set(), {test}
            while new:
                file = new.pop()
                found.add(file)
                new |= (self._source(file).imports | self._conftests(file)) - found
            self._closures[test] = found
        return self._closures[test]

    def _conftests(self, file: Path) -> set[Path]:
        """The files whose fixtures a file with tests or fixtures asks for."""
        if not file.name.startswith(("test_", "conftest")):
            return set()
        return {
            conftest
            for folder in file.parents
            if folder.is_relative_to(self.root)
            and (conftest := folder / "conftest.py").exists()
            and self._source(conftest).fixtures & self._source(file).words
        }
