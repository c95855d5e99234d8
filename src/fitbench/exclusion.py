"""`sweep.exclude`: which configurations a filter fits, as `fitbench runs --where` selects runs."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from pathlib import Path

from fitbench.analysis.filters import parse, select
from fitbench.analysis.frame import configurations
from fitbench.config import Config, plain
from fitbench.errors import RequestError
from fitbench.stderr import write_note

KEY = "sweep.exclude"


def kept(configs: Mapping[Path, Config], filters: Sequence[str]) -> set[Path]:
    """The folders of the runs that none of the filters fits.

    A filter sees the columns that a run will have for its configuration, and its study, run_id, config_id, seed and
    fold.

    Args:
        configs: the configurations of runs that need not exist yet, by their folders.
        filters: in the language of `filters`.

    Raises:
        RequestError: a filter is wrong, names no key or fits all runs. The message shows the place.
    """
    frame = configurations((str(folder), plain(config)) for folder, config in configs.items())
    excluded: set[str] = set()
    for text in filters:
        if not any(isinstance(node, ast.Name) for node in ast.walk(parse(text, KEY))):
            raise RequestError(f"{KEY}: {text!r:.80} names no key; write a condition such as model == 'mlp'")
        fits = select(frame, text, KEY)["folder"].tolist()
        if not fits:
            write_note(f"{KEY}: no combination fits {text:.200}")
        excluded.update(fits)
    if len(excluded) == len(configs):
        raise RequestError(f"{KEY} leaves out all combinations of this sweep, {len(configs):,}")
    return {folder for folder in configs if str(folder) not in excluded}
