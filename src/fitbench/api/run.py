"""`fitbench.Run`: one recorded run, read from its folder."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fitbench.api.process import alone, loaded_backend
from fitbench.api.wording import in_python
from fitbench.errors import FitbenchError
from fitbench.metrics import join
from fitbench.project.settings import find_settings, use_source
from fitbench.record import reading
from fitbench.record.folder import State, state_of
from fitbench.record.naming import find_run

if TYPE_CHECKING:
    import keras
    import numpy as np
    import numpy.typing as npt
    import pandas as pd
    from matplotlib.figure import Figure

    from fitbench.inference.reader import Reader


class Run:
    """A recorded run. Everything is read from its folder when it is asked for, so a run that goes on is seen to go on.

    Args:
        name: a run folder, a run_id or an unambiguous part of one, or `@latest`, `@best` or `STUDY/@best`, as in every
            command.
        outputs: the folder that is searched for the run.

    Raises:
        RequestError: no run or several runs fit; the message has the candidates.

    Example:
        >>> run = fitbench.Run("@best")
        >>> run.metrics["test_accuracy"]
        0.958

    Attributes:
        folder: the run folder, absolute.
    """

    folder: Path

    def __init__(self, name: str | os.PathLike[str], outputs: str | os.PathLike[str] = "outputs") -> None:
        with in_python():
            self.folder = find_run(os.fspath(name), Path(outputs)).absolute()
        self._loaded: tuple[tuple[bool, str], Reader] | None = None

    @property
    def run_id(self) -> str:
        """The name of the run, `<data>-<model>-<optimizer>-<config_id>-s<seed>`; with folds `-f<fold>` follows."""
        return self.folder.name

    @property
    def study(self) -> str:
        """The study that the run belongs to."""
        return self.folder.parent.name

    @property
    def state(self) -> str:
        """What the files say: 'finished', 'failed', 'pruned', 'running' or 'interrupted'."""
        return state_of(self.folder).value

    @property
    def result(self) -> dict[str, Any]:
        """What result.json holds; see the page about the run folder.

        Raises:
            FitbenchError: the run is not finished, or result.json is damaged.
        """
        return reading.read_result(self.folder)

    @property
    def metrics(self) -> dict[str, float | None]:
        """The recorded values by name, such as 'test_accuracy', 'val_loss' and 'best_epoch'.

        None stands for a value that does not exist. Of a pruned run they are those up to its last epoch; a run in any
        other state than finished and pruned has none.

        Raises:
            FitbenchError: a file is damaged.
        """
        state = state_of(self.folder)
        if state is State.finished:
            return dict(self.result["metrics"])
        return dict(reading.read_pruned(self.folder)["metrics"]) if state is State.pruned else {}

    @property
    def config(self) -> dict[str, Any]:
        """The resolved configuration as nested dictionaries, such as `config["training"]["epochs"]`.

        Raises:
            FitbenchError: config.yaml is absent or damaged.
        """
        if state_of(self.folder) is State.finished:
            return self.result["config"]
        return reading.read_config(self.folder)

    @property
    def history(self) -> pd.DataFrame:
        """One row per epoch: epoch (int64, from 1), seconds, learning_rate, loss, val_loss, and the other metrics.

        All but the epoch are float64, with NaN for what was not recorded. A run of any state has a history.

        Raises:
            FitbenchError: history.jsonl cannot be read.
        """
        from fitbench.analysis.frame import RUN, load_history

        return load_history(self.folder).drop(columns=list(RUN))

    def plot(self, metric: str | None = None) -> Figure:
        """The learning curves as a figure of Matplotlib: the loss and a metric, training and validation in each panel.

        A notebook shows the figure. `figure.savefig("curves.pdf")` writes it.

        Args:
            metric: the name of a metric of the history; None: the primary metric.

        Raises:
            RequestError: no epoch is recorded, or the history lacks the metric.
            FitbenchError: a file of the run is damaged.
        """
        from fitbench.api.figure import run_figure

        with in_python():
            return run_figure(self.folder, metric)

    # -- the model ----------------------------------------------------------------------------------------------------

    @property
    def names(self) -> list[str]:
        """The names of the outputs: of the classes, targets or labels.

        Raises:
            FitbenchError: the run is not finished.
        """
        return list(reading.output_names(self.result))

    def model(self, trust: bool = False) -> keras.Model:
        """The trained Keras model.

        It takes examples as data sets have them, such as images uint8 [N, height, width, channels], and prepares them
        in its first layers. It gives raw outputs, float32 [N, outputs]: logits, or the values of a regression.
        `outputs` and `predict` give probabilities and names. Each call gives a model of its own: one that is
        trained further or changed does not change what `outputs`, `predict` and `evaluate` say.

        Args:
            trust: load a model that has code of its own, which may do anything. Without it only layers of Keras and
                fitbench are loaded.

        Raises:
            FitbenchError: the run is not finished, its model is damaged, or needs code of its own without `trust`.
        """
        with alone():
            model = self._open(trust).model
            self._loaded = None  # from here on it is the caller's, who may change it
            return model

    def outputs(self, x: Any, trust: bool = False) -> npt.NDArray[np.float32]:
        """The probability of each class or label, or the value of each target, float32 [N, outputs].

        The columns are in the order of `names`.

        Args:
            x: N examples of the kind that the run was trained on. Images: [N, height, width] or [N, height, width,
                channels] of the size that the model takes, with the values of the data set of the run. Series:
                [N, steps, channels], or [N, steps] of one channel. Tokens: integers [N, steps]. A table: a DataFrame
                with the columns of the run, in any order and among others. Arrays: [N, ...].
            trust: as in `model`.

        Raises:
            DataError: the examples have another shape or type than the model takes, or one of them a value that it does
                not take.
            RequestError: a DataFrame lacks a column.
            FitbenchError: as `model`.
        """
        from fitbench.inference.in_memory import inputs_in_memory

        with alone():
            reader = self._open(trust)
            return reader.predictions(inputs_in_memory(x, reader))

    def predict(self, x: Any, trust: bool = False) -> pd.DataFrame:
        """What the model says of N examples, one row for each, as `fitbench predict` writes it.

        Classification: the columns label, probability, second, second_probability, third, third_probability.
        Regression: a column for each target. Several labels: labels, a list of those that apply, and for each
        label NAME_probability. Numbers have six significant digits; those of `outputs` are exact. The index
        is that of a DataFrame `x`, else 0 to N - 1. Of an example without a finite output, nothing is said.

        Args:
            x: as in `outputs`.
            trust: as in `model`.

        Raises:
            FitbenchError: as `outputs`.
        """
        import pandas as pd

        from fitbench.inference.in_memory import inputs_in_memory
        from fitbench.inference.layout import Layout
        from fitbench.inference.rows import answers

        with alone():
            reader = self._open(trust)
            found = answers(reader, inputs_in_memory(x, reader))
        columns = Layout.of((), reader.inputs.noun, reader.task, reader.names).answers
        index = x.index if isinstance(x, pd.DataFrame | pd.Series) else None
        rows = [answer or [None] * len(columns) for answer in found]
        return pd.DataFrame(rows, columns=list(columns), index=index)

    def evaluate(self, x: Any, y: Any, trust: bool = False) -> dict[str, float | None]:
        """The loss and the metrics of the run on N other examples, by name, such as {'loss': .., 'accuracy': ..}.

        Nothing is recorded; `fitbench evaluate` records. A metric that is undefined is None, and so is a loss that is
        no function of Keras without `trust`. Without `trust`, metrics that are functions of the user's are left out.

        Args:
            x: as in `outputs`.
            y: classes [N], by their names or, where no class is named by a number, by their positions in `names`;
                targets [N] or [N, targets]; several labels [N, labels] of 0 and 1. Several columns of a DataFrame are
                matched by name, if both they and the run have names.
            trust: as in `model`, and for metrics and a loss of the user's.

        Raises:
            DataError: as `outputs`, or `y` does not fit the run.
            RequestError: as `outputs`, or `y` has columns with other names than those of the run.
            FitbenchError: as `model`.
        """
        from fitbench.data.in_memory import check_same_rows
        from fitbench.inference.evaluate import evaluate_examples
        from fitbench.inference.in_memory import inputs_in_memory, targets_in_memory

        with alone():
            reader = self._open(trust)
            check_same_rows("x", x, "y", y)
            inputs = inputs_in_memory(x, reader)
            return evaluate_examples(reader, inputs, targets_in_memory(y, len(inputs), reader), trust)

    def _open(self, trust: bool) -> Reader:
        """The model, which is loaded again after the run was trained again."""
        from fitbench.inference.reader import finished, open_run

        if trust:
            use_source(find_settings())
        key = trust, finished(self.folder)["finished_at"]
        if self._loaded is None or self._loaded[0] != key:
            self._loaded = key, open_run(self.folder, trust, loaded_backend())
        return self._loaded[1]

    # -- for people ---------------------------------------------------------------------------------------------------

    def _repr_html_(self) -> str:
        """The run as a notebook shows it: state, metrics, learning curves, and the settings that are no defaults."""
        from fitbench.api.html import run_html

        return run_html(self.folder)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Run) and other.folder == self.folder

    def __hash__(self) -> int:
        return hash(self.folder)

    def __getstate__(self) -> dict[str, Any]:
        """What a copy or a pickle takes: all but the loaded model, which is loaded again."""
        return self.__dict__ | {"_loaded": None}

    def __repr__(self) -> str:
        try:
            state = self.state
            result = self._in_short() if state == State.finished.value else ""
        except FitbenchError:  # the property that is asked for says what is damaged
            state, result = "damaged", ""
        return f"Run({self.run_id!r}, {state}{result})"

    def _in_short(self) -> str:
        """The primary metric on the test part, or on the validation part where there is no other."""
        result = self.result
        name = join("test" if reading.has_test_part(result) else "val", result["primary"])
        value = result["metrics"].get(name)
        return "" if value is None else f", {name} {value:.4g}"
