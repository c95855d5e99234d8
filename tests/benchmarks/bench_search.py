"""`fitbench search` with median pruning against itself without pruning and against Keras Tuner, side by side.

    pip install keras-tuner tensorboard  # which it imports and TensorFlow no longer brings
    FITBENCH_DATA=FOLDER python tests/benchmarks/bench_search.py [--model mlp|lenet5|both] [--data mnist|mnist_5k]
        [--trials 30] [--epochs 20] [--rounds 3] [--keep FOLDER]

The same space (learning rate, batch size, optimizer, and of mlp the dropout), the same arrays and split, early stopping
as conf/training/default.yaml has it. Each way is a command started anew; the ways take turns. What counts is the wall
time from the start of the command to the epoch whose validation accuracy is at least the best that RandomSearch finds
in the same round. An epoch of fitbench counts as late as its trial's end allows.

Hyperband counts a trial again each time it goes on with it. 30 of those are its one iteration for 20 epochs.
"""

import argparse
import itertools
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from omegaconf import OmegaConf

from fitbench.composition import conf_folder
from fitbench.record.history import read_history

PRUNED, WHOLE, RANDOM, HYPERBAND = "fitbench, median", "fitbench, none", "RandomSearch", "Hyperband"
SPACE = {
    "optimizer.learning_rate": "tag(log,interval(1e-5,1e-1))",
    "training.batch_size": "choice(32,64,128,256)",
    "optimizer": "adam,sgd",
}

# As Keras Tuner's guide has it; its argument is JSON: what `keras_tuner` below gives it.
TUNER = """
import json
import sys
import time
import keras
import keras_tuner
from keras import layers
from fitbench.config import Data, Source
from fitbench.data.loading import load

asked = json.loads(sys.argv[1])
keras.utils.set_random_seed(asked["seed"])
data = load(Data(name=asked["data"], source=Source(asked["data"]), preprocess=None))

def mlp(hp):
    dropout = hp.Float("dropout", 0, 0.5)
    hidden = [layers.Dense(64, activation="relu"), layers.Dropout(dropout)]
    return [layers.Flatten(), *hidden, layers.Dense(64, activation="relu"), layers.Dropout(dropout)]

def lenet5(hp):
    return [
        layers.Conv2D(6, 3, activation="relu"), layers.AveragePooling2D(2),
        layers.Conv2D(16, 3, activation="relu"), layers.AveragePooling2D(2),
        layers.Flatten(), layers.Dense(120, activation="relu"), layers.Dense(84, activation="relu"),
    ]

class Model(keras_tuner.HyperModel):
    def build(self, hp):
        optimizers = {"adam": keras.optimizers.Adam, "sgd": keras.optimizers.SGD}
        optimizer = optimizers[hp.Choice("optimizer", list(optimizers))]
        rate = hp.Float("learning_rate", 1e-5, 1e-1, sampling="log")
        hp.Choice("batch_size", [32, 64, 128, 256])
        net = keras.Sequential([keras.Input((28, 28, 1)), *globals()[asked["model"]](hp), layers.Dense(10)])
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        net.compile(optimizer(rate), loss, metrics=["accuracy"])
        return net

    def fit(self, hp, model, *arguments, **named):
        return model.fit(*arguments, batch_size=hp.get("batch_size"), **named)

class Log(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        with open(asked["log"], "a") as file:
            file.write(json.dumps([time.time(), logs["val_accuracy"]]) + "\\n")

where = {"directory": asked["directory"], "project_name": "search", "seed": asked["seed"], "objective": "val_accuracy"}
if asked["tuner"] == "RandomSearch":
    tuner = keras_tuner.RandomSearch(Model(), max_trials=asked["trials"], **where)
else:
    tuner = keras_tuner.Hyperband(Model(), max_epochs=asked["epochs"], hyperband_iterations=1000, **where)
    tuner.oracle.max_trials = asked["trials"]
tuner.search(
    data.x_train.astype("float32") / 255, data.y_train, epochs=asked["epochs"], verbose=0,
    validation_split=asked["validation_split"],
    callbacks=[Log(), keras.callbacks.EarlyStopping(**asked["early_stopping"])],
)
"""


