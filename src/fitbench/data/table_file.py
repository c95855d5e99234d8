"""Reads the table in a CSV, TSV or Parquet file."""

from __future__ import annotations

import csv
import io
import os
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from fitbench.data.memory_limit import check_memory
from fitbench.data.table_columns import MISSING, is_number
from fitbench.errors import DataError
from fitbench.text import clean, first_line
from fitbench.untrusted import Unreadable, guarded, open_file

if TYPE_CHECKING:
    import pandas as pd

SEPARATORS = (",", ";", "\t", "|")
# Reading takes this many times the bytes of a CSV file: measured are 3 for numbers with many digits, 11 for single
# digits and 15 for texts that all differ. The limit is half of the memory that there is.
TIMES_IN_MEMORY = 8
FEWER = "take fewer rows or columns"
OTHER_FORMATS = {
    b"PK\x03\x04": "an Excel workbook or a zip file; save the table as CSV UTF-8, or unpack the file",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook; save the table as CSV UTF-8",
    b"\x1f\x8b": "a gzip file; unpack it",
}
_WHOLE = re.compile(r"[+-]?\d+")
_FRACTION = re.compile(r"[+-]?(\d+\.\d*|\.\d+)([eE][+-]?\d+)?")
_WITH_COMMA = re.compile(r"[+-]?\d*,\d+([eE][+-]?\d+)?")
_THOUSANDS = {mark: re.compile(rf"[+-]?(0|[1-9]\d{{0,2}}({re.escape(mark)}\d{{3}})*)") for mark in ".,"}
_LEADING_ZERO = re.compile(r"0\d+")
_LEADING_ZERO_IN_FILE = re.compile(rb"(^|[,;\t|\" ])0\d", re.MULTILINE)
_RETURN_ALONE = re.compile(rb"\r(?!\n)")
LARGEST_EXACT = 2**53  # up to this, float64 has every whole number
FEWEST_NUMBERS = 3  # that show how the numbers of a column are written


def read_table(path: Path) -> pd.DataFrame:
    """Read a table. Its content decides the format, not its name.

    A text file is UTF-8, or UTF-16 with a byte order mark. Its first line holds the names of the columns, separated by
    a comma, a semicolon, a tab or a bar. With semicolons, a column of numbers with decimal commas is read as numbers.

    Returns:
        The rows in the order of the file. A column has numbers (int64, uint64 or float64 with NaN for an empty cell),
        bool, or texts (a pandas category without an order, whose categories are str without spaces around them, and ''
        for an empty cell). Whole numbers beside an empty cell are texts where float64 would round one of them.
        `attrs["notes"]` lists what the reader did, a line each. `attrs["unclear"]` says of columns of numbers that can
        be read in two ways what is wrong. `attrs["codes"]` has a number of each column that has numbers with leading
        zeros.

    Raises:
        DataError: it is not such a file, or takes more memory than there is; the message names the file.
    """
    try:
        with guarded(), open_file(path) as file:
            head = file.read(4)
            file.seek(0)
            for magic, advice in OTHER_FORMATS.items():
                if head.startswith(magic):
                    raise Unreadable(f"is {advice}. Expected a CSV, TSV or Parquet file")
            frame = _read_parquet(file) if head == b"PAR1" else _read_text(file)
            if frame.empty:
                raise Unreadable("has names of columns and no rows")
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file") from error
    except Unreadable as error:
        raise DataError(f"{path}: {error}") from error
    return frame


# -- text -------------------------------------------------------------------------------------------------------------


