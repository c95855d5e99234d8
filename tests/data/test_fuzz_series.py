"""Made-up files of series: a data set, or one error of ours that names the file.

`FITBENCH_FUZZ=100` tries a hundred times as many; see tests/fuzzing.py.
"""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from fitbench.config import SeriesFiles, Source
from fitbench.data import loading
from fitbench.errors import FitbenchError

from ..fuzzing import edited, fuzz

TS = (
    "# about\n@problemName A\n@timeStamps false\n@univariate false\n@dimensions 2\n@equalLength true\n"
    "@seriesLength 3\n@classLabel true a b\n@data\n1,2,3:4,5,6:a\n2,3,4:5,6,7:b\n3,4,5:6,7,8:a\n4,5,6:7,8,9:b\n"
)
TARGETS = "@targetLabel true\n@univariate true\n@data\n1,2,3:0.5\n2,3,4:1\n4,5:2\n5,6:3\n"
TSV = "1\t1\t2\tNaN\n2\t2\t3\t4\n1\t3\t4\t5\n2\t4\t5\t6\n"
TXT = "  1.0e+00  1.5  2\n  2.0e+00  3  4\n 1 2 3\n 2 5 6\n"
PIECES = [
    *":,@#%?\t\n -.", "\r", "\0", "ä", "\u2028", "nan", "NaN", "inf", "1e39", "1e999", "9" * 400, "1_0", "false",
]  # fmt: skip
LINES = [
    "@classLabel false", "@classLabel true", "@classLabel", "@targetLabel true", "@dimensions 3", "@dimensions -1",
    "@seriesLength 999999999", "@equalLength false", "@univariate true", "@timeStamps true", "@data", "@", "@relation",
    "1,2,3:4,5,6:a", "1:2:b", "1,2,3:4,5,6:c", "::", ":a", "1\t2\t3", "a b c", "9" * 5000 + "\t1\t2",
]  # fmt: skip


@given(
    text=edited(st.sampled_from([TS, TARGETS, TSV, TXT]), PIECES, LINES),
    suffix=st.sampled_from([".ts", ".tsv", ".txt"]),
    lengths=st.sampled_from([None, "linear", "cubic"]),
)
@fuzz(150)
def test_file_of_series_is_a_data_set_or_refused(tmp_path, text, suffix, lengths):
    path = tmp_path / f"a{suffix}"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    data = SeriesFiles(
        name="a", source=Source.signals, path=str(path), test_path=None, test_fraction=0.5, split_seed=0,
        standardize=None, lengths=lengths,
    )  # fmt: skip
    try:
        dataset = loading.load(data)
    except FitbenchError as error:
        assert str(error).startswith(str(path))
        assert len(str(error)) - len(str(path)) < 300
        assert str(error).isprintable()
        return
    assert len(dataset.x_train) == len(dataset.y_train)
    assert (dataset.x_train.dtype, dataset.x_train.ndim) == (np.float32, 3)
    assert dataset.x_train.shape[1:] == dataset.x_test.shape[1:]
    assert np.isfinite(dataset.x_train).all()
    assert np.isfinite(dataset.x_test).all()
