"""Small changes to source code that tests ought to notice.

Every mutant replaces one stretch of one file. Left alone is what has no effect, or none that a test
should pin down: docstrings, annotations, f-strings, the text of errors, prose.
"""

import ast
import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Div,
    ast.Mod: ast.Mult,
    ast.Pow: ast.Mult,
    ast.BitOr: ast.BitAnd,
    ast.BitAnd: ast.BitOr,
}
FUNCTIONS = {"min": "max", "max": "min", "any": "all", "all": "any", "sorted": "list"}


@dataclass(frozen=True)
class Mutant:
    """One changed copy of a file.

    Attributes:
        path: the file, from the root of the repository.
        line: where the change is, from 1.
        source: that line as it is, without blanks around it.
        what: the change, such as `a < b → a <= b`.
        text: the whole file with the change.
    """

    path: PurePosixPath
    line: int
    source: str
    what: str
    text: str

    @property
    def key(self) -> tuple[str, str, str]:
        """What stays the same when lines move."""
        return str(self.path), self.source, self.what


def mutants_of(path: PurePosixPath, text: str) -> list[Mutant]:
    """All mutants of a file, in order of their place.

    Args:
        path: the file, from the root of the repository.
        text: what it holds.

    Raises:
        SyntaxError: the text is not Python.
    """
    content = text.encode()
    starts = [0]
    for line in content.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))

    def place(line: int, column: int) -> int:
        return starts[line - 1] + column

    found = []
    for node, replacement, *told in _changes(ast.parse(text)):
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        begin = place(node.lineno, node.col_offset)
        end = place(node.end_lineno, node.end_col_offset)
        changed = content[:begin] + replacement.encode() + content[end:]
        what = told[0] if told else f"{_short(ast.unparse(node))} → {_short(replacement)}"
        source = text.splitlines()[node.lineno - 1].strip()
        found.append(Mutant(path, node.lineno, source, what, changed.decode()))
    return sorted(found, key=lambda mutant: (mutant.line, mutant.what))


Place = ast.expr | ast.stmt
Change = tuple[Place, str] | tuple[Place, str, str]
"""What is replaced by what, and how to say that where the two are too long to show."""


def _changes(tree: ast.Module) -> Iterator[Change]:
    for node in _live(tree):
        if isinstance(node, ast.stmt):
            yield from _statement(node)
        elif isinstance(node, ast.expr):
            yield from _operator(node)
            yield from _value(node)
            yield from _items(node)
        elif isinstance(node, ast.comprehension):
            yield from ((condition, "True") for condition in node.ifs)


def _live(node: ast.AST) -> Iterator[ast.AST]:
    """A node and all below it that can have an effect."""
    yield node
    skipped = {"annotation", "returns", "type_params"}
    for name, value in ast.iter_fields(node):
        if name in skipped or isinstance(node, ast.JoinedStr | ast.Raise | ast.Assert):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST) and not _is_docstring(child):
                yield from _live(child)


