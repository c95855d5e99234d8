"""Runs on data of the user's."""

import numpy as np
import pytest

from fitbench.data.fingerprint import fingerprint
from fitbench.data.loading import load


def test_validation_arrays_are_validated_on_and_never_trained_on(trained, configure, tmp_path):
    digits = load(configure("data=digits").data)
    path = tmp_path / "own.npz"
    arrays = {"x_test": digits.x_test, "y_test": digits.y_test}
    for part, rows in (("train", slice(300)), ("val", slice(300, 420))):
        arrays |= {f"x_{part}": digits.x_train[rows], f"y_{part}": digits.y_train[rows]}
    np.savez(path, **arrays)
    _, result = trained("data=npz", f"data.path={path}", "model=nearest_mean", "training.early_stopping=null")

    pixels = {part: arrays[f"x_{part}"].reshape(-1, 64) / 255 for part in ("train", "val")}
    means = np.stack([pixels["train"][arrays["y_train"] == label].mean(axis=0) for label in range(10)])
    distances = ((pixels["val"][:, None] - means) ** 2).sum(axis=2)
    accuracy = (distances.argmin(axis=1) == arrays["y_val"]).mean()
    assert 0.5 < accuracy < 1
    assert result["metrics"]["val_accuracy"] == pytest.approx(accuracy)
    assert (result["data"]["train"], result["data"]["validation"]) == (300, 120)
    assert result["data"]["fingerprint"] == fingerprint(path)
    assert result["data"]["test_sha256"] == digits.test_sha256
    assert result["data"]["test_inputs_sha256"] == digits.test_inputs_sha256
    assert result["data"]["sha256"] != digits.sha256