def _read_text(file: BinaryIO) -> pd.DataFrame:
    check_memory(file, TIMES_IN_MEMORY * os.fstat(file.fileno()).st_size, FEWER)
    content, notes = _as_utf8(file.read())
    separator, names = _layout(content)
    if len(names) == 1:
        content, blank = _with_quoted_blanks(content, separator)
        notes += ["blank lines between the values are rows without a value"] * blank
    elif _RETURN_ALONE.search(content):
        content = _written_anew(_reader(content, separator), separator)
    frame = _fields(content, separator, names)
    kinds = "iuf" if _LEADING_ZERO_IN_FILE.search(content) else "f" if separator == ";" else ""
    as_written = frame.select_dtypes("category")
    long = [name for name in names if _may_be_rounded(frame[name])]
    if numbers := [name for name in names if frame[name].dtype.kind in kinds or name in long]:
        as_written = as_written.join(_fields(content, separator, names, dtype=str, usecols=numbers))
    texts = {
        str(name): [text for text in column.cat.categories if text not in MISSING]
        for name, column in as_written.items()
    }
    for name in long:
        if all(map(_WHOLE.fullmatch, texts[name])):
            frame[name] = as_written[name]
    unclear: dict[str, str] = {}
    if separator == ";":
        unclear = _unclear(texts)
        with_commas = _with_decimal_points(frame)
        _check_no_points(texts, with_commas)
        if changed := [name for name in with_commas if name not in unclear]:
            notes.append(f"decimal commas are read in {', '.join(changed)}")
    codes = {name: next(filter(_LEADING_ZERO.fullmatch, different), None) for name, different in texts.items()}
    frame.attrs |= {"notes": notes, "unclear": unclear, "codes": {name: code for name, code in codes.items() if code}}
    return frame


def _written_anew(rows: Iterable[list[str]], separator: str) -> bytes:
    """These rows as a text file in which `\\r\\n` ends every line. Texts in quotes stay as they are.

    After a blank line that `\\r` ends, pandas drops the separator of an empty first field.
    """
    lines = io.StringIO(newline="")
    csv.writer(lines, delimiter=separator).writerows(rows)
    return lines.getvalue().encode()


def _with_quoted_blanks(content: bytes, separator: str) -> tuple[bytes, bool]:
    """A table of one column with `""` on lines that are blank, which pandas skips, and whether there are any.

    A blank line is a missing value of such a table, except above the name and behind the last value.
    """
    rows = [[text.strip() for text in row] or [""] for row in _reader(content.strip(), separator)]
    return _written_anew(rows, separator), [""] in rows


def _fields(content: bytes, separator: str, names: list[str], **settings: Any) -> pd.DataFrame:
    """The rows of a text file, with columns as `read_table` gives them. `settings` are those of `pandas.read_csv`."""
    import pandas as pd

    return with_texts(
        pd.read_csv(
            io.BytesIO(content),
            sep=separator,
            header=0,
            names=names,
            index_col=False,
            keep_default_na=False,  # 'NA' or 'None' may be the name of a category
            na_values=[""],
            skipinitialspace=True,
            low_memory=False,
            **settings,
        )
    )


def _may_be_rounded(column: pd.Series) -> bool:
    """Whether floats that stand for whole numbers beside empty cells may not be these numbers."""
    return column.dtype.kind == "f" and bool((column.abs() >= LARGEST_EXACT).any())


