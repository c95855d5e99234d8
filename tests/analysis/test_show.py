import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fitbench.analysis.run_files import read_run
from fitbench.analysis.show import show
from fitbench.analysis.summary import print_summary
from fitbench.charts.pictures import draw_run, write_plots
from fitbench.cli import main
from fitbench.config import ArrayFiles, Source
from fitbench.data.dataset import Dataset
from fitbench.data.loading import load
from fitbench.errors import FitbenchError, RequestError
from fitbench.record import reading
from fitbench.record.claims import claim
from fitbench.tasks import TASKS, Classification

from ..run_folders import KAPPA, record_metrics


def shown(capsys, folder: Path, plots: bool = False, format: str = "table") -> str:
    show(str(folder), Path("outputs"), format, draw=draw_run if plots else None)
    captured = capsys.readouterr()
    assert captured.err == ""
    return captured.out


def row(text: str, first: str) -> list[str]:
    """The cells of the line that begins so, without its first."""
    (line,) = [line for line in text.splitlines() if line.strip().startswith(first + " ")][:1]
    return line.strip().removeprefix(first).split()


# -- the summary after training ---------------------------------------------------------------------------------------


def test_the_summary_says_what_came_out_and_where_it_is(make_run, capsys):
    folder = make_run()
    print_summary(folder, reused=False)
    text = capsys.readouterr().out
    assert text.split()[:3] == ["test", "validation", "train"]
    assert row(text, "accuracy")[1:] == ["0.8600", "0.9000"]
    assert row(text, "loss") == ["0.5000", "0.7000", "0.4000"]
    assert row(text, "examples") == ["60", "20", "100"]
    assert "3 of 5" in text
    assert "1:23, of which epochs 2.5 s" in text
    assert "8,123 examples/s in the median epoch" in text
    assert "12,345" in text
    assert str(folder) in text.splitlines()
    assert f"fitbench show {folder}" in text
    assert "force=true" not in text
    assert "None" not in text
    assert ".png" not in text


@pytest.mark.parametrize(
    ("overrides", "line"),
    [
        (["training.early_stopping=null"], "epoch       5, the last; validation loss was best in 3"),
        (
            [f"training.early_stopping.{key}" for key in ("restore_best_weights=false", "monitor=accuracy")],
            "epoch       5, the last; training accuracy was best in 3",
        ),
        ([], "best epoch  3 of 5"),
        (["training.class_weight=balanced"], "train loss  weighted by training.class_weight; the others are not"),
    ],
)
def test_the_summary_says_which_weights_are_saved_and_which_loss_is_weighted(make_run, capsys, overrides, line):
    print_summary(make_run(*overrides), reused=False)
    assert line in capsys.readouterr().out.splitlines()


def test_the_summary_leaves_out_what_a_model_without_epochs_lacks(make_run, capsys):
    folder = make_run("model=nearest_mean", history=[])
    print_summary(folder, reused=False)
    text = capsys.readouterr().out
    for absent in ("validation", "train ", "best epoch", "examples/s", "None", "of which"):
        assert absent not in text


def test_a_reused_result_is_said_to_be_one(make_run, capsys):
    folder = make_run()
    print_summary(folder, reused=True)
    assert "finished before" in capsys.readouterr().out


def test_the_summary_names_the_pictures_that_were_drawn(make_run, capsys):
    folder = make_run()
    assert write_plots(folder) == [folder / "curves.png", folder / "confusion.png"]
    print_summary(folder, reused=False)
    assert "curves.png, confusion.png" in capsys.readouterr().out
    for name in ("curves.png", "confusion.png"):
        Image.open(folder / name).verify()


