"""Rows that explain others: the same claim, reproduced with other settings of a named group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from fitbench.config import Config, covered, plain
from fitbench.config.errors import did_you_mean
from fitbench.config.identity import paths
from fitbench.config.nested import leaves
from fitbench.errors import RequestError
from fitbench.tables.definition import Row, Table

NAMED = 3  # keys in which two rows differ that a message names at most


def check(rows: Sequence[Row]) -> None:
    """Refuse explanations by a row that does not exist or has another claim.

    Raises:
        RequestError: the message names the row.
    """
    by_key: Mapping[tuple[str, str], Row] = {row.key: row for row in rows}
    for row in rows:
        if row.explanation is None:
            continue
        where = f"row {row.number} ({row.label}): explained_by.row is {row.explanation.label!r}"
        other = by_key.get((row.explanation.label, row.measure.name))
        if other is None:
            raise RequestError(
                f"{where}; no row has this label" + did_you_mean(row.explanation.label, [r.label for r in rows], "")
            )
        if other is row:
            raise RequestError(f"{where}, the row itself")
        if other.claim != row.claim or not other.measured:
            raise RequestError(f"{where}, {_difference(other, row)}; a row is explained by one with the same claim")


def _difference(other: Row, row: Row) -> str:
    """Why a row cannot explain another."""
    if not other.measured:
        return "which is not measured"
    if other.claim is None or row.claim is None:
        return "and one of the two states no claim"
    names = {"printed": "claimed", "test_examples": "test_examples", "test_set": "test_set", "trainings": "trainings"}
    stated = [(key, getattr(other.claim, name), getattr(row.claim, name)) for name, key in names.items()]
    return " and ".join(f"whose {key} is {theirs}, not {ours}" for key, theirs, ours in stated if theirs != ours)


def with_explaining(whole: Table, chosen: Table) -> Table:
    """The chosen rows of a table, and those that explain them."""
    labels = {row.explanation.label for row in chosen.rows if row.explanation is not None}
    keys = {row.key for row in chosen.rows}
    rows = tuple(row for row in whole.rows if row.key in keys or row.label in labels)
    return replace(chosen, rows=rows)


# -- configurations ---------------------------------------------------------------------------------------------------


def check_configurations(table: Table, configurations: Mapping[str, Config]) -> None:
    """Refuse explanations by a row that differs in more than the settings of the group.

    Args:
        table: the table; an explaining row that is not in it is not compared.
        configurations: of each measured row by its label.

    Raises:
        RequestError: the message names both rows and the first keys, with both values; or the rows do not differ, or
            the section of a key of the group does not exist.
    """
    rows = {row.label: row for row in reversed(table.rows)}
    for row in table.configurations:
        if row.explanation is not None and row.explanation.label in configurations:
            other = rows[row.explanation.label]
            pair = plain(configurations[row.label]), plain(configurations[other.label])
            _check_group(row, pair[0])
            differing = _differing(configurations[row.label], configurations[other.label])
            if not differing:
                raise RequestError(
                    f"row {row.number} ({row.label}): explained_by is row {other.number} ({other.label}), which has "
                    "the same configuration, so it explains nothing"
                )
            keys = [
                key
                for key in differing
                if not any(f"{key}.".startswith(f"{of_group}.") for of_group in row.explanation.keys)
            ]
            if keys:
                raise RequestError(_other_settings(row, other, keys, *pair))


def _check_group(row: Row, values: Mapping[str, Any]) -> None:
    """Refuse a key of the group whose section does not exist. A key further down need not be in every model."""
    assert row.explanation is not None
    for key in row.explanation.keys:
        if key.split(".")[0] not in values:
            raise RequestError(
                f"row {row.number} ({row.label}): settings.{row.explanation.group} has {key!r}; a configuration has no "
                f"such section{did_you_mean(key, list(values))}"
            )


def _differing(config: Config, other: Config) -> list[str]:
    """The full keys in which two configurations differ, among those that can change the result, and the paths."""
    ours, theirs = (dict(leaves(covered(each), lists=False)) | paths(each) for each in (config, other))
    absent = object()
    return [key for key in {**ours, **theirs} if ours.get(key, absent) != theirs.get(key, absent)]


def _other_settings(
    row: Row, other: Row, keys: Sequence[str], values: Mapping[str, Any], others: Mapping[str, Any]
) -> str:
    """The message on rows that differ in more than the group."""
    assert row.explanation is not None
    ours, theirs = (dict(leaves(each, lists=False)) for each in (values, others))
    named = "; ".join(f"{key} is {_shown(ours, key)} here and {_shown(theirs, key)} there" for key in keys[:NAMED])
    more = f"; and {len(keys) - NAMED} more" if len(keys) > NAMED else ""
    known = {**ours, **theirs}
    unknown = [key for key in row.explanation.keys if not any(f"{leaf}.".startswith(f"{key}.") for leaf in known)]
    hint = f". Neither row has {unknown[0]}{did_you_mean(unknown[0], list(known))}" if unknown else ""
    return (
        f"row {row.number} ({row.label}): explained_by is row {other.number} ({other.label}), which differs in more "
        f"than {row.explanation.group!r} ({', '.join(row.explanation.keys)}): {named}{more}; make the rows equal in "
        f"these keys, or add the keys to the group in settings{hint}"
    )


def _shown(values: Mapping[str, Any], key: str) -> str:
    return f"{values[key]!r:.80}" if key in values else "not set"
