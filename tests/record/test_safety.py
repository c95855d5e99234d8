import json
import os
import zipfile
from pathlib import Path

import pytest

from fitbench.errors import FitbenchError
from fitbench.record.safety import check, foreign, names

DENSE = {"module": "keras.layers", "class_name": "Dense", "config": {"units": 2}, "registered_name": None}
FUNCTION = {"module": "builtins", "class_name": "function", "registered_name": "function"}


def archive(path: Path, config: object, compression: int = zipfile.ZIP_STORED, **members: bytes) -> Path:
    """Write a model.keras with a config.json, given as text or as an object, and without weights."""
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


def test_layers_of_keras_and_fitbench_are_allowed(path):
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
    saved_by_0_1 = own | {"module": "fitbench.training.layers"}
    archive(path, model(DENSE, own, saved_by_0_1, operation, DENSE | {"config": {"activation": relu}}))
    assert foreign(path) == []


@pytest.mark.parametrize(
    ("item", "name"),
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
def test_objects_that_may_do_more_than_compute_are_listed_at_any_depth(path, item, name):
    archive(path, model(DENSE, DENSE | {"config": {"activation": [{"deep": item}]}}))
    [listed] = foreign(path)
    assert names([listed]).endswith(name)


def test_names_are_cleaned_for_the_terminal(path):
    archive(path, model({"module": "mine", "class_name": "\x1b[2J" + "x" * 1000}))
    text = names(foreign(path))
    assert "\\x1b" in text
    assert "\x1b" not in text
    assert len(text) < 300


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "expected a model saved by Keras 3"),
        (b"PK\x03\x04 but no zip", "expected a model saved by Keras 3"),
        (b"\x89HDF\r\n\x1a\n" + b"0" * 100, "expected a model saved by Keras 3"),
        (None, "no such file"),
    ],
)
def test_file_that_is_not_a_model_is_refused(path, content, message):
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(FitbenchError, match=f"{path}: .*{message}"):
        foreign(path)


def test_truncated_file_is_refused(path):
    whole = archive(path, model(DENSE)).read_bytes()
    for length in range(0, len(whole), 7):
        path.write_bytes(whole[:length])
        with pytest.raises(FitbenchError, match="expected a model saved by Keras 3"):
            foreign(path)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ("{", "expected a model saved by Keras 3"),
        (b"\xff\xfe\xff", "expected a model saved by Keras 3"),
        ("[" * 100_000, "nested too deeply"),
        ('{"a":' * 100_000, "nested too deeply"),
        (model({"module": "keras.layers", "class_name": ["Dense"]}), "a class_name in its config.json is not a string"),
    ],
)
def test_damaged_configuration_is_refused(path, config, message):
    with pytest.raises(FitbenchError, match=message):
        foreign(archive(path, config))


def test_archive_without_weights_is_refused(path):
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("config.json", "{}")
    with pytest.raises(FitbenchError, match=r"contains no metadata\.json, model\.weights\.h5"):
        foreign(path)


@pytest.mark.parametrize("name", ["../evil.py", "assets/../../evil.py", "/tmp/evil.py", "..\\evil.py"])
def test_member_with_a_path_outside_the_archive_is_refused(path, name):
    with pytest.raises(FitbenchError, match="a path outside the archive"):
        foreign(archive(path, model(DENSE), **{name: b"x"}))


@pytest.mark.parametrize("compression", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_rare_compression_is_refused(path, compression):
    """Damaged, such members raise errors of modules of their own."""
    with pytest.raises(FitbenchError, match=r"metadata\.json is compressed, and not by deflate"):
        foreign(archive(path, model(DENSE), compression))


@pytest.mark.parametrize("name", ["config.json", "model.weights.h5", "assets/more"])
def test_zip_bomb_is_refused(path, name):
    bomb = b" " * (65 * 2**20)
    archive(path, model(DENSE), zipfile.ZIP_DEFLATED, **{name: bomb})
    assert path.stat().st_size < 2**20
    with pytest.raises(FitbenchError, match=r"takes more than 4 MiB|would expand from .* to 68,157,440 bytes"):
        foreign(path)


def test_weights_expand_less_than_other_members(path):
    """Keras and h5py need several times the bytes of the weights."""
    archive(path, {}, zipfile.ZIP_DEFLATED, **{"model.weights.h5": os.urandom(2**20) + bytes(64 * 2**20)})
    with pytest.raises(FitbenchError, match=r"weights\.h5 would expand from .* to 68,157,440 bytes\. .* add --trust"):
        check(path, trust=False)
    assert check(path, trust=True).own_code == []
    archive(path, {}, zipfile.ZIP_DEFLATED, **{"model.weights.h5": bytes(15 * 2**20)})
    assert foreign(path) == []


def called(item: dict, times: int) -> dict:
    return item | {"inbound_nodes": [{}] * times}


@pytest.mark.parametrize(
    ("config", "just_enough"),
    [
        (lambda n: model(*[DENSE] * n), 200),
        (lambda n: model(*[model(*[DENSE] * 4)] * n), 87),
        (lambda n: {"layers": [DENSE] * n}, 1200),
        (lambda n: {"layers": [called(DENSE, n)]}, 1200),
        (lambda n: {"layers": [called(model(*[DENSE] * 9), n)]}, 120),
    ],
    ids=["in a Sequential", "in nested Sequentials", "in a model", "called often", "in a model that is called often"],
)
def test_model_of_very_many_layers_is_refused(path, config, just_enough):
    """Keras calls the layers of a Sequential again for each layer that is added."""
    archive(path, config(just_enough + 2))
    with pytest.raises(FitbenchError, match=f"{path}: its config.json describes very many layers; .* add --trust"):
        check(path, trust=False)
    assert check(path, trust=True).own_code == []
    archive(path, config(just_enough))
    with pytest.raises(FitbenchError, match="file signature not found"):  # it goes on to the weights, which are empty
        check(path, trust=False)


def test_parts_of_layers_are_not_counted(path):
    zeros = {"module": "keras.initializers", "class_name": "Zeros", "config": {}, "registered_name": None}
    policy = {"module": "keras", "class_name": "DTypePolicy", "config": {"name": "float32"}, "registered_name": None}
    tensor = {"class_name": "__keras_tensor__", "config": {}}
    archive(path, {"layers": [DENSE | {"config": [zeros, policy, tensor]}] * 1100})
    with pytest.raises(FitbenchError, match="file signature not found"):
        check(path, trust=False)


def test_what_is_no_regular_file_is_refused_at_once(path):
    os.mkfifo(path)
    with pytest.raises(FitbenchError, match=f"{path}: a FIFO, not a regular file"):
        check(path, trust=False)
    path.unlink()
    path.symlink_to("/dev/zero")
    with pytest.raises(FitbenchError, match=f"{path}: a device, not a regular file"):
        check(path, trust=True)
    path.unlink()
    path.mkdir()
    with pytest.raises(FitbenchError, match=f"{path}: a folder, not a regular file"):
        check(path, trust=False)


def test_link_that_leaves_the_outputs_folder_needs_trust(path, tmp_path):
    folder = tmp_path / "outputs" / "study" / "run"
    folder.mkdir(parents=True)
    archive(path, model({"module": "mine", "class_name": "Layer"}))
    link = folder / "model.keras"
    link.symlink_to(path)
    with pytest.raises(FitbenchError, match=f"{link}: a link to {path}, which is outside of {tmp_path}/outputs"):
        check(link, trust=False)
    assert len(check(link, trust=True).own_code) == 1
