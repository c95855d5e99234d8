"""Checks an untrusted model.keras before Keras loads it.

Keras's safe mode refuses code in the file (`Lambda`) and unknown modules. These checks run first and give messages that
say what to do. They refuse everything except the layers of Keras and fitbench, and also layers of Keras that read other
files.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from fitbench.errors import FitbenchError
from fitbench.record.files import outputs_of
from fitbench.text import clean
from fitbench.untrusted import Unreadable, guarded, open_file

MEMBERS = ("metadata.json", "config.json", "model.weights.h5")
CONFIG_BYTES = 4 * 2**20
# Keras stores files uncompressed. Compressing them again shrinks weights a little. A zip bomb expands a thousandfold.
MAX_EXPANSION, EXPANDED_BYTES = 100, 16 * 2**20
# Trained weights hardly shrink. New weights may be zeros.
WEIGHTS_EXPANSION, WEIGHTS_BYTES = 4, 64 * 2**20
# A call of a layer takes Keras 10 to 40 ms. NASNetLarge, the largest in keras.applications, calls 1,041.
MAX_CALLS = 1200
# A Sequential calls all its layers again for each layer that is added. Keras takes about 0.4 ms for each such call.
MAX_REBUILDS = 40_000
# The submodules of `keras` and `keras.src` that define the parts of models.
PARTS = frozenset(
    {"activations", "constraints", "dtype_policies", "initializers", "layers", "losses", "metrics", "models", "ops"}
    | {"optimizers", "quantizers", "random", "regularizers"}
)
PARTS_OF_LAYERS = frozenset({"activations", "constraints", "dtype_policies", "initializers", "regularizers"})
OWN_MODULES = ("fitbench.models.layers", "fitbench.training.layers")  # the second in models saved by 0.1
# Classes of Keras that run code from the file, or read files that it names.
REFUSED = frozenset(
    {"Lambda", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer", "__lambda__", "__typespec__"}
    | {"StringLookup", "IntegerLookup", "IndexLookup", "TextVectorization"}
)
# Class names that stand for plain values.
PLAIN = frozenset({"__keras_tensor__", "__tensor__", "__numpy__", "__bytes__", "__ellipsis__", "__slice__"})


@dataclass(frozen=True)
class Foreign:
    """A class or function in the configuration of a model that may do more than compute."""

    module: str
    name: str
    registered_name: str


@dataclass(frozen=True)
class Checked:
    """A model file that may be loaded.

    Attributes:
        own_code: what it needs besides layers of Keras and fitbench that only compute.
        numbers: how many numbers its weights hold; None if the origin of the file is trusted.
    """

    own_code: list[Foreign]
    numbers: int | None


def check(path: Path, trust: bool) -> Checked:
    """Check a model file.

    Raises:
        FitbenchError: as `foreign` and, without `trust`, also if the model needs code of its own, if the file is a link
            that leaves the outputs folder, if Keras would take very long to load its layers, or if its weights are not
            plain numbers in the file itself.
    """
    own_code = foreign(path, trust)
    if trust:
        return Checked(own_code, None)
    if own_code:
        raise FitbenchError(
            f"{path}: needs {names(own_code)}, which is not a layer of Keras or fitbench that only computes. Such code "
            "could do anything on this computer. If you trust the origin of the run, add --trust"
        )
    with _opened(path, trust) as archive:
        _check_layers(json.loads(archive.read("config.json")), path)
        return Checked([], _count_weights(archive.read("model.weights.h5")))


def foreign(path: Path, trust: bool = False) -> list[Foreign]:
    """List what a model file needs besides layers of Keras and fitbench that only compute, without duplicates.

    Without `trust`, the file must not be a link that leaves the outputs folder.

    Raises:
        FitbenchError: the file cannot be read, or is not a model.keras; the message names it.
    """
    needed = {}
    with _opened(path, trust) as archive:
        config = json.loads(archive.read("config.json"))
    for item in _objects(config, path):
        module, name = str(item.get("module") or ""), str(item["class_name"])
        registered = _registered_name(item)
        if name == "function":
            name = registered
            allowed = name.startswith("fitbench>") or (module == "builtins" and ">" not in name)
        else:
            allowed = name in PLAIN or _is_allowed(module, name, registered)
        if not allowed:
            needed[module, name] = Foreign(module, name, registered)
    return list(needed.values())


def names(items: Sequence[Foreign]) -> str:
    """Return the names of classes and functions for a message."""
    text = ", ".join(f"{item.module}.{item.name}".strip(".") for item in items[:3])
    return f"{clean(text):.200}" + (f" and {len(items) - 3} more" if len(items) > 3 else "")


def _registered_name(item: dict[str, Any]) -> str:
    """Return the name under which Keras looks up a class or function."""
    if item["class_name"] == "function":
        return str(item.get("config"))
    return str(item.get("registered_name") or item["class_name"])


def _is_allowed(module: str, name: str, registered: str) -> bool:
    if name in REFUSED or "." in name:  # Keras would accept the class 'layers.Lambda' of the module keras
        return False
    if registered.startswith("fitbench>"):
        return module in OWN_MODULES
    if module == "keras":
        return True
    package, _, submodule = module.partition(".")
    return package == "keras" and submodule.removeprefix("src.").partition(".")[0] in PARTS


def weights_sha256(path: Path) -> str:
    """The SHA-256 of the weights in a model file. It does not depend on when the file was written.

    Raises:
        FitbenchError: the file cannot be read, or is not a model.keras; the message names it.
    """
    with _opened(path, trust=False) as archive, archive.open("model.weights.h5") as weights:
        return hashlib.file_digest(weights, "sha256").hexdigest()  # type: ignore[arg-type]


@contextmanager
def _opened(path: Path, trust: bool) -> Iterator[zipfile.ZipFile]:
    """Open a model file, and check its members. In the block, errors of reading become messages.

    Raises:
        FitbenchError: it cannot be read, or is not a model.keras; the message names it.
    """
    try:
        with (
            guarded(),
            open_file(path, None if trust else outputs_of(path.parent)) as file,
            zipfile.ZipFile(file) as archive,
        ):
            _check_members(archive, path, trust)
            yield archive
    except FileNotFoundError:
        raise FitbenchError(f"{path}: no such file; train the run again with force=true") from None
    except Unreadable as error:
        raise FitbenchError(f"{path}: {error}; expected a model saved by Keras 3") from None


def _count_weights(content: bytes) -> int:
    """Count the numbers in model.weights.h5. Not recursive, because the file decides on the depth.

    Raises:
        Unreadable: the file has links, or claims more numbers than it has bytes for.
    """
    import h5py

    numbers = size = 0
    seen = set()
    with h5py.File(io.BytesIO(content), "r") as file:
        groups = [file]
        while groups:
            group = groups.pop()
            for name in group:
                if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                    raise Unreadable(f"its weights are linked from {clean(name):.80}")
                item = group[name]
                place = h5py.h5o.get_info(item.id).addr
                if place in seen:
                    continue
                seen.add(place)
                if isinstance(item, h5py.Group):
                    groups.append(item)
                else:
                    numbers, size = numbers + item.size, size + item.nbytes
    if size > len(content):
        raise Unreadable(f"its weights claim {size:,} bytes; model.weights.h5 has {len(content):,}")
    return numbers


def _check_members(archive: zipfile.ZipFile, path: Path, trust: bool) -> None:
    """Check the members of an archive. With `trust`, the weights may expand as much as other members.

    Raises:
        FitbenchError: a member is missing, has a path outside the archive, expands too much, or is not compressed by
            deflate.
    """
    missing = [name for name in MEMBERS if name not in archive.namelist()]
    if missing:
        raise FitbenchError(f"{path}: contains no {', '.join(missing)}; expected a model saved by Keras 3")
    if archive.getinfo("config.json").file_size > CONFIG_BYTES:
        raise FitbenchError(f"{path}: its config.json takes more than {CONFIG_BYTES >> 20} MiB")
    for member in archive.infolist():
        inside = PurePosixPath(member.filename.replace("\\", "/"))
        if inside.is_absolute() or ".." in inside.parts:
            raise FitbenchError(f"{path}: contains {clean(member.filename):.80}, a path outside the archive")
        if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise FitbenchError(f"{path}: its {clean(member.filename):.80} is compressed, and not by deflate")
        weights = member.filename == "model.weights.h5" and not trust
        factor, least = (WEIGHTS_EXPANSION, WEIGHTS_BYTES) if weights else (MAX_EXPANSION, EXPANDED_BYTES)
        if member.file_size > max(least, factor * member.compress_size):
            raise FitbenchError(
                f"{path}: its {clean(member.filename):.80} would expand from {member.compress_size:,} to "
                f"{member.file_size:,} bytes" + (". If you trust the origin of the run, add --trust" if weights else "")
            )


def _check_layers(config: Any, path: Path) -> None:
    """Check that Keras does not take minutes to load the layers of a model. Not recursive, like `_objects`.

    A layer is called once for each of its inbound nodes in each call of the model around it. It is called again for
    each layer of a Sequential around it.

    Raises:
        FitbenchError: the layers would be called too often.
    """
    calls = rebuilds = 0
    stack = [(config, 1, 0)]  # a value, the calls of the model around it, and the layers of all Sequentials around it
    while stack:
        value, times, grown = stack.pop()
        if isinstance(value, dict):
            if _is_layer(value):
                times *= max(1, _length(value.get("inbound_nodes")))
                calls, rebuilds = calls + times, rebuilds + grown
                if calls > MAX_CALLS or rebuilds > MAX_REBUILDS:
                    raise FitbenchError(
                        f"{path}: its config.json describes very many layers; expected at most {MAX_CALLS:,}, and "
                        f"about {math.isqrt(MAX_REBUILDS)} in one Sequential. If you trust the origin of the run, add "
                        "--trust"
                    )
                if value["class_name"] == "Sequential" and isinstance(value.get("config"), dict):
                    grown += _length(value["config"].get("layers"))
            stack.extend((item, times, grown) for item in value.values())
        elif isinstance(value, list):
            stack.extend((item, times, grown) for item in value)


def _is_layer(item: dict[str, Any]) -> bool:
    """Return whether a serialized object may be a layer, a model or an operation."""
    name, module = item.get("class_name"), str(item.get("module") or "")
    if not isinstance(name, str) or name in PLAIN or name == "function" or name.endswith("DTypePolicy"):
        return False
    return module.removeprefix("keras.").removeprefix("src.").partition(".")[0] not in PARTS_OF_LAYERS


def _length(value: Any) -> int:
    return len(value) if isinstance(value, list) else 0


def _objects(config: Any, path: Path) -> Iterator[dict[str, Any]]:
    """Yield all serialized objects in a configuration. Not recursive, because the file decides on the depth."""
    stack = [config]
    while stack:
        value = stack.pop()
        if isinstance(value, dict):
            if "class_name" in value:
                if not isinstance(value["class_name"], str):
                    raise FitbenchError(f"{path}: a class_name in its config.json is not a string")
                yield value
            stack.extend(value.values())
        elif isinstance(value, list):
            stack.extend(value)
