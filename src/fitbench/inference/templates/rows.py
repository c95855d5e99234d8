"""Reads CSV files as the model beside this file takes them. Columns are found by name."""

import csv
import json
import math
import re
from pathlib import Path

import numpy as np

MODEL = json.loads((Path(__file__).resolve().parent / "model.json").read_text(encoding="utf-8"))
INPUT = MODEL["input"]
COLUMNS = INPUT["columns"]
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
CODES = {
    column["name"]: {name: code for code, name in enumerate(column.get("vocabulary") or (), start=1)}
    for column in COLUMNS
}


def category(text: str) -> str:
    """The name of a category, as training had it: '1', '01' and '1.0' are '1'; booleans are 'false' and 'true'."""
    if re.fullmatch(r"[+-]?\d+", text):
        return str(int(text))
    if NUMBER.fullmatch(text) and math.isfinite(number := float(text)):
        return str(int(number)) if number.is_integer() else repr(number)
    return text.lower() if text.lower() in ("true", "false") else text


def value(column: dict, text: str, decimal: str) -> float:
    """A number, or the code of a category: 0 for one that training has not seen. Raises ValueError."""
    name, text = column["name"], (text or "").strip()
    if column["kind"] == "category":
        return CODES[name].get(category(text), 0)
    if text in INPUT["missing"] and (column["missing"] or INPUT["replace_missing"]):
        return math.nan if column["missing"] else column["mean"]
    text = text.replace(decimal, ".")
    number = float(text) if NUMBER.fullmatch(text) else math.nan
    if not math.isfinite(number):
        raise ValueError(f"{name} is {text!r}; expected a number")
    return number


def read(path: str) -> tuple[list[str], np.ndarray, list[str]]:
    """Read a CSV file: the names of its rows, float32 [N, columns], and which rows cannot be read."""
    names, rows, errors = [], [], []
    try:
        with Path(path).open(newline="", encoding="utf-8-sig") as file:
            first = file.readline()
            file.seek(0)
            separator = max(",;\t|", key=first.count)
            decimal = "," if separator == ";" else "."
            table = csv.DictReader(file, delimiter=separator)
            table.fieldnames = [name.strip() for name in table.fieldnames or ()]
            missing = [column["name"] for column in COLUMNS if column["name"] not in table.fieldnames]
            if missing:
                return [], np.empty(0), [f"{path}: lacks the columns {', '.join(missing)}"]
            for number, row in enumerate(table, start=1):
                try:
                    rows.append([value(column, row[column["name"]], decimal) for column in COLUMNS])
                    names.append(f"{path}:{number}")
                except ValueError as error:
                    errors.append(f"{path}: row {number}: {error}")
    except (OSError, csv.Error, UnicodeError) as error:
        return [], np.empty(0), [f"{path}: not a readable CSV file ({getattr(error, 'strerror', None) or error})"]
    return names, np.array(rows, np.float32), errors
