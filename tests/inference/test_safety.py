import json
import zipfile
from pathlib import Path

import pytest

from fitbench.errors import FitbenchError
from fitbench.inference.safety import foreign, has_own_layers, names

DENSE = {"module": "keras.layers", "class_name": "Dense", "config": {"units": 2}, "registered_name": None}
FUNCTION = {"module": "builtins", "class_name": "function", "registered_name": "function"}


def archive(path: Path, config: object, compression: int = zipfile.ZIP_STORED, **members: bytes) -> Path:
    """A model.keras with this config.json, text or what becomes JSON, and nothing behind it."""
    text = config if isinstance(config, (str, bytes)) else json.dumps(config)
    content = {"metadata.json": b"{}", "config.json": text, "model.weights.h5": b""} | members
    with zipfile.ZipFile(path, "w", compression) as file:
        for name, data in content.items():
            file.writestr(name, data)
    return path


def model(*layers: object) -> dict:
    return {"module": "keras", "class_name": "Sequential", "config": {"layers": layers}, "registered_name": None}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.keras"


def test_layers_of_keras_and_fitbench_are_known(path):
    tanh = FUNCTION | {"config": "fitbench>scaled_tanh"}
    own = {
        "module": "fitbench.models.layers",
        "class_name": "Subsampling",
        "config": {"activation": tanh},
        "registered_name": "fitbench>Subsampling",
    }
    operation = {
        "module": "keras.src.ops.numpy",
        "class_name": "Pad",
        "config": {"value": {"class_name": "__numpy__", "config": {"value": [1], "dtype": "float32"}}},
        "registered_name": "Pad",
    }
    relu = FUNCTION | {"config": "relu"}
    of_version_0_1 = own | {"module": "fitbench.training.layers"}
    archive(path, model(DENSE, own, of_version_0_1, operation, DENSE | {"config": {"activation": relu}}))
    assert foreign(path) == []
    assert has_own_layers(path)
    archive(path, model(DENSE))
    assert not has_own_layers(path)


@pytest.mark.parametrize(
    ("thing", "named"),
    [
        ({"module": "keras.layers", "class_name": "Lambda"}, "keras.layers.Lambda"),
        ({"module": "keras", "class_name": "layers.Lambda"}, "keras.layers.Lambda"),
        ({"module": "keras.src.layers.core.lambda_layer", "class_name": "Lambda"}, "lambda_layer.Lambda"),
        ({"module": None, "class_name": "__lambda__", "config": {"value": "4w=="}}, "__lambda__"),
        ({"module": "keras.layers", "class_name": "TFSMLayer", "config": {"filepath": "/tmp/x"}}, "TFSMLayer"),
        ({"module": "keras.layers", "class_name": "StringLookup", "config": {"vocabulary": "/etc/passwd"}}, "Lookup"),
        ({"module": "keras.utils", "class_name": "get_file", "config": {"origin": "http://x"}}, "keras.utils.get_file"),
        ({"module": "keras.utils", "class_name": "get_file", "registered_name": "fitbench>Subsampling"}, "get_file"),
        ({"module": "keras.src.utils.file_utils", "class_name": "get_file"}, "keras.src.utils.file_utils.get_file"),
        ({"module": "keras.src.saving.saving_lib", "class_name": "load_model"}, "saving_lib.load_model"),
        ({"module": "os", "class_name": "system", "config": "true"}, "os.system"),
        ({"module": "os", "class_name": "function", "config": "system"}, "os.system"),
        ({"module": "keras.saving", "class_name": "function", "config": "load_model"}, "keras.saving.load_model"),
        ({"module": "builtins", "class_name": "function", "config": "mine>act"}, "builtins.mine>act"),
        ({"module": "mine", "class_name": "Layer", "registered_name": "mine>Layer"}, "mine.Layer"),
        ({"class_name": "Layer"}, "Layer"),
    ],
)
def test_what_could_do_more_than_compute_is_found_at_any_depth(path, thing, named):
    archive(path, model(DENSE, DENSE | {"config": {"activation": [{"deep": thing}]}}))
    [found] = foreign(path)
    assert names([found]).endswith(named)


def test_names_cannot_misuse_the_terminal(path):
    archive(path, model({"module": "mine", "class_name": "\x1b[2J" + "x" * 1000}))
    said = names(foreign(path))
    assert "\\x1b" in said
    assert "\x1b" not in said
    assert len(said) < 300


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "no model that Keras 3 saved"),
        (b"PK\x03\x04 but no zip", "no model that Keras 3 saved"),
        (b"\x89HDF\r\n\x1a\n" + b"0" * 100, "no model that Keras 3 saved"),
        (None, "there is no such file"),
    ],
)
def test_no_model_at_all(path, content, said):
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(FitbenchError, match=f"{path}: {said}"):
        foreign(path)


def test_cut_short_at_any_place(path):
    whole = archive(path, model(DENSE)).read_bytes()
    for length in range(0, len(whole), 7):
        path.write_bytes(whole[:length])
        with pytest.raises(FitbenchError, match="no model that Keras 3 saved, or damaged"):
            foreign(path)


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ("{", "no model that Keras 3 saved, or damaged"),
        (b"\xff\xfe\xff", "no model that Keras 3 saved, or damaged"),
        ("[" * 100_000, "nested too deeply"),
        ('{"a":' * 100_000, "nested too deeply"),
        (model({"module": "keras.layers", "class_name": ["Dense"]}), "a class_name in its config.json is no text"),
    ],
)
def test_damaged_configuration(path, config, said):
    with pytest.raises(FitbenchError, match=said):
        foreign(archive(path, config))


def test_archive_without_weights(path):
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("config.json", "{}")
    with pytest.raises(FitbenchError, match=r"has no metadata\.json, model\.weights\.h5"):
        foreign(path)


@pytest.mark.parametrize("name", ["../evil.py", "assets/../../evil.py", "/tmp/evil.py", "..\\evil.py"])
def test_member_that_lies_outside(path, name):
    with pytest.raises(FitbenchError, match="which lies outside of it"):
        foreign(archive(path, model(DENSE), **{name: b"x"}))


@pytest.mark.parametrize("name", ["config.json", "model.weights.h5", "assets/more"])
def test_bomb_is_not_unpacked(path, name):
    bomb = b" " * (65 * 2**20)
    archive(path, model(DENSE), zipfile.ZIP_DEFLATED, **{name: bomb})
    assert path.stat().st_size < 2**20
    with pytest.raises(FitbenchError, match=r"takes more than 64 MiB|would grow from .* to 68,157,440 bytes"):
        foreign(path)
