"""`fitbench publish --to mlflow` into a database of SQLite, against a loop of mlflow.log_metric.

    python tests/benchmarks/bench_publish.py [--runs 100] [--plain 5] [--drawn 5]

The runs are those of bench_runs.py with 50 epochs of 7 values, a model of 200 kB and two pictures. Measured are, in one
process and with a database that exists, the seconds of the first call, of a second call that changes nothing, and of a
call after one run went on for an epoch. The loop sends the same parameters and values of `--plain` runs, each value
with a call of its own, and its time for a run is compared with that of the first call. `--drawn` runs without pictures
tell what drawing takes, which sweeps leave to this command.
"""

import argparse
import contextlib
import io
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import bench_runs
from mlflow import MlflowClient
from PIL import Image

from fitbench.analysis.chosen_runs import Choice
from fitbench.analysis.studies import Which
from fitbench.publish.publish import publish
from fitbench.publish.recorded import read_recorded
from fitbench.record.history import append_history

EPOCHS = 50
MODEL_BYTES = 200_000
PICTURES = ("curves.png", "confusion.png")


def make(outputs: Path, count: int, pictures: bool) -> list[Path]:
    """Write run folders below `outputs`; gives those of finished runs."""
    bench_runs.EPOCHS = EPOCHS
    bench_runs.make_runs(outputs, count)
    picture = io.BytesIO()
    Image.effect_noise((700, 280), 60).save(picture, "png")
    folders = sorted(path.parent for path in outputs.glob("*/*/config.yaml"))
    for folder in folders:
        for name in PICTURES if pictures else ():
            (folder / name).write_bytes(picture.getvalue())
        (folder / "model.keras").write_bytes(bytes(MODEL_BYTES))
    return [folder for folder in folders if (folder / "result.json").exists()]


def seconds(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def published(outputs: Path, uri: str) -> None:
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        status = publish(Choice([str(outputs)], Which(), outputs), "mlflow", uri)
    print(f"  {printed.getvalue().splitlines()[-1].partition(': ')[2]}", flush=True)
    assert status == 0, printed.getvalue()


def plain(folders: Sequence[Path], uri: str) -> None:
    """Send parameters and values as tutorials of MLflow do."""
    client = MlflowClient(uri)
    experiment = client.create_experiment("plain")
    for folder in folders:
        recorded = read_recorded(folder)
        run_id = client.create_run(experiment).info.run_id
        for key, value in recorded.description.parameters.items():
            client.log_param(run_id, key, value)
        for line in recorded.run.history:
            for key, value in line.items():
                if key != "epoch":
                    client.log_metric(run_id, key, value, step=line["epoch"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--plain", type=int, default=5)
    parser.add_argument("--drawn", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        at = Path(temporary)
        uri = f"sqlite:///{at}/mlflow.db"
        MlflowClient(uri).search_experiments()
        finished = make(at / "outputs", options.runs, pictures=True)
        first = seconds(lambda: published(at / "outputs", uri))
        print(
            f"first call, {options.runs} runs of {EPOCHS} epochs: {first:.1f} s, {first / options.runs:.3f} s per run"
        )
        second = seconds(lambda: published(at / "outputs", uri))
        print(f"second call, nothing changed: {second:.1f} s, {1000 * second / options.runs:.0f} ms per run")
        unfinished = next(folder for folder in (at / "outputs" / "sweep").iterdir() if folder not in finished)
        append_history(unfinished, {"epoch": EPOCHS + 1, "seconds": 0.3, "loss": 0.1})
        print(f"after one run went on: {seconds(lambda: published(at / 'outputs', uri)):.1f} s")
        looped = seconds(lambda: plain(finished[: options.plain], uri)) / options.plain
        print(f"a loop of log_metric: {looped:.2f} s per run, {looped * options.runs / first:.1f} times as long")
        make(at / "drawn", options.drawn, pictures=False)
        other = f"sqlite:///{at}/other.db"  # in the first one, these runs are copies of others
        MlflowClient(other).search_experiments()
        drawn = seconds(lambda: published(at / "drawn", other)) / options.drawn
        print(f"first call with pictures to draw: {drawn:.2f} s per run")


if __name__ == "__main__":
    main()
