"""Run folders with made-up damage: whoever reads one gets a row or a reason, and never another error.

`FITBENCH_FUZZ=100 pytest tests/analysis/test_fuzz_run_folders.py` tries a hundred times as much.
"""

import contextlib
import io
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from fitbench.analysis.compare import compare
from fitbench.analysis.diff import diff
from fitbench.analysis.frame import histories, load_runs
from fitbench.analysis.groups import group
from fitbench.analysis.listing import list_runs
from fitbench.analysis.request import Which, measured
from fitbench.analysis.run_files import read_run
from fitbench.analysis.show import show
from fitbench.charts.plotting import KINDS, plot
from fitbench.errors import FitbenchError
from fitbench.record.claims import claimed, holder
from fitbench.record.folder import state_of
from fitbench.report.report import page
from fitbench.report.studies import collect_studies

from ..fuzzing import fuzz
from ..report.test_searches import search
from ..run_folders import KAPPA, maker, record_metrics

pytestmark = pytest.mark.usefixtures("composed_once")

JSON = ("result.json", "pruned.json", "claim.json", "evaluations/digits-abababab-test.json", "../search.json")
FILES = (*JSON, "config.yaml", "history.jsonl", "predictions.npz", "error.txt")
TOKENS = (b"NaN", b"1e999", b"-0", b"null", b"true", b"{}", b"[]", b'"', b"\\ud800", b"\xff", b"\n", b"\0",
          b"&a ", b"*a", b": ", b"- ", b"9" * 30, b"!!binary ", b"2001-01-01", b"1:59", b"<<: ",
          b"% ", b"PK\x05\x06")  # fmt: skip

NUMBERS = st.one_of(
    st.sampled_from([0, -1, 1, 2**31, 2**53, 2**63, 10**30, 10**400, 0.1, -0.0, 1e-320, 1e150, 1e308, -1e308]),
    st.floats(),
    st.integers(),
)
TEXTS = st.one_of(
    st.sampled_from(["", "x" * 300, "<b>", "=1+1", "a\nb", "\x1b[31m", "\ud800", "\u202e", "loss", "val_", "test_loss",
                     "2026-01-01T00:00:00Z", "0001-01-01", "max", "median", "float", "choice", "sgd", "run-0",
                     "${oc.env:HOME}", "_target_", "$\\frac{", "a b", "a.b"]),
    st.text(max_size=20),
)  # fmt: skip
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS, TEXTS),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXTS, inner, max_size=3)),
    max_leaves=6,
)


@pytest.fixture(scope="module")
def runs(composed, tmp_path_factory):
    """An outputs folder with a good run and runs of three states to spoil, and what is in their files."""
    folder = tmp_path_factory.mktemp("fuzz")
    make = maker(composed, folder / "outputs")
    info = {"kappa": KAPPA}
    values = {"train_kappa": 0.1, "val_kappa": 0.2, "test_kappa": 0.3}
    good = record_metrics(make("study=good", "seed=0"), info, values)
    spoiled = {
        "finished": record_metrics(make("study=spoiled", "seed=1"), info, values),
        "unfinished": make("study=spoiled", "seed=2", finished=False),
        "pruned": make("study=spoiled", "seed=3", pruned=True, trial=1),
    }
    (spoiled["finished"] / "evaluations").mkdir()
    finished_at = json.loads((spoiled["finished"] / "result.json").read_text())["finished_at"]
    evaluation = {
        "schema": 1, "run_finished_at": finished_at, "evaluated_at": finished_at, "accuracy_interval": [0.1, 0.2],
        "data": {"name": "digits", "sha256": "ab" * 32, "part": "test", "count": 5},
        "metrics": {"loss": 1.0, "accuracy": 0.15},
    }  # fmt: skip
    (spoiled["finished"] / "evaluations/digits-abababab-test.json").write_text(json.dumps(evaluation))
    (spoiled["unfinished"] / "claim.json").write_text(
        json.dumps({"host": "x", "boot": "y", "namespace": "z", "pid": 4, "start": "5", "job": "c:1", "restarts": 1})
    )
    (good.parent.parent / "spoiled/search.json").write_text(json.dumps(search()))
    shutil.copytree(spoiled["unfinished"], spoiled["unfinished"].with_name("failed"))
    spoiled["failed"] = spoiled["unfinished"].with_name("failed")
    (spoiled["failed"] / "error.txt").write_text("Traceback (most recent call last):\n  x\nValueError: no\n")
    pristine = {path: path.read_bytes() for path in (folder / "outputs/spoiled").rglob("*") if path.is_file()}
    return SimpleNamespace(outputs=folder / "outputs", good=good, spoiled=spoiled, pristine=pristine)


