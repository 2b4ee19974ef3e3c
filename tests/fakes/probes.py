"""E: an import hook that notes which lines of pure modules run, where a trace function would slow down everything.

Python 3.11 runs all of a process several times slower once it has a trace function. A probe is one store into an array,
before each statement of the modules that are looked at; all others are imported as ever.
"""

from __future__ import annotations

import ast
import sys
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import CodeType, ModuleType

RAN = "__ran__"
"""A module's array: a byte a line, 1 once that has run."""


def is_pure(source: str | bytes) -> bool:
    return (ast.get_docstring(ast.parse(source)) or "").startswith("P:")


def _lines(statement: ast.stmt) -> Iterator[int]:
    yield statement.lineno
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield from (decorator.lineno for decorator in statement.decorator_list)


def _probe(line: int, at: ast.stmt) -> ast.stmt:
    (probe,) = ast.parse(f"{RAN}[{line}] = 1").body
    for node in ast.walk(probe):
        if isinstance(node, ast.stmt | ast.expr):
            ast.copy_location(node, at)
    return probe


def _must_come_first(statement: ast.stmt) -> bool:
    """Whether it is a docstring or an import from the future."""
    text = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
    return text or (isinstance(statement, ast.ImportFrom) and statement.module == "__future__")


def _block(statements: list[ast.stmt], opened_by: Sequence[int]) -> list[ast.stmt]:
    """The statements, each behind its probes; the first one's also note the line that led into the block.

    So an `except` or a `case` has run once it is chosen: a trace function sees it when it is tried.
    """
    block: list[ast.stmt] = []
    waiting = list(opened_by)
    for statement in statements:
        waiting += _lines(statement)
        if not _must_come_first(statement):
            block += [_probe(line, statement) for line in waiting]
            waiting.clear()
        block.append(statement)
    return block + [_probe(line, statements[-1]) for line in waiting]


def probed(tree: ast.Module) -> ast.Module:
    """The module, changed in place, with a probe before each statement; it needs an array as its global `__ran__`."""
    for node in list(ast.walk(tree)):
        opened_by: tuple[int, ...] = ()
        if isinstance(node, ast.ExceptHandler):
            opened_by = (node.lineno,)
        elif isinstance(node, ast.match_case):
            opened_by = (node.pattern.lineno,)
        for field in ("body", "orelse", "finalbody"):
            statements = getattr(node, field, None)
            if isinstance(statements, list) and statements:
                setattr(node, field, _block(statements, opened_by))
    return tree


class _Loader(SourceFileLoader):
    """Compiles the source each time: what Python keeps compiled has no probes."""

    def __init__(self, fullname: str, path: str, source: bytes, ran: bytearray) -> None:
        super().__init__(fullname, path)
        self._source = source
        self._ran = ran

    def get_code(self, fullname: str) -> CodeType:  # noqa: ARG002 - the loader's interface
        code: CodeType = compile(probed(ast.parse(self._source)), self.path, "exec", dont_inherit=True)
        return code

    def exec_module(self, module: ModuleType) -> None:
        setattr(module, RAN, self._ran)
        super().exec_module(module)


class Probes:
    """A finder of modules: of those in `package`, it gives probes to the pure ones."""

    def __init__(self, package: str) -> None:
        self._package = package
        self._ran: dict[str, bytearray] = {}

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        if name.partition(".")[0] != self._package:
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is None or not isinstance(spec.loader, SourceFileLoader):
            return spec
        source = spec.loader.get_data(spec.loader.path)
        if is_pure(source):
            # One array a file: who loads a module once more adds to it.
            ran = self._ran.setdefault(spec.loader.path, bytearray(source.count(b"\n") + 2))
            spec.loader = _Loader(name, spec.loader.path, source, ran)
        return spec

    def lines(self) -> dict[str, list[int]]:
        """The lines that have run till now, by file."""
        return {path: [line for line, seen in enumerate(ran) if seen] for path, ran in self._ran.items()}

    def install(self) -> None:
        loaded = [name for name in sys.modules if name.partition(".")[0] == self._package]
        if loaded:
            raise RuntimeError(f"too late for probes in {loaded}")
        sys.meta_path.insert(0, self)
