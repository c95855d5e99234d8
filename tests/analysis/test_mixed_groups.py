"""Runs of one group that were made with other names of classes, code, versions, devices or threads are found."""

import json

import pytest

from fitbench.analysis.frame import load_runs
from fitbench.analysis.groups import MADE_WITH, group

CPU = "cpu: Some Processor, 2 cores"


@pytest.fixture
def mixed(make_run, tmp_path):
    """Record runs that differ in some values of result.json; gives what is mixed in a group of those of some seeds."""

    def record(*changes: dict):
        for seed, change in enumerate(changes):
            path = make_run(f"seed={seed}") / "result.json"
            result = json.loads(path.read_text())
            result["versions"] = {"fitbench": "0.2.0", "keras": "3.15.0", "tensorflow": "2.21.0", "numpy": str(seed)}
            result["versions"] |= change.pop("versions", {})
            result["data"]["classes"].sort(reverse=change.pop("reversed", False))
            path.write_text(json.dumps(result | change))
        frame = load_runs(tmp_path / "outputs")
        return lambda *seeds: group(frame[frame["seed"].isin(seeds)], ["model.name"], "accuracy")[0].mixed

    return record


def test_runs_made_with_the_same_are_no_mixture(mixed):
    assert mixed({}, {}, {})(0, 1, 2) == {}


def test_each_difference_is_named_with_its_values(mixed):
    of = mixed(
        {},
        {"versions": {"keras": "3.16.0"}, "code": {"mine": "ab" * 32}, "threads": 2},
        {"device": "gpu: H200", "code": {"mine": "cd" * 32, "layers": "00" * 32}, "threads": 16},
        {"versions": {"fitbench": "0.1.0", "tensorflow": "2.22.0"}, "code": {"mine": "ab" * 32}, "threads": 2}
        | {"reversed": True},  # names of classes, which the checksum of the data does not cover
    )
    assert of(1, 2) == {
        "code": ("layers 00000000, mine cdcdcdcd", "mine abababab"),
        "versions.keras": ("3.15.0", "3.16.0"),
        "device": (CPU, "gpu: H200"),
        "threads": (2, 16),
    }
    assert set(of(1, 3)) == {"dataset.names", "versions.fitbench", "versions.keras", "versions.tensorflow"}
    assert list(of(0, 1, 2, 3)) == [name for name in MADE_WITH if name != "versions.jax"]


def test_one_run_and_values_that_were_not_recorded_are_no_mixture(mixed):
    of = mixed({"threads": None, "code": {}}, {"threads": 2, "code": {"mine": "ab" * 32}}, {"device": "gpu: H200"})
    assert of(2) == {}
    assert of(0, 1) == {}
    assert of(0, 2) == {"device": (CPU, "gpu: H200")}
