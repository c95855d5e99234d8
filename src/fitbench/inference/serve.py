"""`fitbench serve`: serves models as a page on which people try them, and as a JSON API."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from importlib.util import find_spec
from pathlib import Path

from fitbench.errors import RequestError
from fitbench.inference.api import RequestLimits
from fitbench.inference.inputs import recorded_inputs
from fitbench.inference.reader import Reader, finished, open_runs
from fitbench.kinds import IMAGES
from fitbench.record.naming import find_run
from fitbench.text import clean, first_of
from fitbench.web import server

PACKAGES = ("fastapi", "python_multipart")  # of the extra `serve`
ADVICE = "Open this address to try the models; /docs describes the JSON API."


def serve(
    runs: Sequence[str], outputs: Path, host: str, port: int, trust: bool, open_browser: bool, limits: RequestLimits
) -> int:
    """Serve the models of finished runs until Ctrl-C or SIGTERM, and print the address.

    Args:
        runs: run folders, run_ids, or unambiguous parts of them.
        outputs: the folder that is searched for the runs.
        host: the name or address to listen at.
        port: the port; 0 chooses a free one.
        trust: also load models that have code of their own.
        open_browser: open the page in a browser.
        limits: the limits of a request.

    Returns:
        The exit status after Ctrl-C, 130. SIGTERM ends the process with status 0.

    Raises:
        RequestError: a run does not exist, two runs have the same run_id or take different examples, the address cannot
            be used, or the extra `serve` is not installed.
        FitbenchError: a model cannot be loaded, or its outputs are not finite.
    """
    folders = _find_runs(runs, outputs)
    from fitbench.inference.server import make_app
    from fitbench.inference.service import Service

    with server.listen(host, port) as listener:
        service = Service(open_runs(folders, trust), limits)
        service.warm_up()
        app = make_app(service, server.allowed_hosts(listener, host))
        _describe(service.readers.values())
        server.announce(listener, ADVICE, open_browser)
        return server.run(app, listener)


def _find_runs(runs: Sequence[str], outputs: Path) -> list[Path]:
    folders = [find_run(run, outputs, finished=True) for run in runs]
    results = [finished(folder) for folder in folders]
    first, *others = [_taken(folder) for folder in folders]
    for folder, taken in zip(folders[1:], others, strict=True):
        if taken != first:
            raise RequestError(
                f"{folder}: takes other examples than {folders[0]}; serve them apart. Runs that are served together "
                "take images, or rows with the same columns, or series or arrays of the same shape"
            )
    names = [result["run_id"] for result in results]
    if len(set(names)) < len(names):
        raise RequestError(f"two of the runs are called the same: {', '.join(map(clean, names))}; serve one of them")
    if missing := [name for name in PACKAGES if find_spec(name) is None]:
        raise RequestError(f"fitbench serve needs {', '.join(missing)}: pip install 'fitbench[serve]'")
    return folders


def _taken(folder: Path) -> tuple[str, tuple[int, ...], tuple[str, ...]]:
    """The kind, shape and columns of the examples that a run takes. Images are resized, so their shape is no part."""
    inputs = recorded_inputs(folder)
    if inputs.kind == IMAGES:
        return IMAGES, (), ()
    return inputs.kind, inputs.shape, tuple(column.name for column in inputs.columns)


def _describe(readers: Iterable[Reader]) -> None:
    """Print what each model takes and gives."""
    for reader in readers:
        outputs = f"{reader.task.names_key} {first_of(reader.names, 10)}"
        print(clean(f"{reader.run_id}: {reader.inputs.described}, {outputs}"), file=sys.stderr)