def _is_docstring(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _statement(node: ast.stmt) -> Iterator[Change]:
    match node:
        case ast.If() | ast.While():
            yield from _negated(node.test)
        case ast.For():
            yield from _reversed(node.iter)
        case ast.Expr() | ast.AugAssign() | ast.Raise() | ast.Delete():
            yield node, "pass"
        case ast.Continue() | ast.Break():
            yield node, "pass"


def _operator(node: ast.expr) -> Iterator[Change]:
    match node:
        case ast.Compare():
            for index, operator in enumerate(node.ops):
                for other in COMPARISONS[type(operator)]:
                    others = [*node.ops[:index], other(), *node.ops[index + 1 :]]
                    yield node, _changed(node, _setter("ops", others))
        case ast.BoolOp():
            opposite = ast.Or() if isinstance(node.op, ast.And) else ast.And()
            yield node, _changed(node, _setter("op", opposite))
            for index in range(len(node.values)):
                if len(node.values) == 2:
                    yield node, f"({ast.unparse(node.values[1 - index])})"
                else:
                    yield node, _changed(node, _remover("values", index))
        case ast.BinOp(op=operator) if type(operator) in ARITHMETIC:
            yield node, _changed(node, _setter("op", ARITHMETIC[type(operator)]()))
        case ast.UnaryOp(op=ast.Not()):
            yield node, f"({ast.unparse(node.operand)})"
        case ast.IfExp():
            yield from _negated(node.test)


def _value(node: ast.expr) -> Iterator[Change]:
    match node:
        case ast.Constant():
            yield from _constant(node)
        case ast.Call():
            yield from _call(node)


def _items(node: ast.expr) -> Iterator[Change]:
    match node:
        case ast.Dict() if len(node.keys) > 1:
            for index in range(len(node.keys)):
                changed = _changed(node, _remover("keys", index), _remover("values", index))
                yield node, changed, f"without item {index} of the mapping"
        case ast.List() | ast.Set() if len(node.elts) > 1:
            for index in range(len(node.elts)):
                changed = _changed(node, _remover("elts", index))
                yield node, changed, f"without {_short(ast.unparse(node.elts[index]))}"
        case ast.ListComp():
            yield from _reversed(node.generators[0].iter)
        case ast.Subscript(slice=ast.Slice() as bounds):
            for name in ("lower", "upper"):
                if getattr(bounds, name) is not None:
                    without = copy.copy(bounds)
                    setattr(without, name, None)
                    yield node, _changed(node, _setter("slice", without))


def _negated(test: ast.expr) -> Iterator[Change]:
    """A condition turned round, unless another change of it does the same."""
    match test:
        case ast.Compare(ops=[ast.Eq() | ast.NotEq() | ast.Is() | ast.IsNot()]):
            return
        case ast.Compare(ops=[ast.In() | ast.NotIn()]) | ast.UnaryOp(op=ast.Not()):
            return
        case _:
            yield test, f"(not ({ast.unparse(test)}))"


def _reversed(iterated: ast.expr) -> Iterator[Change]:
    yield iterated, f"reversed(list({ast.unparse(iterated)}))"


def _constant(node: ast.Constant) -> Iterator[Change]:
    match node.value:
        case bool():
            yield node, repr(not node.value)
        case int():
            yield node, repr(node.value + 1)
        case float():
            yield node, repr(node.value * 2 + 1)
        case str() if node.value.strip() and not any(char.isspace() for char in node.value):
            yield node, repr(node.value + "X")


def _call(node: ast.Call) -> Iterator[Change]:
    plain = not any(isinstance(argument, ast.Starred) for argument in node.args)
    if isinstance(node.func, ast.Name) and node.func.id in FUNCTIONS and not node.keywords:
        yield node.func, FUNCTIONS[node.func.id]
    if isinstance(node.func, ast.Name) and node.func.id == "reversed":
        yield node.func, "list"
    if plain and len(node.args) > 1:
        first, second = ast.unparse(node.args[0]), ast.unparse(node.args[1])
        if first != second:
            name = _short(ast.unparse(node.func))
            yield (
                node,
                _changed(node, _swap),
                f"{name}({_short(first)}, {_short(second)} …) → swapped",
            )
    for index, keyword in enumerate(node.keywords):
        if keyword.arg is not None:
            changed = _changed(node, _remover("keywords", index), bare=True)
            yield node, changed, f"{_short(ast.unparse(node.func))}() without {keyword.arg}"


def _swap(call: ast.Call) -> None:
    call.args[:2] = reversed(call.args[:2])


def _setter(field: str, value: object) -> Callable[[ast.AST], None]:
    return lambda node: setattr(node, field, value)


def _remover(field: str, index: int) -> Callable[[ast.AST], None]:
    return lambda node: getattr(node, field).__delitem__(index)


def _changed(node: ast.expr, *changes: Callable[..., None], bare: bool = False) -> str:
    """The source of a changed copy, in parentheses unless `bare` or needless."""
    new = copy.deepcopy(node)
    for change in changes:
        change(new)
    text = ast.unparse(new)
    return text if bare or isinstance(new, ast.Call | ast.Subscript) else f"({text})"


def _short(source: str, length: int = 100) -> str:
    """One line that fits a table."""
    line = " ".join(source.split())
    return line if len(line) <= length else f"{line[: length // 2]} … {line[-length // 2 :]}"
