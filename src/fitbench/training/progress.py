"""What is seen of a run while it trains: a live bar in a terminal or in a notebook, plain lines of epochs elsewhere.

Bar and lines are on stderr, but for a notebook.
"""

import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from fitbench import metrics, notebook
from fitbench.metrics import Metric
from fitbench.stderr import show_live
from fitbench.text import count, describe, duration

SHORTEST_BAR = 12  # characters, with the spaces around it
LINE_SECONDS = 1.0  # between two plain lines; train.log and history.jsonl have every epoch


class Display:
    """Draws epochs as they pass: loss and primary metric, as far as they are measured, the speed, and the time left.

    Args:
        shown: whether anything is drawn.
        epochs: the largest number of epochs.
        examples: the number of training examples in one epoch.
        primary: the metric that names the best run.
    """

    def __init__(self, shown: bool, epochs: int, examples: int, primary: Metric) -> None:
        self.epochs = epochs
        self.examples = examples
        self.metrics = (metrics.get("loss"), primary)
        self.console = Console(stderr=True, highlight=False)
        self.line = notebook.line() if shown else None
        self.plain = shown and not self.line and not self.console.is_terminal
        self.bar = shown and not self.line and self.console.is_terminal
        self.done_at_start = 0
        self.epoch = 0
        self.ended = ""  # what the last epoch was
        self.trained = self.validated = self.rate = ""  # what was last known, also at the start of an epoch
        self.started = self.epoch_started = time.perf_counter()
        self.next_line = self.started  # when a plain line may come

    def __enter__(self) -> "Display":
        if self.bar:
            self.live = Progress(
                TextColumn("{task.description}"),
                BarColumn(bar_width=None),
                TextColumn("{task.fields[metrics]}"),
                console=self.console,
                transient=True,
                refresh_per_second=10,
            )
            self.task = self.live.add_task("epoch", total=self.examples, metrics="starting")
            self.live.start()
        return self

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        if self.bar:
            self.live.stop()
        if self.line:
            took = duration(time.perf_counter() - self.started)
            self.line.close([self.ended, self.trained, self.validated, took, "not finished" if error else ""])

    def begin(self, epochs_done: int) -> None:
        """The run begins, with so many epochs done by an earlier attempt."""
        self.done_at_start = epochs_done
        self.started = time.perf_counter()

    def begin_epoch(self, epoch: int) -> None:
        """Epoch `epoch` (from 1) begins."""
        self.epoch = epoch
        self.epoch_started = time.perf_counter()
        self.advance(0, {})

    def advance(self, examples: int, logs: dict[str, float]) -> None:
        """So many examples of the epoch are done, with these running means of the metrics."""
        if not (self.bar or self.line):
            return
        if logs:
            self.trained = self._values("train", logs)
            self.rate = _rate(examples, time.perf_counter() - self.epoch_started)
        description = f"epoch {self.epoch}/{self.epochs}"
        left = self._left(examples)
        if self.line:
            share = (self.epoch - 1 + examples / self.examples) / self.epochs
            self.line.show([description, self.trained, self.validated, left], share)
            return
        room = self.console.width - len(description) - SHORTEST_BAR
        texts = _fitting([self.trained, self.validated, self.rate, left], room)
        self.live.update(self.task, completed=examples, description=description, metrics=texts)

    def end_epoch(self, epoch: dict[str, Any], stopped: bool) -> None:
        """Epoch ended; `epoch` is its line of the history. The first and the last have a plain line in any case."""
        if validated := self._values("val", epoch):
            self.validated = f"val {validated}"
        last = stopped or epoch["epoch"] >= self.epochs
        self.ended = f"epoch {epoch['epoch']}/{self.epochs}{', stopped early' if stopped else ''}"
        if self.plain and (last or time.perf_counter() >= self.next_line):
            self.next_line = time.perf_counter() + LINE_SECONDS
            rate = _rate(self.examples, epoch["seconds"])
            line = f"epoch {epoch['epoch']}/{self.epochs}  {describe(epoch)}  {rate}"
            sys.stderr.write(f"{line}{'  stopped early' if stopped else ''}\n")
            sys.stderr.flush()

    def _values(self, part: str, values: Mapping[str, float | None]) -> str:
        """The values of a part that a line of the history, or the logs of Keras, have of what is shown."""
        shown = {metric.label: (values.get(metrics.history_key(part, metric.name)), metric) for metric in self.metrics}
        return "  ".join(
            f"{label} {value:.{metric.digits}f}" for label, (value, metric) in shown.items() if value is not None
        )

    def _left(self, examples: int) -> str:
        """The time that the remaining epochs take at most, at the speed so far; early stopping may end it sooner."""
        done = self.epoch - 1 - self.done_at_start + examples / self.examples
        if done < 0.02:
            return ""
        seconds = (time.perf_counter() - self.started) / done * (self.epochs - self.done_at_start - done)
        return f"{duration(seconds)} left"


def _fitting(parts: list[str], room: int) -> str:
    """The values of training and validation, the speed and the time left, as far as there is room for them."""
    shown = list(parts)
    for dispensable in (2, 0, 3):  # the speed first, the validation never
        if len("  ".join(filter(None, shown))) <= room:
            break
        shown[dispensable] = ""
    return "  ".join(filter(None, shown))


def _rate(examples: int, seconds: float) -> str:
    return f"{count(examples / max(seconds, 1e-9))} examples/s"


@contextmanager
def notice(shown: bool, text: str) -> Iterator[None]:
    """Say what is waited for, in a terminal or a notebook, for as long as it takes."""
    line = notebook.line() if shown else None
    in_terminal = shown and not line and sys.stderr.isatty()
    if line:
        line.show([f"{text} ..."])
    if in_terminal:
        show_live(f"{text} ...")
    try:
        yield
    finally:
        if line:
            line.clear()
        if in_terminal:
            show_live("")