def restored(runs: Any, state: str) -> Path:
    """The run folder of this state, with all files as they were."""
    for path in (runs.outputs / "spoiled").rglob("*"):
        if path.is_file() and path not in runs.pristine:
            path.unlink()
    for path, content in runs.pristine.items():
        if not path.exists() or path.read_bytes() != content:
            path.write_bytes(content)
    return runs.spoiled[state]


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """In this block nothing is printed."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        yield


def check(runs: Any, folder: Path) -> None:
    """Every reader of the runs, as all commands call them: each gives something, or a `FitbenchError`."""
    with quiet():
        frame = load_runs(runs.outputs)
        folders = set(frame["folder"]) | {name for name, _ in frame.attrs["left_out"]}
        assert folders == {str(path) for path in (runs.good, *runs.spoiled.values())}
        assert all(why and len(why) < 1500 for _, why in frame.attrs["left_out"])
        histories(frame)
        for format in ("table", "json", "csv"):
            list_runs(Which([runs.outputs], every=True), format=format)
        everything = Which([runs.outputs], every=True)
        for call in (
            lambda: page(collect_studies(frame, None, None, [runs.outputs], True)),
            lambda: compare(everything, None, "test_accuracy", None, None, runs.outputs, None, "json"),
            lambda: compare(
                Which([str(runs.good), str(folder)], every=True), None, None, None, None, runs.outputs, None, "json"
            ),
            lambda: diff(str(runs.good), str(folder), runs.outputs, "json"),
            lambda: diff(str(folder), str(runs.good), runs.outputs, "table"),
            lambda: show(str(folder), runs.outputs, "json"),
            lambda: show(str(folder), runs.outputs, "table"),
            lambda: (state_of(folder), claimed(folder), holder(folder)),
            lambda: read_run(folder).panels(),
            lambda: group(frame, ["model.name"], measured(frame, "val_loss")),
        ):
            with contextlib.suppress(FitbenchError):
                call()


@st.composite
def damages(draw: Any) -> Any:
    """A change of bytes: where, from 0 to 1, how many of them go, and what comes there instead."""
    at = draw(st.floats(0, 1))
    length = draw(st.one_of(st.integers(0, 4), st.just(10**9)))
    return at, length, draw(st.one_of(st.sampled_from(TOKENS), st.binary(max_size=4)))


STATES = ("finished", "unfinished", "failed", "pruned")


@given(st.sampled_from(STATES), st.sampled_from(FILES), st.lists(damages(), min_size=1, max_size=3))
@fuzz(2)
def test_files_with_damaged_bytes(runs, state, name, changes):
    folder = restored(runs, state)
    path = folder / name
    content = path.read_bytes() if path.exists() else b""
    for at, length, new in changes:
        start = int(at * len(content))
        content = content[:start] + new + content[start + length :]
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    check(runs, folder)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths of all values in nested lists and dictionaries."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, item in items for place in places(item, (*path, key)))]


def changed(content: Any, place: tuple[Any, ...], key: Any, value: Any, how: str) -> Any:
    """The content with a value set or removed at a place, or added to the dictionary or list there."""
    if not place and how != "added":
        return value
    section = content
    for part in place if how == "added" else place[:-1]:
        section = section[part]
    if how == "added":
        if isinstance(section, dict):
            section[key] = value
        elif isinstance(section, list):
            section.append(value)
    elif how == "removed":
        del section[place[-1]]
    else:
        section[place[-1]] = value
    return content


@st.composite
def edits(draw: Any) -> Any:
    """A change of values: where, from 0 to 1, the key and value to use, and how.

    How `like` another number is set for a number and another text for a text, so that more is accepted.
    """
    how = draw(st.sampled_from(["like"] * 6 + ["set", "added", "added", "removed"]))
    value = (draw(NUMBERS), draw(TEXTS)) if how == "like" else draw(VALUES)
    return draw(st.floats(0, 1, exclude_max=True)), draw(TEXTS), value, how


def edit(content: Any, changes: Any) -> Any:
    for at, key, value, how in changes:
        found = places(content)
        if how == "like":
            found = [place for place in found if not isinstance(at_place(content, place), dict | list)] or [()]
        place = found[int(at * len(found))]
        if how == "like":
            number, text = value
            value = number if isinstance(at_place(content, place), int | float) else text  # noqa: PLW2901
        content = changed(content, place, key, value, how)
    return content


def at_place(content: Any, place: tuple[Any, ...]) -> Any:
    for part in place:
        content = content[part]
    return content


@given(st.sampled_from(STATES), st.sampled_from(JSON), st.lists(edits(), min_size=1, max_size=3))
@fuzz(2)
def test_json_with_other_values(runs, state, name, changes):
    folder = restored(runs, state)
    path = folder / name
    source = path if path.exists() else runs.spoiled["finished"] / "result.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(edit(json.loads(source.read_text()), changes)))
    check(runs, folder)


@given(st.sampled_from(STATES[1:]), st.lists(edits(), min_size=1, max_size=3))
@fuzz(1)
def test_configurations_with_other_values(runs, state, changes):
    folder = restored(runs, state)
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(edit(yaml.safe_load(path.read_text()), changes)), errors="backslashreplace")
    check(runs, folder)


@given(st.lists(st.dictionaries(st.one_of(st.just("epoch"), st.just("loss"), TEXTS), VALUES, max_size=4), max_size=4))
@fuzz(1)
def test_histories_with_other_values(runs, epochs):
    folder = restored(runs, "finished")
    epochs = [{"epoch": place + 1} | epoch for place, epoch in enumerate(epochs)]
    (folder / "history.jsonl").write_text("".join(f"{json.dumps(epoch)}\n" for epoch in epochs))
    check(runs, folder)


ARRAYS = st.builds(
    lambda dtype, shape, value: np.full(shape, value).astype(dtype),
    st.sampled_from(["<f4", ">f8", "i4", "u1", "c8", "U3", "S3", "M8[s]", "?", "V4", "f2"]),
    st.sampled_from([(), (0,), (60,), (60, 3), (60, 0), (1, 60, 3), (3, 60)]),
    st.sampled_from([0, 1, 2]),
)


@given(st.dictionaries(st.sampled_from(["labels", "probabilities", "data_sha256", "x"]), ARRAYS, min_size=1))
@fuzz(1)
def test_predictions_with_other_arrays(runs, arrays):
    folder = restored(runs, "finished")
    with np.load(folder / "predictions.npz") as file:
        content = dict(file)
    values = [np.float32("nan"), np.float32("inf"), 1e30, -1.0]
    content["probabilities"].ravel()[: len(values)] = values
    np.savez(folder / "predictions.npz", **content | arrays)
    check(runs, folder)


@given(st.sampled_from(list(KINDS)), st.lists(edits(), min_size=1, max_size=3))
@fuzz(1)
def test_charts_of_results_with_other_values(runs, kind, changes):
    folder = restored(runs, "finished")
    path = folder / "result.json"
    path.write_text(json.dumps(edit(json.loads(path.read_text()), changes)))
    with quiet(), contextlib.suppress(FitbenchError):
        plot(Which([runs.outputs], every=True), kind, runs.outputs.parent / "x.png")
