"""Small data through fitbench against plain `keras.Model.fit`: 2,000 epochs of 50 to 1,000 examples.

    FITBENCH_DATA=FOLDER python tests/benchmarks/bench_short.py \\
        [--rounds 3] [--epochs 2000] [--plain 200] [--cases digits cancer GunPoint] [--backend tensorflow]

Both train the same network with Adam on the same examples, in the same process, in turn: the digits and breast cancer
of scikit-learn with `mlp`, all examples in one batch, and a fifth for validation; the 50 series of GunPoint with
`mlp_time` in batches of 5, without validation. Plain Keras takes minutes for 2,000 epochs, so it trains fewer. What is
printed are medians over the rounds, in milliseconds per epoch; the first three are means of all epochs but the first:

plain         an epoch of plain `fit`
arithmetic    the compiled loops alone, called without Keras: training, and validation where there is one
epoch         an epoch of fitbench as history.jsonl has it
fit           the seconds in `fit`, with the first epoch, compilation and checkpoints, over the number of epochs
whole         the seconds from a configuration to the result, with all that is read and recorded, over the same number
beyond        `whole` less `arithmetic`

GunPoint is looked for in FOLDER; the other data come with scikit-learn.
"""

from __future__ import annotations

import argparse
import math
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from plain_fit import network, seconds_of_epochs

from fitbench.composition import Composer
from fitbench.config import Backend, Config
from fitbench.data.loading import load
from fitbench.record.folder import folder_of
from fitbench.record.history import read_history
from fitbench.tasks import task_of
from fitbench.training import backend, measures
from fitbench.training.run import train

if TYPE_CHECKING:  # they import Keras, which is loaded when the backend is known
    from fitbench.training.examples import Examples
    from fitbench.training.parts import Parts
    from fitbench.training.passes import Pass

FULL_BATCH = ("training.batch_size=null",)
CASES = {
    "digits": ("data=digits", "model=mlp", *FULL_BATCH),
    "cancer": ("data=sklearn", "data.name=breast_cancer", "model=mlp", *FULL_BATCH),
    "GunPoint": ("data=ucr", "data.name=GunPoint", "model=mlp_time", "training.batch_size=5",
                 "training.validation_split=0"),
}  # fmt: skip


def configuration(case: str, options: argparse.Namespace, outputs: str, seed: int) -> Config:
    return Composer().configuration(
        [
            *CASES[case], f"backend={options.backend}", f"training.epochs={options.epochs}",
            "training.early_stopping=null", f"outputs={outputs}", f"seed={seed}", "progress=false",
        ]
    )  # fmt: skip


def plain(config: Config, epochs: int) -> float:
    """Seconds of an epoch of plain `fit` of the same network."""
    parts = parts_of(config)
    training, validation = parts.examples()
    seconds = seconds_of_epochs(
        network(config, parts.prepared, parts.objective),
        training.inputs,
        training.targets,
        batch_size=config.training.batch_size or len(training),
        epochs=epochs,
        validation_data=None if validation is None else (validation.inputs, validation.targets),
    )
    return statistics.mean(seconds[1:])


def arithmetic(config: Config, epochs: int) -> float:
    """Seconds of an epoch of the compiled loops of the network that fitbench builds, called without Keras."""
    from fitbench.training import networks
    from fitbench.training.evaluate import batch_size
    from fitbench.training.examples import order_of
    from fitbench.training.passes import Pass

    parts = parts_of(config)
    loops = networks.network(parts).loops
    assert loops is not None
    training, validation = parts.examples()
    size = config.training.batch_size or len(training)
    train_pass = Pass(loops.train, training, size, math.ceil(len(training) / size), None)
    test_size = batch_size(training.inputs.shape[1:], loops.model)
    test_pass = None if validation is None else Pass(loops.test, validation, test_size, len(validation), None)
    step = _jax_epoch(loops.model, training) if config.backend is Backend.jax else _tensorflow_epoch
    seconds = []
    for epoch in range(epochs):
        began = time.perf_counter()
        train_pass.begin(order_of(config.seed, epoch, len(training)))
        if test_pass is not None and validation is not None:
            test_pass.begin(np.arange(len(validation), dtype=np.int32))
        step(train_pass, test_pass)
        seconds.append(time.perf_counter() - began)
    return statistics.mean(seconds[1:])


def _tensorflow_epoch(train_pass: Pass, test_pass: Pass | None) -> None:
    train_pass(None)
    if test_pass is not None:
        test_pass(None)


def _jax_epoch(model: Any, training: Examples) -> Callable[[Pass, Pass | None], None]:
    model._symbolic_build(data_batch=(training.inputs[:1], *(array[:1] for array in training.labels)))
    names = ("trainable_variables", "non_trainable_variables", "optimizer_variables", "metrics_variables")
    state = model._get_jax_state(**dict.fromkeys(names, True))

    def epoch(train_pass: Pass, test_pass: Pass | None) -> None:
        nonlocal state
        _, state = train_pass(state, None)
        if test_pass is not None:
            test_pass((state[0], state[1], state[3]), None)

    return epoch


def parts_of(config: Config) -> Parts:
    from fitbench.training.parts import Parts

    data = load(config.data)
    return Parts.of(config, data, measures.of(config, task_of(data.task)))


def through_fitbench(config: Config) -> dict[str, float]:
    began = time.perf_counter()
    result = train(config, folder_of(config))
    assert result is not None
    whole = time.perf_counter() - began
    seconds = [epoch["seconds"] for epoch in read_history(folder_of(config))]
    epochs = len(seconds)
    return {
        "epoch": statistics.mean(seconds[1:]),
        "fit": result["timing"]["fit_seconds"] / epochs,
        "whole": whole / epochs,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=2000)
    parser.add_argument("--plain", type=int, default=200)
    parser.add_argument("--cases", nargs="+", default=list(CASES), choices=list(CASES))
    parser.add_argument("--backend", default="tensorflow", choices=[backend.value for backend in Backend])
    options = parser.parse_args()
    backend.load(Backend(options.backend))
    columns = ("plain", "arithmetic", "epoch", "fit", "whole", "beyond", "plain/epoch", "plain/whole")
    print(f"{backend.cpu_name()}; {options.backend}; {options.rounds} rounds of {options.epochs} epochs; medians, ms\n")
    print(f"{'':8}" + "".join(f"{name:>12}" for name in columns))
    for case in options.cases:
        rows = []
        for seed in range(options.rounds):
            with tempfile.TemporaryDirectory() as outputs:
                config = configuration(case, options, outputs, seed)
                row = {"plain": plain(config, options.plain)} | through_fitbench(config)
                row["arithmetic"] = arithmetic(config, options.epochs)
            rows.append(row | {"beyond": row["whole"] - row["arithmetic"]})
            print(case, seed, {name: round(1000 * value, 2) for name, value in row.items()}, file=sys.stderr)
        median = {name: statistics.median(row[name] for row in rows) for name in rows[0]}
        ratios = [median["plain"] / median[name] for name in ("epoch", "whole")]
        print(
            f"{case:8}"
            + "".join(f"{1000 * median[name]:12.2f}" for name in columns[:6])
            + "".join(f"{ratio:12.1f}" for ratio in ratios)
        )


if __name__ == "__main__":
    main()
