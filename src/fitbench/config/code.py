"""The SHA-256 of the user's modules that a configuration runs, none of which is imported, and of a file of weights."""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any

from fitbench.user_code import spec_of

TARGETS = ("_target_", "solver", "path")  # keys that name a function or class; `path` is that of hydra.utils.get_method
INSTALLED = ("site-packages", "dist-packages")  # folders of packages that pip or a system has installed


def code_of_run(values: Mapping[str, Any]) -> dict[str, str]:
    """`code_of` a whole configuration, and by its path the SHA-256 (hex) of the file that `model.weights` names."""
    return dict(sorted((_weights(values["model"].get("weights")) | code_of(values)).items()))


def code_of(values: Mapping[str, Any]) -> dict[str, str]:
    """Return the SHA-256 (hex) of the source of each of the user's modules that a configuration runs, by module name.

    They are the modules of the functions and classes that the configuration names, and all modules that they import,
    wherever the import stands in the source. Modules that belong to Python, to fitbench or to an installed package do
    not count. A module that this process has imported counts as it was when this function first read it. After
    `importlib.reload`, which notebooks call when a file has changed, it is read again.

    Args:
        values: a configuration, or sections of one, as nested plain values.
    """
    code = {}
    visited = set(_targets(values))
    pending = list(visited)
    while pending:
        name = pending.pop()
        spec = _users_module(name)
        if spec is not None:
            module = _read(name, spec)
            code[name] = module.sha256
            new = module.imports - visited
            visited |= new
            pending.extend(new)
    return dict(sorted(code.items()))


def _weights(path: Any) -> dict[str, str]:
    """Return the SHA-256 of a file of weights by its path; nothing if there is no such file."""
    if not isinstance(path, str) or not Path(path).is_file():
        return {}
    status = Path(path).stat()
    return {path: _sha256(path, (status.st_size, status.st_mtime_ns, status.st_ctime_ns))}


@lru_cache(maxsize=100)
def _sha256(path: str, changed: tuple[int, int, int]) -> str:
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _targets(value: Any) -> Iterator[str]:
    """Yield the dotted names of functions and classes in nested values, and of the packages that they lie in."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            if key in TARGETS and "_target_" in value and isinstance(item, str):
                yield from _with_packages(item)
            yield from _targets(item)
    elif isinstance(value, list):
        for item in value:
            yield from _targets(item)


def _with_packages(name: str) -> Iterator[str]:
    """Yield a dotted name and all that it begins with: Python imports a package before the modules in it."""
    parts = name.split(".")
    return (".".join(parts[:count]) for count in range(1, len(parts) + 1))


def _users_module(name: str) -> ModuleSpec | None:
    """Return where a module of the user's is; None if there is no such module, or it is not the user's."""
    top = name.partition(".")[0]
    if top == "fitbench" or top in sys.stdlib_module_names or not all(map(str.isidentifier, name.split("."))):
        return None
    spec = spec_of(name)
    if spec is None or spec.origin is None or not spec.has_location or set(INSTALLED) & set(Path(spec.origin).parts):
        return None
    return spec


@dataclass(frozen=True)
class _Module:
    """A module's source: its checksum, the dotted names that it may import, and when the file was last changed.

    `loaded` is the `__spec__` that the module had in this process, of which a reload makes another; None: it was not
    imported.
    """

    sha256: str
    imports: frozenset[str]
    changed: tuple[int, int, int]
    loaded: ModuleSpec | None


_modules: dict[str, _Module] = {}  # by file


def _read(name: str, spec: ModuleSpec) -> _Module:
    assert spec.origin is not None
    path = Path(spec.origin)
    status = path.stat()
    changed = (status.st_size, status.st_mtime_ns, status.st_ctime_ns)
    loaded = getattr(sys.modules.get(name), "__spec__", None)
    if module := _modules.get(spec.origin):
        was_reloaded = module.loaded is not None and module.loaded is not loaded
        if module.changed == changed or (name in sys.modules and not was_reloaded):
            _modules[spec.origin] = replace(module, loaded=loaded)
            return module
    source = path.read_bytes()
    package = name if spec.submodule_search_locations is not None else name.rpartition(".")[0]
    imports = frozenset(_imports(source, package)) if path.suffix == ".py" else frozenset()
    _modules[spec.origin] = _Module(hashlib.sha256(source).hexdigest(), imports, changed, loaded)
    return _modules[spec.origin]


def _imports(source: bytes, package: str) -> Iterator[str]:
    """Yield the dotted names that the source of a module imports, with their packages."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):  # Python itself will say so when the module is imported
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from _with_packages(alias.name)
        elif isinstance(node, ast.ImportFrom):
            try:
                base = importlib.util.resolve_name("." * node.level + (node.module or ""), package)
            except ImportError:  # it leads out of its package
                continue
            for alias in node.names:
                yield from _with_packages(f"{base}.{alias.name}")
