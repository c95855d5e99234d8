"""Reading tables of text files and Parquet files: what is taken, and what is refused."""

import csv
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fitbench.data import memory_limit, table_file
from fitbench.data.table_columns import numbers_of
from fitbench.data.table_file import read_table, with_texts
from fitbench.errors import DataError

from ..fuzzing import fuzz


def read(folder: Path, content: str | bytes) -> pd.DataFrame:
    path = folder / "a.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return read_table(path)


def values(frame: pd.DataFrame) -> dict[str, list]:
    return {name: column.tolist() for name, column in frame.items()}


PLAIN = {"rooms": [3, 4], "price": [1.5, 2.5], "city": ["Ulm", "Bonn"]}


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_separator_is_found(tmp_path, separator, line_end):
    lines = ["rooms,price,city", "3,1.5,Ulm", "4,2.5,Bonn"]
    text = line_end.join(line.replace(",", separator) for line in lines) + line_end
    assert values(read(tmp_path, text)) == PLAIN


def test_separator_is_the_one_that_divides_every_line_alike(tmp_path):
    frame = read(tmp_path, "size, in m2|price, net|rooms, all\n10|1.5|2\n20|2.5|3\n")
    assert list(frame) == ["size, in m2", "price, net", "rooms, all"]
    frame = read(tmp_path, "a;b,c;d,e\n1;x,y;z\n2;u,v;w\n")  # a comma gives as many names
    assert list(frame) == ["a", "b,c", "d,e"]


@pytest.mark.parametrize(
    ("encode", "note"),
    [
        (lambda text: b"\xef\xbb\xbf" + text.encode(), []),
        (lambda text: text.encode("utf-16"), ["the file is UTF-16"]),
        (lambda text: b"\xfe\xff" + text.encode("utf-16-be"), ["the file is UTF-16"]),
    ],
)
def test_byte_order_marks_are_taken(tmp_path, encode, note):
    frame = read(tmp_path, encode("größe,b\n1,ä\n2,€\n"))
    assert values(frame) == {"größe": [1, 2], "b": ["ä", "€"]}
    assert frame.attrs["notes"] == note


def test_quotes_spaces_and_blank_lines(tmp_path):
    frame = read(tmp_path, '\n a, "b c",d\n"1","x, ""y""\nz", 5\n\n2,  w ,6\n')
    assert values(frame) == {"a": [1, 2], "b c": ['x, "y"\nz', "w"], "d": [5, 6]}


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n"])
def test_a_blank_line_of_one_column_is_a_row_without_a_value(tmp_path, end):
    lines = ["", "x", "1.5", "", "  ", "\t", '""', '" "', "2.5", "", "  ", ""]
    frame = read(tmp_path, end.join(lines))
    assert values(frame.fillna(0)) == {"x": [1.5, 0, 0, 0, 0, 0, 2.5]}
    assert frame.attrs["notes"] == ["blank lines between the values are rows without a value"]
    assert read(tmp_path, end.join(["x", "1.5", "2.5", "", ""])).attrs["notes"] == []


@pytest.mark.parametrize("blank", ["\r", "\n", "\r\n"])
@pytest.mark.parametrize("end", ["\r", "\n", "\r\n"])
def test_line_ends_do_not_change_what_is_read(tmp_path, end, blank):
    lines = ["code,b,c", "01,2,3", f'{blank},"5 ""x""\r,y\r\nz",6', "07,,9"]
    frame = read(tmp_path, end.join(lines) + end)
    assert values(frame.fillna(0)) == {"code": [1, 0, 7], "b": ["2", '5 "x"\r,y\r\nz', ""], "c": [3, 6, 9]}
    assert frame.attrs["codes"] == {"code": "01"}


def test_messages_count_lines_with_any_end(tmp_path):
    with pytest.raises(DataError, match=r"line 3 holds the byte 0xfc"):
        read(tmp_path, b"a,b\r1,2\r3,\xfc\r")
    with pytest.raises(DataError, match=r"fields that are separated by spaces"):
        read(tmp_path, "a b\r1 2\r3 4\r")


