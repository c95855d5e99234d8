"""`fitbench evaluate --out-of-fold`: what is put together from the folds of a group, and its metrics."""

import csv
import io
import json
import re
import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from fitbench import formats
from fitbench.config import Backend
from fitbench.errors import FitbenchError, RequestError
from fitbench.inference.evaluate import evaluate
from fitbench.inference.out_of_fold import read_out_of_fold
from fitbench.inference.out_of_fold_report import evaluate_out_of_fold
from fitbench.metrics import get
from fitbench.record.folder import folder_of
from fitbench.record.reading import read_predictions, read_result
from fitbench.record.run_group import find_group
from fitbench.training import backend
from fitbench.training.run import train

from ..run_folders import as_task, close_values, several_labels

FOLDS, SEEDS = 2, 2
OF_FOLDS = ("training.validation=kfold", f"training.folds={FOLDS}")


@pytest.fixture(scope="module")
def flowers(tmp_path_factory) -> Path:
    """A CSV file of 80 rows in two classes, of which a fifth becomes the test part."""
    random = np.random.default_rng(0)
    path = tmp_path_factory.mktemp("flowers") / "flowers.csv"
    sizes = random.normal(size=(80, 2))
    lines = [f"{a:.3f},{b:.3f},{'rose' if a + b > 0 else 'lily'}" for a, b in sizes]
    path.write_text("\n".join(["length,width,kind", *lines]) + "\n")
    return path


@pytest.fixture(scope="module")
def swept(configure, flowers, tmp_path_factory) -> Path:
    """The outputs of a sweep over 2 folds and 2 seeds. Copy them before changing them."""
    backend.load(Backend.tensorflow)
    outputs = tmp_path_factory.mktemp("swept") / "outputs"
    of_data = ("data=csv", f"data.path={flowers}", "data.target=kind", "metrics=[accuracy,macro_f1]", "study=mine")
    config = configure(
        *of_data, "model=mlp", "model.hidden=[4]", "training.epochs=2", "progress=false", f"outputs={outputs}",
        *OF_FOLDS, "fold=0",
    )  # fmt: skip
    for seed in range(SEEDS):
        for fold in range(FOLDS):
            of_run = config.model_copy(update={"seed": seed, "fold": fold})
            train(of_run, folder_of(of_run))
    return outputs


@pytest.fixture
def outputs(swept, tmp_path) -> Path:
    return shutil.copytree(swept, tmp_path / "outputs")


@pytest.fixture
def scores(outputs, capsys):
    """A function that evaluates groups, and returns what --format json prints."""

    def call(*groups: str) -> list[dict]:
        evaluate_out_of_fold(groups, outputs, "json", None, False, trust=False)
        return json.loads(capsys.readouterr().out)

    return call


def rows_of(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_text())))


def by_hand(rows: list[dict[str, str]]) -> tuple[float, float]:
    """Accuracy and macro F1 of predicted classes."""
    true, predicted = (np.array([row[column] for row in rows]) for column in ("true", "predicted"))
    scores = []
    for name in np.unique(true):
        right = ((true == name) & (predicted == name)).sum()
        scores.append(2 * right / ((true == name).sum() + (predicted == name).sum()))
    return float((true == predicted).mean()), float(np.mean(scores))


# -- trained folds -----------------------------------------------------------------------------------------------------


