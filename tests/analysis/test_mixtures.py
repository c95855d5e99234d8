"""Runs of one group that were made with different code, versions, devices or numbers of threads are found."""

import json
from pathlib import Path

import pytest

from fitbench.analysis.frame import load_runs
from fitbench.analysis.mixtures import COLUMNS, code_text, mixed, varying

CPU = "cpu: Some Processor, 2 cores"


@pytest.fixture
def study(make_run, tmp_path):
    """Record runs that differ in some values of result.json; gives their frame in the order of their seeds."""

    def record(*changes: dict):
        for seed, change in enumerate(changes):
            path = make_run(f"seed={seed}") / "result.json"
            result = json.loads(path.read_text())
            result["versions"] = {"fitbench": "0.2.0", "keras": "3.15.0", "tensorflow": "2.21.0", "numpy": str(seed)}
            result["versions"] |= change.pop("versions", {})
            path.write_text(json.dumps(result | change))
        frame = load_runs(tmp_path / "outputs").sort_values("seed", ignore_index=True)
        results = [json.loads((Path(folder) / "result.json").read_text()) for folder in frame["folder"]]
        return frame.assign(
            threads=[result["threads"] for result in results], code=[code_text(result["code"]) for result in results]
        )

    return record


def test_runs_made_with_the_same_are_no_mixture(study):
    assert varying(study({}, {}, {})) == {}


def test_each_difference_is_named_with_its_values(study):
    frame = study(
        {},
        {"versions": {"keras": "3.16.0"}, "code": {"mine": "ab" * 32}, "threads": 2},
        {"device": "gpu: H200", "code": {"mine": "cd" * 32, "layers": "00" * 32}, "threads": 16},
        {"versions": {"fitbench": "0.1.0", "tensorflow": "2.22.0"}, "code": {"mine": "ab" * 32}, "threads": 2},
    )
    columns = varying(frame)
    assert list(columns) == [name for name in COLUMNS if name != "versions.jax"]
    assert mixed(columns, [1, 2]) == {
        "code": ("layers 00000000, mine cdcdcdcd", "mine abababab"),
        "versions.keras": ("3.15.0", "3.16.0"),
        "device": (CPU, "gpu: H200"),
        "threads": (2, 16),
    }
    assert set(mixed(columns, [1, 3])) == {"versions.fitbench", "versions.keras", "versions.tensorflow"}
    assert set(mixed(columns, range(4))) == set(columns)


def test_one_run_and_values_that_were_not_recorded_are_no_mixture(study):
    frame = study({"threads": None, "code": {}}, {"threads": 2, "code": {"mine": "ab" * 32}}, {"device": "gpu: H200"})
    columns = varying(frame)
    assert mixed(columns, [2]) == {}
    assert mixed(columns, [0, 1]) == {}
    assert mixed(columns, [0, 2]) == {"device": (CPU, "gpu: H200")}
