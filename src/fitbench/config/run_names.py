"""The names of runs: what a run_id is made of."""

from __future__ import annotations

import re
from typing import NamedTuple

CONFIG_ID = "[0-9a-f]{8}"  # as a regular expression

_RUN = re.compile(r"(?P<group>.+)-s(?P<seed>[0-9]+)(?:-f(?P<fold>[0-9]+))?")


class RunName(NamedTuple):
    """The parts of a run_id, whose text is `<group>-s<seed>`, and `-f<fold>` where there are folds.

    Attributes:
        group: `<data>-<model>-<optimizer>-<config_id>`, which the runs of all seeds and folds have in common.
        seed: of the run.
        fold: of the run, from 0; None without folds.
    """

    group: str
    seed: int
    fold: int | None

    def __str__(self) -> str:
        fold = "" if self.fold is None else f"-f{self.fold}"
        return f"{self.group}-s{self.seed}{fold}"

    @property
    def config_id(self) -> str | None:
        """The 8 hex digits at the end of the group; None for a folder that has been renamed."""
        match = re.search(f"-({CONFIG_ID})$", self.group)
        return match[1] if match else None

    @property
    def short(self) -> str:
        """The words at the end, as '1a2b3c4d-s0', which name the run, too; the whole of a renamed folder."""
        return str(self._replace(group=self.config_id or self.group))


def parse_run_id(run_id: str) -> RunName | None:
    """The parts of a run_id; None of a text that does not end as a run_id does."""
    match = _RUN.fullmatch(run_id)
    if match is None:
        return None
    return RunName(match["group"], int(match["seed"]), None if match["fold"] is None else int(match["fold"]))
