"""A finished run is reported again only for the data that it was trained on."""

import json
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fitbench.config import Config
from fitbench.data import loading
from fitbench.data.fingerprint import fingerprint
from fitbench.errors import DataError, RequestError
from fitbench.launch.job import recorded, recorded_result
from fitbench.record import dataset


def write_photos(folder: Path) -> Path:
    random = np.random.default_rng(0)
    for part in ("train", "test"):
        for name in ("cat", "dog"):
            for i in range(3):
                path = folder / part / name / f"{i}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(random.integers(0, 256, (6, 6), np.uint8)).save(path)
    return folder


@pytest.fixture
def finished(composed, make_run, tmp_path):
    """Record a finished run on an image folder; gives its configuration and the folder of images."""
    photos = write_photos(tmp_path / "photos")
    overrides = ("data=image_folder", f"data.path={photos}", "data.image_size=[6,6]")
    folder = make_run(*overrides, classes=("cat", "dog"))
    config = composed("model=mlp", *overrides).model_copy(update={"outputs": str(tmp_path / "outputs")})
    record_data(config, folder)
    return config, photos


def record_data(config: Config, folder: Path) -> None:
    """Write into a result what training writes about its data."""
    data = loading.load(config.data)
    result = json.loads((folder / "result.json").read_text())
    result["data"] |= {"sha256": data.sha256, "fingerprint": data.fingerprint, "classes": list(data.names)}
    (folder / "result.json").write_text(json.dumps(result))


def another_image(path: Path) -> None:
    Image.fromarray(np.full((6, 6), 200, np.uint8)).save(path)


def test_run_on_unchanged_files_is_reported_without_reading_them(finished, monkeypatch):
    config, _ = finished
    monkeypatch.setattr(loading, "load", None)
    assert recorded(config) is not None


@pytest.mark.parametrize("name", ["train/dog/deep/new.png", "train/dog/1.png", "test/cat/new.png"])
def test_images_that_were_added_or_overwritten_below_are_noticed(finished, name):
    config, photos = finished
    (photos / name).parent.mkdir(exist_ok=True)
    another_image(photos / name)
    with pytest.raises(RequestError, match=r"is recorded with other data: .*photos had SHA-256 .*data\.name=other"):
        recorded(config)


def test_touched_files_with_the_same_images_are_the_recorded_data(finished):
    config, photos = finished
    for path in photos.rglob("*.png"):
        path.touch()
    assert recorded(config) is not None


def test_class_that_was_renamed_is_noticed_although_the_images_are_the_same(finished):
    config, photos = finished
    for part in ("train", "test"):
        (photos / part / "dog").rename(photos / part / "emu")
    with pytest.raises(RequestError, match=r"had cat, dog, .*photos has cat, emu"):
        recorded(config)


def test_result_without_a_fingerprint_is_compared_by_its_checksum(finished, tmp_path):
    config, photos = finished
    path = next((tmp_path / "outputs").glob("*/*/result.json"))
    result = json.loads(path.read_text())
    del result["data"]["fingerprint"]
    path.write_text(json.dumps(result))
    assert recorded(config) is not None
    another_image(photos / "train" / "cat" / "deep.png")
    with pytest.raises(RequestError, match="is recorded with other data"):
        recorded(config)


def test_data_are_read_again_only_after_a_change(finished):
    config, photos = finished
    first = loading.load(config.data)
    assert loading.load(config.data) is first
    another_image(photos / "train" / "cat" / "0.png")
    assert loading.load(config.data).sha256 != first.sha256


def test_files_that_change_while_they_are_read_are_noticed_at_the_end(finished, monkeypatch):
    config, photos = finished
    in_memory = loading.load(config.data)
    monkeypatch.setattr("fitbench.data.image_folder.memory_limit", lambda: 1)
    monkeypatch.setattr(loading, "_latest", {})
    streamed = loading.load(config.data)
    streamed.check_unchanged()
    another_image(photos / "train" / "cat" / "0.png")
    in_memory.check_unchanged()  # the images of the training are not those of the files any more
    with pytest.raises(DataError, match="photos: its files have changed while the run read them"):
        streamed.check_unchanged()
    replace(streamed, fingerprint=None).check_unchanged()


def test_files_are_looked_at_once_for_all_jobs_of_a_sweep(finished):
    config, photos = finished
    fingerprint_of = cache(fingerprint)
    assert recorded_result(config, fingerprint_of) is not None
    another_image(photos / "train" / "cat" / "0.png")
    assert recorded_result(config, fingerprint_of) is not None
    with pytest.raises(RequestError, match="is recorded with other data"):
        recorded(config)


