"""Made-up model.keras files: each is refused with a message, or is a model that classifies."""

import io
import json
import resource
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fitbench.config import Backend
from fitbench.errors import FitbenchError
from fitbench.inference import reader
from fitbench.kinds import IMAGES
from fitbench.record.inputs import Inputs
from fitbench.record.safety import check
from fitbench.training import backend

from ..fuzzing import fuzz

RESULT = {
    "run_id": "made-up",
    "task": "classification",
    "data": {"sha256": "", "name": "made up", "classes": ["a", "b", "c"]},
    "config": {"model": {}, "data": {}, "training": {"loss": "cross_entropy"}},
}
CONFIG, WEIGHTS = "config.json", "model.weights.h5"


@pytest.fixture(scope="module")
def original(tmp_path_factory) -> dict[str, bytes]:
    """Return the members of a small model.keras."""
    backend.load(Backend.tensorflow)
    import keras

    from fitbench.models.layers import Subsampling

    images = keras.Input((8, 8, 1), dtype="uint8")
    x = keras.layers.Conv2D(2, 3, activation="relu")(keras.layers.Rescaling(1 / 255)(images))
    x = keras.layers.Flatten()(Subsampling()(keras.layers.BatchNormalization()(x)))
    path = tmp_path_factory.mktemp("original") / "model.keras"
    keras.Model(images, keras.layers.Dense(3)(x)).save(path)
    with zipfile.ZipFile(path) as saved:
        return {name: saved.read(name) for name in saved.namelist()}


def archive(members: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as target:
        for name, content in members.items():
            target.writestr(name, content)
    return file.getvalue()


def assert_refused_or_loaded(folder: Path, content: bytes) -> None:
    path = folder / "model.keras"
    path.write_bytes(content)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    try:
        opened = reader._open(
            folder, RESULT, Inputs(kind=IMAGES, shape=(8, 8, 1), dtype="uint8"), check(path, trust=False), trust=False
        )
    except FitbenchError as error:
        assert str(error).startswith(f"{path}: ") and "\n" not in str(error)
        assert len(str(error)) < 1000 + len(str(path))
    else:
        assert opened.outputs(np.zeros((3, *opened.inputs.shape), np.uint8)).shape == (3, 3)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 500_000  # kB


values = st.one_of(
    st.integers(-3, 10), st.integers(10**6, 10**10), st.integers(10**18, 10**25), st.floats(), st.booleans(), st.none(),
    st.sampled_from(["", "relu", "Dense", "Lambda", "keras", "keras.layers", "os", "int8", "float64", "mixed_float16",
                     "same", "channels_first", "function", "fitbench>Subsampling", "../x", "\x1b[2J", "x" * 3000]),
    st.lists(st.integers(-1, 10**7), max_size=4), st.just({}), st.just({"class_name": "Dense", "config": {}}),
    st.integers(5, 2000).map(lambda depth: json.loads("[" * min(depth, 900) + "]" * min(depth, 900))),
)  # fmt: skip


def places(value: object) -> list[tuple[dict | list, object]]:
    """Return all places in a JSON value, as containers and keys."""
    found, stack = [], [value]
    while stack:
        container = stack.pop()
        keys = container if isinstance(container, dict) else range(len(container))
        found += [(container, key) for key in keys]
        stack += [container[key] for key in keys if isinstance(container[key], dict | list)]
    return found


@st.composite
def changes(draw) -> list[tuple[int, str, object]]:
    """Changes of a JSON value: places, counted modulo their number, and what to do there."""
    change = st.tuples(st.integers(0, 10_000), st.sampled_from(["set", "remove", "copy", "rename"]), values)
    return draw(st.lists(change, min_size=1, max_size=3))


def changed(config: bytes, edits: list[tuple[int, str, object]]) -> bytes:
    content = json.loads(config)
    for number, action, value in edits:
        everywhere = places(content)
        if not everywhere:
            break
        container, key = everywhere[number % len(everywhere)]
        if action == "set":
            container[key] = value
        elif action == "remove":
            del container[key]
        elif action == "copy":
            other, other_key = everywhere[number * 31 % len(everywhere)]
            container[key] = json.loads(json.dumps(other[other_key]))
        elif isinstance(container, dict):
            container[str(value)[:50]] = container.pop(key)
    return json.dumps(content).encode()


@fuzz(40)
@given(edits=changes())
def test_changed_configuration_is_refused_or_loaded(tmp_path, original, edits):
    assert_refused_or_loaded(tmp_path, archive(original | {CONFIG: changed(original[CONFIG], edits)}))


overwriting = st.lists(st.tuples(st.integers(0, 100_000), st.binary(min_size=1, max_size=8)), max_size=4)


def overwritten(content: bytes, edits: list[tuple[int, bytes]]) -> bytes:
    """Overwrite bytes at places, counted modulo the length."""
    result = bytearray(content)
    for number, change in edits:
        place = number % len(result)
        result[place : place + len(change)] = change
    return bytes(result)


@fuzz(20)
@given(edits=overwriting)
def test_changed_weights_are_refused_or_loaded(tmp_path, original, edits):
    assert_refused_or_loaded(tmp_path, archive(original | {WEIGHTS: overwritten(original[WEIGHTS], edits)}))


@fuzz(20)
@given(
    edits=overwriting,
    length=st.one_of(st.none(), st.integers(0, 40_000)),
    compression=st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]),
    more=st.dictionaries(st.sampled_from(["assets/x", "../x", "/x", "a\\..\\b", "x" * 300]), st.binary()),
    left_out=st.sampled_from(["", "", "metadata.json", CONFIG, WEIGHTS]),
)  # fmt: skip
def test_changed_archive_is_refused_or_loaded(tmp_path, original, edits, length, compression, more, left_out):
    members = {name: content for name, content in (original | more).items() if name != left_out}
    assert_refused_or_loaded(tmp_path, overwritten(archive(members, compression), edits)[:length])
