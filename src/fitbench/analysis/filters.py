"""The language of `--where`, which selects runs: a condition in Python's grammar. Nothing of it is run as Python.

    model == 'mlp' and 0.9 < test_accuracy <= 0.95 and seed in [0, 1] and not 'old' in run_id

A column is named as `frame.column` takes it. A character that a Python name cannot hold is written _, as in
versions.hydra_core. Values are numbers, texts, True, False, None and lists of these. Compared with a column of dates, a
text is a date in UTC: '2026-11-01' (its first moment) or '2026-11-01T14:30'. A column of truth values is a condition.

A missing value is None. It equals None alone and has no order, so that `x < 3` is false for it, and `x != 3` and
`not x < 3` are true. Values of different kinds are not compared, and texts have no order: both are errors.
"""

from __future__ import annotations

import ast
import json
import operator
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache, reduce
from typing import TYPE_CHECKING, Any

import numpy as np

from fitbench.analysis.frame import plain_values
from fitbench.analysis.names import find_column
from fitbench.config.errors import located
from fitbench.errors import RequestError
from fitbench.text import clean

if TYPE_CHECKING:
    from pandas import DataFrame

LONGEST = 10_000  # characters of a filter
DEEP = "it has too many conditions within each other"
AROUND = 36  # characters that an error shows before, at and behind the place

ORDERS: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt, ast.GtE: operator.ge,
}  # fmt: skip
ALLOWED = (
    *(ast.BoolOp, ast.And, ast.Or, ast.UnaryOp, ast.Not, ast.USub, ast.Compare, *ORDERS, ast.Eq, ast.NotEq, ast.In),
    *(ast.NotIn, ast.Name, ast.Attribute, ast.Constant, ast.List, ast.Tuple, ast.Load),
    ast.BinOp,  # its operators are not allowed, and the error names them
)
INSTEAD: dict[type[ast.AST], str] = {
    ast.BitAnd: "write and, not &",
    ast.BitOr: "write or, not |",
    ast.Invert: "write not, not ~",
    ast.Is: "write ==, not is",
    ast.IsNot: "write !=, not is not",
    ast.Sub: "there is no arithmetic; write a date in quotes, and a column such as versions.hydra-core with _ for -",
}
SIGNS = {"=": "==", "&": "and", "|": "or", "!": "not"}
FORMER = {"null": "None", "true": "True", "false": "False"}
CONTAINS = re.compile(r"""(?:'[^']*'|"[^"]*"|[^'"])*?\bcontains\b""")
KINDS = {bool: "truth value", int: "number", float: "number", str: "text", list: "list", type(None): "None"}
ORDERED = {"number", "date"}


def select(frame: DataFrame, text: str, source: str = "--where") -> DataFrame:
    """The rows of a frame of runs that a filter keeps, in their order.

    Args:
        frame: of runs.
        text: the filter.
        source: what a message calls it.

    Raises:
        RequestError: the filter does not parse, names no column, or compares what cannot be compared. The message
            shows the place.
    """
    tree = parse(text, source)
    with located(source):
        try:
            return frame[_Rows(frame, _one_line(text)).fitting(tree)]
        except RecursionError:
            raise RequestError(DEEP) from None


def parse(text: str, source: str = "--where") -> ast.expr:
    """The tree of a filter, which a message calls `source`.

    Raises:
        RequestError: it does not parse, or holds more of Python than a filter has. The message shows the place.
    """
    with located(source):
        return _parsed(_one_line(text))


