"""The server of `fitbench report --live`: its share of a core, the size of its answers, and how late epochs arrive.

    python tests/benchmarks/bench_live.py [--runs 1000] [--running 10] [--interval 2] [--seconds 60] [--pages 1]

The folders are those of bench_runs.py. Some of them are turned into runs that are being trained: this process holds
their claims, and appends a line to each history every 1 to 5 seconds. Pages ask as a browser does: `interval` seconds
after the last answer. What is printed: the CPU time of the server as a share of one core, after the page was loaded;
the bytes of its answers; and the seconds from a line of a history to the answer that holds it, the median and the
largest, beside the time that is allowed.
"""

import argparse
import contextlib
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from urllib.request import urlopen

from bench_runs import make_runs

from fitbench.record import dataset
from fitbench.record.claims import claim
from fitbench.record.history import append_history, read_history, write_history

ALLOWED_SHARE, ALLOWED_LATE = 0.05, 0.2  # of a core; seconds beside the interval
DATASET = {"name": "mnist_5k", "source": "builtin", "sha256": "8f" * 32, "task": "classification", "shape": [28, 28, 1],
           "dtype": "uint8", "classes": list("0123456789")}  # fmt: skip


class Writer(threading.Thread):
    """Appends epochs to the histories of runs until it is stopped.

    Attributes:
        written: when each epoch was written, by the folder of its run and its number.
    """

    def __init__(self, runs: list[Path]) -> None:
        super().__init__(daemon=True)
        self.runs = runs
        self.written: dict[tuple[str, int], float] = {}
        self.stopped = threading.Event()

    def run(self) -> None:
        lines = {run: read_history(run)[-1] for run in self.runs}
        for run in self.runs:
            write_history(run, [{**lines[run], "epoch": 1}])
        due = {run: time.monotonic() + random.uniform(0, 5) for run in self.runs}
        epochs = dict.fromkeys(self.runs, 1)
        while not self.stopped.wait(max(min(due.values()) - time.monotonic(), 0)):
            run = min(due, key=lambda each: due[each])
            epochs[run] += 1
            append_history(run, {**lines[run], "epoch": epochs[run]})
            self.written[str(run), epochs[run]] = time.monotonic()
            due[run] = time.monotonic() + random.uniform(1, 5)


class Page(threading.Thread):
    """Asks what has changed until it is stopped.

    Attributes:
        arrived: when each epoch arrived.
        sizes: bytes of the answers, the first of which holds everything.
    """

    def __init__(self, address: str, interval: float) -> None:
        super().__init__(daemon=True)
        self.address, self.interval = address, interval
        self.arrived: dict[tuple[str, int], float] = {}
        self.sizes: list[int] = []
        self.stopped = threading.Event()
        self.is_loaded = threading.Event()

    def run(self) -> None:
        with urlopen(self.address) as answer:
            answer.read()
        token = ""
        while not self.stopped.is_set():
            with urlopen(f"{self.address}changes{token}") as answer:
                content = answer.read()
            now, told = time.monotonic(), json.loads(content)
            token = f"?since={told['token']}"
            self.sizes.append(len(content))
            for run in told["runs"]:
                self.arrived |= {(run["folder"], epoch): now for epoch in run.get("curve", {}).get("epoch", ())}
            self.is_loaded.set()
            self.stopped.wait(self.interval)


def cpu_seconds(pid: int) -> float:
    """What a process has computed."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def begin(outputs: Path, count: int) -> list[Path]:
    """Turn finished runs into ones that are being trained."""
    runs = [result.parent for result in sorted(outputs.glob("*/*/result.json"))[:count]]
    for run in runs:
        (run / "result.json").unlink()
        dataset.write(run, DATASET)
    return runs


def measure(outputs: Path, options: argparse.Namespace) -> None:
    command = [sys.executable, "-m", "fitbench", "report", "--live", str(outputs), "--port", "0",
               "--interval", str(options.interval)]  # fmt: skip
    with contextlib.ExitStack() as held:
        runs = begin(outputs, options.running)
        for run in runs:
            held.enter_context(claim(run))
        server = held.enter_context(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL))
        held.callback(server.terminate)
        assert server.stdout is not None
        address = server.stdout.readline().decode().strip()
        pages = [Page(address, options.interval) for _ in range(options.pages)]
        for page in pages:
            page.start()
        began = time.monotonic()
        for page in pages:
            page.is_loaded.wait()
        print(f"loaded after {time.monotonic() - began:.1f} s")
        time.sleep(3 * options.interval)  # until what has ended is settled
        writer = Writer(runs)
        writer.start()
        time.sleep(options.interval)
        began, before = time.monotonic(), cpu_seconds(server.pid)
        time.sleep(options.seconds)
        share = (cpu_seconds(server.pid) - before) / (time.monotonic() - began)
        writer.stopped.set()
        writer.join()
        time.sleep(2 * options.interval)
        for page in pages:
            page.stopped.set()
        for page in pages:
            page.join()
    told(options, share, writer, pages)


def told(options: argparse.Namespace, share: float, writer: Writer, pages: list[Page]) -> None:
    """Print what was measured."""
    late = [page.arrived[epoch] - written for page in pages for epoch, written in writer.written.items()]
    sizes = [size for page in pages for size in page.sizes[1:]]
    print(f"{options.runs:,} runs, {options.running} of which run, {options.pages} page(s), {options.interval:g} s")
    print(f"share of a core  {100 * share:6.2f} %   allowed {100 * ALLOWED_SHARE:g} %")
    print(f"first answer     {max(page.sizes[0] for page in pages):6,} bytes")
    print(f"later answers    {statistics.median(sizes):6,.0f} bytes (median), {max(sizes):,} (largest)")
    allowed = f"allowed {options.interval + ALLOWED_LATE:g} s"
    print(f"epochs arrive    {statistics.median(late):6.2f} s (median), {max(late):.2f} s (largest)   {allowed}")
    print(f"                 {len(late):6,} epochs")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=1_000)
    parser.add_argument("--running", type=int, default=10)
    parser.add_argument("--interval", type=float, default=2.0)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--pages", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        outputs = Path(folder).resolve() / "outputs"
        make_runs(outputs, options.runs)
        measure(outputs, options)


if __name__ == "__main__":
    main()
