"""Sweeps through fitbench against plain Keras, and what a sweep costs besides training.

    FITBENCH_DATA=FOLDER python tests/benchmarks/bench_sweep.py grid [--seeds 4] [--epochs 5] [--rounds 1]
    python tests/benchmarks/bench_sweep.py again | checkpoints | many

grid: 3 models x 2 optimizers x seeds on MNIST, batches of 128. Each way is a command started anew, in turn: plain Keras
in one process per run; plain Keras in a loop in one process; `fitbench train -m`; the same with 2 workers.
again: a finished sweep launched again: milliseconds per run, and how much of it is Hydra's composition.
checkpoints: the share of a run that writing checkpoints takes, at the default interval.
many: 200 small runs in one process, 20 configurations of 10 seeds: memory after 20 and at the end, seconds per run.
"""

import argparse
import itertools
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

MODELS, OPTIMIZERS = ("softmax", "mlp", "lenet5"), ("sgd", "adam")

# A script as one finds it in tutorials; its arguments are the epochs and, for each run, model:optimizer:seed.
PLAIN = """
import sys
import keras
from keras import layers
from fitbench.config import Data, Source
from fitbench.data.loading import load

data = load(Data(name="mnist", source=Source.mnist, preprocess=None))
x, x_test = (images.astype("float32") / 255 for images in (data.x_train, data.x_test))
LAYERS = {
    "softmax": lambda: [layers.Flatten()],
    "mlp": lambda: [layers.Flatten(), layers.Dense(64, activation="relu"), layers.Dense(64, activation="relu")],
    "lenet5": lambda: [
        layers.Conv2D(6, 3, activation="relu"), layers.AveragePooling2D(2),
        layers.Conv2D(16, 3, activation="relu"), layers.AveragePooling2D(2),
        layers.Flatten(), layers.Dense(120, activation="relu"), layers.Dense(84, activation="relu"),
    ],
}
for run in sys.argv[2:]:
    name, optimizer, seed = run.split(":")
    keras.utils.clear_session()
    keras.utils.set_random_seed(int(seed))
    net = keras.Sequential([keras.Input((28, 28, 1)), *LAYERS[name](), layers.Dense(10)])
    net.compile(optimizer, keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    net.fit(x, data.y_train, batch_size=128, epochs=int(sys.argv[1]), validation_split=0.2, verbose=0)
    net.evaluate(x_test, data.y_test, verbose=0)
"""


def fitbench(*arguments: str) -> None:
    command = [sys.executable, "-m", "fitbench", "train", "-m", *arguments]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def grid(options: argparse.Namespace) -> None:
    """Seconds for the whole grid, in each way."""
    names = [":".join(map(str, run)) for run in itertools.product(MODELS, OPTIMIZERS, range(options.seeds))]
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2"}

    def plain(runs: list[str]) -> None:
        command = [sys.executable, "-c", PLAIN, str(options.epochs), *runs]
        subprocess.run(command, check=True, env=environment, stderr=subprocess.DEVNULL)

    def through_fitbench(*more: str) -> None:
        with tempfile.TemporaryDirectory() as outputs:
            fitbench(
                "data=mnist", f"model={','.join(MODELS)}", f"optimizer={','.join(OPTIMIZERS)}",
                "training.batch_size=128", f"seed=range({options.seeds})", f"training.epochs={options.epochs}",
                "training.early_stopping=null", f"outputs={outputs}", *more,
            )  # fmt: skip
            finished = len(list(Path(outputs).glob("default/*/result.json")))
            assert finished == len(names), f"{finished} of {len(names)} runs have finished"

    def one_by_one() -> None:
        for name in names:
            plain([name])

    ways: dict[str, Callable[[], None]] = {
        "plain Keras, a process per run": one_by_one,
        "plain Keras, a loop": lambda: plain(names),
        "fitbench, one process": through_fitbench,
        "fitbench, 2 workers": lambda: through_fitbench("workers=2"),
    }
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(options.rounds):
        for way, act in ways.items():
            began = time.perf_counter()
            act()
            seconds[way].append(time.perf_counter() - began)
            print(f"{way}: {seconds[way][-1]:.0f} s", file=sys.stderr)
    medians = {way: statistics.median(values) for way, values in seconds.items()}
    print(f"{len(names)} runs of {options.epochs} epochs; medians of {options.rounds}; times as fast as plain Keras")
    print(f"{'':32} {'seconds':>8} {'as processes':>13} {'as a loop':>10}")
    separate, loop = list(medians.values())[:2]
    for way, value in medians.items():
        print(f"{way:32} {value:8.0f} {separate / value:12.1f}x {loop / value:9.1f}x")


