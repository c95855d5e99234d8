"""Messages as users of Python read them: what is an option of a command is a keyword argument."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager

from fitbench.errors import FitbenchError
from fitbench.stderr import reworded

OPTION = re.compile(r"(?<![\w-])--(baseline|by|config-dir|metric|outputs|state|study|trust|where)(?![\w-])")
SENTENCES = (  # patterns of what messages advise, and the same in Python
    (r"fitbench runs --format csv \| head -1 lists them", "the columns of fitbench.runs() are all of them"),
    (r"fitbench runs --all lists them", "fitbench.runs() lists them"),
    (r"a sweep, fitbench train -m,", "fitbench.sweep"),
    (r"add -m to train each of them", "fitbench.sweep trains each of them"),
    (r"\(fitbench train makes one\)", "(fitbench.train makes one)"),
    (r"fitbench train (\+continue=\S+) (training\.epochs=\d+)", r'fitbench.train("\1", "\2")'),
)


def of_python(text: str) -> str:
    """A message with keyword arguments in the place of options, and calls in the place of commands."""
    for pattern, replacement in SENTENCES:
        text = re.sub(pattern, replacement, text)
    return OPTION.sub(lambda found: "trust=True" if found[1] == "trust" else found[1].replace("-", "_"), text)


@contextmanager
def _worded(change: Callable[[str], str]) -> Iterator[None]:
    """A block whose notes and errors are changed by a function."""
    with reworded(change):
        try:
            yield
        except FitbenchError as error:
            error.args = (change(str(error)), *error.args[1:])
            raise


@contextmanager
def in_python() -> Iterator[None]:
    """A block, or a function, whose notes and errors are `of_python`."""
    with _worded(of_python):
        yield


def named_data(paths: Sequence[str]) -> AbstractContextManager[None]:
    """A block in which notes and errors call these files of arrays, which the user has not named, 'data'."""

    def named(text: str) -> str:
        for path in paths:
            text = text.replace(path, "data")
        return text

    return _worded(named)
