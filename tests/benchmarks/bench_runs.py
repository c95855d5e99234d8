"""The commands that read many runs, on 100, 1,000 and 10,000 run folders, each in a process of its own.

    python tests/benchmarks/bench_runs.py [--sizes 100 1000 10000] [--rounds 3] [--commands runs note compare report]
                                          [--at FOLDER]

The folders are what training leaves behind, without the weights: 5 models x 4 optimizers x 5 learning rates, and as
many seeds as it takes; 20 epochs of history, the predictions for 1,000 test images, 1 in 51 failed or interrupted.
Their accuracies and macro F1 are drawn, not trained. What is printed are medians over the rounds: seconds from the
start of the process to its end, its CPU seconds, how these grow per 1,000 runs from the size before (the same number
means: linear), its peak memory, and the size of what it wrote. The files are in the page cache, as they are after a
sweep. `note` tags the runs that `runs` lists; before each round their notes are removed. `report` is made of 1,000 runs
at most.
"""

import argparse
import itertools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from fitbench import metrics
from fitbench.composition import conf_folder
from fitbench.config import Config, config_id, from_hydra, plain, run_id

MODELS = {  # trainable parameters, typical test accuracy
    "softmax": (7_850, 0.89), "mlp": (55_050, 0.93), "lenet5": (60_074, 0.96), "lenet5_max": (61_706, 0.965),
    "convnet": (72_666, 0.975),
}  # fmt: skip
OPTIMIZERS = ("sgd", "momentum", "adam", "rmsprop")
LEARNING_RATES = (0.0003, 0.001, 0.003, 0.01, 0.03)
METRICS = ("accuracy", "macro_f1", "loss")
EPOCHS, TRAIN, VALIDATION, TEST, CLASSES = 20, 3_200, 800, 1_000, 10
REPORT_AT_MOST = 1_000

FILTER = "model.name == 'mlp' and metrics.test_accuracy > 0.9 and seed < 5"
COMMANDS = {
    "runs": ["--where", FILTER, "--limit", "20"],
    "note": ["--where", FILTER, "--add", "paper"],
    "compare": ["--by", "model.name,optimizer.name"],
    "report": ["-o", "report.html"],
}
ALLOWED = {  # (command, runs): seconds; and megabytes of memory and of the page
    ("runs", 10_000): 3, ("note", 10_000): 3, ("compare", 10_000): 5, ("report", 1_000): 20,
}  # fmt: skip
ALLOWED_MEMORY, ALLOWED_PAGE = 600, 15


# -- run folders ------------------------------------------------------------------------------------------------------


def configurations(outputs: Path) -> Iterator[Config]:
    """100 configurations, as `fitbench train` composes them."""
    with initialize_config_dir(str(conf_folder()), version_base="1.3"):
        composed = [
            from_hydra(
                compose(
                    "config",
                    overrides=[f"model={model}", f"optimizer={optimizer}", "study=sweep", f"outputs={outputs}"],
                )
            )
            for model, optimizer in itertools.product(MODELS, OPTIMIZERS)
        ]
    for config, rate in itertools.product(composed, LEARNING_RATES):
        yield config.model_copy(update={"optimizer": {**config.optimizer, "learning_rate": rate}})


