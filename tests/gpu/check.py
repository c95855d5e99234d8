"""Checks fitbench on a machine with a GPU, and prints what holds, in under five minutes.

    python tests/gpu/check.py [--backends tensorflow jax] [--quick]

For each backend, a line names the device, and each check is ok, FAILED (why), or skipped (why). The last line counts
them. The exit status is 0 if none failed. Without a GPU, the checks that need one are skipped, and the others run on
the CPU. The checks of a backend that is not installed are skipped. The data are the 5,000 digits of `data=mnist_5k`,
which need no download. `--quick` trains shorter runs of a smaller network, and leaves out mixed precision.

Each command and each probe is a process of its own, because a process has one backend and takes its GPU once. On a GPU,
runs that must be equal are trained with the settings of `DETERMINISTIC`.
"""

from __future__ import annotations

import argparse
import importlib.util
import itertools
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import textwrap
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from fitbench.analysis.run_files import read_run
from fitbench.analysis.sameness import sameness
from fitbench.record.history import read_history
from fitbench.record.reading import read_result

BACKENDS = ("tensorflow", "jax")
DETERMINISTIC = {"TF_DETERMINISTIC_OPS": "1", "XLA_FLAGS": "--xla_gpu_deterministic_ops=true"}
LONGEST = 200  # seconds that a command may take
SLOWEST = 5.0  # times as slow as float32 that mixed precision may be on a GPU
WIDTH = 100  # of a line at most; a narrower terminal has shorter ones
LEAST_SPEED = 0.5  # of plain fit's; a quick measurement is too short to be judged


class Failed(Exception):
    """A check found something that does not hold; the message says what."""


class Skipped(Exception):
    """A check makes no sense on this machine; the message says why."""


@dataclass
class Machine:
    """This machine with one backend.

    Attributes:
        backend: 'tensorflow' or 'jax'.
        folder: where the runs of its checks are recorded.
        quick: whether runs are short.
    """

    backend: str
    folder: Path
    quick: bool

    @property
    def models(self) -> list[str]:
        return ["mlp"] if self.quick else ["lenet5", "mlp"]

    @property
    def run(self) -> list[str]:
        """The overrides of a run that trains all its epochs and has a checkpoint after each."""
        return [
            f"backend={self.backend}", f"model={self.models[0]}", f"training.epochs={15 if self.quick else 40}",
            "training.early_stopping=null", "training.checkpoint_seconds=0", "threads=1",
        ]  # fmt: skip

    @cached_property
    def seen(self) -> dict[str, Any]:
        """What the probe `devices` says."""
        return self.probe("devices")

    @cached_property
    def alone(self) -> list[Path]:
        """The folders of two runs, of the seeds 0 and 1, that one process has trained without interruption."""
        return self.train("alone", "-m", *self.run, "seed=0,1")

    @property
    def where(self) -> str:
        """Begins the remark of a check that does not need a GPU."""
        return "on a GPU:" if self.seen["gpus"] else "on the CPU:"

    def need_gpus(self, number: int = 1) -> None:
        """Skip the check unless the backend sees so many GPUs."""
        found = len(self.seen["gpus"])
        if found < number:
            raise Skipped("no GPU" if not found else f"needs {number} GPUs, found {found}")

    def train(self, study: str, *words: str, **environment: str) -> list[Path]:
        """Run `fitbench train` and return the run folders of the study, in order of their names."""
        output_of(self.command(study, *words), self.environment | environment)
        return sorted(path.parent for path in (self.folder / study).glob("*/result.json"))

    def command(self, study: str, *words: str) -> list[str]:
        own = [f"outputs={self.folder}", f"study={study}", "progress=false"]
        return [sys.executable, "-m", "fitbench", "train", *words, *own]

    def probe(self, name: str) -> Any:
        """What one of `PROBES` returns in a process of its own."""
        words = ["--probe", name, "--backends", self.backend, *["--quick"] * self.quick]
        return json.loads(output_of([sys.executable, __file__, *words], dict(os.environ)))

    @cached_property
    def environment(self) -> dict[str, str]:
        """The variables of commands, which see one GPU at most."""
        first = os.environ.get("CUDA_VISIBLE_DEVICES", "0").split(",")[0]
        return os.environ | ({"CUDA_VISIBLE_DEVICES": first, **DETERMINISTIC} if self.seen["gpus"] else {})