def again(options: argparse.Namespace) -> None:
    """Milliseconds for each run of a finished sweep: to compose and check its configuration, and to look."""
    from hydra.core.global_hydra import GlobalHydra
    from hydra.core.plugins import Plugins

    from fitbench import composition
    from fitbench.launch import command, sweep

    Plugins.instance()
    spent = {"compose": 0.0, "check": 0.0, "look": 0.0}

    def timed(what: str, function: Callable) -> Callable:
        def call(*arguments, **named):
            began = time.perf_counter()
            try:
                return function(*arguments, **named)
            finally:
                spent[what] += time.perf_counter() - began

        return call

    count = 50
    with tempfile.TemporaryDirectory() as outputs:
        arguments = [
            "-m", "data=digits", "model=softmax", f"seed=range({count})", "training.epochs=1", f"outputs={outputs}",
            "progress=false",
        ]  # fmt: skip
        command.launch(arguments)
        composition.Composer.composed_with = timed("compose", composition.Composer.composed_with)
        composition.from_hydra = timed("check", composition.from_hydra)
        sweep.recorded = timed("look", sweep.recorded)
        GlobalHydra.instance().clear()
        began = time.perf_counter()
        command.launch(arguments)
        whole = time.perf_counter() - began
    other = (whole - sum(spent.values())) / count
    parts = ", ".join(f"{what} {1000 * seconds / count:.1f}" for what, seconds in spent.items())
    print(f"{count} finished runs launched again, ms per run: {parts}, everything else {1000 * other:.1f}")


def checkpoints(options: argparse.Namespace) -> None:
    """The share of the time of a run of LeNet-5 on MNIST that writing its checkpoints takes."""
    from fitbench.launch.command import launch
    from fitbench.training.checkpointing import Checkpoints

    written = []
    write = Checkpoints.write

    def timed(self: Checkpoints) -> None:
        began = time.perf_counter()
        write(self)
        written.append(time.perf_counter() - began)

    Checkpoints.write = timed
    with tempfile.TemporaryDirectory() as outputs:
        began = time.perf_counter()
        launch(["data=mnist", f"training.epochs={4 * options.epochs}", "training.early_stopping=null",
                f"outputs={outputs}", "progress=false"])  # fmt: skip
        whole = time.perf_counter() - began
    print(f"{len(written)} checkpoints in {whole:.0f} s: {sum(written):.2f} s, {100 * sum(written) / whole:.2f}%")


def many(options: argparse.Namespace) -> None:
    """Memory and speed of 200 small runs in one process."""
    from fitbench.launch import command

    memory, ends = [], [time.perf_counter()]
    run = command.run

    def watched(config):
        result = run(config)
        memory.append(int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20)
        ends.append(time.perf_counter())
        return result

    command.run = watched
    with tempfile.TemporaryDirectory() as outputs:
        rates = ",".join(str(0.001 * step) for step in range(1, 11))
        command.launch(["-m", "data=digits", "model=softmax,mlp", f"optimizer.learning_rate={rates}", "seed=range(10)",
                       "training.epochs=3", f"outputs={outputs}", "progress=false"])  # fmt: skip
    seconds = [after - before for before, after in itertools.pairwise(ends)]
    for first in (10, 100, 190):
        print(
            f"runs {first + 1} to {first + 10}: median {statistics.median(seconds[first : first + 10]):.2f} s each, ",
            end="",
        )
        print(f"mean {statistics.mean(seconds[first : first + 10]):.2f} s, {memory[first + 9]:.0f} MB at the end")
    print(f"growth after the first 20: {memory[-1] - memory[19]:.0f} MB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parts = {part.__name__: part for part in (grid, again, checkpoints, many)}
    parser.add_argument("part", choices=parts)
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=1)
    options = parser.parse_args()
    parts[options.part](options)


if __name__ == "__main__":
    main()
