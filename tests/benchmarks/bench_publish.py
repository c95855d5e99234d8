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


def seconds(call: Callable[[], object]) -> tuple[float, float]:
    """The seconds of a call, and those that it took of a core, which other work on the machine changes less."""
    began, used = time.perf_counter(), time.process_time()
    call()
    return time.perf_counter() - began, time.process_time() - used


def say(what: str, taken: tuple[float, float], runs: int) -> None:
    wall, cpu = taken
    print(f"{what}: {wall:.1f} s, {cpu:.1f} s of a core, {1000 * cpu / runs:.0f} ms of a core per run", flush=True)


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
        say(f"first call, {options.runs} runs of {EPOCHS} epochs", first, options.runs)
        say("second call, nothing changed", seconds(lambda: published(at / "outputs", uri)), options.runs)
        unfinished = next(folder for folder in (at / "outputs" / "sweep").iterdir() if folder not in finished)
        append_history(unfinished, {"epoch": EPOCHS + 1, "seconds": 0.3, "loss": 0.1})
        say("after one run went on", seconds(lambda: published(at / "outputs", uri)), options.runs)
        looped = seconds(lambda: plain(finished[: options.plain], uri))
        say(f"a loop of log_metric, {options.plain} runs", looped, options.plain)
        times = [one / options.plain / (other / options.runs) for one, other in zip(looped, first, strict=True)]
        print(f"the loop takes {times[0]:.1f} times as long for a run, {times[1]:.1f} times as much of a core")
        make(at / "drawn", options.drawn, pictures=False)
        other = f"sqlite:///{at}/other.db"  # in the first one, these runs are copies of others
        MlflowClient(other).search_experiments()
        drawn = seconds(lambda: published(at / "drawn", other))
        say(f"first call with pictures to draw, {options.drawn} runs", drawn, options.drawn)


if __name__ == "__main__":
    main()
