import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import fitbench
from fitbench.analysis.show import show
from fitbench.data.loading import verify
from fitbench.errors import FitbenchError, RequestError
from fitbench.inference import evaluate as evaluating
from fitbench.inference.evaluate import evaluate
from fitbench.record import evaluations
from fitbench.record.folder import State, state_of
from fitbench.record.reading import read_result
from fitbench.record.result import write_result
from fitbench.training.run import clear


@pytest.fixture
def run(trained, tmp_path) -> Path:
    """A copy of the trained run."""
    return shutil.copytree(trained, tmp_path / "outputs" / "study" / trained.name)


@pytest.fixture
def evaluated(run, capsys):
    """`evaluated(data, *overrides)`: what --format json prints of it."""

    def call(data: str, *overrides: str, part: str = "test") -> dict:
        evaluate(str(run), Path("none"), data, overrides, part, "json", trust=False)
        return json.loads(capsys.readouterr().out)

    return call


@pytest.fixture
def own(tmp_path):
    """`own(classes)`: the override for an .npz of 300 of the test images, with these classes, or without any names."""
    data = verify("mnist_5k")

    def write(classes: list[str] | None = None, name: str = "own", shift: int = 0) -> str:
        images, labels = data.x_test[:300], (data.y_test[:300].astype(np.int64) + shift) % 10
        named = {}
        if classes and set(classes) == set(data.classes):
            labels = np.array([classes.index(data.classes[label]) for label in labels])
        if classes:
            labels = labels % len(classes)
            named = {"classes": np.array(classes)}
        path = tmp_path / f"{name}.npz"
        np.savez(path, x_train=images, y_train=labels, x_test=images, y_test=labels, **named)
        return f"data.path={path}"

    return write


def files(run: Path) -> list[str]:
    return sorted(path.name for path in (run / "evaluations").iterdir())


def test_own_test_images_give_what_the_run_recorded(run, evaluated):
    before = {path: path.read_bytes() for path in run.iterdir() if path.is_file()}
    found = evaluated("mnist_5k")
    result = read_result(run)
    assert found["metrics"]["accuracy"] == result["metrics"]["test_accuracy"]
    assert found["metrics"]["loss"] == pytest.approx(result["metrics"]["test_loss"], rel=1e-5)
    assert found["data"]["sha256"] == result["data"]["sha256"]
    assert found["compared"] is None
    assert files(run) == ["mnist_5k-8f3bbc48-test.json", "mnist_5k-8f3bbc48-test.npz"]
    assert {path: path.read_bytes() for path in run.iterdir() if path.is_file()} == before
    with np.load(run / "evaluations" / "mnist_5k-8f3bbc48-test.npz") as made, np.load(run / "predictions.npz") as own:
        assert np.abs(made["probabilities"] - own["probabilities"]).max() < 1e-5
        assert np.array_equal(made["labels"], own["labels"])
        assert str(made["data_sha256"]) == found["data"]["sha256"]


def test_other_data_are_recorded_with_what_identifies_them(run, evaluated, own):
    found = evaluated("npz", own())
    record = json.loads((run / "evaluations" / f"own-{found['data']['sha256'][:8]}-test.json").read_text())
    assert found == record | {key: found[key] for key in ("path", "compared", "per_class", "confusion")}
    assert (record["run_id"], record["run_finished_at"]) == (run.name, read_result(run)["finished_at"])
    assert record["data"] | {"sha256": "", "path": ""} == {
        "name": "own", "source": "npz", "path": "", "sha256": "", "part": "test", "count": 300,
        "classes": list("0123456789"), "matched": "name", "skipped": 0,
    }  # fmt: skip
    low, high = record["accuracy_interval"]
    assert low < record["metrics"]["accuracy"] < high
    with np.load(Path(found["path"]).with_suffix(".npz")) as made:
        labels, probabilities = made["labels"], made["probabilities"]
    assert record["metrics"]["accuracy"] == (probabilities.argmax(axis=1) == labels).mean()
    cross_entropy = -np.log(probabilities[np.arange(300), labels]).mean()
    assert record["metrics"]["loss"] == pytest.approx(cross_entropy, rel=1e-3)
    assert np.trace(found["confusion"]) == round(300 * record["metrics"]["accuracy"])
    assert record["versions"].keys() >= {"keras", "tensorflow", "fitbench"}
    assert record["device"].startswith(("cpu: ", "gpu:"))


