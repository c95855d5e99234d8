"""What fitbench says when it cannot go on: one or two lines for a person, never a traceback."""

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
