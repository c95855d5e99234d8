"""The language of `--where`, which selects runs. The parser below reads it; nothing is evaluated as Python.

    filter     = conjunction { "or" conjunction }
    conjunction = negation { "and" negation }
    negation   = { "not" } ( "(" filter ")" | condition )
    condition  = column                                          of truth values
               | value order value { order value }               order: == != < <= > >=
               | column [ "not" ] "in" list
               | column [ "not" ] "contains" text
    value      = column | number | text | true | false | null | list
    list       = "[" [ value { "," value } ] "]"                 without columns

A column is named as `fitbench runs` heads it, a metric also without `metrics.`. A text stands in single or double
quotes. Compared with a column of dates it is a date in UTC: '2026-11-01' (its first moment) or '2026-11-01T14:30'.

Where a value is missing, `==`, `<`, `<=`, `>`, `>=`, `in`, `contains` and a bare column are false. `!=` and `not` are
the exact opposite, so they keep such runs, as in pandas. `== null` and `!= null` ask whether a value is missing, and
null in a list fits a missing value. Numbers, texts, truth values and dates do not mix: comparing one with another is
an error, and so is an order of texts, in which version '3.15' would come before '3.9'.
"""

from __future__ import annotations

import json
import math
import operator
import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache, reduce
from typing import TYPE_CHECKING, Any

import numpy as np

from fitbench.analysis.frame import column as frame_column
from fitbench.errors import RequestError
from fitbench.text import clean

if TYPE_CHECKING:
    from pandas import DataFrame, Series

DEPTH = 50  # parentheses or brackets within each other
LONGEST = 72  # characters of a long filter that an error shows
NAMED = 60  # characters of a long part of it


# -- the tree ---------------------------------------------------------------------------------------------------------

Place = tuple[int, int]  # the first character and the one behind the last


@dataclass(frozen=True)
class Column:
    """A column, as it was named."""

    name: str
    at: Place = field(default=(0, 0), compare=False)


@dataclass(frozen=True)
class Literal:
    """A number, text, truth value, None for null, or a list of such."""

    value: Any
    at: Place = field(default=(0, 0), compare=False)


@dataclass(frozen=True)
class Comparison:
    """Two values, at least one of them a column, and ==, !=, <, <=, > or >= between them."""

    left: Column | Literal
    order: str
    right: Column | Literal


@dataclass(frozen=True)
class OneOf:
    """A column has one of these values."""

    column: Column
    values: tuple[Literal, ...]


@dataclass(frozen=True)
class Contains:
    """A column's text has this part, case and all."""

    column: Column
    part: str


@dataclass(frozen=True)
class Truth:
    """A column of truth values is true."""

    column: Column


@dataclass(frozen=True)
class Not:
    """The opposite."""

    part: Filter


@dataclass(frozen=True)
class And:
    """All of them."""

    parts: tuple[Filter, ...]


@dataclass(frozen=True)
class Or:
    """At least one of them."""

    parts: tuple[Filter, ...]


Filter = Comparison | OneOf | Contains | Truth | Not | And | Or


def select(frame: DataFrame, text: str) -> DataFrame:
    """The rows of a frame of runs that a filter keeps, in their order.

    Raises:
        RequestError: the filter does not parse, names no column, or compares what cannot be compared; the message
            shows the place.
    """
    return frame[_Rows(frame, text).kept(parse(text))]


def parse(text: str) -> Filter:
    """The tree of a filter. Takes time and memory in proportion to its length.

    Raises:
        RequestError: it does not parse; the message shows the place and says what to write.
    """
    return _Parser(text).filter()


# -- tokens -----------------------------------------------------------------------------------------------------------

