"""One job: returns the recorded result of its configuration, or trains the run."""

import errno
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from fitbench.config import Config, FileData, OwnData, UcrSeries
from fitbench.config.code import code_of
from fitbench.data.fingerprint import fingerprint
from fitbench.errors import CURRENT_FOLDER_REMOVED, FitbenchError, RequestError
from fitbench.record import dataset
from fitbench.record.claims import claim
from fitbench.record.code import check_arguments, check_recorded
from fitbench.record.files import UNFINISHED, exists
from fitbench.record.folder import State, folder_of, state_of, tidy
from fitbench.record.parents import lacks_state, other_state
from fitbench.record.reading import check_metrics, lacking, output_names, read_result
from fitbench.stderr import write_note

FingerprintOf = Callable[..., str | None]  # of paths, as `fingerprint`
LIMITS = (errno.EAGAIN, errno.EMFILE, errno.ENFILE, errno.ENOMEM)  # of processes, open files and memory


def run(config: Config, needs_trackers: bool = True) -> tuple[dict[str, Any], bool]:
    """Return the result of a configuration and whether it was recorded before. If not, the run is trained now.

    A finished run that lacks a metric of the configuration is evaluated, not trained again. `needs_trackers` is that of
    `training.run.train`.
    """
    result = recorded(config)
    if result is not None:
        for options in publishing(config):
            run_id = result["run_id"]
            write_note(f"{run_id} is finished and is sent nowhere now; 'fitbench publish {run_id} {options}' sends it")
        if lacks_state(config, folder_of(config)):
            write_note(
                f"{result['run_id']} is finished, but kept no state of its last epoch; force=true trains it "
                "again and keeps it"
            )
        return completed(config, result), True
    from fitbench.training.run import train

    trained = train(config, folder_of(config), needs_trackers=needs_trackers)
    assert trained is not None  # only trials of a search are pruned
    return trained, False


def publishing(config: Config) -> list[str]:
    """The options of `fitbench publish` that send a run to the places of `logger`, for each of them."""
    return [] if config.logger is None else list(config.logger.publishing().values())


def completed(config: Config, result: dict[str, Any]) -> dict[str, Any]:
    """The result of a finished run with every metric of the configuration; those that it lacks are evaluated now.

    Raises:
        FitbenchError: they cannot be evaluated.
    """
    if not lacking(config, result):
        return result
    from fitbench.training.added import evaluate_lacking

    return evaluate_lacking(config, folder_of(config))


def recorded(config: Config) -> dict[str, Any] | None:
    """As `recorded_result`. What a process that was killed has left of the finished run is removed."""
    result = recorded_result(config)
    if result is not None:
        remove_leftovers(folder_of(config))
    return result


def recorded_result(config: Config, fingerprint_of: FingerprintOf = fingerprint) -> dict[str, Any] | None:
    """Return the recorded result of a configuration, or None if the run has to be trained. Nothing is written.

    `fingerprint_of` looks at the files of a data set; the runs of a sweep share what it found.

    Raises:
        FitbenchError: result.json is damaged.
        RequestError: the run was recorded with other data, or with other code or metrics of the user's.
    """
    folder = folder_of(config)
    if config.force or state_of(folder) is not State.finished:
        return None
    result = read_result(folder)
    check_recorded(config, result, folder)
    check_arguments(config, result["config"], folder)
    check_metrics(config, result, remedy=", or train the run again with force=true")
    if difference := other_state(config, result["config"]):
        raise RequestError(
            f"{folder.name} is recorded with another state of the run that it continues ({difference}), which was "
            "trained again; force=true trains this one again, too"
        )
    _check_data(config, result, folder, fingerprint_of)
    return result


def remove_leftovers(folder: Path) -> None:
    """Remove the files of a process that was killed after it had written the result."""
    if exists(folder / "claim.json") or any(folder.glob(UNFINISHED)):
        with suppress(FitbenchError, OSError), claim(folder):
            tidy(folder)


def _check_data(config: Config, result: dict[str, Any], folder: Path, fingerprint_of: FingerprintOf) -> None:
    """Refuse data that differ from the recorded ones: the path of a data set is not part of the run's identity.

    Files are read only if their paths or their fingerprint are not the recorded ones. A data set that is gone, which
    nobody can have changed, is not missed. A function of the user's is called only if its arguments or its code are not
    the recorded ones, or its code is not recorded, because it comes with an installed package.

    Raises:
        RequestError: the data set has other examples, or its classes or columns have other names.
        DataError: the files cannot be read, or the function fails.
    """
    recorded, its_config = result["data"], result["config"]["data"]
    if isinstance(config.data, OwnData):
        before = now = config.data.target
        is_as_recorded = _is_call_as_recorded(config.data, result, fingerprint_of)
    elif isinstance(config.data, FileData):
        before, now = its_config.get("path"), config.data.path
        is_as_recorded = _are_files_as_recorded(config.data, result, fingerprint_of)
    elif isinstance(config.data, UcrSeries):
        before = now = config.data.name
        is_as_recorded = _are_series_as_recorded(config.data, result, fingerprint_of)
    else:
        return
    if is_as_recorded:
        return
    from fitbench.data.loading import load

    data = load(config.data, config.task)
    if data.sha256 != recorded["sha256"]:
        difference = f"{before} had SHA-256 {recorded['sha256'][:8]}, {now} has {data.sha256[:8]}"
    elif list(data.names) != output_names(result):
        theirs, ours = (", ".join(names[:5]) for names in (output_names(result), data.names))
        difference = f"{before} had {theirs}, {now} has {ours}"
    elif (its_data := dataset.read(folder)) and (other := its_data.difference(data.names, data.columns)):
        difference = f"{before} differs from {now}: {other}"
    else:
        return
    subject = "the files" if isinstance(config.data, UcrSeries) else "this data set"
    raise RequestError(
        f"{folder.name} is recorded with other data: {difference}; give {subject} another name, such as "
        "data.name=other, which keeps both, or force=true, which trains it again and replaces the recorded result"
    )


def _are_files_as_recorded(data: FileData, result: dict[str, Any], fingerprint_of: FingerprintOf) -> bool:
    recorded = result["config"]["data"]
    paths = tuple(path for key in ("path", "test_path") if (path := recorded.get(key)) is not None)
    return data.paths == paths and fingerprint_of(*map(Path, paths)) in (None, result["data"].get("fingerprint"))


def _are_series_as_recorded(data: UcrSeries, result: dict[str, Any], fingerprint_of: FingerprintOf) -> bool:
    from fitbench.data.ucr import found_ucr

    paths = found_ucr().get(data.name)
    return paths is None or fingerprint_of(*paths) == result["data"].get("fingerprint")


def _is_call_as_recorded(data: OwnData, result: dict[str, Any], fingerprint_of: FingerprintOf) -> bool:
    from fitbench.data.own_function import files_given

    section, files = data.model_dump(mode="json"), files_given(data)
    if files and fingerprint_of(*files) != result["data"].get("fingerprint"):
        return False
    code = code_of(section)
    return bool(code) and section == result["config"]["data"] and code.items() <= result["code"].items()


def cannot_write(error: OSError) -> str:
    """Return the message about an error of the operating system, which is most often one of the outputs folder."""
    reason = error.strerror or str(error)
    if error.errno in LIMITS:
        return f"{reason}: a limit of this process or of the machine is reached; 'ulimit -a' shows those of the process"
    if error.errno == errno.ENOENT and error.filename is None:
        return CURRENT_FOLDER_REMOVED
    return f"{error.filename or 'outputs'}: {reason}; runs are recorded below outputs=FOLDER, which must be writable"