def test_missing_cells_and_spellings(tmp_path):
    frame = read(tmp_path, "a,b,c\n1,NA,None\n,,x\n3,nan,\n")
    assert np.isnan(frame["a"][1])
    assert values(frame[["b", "c"]]) == {"b": ["NA", "", "nan"], "c": ["None", "x", ""]}


def test_long_whole_numbers_beside_an_empty_cell_stay_exact(tmp_path):
    ids = ["123456789012345671", "", "-123456789012345672"]
    frame = read(tmp_path, "id,price,small\n" + "".join(f"{each},{each and 1e20},{each[-2:]}\n" for each in ids))
    assert frame["id"].tolist() == ids
    assert [frame[name].dtype for name in ("price", "small")] == [np.float64] * 2
    whole = pd.array([int(each) if each else None for each in ids], "Int64")
    pd.DataFrame({"id": whole, "small": whole % 100}).to_parquet(tmp_path / "a.parquet")
    frame = read_table(tmp_path / "a.parquet")
    assert frame["id"].tolist() == ids
    assert frame["small"].dtype == np.float64


def test_booleans_beside_an_empty_cell_are_texts(tmp_path):
    frame = read(tmp_path, "a,b\nTrue,true\nFalse,\n")
    assert frame["a"].dtype == bool
    assert frame["b"].tolist() == ["True", ""]


def test_decimal_commas_are_taken_beside_semicolons(tmp_path):
    frame = read(tmp_path, "a;b;c;d;e\n1,5;2;x,y;1;NA\n-,5;3,25;z;;2,5\n;1e3;z;3;4\n")
    assert np.array_equal(frame["a"], [1.5, -0.5, np.nan], equal_nan=True)
    assert frame["b"].tolist() == ["2", "3,25", "1e3"]  # '3,25' beside '1e3' is not clear
    assert frame["c"].tolist() == ["x,y", "z", "z"]
    assert frame["e"].tolist() == ["NA", "2.5", "4"]  # NA may be the name of a category
    assert np.array_equal(numbers_of(frame["e"], "a.csv"), [np.nan, 2.5, 4], equal_nan=True)
    assert frame.attrs["notes"] == ["decimal commas are read in a, e"]


@pytest.mark.parametrize(
    ("price", "other", "problem"),
    [
        ("396.939 95 1.200", "1 2 3", "such as 396.939, which can be 396939 or 396.939; write 396939 if it is that"),
        ("396,939 95 1,200", "1 2 3", "such as 396,939, which can be 396939 or 396.939; write 396939 if it is that"),
        ("1.396.939 95 1.200", "1 2 3", "with a mark of thousands, such as 1.396.939; write 1396939"),
        ("-396.939 95.100 1.200", "1.5 2 3", "can be -396939 or -396.939"),
        ("396.939 95 1.25", "1 2 3", None),
        ("0.939 95.123 1.250", "1 2 3", None),
        ("396,939 95 1,200", "1,5 2 3", None),  # the other column shows that commas are decimal
        ("396.939 95.123", "1 2", None),  # too few
        ("396 95 120", "1 2 3", None),
    ],
)
def test_numbers_that_may_have_marks_of_thousands_are_unclear(tmp_path, price, other, problem):
    rows = "\n".join(";".join(cells) for cells in zip(price.split(" "), other.split(" "), strict=False))
    unclear = read(tmp_path, f"price;other\n{rows}\n").attrs["unclear"]
    assert list(unclear) == (["price"] if problem else [])
    assert (problem or "") in unclear.get("price", "")
    assert not read(tmp_path, f"price\tother\n{rows}\n".replace(";", "\t")).attrs["unclear"]


def test_numbers_with_leading_zeros_are_found(tmp_path):
    rows = 'a,01234,"001",0,0.5,2020-01-05,07x\nb,,2,5,00.5,x,8\n'
    assert read(tmp_path, f"a,zip,code,c,d,day,e\n{rows}").attrs["codes"] == {"zip": "01234", "code": "001"}


