"""The tables of the page about the run folder: from the schemas of its files."""

from docs.generate.markdown import code, explained, table
from docs.generate.schema import keys_of
from fitbench.record import dataset, schemas

BELOW = ", below 10^308"  # of every whole number that pandas can take for a float


def record(name: str) -> str:
    """The keys of a file, or of a section of one, by the name of its schema."""
    rows = [
        (code(key.name), explained(key.meaning, key.allowed.replace(BELOW, "")))
        for key in keys_of(getattr(schemas, name, None) or getattr(dataset, name))
    ]
    return table(("key", "meaning, and what it holds"), rows)
