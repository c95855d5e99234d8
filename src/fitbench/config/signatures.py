"""The parameters of a function and their annotated types, read from its source. Its module is not imported.

So settings of a model can be checked where nothing trains, without Keras, which the module of a model imports. The
source is parsed, names are followed through assignments and `from .. import ..`, and annotations are evaluated as far
as they are built of the modules in SAFE and of Python's own types.
"""

from __future__ import annotations

import ast
import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal, get_args, get_origin

from fitbench.config.annotations import NUMBER, WHOLE_NUMBER, Real, Whole
from fitbench.config.sources import DEPTH, Import, Source, find_definition, source_of

# Annotations may use what these modules define: importing them is quick and does nothing else.
SAFE = (
    "typing",
    "typing_extensions",
    "collections.abc",
    "annotated_types",
    "pydantic",
    "fitbench.config.annotations",
    "fitbench.models.annotations",
)
BUILTINS: dict[str, Any] = {
    "int": Whole, "float": Real, "str": str, "bool": bool, "object": Any,
    "list": list, "dict": dict, "tuple": tuple, "set": set, "frozenset": frozenset,
}  # fmt: skip
KEEP_THE_SIGNATURE = ("register_keras_serializable",)  # decorators


@dataclass(frozen=True)
class Parameter:
    """A parameter that can be given by name. What its annotation leaves open is `Any`."""

    name: str
    annotation: Any
    required: bool


@dataclass(frozen=True)
class Signature:
    """The parameters of a function, and whether it takes others too (`**settings`)."""

    parameters: tuple[Parameter, ...]
    takes_others: bool


def signature_of(target: str) -> Signature | None:
    """The signature of a function, or of a class's `__init__`, by its dotted name.

    None where the source does not tell: there is no source, the function is created when the module runs, or a
    decorator may have changed it.
    """
    module, _, name = target.rpartition(".")
    place = find_definition(module, name)
    if place is None:
        return None
    source, node = place
    if not all(_keeps_signature(decorator) for decorator in node.decorator_list):
        return None
    if isinstance(node, ast.FunctionDef):
        return _signature(node, source, skip=0)
    methods = {item.name: item for item in node.body if isinstance(item, ast.FunctionDef)}
    init = methods.get("__init__")
    if init is None or init.decorator_list or "__new__" in methods or node.keywords:
        return None
    return _signature(init, source, skip=1)


def _keeps_signature(decorator: ast.expr) -> bool:
    function = decorator.func if isinstance(decorator, ast.Call) else decorator
    return ast.unparse(function).rpartition(".")[2] in KEEP_THE_SIGNATURE


def _signature(node: ast.FunctionDef, source: Source, skip: int) -> Signature:
    arguments = node.args
    positional = [*arguments.posonlyargs, *arguments.args]
    defaults: list[ast.expr | None] = [None] * (len(positional) - len(arguments.defaults))
    named = list(zip(positional, [*defaults, *arguments.defaults], strict=True))[
        max(skip, len(arguments.posonlyargs)) :
    ]
    named += zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    parameters = []
    for argument, default in named:
        annotation = Any if argument.annotation is None else _type(argument.annotation, source)
        if isinstance(default, ast.Constant) and default.value is None:
            annotation = _union(annotation, None)
        parameters.append(Parameter(argument.arg, annotation, default is None))
    return Signature(tuple(parameters), arguments.kwarg is not None)


# -- annotations ------------------------------------------------------------------------------------------------------


class _UnresolvedError(Exception):
    """An expression is built of something that is not known without running the module."""


def _type(node: ast.expr, source: Source, depth: int = 0) -> Any:
    """The type that an annotation stands for; `Any` where that is not known."""
    try:
        return _evaluated(node, source, depth)
    except _UnresolvedError:
        return Any