@dataclass(frozen=True)
class Search:
    """One search: (seconds since its command began, validation accuracy) of every epoch, and what else is asked.

    `beyond_fit`: seconds that each of fitbench's trials but the first took besides `fit`, the sampler's included.
    """

    seconds: float
    epochs: list[tuple[float, float]]
    beyond_fit: list[float]

    @property
    def best(self) -> float:
        return max(accuracy for _, accuracy in self.epochs)

    def reached(self, target: float) -> float:
        """Seconds until the target; infinite if it never was."""
        return min((at for at, accuracy in self.epochs if accuracy > target - 1e-6), default=math.inf)


def fitbench(folder: Path, options: argparse.Namespace, model: str, seed: int, method: str) -> Search:
    space = {**SPACE, **({"model.dropout": "interval(0,0.5)"} if model == "mlp" else {})}
    command = [sys.executable, "-m", "fitbench", "search", f"data={options.data}", f"model={model}"]
    command += [f"{key}={value}" for key, value in space.items()]
    command += [f"training.epochs={options.epochs}", "study=search", f"outputs={folder}"]
    command += [f"search.trials={options.trials}", f"seed={seed}", f"search.seed={seed}"]
    command += ["search.sampler=tpe", f"search.pruner={method}"]
    study = folder / "search"
    began, seconds = _run([*command, "progress=false"], folder, study / "search.json")
    trials = json.loads((study / "search.json").read_text())["trials"]
    trials = sorted(
        (trial for trial in trials if trial["ended"] and trial["run_ids"]), key=lambda trial: trial["ended"]
    )
    epochs, fit_seconds = [], []
    for trial in trials:
        (run_id,) = trial["run_ids"]
        at = trial["ended"]
        for epoch in reversed(read_history(study / run_id)):
            epochs.append((at - began, epoch["val_accuracy"] or 0.0))
            at -= epoch["seconds"]
        fit_seconds.append(_fit_seconds(study / run_id))
    beyond = [
        after["ended"] - before["ended"] - fit
        for before, after, fit in zip(trials, trials[1:], fit_seconds[1:], strict=False)
        if fit is not None
    ]
    return Search(seconds, epochs, beyond)


def _fit_seconds(folder: Path) -> float | None:
    """What the run spent in `fit`; None if it has failed."""
    for path in (folder / "result.json", folder / "pruned.json"):
        if path.exists():
            return json.loads(path.read_text())["timing"]["fit_seconds"]
    return None


def keras_tuner(folder: Path, options: argparse.Namespace, model: str, seed: int, method: str) -> Search:
    log = folder / "epochs.jsonl"
    training = OmegaConf.load(conf_folder() / "training" / "default.yaml")
    asked = {
        "tuner": method, "model": model, "data": options.data, "epochs": options.epochs, "trials": options.trials,
        "seed": seed, "validation_split": training.validation_split, "directory": str(folder),
        "early_stopping": OmegaConf.to_container(training.early_stopping), "log": str(log),
    }  # fmt: skip
    began, seconds = _run([sys.executable, "-c", TUNER, json.dumps(asked)], folder, log)
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    return Search(seconds, [(at - began, accuracy) for at, accuracy in lines], [])


def _run(command: list[str], folder: Path, made: Path) -> tuple[float, float]:
    """When the command that makes that file began (unix seconds), and the seconds it took."""
    with (folder / "output.txt").open("w") as output:
        began = time.time()
        environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "2"}
        status = subprocess.run(command, env=environment, stdout=output, stderr=output, check=False).returncode
    if status or not made.exists():  # Keras Tuner ends with 0 although every trial has failed
        ending = (folder / "output.txt").read_text()[-3000:]
        sys.exit(f"{ending}\n{folder}: exit status {status}")
    return began, time.time() - began


