"""Reads CSV files as the model beside this file takes them. Columns are found by name."""

import csv
import io
import json
import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

MODEL = json.loads((Path(__file__).resolve().parent / "model.json").read_text(encoding="utf-8"))
INPUT = MODEL["input"]
COLUMNS = INPUT["columns"]
MISSING = {"", *INPUT["missing"]}
LARGEST = float(np.finfo(np.float32).max)
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
WITH_COMMA = re.compile(r"[+-]?\d*,\d+([eE][+-]?\d+)?")
WHOLE = re.compile(r"[+-]?\d+")
FEWEST = 3  # numbers that show how those of a column are written
CODES = {
    column["name"]: {name: code for code, name in enumerate(column.get("vocabulary") or (), start=1)}
    for column in COLUMNS
}


def category(text: str) -> str:
    """The name of a category, as training had it: '1', '01' and '1.0' are '1'; booleans are 'false' and 'true'."""
    if WHOLE.fullmatch(text):
        return str(int(text))
    if NUMBER.fullmatch(text) and math.isfinite(number := float(text)):
        return str(int(number)) if number.is_integer() else repr(number)
    return text.lower() if text.lower() in ("true", "false") else text


def value(column: dict, text: str, has_commas: bool) -> float:
    """A number, or the code of a category: 0 for one that training has not seen. Raises ValueError."""
    name, plain = column["name"], text.replace(",", ".") if has_commas else text
    if column["kind"] == "category":
        return CODES[name].get(category(plain), 0)
    if text in MISSING and (column["missing"] or INPUT["replace_missing"]):
        return math.nan if column["missing"] else column["mean"]
    if not NUMBER.fullmatch(plain):
        raise ValueError(f"{name} is {text!r}; expected a number")
    if abs(number := float(plain)) > LARGEST:
        raise ValueError(f"{name} is {text!r}; expected a finite number below 3.4e38")
    return number


def divided(text: str) -> tuple[str, list[list[str]]]:
    """The separator of a CSV file, and the fields of its lines, as many in each. Raises ValueError."""
    first = next((line for line in text.splitlines() if line.strip()), "")
    problems = []
    for separator in sorted(filter(first.count, ",;\t|"), key=first.count, reverse=True) or ",":
        content = io.StringIO(text.rstrip(), newline="")
        reader = csv.reader(content, delimiter=separator, skipinitialspace=True, strict=True)
        lines: list[list[str]] = []
        try:
            for fields in reader:
                if not fields and (not lines or len(lines[0]) > 1):
                    continue
                lines.append([field.strip() for field in fields or [""]])  # a blank line of one column is a row
                if len(lines[-1]) != len(lines[0]):
                    raise ValueError(
                        f"line {reader.line_num} has {len(fields)} fields, separated by {separator!r}; the first line "
                        f"has {len(lines[0])}"
                    )
            return separator, lines
        except (csv.Error, ValueError) as error:
            problems.append(error)
    raise problems[0]


def decimal_commas(table: Mapping[str, Sequence[str]]) -> list[str]:
    """The columns with decimal commas, of a table whose separator is a semicolon.

    Raises ValueError where points or commas in numbers may be those of thousands.
    """
    different = {name: {text for text in texts if text not in MISSING} for name, texts in table.items()}
    with_commas = [
        name
        for name, texts in different.items()
        if "," in "".join(texts) and all(WITH_COMMA.fullmatch(text) or WHOLE.fullmatch(text) for text in texts)
    ]
    for name, texts in different.items():
        if with_commas and "." in "".join(texts) and all(map(NUMBER.fullmatch, texts)):
            raise ValueError(
                f"its column {name!r} has points in its numbers, and {with_commas[0]!r} has decimal commas; write all "
                "of them with decimal points, and without points or commas for thousands"
            )
    marks = {name: mark for name, texts in different.items() for mark in ".," if of_thousands(texts, mark)}
    has_decimals = any(name not in marks for name in with_commas)
    for name in (column["name"] for column in COLUMNS if column["kind"] == "number"):
        if marks.get(name) == "." or (marks.get(name) == "," and not has_decimals):
            number = max(different[name], key=lambda text: text.count(marks[name]))
            raise ValueError(
                f"its column {name!r} has numbers such as {number}, in which the mark can be of decimals or of "
                "thousands; leave out marks of thousands, or save the file with ',' between the fields and a decimal "
                "point in such numbers"
            )
    return with_commas


def of_thousands(texts: set[str], mark: str) -> bool:
    """Whether a mark in the numbers of a column may be that of thousands."""
    pattern = re.compile(rf"[+-]?(0|[1-9]\d{{0,2}}({re.escape(mark)}\d{{3}})*)")
    return len(texts) >= FEWEST and mark in "".join(texts) and all(map(pattern.fullmatch, texts))


def table_of(path: str) -> tuple[Mapping[str, Sequence[str]], list[str]]:
    """Read a CSV file: the texts of its columns by their names, and the columns with decimal commas.

    Raises OSError, or ValueError where it does not fit the model.
    """
    with Path(path).open(newline="", encoding="utf-8-sig") as file:
        separator, (names, *rows) = divided(file.read())
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        raise ValueError(f"several columns are named {repeated[0]!r}; give each another name")
    lacking = [column["name"] for column in COLUMNS if column["name"] not in names]
    if lacking:
        raise ValueError(f"lacks the columns {', '.join(lacking)}")
    if not rows:
        raise ValueError("has names of columns and no rows")
    table = dict(zip(names, zip(*rows, strict=True), strict=True))
    return table, decimal_commas(table) if separator == ";" else []


def read(path: str) -> tuple[list[str], np.ndarray, list[str], list[str]]:
    """Read a CSV file: the names of its rows, float32 [N, columns], which rows cannot be read, and what was noticed."""
    try:
        table, with_commas = table_of(path)
    except OSError as error:
        return [], np.empty(0), [f"{path}: cannot be read ({error.strerror})"], []
    except (ValueError, csv.Error) as error:
        return [], np.empty(0), [f"{path}: {error}"], []
    names, rows, errors = [], [], []
    for number, texts in enumerate(zip(*(table[column["name"]] for column in COLUMNS), strict=True), start=1):
        try:
            rows.append([value(of, text, of["name"] in with_commas) for of, text in zip(COLUMNS, texts, strict=True)])
            names.append(f"{path}:{number}")
        except ValueError as error:
            errors.append(f"{path}: row {number}: {error}")
    notes = [f"decimal commas are read in {', '.join(with_commas)}"] if with_commas else []
    for place, column in enumerate(COLUMNS):
        count = sum(row[place] == 0 for row in rows) if column["kind"] == "category" else 0
        if count:
            notes.append(f"training has not seen the values of {column['name']} in {count} of {len(rows)} rows")
    return names, np.array(rows, np.float32), errors, [f"{path}: {note}" for note in notes]
