"""What the tables that ship with fitbench reproduce, from their results.csv."""

from functools import cache
from pathlib import Path

from docs.generate.markdown import prose, table
from fitbench.tables.cells import claimed, difference, mean_sd
from fitbench.tables.outcome import Outcome, outcomes
from fitbench.tables.reading import read
from fitbench.tables.remarks import remarks_on_rows
from fitbench.tables.results_file import FILE, read_csv
from fitbench.tables.verdict import Verdict

EXPERIMENTS = Path(__file__).parents[2] / "experiments"
NAMES = ("time_series", "tabular", "lecun1998", "fashion_mnist", "tutorials")
KINDS = ("reproduced", "explained", "better", "worse", "inconclusive", "so far", "not run")


def counts() -> str:
    """How many claims of each table have which verdict."""
    numbers = {name: [kind(one) for one in claims(name)] for name in NAMES}
    numbers["all"] = [kind for kinds in numbers.values() for kind in kinds]
    rows = [(name, str(len(kinds)), *(str(kinds.count(each)) for each in KINDS)) for name, kinds in numbers.items()]
    return table(("table", "claims", *KINDS), rows)


def left(name: str) -> str:
    """The claims of a table that are neither reproduced nor explained, with its remarks on them."""
    rows = [
        (
            prose(one.name),
            claimed(one.row.claim),
            mean_sd(one),
            difference(one),
            one.verdict,
            prose(
                "; ".join(remark.removeprefix("inconclusive, and ") for about, remark in _remarks(name) if about is one)
            ),
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


@cache
def _remarks(name: str) -> tuple[tuple[Outcome, str], ...]:
    return tuple(remarks_on_rows(claims(name)))


def kind(outcome: Outcome) -> str:
    """In which of `KINDS` an outcome is counted."""
    if outcome.explained:
        return "explained"
    verdict = outcome.judgement.verdict
    return verdict.value if outcome.complete or verdict is Verdict.not_run else "so far"
