"""What Keras says went wrong, as whole sentences on one line."""

import re

from fitbench.text import clean

MOST = 400  # characters
WRAPPER = "Exception encountered: "  # Keras puts the cause of an error behind its own words
PLACE = "Exception encountered when calling "  # begins a paragraph that only says where
COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def reason(error: BaseException) -> str:
    """The first paragraph of an error's message that says why, or the error's type if it has no message.

    The message is that of the cause where one error was raised from another, as Hydra does.
    """
    error = error.__cause__ or error
    text = COLOUR.sub("", str(error).rpartition(WRAPPER)[2])
    paragraphs = [" ".join(paragraph.split()) for paragraph in re.split(r"\n\s*\n", text) if paragraph.strip()]
    if len(paragraphs) > 1 and paragraphs[0].startswith(PLACE):
        del paragraphs[0]
    if not paragraphs:
        return type(error).__name__
    text = clean(paragraphs[0])
    return text if len(text) <= MOST else f"{text[:MOST]}..."