def test_run_that_was_recorded_without_renamed_images_is_reported_until_the_files_change(finished, tmp_path):
    config, photos = finished
    for part in ("train", "test"):
        (photos / part / "cat" / "0.png").rename(photos / part / "cat" / "0.jfif")
    path = next((tmp_path / "outputs").glob("*/*/result.json"))
    result = json.loads(path.read_text())  # as version 0.1 recorded it, which left these files out
    result["data"] |= {"sha256": "0" * 64, "fingerprint": fingerprint(photos)}
    path.write_text(json.dumps(result))
    assert recorded(config) is not None
    (photos / "train" / "cat" / "1.png").touch()
    with pytest.raises(RequestError, match=r"is recorded with other data: .* had SHA-256 00000000, .*data\.name=other"):
        recorded(config)


# -- tables -----------------------------------------------------------------------------------------------------------


def write_table(path: Path, first: int, cities: tuple[str, str] = ("Bonn", "Ulm"), column: str = "city") -> Path:
    lines = [f"{first + i},{cities[i % 2]},{'cat' if i % 3 else 'dog'}" for i in range(12)]
    path.write_text("\n".join([f"age,{column},kind", *lines]) + "\n")
    return path


@pytest.fixture
def finished_table(composed, make_run, tmp_path):
    """Record a finished run on a table with a test part of its own; gives its configuration and the folder."""
    path, test_path = write_table(tmp_path / "a.csv", 0), write_table(tmp_path / "test.csv", 50)
    overrides = ("model=mlp", "data=csv", f"data.path={path}", "data.target=kind", f"data.test_path={test_path}")
    folder = make_run(*overrides, classes=("cat", "dog"))
    config = composed(*overrides).model_copy(update={"outputs": str(tmp_path / "outputs")})
    record_data(config, folder)
    data = loading.load(config.data)
    content = {"name": "a", "source": data.source, "sha256": data.sha256, "task": data.task, "classes": data.names}
    columns = [column.model_dump() for column in data.columns]
    dataset.write(folder, {**content, "shape": [2], "dtype": "float32", "columns": columns})
    return config, tmp_path


def test_run_on_an_unchanged_table_is_reported_without_reading_it(finished_table, monkeypatch):
    config, _ = finished_table
    monkeypatch.setattr(loading, "load", None)
    assert recorded(config) is not None


def test_touched_table_is_the_recorded_one(finished_table):
    config, folder = finished_table
    (folder / "test.csv").touch()
    assert recorded(config) is not None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda folder: write_table(folder / "a.csv", 1), "had SHA-256"),
        (lambda folder: write_table(folder / "test.csv", 51), "had SHA-256"),
        (
            lambda folder: [write_table(folder / name, first, ("Bonn", "Jena")) for name, first in PARTS],
            "column 2 of the input, .*, has other categories",
        ),
        (
            lambda folder: [write_table(folder / name, first, column="town") for name, first in PARTS],
            "column 2 of the input was .*, and is town now",
        ),
    ],
)
def test_table_that_has_changed_is_noticed(finished_table, change, message):
    config, folder = finished_table
    change(folder)
    with pytest.raises(RequestError, match=rf"is recorded with other data: .*{message}.*data\.name=other"):
        recorded(config)


PARTS = (("a.csv", 0), ("test.csv", 50))


def test_another_test_file_is_noticed(finished_table):
    config, folder = finished_table
    same, other = write_table(folder / "same.csv", 50), write_table(folder / "other.csv", 51)
    for path, is_same in ((same, True), (other, False)):
        moved = config.model_copy(update={"data": config.data.model_copy(update={"test_path": str(path)})})
        if is_same:
            assert recorded(moved) is not None
        else:
            with pytest.raises(RequestError, match="is recorded with other data"):
                recorded(moved)


@pytest.mark.parametrize("chosen", ["data=ucr data.name=Waves", "data=signals data.path={}/ucr/Waves_TRAIN.tsv"])
def test_test_part_of_series_that_was_changed_is_noticed(composed, make_run, tmp_path, monkeypatch, chosen):
    monkeypatch.setenv("FITBENCH_DATA", str(tmp_path))
    (tmp_path / "ucr").mkdir()
    for part in ("TRAIN", "TEST"):
        (tmp_path / "ucr" / f"Waves_{part}.tsv").write_text("1\t1\t2\n2\t3\t4\n")
    overrides = ["model=fcn", *chosen.format(tmp_path).split()]
    folder = make_run(*overrides, classes=("1", "2"))
    config = composed(*overrides).model_copy(update={"outputs": str(tmp_path / "outputs")})
    record_data(config, folder)
    with monkeypatch.context() as unread:
        unread.setattr(loading, "load", None)
        assert recorded(config) is not None
    (tmp_path / "ucr/Waves_TEST.tsv").write_text("1\t1\t2\n2\t3\t5\n")
    with pytest.raises(RequestError, match=r"is recorded with other data: .*Waves.* had SHA-256 "):
        recorded(config)
    (tmp_path / "ucr/Waves_TEST.tsv").unlink()
    (tmp_path / "ucr/Waves_TRAIN.tsv").unlink()
    assert recorded(config) is not None