def test_the_run_id_is_enough_below_outputs(make_run, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    folder = make_run(outputs=Path("outputs"))
    print_summary(folder, reused=False)
    assert f"More: fitbench show {folder.name}\n" in capsys.readouterr().out
    (Path("outputs/other") / folder.name).mkdir(parents=True)
    (Path("outputs/other") / folder.name / "config.yaml").touch()
    print_summary(folder, reused=False)
    assert f"More: fitbench show {folder.parent.name}/{folder.name}\n" in capsys.readouterr().out


def test_a_model_without_epochs_has_a_confusion_matrix_and_no_curves(make_run):
    folder = make_run("model=nearest_mean", history=[])
    assert write_plots(folder) == [folder / "confusion.png"]


# -- fitbench show ----------------------------------------------------------------------------------------------------


def test_a_finished_run_is_shown_whole(make_run, capsys):
    folder = make_run("training.epochs=5", "seed=4")
    text = shown(capsys, folder)
    assert text.splitlines()[:2] == [folder.name, str(folder)]
    for expected in ("finished 2026-01-02T03:04:05Z", "  model=mlp", "  training.epochs=5", "  seed=4", "┤", "▲"):
        assert expected in text
    assert "Most confused" in text
    assert "Most confident mistakes" in text
    result = reading.read_result(folder)
    found = reading.read_predictions(folder, result)
    cats = found.targets == 0
    assert row(text, "cat")[1] == f"{(found.outputs[cats].argmax(axis=1) == 0).mean():.4f}"
    assert row(text, "cat")[3] == str(cats.sum())


def test_mistakes_on_a_table_are_named_by_their_rows_of_the_file(make_run, capsys):
    folder = make_run("data=sklearn", "data.name=iris")
    arrays = dict(np.load(folder / "predictions.npz"))
    np.savez(folder / "predictions.npz", **arrays, rows=np.arange(60) + 31)
    first = json.loads(shown(capsys, folder, format="json"))["mistakes"][0]
    assert first["row"] == first["example"] + 31
    lines = [line.split() for line in shown(capsys, folder).splitlines()]
    place = lines.index(["Most", "confident", "mistakes"])
    assert lines[place + 1][0] == "row"
    assert lines[place + 2][0] == str(first["row"])


def test_json_holds_everything(make_run, capsys):
    folder = make_run("seed=4")
    content = json.loads(shown(capsys, folder, format="json"))
    result = reading.read_result(folder)
    assert content["result"] == result
    assert content["state"] == "finished"
    assert content["history"] == reading.read_history(folder)
    assert "seed=4" in content["changed"]
    assert np.sum(content["confusion"]) == 60
    assert np.trace(content["confusion"]) / 60 == pytest.approx(result["metrics"]["test_accuracy"])
    assert [score["class"] for score in content["per_class"]] == ["cat", "dog", "owl"]
    probabilities = [mistake["probability"] for mistake in content["mistakes"]]
    assert probabilities == sorted(probabilities, reverse=True)
    assert content["plots"] == []


@pytest.mark.parametrize("epochs", [1, 2])
def test_a_short_run_without_validation_is_shown(make_run, capsys, epochs):
    history = make_run.curves(epochs, validation=False)
    text = shown(capsys, make_run("training.validation_split=0", "training.early_stopping=null", history=history))
    assert ("a curve needs two" in text) == (epochs == 1)
    assert "╍" not in text


def test_a_run_without_mistakes_says_so(make_run, capsys):
    labels = np.array([0, 1, 2, 2], np.int32)
    text = shown(capsys, make_run(labels=labels, probabilities=np.eye(3, dtype=np.float32)[labels]))
    assert "No test example is misclassified." in text
    assert "Most confused" not in text


def test_nan_probabilities_are_shown_as_none(make_run, capsys):
    labels, probabilities = np.array([1, 2], np.int32), np.full((2, 3), np.nan, np.float32)
    folder = make_run(labels=labels, probabilities=probabilities)
    shown(capsys, folder)
    mistakes = json.loads(shown(capsys, folder, format="json"))["mistakes"]
    assert [mistake["probability"] for mistake in mistakes] == [None, None]


def test_a_folder_without_predictions_shows_the_rest(make_run, capsys):
    folder = make_run()
    (folder / "predictions.npz").unlink()
    text = shown(capsys, folder)
    assert "no predictions.npz" in text
    assert "12,345" in text


def test_a_fold_without_a_test_part_shows_the_rest_and_draws_its_curves(make_fold, capsys):
    folder = make_fold()
    text = shown(capsys, folder)
    assert "predictions" not in text
    assert re.search(r"validation +train\n", text)
    assert json.loads(shown(capsys, folder, format="json"))["result"]["metrics"]["test_accuracy"] is None
    assert [path.name for path in draw_run(read_run(folder))] == ["curves.png"]
    assert [path.name for path in write_plots(folder)] == ["curves.png"]


def test_names_of_a_stranger_stay_text(make_run, capsys):
    hostile = ("[bold red]cat[/]", "dog\x1b[2J\x07", "owl\u202eexe\nnext")
    text = shown(capsys, make_run(classes=hostile))
    assert "[bold red]cat[/]" in text
    assert "dog\\x1b[2J\\x07" in text
    assert "owl\\u202eexe\\nnext" in text
    assert not {"\x1b", "\x07", "\u202e"} & set(text)
    shown(capsys, make_run("seed=1", classes=hostile), plots=False, format="json")


def test_a_path_that_holds_markup_is_printed_whole(make_run, tmp_path, capsys):
    folder = make_run(outputs=tmp_path / "[red]odd[/red] :smile:" / ("long" * 30))
    text = shown(capsys, folder)
    assert str(folder) in text.splitlines()


def test_many_classes_are_cut_to_the_worst(make_run, capsys):
    labels, probabilities = make_run.predictions(900, 60)
    text = shown(capsys, make_run(classes=tuple(f"species{i}" for i in range(60)), labels=labels,
                                  probabilities=probabilities))  # fmt: skip
    assert "the 40 of 60 with the lowest F1" in text


def test_a_failed_run_says_why_and_how_to_try_again(make_run, capsys):
    folder = make_run("training.epochs=9", finished=False)
    (folder / "error.txt").write_text(
        "Traceback (most recent call last):\n  File\nfitbench.Diverged: loss is \x1b NaN\n\n"
    )
    text = shown(capsys, folder)
    assert text.splitlines()[2] == "failed"
    assert "loss is \\x1b NaN" in text
    assert "epoch 5 of 9:" in text
    assert "fitbench train data=mnist_5k model=mlp optimizer=adam training.epochs=9" in text
    content = json.loads(shown(capsys, folder, format="json"))
    assert content["state"] == "failed"
    assert content["error"].startswith("loss is")
    assert content["result"] is None
    assert len(content["history"]) == 5


def test_an_interrupted_run_goes_on_from_its_checkpoint(make_run, capsys):
    folder = make_run("model.hidden=[8,8]", finished=False)
    assert "this command trains it from the start:" in shown(capsys, folder)
    (folder / "checkpoint").mkdir()
    text = shown(capsys, folder)
    assert "this command trains it from its checkpoint:" in text
    assert "'model.hidden=[8,8]'" in text  # quoted for the shell


def test_a_pruned_run_says_by_whom_and_when_and_what_it_had_come_to(make_run, capsys):
    folder = make_run("training.epochs=9", history=make_run.curves(4), pruned=True, trial=7)
    (folder / "checkpoint").mkdir()
    text = shown(capsys, folder)
    assert "pruned by trial 7 after epoch 4 of 9, and so never tested" in text.splitlines()
    assert row(text, "accuracy") == ["0.8800", "0.8750"]
    assert row(text, "loss") == ["0.6000", "0.5000"]
    assert "best epoch 3 of 4" in text
    assert "this command trains it from its checkpoint, to the end:" in text
    assert "Learning curves" in text
    assert "best epoch, 3" in text
    content = json.loads(shown(capsys, folder, format="json"))
    assert (content["state"], content["result"], content["error"]) == ("pruned", None, None)
    assert content["pruned"] == reading.read_pruned(folder)


def test_curves_of_a_pruned_run_are_drawn(make_run, capsys):
    folder = make_run(pruned=True, trial=0)
    assert "drew " in shown(capsys, folder, plots=True)
    assert (folder / "curves.png").exists()


def test_a_finished_run_of_a_search_names_its_trial(make_run, capsys):
    assert "finished 2026-01-02T03:04:05Z, trial 12 of a search" in shown(capsys, make_run(trial=12)).splitlines()
    assert "trial" not in shown(capsys, make_run("seed=1"))


def test_a_damaged_pruned_json_is_an_error_that_names_it(make_run):
    folder = make_run(pruned=True, trial=0)
    (folder / "pruned.json").write_text("{")
    with pytest.raises(FitbenchError, match=r"pruned\.json"):
        show(str(folder), Path("outputs"), "table")


def test_a_run_that_is_training_is_not_to_be_started_again(make_run, capsys):
    folder = make_run(finished=False, history=[])
    with claim(folder):
        text = shown(capsys, folder)
    assert "running" in text
    assert "no epoch is recorded yet" in text
    assert "fitbench train" not in text


@pytest.mark.parametrize("name", ["result.json", "predictions.npz"])
def test_a_truncated_file_is_an_error_that_names_it(make_run, name):
    path = make_run() / name
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(FitbenchError, match=name):
        show(str(path.parent), Path("outputs"), "table")


def test_an_unknown_format_is_refused(make_run):
    with pytest.raises(RequestError, match="table or json"):
        show(str(make_run()), Path("outputs"), "xml")


# -- metrics that fitbench does not supply ----------------------------------------------------------------------------


def test_the_result_stands_at_the_end_where_a_terminal_stops(make_run, capsys):
    text = shown(capsys, make_run())
    titles = [text.index(f"\n{title}\n") for title in ("Configuration", "Learning curves", "Result")]
    assert titles == sorted(titles)
    assert "parameters  12,345\n" in text[titles[-1] :]
    assert text.splitlines()[-1].startswith("device ")


def test_every_recorded_metric_has_a_row_with_its_label_and_decimals(make_run, capsys):
    folder = record_metrics(make_run(), {"kappa": KAPPA}, {"test_kappa": -0.12345, "val_kappa": 0.5})
    text = shown(capsys, folder).partition("\nResult\n")[2]  # the end
    assert row(text, "Cohen's kappa") == ["-0.123", "0.500", "-"]
    assert row(text, "loss") == ["0.5000", "0.7000", "0.4000"]
    print_summary(folder, reused=False)
    assert row(capsys.readouterr().out, "Cohen's kappa") == ["-0.123", "0.500", "-"]


def test_the_primary_metric_comes_first_and_its_curves_beside_the_loss(make_run, capsys):
    folder = record_metrics(
        make_run(), {"kappa": KAPPA}, epochs={"val_kappa": [-0.9, -0.8, -0.7, -0.6, -0.5]}, primary="kappa"
    )
    text = shown(capsys, folder)
    assert text.index("Cohen's kappa") < text.index("accuracy")
    curves = text[text.index("Learning curves") :]
    assert curves.splitlines()[1].split() == ["loss", "Cohen's", "kappa"]
    assert "-0.8 " in curves
    panels = read_run(folder).panels()  # of curves.png too
    assert [(panel.name, panel.label) for panel in panels] == [("loss", "loss"), ("kappa", "Cohen's kappa")]


def test_the_curves_of_another_metric_are_shown_on_request(make_run, capsys):
    folder = record_metrics(make_run(), {"kappa": KAPPA}, epochs={"val_kappa": [0.1, 0.2, 0.3, 0.4, 0.5]})
    for name in ("kappa", "val_kappa"):
        show(str(folder), Path("outputs"), "table", metric=name)
        curves = capsys.readouterr().out.partition("Learning curves")[2]
        assert curves.splitlines()[1].split() == ["loss", "Cohen's", "kappa"]
    with pytest.raises(RequestError, match="the history has no 'kapa'; did you mean kappa"):
        show(str(folder), Path("outputs"), "table", metric="kapa")


def test_a_primary_metric_that_the_history_lacks_is_named(make_run, capsys):
    text = shown(capsys, record_metrics(make_run(), {"kappa": KAPPA}, {"test_kappa": 0.5}, primary="kappa"))
    assert "the history has no Cohen's kappa" in text


def test_a_damaged_description_of_a_metric_is_an_error_that_names_it(make_run):
    folder = record_metrics(make_run(), {"kappa": KAPPA | {"direction": "up"}})
    with pytest.raises(FitbenchError, match=r"result\.json.*metric_info\.kappa\.direction is 'up'"):
        show(str(folder), Path("outputs"), "table")


class Ranking(Classification):
    """A task that fitbench has never heard of: other arrays, and mistakes alone are drawn."""

    name, targets_name, outputs_name, drawings = "ranking", "relevance", "scores", ("mistakes",)


def test_the_task_says_what_is_read_and_drawn(make_run, monkeypatch, capsys):
    monkeypatch.setitem(TASKS, "ranking", Ranking())
    folder = record_metrics(make_run(), {})
    with np.load(folder / "predictions.npz") as arrays:
        labels, probabilities, sha256 = arrays["labels"], arrays["probabilities"], arrays["data_sha256"]
    np.savez(folder / "predictions.npz", relevance=labels, scores=probabilities, data_sha256=sha256)
    result = json.loads((folder / "result.json").read_text())
    (folder / "result.json").write_text(json.dumps(result | {"task": "ranking"}))
    text = shown(capsys, folder)
    assert "Most confident mistakes" in text
    assert "Per class" not in text
    content = json.loads(shown(capsys, folder, format="json"))
    assert content["confusion"] is None
    assert content["mistakes"]
    assert write_plots(folder) == [folder / "curves.png"]


# -- fitbench show --plots --------------------------------------------------------------------------------------------


def stored(path: Path, examples: np.ndarray) -> Dataset:
    """The data set of an array file that has the same 40 examples, of three classes, in both parts."""
    labels = np.arange(40) % 3
    np.savez(path, x_train=examples, y_train=labels, x_test=examples, y_test=labels)
    return load(ArrayFiles(name="made", source=Source.npz, preprocess=None, path=str(path)))


@pytest.fixture
def npz(tmp_path):
    return stored(tmp_path / "images.npz", np.random.default_rng(0).integers(0, 256, (40, 8, 8), dtype=np.uint8))


def test_the_mistakes_are_drawn_with_the_images_of_the_data_set(make_run, npz, capsys):
    probabilities = make_run.predictions(40, 3)[1]
    folder = make_run(
        "data=npz", f"data.path={npz.source}", labels=npz.y_test, probabilities=probabilities, sha256=npz.sha256
    )
    text = shown(capsys, folder, plots=True)
    for name in ("curves.png", "confusion.png", "mistakes.png"):
        assert f"drew {folder / name}" in text
        Image.open(folder / name).verify()


@pytest.mark.parametrize(("shape", "dtype", "title"), [
    ((40, 12, 2), np.float32, " mistakes on 40 test series"),
    ((40, 12), np.float32, " mistakes on 40 test arrays"),
    ((40, 12), np.int32, None),  # tokens
])  # fmt: skip
def test_mistakes_on_signals_are_drawn_and_those_on_tokens_are_not(
    make_run, monkeypatch, tmp_path, shape, dtype, title
):
    figures = []
    monkeypatch.setattr("fitbench.charts.paper.write", lambda figure, path, *_: figures.append((figure, path.name)))
    data = stored(tmp_path / "signals.npz", (9 * np.random.default_rng(0).random(shape)).astype(dtype))
    probabilities = make_run.predictions(40, 3)[1]
    folder = make_run(
        "data=npz", f"data.path={data.source}", labels=data.y_test, probabilities=probabilities, sha256=data.sha256
    )
    draw_run(read_run(folder))
    titles = [figure.get_suptitle() for figure, name in figures if name == "mistakes.png"]
    wrong = int((probabilities.argmax(axis=1) != data.y_test).sum())
    assert len(titles) == (title is not None)
    assert all(f": {wrong}{title}" in text for text in titles)


def test_mistakes_of_other_images_are_not_drawn(make_run, npz):
    labels, probabilities = make_run.predictions(40, 3)
    folder = make_run("data=npz", f"data.path={npz.source}", labels=labels, probabilities=probabilities)
    with pytest.raises(FitbenchError, match=r"the run was tested with abababab; mistakes\.png shows"):
        show(str(folder), Path("outputs"), "table", draw=draw_run)
    assert not (folder / "mistakes.png").exists()


def test_mistakes_on_data_of_a_function_are_drawn_only_with_trust(make_run, npz, tmp_path, monkeypatch, capsys):
    """A stranger's run may name any function."""
    (tmp_path / "own_images.py").write_text(
        "import pathlib, numpy\n\n"
        "def load(path, mark):\n    pathlib.Path(mark).touch()\n    return dict(numpy.load(path))\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    mark = tmp_path / "called"
    folder = make_run(
        *("data=function", "data._target_=own_images.load", f"+data.path={npz.source}", f"+data.mark={mark}"),
        labels=npz.y_test, probabilities=make_run.predictions(40, 3)[1], sha256=npz.sha256,
    )  # fmt: skip
    cli = ("fitbench", "show", str(folder), "--plots")

    def plots(*options: str) -> str:
        monkeypatch.setattr("sys.argv", [*cli, *options])
        with pytest.raises(SystemExit) as ended:
            main()
        assert not ended.value.code
        assert (folder / "confusion.png").exists()
        return capsys.readouterr().err

    message = f"fitbench: left out: {folder}: its data come from the function own_images.load, and mistakes.png shows"
    assert plots().startswith(message)
    assert not mark.exists()
    assert not (folder / "mistakes.png").exists()
    plots("--trust")
    assert (folder / "mistakes.png").exists()


def test_an_unfinished_run_has_curves(make_run, capsys):
    folder = make_run(finished=False)
    shown(capsys, folder, plots=True)
    assert [path.name for path in folder.glob("*.png")] == ["curves.png"]


@pytest.mark.parametrize("state", ["finished", "interrupted", "damaged", "missing"])
def test_run_that_is_continued_is_shown_with_its_state(make_run, capsys, state):
    earlier, folder = make_run("study=earlier", finished=state != "interrupted"), make_run("seed=1")
    if state == "damaged":
        (earlier / "result.json").write_text("{")
    result = json.loads((folder / "result.json").read_text())
    run_id = "no-such-run-s0" if state == "missing" else earlier.name
    parent = {"run_id": run_id, "folder": str(earlier), "config_id": "ab" * 4, "sha256": "cd" * 32}
    result["config"]["parent"] = parent
    (folder / "result.json").write_text(json.dumps(result))
    text = {"finished": "5 epochs", "missing": "it is not here"}.get(state, state)
    assert f"continues {run_id} ({text})" in shown(capsys, folder).splitlines()
    [ancestor] = json.loads(shown(capsys, folder, format="json"))["ancestors"]
    assert ancestor == {
        "relation": "continues",
        "run_id": run_id,
        "folder": None if state == "missing" else str(earlier),
        "state": state,
        "epochs": 5 if state == "finished" else None,
    }