def output_of(command: Sequence[str], environment: dict[str, str]) -> str:
    """Run a command and return the last line of its output; raises Failed with the last line of its errors."""
    try:
        done = subprocess.run(command, env=environment, check=False, capture_output=True, text=True, timeout=LONGEST)
    except subprocess.TimeoutExpired:
        raise Failed(f"took more than {LONGEST} s: {' '.join(command)}") from None
    if done.returncode:
        raise Failed(f"{last_line(done.stderr)}; status {done.returncode} of {' '.join(command)}")
    return last_line(done.stdout)


def last_line(text: str) -> str:
    return (text.strip().splitlines() or [""])[-1]


# -- probes, which a process of their own calls -----------------------------------------------------------------------


def devices(machine: Machine) -> dict[str, Any]:
    """What the backend sees after a computation.

    Returns:
        `gpus`, their names, `device`, the name of what a run trains on, and `used` and `total`, the memory of all GPUs
        in MiB as `memory` returns it.
    """
    from fitbench.config import Backend
    from fitbench.training import backend as loaded
    from fitbench.training import gpus

    gpus.take("auto")
    loaded.load(Backend(machine.backend))
    import keras

    float(keras.ops.sum(keras.ops.ones((1000, 1000))))  # the backend takes memory when it computes
    used, total = memory()
    with loaded.on("auto") as device:
        return {"gpus": loaded.gpu_names(), "device": device, "used": used, "total": total}


def speed(machine: Machine) -> dict[str, list[float]]:
    """Median seconds per epoch of networks that plain `fit` and fitbench train in turn; [plain, ours] of each model."""
    from fitbench.composition import Composer
    from fitbench.record.folder import folder_of
    from fitbench.training import backend as loaded
    from fitbench.training.run import train

    def ours(config: Any) -> list[float]:
        train(config, folder_of(config))
        return [epoch["seconds"] for epoch in read_history(folder_of(config))]

    words = [f"backend={machine.backend}", "training.epochs=12", "training.early_stopping=null", "progress=false"]
    composer = Composer()
    measured = {}
    for model in machine.models:
        seeds = range(1 if machine.quick else 3)
        each = [[*words, f"outputs={machine.folder}", f"model={model}", f"seed={seed}"] for seed in seeds]
        configs = [composer.configuration(words) for words in each]
        loaded.start(configs[0])
        rounds = [(plain_seconds(config)[1:], ours(config)[1:]) for config in configs]
        measured[model] = [statistics.median(itertools.chain(*way)) for way in zip(*rounds, strict=True)]
    return measured


def plain_seconds(config: Any) -> list[float]:
    """The seconds of each epoch of `keras.Model.fit` with the network, the batches and the data of a configuration."""
    sys.path.append(str(Path(__file__).parents[1] / "benchmarks"))
    from plain_fit import network, seconds_of_epochs

    from fitbench.data.loading import load
    from fitbench.training.objective import Objective

    data = load(config.data)
    return seconds_of_epochs(
        network(config, data, Objective.of(config, data)),
        data.x_train,
        data.y_train,
        batch_size=config.training.batch_size,
        epochs=config.training.epochs,
        validation_split=config.training.validation_split,
    )


PROBES: dict[str, Callable[[Machine], Any]] = {"devices": devices, "speed": speed}


def memory() -> tuple[int, int]:
    """The memory of all GPUs that is in use and that of the smallest GPU, in MiB; zeros without nvidia-smi."""
    if shutil.which("nvidia-smi") is None:
        return 0, 0
    query = ["nvidia-smi", "--query-gpu=memory.used,memory.total", "--format=csv,noheader,nounits"]
    lines = subprocess.run(query, check=False, capture_output=True, text=True).stdout.splitlines()
    rows = [[int(number) for number in line.split(",")] for line in lines if line[:1].isdigit()]
    return sum(used for used, _ in rows), min((total for _, total in rows), default=0)