def _parsed(line: str) -> ast.expr:
    if not 0 < len(line) <= LONGEST:
        raise RequestError(f"it has {len(line):,} characters; write 1 to {LONGEST:,}, such as seed < 5")
    try:
        tree = ast.parse(line, mode="eval").body
    except SyntaxError as error:
        start = error.offset - 1 if error.offset else len(line)
        sign = line[start : start + 1]
        what = f"{error.msg}; write a condition such as model == 'mlp' and seed < 5"
        if CONTAINS.match(line):
            what = "there is no contains; write 'mlp' in run_id, or 'mlp' not in run_id"
        elif sign in SIGNS:
            what = f"write {SIGNS[sign]}, not {sign}"
        raise _wrong(line, start, start + 1, what) from None
    except (MemoryError, RecursionError):
        raise RequestError(DEEP) from None
    except ValueError as error:  # characters that no encoding has
        raise RequestError(f"it cannot be read: {error!s:.200}") from None
    for node in ast.walk(tree):
        for part in (node, *ast.iter_child_nodes(node)):
            if not isinstance(part, ALLOWED):
                what = "a filter has columns, values, comparisons, in, and, or, not; no arithmetic and no functions"
                raise _wrong_at(line, part if hasattr(part, "col_offset") else node, INSTEAD.get(type(part), what))
    return tree


def _one_line(text: str) -> str:
    return re.sub(r"[\n\r\t\f\v]", " ", text).strip()


@dataclass(frozen=True)
class _Operand:
    """One side of a comparison: its values by row, and the kinds of those that are not missing."""

    node: ast.expr
    values: list[Any]
    kinds: set[str]

    def __str__(self) -> str:
        return f"{clean(ast.unparse(self.node)):.60} ({' or '.join(sorted(self.kinds))})"


