"""Which runs were tested on the same examples, by the checksums that they recorded."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

from fitbench.config import OF_DRAWING

# What `signs` takes of a result: the name here, and the sections and the key in result.json.
PLACES = {
    "task": ("task",),
    "dataset.sha256": ("data", "sha256"),
    "dataset.test": ("data", "test"),
    "dataset.test_sha256": ("data", "test_sha256"),
    "dataset.test_inputs_sha256": ("data", "test_inputs_sha256"),
    "dataset.fold_sha256": ("data", "fold_sha256"),
    "data.name": ("data", "name"),
    "training.folds": ("config", "training", "folds"),
    "fold": ("fold",),
    **{name: ("config", *name.split(".")) for name in OF_DRAWING},
}


def values_of(result: Mapping[str, Any]) -> dict[str, Any]:
    """What `signs` takes, of a run that `read_result` gives."""
    return {name: _at(result, place) for name, place in PLACES.items()}


def _at(section: Any, place: Sequence[str]) -> Any:
    for key in place:
        section = section.get(key) if isinstance(section, Mapping) else None
    return section


def signs(values: Mapping[str, Any]) -> list[Hashable]:
    """The signs of what a run was tested on; runs that share one were tested on the same examples. [] without data.

    The same examples are sure if all arrays of the data set are the same, if the arrays of the test part are, or if the
    targets and row numbers of the test part are and the data set has the same name and drawing: then some columns of a
    table differ, or the size of images. Targets alone do not tell, because those of classes in order are often the
    same. For runs without a test part, the examples that the fold holds back decide. Runs that were recorded without
    checksums of the test part have the first sign alone.

    Args:
        values: by the names of `PLACES`, None for what is not recorded.
    """
    task, test, held_back = (values[name] for name in ("task", "dataset.test_sha256", "dataset.fold_sha256"))
    found: list[Hashable] = []
    if values["dataset.sha256"] is not None:
        found.append((task, "arrays", values["dataset.sha256"]))
    if test is not None:
        found.append((task, "test part", test, values["dataset.test_inputs_sha256"]))
        found.append((task, "drawn", test, values["data.name"], *(values[name] for name in OF_DRAWING)))
    if not values["dataset.test"] and held_back is not None:
        found.append((task, "fold", values["training.folds"], values["fold"], held_back))
    return found


def same_examples(a: Mapping[str, Any], b: Mapping[str, Any]) -> bool:
    """Whether two runs that `read_result` gives were tested on the same examples: whether they share a sign."""
    return not set(signs(values_of(a))).isdisjoint(signs(values_of(b)))


def connected(signs: Sequence[Sequence[Hashable]]) -> list[int]:
    """The position of the first run that each run belongs to: runs that share a sign belong together.

    If a run shares a sign with a second run, and this one another with a third, all three belong together. A run
    without signs is alone.
    """
    owner: dict[Hashable, int] = {}
    earlier = list(range(len(signs)))

    def first(run: int) -> int:
        while earlier[run] != run:
            earlier[run] = run = earlier[earlier[run]]
        return run

    for run, of_run in enumerate(signs):
        for sign in of_run:
            a, b = sorted((first(run), first(owner.setdefault(sign, run))))
            earlier[b] = a
    return list(map(first, range(len(signs))))
