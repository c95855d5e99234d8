"""Configurations that between them have every section of the schema, and changes to them."""

from typing import Any

# Configurations that between them have every section of the schema; the tests change one value in one of them.
COMPOSED = {
    "default": (),
    "mlp": ("model=mlp", "optimizer=adamw", "optimizer/schedule=cosine", "distortion=affine"),
    "averaged": ("optimizer=nadam", "optimizer/schedule=plateau", "+optimizer.use_ema=true"),
    "convnet": ("model=convnet", "optimizer=momentum", "optimizer/schedule=step"),
    "solved": ("model=nearest_mean",),
    "conv_pool": ("model=conv_pool", "training.loss=mean_squared_error", "training.targets=[-1,1]"),
    "lenet1": ("model=lenet1",),
    "lenet4": ("model=lenet4",),
    "lenet5": ("model=lenet5_1998",),
    "simard": ("model=simard",),
    "logistic": ("model=logistic_ovr",),
    "folder": ("data=image_folder", "data.path=sets/letters", "optimizer=rmsprop", "distortion=lecun"),
    "npz": (
        "data=npz",
        "data.path=sets/letters.npz",
        "data.preprocess=deskew",
        "optimizer=adagrad",
        "distortion=elastic",
    ),
    "csv": ("data=csv", "data.path=sets/houses.csv", "data.target=price", "model=mlp"),
    "boston": ("data=boston_housing", "model=mlp", "training.loss=huber"),
    "cars": ("data=auto_mpg", "model=mlp"),
    "function": ("data=function", "data._target_=mine.load", "+data.folder=sets", "+data.depth=3", "model=mlp"),
    "series": ("data=ucr", "data.name=JapaneseVowels", "data.lengths=cubic", "model=fcn"),
    "iris": ("data=sklearn", "data.name=iris", "model=mlp", "training.class_weight=balanced"),
}
CHANGED = {  # from the default
    "own": {"model": {"_target_": "mine.net", "name": "mine", "width": 3, "deep": {"rates": [0.5, 2.0]}}},
    "callback": {"training.callbacks.board": {"_target_": "keras.callbacks.TensorBoard", "update_freq": 2}},
    "loss": {"training.loss": {"_target_": "mine.loss", "power": 3}},
}
BASES = (*COMPOSED, *CHANGED)


def with_changes(nested: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """The same dictionaries after the changes, whose keys are full keys."""
    for key, value in changes.items():
        *sections, last = key.split(".")
        at = nested
        for section in sections:
            at = at.setdefault(section, {})
        at[last] = value
    return nested


def leaves(section: Any, prefix: str = "") -> dict[str, Any]:
    """Every value of a nested configuration under its full key; lists and empty sections are values."""
    found: dict[str, Any] = {}
    for key, value in section.items():
        nested = isinstance(value, dict) and value
        found |= leaves(value, f"{prefix}{key}.") if nested else {f"{prefix}{key}": value}
    return found