# ++ and *+ never give back what they took, so that no text makes the search slow.
_TOKEN = re.compile(
    r"""
      (?P<space>   \s++ )
    | (?P<number>  [+-]? (?: [0-9]++ (?:\.[0-9]*+)? | \.[0-9]++ ) (?: [eE][+-]?[0-9]++ )? (?![\w.:+-]) )
    | (?P<word>    [+-]? \.? [0-9] [\w.:+-]*+ )
    | (?P<text>    '[^']*+' | "[^"]*+" )
    | (?P<name>    [^\W\d] [\w-]*+ (?: \.[\w-]++ )*+ )
    | (?P<open>    ['"] )
    | (?P<curly>   [`\u00b4\u2018\u2019\u201c\u201d\u201e] )
    | (?P<sum>     [+*/%-] )
    | (?P<mistake> [=!]~ | === | => | =< | <> | =(?!=) | &&? | \|\|? | !(?!=) | ~ )
    | (?P<sign>    == | != | <=? | >=? | [()\[\],] )
    """,
    re.VERBOSE,
)
_KEYWORDS = ("and", "or", "not", "in", "contains", "true", "false", "null")
_CONSTANTS = {"true": True, "false": False, "null": None}
_WRITE_INSTEAD = {
    **{"===": "==", "=": "==", "=>": ">=", "=<": "<=", "<>": "!=", "=~": "contains", "!~": "not contains"},
    **{"&&": "and", "&": "and", "||": "or", "|": "or", "!": "not", "~": "not", "is": "==", "like": "contains"},
    **{"AND": "and", "OR": "or", "NOT": "not", "IN": "in", "True": "true", "TRUE": "true"},
    **{"False": "false", "FALSE": "false", "None": "null", "NULL": "null", "nan": "null", "NaN": "null"},
}
_MISTAKES = {
    "word": "{0} is no number; a text or a date stands in quotes: '{0}'",
    "open": "this text has no closing {}",
    "curly": "write straight quotes: 'text'",
    "sum": "there is no arithmetic, so {} means nothing here",
}
_ORDERS: dict[str, Callable[[Any, Any], Any]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


@dataclass(frozen=True)
class _Token:
    kind: str  # number, text, name, a keyword, a sign, or end
    text: str
    at: Place


def _tokens(text: str) -> Iterator[_Token]:
    place = 0
    while place < len(text):
        match = _TOKEN.match(text, place)
        if match is None:
            raise _wrong(text, (place, place + 1), f"{clean(text[place])} means nothing here")
        kind, part, at, place = str(match.lastgroup), match.group(), match.span(), match.end()
        if kind in _MISTAKES:
            raise _wrong(text, at, _MISTAKES[kind].format(_short(part)))
        if part in _WRITE_INSTEAD:
            raise _wrong(text, at, f"write {_WRITE_INSTEAD[part]}, not {part}")
        if kind != "space":
            yield _Token(part if kind == "sign" or part in _KEYWORDS else kind, part, at)
    yield _Token("end", "", (len(text), len(text) + 1))


def _wrong(text: str, at: Place, what: str) -> RequestError:
    """The error that says what is wrong, with the filter and carets under the place."""
    start, end = at
    first = max(0, min(start - LONGEST // 2, len(text) - LONGEST))
    last = first + LONGEST
    before = ("..." if first else "") + clean(text[first:start])
    place = clean(text[start : min(end, last)])
    after = clean(text[min(end, last) : last]) + ("..." if last < len(text) else "")
    carets = "^" * max(1, _width(place))
    return RequestError(f"--where: {what}\n  {before}{place}{after}\n  {' ' * _width(before)}{carets}")


def _short(text: str) -> str:
    return clean(text if len(text) <= NAMED else f"{text[:NAMED]}...")


def _width(text: str) -> int:
    """How many columns of a terminal a text takes."""
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in ("W", "F") else 1 for c in text
    )


# -- the parser -------------------------------------------------------------------------------------------------------


class _Parser:
    """Recursive descent. `next` is the token that is looked at."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = _tokens(text)
        self.next = next(self.tokens)
        self.depth = 0

    def filter(self) -> Filter:
        if self.next.kind == "end":
            raise _wrong(self.text, self.next.at, "the filter is empty; write one such as seed < 5")
        tree = self.disjunction()
        if self.next.kind == ")":
            raise self.wrong("this ) closes nothing")
        if self.next.kind != "end":
            raise self.expected("'and', 'or' or the end")
        return tree

    def disjunction(self) -> Filter:
        parts = [self.conjunction()]
        while self.accept("or"):
            parts.append(self.conjunction())
        return Or(tuple(parts)) if len(parts) > 1 else parts[0]

    def conjunction(self) -> Filter:
        parts = [self.negation()]
        while self.accept("and"):
            parts.append(self.negation())
        return And(tuple(parts)) if len(parts) > 1 else parts[0]

    def negation(self) -> Filter:
        negative = False
        while self.accept("not"):
            negative = not negative
        part = self.parenthesis() if self.next.kind == "(" else self.condition()
        return Not(part) if negative else part

    def parenthesis(self) -> Filter:
        opening = self.deeper()
        part = self.disjunction()
        if self.next.kind == "end":
            raise _wrong(self.text, opening.at, "this ( is not closed")
        if not self.accept(")"):
            raise self.expected("'and', 'or' or )")
        self.depth -= 1
        return part

    def condition(self) -> Filter:
        left = self.value("a column")
        if self.next.kind in _ORDERS:
            return self.comparisons(left)
        negative = self.next.kind == "not"
        if negative:
            self.advance()
            if self.next.kind not in ("in", "contains"):
                raise self.expected("in or contains after not")
        if self.next.kind in ("in", "contains"):
            part = self.membership(left) if self.next.kind == "in" else self.containment(left)
            return Not(part) if negative else part
        if isinstance(left, Literal):
            raise _wrong(self.text, left.at, "expected a comparison with a column")
        if self.next.kind not in ("and", "or", ")", "end"):
            raise self.expected("a comparison such as ==, <, in or contains")
        return Truth(left)

    def comparisons(self, left: Column | Literal) -> Filter:
        """One comparison, or a chain such as 0.9 < val_accuracy < 0.95."""
        parts: list[Filter] = []
        while self.next.kind in _ORDERS:
            order = self.advance()
            right = self.value(f"a value after {order.text}")
            if isinstance(left, Literal) and isinstance(right, Literal):
                raise _wrong(self.text, left.at, "expected a column on one side of the comparison")
            for side in (left, right):
                self.check_comparable(side, order)
            parts.append(Comparison(left, order.text, right))
            left = right
        return And(tuple(parts)) if len(parts) > 1 else parts[0]

    def check_comparable(self, side: Column | Literal, order: _Token) -> None:
        if isinstance(side, Column):
            return
        if side.value == ():
            raise _wrong(self.text, side.at, "an empty list is recorded as a missing value; write null")
        if order.text not in ("==", "!=") and isinstance(side.value, (bool, tuple, type(None))):
            kind = "a list" if isinstance(side.value, tuple) else self.text[slice(*side.at)]
            raise _wrong(self.text, order.at, f"{kind} has no order; write == or !=")

    def membership(self, left: Column | Literal) -> Filter:
        self.advance()
        if isinstance(left, Literal):
            if self.next.kind == "name" and isinstance(left.value, str):
                raise _wrong(
                    self.text, left.at, f"write {_short(self.next.text)} contains {_short(self.text[slice(*left.at)])}"
                )
            raise _wrong(self.text, left.at, "expected a column before in")
        if self.next.kind != "[":
            raise self.expected("a list in brackets after in, such as [1, 2]")
        return OneOf(left, self.items()[0])

    def containment(self, left: Column | Literal) -> Filter:
        self.advance()
        if isinstance(left, Literal):
            raise _wrong(self.text, left.at, "expected a column before contains")
        if self.next.kind != "text":
            raise self.expected("a text in quotes after contains")
        return Contains(left, self.advance().text[1:-1])

    def value(self, wanted: str) -> Column | Literal:
        token = self.next
        if token.kind == "name":
            self.advance()
            return Column(token.text, token.at)
        return self.literal(wanted)

    def literal(self, wanted: str) -> Literal:
        token = self.next
        if token.kind == "[":
            items, end = self.items()
            return Literal(tuple(item.value for item in items), (token.at[0], end))
        if token.kind == "text":
            value: Any = token.text[1:-1]
        elif token.kind == "number":
            value = self.number(token)
        elif token.kind in _CONSTANTS:
            value = _CONSTANTS[token.kind]
        else:
            raise self.expected(wanted)
        self.advance()
        return Literal(value, token.at)

    def items(self) -> tuple[tuple[Literal, ...], int]:
        """The values between brackets, and where the list ends."""
        opening = self.deeper()
        literals: list[Literal] = []
        while self.next.kind != "]":
            if literals and not self.accept(","):
                if self.next.kind == "end":
                    raise _wrong(self.text, opening.at, "this [ is not closed")
                raise self.expected(", or ]")
            if self.next.kind == "name":
                raise self.wrong(f"a list holds values; a text stands in quotes: '{_short(self.next.text)}'")
            literals.append(self.literal("a value of the list"))
        self.depth -= 1
        return tuple(literals), self.advance().at[1]

    def number(self, token: _Token) -> int | float:
        if len(token.text) < 18 and re.fullmatch(r"[+-]?[0-9]+", token.text):
            return int(token.text)
        value = float(token.text)
        if math.isinf(value):
            raise _wrong(self.text, token.at, "this number is too large")
        return value

    def deeper(self) -> _Token:
        self.depth += 1
        if self.depth > DEPTH:
            raise self.wrong(f"more than {DEPTH} parentheses or brackets within each other")
        return self.advance()

    def advance(self) -> _Token:
        token = self.next
        self.next = next(self.tokens, token)
        return token

    def accept(self, kind: str) -> bool:
        if self.next.kind != kind:
            return False
        self.advance()
        return True

    def expected(self, what: str) -> RequestError:
        token = "the end" if self.next.kind == "end" else _short(self.next.text)
        return self.wrong(f"expected {what}, found {token}")

    def wrong(self, what: str) -> RequestError:
        return _wrong(self.text, self.next.at, what)


# -- which rows -------------------------------------------------------------------------------------------------------

_HELD = {"number": "numbers", "text": "texts", "boolean": "truth values", "date": "dates", "list": "lists"}
_IS = {"number": "a number", "text": "a text", "boolean": "a truth value", "list": "a list"}
_TURNED = {"==": "==", "<": ">", "<=": ">=", ">": "<", ">=": "<="}  # the order when the sides change places


@dataclass(frozen=True)
class _Cells:
    """A column's values, an array [N], and for each kind of value that occurs which rows have it, bool [N]."""

    values: np.ndarray
    kinds: dict[str, np.ndarray]

    @property
    def present(self) -> np.ndarray:
        """Which rows have a value, bool [N]."""
        return reduce(operator.or_, self.kinds.values(), np.zeros(len(self.values), dtype=bool))


class _Rows:
    """Which rows of a frame a tree keeps, as arrays bool [N]."""

    def __init__(self, frame: DataFrame, text: str) -> None:
        self.frame = frame
        self.text = text
        self.read: dict[str, _Cells] = {}

    def kept(self, tree: Filter) -> np.ndarray:
        match tree:
            case And(parts):
                return reduce(operator.and_, map(self.kept, parts))
            case Or(parts):
                return reduce(operator.or_, map(self.kept, parts))
            case Not(part):
                return ~self.kept(part)
            case Truth(column):
                return self.true(column)
            case Contains(column, part):
                return self.containing(column, part)
            case OneOf(column, values):
                return self.one_of(column, values)
            case Comparison(left, "!=", right):
                return ~self.kept(Comparison(left, "==", right))
            case Comparison(Column() as left, order, Column() as right):
                return self.compared(left, order, right)
            case Comparison(Literal() as value, order, Column() as column):
                return self.kept(Comparison(column, _TURNED[order], value))
            case Comparison(Column() as column, "==", Literal() as value):
                return self.one_of(column, (value,))
            case Comparison(Column() as column, order, Literal() as value):
                return self.ordered(column, order, value)
        raise AssertionError(tree)

    def true(self, column: Column) -> np.ndarray:
        cells = self.cells(column)
        if cells.kinds.keys() - {"boolean"}:
            raise self.wrong(column, f"{column.name} holds {_held(cells)}; compare it, as in {column.name} != null")
        kept = np.zeros(len(self.frame), dtype=bool)
        if (rows := cells.kinds.get("boolean")) is not None:
            kept[rows] = cells.values[rows]
        return kept

    def containing(self, column: Column, part: str) -> np.ndarray:
        cells = self.cells(column)
        if cells.kinds and "text" not in cells.kinds:
            raise self.wrong(column, f"{column.name} holds {_held(cells)}; contains looks for a part of a text")
        kept = np.zeros(len(self.frame), dtype=bool)
        if (rows := cells.kinds.get("text")) is not None:
            kept[rows] = [part in value for value in cells.values[rows]]
        return kept

    def one_of(self, column: Column, literals: tuple[Literal, ...]) -> np.ndarray:
        cells = self.cells(column)
        wanted: dict[str, list[Any]] = {}
        for literal in literals:
            kind, value = self.typed(column, cells, literal)
            wanted.setdefault(kind, []).append(value)
        kept = np.zeros(len(self.frame), dtype=bool)
        for kind, values in wanted.items():
            if kind == "null":
                kept |= ~cells.present
            elif (rows := cells.kinds.get("text" if kind == "list" else kind)) is not None:
                kept[rows] |= _is_in(cells.values[rows], kind, values)
        return kept

    def ordered(self, column: Column, order: str, literal: Literal) -> np.ndarray:
        cells = self.cells(column)
        kept = np.zeros(len(self.frame), dtype=bool)
        if not cells.kinds:
            return kept
        kind, value = self.typed(column, cells, literal)
        if kind == "text":
            raise self.wrong(literal, _NO_ORDER)
        rows = cells.kinds[kind]
        kept[rows] = _ORDERS[order](cells.values[rows], value)
        return kept

    def compared(self, left: Column, order: str, right: Column) -> np.ndarray:
        ours = self.cells(left)
        theirs = self.cells(right, instead_of_text="text" in ours.kinds)
        kept = np.zeros(len(self.frame), dtype=bool)
        if not ours.kinds or not theirs.kinds:
            return kept
        common = ours.kinds.keys() & theirs.kinds.keys()
        if not common:
            raise self.wrong(right, f"{left.name} holds {_held(ours)}, {right.name} {_held(theirs)}")
        if order != "==" and not common & {"number", "date"}:
            raise self.wrong(right, _NO_ORDER if "text" in common else "truth values have no order; write == or !=")
        for kind in common & {"number", "date"} if order != "==" else common:
            both = ours.kinds[kind] & theirs.kinds[kind]
            kept[both] = _ORDERS[order](ours.values[both], theirs.values[both])
        return kept

    def cells(self, column: Column, instead_of_text: bool = False) -> _Cells:
        """The cells of a column. A name of no column, where a text could stand, is taken for a text without quotes."""
        if column.name not in self.read:
            try:
                name = frame_column(self.frame, column.name)
            except RequestError as error:
                message, name = str(error), _short(column.name)
                if instead_of_text or name != column.name:
                    message = f"there is no column '{name}'; a text stands in quotes: '{name}'"
                raise self.wrong(column, message) from None
            self.read[column.name] = _cells(self.frame[name])
        return self.read[column.name]

    def typed(self, column: Column, cells: _Cells, literal: Literal) -> tuple[str, Any]:
        """The kind of a literal, and its value as it compares with the column's.

        Raises:
            RequestError: the column has values, and none of this kind.
        """
        value = literal.value
        if value is None:
            return "null", None
        kind = {str: "text", bool: "boolean", tuple: "list"}.get(type(value), "number")
        if kind == "text" and cells.kinds.keys() == {"date"}:
            return "date", self.moment(literal)
        if kind == "list":
            value = _canonical(value)
            fits = any(map(_list, cells.values[cells.kinds["text"]])) if "text" in cells.kinds else False
        else:
            fits = kind in cells.kinds
        if cells.kinds and not fits:
            written = self.text[slice(*literal.at)]
            what = f"{column.name} holds {_held(cells)}, {_short(written)} is {_IS[kind]}"
            raise self.wrong(literal, what + _hint(cells, value, written))
        return kind, value

    def moment(self, literal: Literal) -> np.datetime64:
        try:
            if not re.match(r"\d{4}-\d\d-\d\d(?:[T ]|$)", literal.value, re.ASCII):
                raise ValueError
            moment = datetime.fromisoformat(literal.value)
            if moment.tzinfo:
                moment = moment.astimezone(UTC).replace(tzinfo=None)
        except (ValueError, OverflowError):
            raise self.wrong(literal, "expected a date in UTC, as '2026-11-01' or '2026-11-01T14:30'") from None
        return np.datetime64(moment, "us")

    def wrong(self, part: Column | Literal, what: str) -> RequestError:
        return _wrong(self.text, part.at, what)


_NO_ORDER = "texts have no order here, in which '3.15' would come before '3.9'; write ==, in or contains"


def _cells(series: Series) -> _Cells:
    from pandas.api import types

    if types.is_datetime64_any_dtype(series.dtype):
        values = series.to_numpy(dtype="datetime64[us]")
        return _occurring(values, {"date": ~np.isnat(values)})
    present = series.notna().to_numpy()
    if isinstance(series.dtype, np.dtype) and series.dtype.kind in "iufb":
        return _occurring(series.to_numpy(), {"boolean" if series.dtype.kind == "b" else "number": present})
    values = series.to_numpy(dtype=object)
    kinds = np.array([_kind(value) for value in values], dtype=object)
    return _occurring(values, {kind: present & (kinds == kind) for kind in ("number", "text", "boolean")})


def _occurring(values: np.ndarray, kinds: dict[str, np.ndarray]) -> _Cells:
    return _Cells(values, {kind: rows for kind, rows in kinds.items() if rows.any()})


def _kind(value: Any) -> str:
    if isinstance(value, (bool, np.bool_)):
        return "boolean"
    return "text" if isinstance(value, str) else "number"


def _is_in(cells: np.ndarray, kind: str, values: list[Any]) -> Any:
    """Which of the cells are among the values; all are of the same kind."""
    if cells.dtype != object:
        return np.isin(cells, np.array(values))
    wanted = set(values)
    return [(_list(value) if kind == "list" else value) in wanted for value in cells]


@lru_cache(maxsize=4096)
def _list(text: str) -> str | None:
    """A list as text in the form in which lists are compared, None if the text is no list."""
    if not text.startswith("["):
        return None
    try:
        return _canonical(json.loads(text))
    except (ValueError, RecursionError):
        return None


def _canonical(value: Any) -> str:
    """A list as text, in which 1.0 is 1 and true is not."""

    def plain(item: Any) -> Any:
        if isinstance(item, (list, tuple)):
            return [plain(part) for part in item]
        return int(item) if isinstance(item, float) and item.is_integer() else item

    return json.dumps(plain(value))


def _held(cells: _Cells) -> str:
    return " and ".join(_HELD[kind] for kind in cells.kinds)


def _hint(cells: _Cells, value: Any, written: str) -> str:
    """What to write instead, where it is likely."""
    if "date" in cells.kinds:
        return "; write a date in quotes, as '2026-11-01'"
    if "boolean" in cells.kinds and (value in ("true", "false") or value in (0, 1)):
        return "; write true or false"
    if "text" in cells.kinds and isinstance(value, (int, float)) and not isinstance(value, bool):
        return f"; write '{_short(written)}'"
    if "number" in cells.kinds and isinstance(value, str):
        try:
            float(value)
        except ValueError:
            return ""
        return f"; write {_short(value)} without quotes"
    return ""
