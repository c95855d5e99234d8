"""Why an object that the configuration names could not be created or used."""

import re
import sys

from hydra.errors import InstantiationException

from fitbench.text import clean
from fitbench.user_code import without

MOST = 400  # characters
WRAPPER = "Exception encountered: "  # Keras puts the cause of an error behind its own words
PLACE = "Exception encountered when calling "  # begins a paragraph that only says where
NOT_FOUND = "Error locating target"  # begins what Hydra says where there is no such function or class
COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def reason(error: BaseException) -> str:
    """The first paragraph of an error's message that says why, or the error's type if it has no message.

    The message is that of the cause where one error was raised from another, as Hydra does.
    """
    if str(error).startswith(NOT_FOUND) and error.__cause__ is not None:
        error = error.__cause__  # which Hydra raises from the error of the import
    error = error.__cause__ or error
    if isinstance(error, ModuleNotFoundError) and error.name:
        module, _, name = error.name.rpartition(".")
        if module in sys.modules:  # Hydra tries to import what a module lacks
            return clean(without(sys.modules[module], name))
    text = COLOUR.sub("", str(error).rpartition(WRAPPER)[2])
    paragraphs = [" ".join(paragraph.split()) for paragraph in re.split(r"\n\s*\n", text) if paragraph.strip()]
    if len(paragraphs) > 1 and paragraphs[0].startswith(PLACE):
        del paragraphs[0]
    if not paragraphs:
        return type(error).__name__
    text = clean(paragraphs[0])
    return text if len(text) <= MOST else f"{text[:MOST]}..."


def is_wrong_request(error: InstantiationException, target: str) -> bool:
    """Whether the configuration is wrong where Hydra could not create what it names.

    That is known if there is no such target, if it does not take the settings, and if Keras or fitbench refuses a
    value. Any other error of a function or class of the user's is a failure of that code.
    """
    ours = target.startswith(("keras.", "fitbench."))
    refused = (TypeError, ValueError) if ours else TypeError
    return str(error).startswith(NOT_FOUND) or isinstance(error.__cause__, refused)
