"""Whether `fitbench serve` stays small and answers under load, measured in a process of its own with 1,024 open files.

    python tests/benchmarks/load_serve.py RUN [--seconds 300] [--outputs outputs] [--groups silent bodies json]

RUN is a finished run on MNIST. At a time, 1,100 clients connect and send nothing, 200 clients send all but the end of a
body of 10 MB, 4 clients send large arrays as JSON, and 4 clients ask for predictions of a drawing. Clients whose
connection is closed connect again, silent ones after 5 seconds and others after one (`--pause` changes the former; with
1, the load is also 1,000 new connections per second). Each half second, a client in another process asks for /health.
Printed are the server's memory, how many requests were answered, refused with 503 or broken off, how long /health took,
and how much was written to stderr. Promised: after ten seconds, the memory no longer grows; /health is answered within
a second or refused with 503.
"""

import argparse
import asyncio
import collections
import contextlib
import multiprocessing
import resource
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from urllib.parse import urlsplit

from bench_serve import Server, drawing

SILENT, SLOW, LARGE, HONEST = 1100, 200, 4, 4
BODY = 10_000_000
OPEN_FILES = 1024
GROUPS = ("silent", "bodies", "json")


def request(kind: str, body: bytes, length: int | None = None) -> tuple[bytes, bytes]:
    """A request for predictions, as its head and its body, which may be shorter than the head says."""
    head = f"POST /predict?prepare=auto HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Type: {kind}\r\n"
    return f"{head}Content-Length: {length or len(body)}\r\n\r\n".encode(), body


SLOW_BODY = request("image/png", bytes(BODY - 1), BODY)
ARRAY = request("application/json", b'{"image": [' + b",".join([b"[" + b"[7]," * 999 + b"[7]]"] * 990) + b"]}")
DRAWING = [b"".join(request(drawing().kind, drawing().body))]

Client = Callable[[], Awaitable[None]]


class Load:
    """Clients of a server, and what happened to their requests."""

    def __init__(self, url: str) -> None:
        self.address = urlsplit(url)
        self.outcomes: collections.Counter[tuple[str, str]] = collections.Counter()
        self.health: list[float] = []

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Open a connection."""
        return await asyncio.open_connection(self.address.hostname, self.address.port)

    async def exchange(self, name: str, *parts: bytes, wait: float = 600) -> None:
        """Send a request on a connection of its own, and count the status of the response."""
        outcome = "no response"
        try:
            async with asyncio.timeout(wait):
                reader, writer = await self.connect()
                try:
                    for part in parts:
                        writer.write(part)
                        await writer.drain()
                except ConnectionError:
                    outcome = "closed while it was sent"
                try:
                    line = await reader.readline()
                    outcome = line.split()[1].decode() if line else outcome
                    await reader.read()
                except ConnectionError:
                    pass
                finally:
                    writer.transport.abort()
        except TimeoutError:
            outcome = "none in time"
        except OSError as error:
            outcome = f"not connected: {type(error).__name__}"
        self.outcomes[name, outcome] += 1

    async def be_silent(self) -> None:
        """Connect, and wait until the server closes the connection."""
        await self.exchange("silent")

    async def send_slowly(self) -> None:
        """Send a body without its end."""
        await self.exchange("slow body", *SLOW_BODY)

    async def send_array(self) -> None:
        """Send an array of as many numbers as a request may have."""
        await self.exchange("array", *ARRAY)

    async def classify(self) -> None:
        """Ask for the prediction of a drawing."""
        await self.exchange("drawing", *DRAWING, wait=10)

    async def check_health(self) -> None:
        """Ask whether the server works, and note how long the response takes."""
        began = time.perf_counter()
        await self.exchange("health", b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n", wait=30)
        self.health.append(time.perf_counter() - began)


async def repeat(client: Client, pause: float) -> None:
    """Run a client again and again."""
    while True:
        await client()
        await asyncio.sleep(pause)


def watch(url: str, seconds: int, results: Connection) -> None:
    """Ask for /health for some seconds, and send what happened."""
    load = Load(url)

    async def ask() -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await repeat(load.check_health, 0.5)

    asyncio.run(ask())
    results.send((load.outcomes, sorted(load.health)))


async def attack(server: Server, names: Sequence[str], seconds: int, pause: float) -> Load:
    """Run all clients for some seconds, and print the memory."""
    load = Load(server.url)
    groups = {
        "silent": [(load.be_silent, pause)] * SILENT,
        "bodies": [(load.send_slowly, 1)] * SLOW,
        "json": [(load.send_array, 1)] * LARGE,
    }
    clients = [client for name in names for client in groups[name]]
    clients += [(load.classify, 0.05)] * HONEST
    tasks = [asyncio.create_task(repeat(client, pause)) for client, pause in clients]
    began, samples = time.perf_counter(), []
    while time.perf_counter() - began < seconds:
        await asyncio.sleep(1)
        samples.append(server.memory())
        if len(samples) in (10, 30) or len(samples) % 60 == 0:
            print(f"{len(samples):4} s: {samples[-1]:.0f} MB, at most {max(samples):.0f} MB", flush=True)
    print(f"{seconds:4} s: {samples[-1]:.0f} MB, at most {max(samples):.0f} MB")
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return load


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", metavar="RUN")
    parser.add_argument("--outputs", default="outputs")
    parser.add_argument("--seconds", type=int, default=300)
    parser.add_argument("--pause", type=float, default=5)
    parser.add_argument("--groups", nargs="*", choices=GROUPS, default=GROUPS)
    options = parser.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    with tempfile.NamedTemporaryFile() as log:
        resource.setrlimit(resource.RLIMIT_NOFILE, (OPEN_FILES, hard))
        server = Server(options.run, options.outputs, log)
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 10_000), hard))
        print(f"ready: {server.memory():.0f} MB")
        results, sender = multiprocessing.Pipe(duplex=False)
        watcher = multiprocessing.Process(target=watch, args=(server.url, options.seconds, sender))
        watcher.start()
        load = asyncio.run(attack(server, options.groups, options.seconds, options.pause))
        watched, times = results.recv()
        late = sum(each > 1 for each in times)
        time.sleep(2)
        print(f"2 s after the load: {server.memory():.0f} MB")
        for (name, outcome), count in sorted((load.outcomes + watched).items()):
            print(f"{name:12}{outcome:30}{count:8,}")
        print(f"health: median {times[len(times) // 2]:.3f} s, at most {times[-1]:.3f} s, {late} above 1 s")
        print(f"Ctrl-C: exit status {server.end()}")
        written = Path(log.name).read_text()
    print(f"stderr: {len(written):,} bytes, {written.count(chr(10)):,} lines\n{written[:1000]}")


if __name__ == "__main__":
    main()