def test_classes_are_matched_by_name(run, evaluated, own):
    numbered = evaluated("npz", own())
    turned = evaluated("npz", own(list("9876543210"), "turned"))
    assert turned["data"]["matched"] == "name"
    assert turned["metrics"] == numbered["metrics"]
    assert turned["confusion"] == numbered["confusion"]


def test_names_against_numbers_are_matched_by_position_and_it_is_said(run, own, capsys):
    evaluate(str(run), Path("none"), "npz", [own(list("abcdefghij"))], "test", "json", trust=False)
    printed = capsys.readouterr()
    assert "classes are matched by position: own has a, b, c, .. j; the run has 0, 1, 2, .. 9\n" in printed.err
    assert json.loads(printed.out)["data"]["matched"] == "position"


def test_other_classes_are_refused(run, own):
    with pytest.raises(RequestError, match=r"own\.npz: has 3 classes \(a, b, c\); the run has 10 \(0, 1, 2, \.\. 9\)"):
        evaluate(str(run), Path("none"), "npz", [own(["a", "b", "c"])], "test", "table", trust=False)
    result = read_result(run)
    result["data"]["classes"] = list("zyxwvutsrq")
    write_result(run, result)
    with pytest.raises(RequestError, match=r"its classes a, b, c, \.\. j are none of the run's \(z, y, x, \.\. q\)"):
        evaluate(str(run), Path("none"), "npz", [own(list("abcdefghij"))], "test", "table", trust=False)
    assert not (run / "evaluations").exists()


def test_images_of_another_shape_are_refused(run, tmp_path):
    with pytest.raises(RequestError, match=r"images are 8x8x1; the run's model takes 28x28x1$"):
        evaluate(str(run), Path("none"), "digits", [], "test", "table", trust=False)
    for label in range(10):
        (tmp_path / "photos" / str(label)).mkdir(parents=True)
        for number in range(2):
            Image.new("L", (28, 28), label).save(tmp_path / "photos" / str(label) / f"{number}.png")
    folder = [f"data.path={tmp_path / 'photos'}", "data.test_fraction=0.5"]
    with pytest.raises(RequestError, match=r"10x12x1; .* add 'data\.image_size=\[28,28\]' data\.color=false"):
        evaluate(str(run), Path("none"), "image_folder", [*folder, "data.image_size=[10,12]"], "test", "table", False)
    evaluate(str(run), Path("none"), "image_folder", folder, "train", "table", trust=False)
    assert files(run)[0].startswith("photos-")


@pytest.mark.parametrize(
    ("data", "overrides", "part", "format", "said"),
    [
        ("mnits", [], "test", "table", "data=mnits: there is no such choice; .* Did you mean mnist"),
        ("npz", [], "test", "table", "data.path"),
        ("npz", ["data.path=/no/such.npz"], "test", "table", "no such file or folder"),
        ("mnist_5k", ["data.sorce=x"], "test", "table", "data.sorce: there is no such key. Did you mean data.source"),
        ("mnist_5k", ["model=mlp"], "test", "table", "model=mlp: only data.KEY=VALUE can follow"),
        ("mnist_5k", ["data.preprocess=deskew"], "test", "table", "a model prepares its images as it was trained to"),
        ("mnist_5k", [], "validation", "table", "--part is 'validation'; it must be test or train"),
        ("mnist_5k", [], "test", "xml", "--format is 'xml'"),
    ],
)
def test_wrong_request(run, data, overrides, part, format, said):
    with pytest.raises(RequestError, match=said) as caught:
        evaluate(str(run), Path("none"), data, overrides, part, format, trust=False)
    assert str(caught.value).count("\n") <= 1
    assert not (run / "evaluations").exists()