def _evaluated(node: ast.expr, source: Source, depth: int) -> Any:
    if depth > DEPTH:
        raise _UnresolvedError
    match node:
        case ast.Constant(value=None):
            return None
        case ast.Constant(value=str(text)):
            try:
                return _evaluated(ast.parse(text, mode="eval").body, source, depth + 1)
            except SyntaxError:
                raise _UnresolvedError from None
        case ast.Name() | ast.Attribute():
            return _named(ast.unparse(node).split("."), source, depth)
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return _union(_type(left, source, depth + 1), _type(right, source, depth + 1))
        case ast.Subscript(value=value, slice=index):
            items = index.elts if isinstance(index, ast.Tuple) else [index]
            return _subscripted(_evaluated(value, source, depth + 1), items, source, depth)
    raise _UnresolvedError


def _union(left: Any, right: Any) -> Any:
    return left if left is right else left | right


def _named(parts: list[str], source: Source, depth: int) -> Any:
    """What a dotted name in the source of a module is."""
    first, *others = parts
    if first not in source.bound:
        if not others and first in BUILTINS:
            return BUILTINS[first]
        for star in source.stars:
            try:
                return _imported([*star.split("."), *parts], depth)
            except _UnresolvedError:
                continue
        raise _UnresolvedError
    match source.bound[first]:
        case Import(module=module, name=name):
            return _imported([*module.split("."), *filter(None, [name]), *others], depth)
        case ast.expr() as value if not others:
            return _evaluated(value, source, depth + 1)
    raise _UnresolvedError


def _imported(parts: list[str], depth: int) -> Any:
    """What a full dotted name is: a part of a safe module, or what another module's source says."""
    for count in range(len(parts) - 1, 0, -1):
        module, names = ".".join(parts[:count]), parts[count:]
        if module in SAFE:
            value: Any = importlib.import_module(module)
            for name in names:
                if not hasattr(value, name):
                    raise _UnresolvedError
                value = getattr(value, name)
            return value
    source = source_of(".".join(parts[:-1]))
    if source is None or depth > DEPTH or (parts[-1] not in source.bound and not source.stars):
        raise _UnresolvedError
    return _named(parts[-1:], source, depth + 1)


def _subscripted(origin: Any, items: list[ast.expr], source: Source, depth: int) -> Any:
    if origin is Literal:
        return Literal[tuple(_constant(item, source) for item in items)]
    if origin is Annotated:
        metadata = [_metadata(item, source, depth) for item in items[1:]]
        return _annotated(_type(items[0], source, depth + 1), [item for item in metadata if item is not None])
    if get_origin(origin) is Callable or origin is Callable:
        return Any  # a file cannot hold a function
    arguments = tuple(... if _is_ellipsis(item) else _type(item, source, depth + 1) for item in items)
    try:
        return origin[arguments if len(arguments) > 1 else arguments[0]]
    except TypeError:
        raise _UnresolvedError from None


def _is_ellipsis(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is ...


def _annotated(kind: Any, metadata: list[Any]) -> Any:
    if get_origin(kind) is Annotated:
        kind, *inner = get_args(kind)
        metadata = [*inner, *metadata]
    last = [item for item in metadata if item in (NUMBER, WHOLE_NUMBER)]  # they run before the constraints
    both = (*(item for item in metadata if item not in last), *last)
    return Annotated[(kind, *both)] if both else kind


def _metadata(node: ast.expr, source: Source, depth: int) -> Any:
    """An item of metadata such as `Ge(0)`; None where it is not known, or says nothing of the value."""
    if depth > DEPTH:
        return None
    if isinstance(node, ast.Name) and isinstance(value := source.bound.get(node.id), ast.expr):
        return _metadata(value, source, depth + 1)
    try:
        if not isinstance(node, ast.Call):
            return _evaluated(node, source, depth + 1)
        function = _evaluated(node.func, source, depth + 1)
        positional = [_constant(item, source) for item in node.args]
        named = {keyword.arg: _constant(keyword.value, source) for keyword in node.keywords if keyword.arg}
        return function(*positional, **named)
    except (_UnresolvedError, TypeError, ValueError):
        return None


def _constant(node: ast.expr, source: Source) -> Any:
    """A constant, or a name for one."""
    if isinstance(node, ast.Name) and isinstance(value := source.bound.get(node.id), ast.expr):
        node = value
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError):
        raise _UnresolvedError from None