def note_gpu(folder: str) -> Any:
    """A Keras callback that writes an empty file named by the GPU that this process may use."""
    import keras

    return keras.callbacks.LambdaCallback(
        on_train_begin=lambda logs: Path(folder, os.environ.get("CUDA_VISIBLE_DEVICES", "all")).touch()
    )


# -- checks, which return a remark ------------------------------------------------------------------------------------


def sees_the_gpu(machine: Machine) -> str:
    if not machine.seen["gpus"] and machine.seen["total"]:
        raise Failed("nvidia-smi lists a GPU that the backend does not see; pip install -e '.[gpu]'")
    machine.need_gpus()
    device = read_result(machine.alone[0])["device"]
    if not device.startswith("gpu"):
        raise Failed(f"a run has trained on {device}")
    return f"{len(machine.seen['gpus'])} seen; a run trains on {device}"


def memory_grows(machine: Machine) -> str:
    machine.need_gpus()
    if not machine.seen["total"]:
        raise Skipped("needs nvidia-smi, which says how much memory is in use")
    idle = memory()[0]
    used, total = machine.probe("devices")["used"] - idle, machine.seen["total"]
    if used > total / 2:
        raise Failed(f"a small computation takes {used:,} of {total:,} MiB")
    return f"a small computation takes {used:,} of {total:,} MiB"


def mixed_precision_trains(machine: Machine) -> str:
    if machine.quick:
        raise Skipped("left out by --quick")
    policy = "mixed_float16" if machine.seen["gpus"] else "mixed_bfloat16"
    folders = [machine.alone[0], *machine.train("mixed", *machine.run, f"training.dtype_policy={policy}")]
    accuracies = [read_result(folder)["metrics"]["test_accuracy"] for folder in folders]
    if accuracies[1] < accuracies[0] - 0.05:
        raise Failed(f"test accuracy {accuracies[1]:.3f} with {policy}, {accuracies[0]:.3f} with float32")
    seconds = [statistics.median(epoch["seconds"] for epoch in read_history(folder)[1:]) for folder in folders]
    ratio = seconds[0] / seconds[1]
    if machine.seen["gpus"] and ratio < 1 / SLOWEST:
        raise Failed(f"an epoch is {1 / ratio:.1f} times as long with {policy} as with float32")
    return (
        f"{machine.where} {policy} is {ratio:.2f} times as fast as float32; test accuracy {accuracies[1]:.3f}, "
        f"{accuracies[0]:.3f}"
    )


def compiled_loop_is_fast(machine: Machine) -> str:
    measured = machine.probe("speed")
    ratios = {model: plain / ours for model, (plain, ours) in measured.items()}
    ratio_of_each = ", ".join(f"{model} {ratio:.1f} times as fast" for model, ratio in ratios.items())
    remark = f"{machine.where} {ratio_of_each}"
    if min(ratios.values()) < LEAST_SPEED and not machine.quick:
        raise Failed(remark)
    return remark


def two_workers_share_a_device(machine: Machine) -> str:
    folders = machine.train("two", "-m", *machine.run, "seed=0,1", "workers=2")
    check_equal(machine.alone, folders)
    return f"{machine.where} two runs at a time give the results of one after the other, to the last bit"


def workers_take_a_gpu_each(machine: Machine) -> str:
    machine.need_gpus(2)
    count = len(machine.seen["gpus"])
    noted = machine.folder / "gpus"
    noted.mkdir()
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", ",".join(map(str, range(count))))
    callback = f"+training.callbacks.gpu={{_target_: check.note_gpu, folder: '{noted}'}}"
    seeds = f"seed=range({count})"
    paths = {"CUDA_VISIBLE_DEVICES": visible, "PYTHONPATH": str(Path(__file__).parent)}
    machine.train("several", "-m", *machine.run, seeds, f"workers={count}", callback, **paths)
    used = sorted(path.name for path in noted.iterdir())
    if used != sorted(visible.split(",")):
        raise Failed(f"{count} workers took the GPUs {', '.join(used)} of {visible}")
    return f"{count} workers took the GPUs {', '.join(used)}"