def test_each_training_row_is_predicted_once_per_seed_and_the_metrics_are_those_computed_by_hand(
    outputs, flowers, scores
):
    printed = scores("flowers-mlp")
    [path] = outputs.glob("mine/*-out-of-fold.csv")
    rows = rows_of(path)
    file = rows_of(flowers)
    tested = read_predictions(run := next(outputs.glob("mine/*-s0-f0")), read_result(run)).rows
    trained_on = sorted(set(range(1, len(file) + 1)) - set(tested.tolist()))
    for seed in range(SEEDS):
        of_seed = [row for row in rows if row["seed"] == str(seed)]
        assert sorted(int(row["row"]) for row in of_seed) == trained_on
        assert all(row["true"] == file[int(row["row"]) - 1]["kind"] for row in of_seed)
        assert all((row["predicted"] == "rose") == (float(row["rose_probability"]) > 0.5) for row in of_seed)
        accuracy, macro_f1 = by_hand(of_seed)
        entry = printed[seed]
        assert (entry["seed"], entry["part"], entry["models"], entry["examples"]) == (seed, "out_of_fold", 1, 64)
        assert (entry["accuracy"], entry["macro_f1"]) == (pytest.approx(accuracy), pytest.approx(macro_f1))
    assert {row["fold"] for row in rows} == {"0", "1"}
    labels = [entry["label"] for entry in printed]
    assert labels == ["seed 0", "seed 1", "mean over 2 seeds", "seeds averaged", "test, 4 models"]
    values = [entry["accuracy"] for entry in printed]
    assert values[2] == pytest.approx(np.mean(values[:2]))
    assert printed[2]["accuracy_sd"] == pytest.approx(np.std(values[:2], ddof=1))
    shares = [np.array([float(row["rose_probability"]) for row in rows if row["seed"] == seed]) for seed in "01"]
    true = np.array([row["true"] == "rose" for row in rows if row["seed"] == "0"])
    assert values[3] == pytest.approx(((shares[0] + shares[1] > 1) == true).mean())


def test_each_row_is_predicted_by_the_model_of_the_fold_that_held_it_back(outputs):
    read = read_out_of_fold(find_group("flowers-mlp", outputs))
    for seed, outputs_of_seed in read.by_seed.items():
        for fold in range(FOLDS):
            [folder] = outputs.glob(f"mine/*-s{seed}-f{fold}")
            with np.load(folder / "predictions.npz") as file:
                held_back = file["validation_rows"]
                assert np.array_equal(outputs_of_seed[held_back], file["validation_probabilities"])
            assert set(read.fold[held_back]) == {fold}


def test_test_part_is_evaluated_with_the_mean_of_all_models(outputs, scores):
    folders = sorted(outputs.glob("mine/*-s?-f?"))
    read = [read_predictions(folder, read_result(folder)) for folder in folders]
    mean = np.mean([each.outputs for each in read], axis=0, dtype=np.float64)
    entry = scores("flowers-mlp")[-1]
    assert (entry["part"], entry["models"], entry["examples"]) == ("test", 4, 16)
    assert entry["accuracy"] == pytest.approx((mean.argmax(axis=1) == read[0].targets).mean())


def test_group_is_named_by_its_name_a_run_a_path_or_a_part(outputs, tmp_path, monkeypatch):
    name = next(outputs.glob("mine/*-s0-f0")).name.removesuffix("-s0-f0")
    monkeypatch.chdir(tmp_path)
    texts = (name, f"mine/{name}", f"outputs/mine/{name}", f"outputs/mine/{name}-s1-f1", f"{name}-s0-f1", name[-8:],
             str(outputs / "mine" / name), "mine/flowers", "-s1-f0", f"mine/{name[-8:]}",
             f"mine/{name[-8:]}-s1-f0", "mine/mlp")  # fmt: skip
    for text in texts:
        group = find_group(text, Path("outputs"))
        assert (group.name, len(group.runs), group.seeds) == (name, 4, [0, 1]), text
    monkeypatch.chdir(outputs / "mine" / f"{name}-s1-f1")
    assert find_group(".", Path("outputs")).name == name
    with pytest.raises(RequestError, match="'tulips' fits none of the 4 runs"):
        find_group("tulips", outputs)


def test_missing_folds_are_named_with_a_command_that_trains_them(outputs, configure):
    for name in ("s0-f1", "s1-f0"):
        [folder] = outputs.glob(f"mine/*-{name}")
        shutil.rmtree(folder) if name == "s0-f1" else (folder / "result.json").unlink()
    with pytest.raises(RequestError) as refusal:
        read_out_of_fold(find_group("flowers-mlp", outputs))
    first, second, command = str(refusal.value).split("\n")
    assert first.endswith("2 of 4 runs have not finished: s0-f1 (missing), s1-f0 (interrupted)")
    assert second == "this command trains them:"
    words = command.split()
    assert words[:3] == ["fitbench", "train", "-m"]
    assert words[-2:] == ["fold=1,0", "seed=0,1"]
    assert {"training.validation=kfold", "training.folds=2", "study=mine"} <= set(words)
    config = configure(*[word.strip("'") for word in words[3:-2]], "seed=0", "fold=1")
    assert folder_of(config).name == next(outputs.glob("mine/*-s0-f0")).name.replace("-f0", "-f1")


