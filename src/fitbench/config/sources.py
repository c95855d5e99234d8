"""What the names of a module are bound to, read from its source. The module is not imported.

The source is parsed, and names are followed through assignments and `from .. import ..`.
"""

from __future__ import annotations

import ast
import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache

from fitbench.user_code import spec_of

DEPTH = 20  # imports and aliases that are followed one after another


@dataclass(frozen=True)
class Import:
    """A name that is imported: `from module import name`, or `import module` where `name` is empty."""

    module: str
    name: str = ""


@dataclass
class Source:
    """A module as it is written: what each of its names is bound to, and the modules of `from module import *`."""

    module: str
    bound: dict[str, ast.AST | Import | None] = field(default_factory=dict)  # None: bound more than once
    stars: list[str] = field(default_factory=list)

    def bind(self, name: str, to: ast.AST | Import) -> None:
        """Bind a name, or note that it is bound more than once."""
        self.bound[name] = None if name in self.bound else to


@lru_cache(maxsize=1000)
def source_of(module: str) -> Source | None:
    """A module as it is written; None if it has no source that Python could run."""
    spec = spec_of(module)
    get_source = getattr(spec and spec.loader, "get_source", None)
    if spec is None or get_source is None:
        return None
    try:
        text = get_source(spec.name)
        tree = ast.parse(text) if text is not None else None
    except (ImportError, OSError, SyntaxError, UnicodeDecodeError):
        return None
    if tree is None:
        return None
    source = Source(module)
    package = module if spec.submodule_search_locations is not None else module.rpartition(".")[0]
    for statement in _statements(tree.body):
        _bind(statement, source, package)
    return source


def _statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements of a module, also those in its `if` and `try` blocks."""
    for statement in body:
        yield statement
        if isinstance(statement, ast.If | ast.Try | ast.With):
            for block in ("body", "handlers", "orelse", "finalbody"):
                for inner in getattr(statement, block, []):
                    yield from _statements(inner.body if isinstance(inner, ast.ExceptHandler) else [inner])


def _bind(statement: ast.stmt, source: Source, package: str) -> None:
    match statement:
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            source.bind(statement.name, statement)
        case ast.Assign(targets=[ast.Name(id=name)], value=value):
            source.bind(name, value)
        case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
            source.bind(name, value)
        case ast.Import(names=names):
            for alias in names:
                source.bind(alias.asname or alias.name.partition(".")[0], Import(_imported_name(alias)))
        case ast.ImportFrom(module=module, names=names, level=level):
            absolute = importlib.util.resolve_name("." * level + (module or ""), package) if level else module or ""
            for alias in names:
                if alias.name == "*":
                    source.stars.append(absolute)
                else:
                    source.bind(alias.asname or alias.name, Import(absolute, alias.name))
        case _ if type(statement).__name__ == "TypeAlias":  # type X = .., since Python 3.12
            source.bind(statement.name.id, statement.value)  # type: ignore[attr-defined]


def _imported_name(alias: ast.alias) -> str:
    return alias.name if alias.asname else alias.name.partition(".")[0]


def find_definition(module: str, name: str, depth: int = 0) -> tuple[Source, ast.FunctionDef | ast.ClassDef] | None:
    """The definition of a function or class, and the module that it stands in."""
    source = source_of(module) if module and depth < DEPTH else None
    if source is None:
        return None
    match source.bound.get(name):
        case ast.FunctionDef() | ast.ClassDef() as node:
            return source, node
        case Import(module=other, name=original) if original:
            return find_definition(other, original, depth + 1)
        case ast.Name(id=original):
            return find_definition(module, original, depth + 1)
    if name in source.bound:
        return None
    places = (find_definition(star, name, depth + 1) for star in source.stars)
    return next((place for place in places if place is not None), None)
