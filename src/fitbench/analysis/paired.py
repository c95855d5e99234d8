"""Two runs on the same test examples, by the paired test that their task names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from fitbench.analysis import statistics
from fitbench.record.reading import Predictions
from fitbench.tasks import Task


@dataclass(frozen=True)
class PairedComparison:
    """McNemar's test of two runs on N examples.

    `both`, `only_a`, `only_b` and `neither` count the examples that the runs classify correctly.
    """

    both: int
    only_a: int
    only_b: int
    neither: int

    @property
    def p(self) -> float:
        """The two-sided p-value."""
        return statistics.mcnemar(self.only_a, self.only_b)

    def sentence(self) -> str:
        """The test and its result for people."""
        return (
            f"McNemar's exact test: of {self.only_a + self.only_b:,} test examples that one run alone classifies "
            f"correctly, A classifies {self.only_a:,} and B {self.only_b:,}; p = {self.p:.2g}."
        )


def _mcnemar(task: Task, a: Predictions, b: Predictions) -> PairedComparison:
    right_a, right_b = (task.paired_values(run.targets, run.outputs) for run in (a, b))
    parts = (right_a & right_b, right_a & ~right_b, ~right_a & right_b, ~right_a & ~right_b)
    return PairedComparison(*(int(part.sum()) for part in parts))


TESTS: dict[str, Callable[[Task, Predictions, Predictions], PairedComparison]] = {  # by `Task.paired_test`
    "mcnemar": _mcnemar,
}


def compare_on_examples(task: Task, a: Predictions, b: Predictions) -> PairedComparison:
    """The task's paired test on two runs that predict the same examples."""
    return TESTS[task.paired_test](task, a, b)