def test_missing_folds_that_continue_others_are_trained_from_the_parents_of_their_own_seed_and_fold(
    make_folds, tmp_path
):
    folders = make_folds("study=longer", "training.epochs=9", folds=3, seeds=2)
    for folder in folders:
        content = json.loads((folder / "result.json").read_text())
        parent = {"run_id": f"a-b-c-{'01' * 4}{folder.name[-6:]}", "config_id": "01" * 4, "sha256": "cd" * 32}
        content["config"]["parent"] = parent | {"folder": f"somewhere/first/{parent['run_id']}"}
        (folder / "result.json").write_text(json.dumps(content))
    for i in (1, 5):
        shutil.rmtree(folders[i])
    with pytest.raises(RequestError) as refusal:
        read_out_of_fold(find_group("-mlp-", tmp_path / "outputs"))
    words = shlex.split(str(refusal.value).splitlines()[-1])
    continued = "somewhere/first/a-b-c-01010101"
    assert words[:4] == ["fitbench", "train", "-m", f"+continue={continued}-s0-f1,{continued}-s1-f2"]
    assert sorted(words[4:]) == [f"outputs={tmp_path / 'outputs'}", "study=longer", "training.epochs=9"]


def test_evaluating_a_group_as_one_run_says_what_to_do(outputs):
    for data in (None, "csv"):
        with pytest.raises(
            RequestError, match="--out-of-fold evaluates the recorded predictions of all folds together"
        ):
            evaluate("flowers-mlp", outputs, data, [], "test", "table", trust=False)


def test_narrow_terminal_cuts_no_number(outputs, monkeypatch):
    out = Console(file=io.StringIO(), width=44, force_terminal=True, color_system=None)
    monkeypatch.setattr(formats, "console", lambda: out)
    evaluate_out_of_fold(["flowers-mlp"], outputs, "table", None, False, trust=False)
    text = out.file.getvalue()
    assert "…" not in text
    assert re.search(r"mean over 2 seeds │ +0\.\d+ ± 0\.\d+ │", text)
    assert "Too narrow here for: macro F1" in text


def test_file_of_the_user_is_kept_without_force(outputs, tmp_path):
    path = tmp_path / "mine.csv"
    arguments = (["flowers-mlp"], outputs, "table", path)
    evaluate_out_of_fold(*arguments, force=False, trust=False)
    with pytest.raises(RequestError, match="already exists; --force replaces it"):
        evaluate_out_of_fold(*arguments, force=False, trust=False)
    evaluate_out_of_fold(*arguments, force=True, trust=False)
    assert len(rows_of(path)) == 128


def test_csv_is_not_written_into_a_file_of_another_suffix(outputs, tmp_path):
    with pytest.raises(RequestError, match=r"^-o .*mine\.json: the name must end in \.csv$"):
        evaluate_out_of_fold(["flowers-mlp"], outputs, "table", tmp_path / "mine.json", force=True, trust=False)
    assert not (tmp_path / "mine.json").exists()
    evaluate_out_of_fold(["flowers-mlp"], outputs, "table", tmp_path / "mine", force=False, trust=False)
    assert len(rows_of(tmp_path / "mine")) == 128


# -- recorded folds ----------------------------------------------------------------------------------------------------


@pytest.fixture
def make_folds(make_run):
    """Writes the folds of a configuration; gives their folders."""

    def make(*overrides: str, folds: int = 2, seeds: int = 1, **options) -> list[Path]:
        words = (*overrides, "training.validation=kfold", f"training.folds={folds}")
        keys = [(seed, fold) for seed in range(seeds) for fold in range(folds)]
        return [make_run(*words, f"seed={seed}", f"fold={fold}", **options) for seed, fold in keys]

    return make


