"""The line of error.txt that says what failed."""

import pytest

from fitbench.record.failure import error_line

TRACEBACK = 'Traceback (most recent call last):\n  File "x.py", line 1, in <module>\n    work()\n'


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (f"{TRACEBACK}ValueError: no\n  luck\n", "ValueError: no"),
        (f"{TRACEBACK}fitbench.errors.DataError: images.npz: damaged\nDownload it again.\n", "images.npz: damaged"),
        (f"{TRACEBACK}fitbench.training.callbacks.Diverged: the loss is nan\n", "the loss is nan"),
        (
            f"{TRACEBACK}NameError: x\n\nThe above exception was the direct cause of the following exception:\n\n"
            f"{TRACEBACK}hydra.errors.InstantiationException: Error in call to target 'mine.net':\n",
            "NameError: x",
        ),
        ("half a line", "half a line"),
        ("", "error.txt is empty"),
    ],
)
def test_line_is_that_of_the_error_that_came_first(tmp_path, text, line):
    (tmp_path / "error.txt").write_text(text)
    assert error_line(tmp_path) == line


def test_without_the_file_there_is_no_line(tmp_path):
    assert error_line(tmp_path) is None
