"""Networks of series through fitbench against plain `keras.Model.fit`, on the 50 + 150 series of GunPoint.

    FITBENCH_DATA=FOLDER python tests/benchmarks/bench_series.py [--rounds 3] [--epochs 60] [--models fcn,mlp_time,lstm]

Both train the same network with Adam and batches of 5, in the same process, in turn. What is printed are medians over
the rounds: seconds per epoch after the first, and seconds from the files to the test accuracy (for fitbench with
everything that it records), and their ratios.
"""

import argparse
import statistics
import tempfile
import time

from hydra.utils import instantiate
from plain_fit import begin, compile_classifier, seconds_of_epochs

from fitbench.composition import Composer
from fitbench.config import Config
from fitbench.data.loading import load
from fitbench.record.folder import folder_of
from fitbench.record.history import read_history
from fitbench.training import backend
from fitbench.training.run import train

BATCH_SIZE = 5


def configuration(model: str, epochs: int, outputs: str, seed: int) -> Config:
    return Composer().configuration(
        [
            "data=ucr", "data.name=GunPoint", f"model={model}", f"training.batch_size={BATCH_SIZE}",
            f"training.epochs={epochs}", "training.validation_split=0", "training.early_stopping=null",
            f"outputs={outputs}", f"seed={seed}", "progress=false",
        ]
    )  # fmt: skip


def plain(model: str, epochs: int, seed: int) -> dict[str, float]:
    began = time.perf_counter()
    begin(seed)
    config = configuration(model, epochs, "outputs", seed)
    data = load(config.data)
    settings = {key: value for key, value in config.model.items() if key != "name"}
    net = instantiate(settings, inputs=data.inputs, outputs=len(data.names), _convert_="all")
    compile_classifier(net)
    seconds = seconds_of_epochs(net, data.x_train, data.y_train, batch_size=BATCH_SIZE, epochs=epochs)
    accuracy = net.evaluate(data.x_test, data.y_test, verbose=0)[1]
    return {"epoch": statistics.median(seconds[1:]), "whole": time.perf_counter() - began, "accuracy": accuracy}


def through_fitbench(model: str, epochs: int, seed: int, outputs: str) -> dict[str, float]:
    began = time.perf_counter()
    config = configuration(model, epochs, outputs, seed)
    result = train(config, folder_of(config))
    assert result is not None
    seconds = [epoch["seconds"] for epoch in read_history(folder_of(config))]
    whole = time.perf_counter() - began
    return {"epoch": statistics.median(seconds[1:]), "whole": whole, "accuracy": result["metrics"]["test_accuracy"]}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--models", default="fcn,mlp_time,lstm")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as outputs:
        backend.start(configuration("fcn", 1, outputs, 0))
        for model in arguments.models.split(","):
            pairs = [
                (plain(model, arguments.epochs, seed), through_fitbench(model, arguments.epochs, seed, outputs))
                for seed in range(arguments.rounds)
            ]
            for name in ("epoch", "whole", "accuracy"):
                keras_value, own_value = (
                    statistics.median(side[name] for side in sides) for sides in zip(*pairs, strict=True)
                )
                ratio = keras_value / own_value
                print(f"{model:8} {name:8}  plain {keras_value:.4f}  fitbench {own_value:.4f}  ratio {ratio:.2f}")


if __name__ == "__main__":
    main()