def make_runs(outputs: Path, count: int) -> None:
    """Write `count` run folders below `outputs`."""
    configs = [(config, config_id(config)) for config in configurations(outputs)]
    random = np.random.default_rng(0)
    labels = random.integers(0, CLASSES, TEST).astype(np.int32)
    for number in range(count):
        config, identity = configs[number % len(configs)]
        config = config.model_copy(update={"seed": number // len(configs)})
        name = f"{config.data.name}-{config.model['name']}-{config.optimizer['name']}-{identity}-s{config.seed}"
        folder = outputs / config.study / name
        (folder / ".hydra").mkdir(parents=True)
        if number == 0:
            assert name == run_id(config)
        content = (
            OmegaConf.to_yaml(OmegaConf.create(plain(config))) if config.seed == 0 else content_of(folder, config.seed)
        )
        for file in ("config.yaml", ".hydra/config.yaml", ".hydra/hydra.yaml"):
            (folder / file).write_text(content)
        (folder / "train.log").write_text("[2026-01-02 03:04:05,678][fitbench][INFO] epoch 1 of 20\n" * EPOCHS)
        epochs = history(config, random)
        (folder / "history.jsonl").write_text("".join(json.dumps(epoch) + "\n" for epoch in epochs))
        if number % 51 == 50:  # of every configuration some
            if number % 2:
                (folder / "error.txt").write_text("Traceback (most recent call last):\n  ...\nMemoryError: killed\n")
            continue
        probabilities = predicted(labels, epochs[-1]["val_accuracy"], random)
        np.savez(
            folder / "predictions.npz", labels=labels, probabilities=probabilities, data_sha256=np.array("8f" * 32)
        )
        measured = float((probabilities.argmax(axis=1) == labels).mean())
        (folder / "result.json").write_text(json.dumps(result(config, name, identity, epochs, measured), indent=2))


def content_of(folder: Path, seed: int) -> str:
    """config.yaml of the run of another seed, from that of seed 0."""
    first = folder.with_name(f"{folder.name.rpartition('-')[0]}-s0")
    return (first / "config.yaml").read_text().replace("\nseed: 0\n", f"\nseed: {seed}\n")


def history(config: Config, random: np.random.Generator) -> list[dict[str, Any]]:
    """Curves that fall and rise, with noise."""
    rate = config.optimizer["learning_rate"]
    best = MODELS[config.model["name"]][1] - 0.02 * abs(np.log10(rate) + 2.5) + random.normal(0, 0.003)
    noise = random.normal(0, 0.004, (EPOCHS, 4)).tolist()
    return [
        {
            "epoch": epoch,
            "seconds": 0.3 + abs(a),
            "learning_rate": rate,
            "loss": 2.2 / epoch + 0.05 + abs(b),
            "accuracy": float(min(1.0, best + 0.01 - 0.5 / (epoch + 1) + c)),
            "val_loss": 2.2 / epoch + 0.12 + abs(c),
            "val_accuracy": float(min(1.0, best - 0.5 / (epoch + 1) + d)),
            "val_macro_f1": float(min(1.0, best - 0.5 / (epoch + 1) + d + c)),
        }
        for epoch, (a, b, c, d) in enumerate(noise, 1)
    ]


def predicted(labels: np.ndarray, accuracy: float, random: np.random.Generator) -> np.ndarray:
    """Probabilities, float32 [images, classes], that are right for about this share of the images."""
    read_as = np.where(random.random(len(labels)) < accuracy, labels, random.integers(0, CLASSES, len(labels)))
    probabilities = random.random((len(labels), CLASSES), np.float32)
    probabilities[np.arange(len(labels)), read_as] += 3
    return probabilities / probabilities.sum(axis=1, keepdims=True)


def result(config: Config, name: str, identity: str, epochs: list[dict[str, Any]], measured: float) -> dict[str, Any]:
    last = epochs[-1]
    seconds = sum(epoch["seconds"] for epoch in epochs)
    return {
        "schema": 2, "fold": None, "task": "classification", "primary": "accuracy",
        "metric_info": {metric: metrics.get(metric).info() for metric in METRICS},
        "threads": 2, "environment": {}, "code": {},
        "run_id": name, "config_id": identity, "seed": config.seed, "study": config.study,
        "config": plain(config),
        "metrics": {
            "train_loss": last["loss"], "train_accuracy": last["accuracy"], "val_loss": last["val_loss"],
            "val_accuracy": last["val_accuracy"], "best_epoch": EPOCHS, "epochs": EPOCHS, "test_loss": last["val_loss"],
            "test_accuracy": measured, "train_macro_f1": last["accuracy"], "val_macro_f1": last["val_macro_f1"],
            "test_macro_f1": measured - 0.001,
        },
        "timing": {"fit_seconds": seconds, "seconds": seconds + 0.8, "examples_per_second": TRAIN * EPOCHS / seconds},
        "parameters": MODELS[config.model["name"]][0],
        "data": {"name": config.data.name, "sha256": "8f" * 32, "train": TRAIN, "validation": VALIDATION, "test": TEST,
                 "classes": list("0123456789"), "skipped": 0},
        "versions": {"python": "3.11.7", "fitbench": "0.1.0", "keras": "3.15.1", "tensorflow": "2.21.0",
                     "numpy": "2.4.6", "hydra-core": "1.3.8"},
        "git": {"commit": "0123456789" * 4, "dirty": False},
        "device": "cpu: Intel(R) Xeon(R) Processor, 2 cores", "attempts": 1, "finished_at": "2026-01-02T03:04:05Z",
    }  # fmt: skip


# -- measuring --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Measured:
    """Seconds, and megabytes (10^6 bytes)."""

    seconds: float
    cpu: float
    memory: float
    written: float


def measure(command: str, outputs: Path, folder: Path) -> Measured:
    """One command, from the start of its process to its end."""
    page = folder / "report.html"
    page.unlink(missing_ok=True)
    for notes in outputs.glob("*/*/notes.json") if command == "note" else ():
        notes.unlink()
    arguments = [sys.executable, "-m", "fitbench", command, str(outputs), *COMMANDS[command]]
    with (folder / "stdout").open("wb") as out, (folder / "stderr").open("wb") as err:
        began = time.perf_counter()
        process = subprocess.Popen(arguments, cwd=folder, stdout=out, stderr=err)
        _, status, used = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - began
    if status:
        sys.exit(f"{' '.join(arguments)} failed:\n{(folder / 'stderr').read_text()[-2000:]}")
    written = (page if page.exists() else folder / "stdout").stat().st_size
    memory = used.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return Measured(seconds, used.ru_utime + used.ru_stime, memory / 1e6, written / 1e6)


def median(rounds: list[Measured]) -> Measured:
    return Measured(
        *(statistics.median(getattr(measured, name) for measured in rounds) for name in Measured.__annotations__)
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[100, 1_000, 10_000])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--commands", nargs="+", default=list(COMMANDS), choices=list(COMMANDS))
    parser.add_argument(
        "--at", type=Path, help="where the run folders are made, and found again; else they are removed"
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        at = (options.at or Path(temporary)).resolve()
        for size in options.sizes:
            began = time.perf_counter()
            if not (at / str(size)).exists():
                make_runs(at / str(size), size)
                print(f"made {size:,} runs in {time.perf_counter() - began:.0f} s", file=sys.stderr)
        print(f"{'':8} {'runs':>7} {'seconds':>8} {'CPU s':>6} {'per 1,000':>9} {'memory':>8} {'output':>9}  allowed")
        for command in options.commands:
            before = None
            for size in options.sizes:
                if command == "report" and size > REPORT_AT_MOST:
                    continue
                used = median([measure(command, at / str(size), Path(temporary)) for _ in range(options.rounds)])
                growth = f"{(used.cpu - before[1]) / (size - before[0]) * 1000:9.2f}" if before else f"{'':9}"
                allowed = f"{ALLOWED[command, size]} s, {ALLOWED_MEMORY} MB" if (command, size) in ALLOWED else ""
                if allowed and command == "report":
                    allowed += f", page {ALLOWED_PAGE} MB"
                numbers = f"{used.seconds:8.2f} {used.cpu:6.2f} {growth} {used.memory:5.0f} MB {used.written:6.2f} MB"
                print(f"{command:8} {size:7,} {numbers}  {allowed}".rstrip(), flush=True)
                before = (size, used.cpu)


if __name__ == "__main__":
    main()