def test_evaluated_again_replaces_the_record(run, evaluated, own):
    evaluated("npz", own())
    evaluated("npz", own())
    assert len(files(run)) == 2
    assert evaluated("mnist_5k", part="train")["data"]["count"] == 4000
    assert [name.rpartition("-")[2] for name in files(run)] == ["train.json", "train.npz", "test.json", "test.npz"]


def test_run_that_was_trained_again_meanwhile(run, evaluated, own, monkeypatch):
    def retrained(reader, images):
        write_result(run, read_result(run) | {"finished_at": "2030-01-01T00:00:00Z"})
        return logits(reader, images)

    logits = evaluating._logits
    monkeypatch.setattr(evaluating, "_logits", retrained)
    with pytest.raises(FitbenchError, match="the run was trained again meanwhile; evaluate it again"):
        evaluated("npz", own())
    assert not (run / "evaluations").exists()


# -- where it is seen -------------------------------------------------------------------------------------------------


def test_summary_compares_with_the_run_s_own_test_images(run, own, capsys):
    def printed(part: str, data: str, *overrides: str) -> str:
        evaluate(str(run), Path("none"), data, overrides, part, "table", trust=False)
        return capsys.readouterr().out

    out = printed("test", "npz", own())
    accuracy = read_result(run)["metrics"]["test_accuracy"]
    assert out.startswith(f"{run.name} on the test images of own\naccuracy ")
    assert f"on its own 1,000 test images (mnist_5k): accuracy {accuracy:.4f}, 95% interval " in out
    assert "no difference is shown" in out
    assert out.splitlines()[-1].startswith(str(run / "evaluations" / "own-"))
    out = printed("test", "npz", own(name="wrong", shift=1))
    assert "difference -0." in out
    assert "the difference is real" in out
    assert "these are the run's own test images" in printed("test", "mnist_5k")
    assert "it was trained on these images: this says nothing about new ones" in printed("train", "mnist_5k")


def test_difference_is_newcombe_s():
    """Newcombe (1998), table II, method 10: 56/70 - 48/80."""
    estimate, (low, high) = evaluating.difference(56, 70, 48, 80)
    assert (round(estimate, 4), round(low, 4), round(high, 4)) == (0.2, 0.0524, 0.3339)


def test_show_lists_evaluations(run, evaluated, own, capsys):
    show(str(run), Path("none"), "table")
    assert "Evaluated on" not in capsys.readouterr().out
    found = evaluated("npz", own())
    show(str(run), Path("none"), "table")
    heading = capsys.readouterr().out.partition("Evaluated on\n")[2].splitlines()
    assert heading[1].split()[:3] == ["own", "test", f"{found['metrics']['accuracy']:.4f}"]
    show(str(run), Path("none"), "json")
    [listed] = json.loads(capsys.readouterr().out)["evaluations"]
    assert listed["metrics"] == found["metrics"]


def test_evaluation_of_an_earlier_model_is_not_shown(run, evaluated, own):
    evaluated("npz", own())
    result = read_result(run)
    assert len(evaluations.read(run, result)) == 1
    assert evaluations.read(run, result | {"finished_at": "2030-01-01T00:00:00Z"}) == []


@pytest.mark.parametrize("content", ["{", "[]", '{"schema": 2}', '{"schema": 1, "data": {"name": "x"}}'])
def test_damaged_evaluation_is_named(run, content):
    (run / "evaluations").mkdir()
    (run / "evaluations" / "x.json").write_text(content)
    with pytest.raises(FitbenchError, match=r"evaluations/x\.json: "):
        evaluations.read(run, read_result(run))


def test_training_again_removes_evaluations(run, evaluated, own):
    evaluated("npz", own())
    clear(run)
    assert not (run / "evaluations").exists()


def test_other_commands_do_not_mind_them(run, evaluated, own):
    before = fitbench.load_runs(run.parents[1])
    evaluated("npz", own())
    (run / "evaluations" / ".1.new.own.json").write_text("{")
    assert fitbench.load_runs(run.parents[1]).equals(before)
    assert len(evaluations.read(run, read_result(run))) == 1
    assert state_of(run) is State.finished
