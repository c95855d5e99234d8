"""What the distortion of the training images costs: seconds per epoch with each, over those without.

    FITBENCH_DATA=FOLDER python tests/benchmarks/bench_distortions.py [--data mnist] [--model lenet5] [--epochs 5]

All train the same model on the same images (of MNIST 48,000, and 12,000 for validation, batches of 128) in this
process: each in turn trains one epoch, and again. What is printed are medians over the epochs after the first.
"""

import argparse
import os
import statistics
import time

import numpy as np

from fitbench.composition import conf_folder
from fitbench.config import Backend, Config, from_hydra
from fitbench.training import backend


def configuration(distortion: str, options: argparse.Namespace) -> Config:
    from hydra import compose, initialize_config_dir

    with initialize_config_dir(str(conf_folder()), version_base="1.3"):
        return from_hydra(
            compose(
                "config",
                overrides=[
                    *(f"data={options.data}", f"model={options.model}", f"distortion={distortion}"),
                    *("training.batch_size=128", f"backend={options.backend}"),
                ],
            )
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="mnist")
    parser.add_argument("--model", default="lenet5")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--backend", default="tensorflow", choices=[choice.value for choice in Backend])
    parser.add_argument("--distortions", nargs="+", default=["none", "lecun", "affine", "elastic"])
    options = parser.parse_args()
    backend.choose(Backend(options.backend))
    backend.load(Backend(options.backend), "auto")

    from fitbench.data.loading import load
    from fitbench.data.memory import take
    from fitbench.data.split import split
    from fitbench.training import networks, objective
    from fitbench.training.examples import Examples
    from fitbench.training.fit import fit

    seconds: dict[str, list[float]] = {}
    trained = {}
    for name in options.distortions:
        config = configuration(name, options)
        data = load(config.data)
        kept, held_back = split(data.y_train, 0.2, config.training.validation, 0)
        targets = objective.targets(data.y_train, len(data.classes), config.training)
        parts = [Examples(take(data.x_train, rows), np.asarray(targets[rows])) for rows in (kept, held_back)]
        trained[name] = (networks.network(config, data, len(kept)).loops, parts)
        seconds[name] = []
    load_before = os.getloadavg()[0]
    for epoch in range(options.epochs + 1):
        for name, (loops, (training, validation)) in trained.items():
            began = time.perf_counter()
            fit(
                loops, training, validation, seed=0, batch_size=128,
                initial_epoch=epoch, epochs=epoch + 1, callbacks=[],
            )  # fmt: skip
            if epoch:  # the first compiles
                seconds[name].append(time.perf_counter() - began)
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    print(f"{backend.cpu_name()}, {os.cpu_count()} CPUs, load {load_before:.1f} to {os.getloadavg()[0]:.1f}")
    print(f"{options.model} on {options.data}, {options.backend}, {options.epochs} epochs each\n")
    print(f"{'distortion':12} {'seconds per epoch':>18} {'best':>7} {'ratio':>7}")
    for name, median in medians.items():
        best, ratio = min(seconds[name]), median / medians[options.distortions[0]]
        print(f"{name:12} {median:18.3f} {best:7.3f} {ratio:7.2f}")


if __name__ == "__main__":
    main()
