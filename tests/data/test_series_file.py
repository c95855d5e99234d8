"""Reading files of series: what each format means, and what is refused."""

import gzip
import os
from pathlib import Path

import numpy as np
import pytest

from fitbench.data import memory_limit
from fitbench.data.series_file import read_series_file
from fitbench.data.series_text import SeriesFile
from fitbench.errors import DataError

HEADER = """\
# Two channels; é
@problemName Waves
@timeStamps false
@missing false
@univariate false
@dimensions 2
@equalLength true
@seriesLength 3
@classLabel true walk run
@data
"""
LINES = ["1,2,3:4,5,6:walk", "2,3,4:5,6,7:run", "-1e-3,.5,+4:5, 6 ,7:walk"]
TS = HEADER + "\n".join(LINES) + "\n"
UNEQUAL = TS.replace("@equalLength true\n@seriesLength 3\n", "@equalLength false\n")


def read(folder: Path, content: str | bytes, name: str = "a.ts") -> SeriesFile:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return read_series_file(path)


def test_ts_file_becomes_series_of_steps_and_channels(tmp_path):
    file = read(tmp_path, TS)
    assert [values.dtype for values in file.series] == [np.float32] * 3
    assert file.series[0].tolist() == [[1, 4], [2, 5], [3, 6]]
    np.testing.assert_allclose(file.series[2], [[-0.001, 5], [0.5, 6], [4, 7]], rtol=1e-7)
    assert file.labels.tolist() == ["walk", "run", "walk"]
    assert (file.classes, file.channels, file.lengths.tolist()) == (("walk", "run"), 2, [3, 3, 3])


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("\n", "\r\n"),
        lambda text: b"\xef\xbb\xbf" + text.encode(),
        lambda text: b"# a caf\xe9 in Latin-1\n" + text.encode(),
        lambda text: "%# as in a file of aeon\n" + text.replace("@data\n", "@data\n\n# between\n"),
        lambda text: text.replace("@dimensions 2\n", ""),
        lambda text: text.replace("@classLabel true", "@CLASSLABEL True").replace("@data", "@DATA"),
        lambda text: text.replace("@equalLength true\n", ""),
    ],
)
def test_ts_file_is_read_however_it_is_written(tmp_path, change):
    file = read(tmp_path, change(TS))
    assert [values.tolist() for values in file.series] == [values.tolist() for values in read(tmp_path, TS).series]
    assert file.labels.tolist() == ["walk", "run", "walk"]


def test_ts_file_may_have_series_of_different_lengths(tmp_path):
    assert read(tmp_path, UNEQUAL + "1,2,3,4:5,6,7,8:run\n9:9:run\n").lengths.tolist() == [3, 3, 3, 4, 1]


def test_targets_of_a_ts_file_are_numbers(tmp_path):
    file = read(
        tmp_path, "@targetLabel true\n@univariate true\n@data\n1,2:0.5\n3,4:2\n", "a.txt"
    )  # not the name decides
    assert (file.labels.dtype, file.labels.tolist(), file.classes) == (np.float64, [0.5, 2], ())


def test_ts_file_may_have_no_labels(tmp_path):
    file = read(tmp_path, "@univariate true\n@classLabel false\n@data\n1,2\n3,4\n")
    assert file.labels is None
    assert file.series[1].tolist() == [[3], [4]]


@pytest.mark.parametrize("dimensions", ["@dimensions 2\n", ""])
def test_labels_are_not_needed_where_nothing_is_compared(tmp_path, dimensions):
    header = f"{dimensions}@classLabel true walk run\n@data\n"
    (tmp_path / "a.ts").write_text(header + "1,2:3,4\n5,6:7,8\n")
    with pytest.raises(
        DataError, match=r"line [34] has no label behind its last ':'; give each line one, or set @class"
    ):
        read_series_file(tmp_path / "a.ts")
    unlabelled = read_series_file(tmp_path / "a.ts", complete=False)
    for label in ("?", "sit"):  # sit is no class
        (tmp_path / "a.ts").write_text(header + f"1,2:3,4:{label}\n5,6:7,8:run\n")
        with pytest.raises(DataError, match="expected one of the classes walk, run"):
            read_series_file(tmp_path / "a.ts")
        file = read_series_file(tmp_path / "a.ts", complete=False)
        assert file.labels is None and np.array_equal(file.series, unlabelled.series)


@pytest.mark.parametrize(
    "text",
    [
        "1\t1.5\t2\t3\n2\t4\t5\t6\n",
        "1,1.5,2,3\n2,4,5,6\n",
        "   1.0000000e+00   1.5000000e+00   2.0  3.0\n   2.0000000e+00   4  5 6\n",
        "1.0 , 1.5, 2, 3\n\n2.0,4,5,6",
    ],
)
def test_files_of_the_ucr_archive_have_the_label_first(tmp_path, text):
    file = read(tmp_path, text, "a.tsv")
    assert [values.tolist() for values in file.series] == [[[1.5], [2], [3]], [[4], [5], [6]]]
    assert file.labels.tolist() == ["1", "2"]


def test_missing_values_at_the_end_of_a_line_fill_up_a_shorter_series(tmp_path):
    file = read(tmp_path, "-1\t1\t2\tNaN\tnan\n1\t1\t2\t3\t\n1\t5\t?\t?\t?\n", "a.tsv")
    assert [values[:, 0].tolist() for values in file.series] == [[1, 2], [1, 2, 3], [5]]
    assert file.labels.tolist() == ["-1", "1", "1"]


