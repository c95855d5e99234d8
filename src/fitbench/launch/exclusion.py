"""Leaves out the jobs of a sweep that a filter fits, as `fitbench runs --where` selects runs."""

from __future__ import annotations

import ast
from collections.abc import Sequence

from fitbench.analysis.filters import parse, select
from fitbench.analysis.frame import configurations
from fitbench.config import plain
from fitbench.errors import RequestError
from fitbench.launch.sweep_job import Job
from fitbench.stderr import write_note

KEY = "sweep.exclude"


def without_excluded(jobs: Sequence[Job], filters: Sequence[str]) -> list[Job]:
    """The jobs that none of the filters fits.

    A filter sees the columns that a run of the job will have for its configuration, and its study, run_id, config_id,
    seed and fold.

    Raises:
        RequestError: a filter is wrong, names no key or fits all jobs. The message shows the place.
    """
    frame = configurations([(str(job.folder), plain(job.config)) for job in jobs])
    excluded: set[int] = set()
    for text in filters:
        if not any(isinstance(node, ast.Name) for node in ast.walk(parse(text, KEY))):
            raise RequestError(f"{KEY}: {text!r:.80} names no key; write a condition such as model == 'mlp'")
        fits = select(frame, text, KEY).index
        if fits.empty:
            write_note(f"{KEY}: no combination fits {text:.200}")
        excluded.update(fits)
    if len(excluded) == len(jobs):
        raise RequestError(f"{KEY} leaves out all combinations of this sweep, {len(jobs):,}")
    return [job for number, job in enumerate(jobs) if number not in excluded]
