"""A regression on a table through fitbench against plain `keras.Model.fit`, on the 404 + 102 rows of Boston housing.

    python tests/benchmarks/bench_table.py [--rounds 3] [--epochs 80]

Both train an MLP 13-64-64-1 on standardised columns with RMSprop and batches of 16, in the same process, in turn. What
is printed are medians over the rounds: seconds per epoch after the first, seconds from the file to the test MAE (for
fitbench with everything that it records), and their ratios.
"""

import argparse
import statistics
import tempfile
import time

from plain_fit import begin, seconds_of_epochs

from fitbench.composition import Composer
from fitbench.config import Config
from fitbench.data.loading import load
from fitbench.record.folder import folder_of
from fitbench.record.history import read_history
from fitbench.training import backend
from fitbench.training.run import train

BATCH_SIZE = 16


def configuration(epochs: int, outputs: str, seed: int) -> Config:
    return Composer().configuration(
        [
            "data=boston_housing", "model=mlp", "optimizer=rmsprop", f"training.batch_size={BATCH_SIZE}",
            f"training.epochs={epochs}", "training.validation_split=0", "training.early_stopping=null",
            "metrics=[mae]", f"outputs={outputs}", f"seed={seed}", "progress=false",
        ]
    )  # fmt: skip


def plain(epochs: int, seed: int) -> dict[str, float]:
    import keras
    from keras import layers

    began = time.perf_counter()
    begin(seed)
    data = load(configuration(epochs, "outputs", seed).data)
    mean, deviation = data.x_train.mean(axis=0), data.x_train.std(axis=0)
    hidden = [layers.Dense(64, activation="relu") for _ in range(2)]
    net = keras.Sequential([keras.Input((13,)), *hidden, layers.Dense(1)])
    net.compile("rmsprop", "mse", metrics=["mae"])
    inputs = (data.x_train - mean) / deviation
    seconds = seconds_of_epochs(net, inputs, data.y_train, batch_size=BATCH_SIZE, epochs=epochs)
    mae = net.evaluate((data.x_test - mean) / deviation, data.y_test, verbose=0)[1]
    return {"epoch": statistics.median(seconds[1:]), "whole": time.perf_counter() - began, "mae": mae}


def through_fitbench(epochs: int, seed: int, outputs: str) -> dict[str, float]:
    began = time.perf_counter()
    config = configuration(epochs, outputs, seed)
    result = train(config, folder_of(config))
    assert result is not None
    seconds = [epoch["seconds"] for epoch in read_history(folder_of(config))]
    whole = time.perf_counter() - began
    return {"epoch": statistics.median(seconds[1:]), "whole": whole, "mae": result["metrics"]["test_mae"]}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=80)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as outputs:
        backend.start(configuration(1, outputs, 0))
        pairs = [
            (plain(arguments.epochs, seed), through_fitbench(arguments.epochs, seed, outputs))
            for seed in range(arguments.rounds)
        ]
    for name in ("epoch", "whole", "mae"):
        keras_value, own_value = (statistics.median(side[name] for side in sides) for sides in zip(*pairs, strict=True))
        print(f"{name:6} plain Keras {keras_value:.4f}  fitbench {own_value:.4f}  ratio {keras_value / own_value:.2f}")


if __name__ == "__main__":
    main()
