"""Sources and recipes of the rows, for README.md. What rows share is named once, and in rows only where it differs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

from fitbench.markdown import escaped
from fitbench.metrics import PARTS
from fitbench.tables.definition import CHOICES, Claim, Row, Table

FEWEST = 2  # rows that share what is named once
WORDS = dict(zip(CHOICES, ("by the source", "by validation", "first guess"), strict=True))

Item = TypeVar("Item")
Chosen = tuple[str, str]  # a key of the configuration, and how it was chosen
Fact = tuple[str, str]  # 'fact' or 'note', and a text in Markdown


def recipes(table: Table) -> str:
    """What the configurations share, in a matrix also those of a line or column, and a line for each, as Markdown."""
    rows = list({row.number: row for row in reversed(table.rows)}.values())[::-1]
    fewest = FEWEST if table.matrix is None else max(FEWEST, len(rows) // 2 + 1)
    source = _most_common((row.source for row in rows), fewest)
    claimed = _most_common((_claimed(table, row) for row in rows), fewest)
    overrides = _in_all([table.overrides_of(row) for row in table.configurations])
    chosen = _in_all([row.chosen for row in table.configurations])
    shared = [
        *([f"- source of the rows that name none: {escaped(source)}"] if source else []),
        *([f"- claims of the rows that do not say otherwise: {claimed}"] if claimed else []),
        *([f"- configuration of all rows, before what the row states: `{' '.join(overrides)}`"] if overrides else []),
        *([f"- open settings of all rows: {_choices(chosen)}"] if chosen else []),
    ]
    facts = {row.number: _facts(table, row, (source, claimed), chosen) for row in rows}
    for name, numbers in _lines_and_columns(table, rows):
        if of_group := _in_all([facts[number] for number in numbers]):
            shared.append(f"- rows of {escaped(name)}: {_joined(of_group)}")
            facts |= {number: [fact for fact in facts[number] if fact not in of_group] for number in numbers}
    lines = []
    for row in rows:
        own = [one for one in table.overrides_of(row) if one not in overrides] if row.measured else []
        parts = [_joined(facts[row.number]), f"`{' '.join(own)}`" if own else ""]
        lines.append(f"{row.number}. {escaped(row.label)}: {'. '.join(filter(None, parts))}".removesuffix(": "))
    return "\n\n".join("\n".join(part) for part in (shared, lines) if part)


def _facts(table: Table, row: Row, usual: Sequence[str], chosen: Sequence[Chosen]) -> list[Fact]:
    """What is stated of a row besides its overrides. `usual`: the source and the claim of rows that name none."""
    claimed, settings = _claimed(table, row), _choices([one for one in row.chosen if one not in chosen])
    texts = [
        escaped(row.source) if row.source not in usual else "",
        f"claimed {claimed}" if claimed and claimed not in usual else "",
        f"open settings: {settings}" if settings else "",
        _explanation(table, row),
    ]
    notes = escaped(row.notes.rstrip("."))
    return [*(("fact", text) for text in texts if text), *([("note", notes)] if notes else [])]


def _joined(facts: Sequence[Fact]) -> str:
    """The facts, and the notes behind them."""
    notes = [text for kind, text in facts if kind == "note"]
    return ". ".join(filter(None, ["; ".join(text for kind, text in facts if kind == "fact"), *notes]))


def _lines_and_columns(table: Table, rows: Sequence[Row]) -> Iterator[tuple[str, list[int]]]:
    """The name of each line and of each column of a matrix, and the numbers of its rows."""
    if table.matrix is not None:
        for place, names in enumerate((table.matrix.lines, table.matrix.columns)):
            for name in names:
                yield name, [row.number for row in rows if row.cell is not None and row.cell[place] == name]


def _most_common(texts: Iterable[str], fewest: int) -> str:
    """The text that most rows have; '' where too few have it."""
    [(text, number)] = Counter(filter(None, texts)).most_common(1) or [("", 0)]
    return text if number >= fewest else ""


def _in_all(of_rows: Sequence[Sequence[Item]]) -> list[Item]:
    """What all rows have, in the order of the first one; nothing for a single row."""
    if len(of_rows) < FEWEST:
        return []
    return [item for item in of_rows[0] if all(item in others for others in of_rows)]


def _claimed(table: Table, row: Row) -> str:
    """The trainings and examples that the claims of a configuration are of; '' if it has no claim."""
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


def _choices(chosen: Sequence[Chosen]) -> str:
    """How settings were chosen, as 'by the source: `training.epochs`; first guess: `optimizer.learning_rate`'."""
    by_choice: dict[str, list[str]] = {choice: [] for choice in CHOICES}
    for key, text in chosen:
        choice, _, more = text.partition(", ")
        by_choice[choice].append(f"`{key}`" + (f" ({escaped(more)})" if more else ""))
    return "; ".join(f"{WORDS[choice]}: {', '.join(keys)}" for choice, keys in by_choice.items() if keys)


def _explanation(table: Table, row: Row) -> str:
    """Which row would explain this one, and in which settings alone the two differ."""
    if row.explanation is None:
        return ""
    number = next(other.number for other in table.rows if other.label == row.explanation.label)
    keys = ", ".join(f"`{key}`" for key in row.explanation.keys)
    return f"row {number} has the same claim and differs in {escaped(row.explanation.group)} alone ({keys})"