@pytest.mark.parametrize("numbers", ["1.234;2.5;3", "1.000;2.000;3.000", "1.234;2.345;NA", "1.000;2.000;"])
def test_points_beside_decimal_commas_are_refused(tmp_path, numbers):
    rows = "\n".join(f"1,5;{number}" for number in numbers.split(";"))
    with pytest.raises(DataError, match="column 'b' has points in its numbers, and 'a' has decimal commas"):
        read(tmp_path, f"a;b\n{rows}\n")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is empty; expected a line with the names"),
        (" \n\n", "is empty"),
        ("a,b\n", "has names of columns and no rows"),
        ("a,b\n1,2\n3\n", "line 3 has 1 fields, separated by ','; the first line has 2"),
        ("a,b\n1,2,3\n", "line 2 has 3 fields"),
        ("a\tb\n1\t2\t3\n", "line 2 has 3 fields, separated by a tab"),
        ('a,b\n1,"2\n3,4\n', "line 3 cannot be divided into fields .unexpected end of data.; check its quotes"),
        ('a,b\n1,"2"3\n', "line 2 cannot be divided into fields"),
        ('a,"b" ,c\n1,2,3\n', "line 1 cannot be divided into fields .',' expected after"),
        ("a b c\n1 2.5 x\n", "separated by spaces"),
        ("a,b,a\n1,2,3\n", "2 columns are named 'a'; give each another name"),
        ("a, a\n1,2\n", "2 columns are named 'a'"),
        ("sep=;\na;b\n1;2\n", "its first line is 'sep=', which only Excel reads"),
        (",a\n0,2\n", "column 1 has no name .* index=False"),
        ("a,b,\n1,2,\n", "column 3 has no name"),
        ("5.1,3.5,setosa\n4.9,3.0,setosa\n", "its first line holds the number 5.1 where the name of a column"),
        ("3,7\n4,8\n", "its first line holds the number 3"),
        ("a,b\n1,2\n3,\x00\n", "holds bytes that are 0, as UTF-16 without"),
        ("a,b\n1,2\n3,é\n".encode("latin-1"), "line 3 holds the byte 0xe9, which is not UTF-8; .*CSV UTF-8"),
        (b"\xff\xfea\x00,\x00b", "begins as UTF-16 and is not"),
        (b"PK\x03\x04....", "an Excel workbook or a zip file; save the table as CSV UTF-8"),
        (b"\x1f\x8b....", "a gzip file; unpack it"),
        (b"\xd0\xcf\x11\xe0....", "an old Excel workbook"),
        (b"PAR1....", "a damaged Parquet file"),
        ("a,b\n1," + "x" * 200_000 + "\n", "line 2 cannot be divided into fields .field larger than"),
    ],
)
def test_unreadable_files_are_refused(tmp_path, content, message):
    with pytest.raises(DataError, match=rf"a\.csv: .*{message}"):
        read(tmp_path, content)


@pytest.mark.parametrize("names", [["country", "1990", "1991"], ["0", "1", "2"], ["1", "2", "3"]])
def test_years_and_counted_columns_may_be_names(tmp_path, names):
    assert list(read(tmp_path, f"{','.join(names)}\n5,6,7\n8,9,10\n")) == names


def test_what_is_no_regular_file_is_not_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(DataError, match="a FIFO, not a regular file"):
        read_table(tmp_path / "pipe")
    with pytest.raises(DataError, match="a folder"):
        read_table(tmp_path)
    with pytest.raises(DataError, match="no such file"):
        read_table(tmp_path / "none.csv")


def test_table_that_memory_cannot_hold_is_refused(tmp_path, monkeypatch):
    assert memory_limit.memory_limit() > 100
    monkeypatch.setattr(memory_limit, "memory_limit", lambda: 100)
    with pytest.raises(
        DataError, match="has 24 bytes, which need about 192 bytes of memory, and there is memory for 100"
    ):
        read(tmp_path, "abc,def\n12345678,123456\n")
    pd.DataFrame({"a": np.zeros(1000)}).to_parquet(tmp_path / "a.parquet")
    with pytest.raises(DataError, match="there is memory for 100"):
        read_table(tmp_path / "a.parquet")


