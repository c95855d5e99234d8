"""What the tables that ship with fitbench reproduce, from their results.csv."""

import re
from functools import cache
from pathlib import Path

from docs.generate.markdown import prose, table
from fitbench.tables.cells import claimed, difference, mean_sd
from fitbench.tables.outcome import Outcome, outcomes
from fitbench.tables.reading import read
from fitbench.tables.remarks import remarks_on_rows
from fitbench.tables.results_file import FILE, read_csv
from fitbench.tables.verdict import JUDGED

EXPERIMENTS = Path(__file__).parents[2] / "experiments"
NAMES = ("time_series", "tabular", "lecun1998", "fashion_mnist", "tutorials")
KINDS = ("reproduced", "explained", "better", "worse", "inconclusive", "so far", "not run", "no value")


def counts() -> str:
    """How many claims of each table have which verdict."""
    numbers = {name: [kind(one) for one in claims(name)] for name in NAMES}
    numbers["all"] = [kind for kinds in numbers.values() for kind in kinds]
    rows = [(each, *(str(kinds.count(each)) for kinds in numbers.values())) for each in KINDS if each in numbers["all"]]
    return table(("", *numbers), [*rows, ("claims", *(str(len(kinds)) for kinds in numbers.values()))])


def left(name: str) -> str:
    """The claims of a table that are neither reproduced nor explained, with its remarks on them."""
    rows = [
        (
            prose(one.name),
            claimed(one.row.claim),
            mean_sd(one),
            difference(one),
            one.verdict,
            prose("; ".join(_remarks(name, one))),
        )
        for one in claims(name)
        if kind(one) not in ("reproduced", "explained")
    ]
    return table(("", "claimed", "measured", "difference", "verdict", "remarks"), rows)


@cache
def claims(name: str) -> tuple[Outcome, ...]:
    """The outcomes of the rows of a table that have a claim and are measured."""
    definition = read(EXPERIMENTS / name)
    results = outcomes(definition, read_csv(EXPERIMENTS / name / FILE))
    return tuple(one for one in results if one.row.measured and one.row.claim is not None)


def _remarks(name: str, outcome: Outcome) -> list[str]:
    """The remarks on a row, without the word that its verdict has."""
    found = [remark for about, remark in remarks_on_rows(claims(name)) if about is outcome]
    return [re.sub("^inconclusive(; |, and )", "", remark) for remark in found]


def kind(outcome: Outcome) -> str:
    """In which of `KINDS` an outcome is counted."""
    if outcome.explained and outcome.complete:
        return "explained"
    verdict = outcome.judgement.verdict
    return verdict.value if outcome.complete or verdict not in JUDGED else "so far"