WAYS: dict[str, Callable[[Path, argparse.Namespace, str, int], Search]] = {
    PRUNED: partial(fitbench, method="median"),
    WHOLE: partial(fitbench, method="none"),
    RANDOM: partial(keras_tuner, method="RandomSearch"),
    HYPERBAND: partial(keras_tuner, method="Hyperband"),
}


def measure(folder: Path, options: argparse.Namespace, model: str) -> dict[str, list[Search]]:
    """Each way's searches, one for each round."""
    searches: dict[str, list[Search]] = {way: [] for way in WAYS}
    names = list(WAYS)
    for number in range(options.rounds):
        for way in names[number % len(names) :] + names[: number % len(names)]:
            place = folder / f"{model}-{number}-{way.replace(', ', '-')}"
            place.mkdir(parents=True)
            search = WAYS[way](place, options, model, number)
            searches[way].append(search)
            print(f"{model}, round {number}, {way}: {search.seconds:.1f} s, best {search.best:.4f}", file=sys.stderr)
    return searches


def table(searches: dict[str, list[Search]], title: str) -> None:
    """Medians over the rounds, and the medians of each round's ratios."""
    targets = [search.best for search in searches[RANDOM]]
    seconds = {
        way: [search.reached(target) for search, target in zip(each, targets, strict=True)]
        for way, each in searches.items()
    }
    print(f"\n{title}; medians. Targets: {', '.join(f'{target:.4f}' for target in targets)}")
    others = [WHOLE, RANDOM, HYPERBAND]
    print(f"{'':18}{'to target':>10}{'reached':>9}{'best':>8}{'whole':>9}{'epochs':>8}   times as fast as: ", end="")
    print(", ".join(others))
    for way, each in searches.items():
        until = statistics.median(seconds[way])
        reached = f"{sum(map(math.isfinite, seconds[way]))} of {len(each)}"
        best = statistics.median(search.best for search in each)
        whole = statistics.median(search.seconds for search in each)
        epochs = statistics.median(len(search.epochs) for search in each)
        print(f"{way:18}{f'{until:.1f} s' if math.isfinite(until) else 'never':>10}{reached:>9}", end="")
        print(f"{best:8.4f}{whole:7.0f} s{epochs:8.0f}   ", end="")
        print(", ".join(_times(seconds[other], seconds[way]) for other in others))
    for way in (PRUNED, WHOLE):
        beyond = list(itertools.chain.from_iterable(search.beyond_fit for search in searches[way]))
        if beyond:
            print(f"{way}, beyond `fit`: median {statistics.median(beyond):.2f} s a trial, most {max(beyond):.2f} s")


def _times(slow: list[float], fast: list[float]) -> str:
    """The median ratio, of the rounds in which one of the two has reached the target."""
    pairs = [pair for pair in zip(slow, fast, strict=True) if not all(map(math.isinf, pair))]
    return f"{statistics.median(a / b for a, b in pairs):.2f}x" if pairs else "-"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", choices=("mlp", "lenet5", "both"), default="both")
    parser.add_argument("--data", choices=("mnist", "mnist_5k"), default="mnist")
    parser.add_argument("--trials", type=int, default=30)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--keep", type=Path, help="an empty folder, for all that the searches write")
    options = parser.parse_args()
    about = f"{options.data}: {options.trials} trials of up to {options.epochs} epochs, rounds: {options.rounds}"
    with tempfile.TemporaryDirectory() as temporary:
        for model in ("mlp", "lenet5") if options.model == "both" else (options.model,):
            searches = measure((options.keep or Path(temporary)).resolve(), options, model)
            table(searches, f"{model} on {about}")


if __name__ == "__main__":
    main()
