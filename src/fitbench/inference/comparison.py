"""Compares the evaluation of a run on other data with the run's own test result."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from fitbench.analysis.statistics import Interval, wilson
from fitbench.metrics import Metric, join
from fitbench.text import clean, number, plural, span


def compare(result: Mapping[str, Any], record: Mapping[str, Any], metric: Metric) -> dict[str, Any] | None:
    """Return the run's own test value of a metric and the difference from it.

    A metric that is a proportion of the examples has intervals.

    Args:
        result: the content of result.json.
        record: the content of the evaluation's record.
        metric: the metric.

    Returns:
        None if the run or the evaluation has no value, or if both are of the same examples.
    """
    own, data, key = result["data"], record["data"], join("test", metric.name)
    recorded, value = result["metrics"].get(key), record["metrics"][metric.name]
    is_own_test = (data["sha256"], data["part"]) == (own["sha256"], "test")
    if recorded is None or value is None or is_own_test:
        return None
    compared = {key: recorded, "difference": value - recorded}
    if metric.proportion and own["test"]:
        own_correct = round(recorded * own["test"])
        _, interval = difference(round(value * data["count"]), data["count"], own_correct, own["test"])
        compared |= {f"{key}_interval": list(wilson(own_correct, own["test"])), "difference_interval": list(interval)}
    return compared


def describe(compared: Mapping[str, Any], result: Mapping[str, Any], metric: Metric, noun: str) -> list[str]:
    """Describe what `compare` returns in lines of text; `noun` is what an example is called."""
    own, key = result["data"], join("test", metric.name)
    text = f"{metric.label} {number(compared[key], metric.digits)}"
    change = f"difference {_signed(compared['difference'], metric.digits)}"
    if interval := compared.get("difference_interval"):
        text += f", 95% interval {span(compared[f'{key}_interval'], metric.digits)}"
        significance = "not significant" if interval[0] <= 0 <= interval[1] else "significant"
        change += f", 95% interval {_signed(interval[0], 4)} to {_signed(interval[1], 4)}: {significance}"
    return [f"on its own {own['test']:,} test {plural(noun)} ({clean(own['name'])}): {text}", change]


def _signed(value: float, digits: int) -> str:
    return f"{'-' if value < 0 else '+'}{number(abs(value), digits)}"


def difference(correct: int, examples: int, other_correct: int, other_examples: int) -> tuple[float, Interval]:
    """Return the difference of two accuracies on independent examples, with its 95% interval.

    Newcombe (1998), Statistics in Medicine 17, 873-890, method 10, which combines the score intervals of the two
    proportions.
    """
    p, q = correct / examples, other_correct / other_examples
    (low, high), (other_low, other_high) = wilson(correct, examples), wilson(other_correct, other_examples)
    return p - q, (p - q - math.hypot(p - low, other_high - q), p - q + math.hypot(high - p, q - other_low))