def test_several_groups_are_in_one_table(make_folds, tmp_path, capsys):
    make_folds("model=mlp")
    make_folds("model=softmax")
    evaluate_out_of_fold(["-mlp-", "-softmax-"], tmp_path / "outputs", "csv", None, False, trust=False)
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [(row["group"].split("-")[1], row["label"]) for row in rows] == [
        (model, label) for model in ("mlp", "softmax") for label in ("seed 0", "test, 2 models")
    ]
    assert len(list((tmp_path / "outputs").glob("*/*-out-of-fold.csv"))) == 2
    with pytest.raises(RequestError, match="-o is one file, but there are 2 groups"):
        evaluate_out_of_fold(["-mlp-", "-softmax-"], tmp_path, "csv", tmp_path / "x.csv", False, trust=False)


def test_groups_of_other_data_or_other_folds_are_not_compared(make_folds, tmp_path):
    make_folds("model=mlp")
    make_folds("model=softmax", folds=3)
    make_folds("model=lenet5", sha256="cd" * 32)
    for other, difference in (
        ("-softmax-", "number of folds: 2 and 3"),
        ("-lenet5-", "data .SHA-256.: abab.* and cdcd"),
    ):
        with pytest.raises(RequestError, match=f"differ in the {difference}.*evaluate them in two commands"):
            evaluate_out_of_fold(["-mlp-", other], tmp_path / "outputs", "table", None, False, trust=False)


def changed(path: Path, **keys) -> None:
    content = json.loads(path.read_text())
    for key, value in keys.items():
        content[key] = content[key] | value if isinstance(value, dict) else value
    path.write_text(json.dumps(content))


def test_folds_of_different_data_are_refused(make_folds, tmp_path):
    folder = make_folds()[1]
    changed(folder / "result.json", data={"sha256": "cd" * 32})
    with pytest.raises(RequestError, match=r"f1: trained on other data .data.sha256 is cdcd.*-f0 .abab.*force=true"):
        read_out_of_fold(find_group("-mlp-", tmp_path / "outputs"))


def test_damaged_folds_are_named(make_folds, tmp_path):
    first, second = make_folds()
    group = find_group("-mlp-", tmp_path / "outputs")
    with np.load(first / "predictions.npz") as file:
        of_first = dict(file)
    np.savez(second / "predictions.npz", **of_first)
    with pytest.raises(FitbenchError, match="the folds of seed 0 hold back 0 of 120 training examples exactly once"):
        read_out_of_fold(group)
    np.savez(second / "predictions.npz", **{key: of_first[key] for key in ("labels", "probabilities", "data_sha256")})
    with pytest.raises(FitbenchError, match=r"f1/predictions.npz: .*validation_"):
        read_out_of_fold(group)
    changed(second / "result.json", fold=0)
    with pytest.raises(FitbenchError, match=r"f1/result.json: is that of another run"):
        read_out_of_fold(group)
    changed(second / "result.json", fold=1)
    content = json.loads((second / "result.json").read_text())
    content["config"]["training"]["folds"] = 7
    (second / "result.json").write_text(json.dumps(content))
    with pytest.raises(FitbenchError, match=r"f1/result.json: config.training.folds is 7; other folds have 2"):
        read_out_of_fold(group)


def test_absurd_number_of_folds_is_refused_before_memory_is_taken(make_folds, tmp_path):
    folder = make_folds()[0]
    content = json.loads((folder / "result.json").read_text())
    content["config"]["training"]["folds"] = 2**31 - 1
    (folder / "result.json").write_text(json.dumps(content))
    with pytest.raises(FitbenchError, match=r"training\.folds is 2147483647 in .*; expected 2 to 100,000"):
        read_out_of_fold(find_group("-mlp-", tmp_path / "outputs"))


