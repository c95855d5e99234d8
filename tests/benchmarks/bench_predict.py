"""`fitbench predict` against `model.predict`, and against Pillow alone, on MNIST and LeNet-5.

    FITBENCH_DATA=FOLDER python tests/benchmarks/bench_predict.py [--rounds 5] [--files 70000]

Array: the 10,000 test images from an .npy file to a CSV file with the model in memory, all that `fitbench predict`
does after loading it, against `model.predict` on the same array, whose batch size is the best of several; in turn.
Files: so many PNG files, each an image of MNIST, to a CSV file, against the rate at which as many processes as there
are cores decode them with Pillow to arrays and do nothing else. Ratios are medians over the rounds. The time from the
shell, with loading TensorFlow and the model, is printed beside.
"""

import argparse
import contextlib
import io
import itertools
import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from hydra import compose, initialize_config_dir
from PIL import Image

from fitbench.composition import conf_folder
from fitbench.config import Backend, Config, from_hydra
from fitbench.data.loading import load
from fitbench.inference import predict, reader
from fitbench.record.folder import folder_of
from fitbench.training import backend
from fitbench.training.run import train

BATCH_SIZES = (32, 128, 256, 512, 1000, 2000, 5000)


def configuration(outputs: str) -> Config:
    """LeNet-5 on MNIST, for so short a time that it reads badly, which is no matter here."""
    overrides = ["data=mnist", "model=lenet5", "training.epochs=1", f"outputs={outputs}", "progress=false"]
    with initialize_config_dir(str(conf_folder()), version_base="1.3"):
        return from_hydra(compose("config", overrides=overrides))


def seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def through_fitbench(model: reader.Reader, source: Path, output: Path, prepare: str) -> float:
    """`fitbench predict` in this process, with the model that is loaded."""
    predict.open_run = lambda *_: model
    with contextlib.redirect_stderr(io.StringIO()):
        return seconds(
            lambda: predict.predict(
                str(model.folder), [str(source)], predict.Options(prepare=prepare, output=output, force=True)
            )
        )


def array(model: reader.Reader, images: np.ndarray, folder: Path, rounds: int) -> None:
    np.save(folder / "x.npy", images)
    theirs: dict[int, list[float]] = {size: [] for size in BATCH_SIZES}
    ours, ratios = [], []
    for _ in range(rounds + 1):
        for size in BATCH_SIZES:
            theirs[size].append(seconds(lambda size=size: model.model.predict(images, batch_size=size, verbose=0)))
        ours.append(through_fitbench(model, folder / "x.npy", folder / "x.csv", "none"))
        ratios.append(min(took[-1] for took in theirs.values()) / ours[-1])
    medians = {size: statistics.median(took[1:]) for size, took in theirs.items()}
    best = min(medians, key=lambda size: medians[size])
    each = statistics.median(mine / his for mine, his in zip(theirs[best][1:], ours[1:], strict=True))
    print(f"array of {len(images):,} images: model.predict {medians[best]:.3f} s with its best batch size, {best};")
    print(f"  fitbench {statistics.median(ours[1:]):.3f} s: {each:.2f} times as fast")
    print(f"  against the fastest of all batch sizes in each round: {statistics.median(ratios[1:]):.2f} times")


def decode(paths: list[str]) -> int:
    return sum(int(np.asarray(Image.open(path)).size) for path in paths)


def with_pillow(paths: list[str], cores: int) -> float:
    step = 500
    pieces = [paths[start : start + step] for start in range(0, len(paths), step)]
    with multiprocessing.get_context("spawn").Pool(cores) as pool:
        pool.map(decode, pieces[:cores])  # started
        return seconds(lambda: list(pool.imap_unordered(decode, pieces)))


def files(model: reader.Reader, images: np.ndarray, folder: Path, count: int, rounds: int) -> None:
    cores = len(os.sched_getaffinity(0))
    pngs = folder / "pngs"
    for i, image in enumerate(itertools.islice(itertools.cycle(images[..., 0]), count)):
        path = pngs / f"{i // 1000:03}" / f"{i:06}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)
    paths = sorted(map(str, pngs.rglob("*.png")))
    alone, ours = [], {"none": [], "auto": []}
    for _ in range(rounds):
        alone.append(with_pillow(paths, cores))
        for prepare, took in ours.items():
            took.append(through_fitbench(model, pngs, folder / "pngs.csv", prepare))
    rate = count / statistics.median(alone)
    print(f"{count:,} PNG files: Pillow alone, {cores} processes: {rate:,.0f} images/s")
    for prepare, took in ours.items():
        ratio = statistics.median(his / mine for his, mine in zip(alone, took, strict=True))
        print(f"  fitbench --prepare {prepare}: {count / statistics.median(took):,.0f} images/s, {100 * ratio:.0f} %")
    command = [sys.executable, "-m", "fitbench", "predict", str(model.folder), str(pngs), "--prepare", "none"]
    whole = seconds(lambda: subprocess.run([*command, "-o", str(folder / "all.csv")], check=True, capture_output=True))
    print(f"  fitbench predict from the shell, TensorFlow and the model loaded: {whole:.1f} s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--files", type=int, default=70_000)
    options = parser.parse_args()
    backend.load(Backend.tensorflow)
    print(f"{backend.cpu_name()}; {options.rounds} rounds")
    with tempfile.TemporaryDirectory() as scratch:
        config = configuration(f"{scratch}/outputs")
        train(config, folder_of(config))
        model = reader.open_run(folder_of(config))
        data = load(config.data)
        array(model, data.x_test, Path(scratch), options.rounds)
        files(model, np.concatenate([data.x_train, data.x_test]), Path(scratch), options.files, options.rounds)


if __name__ == "__main__":
    main()
