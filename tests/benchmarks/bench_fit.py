"""Training through fitbench against plain `keras.Model.fit`, on 48,000 + 12,000 MNIST images.

    FITBENCH_DATA=FOLDER python tests/benchmarks/bench_fit.py [--rounds 3] [--epochs 10] [--models softmax mlp lenet5]

Plain: float32 arrays from 0 to 1, `fit` with default arguments but for the batch size, `evaluate` on the test set, as
tutorials do it. Both train the same layers with the same optimizer in the same process, in turn. What is printed are
medians over the rounds: seconds per epoch (training and validation) after the first epoch, seconds from the files to
the test accuracy (for fitbench with everything that it records), their ratios, and fitbench's seconds outside of `fit`.
"""

import argparse
import statistics
import sys
import tempfile
import time

from hydra import compose, initialize_config_dir
from plain_fit import begin, compile_classifier, seconds_of_epochs

from fitbench.composition import conf_folder
from fitbench.config import Backend, Config, from_hydra
from fitbench.data.loading import load
from fitbench.record.folder import folder_of
from fitbench.record.history import read_history
from fitbench.training import backend
from fitbench.training.run import train

BATCH_SIZES = {"softmax": 32, "mlp": 128, "lenet5": 128}


def configuration(model: str, epochs: int, outputs: str, seed: int) -> Config:
    overrides = (
        "data=mnist", f"model={model}", f"training.batch_size={BATCH_SIZES[model]}", f"training.epochs={epochs}",
        "training.early_stopping=null", f"outputs={outputs}", f"seed={seed}", "progress=false",
    )  # fmt: skip
    with initialize_config_dir(str(conf_folder()), version_base="1.3"):
        return from_hydra(compose("config", overrides=list(overrides)))


def plain(model: str, epochs: int, seed: int) -> dict[str, float]:
    import keras
    from keras import layers

    began = time.perf_counter()
    begin(seed)
    data = load(configuration(model, epochs, "outputs", seed).data)
    x, x_test = (images.astype("float32") / 255 for images in (data.x_train, data.x_test))
    between = {
        "softmax": [layers.Flatten()],
        "mlp": [layers.Flatten(), layers.Dense(64, activation="relu"), layers.Dense(64, activation="relu")],
        "lenet5": [
            layers.Conv2D(6, 3, activation="relu"), layers.AveragePooling2D(2),
            layers.Conv2D(16, 3, activation="relu"), layers.AveragePooling2D(2),
            layers.Flatten(), layers.Dense(120, activation="relu"), layers.Dense(84, activation="relu"),
        ],
    }[model]  # fmt: skip
    net = keras.Sequential([keras.Input((28, 28, 1)), *between, layers.Dense(10)])
    compile_classifier(net)
    options = {"batch_size": BATCH_SIZES[model], "epochs": epochs, "validation_split": 0.2}
    seconds = seconds_of_epochs(net, x, data.y_train, **options)
    accuracy = net.evaluate(x_test, data.y_test, verbose=0)[1]
    return {
        "epoch": statistics.median(seconds[1:]),
        "whole": time.perf_counter() - began,
        "accuracy": accuracy,
    }


def through_fitbench(model: str, epochs: int, seed: int, outputs: str) -> dict[str, float]:
    began = time.perf_counter()
    config = configuration(model, epochs, outputs, seed)
    folder = folder_of(config)
    result = train(config, folder)
    whole = time.perf_counter() - began
    seconds = [epoch["seconds"] for epoch in read_history(folder)]
    return {
        "epoch": statistics.median(seconds[1:]),
        "whole": whole,
        "around": whole - result["timing"]["fit_seconds"],
        "accuracy": result["metrics"]["test_accuracy"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--models", nargs="+", default=list(BATCH_SIZES), choices=list(BATCH_SIZES))
    options = parser.parse_args()
    backend.load(Backend.tensorflow)
    print(f"{backend.cpu_name()}; {options.rounds} rounds of {options.epochs} epochs; medians\n")
    print(f"{'':8} {'seconds per epoch':^27}  {'seconds from files to result':^34} {'test accuracy':^17}")
    columns = f"{'plain':>8} {'fitbench':>9} {'ratio':>8}  {'plain':>8} {'fitbench':>9} {'ratio':>8} {'around':>7}"
    print(f"{'':8} {columns} {'plain':>8} {'fitbench':>8}")
    for model in options.models:
        measured: dict[str, list[dict[str, float]]] = {"plain": [], "fitbench": []}
        for seed in range(options.rounds):
            measured["plain"].append(plain(model, options.epochs, seed))
            with tempfile.TemporaryDirectory() as outputs:
                measured["fitbench"].append(through_fitbench(model, options.epochs, seed, outputs))
            latest = [f"{who} {rows[-1]['epoch']:.3f} s per epoch" for who, rows in measured.items()]
            print(f"{model}, round {seed}: {', '.join(latest)}", file=sys.stderr)
        theirs, ours = (
            {key: statistics.median(row[key] for row in rows) for key in rows[0]} for rows in measured.values()
        )
        epochs = f"{theirs['epoch']:8.3f} {ours['epoch']:9.3f} {theirs['epoch'] / ours['epoch']:7.1f}x"
        whole = f"{theirs['whole']:8.1f} {ours['whole']:9.1f} {theirs['whole'] / ours['whole']:7.1f}x"
        accuracy = f"{theirs['accuracy']:8.4f} {ours['accuracy']:8.4f}"
        print(f"{model:8} {epochs}  {whole} {ours['around']:7.2f} {accuracy}")


if __name__ == "__main__":
    main()