def _unclear(texts: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """What is wrong with columns whose points or commas may be those of thousands, by the name of the column.

    `texts` has the different texts of each column. A column with decimal commas says that those of others are, too.
    """
    thousands = {
        name: mark
        for name, different in texts.items()
        for mark, pattern in _THOUSANDS.items()
        if len(different) >= FEWEST_NUMBERS and all(map(pattern.fullmatch, different)) and mark in "".join(different)
    }
    have_decimal_commas = any(
        all(_WHOLE.fullmatch(text) or _WITH_COMMA.fullmatch(text) for text in different) and "," in "".join(different)
        for name, different in texts.items()
        if name not in thousands
    )
    return {
        name: _two_readings(max(texts[name], key=lambda text: text.count(mark)), mark)
        for name, mark in thousands.items()
        if mark == "." or not have_decimal_commas
    }


def _two_readings(number: str, mark: str) -> str:
    whole = number.replace(mark, "")
    if number.count(mark) > 1:
        return f"has numbers with a mark of thousands, such as {number}; write {whole}"
    return (
        f"has numbers such as {number}, which can be {whole} or {number.replace(',', '.')}; write {whole} if it is "
        "that, or save the file with ',' between the fields and a decimal point in such numbers"
    )


def _as_utf8(content: bytes) -> tuple[bytes, list[str]]:
    """The content of a text file as UTF-8 without a byte order mark, and what has been done to it."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        try:
            return content.decode("utf-16").encode(), ["the file is UTF-16"]
        except UnicodeError as error:
            raise Unreadable(f"begins as UTF-16 and is not ({first_line(error)}); save it as UTF-8") from error
    content = content.removeprefix(b"\xef\xbb\xbf")
    if b"\0" in content:
        raise Unreadable("holds bytes that are 0, as UTF-16 without a byte order mark does; save it as UTF-8")
    try:
        content.decode()
    except UnicodeDecodeError as error:
        line = len(content[: error.start + 1].splitlines())
        raise Unreadable(
            f"line {line} holds the byte 0x{content[error.start]:02x}, which is not UTF-8; save the file as UTF-8 (in "
            "Excel: 'CSV UTF-8')"
        ) from error
    if not content.strip():
        raise Unreadable("is empty; expected a line with the names of the columns, and a line for each row")
    return content, []


def _layout(content: bytes) -> tuple[str, list[str]]:
    """The separator and the names of the columns.

    The separator is the one that divides the first line into most names, and every line into as many fields.
    """
    headers = {separator: _header(content, separator) for separator in SEPARATORS}
    by_width = sorted(SEPARATORS, key=lambda separator: -len(headers[separator]))
    candidates = [separator for separator in by_width if len(headers[separator]) > 1] or by_width[:1]
    separator, problem = candidates[0], None
    for candidate in candidates:
        found = _ragged(content, candidate, max(1, len(headers[candidate])))
        problem = problem or found
        if found is None:
            separator, problem = candidate, None
            break
    if problem is not None:
        raise problem
    names = [name.strip() for name in headers[separator]]
    if len(names) == 1:
        _check_one_column(content)
    _check_names(names)
    return separator, names


def _reader(content: bytes, separator: str, strict: bool = True) -> Any:
    """A reader of `csv` for a text file. If it is not strict, it takes quotes that the separator does not fit."""
    lines = io.TextIOWrapper(io.BytesIO(content), "utf-8", newline="")
    return csv.reader(lines, delimiter=separator, strict=strict, skipinitialspace=True)


def _header(content: bytes, separator: str) -> list[str]:
    """The fields of the first line that is not blank."""
    try:
        return next((fields for fields in _reader(content, separator, strict=False) if fields), [])
    except csv.Error as error:
        raise Unreadable(f"its first line cannot be divided into fields ({error})") from error


def _ragged(content: bytes, separator: str, count: int) -> Unreadable | None:
    """What is wrong with the first line that has not `count` fields; None if all have. Blank lines do not count."""
    reader = _reader(content, separator)
    try:
        for fields in reader:
            if len(fields) != count and fields:
                return Unreadable(
                    f"line {reader.line_num:,} has {len(fields)} fields, separated by {_named(separator)}; the first "
                    f"line has {count}. Put a text that holds {_named(separator)} in double quotes"
                )
    except csv.Error as error:
        return Unreadable(f"line {reader.line_num:,} cannot be divided into fields ({error}); check its quotes")
    return None


def _named(separator: str) -> str:
    return {"\t": "a tab"}.get(separator, f"'{separator}'")


def _check_one_column(content: bytes) -> None:
    """Refuse a table whose columns are separated by spaces."""
    lines = (line.split() for line in re.split(rb"\r\n?|\n", content, maxsplit=2)[:2])
    header, first = (*lines, [], [])[:2]
    if len(header) == len(first) > 1 and sum(_is_number(cell.decode()) for cell in first) > 1:
        raise Unreadable("has fields that are separated by spaces; expected ',', ';', a tab or '|' between them")


def _check_names(names: Sequence[str]) -> None:
    """Refuse names of columns that are missing, numbers or not different."""
    numbers = [name for name in names if _is_number(name)]
    count_up = [[str(start + i) for i in range(len(names))] for start in (0, 1)]
    fractions = [name for name in numbers if not _WHOLE.fullmatch(name)]
    if fractions or (len(numbers) == len(names) and names not in count_up):
        raise Unreadable(
            f"its first line holds the number {clean((fractions or numbers)[0])} where the name of a column is "
            "expected; add a first line with the names of the columns"
        )
    if names[0].startswith("sep="):
        raise Unreadable(f"its first line is {clean(names[0])!r}, which only Excel reads; remove this line")
    if "" in names:
        raise Unreadable(
            f"column {names.index('') + 1} has no name in the first line; name it (with pandas, leave out the index: "
            "to_csv(..., index=False))"
        )
    name, count = Counter(names).most_common(1)[0]
    if count > 1:
        raise Unreadable(f"{count} columns are named {clean(name)!r}; give each another name")


def _is_number(text: str) -> bool:
    text = text.strip()
    return bool(_WHOLE.fullmatch(text) or _FRACTION.fullmatch(text))


def with_texts(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows of any DataFrame with columns as those of `read_table`. What is no number and no bool becomes a text."""
    import pandas as pd

    columns = {}
    for name, column in frame.items():
        if column.dtype.kind in "iufb" and isinstance(column.dtype, np.dtype):
            columns[str(name)] = column.reset_index(drop=True)
        else:
            codes, values = pd.factorize(column.astype(object), use_na_sentinel=False)
            texts = [
                "" if is_missing else str(value).strip()
                for value, is_missing in zip(values, pd.isna(values), strict=True)
            ]
            places, different = pd.factorize(pd.Index(texts, dtype=object))
            columns[str(name)] = pd.Series(pd.Categorical.from_codes(places[codes], different))
    return pd.DataFrame(columns, copy=False)


def _with_decimal_points(frame: pd.DataFrame) -> list[str]:
    """Turn columns of numbers with decimal commas into numbers, in place; gives their names.

    A column with a text such as NA, which may be the name of a category, keeps texts, with points.
    """
    changed = []
    for name in frame.columns[frame.dtypes == "category"]:
        present = [text for text in frame[name].cat.categories if text]
        texts = [text for text in present if text not in MISSING]
        with_comma = [text for text in texts if _WITH_COMMA.fullmatch(text)]
        if with_comma and all(_WHOLE.fullmatch(text) or _WITH_COMMA.fullmatch(text) for text in texts):
            with_points = [text.replace(",", ".") for text in frame[name].cat.categories]
            if len(texts) < len(present):
                frame[name] = frame[name].cat.rename_categories(with_points)
            else:
                frame[name] = np.array([float(text or "nan") for text in with_points])[frame[name].cat.codes]
            changed.append(str(name))
    return changed


def _check_no_points(texts: Mapping[str, Sequence[str]], with_commas: Sequence[str]) -> None:
    """Refuse points in the numbers of a file with decimal commas: they may be decimal points or those of thousands.

    `texts` has the different texts of each column.
    """
    for name, different in texts.items():
        if with_commas and "." in "".join(different) and all(map(is_number, different)):
            raise Unreadable(
                f"its column {clean(name)!r} has points in its numbers, and {clean(with_commas[0])!r} has decimal "
                "commas; write all of them with decimal points, and without points or commas for thousands"
            )


# -- Parquet ----------------------------------------------------------------------------------------------------------


def _read_parquet(file: BinaryIO) -> pd.DataFrame:
    try:
        from pyarrow import parquet
        from pyarrow.lib import ArrowException
    except ImportError as error:
        raise Unreadable(
            "is a Parquet file, which needs pyarrow; pip install 'fitbench[parquet]', or save the table as CSV"
        ) from error
    try:
        table = parquet.ParquetFile(file)
        groups = [table.metadata.row_group(i) for i in range(table.metadata.num_row_groups)]
        cells = table.metadata.num_rows * table.metadata.num_columns
        check_memory(file, 2 * (8 * cells + sum(group.total_byte_size for group in groups)), FEWER)
        fields = [field for field in table.schema_arrow if not _INDEX.fullmatch(field.name)]
        for field in fields:
            _check_type(field.name, str(field.type))
        names = [field.name for field in fields]
        _check_names(names)
        rows = table.read(names)
        frame = rows.to_pandas(ignore_metadata=True)
        for field in fields:
            if _INTEGER.fullmatch(str(field.type)) and _may_be_rounded(frame[field.name]):
                frame[field.name] = rows.column(field.name).to_pandas(integer_object_nulls=True)
    except ArrowException as error:
        raise Unreadable(f"is a damaged Parquet file ({first_line(error)}); write it again") from error
    frame = with_texts(frame)
    frame.attrs["notes"] = []
    return frame


_INDEX = re.compile(r"__index_level_\d+__")  # of pandas, a column without a name
_INTEGER = re.compile(r"u?int\d+")
_TYPES = re.compile(
    r"bool|u?int\d+|halffloat|float|double|decimal.*|null|(dictionary<values=)?(large_)?string.*|"
    r"date.*|time.*|duration.*"  # refused where they are used
)


def _check_type(name: str, kind: str) -> None:
    """Refuse a column of Parquet that holds neither numbers nor texts."""
    if not _TYPES.fullmatch(kind):
        raise Unreadable(
            f"its column {clean(name)!r} is of the type {kind}; expected numbers, texts or booleans. Write the file "
            "without it"
        )