def test_seeds_of_other_targets_are_refused(make_folds, tmp_path):
    folder = make_folds(seeds=2)[2]
    with np.load(folder / "predictions.npz") as file:
        arrays = dict(file)
    arrays["validation_labels"] = (arrays["validation_labels"] + 1) % 3
    np.savez(folder / "predictions.npz", **arrays)
    with pytest.raises(FitbenchError, match="seed 1 has other targets than seed 0"):
        read_out_of_fold(find_group("-mlp-", tmp_path / "outputs"))


def test_runs_without_folds_are_refused_with_what_makes_folds(make_run, tmp_path):
    make_run()
    with pytest.raises(RequestError, match=r"its runs have no folds.*training.validation=kfold training.folds=5"):
        read_out_of_fold(find_group("-mlp-", tmp_path / "outputs"))


def test_labels_are_decided_with_the_threshold_of_the_runs(make_folds, tmp_path, capsys):
    names = ("red", "round")
    truth, shares = several_labels(120, 2)
    for fold, folder in enumerate(make_folds()):
        as_task(folder, "multilabel", *several_labels(60, 2, seed=9), names, threshold=0.4)
        rows = np.arange(fold, 120, 2)
        of_fold = {"labels": truth[rows], "probabilities": shares[rows], "rows": rows}
        add_validation(folder, **of_fold)
    evaluate_out_of_fold(["-mlp-"], tmp_path / "outputs", "json", None, False, trust=False)
    of_seed, of_test = json.loads(capsys.readouterr().out)
    decided = shares >= np.float32(0.4)
    assert of_seed["subset_accuracy"] == pytest.approx((decided == truth).all(axis=1).mean())
    assert of_seed["micro_f1"] == pytest.approx(get("micro_f1").evaluate(truth, decided))
    true, predicted = several_labels(60, 2, seed=9)
    assert of_test["subset_accuracy"] == pytest.approx(((predicted >= np.float32(0.4)) == true).all(axis=1).mean())
    [path] = (tmp_path / "outputs").glob("*/*-out-of-fold.csv")
    expected = ["; ".join(name for name, applies in zip(names, row, strict=True) if applies) for row in decided]
    assert [row["predicted"] for row in rows_of(path)] == expected


def test_values_are_pooled_before_they_are_scored_and_there_may_be_no_test_part(make_folds, tmp_path, capsys):
    """R2 of all predictions together is not the mean of the folds' R2."""
    truth, values = close_values(120, 2, scale=np.linspace(1, 9, 120)[:, None].astype(np.float32))
    order = np.argsort(truth[:, 0])
    for fold, folder in enumerate(make_folds(seeds=2)):
        as_task(folder, "regression", *close_values(60, 2), ("price", "rent"))
        rows = np.sort(order[60 * (fold % 2) : 60 * (fold % 2) + 60])
        add_validation(folder, targets=truth[rows], values=values[rows], rows=rows)
        changed(folder / "result.json", data={"test": 0})
    evaluate_out_of_fold(["-mlp-"], tmp_path / "outputs", "json", None, False, trust=False)
    *of_seeds, mean, averaged = json.loads(capsys.readouterr().out)
    residual, around = ((truth - values) ** 2).sum(axis=0), ((truth - truth.mean(axis=0)) ** 2).sum(axis=0)
    for entry in (*of_seeds, mean, averaged):
        assert entry["r2"] == pytest.approx((1 - residual / around).mean(), rel=1e-6)
        assert entry["mae"] == pytest.approx(np.abs(truth - values).mean(), rel=1e-6)
    assert (mean["r2_sd"], averaged["models"]) == (pytest.approx(0), 2)
    [path] = (tmp_path / "outputs").glob("*/*-out-of-fold.csv")
    row = rows_of(path)[7]
    assert list(row) == ["seed", "fold", "example", "price_true", "price_predicted", "rent_true", "rent_predicted"]
    assert np.float32(row["rent_predicted"]) == values[7, 1]


def add_validation(folder: Path, **arrays: np.ndarray) -> None:
    """Give predictions.npz a validation part, and no other."""
    path = folder / "predictions.npz"
    with np.load(path) as file:
        kept = {name: array for name, array in file.items() if not name.startswith("validation_")}
    np.savez(path, **kept, **{f"validation_{name}": array for name, array in arrays.items()})
