"""`fitbench.train` and `fitbench.sweep`."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from fitbench.api.overrides import Folders, Overrides, Sets, folders_of, sets_of, varied
from fitbench.api.process import alone
from fitbench.api.request import Request
from fitbench.api.run import Run
from fitbench.api.wording import named_data
from fitbench.composition import Composer, beside_hydra
from fitbench.errors import SweepFailed
from fitbench.launch.jobs import jobs_of_sets
from fitbench.launch.local import directly, train_here
from fitbench.launch.longer import advice
from fitbench.launch.signals import terminable
from fitbench.launch.single import train_one, without_refused
from fitbench.launch.sweep import run_sweep
from fitbench.record.folder import folder_of
from fitbench.record.log import logged
from fitbench.stderr import write_note

if TYPE_CHECKING:
    import pandas as pd

    from fitbench.launch.sweep_job import Job


def train(*overrides: Overrides, config_dir: Folders | None = None, data: Any = None, **values: Any) -> Run:
    """Train one run, or take the recorded one: what `fitbench train` does.

    A finished run is not trained again, and one that was interrupted goes on where it stopped.

    Args:
        overrides: texts in Hydra's grammar, as "model=mlp" and "training.epochs=5"; dictionaries of Python's values,
            nested or with dotted keys, as {"model": "mlp", "training": {"epochs": 5}}; or lists of these.
        config_dir: a folder of configurations of your own, or several.
        data: the name of a data set; a dict of its settings, in which `source` names a file of conf/data, as
            {"source": "csv", "path": "cars.csv", "target": "price"}; or arrays, as {"x_train": .., "y_train": ..,
            "x_test": .., "y_test": .., "name": "mine"} or ((x_train, y_train), (x_test, y_test)). Arrays are as those
            of an .npz file, [N, ...]. They are written once into outputs/.arrays, and their checksum is a part of the
            name of the data set: the same arrays are the same run.
        values: keys of the top level and groups, as seed=1, model="mlp", outputs="runs", progress=False.

    Returns:
        the finished run.

    Raises:
        RequestError: the configuration is wrong; nothing was trained.
        DataError: the data are missing, damaged or no data set.
        FitbenchError: the run failed. Where the reason is an exception of your own code, it is the cause.
        KeyboardInterrupt: Ctrl-C, after the state of the run was written. The same call goes on from there.

    Example:
        >>> run = fitbench.train("model=mlp", "training.epochs=5", seed=1)
        >>> run.metrics["test_accuracy"]
        0.93
    """
    with alone():
        request = Request.of(overrides, config_dir, data, values)
        with beside_hydra():
            config = Composer(request.folders).configuration(request.words, of_several=False)
        folder = folder_of(config)
        if text := advice(config):
            write_note(text)
        paths = [request.arrays.write(config.outputs)] if request.arrays is not None else []
        with without_refused(folder), named_data(paths), logged(folder), terminable():
            train_one(config)
    return Run(folder)


def sweep(
    sets: Sets | None = None,
    /,
    *overrides: Overrides,
    config_dir: Folders | None = None,
    data: Any = None,
    **values: Any,
) -> pd.DataFrame:
    """Train several runs, and leave out those that are finished: what `fitbench train -m` does on this machine.

    Args:
        sets: a list, of which each element is the overrides of one run as in `train`: a text, a dict, or a list of
            texts and dicts. A text may have several values, as "seed=0,1,2", and then stands for several runs. A text
            or a dict alone is one set. Without it, the other arguments are the whole sweep.
        overrides: of all runs, and combined with each set; a text may have several values, or be of the section
            `sweep`.
        config_dir, data: as in `train`.
        values: keys of the top level and groups. A list, tuple, range or array stands for several values, each of
            which is combined with all others: model=["mlp", "softmax"], seed=range(5), and with dotted keys
            **{"optimizer.learning_rate": [0.1, 0.01]}. `workers` is the number of processes.

    Returns:
        the runs as `load_runs` gives them, each once, in the order in which they were asked for.

    Raises:
        SweepFailed: runs have failed, or another process trains them. Its `runs` is the DataFrame of those that have
            begun, with their states and errors. All other runs were trained, and the same call trains what is missing.
        RequestError, DataError: as `train`; nothing was trained.
        KeyboardInterrupt: Ctrl-C, after the states of the runs were written. The same call goes on from there.

    Example:
        >>> runs = fitbench.sweep(["model=mlp", "model=softmax"], seed=range(5), workers=2)
        >>> runs.groupby("model.name")["metrics.test_accuracy"].mean()
    """
    with alone():
        folders = folders_of(config_dir)
        several, single = varied(values)
        request = Request.of(overrides, config_dir, data, single)
        with beside_hydra():
            jobs = jobs_of_sets(sets_of(sets, folders), [*request.words, *several], folders)
        arrays, places = request.arrays, {job.config.outputs for job in jobs}
        paths = [] if arrays is None else [arrays.write(outputs) for outputs in places]
        try:
            with named_data(paths), terminable():
                run_sweep(jobs, partial(train_here, directly, jobs[0].config.workers), lambda _summary: None)
        except SweepFailed as failed:
            failed.runs = _frame(jobs)
            raise
    return _frame(jobs)


def _frame(jobs: Sequence[Job]) -> pd.DataFrame:
    """The runs of these jobs that have begun, in the order of the jobs."""
    from fitbench.analysis.frame import load_runs

    folders = [str(folder) for folder in dict.fromkeys(job.folder for job in jobs) if folder.exists()]
    frame = load_runs(*folders)
    place = {folder: number for number, folder in enumerate(folders)}
    return frame.sort_values("folder", key=lambda column: column.map(place), ignore_index=True)
