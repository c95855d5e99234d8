"""How often the verdict is false, right or inconclusive, by simulation.

`python tests/tables/calibration.py` prints the tables of the README's section on tables.
"""

from __future__ import annotations

from collections import Counter

import numpy as np

from fitbench.tables.definition import Claim
from fitbench.tables.verdict import EvaluationSets, Verdict, judge

EXAMPLES = 10_000
TOLERANCE = 0.005
GRID = ((0.92, 0.0005), (0.985, 0.001), (0.995, 0.001), (0.985, 0.002), (0.995, 0.003))  # accuracy, deviation of seeds
SEEDS = (3, 5, 20)
DIFFERENCES = (0.0025, 0.005, 0.01, 0.02)


def simulate(
    accuracy: float, deviation: float, seeds: int, repeats: int, difference: float = 0.0, trainings: int = 1
) -> dict[Verdict, float]:
    """The share of each verdict over so many claims, whose method is worse than ours by `difference`.

    Trainings scatter by a beta distribution, and are measured on the same 10,000 test examples. A claim of several
    trainings states their deviation.
    """
    random = np.random.default_rng([int(accuracy * 1e4), int(deviation * 1e5), seeds, int(difference * 1e4)])

    def trained(mean: float, *shape: int) -> np.ndarray:
        size = mean * (1 - mean) / deviation**2 - 1
        return np.rint(random.beta(mean * size, (1 - mean) * size, shape) * EXAMPLES) / EXAMPLES

    ours = trained(accuracy, repeats, seeds)
    theirs = trained(accuracy - difference, repeats, trainings)
    counts: Counter[Verdict] = Counter()
    for values, claimed in zip(ours.tolist(), theirs, strict=True):
        counts[judge(_claim(claimed), values, TOLERANCE, EvaluationSets(EXAMPLES, same=True)).verdict] += 1
    return {verdict: count / repeats for verdict, count in counts.items()}


def _claim(values: np.ndarray) -> Claim:
    """What a source prints of these trainings, with four digits."""
    mean = round(float(values.mean()), 4)
    several = len(values) > 1
    return Claim(
        f"{mean:.4f}", mean, mean, mean - 0.00005, mean + 0.00005, EXAMPLES,
        trainings=len(values), deviation=round(float(values.std(ddof=1)), 4) if several else None,
    )  # fmt: skip


def false_verdicts(shares: dict[Verdict, float]) -> float:
    """The share of 'better' and 'worse'."""
    return shares.get(Verdict.better, 0.0) + shares.get(Verdict.worse, 0.0)


def _print_tables(repeats: int = 4000) -> None:
    head = " | ".join(f"{accuracy:g}, {deviation:g}" for accuracy, deviation in GRID)
    rule = "---|" * (len(GRID) + 1)
    print(f"| accuracy, deviation of the seeds | {head} |\n|{rule}")
    for label, pick in (
        ("false 'better' or 'worse'", false_verdicts),
        ("'inconclusive'", lambda shares: shares.get(Verdict.inconclusive, 0.0)),
    ):
        for seeds in SEEDS:
            cells = [f"{pick(simulate(*cell, seeds, repeats)):.1%}" for cell in GRID]
            print(f"| {label}, {seeds} seeds | {' | '.join(cells)} |")
    for difference in DIFFERENCES:
        for seeds in SEEDS:
            cells = [f"{simulate(*cell, seeds, repeats, difference).get(Verdict.better, 0.0):.0%}" for cell in GRID]
            print(f"| 'better' at a difference of {difference:g}, {seeds} seeds | {' | '.join(cells)} |")


if __name__ == "__main__":
    _print_tables()