class _Rows:
    """The rows of a frame that a tree keeps."""

    def __init__(self, frame: DataFrame, text: str) -> None:
        self.frame = frame
        self.text = text
        self.columns: dict[str, _Operand] = {}
        self.labels = {re.sub(r"[^\w.]", "_", label): label for label in map(str, frame.columns)}

    def fitting(self, node: ast.expr) -> np.ndarray:
        """Which rows fulfil a condition, bool [N]."""
        match node:
            case ast.BoolOp(op, parts):
                return reduce(np.logical_and if isinstance(op, ast.And) else np.logical_or, map(self.fitting, parts))
            case ast.UnaryOp(ast.Not(), part):
                return ~self.fitting(part)
            case ast.Compare(left, ops, others):
                pairs = zip([left, *others[:-1]], ops, others, strict=True)
                return reduce(np.logical_and, [self.compared(*pair) for pair in pairs])
            case ast.Name() | ast.Attribute():
                column = self.operand(node)
                if column.kinds <= {"truth value"}:
                    return np.array([value is True for value in column.values], dtype=bool)
                raise self.wrong(node, f"{column} is no condition; compare it with a value")
        raise self.wrong(node, "expected a condition, such as seed < 5")

    def compared(self, left: ast.expr, op: ast.cmpop, right: ast.expr) -> np.ndarray:
        """Which rows fulfil one comparison, bool [N]."""
        if isinstance(op, (ast.NotEq, ast.NotIn)):
            return ~self.compared(left, ast.Eq() if isinstance(op, ast.NotEq) else ast.In(), right)
        if isinstance(op, ast.In) and isinstance(right, (ast.List, ast.Tuple)):
            equal = [self.compared(left, ast.Eq(), item) for item in right.elts]
            return reduce(np.logical_or, equal, np.zeros(len(self.frame), dtype=bool))
        a, b = self.operand(left), self.operand(right)
        a, b = self.dated(a, b), self.dated(b, a)
        related = self.containing(a, b) if isinstance(op, ast.In) else self.relation(a, b, ORDERS.get(type(op)))
        return np.array([related(x, y) for x, y in zip(a.values, b.values, strict=True)], dtype=bool)

    def relation(self, a: _Operand, b: _Operand, order: Callable[[Any, Any], Any] | None) -> Callable[[Any, Any], bool]:
        """Whether two values are equal, or in this order."""
        kinds = a.kinds & b.kinds
        if a.kinds and b.kinds and not kinds:
            raise self.wrong(b.node, f"{a} and {b} cannot be compared")
        if order is None:
            return lambda x, y: _kind(x) == _kind(y) and bool(x == y)
        if kinds and not kinds & ORDERED:
            raise self.wrong(b.node, f"a {' or '.join(sorted(kinds))} has no order; write == or in")
        return lambda x, y: _kind(x) == _kind(y) and _kind(x) in ORDERED and order(x, y)

    def containing(self, a: _Operand, b: _Operand) -> Callable[[Any, Any], bool]:
        """Whether the second value is a text with this part, or a list with this item."""
        items = {_kind(item) for value in b.values if isinstance(value, list) for item in value}
        if b.kinds and not a.kinds <= items | (b.kinds & {"text"}):
            raise self.wrong(b.node, f"{a} cannot be in {b}")
        return lambda x, y: isinstance(y, (list, str) if isinstance(x, str) else list) and x in y

    def dated(self, operand: _Operand, other: _Operand) -> _Operand:
        """The operand, where a text beside a column of dates is a date."""
        if other.kinds != {"date"} or operand.kinds != {"text"} or not isinstance(operand.node, ast.Constant):
            return operand
        try:
            moment = datetime.fromisoformat(str(operand.node.value))
        except ValueError:
            what = "expected a date in UTC, as '2026-11-01' or '2026-11-01T14:30'"
            raise self.wrong(operand.node, what) from None
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return _Operand(operand.node, [moment] * len(self.frame), {"date"})

    def operand(self, node: ast.expr) -> _Operand:
        if isinstance(node, (ast.Name, ast.Attribute)):
            label = self.label(node)
            if label not in self.columns:
                values = plain_values(self.frame[label])
                values = [_listed(value) if isinstance(value, str) else value for value in values]
                self.columns[label] = _Operand(node, values, set(map(_kind, values)) - {"None"})
            return replace(self.columns[label], node=node)
        try:
            value = ast.literal_eval(node)
        except ValueError:
            raise self.wrong(node, "expected a column or a value") from None
        value = list(value) if isinstance(value, tuple) else value
        return _Operand(node, [value] * len(self.frame), {_kind(value)} - {"None"})

    def label(self, node: ast.expr) -> str:
        """The column that a name means."""
        name = ast.unparse(node)
        try:
            return self.labels[find_column(list(self.labels), name)]
        except RequestError as error:
            what = f"{error!s:.300}"
            if name in FORMER:
                what = f"write {FORMER[name]}, not {name}"
            elif "; there are " in what:
                what = f"there is no column {name!r:.60}; a text is written in quotes"
            raise self.wrong(node, what) from None

    def wrong(self, node: ast.expr, what: str) -> RequestError:
        return _wrong_at(self.text, node, what)


def _kind(value: Any) -> str:
    return KINDS.get(type(value)) or ("date" if isinstance(value, datetime) else type(value).__name__)


@lru_cache(maxsize=4096)
def _listed(text: str) -> Any:
    """The list that a text of a column stands for, which is recorded as JSON; else the text."""
    try:
        return json.loads(text) if text.startswith("[") else text
    except (ValueError, RecursionError):
        return text


def _wrong_at(text: str, node: Any, what: str) -> RequestError:
    """The error at a node, whose offsets count the bytes of UTF-8."""
    before, upto = (len(text.encode()[:end].decode()) for end in (node.col_offset, node.end_col_offset))
    return _wrong(text, before, upto, what)


def _wrong(text: str, start: int, end: int, what: str) -> RequestError:
    """The error that says what is wrong, with the filter around the place and carets under it."""
    from rich.cells import cell_len

    before = "..." * (start > AROUND) + clean(text[max(0, start - AROUND) : start])
    place, after = clean(text[start : min(end, start + AROUND)]), text[min(end, start + AROUND) :]
    behind = clean(after[:AROUND]) + "..." * (len(after) > AROUND)
    carets = " " * cell_len(before) + "^" * max(1, cell_len(place))
    return RequestError(f"{what}\n  {before}{place}{behind}\n  {carets}")
