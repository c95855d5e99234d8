"""Sources and recipes of the rows, for README.md. What rows share is stated once, and in rows only where it differs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence

from fitbench.markdown import escaped
from fitbench.metrics import PARTS
from fitbench.tables.definition import CHOICES, Claim, Row, Table

FEWEST = 2  # rows that share what is stated once
SOURCE, CLAIMED, EXPLAINED, NOTES, OVERRIDE = "source", "claimed", "explained", "notes", "override"
CHOSEN = dict(zip(CHOICES, ("by the source", "by validation", "first guess"), strict=True))

Fact = tuple[str, str]  # its kind, one of those above or of the values of CHOSEN, and a text in Markdown
Facts = dict[int, list[Fact]]  # by the number of the row


def recipes(table: Table) -> str:
    """What the rows share, in a matrix also those of each line and of each column, and a line for each configuration.

    The text is Markdown.
    """
    rows = sorted({row.number: row for row in reversed(table.rows)}.values(), key=lambda row: row.number)
    facts = {row.number: _facts(table, row) for row in rows}
    fewest = FEWEST if table.matrix is None else max(FEWEST, len(rows) // 2 + 1)
    shared = [
        *_most_common(facts, SOURCE, fewest),
        *_most_common(facts, CLAIMED, fewest),
        *_in_all(facts, [row.number for row in table.configurations], (*CHOSEN.values(), OVERRIDE)),
    ]
    groups = [
        f"- rows of {escaped(name)}: {_text(of_group)}"
        for name, numbers in _lines_and_columns(table, rows)
        if (of_group := _in_all(facts, numbers, (SOURCE, CLAIMED, NOTES, *CHOSEN.values())))
    ]
    lines = [f"{row.number}. {escaped(row.label)}: {_text(facts[row.number])}".removesuffix(": ") for row in rows]
    parts = [*_about_shared(shared), *groups], lines
    return "\n\n".join("\n".join(part) for part in parts if part)


# -- what is stated of a row ------------------------------------------------------------------------------------------


def _facts(table: Table, row: Row) -> list[Fact]:
    facts = [
        (SOURCE, escaped(row.source)),
        (CLAIMED, _claimed(table, row)),
        *(_choice(key, text) for key, text in row.chosen),
        (EXPLAINED, _explanation(table, row)),
        (NOTES, escaped(row.notes.rstrip("."))),
        *((OVERRIDE, override) for override in table.overrides_of(row) if row.measured),
    ]
    return [(kind, text) for kind, text in facts if text]


def _claimed(table: Table, row: Row) -> str:
    """Of which trainings and examples the claims of a configuration are, '' where there is none."""
    texts = {
        _of_claim(one.claim, PARTS[one.measure.part]): None
        for one in table.rows
        if one.number == row.number and one.claim is not None
    }
    return " and ".join(texts)


def _of_claim(claim: Claim, part: str) -> str:
    """As 'as the mean of 5 trainings on the same 10,000 test examples'."""
    mean = f"as the mean of {claim.trainings} trainings " if claim.trainings > 1 else ""
    number = f"{claim.test_examples:,}"
    if claim.test_set == "same":
        return f"{mean}on the same {number} {part} examples"
    if claim.test_set == "other":
        return f"{mean}on {number} other {part} examples"
    return f"{mean}on the {number} {part} examples of the data with SHA-256 {claim.test_set[:16]}"


def _choice(key: str, text: str) -> Fact:
    """How a setting was chosen."""
    choice, _, more = text.partition(", ")
    return CHOSEN[choice], f"`{key}`" + (f" ({escaped(more)})" if more else "")


def _explanation(table: Table, row: Row) -> str:
    """Which row would explain this one, and in which settings alone the two differ."""
    if row.explanation is None:
        return ""
    number = next(other.number for other in table.rows if other.label == row.explanation.label)
    keys = ", ".join(f"`{key}`" for key in row.explanation.keys)
    return f"row {number} has the same claim and differs in {escaped(row.explanation.group)} alone ({keys})"


# -- what rows share --------------------------------------------------------------------------------------------------


def _most_common(facts: Facts, kind: str, fewest: int) -> list[Fact]:
    """The fact of a kind that most rows have, which is removed from them; none where it is that of too few."""
    counts = Counter(fact for of_row in facts.values() for fact in of_row if fact[0] == kind)
    shared = [fact for fact, count in counts.most_common(1) if count >= fewest]
    _remove(facts, list(facts), shared)
    return shared


def _in_all(facts: Facts, numbers: Sequence[int], kinds: Collection[str]) -> list[Fact]:
    """The facts of these kinds that all of these rows have, which are removed from them; none of a single row."""
    if len(numbers) < FEWEST:
        return []
    first, *others = (facts[number] for number in numbers)
    shared = [fact for fact in first if fact[0] in kinds and all(fact in other for other in others)]
    _remove(facts, numbers, shared)
    return shared


def _remove(facts: Facts, numbers: Sequence[int], shared: Sequence[Fact]) -> None:
    for number in numbers:
        facts[number] = [fact for fact in facts[number] if fact not in shared]


def _lines_and_columns(table: Table, rows: Sequence[Row]) -> Iterator[tuple[str, list[int]]]:
    """The name of each line and of each column of a matrix, and the numbers of its rows."""
    if table.matrix is not None:
        for place, names in enumerate((table.matrix.lines, table.matrix.columns)):
            for name in names:
                yield name, [row.number for row in rows if row.cell is not None and row.cell[place] == name]


# -- text -------------------------------------------------------------------------------------------------------------


def _about_shared(shared: Sequence[Fact]) -> list[str]:
    settings = _settings(shared)
    overrides = _texts(shared, OVERRIDE)
    return [
        *(f"- source of the rows that name none: {text}" for text in _texts(shared, SOURCE)),
        *(f"- claims of the rows that do not say otherwise: {text}" for text in _texts(shared, CLAIMED)),
        *([f"- configuration of all rows, before what the row states: `{' '.join(overrides)}`"] if overrides else []),
        *([f"- open settings of all rows: {settings}"] if settings else []),
    ]


def _text(facts: Sequence[Fact]) -> str:
    """The facts in one line."""
    settings, overrides = _settings(facts), _texts(facts, OVERRIDE)
    of_claims = [
        *_texts(facts, SOURCE),
        *(f"claimed {text}" for text in _texts(facts, CLAIMED)),
        *([f"open settings: {settings}"] if settings else []),
        *_texts(facts, EXPLAINED),
    ]
    parts = ["; ".join(of_claims), *_texts(facts, NOTES), f"`{' '.join(overrides)}`" if overrides else ""]
    return ". ".join(filter(None, parts))


def _settings(facts: Sequence[Fact]) -> str:
    """How settings were chosen, as 'by the source: `training.epochs`; first guess: `optimizer.learning_rate`'."""
    by_choice = {choice: _texts(facts, choice) for choice in CHOSEN.values()}
    return "; ".join(f"{choice}: {', '.join(keys)}" for choice, keys in by_choice.items() if keys)


def _texts(facts: Sequence[Fact], kind: str) -> list[str]:
    return [text for of_kind, text in facts if of_kind == kind]
