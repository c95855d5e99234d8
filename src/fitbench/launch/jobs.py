"""The jobs of a sweep: each combination with its checked configuration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from fitbench.composition import Composer, explained_errors, read_overrides, search_path
from fitbench.composition.loader import Loader
from fitbench.config import sweep_from_hydra, sweep_section
from fitbench.errors import RequestError
from fitbench.launch.combinations import combinations, combinations_of, one_section
from fitbench.launch.sweep_job import Job
from fitbench.project.settings import find_settings

Entry = Mapping[str, Any]  # `overrides` of several jobs, and their `seeds`: a job for each, or one where there are none


def compose_jobs(
    master: DictConfig, loader: ConfigLoader, arguments: Sequence[str], file: Sequence[str], entries: Sequence[Entry]
) -> list[Job]:
    """The jobs of a sweep: each entry with each combination of the overrides.

    Args:
        master: the configuration of the sweep, with Hydra's own section.
        loader: has composed it.
        arguments: the overrides of the sweep.
        file: those of `hydra.sweeper.params`.
        entries: what the jobs begin with.

    Raises:
        RequestError: a configuration is wrong, or there are no jobs.
    """
    read = partial(read_overrides, loader=loader)
    of_sweep, arguments = one_section(arguments, read)
    sweep = sweep_from_hydra(master)
    combined = combinations(file, arguments, sweep, read).overrides()
    composer = Composer(
        path=loader.get_search_path(),
        name=master.hydra.job.config_name,
        of_hydra=master.hydra.overrides.hydra,
        of_sweep=of_sweep,
        combined=sweep_section.given(master),
    )
    jobs = []
    for entry in entries:
        for overrides in combined:
            job_overrides = [*entry["overrides"], *overrides]
            job = Job.of(job_overrides, composer.configuration(job_overrides))
            jobs += [job.with_seed(seed) for seed in entry["seeds"]] or [job]
    if sweep.exclude:
        from fitbench.exclusion import kept  # needs pandas

        folders = kept({job.folder: job.config for job in jobs}, sweep.exclude)
        jobs = [job for job in jobs if job.folder in folders]
    return jobs


def jobs_of_sets(
    sets: Sequence[Sequence[str]], arguments: Sequence[str], config_dirs: Sequence[str | Path]
) -> list[Job]:
    """The jobs of several sets of overrides, composed without a running Hydra.

    Args:
        sets: each is combined with all of `arguments`, and may have several values of a key. No set is one empty set.
        arguments: overrides of every job, which may have several values and the section `sweep`.
        config_dirs: folders that are searched before conf/.

    Raises:
        RequestError: as `compose_jobs`; or a set has a key that `arguments` have.
    """
    loader = Loader(search_path(config_dirs))
    read = partial(read_overrides, loader=loader)
    common = read(arguments)
    for override in common:
        if override.is_hydra_override():
            raise RequestError(f"{override.input_line}: a key of Hydra's own, which is for fitbench train -m alone")
    with explained_errors():
        master = loader.load_configuration(
            find_settings().config_name, list(arguments), RunMode.MULTIRUN, from_shell=False
        )
        params = OmegaConf.to_container(master.hydra.sweeper.params or OmegaConf.create({}))
    assert isinstance(params, dict)
    cases = [case for i, words in enumerate(sets) for case in combinations_of(f"set {i}", words, common, read)]
    entries = [{"overrides": case, "seeds": []} for case in cases or [[]]]
    return compose_jobs(master, loader, arguments, [f"{key!s}={value}" for key, value in params.items()], entries)
