"""The parameters of a function and their annotated types, read from its source. Its module is not imported.

So settings of a model can be checked where nothing trains, without Keras, which the module of a model imports. The
source is parsed, names are followed through assignments and `from .. import ..`, and annotations are evaluated as far
as they are built of the modules in SAFE and of Python's own types.
"""

from __future__ import annotations

import ast
import importlib
import operator
from collections.abc import Callable
from contextlib import suppress
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
    """A parameter that can be given by name. What its annotation leaves open is `Any`.

    `default` is the source of its default, None for a parameter that must be given.
    """

    name: str
    annotation: Any
    default: str | None

    @property
    def required(self) -> bool:
        """Whether it must be given."""
        return self.default is None


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
        parameters.append(Parameter(argument.arg, annotation, None if default is None else ast.unparse(default)))
    return Signature(tuple(parameters), arguments.kwarg is not None)


# -- annotations ------------------------------------------------------------------------------------------------------


_NOT_KNOWN = (TypeError, ValueError, SyntaxError)  # where an expression is not known without running the module


def _type(node: ast.expr, source: Source, depth: int = 0) -> Any:
    """The type that an annotation stands for; `Any` where that is not known."""
    try:
        value = _value(node, source, depth)
        return _type(ast.parse(value, mode="eval").body, source, depth + 1) if isinstance(value, str) else value
    except _NOT_KNOWN:
        return Any


def _metadata(node: ast.expr, source: Source, depth: int) -> Any:
    """An item of metadata such as `Ge(0)`; None where it is not known."""
    try:
        return _value(node, source, depth)
    except _NOT_KNOWN:
        return None


def _value(node: ast.expr, source: Source, depth: int) -> Any:
    """What an expression stands for.

    Raises:
        TypeError, ValueError, SyntaxError: it is wrong, or built of something that is not known.
    """
    depth += 1
    if depth > DEPTH:
        raise ValueError("too many names that stand for each other")
    match node:
        case ast.Name() | ast.Attribute():
            return _named(ast.unparse(node).split("."), source, depth)
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return _union(_type(left, source, depth), _type(right, source, depth))
        case ast.Subscript(value=value, slice=index):
            items = index.elts if isinstance(index, ast.Tuple) else [index]
            return _subscripted(_value(value, source, depth), items, source, depth)
        case ast.Call(func=function, args=positional, keywords=keywords):
            named = {keyword.arg: _value(keyword.value, source, depth) for keyword in keywords if keyword.arg}
            return _value(function, source, depth)(*(_value(item, source, depth) for item in positional), **named)
    return ast.literal_eval(node)


def _union(left: Any, right: Any) -> Any:
    return left if left is right else left | right


def _named(parts: list[str], source: Source, depth: int) -> Any:
    """What a dotted name in the source of a module is."""
    first, *others = parts
    if first not in source.bound:
        if not others and first in BUILTINS:
            return BUILTINS[first]
        for star in source.stars:
            with suppress(*_NOT_KNOWN):
                return _imported([*star.split("."), *parts], depth)
    match source.bound.get(first):
        case Import(module=module, name=name):
            return _imported([*module.split("."), *filter(None, [name]), *others], depth)
        case ast.expr() as value if not others:
            return _value(value, source, depth)
    raise ValueError(f"{first} is not known")


def _imported(parts: list[str], depth: int) -> Any:
    """What a full dotted name is: a part of a safe module, or what another module's source says."""
    for count in range(len(parts) - 1, 0, -1):
        module, names = ".".join(parts[:count]), parts[count:]
        if module in SAFE:
            try:
                return operator.attrgetter(".".join(names))(importlib.import_module(module))
            except AttributeError as error:
                raise ValueError(str(error)) from None
    source = source_of(".".join(parts[:-1]))
    if source is None or depth > DEPTH or (parts[-1] not in source.bound and not source.stars):
        raise ValueError(f"{'.'.join(parts)} is not known")
    return _named(parts[-1:], source, depth + 1)


def _subscripted(origin: Any, items: list[ast.expr], source: Source, depth: int) -> Any:
    if origin is Literal:
        return Literal[tuple(_value(item, source, depth) for item in items)]
    if origin is Annotated:
        metadata = [_metadata(item, source, depth) for item in items[1:]]
        return _annotated(_type(items[0], source, depth), [item for item in metadata if item is not None])
    if get_origin(origin) is Callable or origin is Callable:
        return Any  # a file cannot hold a function
    arguments = tuple(_type(item, source, depth) for item in items)
    return origin[arguments if len(arguments) > 1 else arguments[0]]


def _annotated(kind: Any, metadata: list[Any]) -> Any:
    if get_origin(kind) is Annotated:
        kind, *inner = get_args(kind)
        metadata = [*inner, *metadata]
    last = [item for item in metadata if item in (NUMBER, WHOLE_NUMBER)]  # they run before the constraints
    both = (*(item for item in metadata if item not in last), *last)
    return Annotated[(kind, *both)] if both else kind