def test_zero_of_either_sign_is_one_class(tmp_path):
    assert read(tmp_path, "0.0\t1\n-0.0\t2\n1\t3\n", "a.tsv").labels.tolist() == ["0", "0", "1"]


def test_labels_with_fractions_are_numbers(tmp_path):
    assert read(tmp_path, "1\t1\n2.5\t2\n", "a.tsv").labels.tolist() == [1, 2.5]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is empty; expected a text file of series"),
        ("# only\n\n% comments\n", "is empty"),
        (gzip.compress(TS.encode()), "is a gzip file; unpack it"),
        (b"PK\x03\x04" + TS.encode(), "is a zip file; unpack it"),
        (b"\x89PNG\r\n\x1a\n\0\0", "line 1 holds the byte 0x89, which is no text in UTF-8"),
        (TS.encode("utf-16"), "line 1 holds the byte 0xff, which is no text in UTF-8"),
        (TS[:60], "ends before a line @data; it may be cut off"),
        (TS.replace("@data\n", ""), "line 10 is the text '1,2,3:4,5,6:walk' in the header; expected a line @data"),
        (HEADER, "has no series after its line @data; it may be cut off"),
        (TS[:-16], "line 13 has no label behind its last ':'; the file may be cut off here"),
        (TS[:-3], r"line 13: its label is the text 'wa'; expected one of the classes walk, run, .*cut off here"),
        (HEADER + "1,2,3:4,5,6:\n1,2,3:4,5,6:run", "line 11: its label is empty; expected one of the classes"),
        (HEADER + "1,2,3:4,5,6\n" + TS, "line 11 has no label behind its last ':'; give each line one, or set @"),
        (TS + "1,2,3:4,5,6:7,8,9:run\n", "line 14 has 4 parts between its ':'; expected 2 channels and its label"),
        (TS + "1,2:3,4:run\n", "line 14: its series has 2 values; expected 3, as @seriesLength states"),
        (TS + "1,2,3:4,5:run\n", "line 14: channel 2 has 2 values, and the first has 3; expected the same number"),
        (TS + "1,2,3:4,five,6:run\n", "line 14: value 2 of channel 2 is the text 'five'; expected a number"),
        (TS + "1,,3:4,5,6:run\n", "line 14: value 2 of channel 1 is empty; expected a number"),
        (TS + "1,?,3:NaN,5,6:run\n?,1,2:1,2,3:run\n", "3 values in 2 of its 5 series are missing, first in line 14"),
        (TS + "1,inf,3:4,5,6:run\n", "1 value in 1 of its 4 series is infinite or above 3.4e38, first in line 14"),
        (TS + "1,1e39,3:4,5,6:run\n", "1 value in 1 of its 4 series is infinite or above 3.4e38, first in line 14"),
        (TS.replace("Stamps false", "Stamps true"), "line 3 states @timeStamps true; expected values"),
        (TS.replace("ions 2", "ions two"), "line 6: @dimensions is the text 'two'; expected a number from 1"),
        (TS.replace("Label true walk", "Label walk"), "line 9: @classlabel is the text 'walk'; expected true or"),
        (TS.replace("@classLabel true walk run\n", ""), "its header has neither @classLabel nor @targetLabel"),
        ("@targetLabel true\n@data\n1,2:0.5\n1,2:b\n", "line 4: its target is the text 'b'; expected a number"),
        ("@targetLabel true\n@data\n1,2:0.5\n1,2:?\n", r"line 4: its target is \?; expected a number"),
        ("@relation Waves\n@attribute a numeric\n", "line 1 begins with @relation, as ARFF files do; expected a .ts"),
    ],
)  # fmt: skip
def test_bad_ts_files_are_refused_with_their_line(tmp_path, content, message):
    with pytest.raises(DataError, match=f"^{tmp_path}/a.ts: {message}") as refusal:
        read(tmp_path, content)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("label\tx1\tx2\n1\t1\t2\n", "line 1: its label is the text 'label'; expected a number"),
        ("1\t1\t2\n2\t1\ttwo\n", "line 2: value 2 is the text 'two'; expected a number"),
        ("1\t1\t\t2\n", "line 1: value 2 is empty; expected a number"),
        ("1 1 2\n2\n", "line 2 has a label and no values"),
        ("1 1 2\n2 NaN NaN\n", "line 2 has a label and no values"),
        ("1 1 NaN 2\n2 1 2 3\n", "1 value in 1 of its 2 series is missing, first in line 1"),
        ("NaN 1 2\n", "line 1: its label is nan; expected a number"),
        ("1;2;3\n", "line 1: its label is the text '1;2;3'; expected a number"),
        (f"1 {'x' * 200}\n", "line 1: value 1 is the text 'x{39}…'; expected a number"),
    ],
)
def test_bad_files_of_the_ucr_archive_are_refused_with_their_line(tmp_path, content, message):
    with pytest.raises(DataError, match=f"^{tmp_path}/a.txt: {message}"):
        read(tmp_path, content, "a.txt")


def test_what_is_no_regular_file_is_not_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe.ts")
    for path, message in (
        (tmp_path / "pipe.ts", "a FIFO, not a regular file"),
        (tmp_path, "a folder"),
        (tmp_path / "none.ts", "no such file"),
    ):
        with pytest.raises(DataError, match=message):
            read_series_file(path)


def test_file_that_memory_cannot_hold_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(memory_limit, "memory_limit", lambda: 100)
    with pytest.raises(DataError, match=r"has 25 bytes, which need about 150 bytes .* for 100; take fewer series"):
        read(tmp_path, "1 2 3 4 5 6 7 8 9 10 11 1", "a.txt")
