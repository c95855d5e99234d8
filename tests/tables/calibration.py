"""How often the verdict is false, right or inconclusive, by simulation.

`python tests/tables/calibration.py` prints the tables of docs/background/statistics.md.
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
DIFFERENCES = (0.005, 0.01)


def simulate(
    accuracy: float,
    deviation: float,
    seeds: int,
    repeats: int,
    difference: float = 0.0,
    trainings: int = 1,
    states_deviation: bool = True,
    same: bool = True,
    tolerance: float = TOLERANCE,
) -> dict[Verdict, float]:
    """The share of each verdict over so many claims, whose method is worse than ours by `difference`.

    Trainings scatter by a beta distribution and are measured on 10,000 test examples, with four digits.

    Args:
        accuracy: of our method.
        deviation: the standard deviation of the trainings on a test set.
        seeds: how many trainings of ours there are.
        repeats: how many claims there are.
        difference: of the accuracies of the two methods.
        trainings: how many trainings a claim is the mean of.
        states_deviation: whether a claim of several trainings states their deviation.
        same: whether both sides have the same test examples. If not, each side's own shift all of its results.
        tolerance: of the table.
    """
    random = np.random.default_rng([int(accuracy * 1e4), int(deviation * 1e5), seeds, int(difference * 1e4), trainings])

    def trained(mean: float, number: int) -> np.ndarray:
        size = mean * (1 - mean) / deviation**2 - 1
        results = random.beta(mean * size, (1 - mean) * size, (repeats, number))
        if not same:
            results += random.normal(0, np.sqrt(mean * (1 - mean) / EXAMPLES), (repeats, 1))
        return np.clip(np.rint(results * EXAMPLES) / EXAMPLES, 0, 1)

    ours, theirs = trained(accuracy, seeds), trained(accuracy - difference, trainings)
    sets = EvaluationSets(EXAMPLES, same=same)
    counts: Counter[Verdict] = Counter()
    for values, claimed in zip(ours.tolist(), theirs, strict=True):
        counts[judge(_claim(claimed, states_deviation), values, tolerance, sets).verdict] += 1
    return {verdict: count / repeats for verdict, count in counts.items()}


def _claim(values: np.ndarray, states_deviation: bool) -> Claim:
    """What a source prints of these trainings, with four digits."""
    mean = round(float(values.mean()), 4)
    deviation = round(float(values.std(ddof=1)), 4) if states_deviation and len(values) > 1 else None
    return Claim(
        f"{mean:.4f}", mean, mean, mean - 0.00005, mean + 0.00005, EXAMPLES,
        trainings=len(values), deviation=deviation,
    )  # fmt: skip


def false_verdicts(shares: dict[Verdict, float]) -> float:
    """The share of 'better' and 'worse'."""
    return shares.get(Verdict.better, 0.0) + shares.get(Verdict.worse, 0.0)


def _print_tables(repeats: int = 4000) -> None:
    head = " | ".join(f"{accuracy:g}, {deviation:g}" for accuracy, deviation in GRID)
    rule = "---|" * (len(GRID) + 1)
    print(f"| accuracy, deviation of the seeds | {head} |\n|{rule}")
    for label, pick, tolerance in (
        ("false 'better' or 'worse'", false_verdicts, TOLERANCE),
        ("the same with a tolerance of one example", false_verdicts, 1 / EXAMPLES),
        ("'inconclusive'", lambda shares: shares.get(Verdict.inconclusive, 0.0), TOLERANCE),
    ):
        for seeds in SEEDS:
            cells = [f"{pick(simulate(*cell, seeds, repeats, tolerance=tolerance)):.1%}" for cell in GRID]
            print(f"| {label}, {seeds} seeds | {' | '.join(cells)} |")
    for difference in DIFFERENCES:
        for seeds in SEEDS:
            cells = [f"{simulate(*cell, seeds, repeats, difference).get(Verdict.better, 0.0):.0%}" for cell in GRID]
            print(f"| 'better' at a difference of {difference:g}, {seeds} seeds | {' | '.join(cells)} |")


if __name__ == "__main__":
    _print_tables()
