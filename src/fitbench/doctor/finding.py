"""What a check has found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any


class Status(StrEnum):
    """How a finding stands: a problem stops something that was asked for; a note is worth knowing."""

    ok = "ok"
    note = "note"
    problem = "problem"


@dataclass(frozen=True)
class Finding:
    """What a check has found.

    Attributes:
        name: what was checked, in one or two words.
        status: how it stands.
        found: what was found, in a few words.
        remedy: what to do; empty if there is nothing to do.
        details: the same for scripts: numbers in bytes and seconds, versions, paths.
    """

    name: str
    status: Status
    found: str
    remedy: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)

    def as_json(self, section: str) -> dict[str, Any]:
        """The finding as an object of `--format json`."""
        return {"section": section, **asdict(self)}


def ok(name: str, found: str, **details: Any) -> Finding:
    """A finding that needs nothing."""
    return Finding(name, Status.ok, found, "", details)


def note(name: str, found: str, remedy: str = "", **details: Any) -> Finding:
    """A finding that is worth knowing."""
    return Finding(name, Status.note, found, remedy, details)


def problem(name: str, found: str, remedy: str, **details: Any) -> Finding:
    """A finding that stops something, with its remedy."""
    return Finding(name, Status.problem, found, remedy, details)
