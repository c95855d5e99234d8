"""What fitbench says when it cannot go on: one or two lines for a person, never a traceback."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

CURRENT_FOLDER_REMOVED = "the current folder has been removed; change into a folder that exists"


class FitbenchError(Exception):
    """Something failed for a reason that the message explains; the command ends with `exit_status`."""

    exit_status = 1


class RequestError(FitbenchError):
    """The request itself was wrong: a misspelt key, an impossible value, a run that does not exist."""

    exit_status = 2


class NotTrustedError(FitbenchError):
    """A run asks for code that may do anything, and nobody has said that the origin of the run is trusted."""


class DataError(FitbenchError):
    """A data set is missing, damaged, or not what it says it is."""


class SweepFailed(FitbenchError):
    """Some runs of a sweep failed, or were not finished.

    Attributes:
        runs: what `fitbench.sweep` would have returned: the runs that have begun, with their states and errors; None
            where a command has launched the sweep.
    """

    runs: pd.DataFrame | None = None


def interruption(error: BaseException) -> BaseException | None:
    """The Ctrl-C or the signal that an error follows from, None if there is none.

    A C extension that is interrupted while it is imported raises an ImportError whose cause is the interruption; the
    modules that import it may raise errors of their own. What merely fails after an interruption, such as the writing
    of a checkpoint, does not have it as its stated cause, and is an error.
    """
    seen: list[BaseException] = []
    following: BaseException | None = error
    while following is not None and all(following is not other for other in seen):
        seen.append(following)
        cause = following.__cause__
        if isinstance(cause, KeyboardInterrupt | SystemExit) and type(cause) is not SystemExit:  # that is sys.exit()
            return cause
        following = cause or following.__context__
    return None