def test_parquet_is_read_like_text(tmp_path):
    frame = pd.DataFrame(
        {
            "number": [1.5, None, 3.0],
            "count": pd.array([1, None, 3], dtype="Int64"),
            "whole": [1, 2, 3],
            "text": ["x", None, " y "],
            "flag": [True, False, True],
            "maybe": pd.array([True, None, False], dtype="boolean"),
            "kind": pd.Categorical(["b", "a", "b"]),
            "day": pd.to_datetime(["2020-01-01", None, "2020-01-03"]),
        },
        index=["p", "q", "r"],
    )
    frame.to_parquet(tmp_path / "a.data")  # the content decides, not the name
    read = read_table(tmp_path / "a.data")
    assert list(read) == list(frame)  # without the index, which has no name
    assert np.array_equal(read["number"], [1.5, np.nan, 3], equal_nan=True)
    assert np.array_equal(read["count"], [1, np.nan, 3], equal_nan=True)
    assert (read["whole"].dtype.kind, read["flag"].dtype) == ("i", bool)
    assert values(read[["text", "maybe", "kind"]]) == {
        "text": ["x", "", "y"],
        "maybe": ["True", "", "False"],
        "kind": ["b", "a", "b"],
    }
    assert read["day"].tolist() == ["2020-01-01 00:00:00", "", "2020-01-03 00:00:00"]


def test_parquet_with_lists_is_refused(tmp_path):
    pd.DataFrame({"a": [1, 2], "b": [[1], [2]]}).to_parquet(tmp_path / "a.parquet")
    with pytest.raises(DataError, match=r"its column 'b' is of the type list<.*expected numbers, texts or booleans"):
        read_table(tmp_path / "a.parquet")


def test_damaged_parquet_is_refused(tmp_path):
    path = tmp_path / "a.parquet"
    pd.DataFrame({"a": np.arange(1000), "b": np.arange(1000.0)}).to_parquet(path)
    content = path.read_bytes()
    for cut in (5, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:cut])
        with pytest.raises(DataError, match=r"a\.parquet: "):
            read_table(path)


def test_parquet_without_pyarrow_says_what_to_install(tmp_path, monkeypatch):
    pd.DataFrame({"a": [1, 2]}).to_parquet(tmp_path / "a.parquet")
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(DataError, match=r"needs pyarrow; pip install 'fitbench\[parquet\]'"):
        read_table(tmp_path / "a.parquet")


def test_any_frame_gets_columns_like_those_of_a_file():
    frame = with_texts(pd.DataFrame({"a": ["x", None, 3], 5: [1, 2, 3], "b": [True, None, False]}, index=[7, 8, 9]))
    assert list(frame) == ["a", "5", "b"]
    assert list(frame.index) == [0, 1, 2]
    assert frame["a"].tolist() == ["x", "", "3"]
    assert frame["b"].tolist() == ["True", "", "False"]


CELL = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zs", "Zl", "Zp")), min_size=1, max_size=8)


@given(st.lists(st.tuples(CELL, CELL), min_size=1, max_size=20), st.sampled_from(table_file.SEPARATORS))
@fuzz(60)
def test_texts_come_back_as_they_were_written(tmp_path_factory, rows, separator):
    path = tmp_path_factory.mktemp("texts") / "a.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, delimiter=separator)
        writer.writerows([("first", "second"), *((f"'{a}", f"'{b}") for a, b in rows)])
    assert read_table(path)["second"].tolist() == [f"'{b}" for _, b in rows]


@given(st.binary(max_size=300))
@fuzz(200)
def test_any_bytes_are_read_or_refused(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "fuzz.csv"
    path.write_bytes(content)
    try:
        assert len(read_table(path))
    except DataError as error:
        assert "fuzz.csv" in str(error)