def resume_is_exact(machine: Machine) -> str:
    words = machine.run
    process = subprocess.Popen(
        machine.command("killed", *words),
        env=machine.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        epochs = wait_for_epochs(machine.folder / "killed", 5, process)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    folders = machine.train("killed", *words)
    if not folders or read_result(folders[0])["attempts"] != 2:
        raise Failed("the run ended before it could be killed")
    check_equal(machine.alone[:1], folders)
    return (
        f"{machine.where} killed at epoch {epochs} and launched again, with equal weights and history, to the last bit"
    )


def wait_for_epochs(study: Path, number: int, process: subprocess.Popen[bytes]) -> int:
    """Wait until the run of a study has recorded so many epochs; returns how many it has then."""
    end = time.monotonic() + LONGEST
    while time.monotonic() < end and process.poll() is None:
        count = sum(len(path.read_text().splitlines()) for path in study.glob("*/history.jsonl"))
        if count >= number:
            return count
        time.sleep(0.002)
    raise Failed(f"a run did not reach epoch {number}" if process.poll() is None else "a run ended early")


def check_equal(first: Iterable[Path], second: Iterable[Path]) -> None:
    """Raise Failed unless the runs in these folders have the same results, in their order."""
    for a, b in zip(first, second, strict=True):
        same = sameness(read_run(a), read_run(b))
        names = ("weights", "history", "metrics", "predictions")
        if different := [name for name in names if not getattr(same, name)]:
            raise Failed(f"{a.name}: other {', '.join(different)}; {same.epochs} epochs are equal")


CHECKS: dict[str, Callable[[Machine], str]] = {
    "sees the GPU": sees_the_gpu,
    "memory growth": memory_grows,
    "mixed precision": mixed_precision_trains,
    "compiled loop against plain fit": compiled_loop_is_fast,
    "two workers on one device": two_workers_share_a_device,
    "one worker on each GPU": workers_take_a_gpu_each,
    "exact resume": resume_is_exact,
}


def verdict(check: Callable[[Machine], str], machine: Machine) -> tuple[str, str]:
    """'ok', 'FAILED' or 'skipped', and why."""
    if importlib.util.find_spec(machine.backend) is None:
        return "skipped", "not installed"
    try:
        return "ok", check(machine)
    except Skipped as reason:
        return "skipped", str(reason)
    except Failed as reason:
        return "FAILED", str(reason)


def report(backend: str, text: str, word: str = "") -> None:
    """Print what is said of a backend; further lines are indented."""
    indent = " " * 20
    width = min(shutil.get_terminal_size((WIDTH, 24)).columns, WIDTH)
    print(textwrap.fill(f"{word:8}{backend:11} {text}", width, subsequent_indent=indent), flush=True)


def check_backend(machine: Machine) -> Counter[str]:
    """Name the device of a backend, do the checks, and return how many of them are ok, FAILED and skipped."""
    if importlib.util.find_spec(machine.backend) is not None:
        report(machine.backend, machine.seen["device"], "device")
    counts = Counter[str]()
    for name, check in CHECKS.items():
        word, why = verdict(check, machine)
        counts[word] += 1
        report(machine.backend, f"{name} ({why})", word)
    return counts


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backends", nargs="+", choices=BACKENDS, default=BACKENDS)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--probe", choices=PROBES, help=argparse.SUPPRESS)
    options = parser.parse_args()
    counts = Counter[str]()
    for backend in options.backends:
        with tempfile.TemporaryDirectory() as folder:
            machine = Machine(backend, Path(folder), options.quick)
            if options.probe:
                print(json.dumps(PROBES[options.probe](machine)))
                continue
            counts += check_backend(machine)
    if not options.probe:
        print(f"{counts['ok']} ok, {counts['skipped']} skipped, {counts['FAILED']} failed")
    return int(counts["FAILED"] > 0)


if __name__ == "__main__":
    sys.exit(main())
