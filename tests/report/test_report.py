import base64
import csv
import hashlib
import io
import json
import os
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from fitbench.analysis import statistics
from fitbench.analysis.compare import compare
from fitbench.analysis.frame import load_runs
from fitbench.analysis.request import Which
from fitbench.errors import RequestError
from fitbench.quantities import of_schema_1, quantities
from fitbench.report.content import collect
from fitbench.report.curves import POINTS, SERIES
from fitbench.report.predictions import MATRIX, MISTAKES
from fitbench.report.predictions import POINTS as ALL_OF_A_RUN
from fitbench.report.report import report
from fitbench.report.studies import collect_studies

from ..run_folders import KAPPA, as_task, close_values, record_metrics, several_labels

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)>\"'&amp;\u2028\u2029{{}}$title"
ACCURACY = quantities([of_schema_1()])["metrics.test_accuracy"]


def edit(folder: Path, change) -> None:
    path = folder / "result.json"
    result = json.loads(path.read_text())
    change(result)
    path.write_text(json.dumps(result))


class Parsed(HTMLParser):
    """The elements of a page, and the text inside of its scripts and styles."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.texts = [("", "")]
        self.policy = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.texts.append((tag, ""))
        if ("http-equiv", "Content-Security-Policy") in attrs:
            self.policy = dict(attrs)["content"]

    def handle_endtag(self, tag):
        self.texts.append(("", ""))

    def handle_data(self, data):
        tag, text = self.texts[-1]
        self.texts[-1] = (tag, text + data)

    @property
    def json(self) -> str:
        return next(text for tag, text in self.texts if tag == "script")

    @property
    def page(self):
        return json.loads(self.json)

    @property
    def data(self):
        """The first set of the first study."""
        return self.page["studies"][0]["sets"][0]


@pytest.fixture
def sweep(make_run):
    """Two models with three seeds each, whose accuracies differ in the second digit."""
    folders = []
    for model, base in (("mlp", 0.9), ("softmax", 0.8)):
        for seed in range(3):
            folder = make_run(f"model={model}", f"seed={seed}")
            edit(folder, lambda result, a=base + 0.01 * seed: result["metrics"].update(test_accuracy=a))
            folders.append(folder)
    return folders


def collected(tmp_path: Path, by=()):
    frame = load_runs(tmp_path / "outputs")
    return frame, collect(frame, by, ACCURACY)


def column(content, name):
    return next(column for column in content["columns"] if column["name"] == name)


# -- the file ---------------------------------------------------------------------------------------------------------


def test_hostile_texts_stay_inside_the_data(make_run, tmp_path):
    def change(result):
        result["run_id"] = HOSTILE
        result["config"]["model"]["activation"] = HOSTILE
        result["config"][HOSTILE] = HOSTILE
        result["data"]["classes"] = [HOSTILE, "dog", "owl"]

    plain = make_run("seed=1")
    report(Which([tmp_path / "outputs"], every=True), tmp_path / "plain.html")
    edit(make_run(), change)
    folder = tmp_path / "outputs" / HOSTILE.replace("/", "")
    folder.mkdir()
    moved = make_run("seed=2")
    moved.rename(folder / moved.name)
    report(Which([tmp_path / "outputs"], every=True), tmp_path / "hostile.html")
    found = Parsed((tmp_path / "hostile.html").read_text())
    sets = {study["name"]: study["sets"][0] for study in found.page["studies"]}
    shown = sets["default"]
    assert set(sets) == {"default", folder.name}
    assert found.tags == Parsed((tmp_path / "plain.html").read_text()).tags
    assert not set(found.json) & set("<>&\u2028\u2029")
    names = column(shown, "run_id")["values"]
    assert HOSTILE in names
    assert plain.name in names
    assert column(shown, "model.activation")["values"][names.index(HOSTILE)] == HOSTILE
    assert HOSTILE in shown["classes"][1] + shown["classes"][0]


def test_the_policy_allows_this_script_and_style_and_nothing_else(sweep, tmp_path):
    report(Which([tmp_path / "outputs"], every=True), tmp_path / "report.html")
    found = Parsed((tmp_path / "report.html").read_text())
    rules = dict(rule.strip().split(" ", 1) for rule in found.policy.split(";"))
    assert rules.pop("default-src") == "'none'"
    for name, tag in (("script-src", "script"), ("style-src", "style")):
        text = [text for one, text in found.texts if one == tag][-1]
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert rules.pop(name) == f"'sha256-{digest}'"
    assert rules == {"base-uri": "'none'", "form-action": "'none'", "require-trusted-types-for": "'script'"}
    assert not {"link", "img", "iframe", "object"} & set(found.tags)


def test_numbers_that_json_or_javascript_lack_are_null_or_text(make_run, tmp_path):
    diverged = make_run()
    (diverged / "history.jsonl").write_text('{"epoch": 1, "loss": Infinity, "accuracy": 0.5, "val_loss": NaN}\n')
    edit(diverged, lambda result: result["config"]["model"].update(dropout=2**70))
    edit(make_run("seed=1"), lambda result: result["config"]["model"].update(dropout=2**71))
    _, content = collected(tmp_path)
    json.dumps(content, allow_nan=False)
    assert content["histories"][0] == {"epochs": 1, "series": {"accuracy": [0.5]}}
    assert column(content, "model.dropout")["values"] == [str(2**70), str(2**71)]


# -- what is on the page ----------------------------------------------------------------------------------------------


def test_columns_that_agree_are_said_once(sweep, tmp_path):
    _, content = collected(tmp_path)
    names = [column["name"] for column in content["columns"]]
    assert "model.name" in names
    assert "optimizer.name" not in names
    assert ("optimizer.name", "adam") in content["constant"]
    assert dict(content["environment"])["versions.keras"] == "3"
    assert column(content, "metrics.test_accuracy")["better"] == "higher"
    assert column(content, "metrics.test_loss")["better"] == "lower"


def test_what_tells_runs_apart_has_a_column_also_where_it_is_no_setting(make_run, tmp_path):
    for place, sha256 in enumerate(("0a", "0b")):
        parts = {"test_sha256": "1" * 64, "test_inputs_sha256": "2" * 64}
        folder = make_run("model=mlp", f"seed={place}", sha256=sha256 * 32)
        edit(folder, lambda result, parts=parts: result["data"].update(parts))
    _, content = collected(tmp_path)
    assert column(content, "dataset.sha256")["shown"]
    assert {*content["parallel"]} <= {each["name"] for each in content["columns"]}


def test_a_long_curve_keeps_its_ends_and_its_best_epoch(make_run, tmp_path):
    history = make_run.curves(1000)
    history[776]["val_accuracy"] = 0.123456789
    edit(make_run(history=history), lambda result: result["metrics"].update(best_epoch=777))
    _, content = collected(tmp_path)
    (curve,) = content["histories"]
    assert curve["epochs"][0] == 1
    assert curve["epochs"][-1] == 1000
    assert POINTS <= len(curve["epochs"]) <= POINTS + 1
    assert curve["series"]["val_accuracy"][curve["epochs"].index(777)] == 0.1235
    assert np.diff(curve["epochs"]).max() <= 1 + 1000 // POINTS


def test_a_curve_of_large_values_has_the_digits_of_its_range(make_run, tmp_path):
    losses = [120003.61, 120002.456, None, 120001.25]
    make_run(history=[{"epoch": i, "seconds": 1.0, "loss": loss} for i, loss in enumerate(losses, 1)])
    _, content = collected(tmp_path)
    (curve,) = content["histories"]
    assert curve["series"]["loss"] == [120003.61, 120002.456, None, 120001.25]


def test_a_short_curve_is_whole(make_run, tmp_path):
    make_run(history=make_run.curves(4, validation=False))
    _, content = collected(tmp_path)
    assert content["histories"] == [
        {"epochs": 4, "series": {"accuracy": [0.5, 0.75, 0.8333, 0.875], "loss": [2, 1, 0.6667, 0.5]}}
    ]


def test_confusion_and_mistakes_are_those_of_the_predictions(make_run, tmp_path):
    labels, probabilities = make_run.predictions(500, 3, seed=5)
    probabilities[7] = np.nan
    make_run(labels=labels, probabilities=probabilities)
    _, content = collected(tmp_path)
    predicted = [max(range(3), key=lambda k: row[k]) if row[0] == row[0] else None for row in probabilities.tolist()]
    pairs = list(zip(labels.tolist(), predicted, strict=True))
    assert content["predictions"][0]["confusion"]["counts"] == [pairs.count((i, j)) for i in range(3) for j in range(3)]
    wrong = [i for i, (label, guess) in enumerate(pairs) if label != guess and i != 7]
    wrong.sort(key=lambda i: -probabilities[i].max())
    found = content["predictions"][0]["mistakes"]
    assert found["count"] == len(wrong) + 1  # the one with NaN
    assert found["examples"] == 500
    assert found["worst"] == [
        (i, labels[i], predicted[i], round(float(probabilities[i].max()), 4)) for i in wrong[:MISTAKES]
    ]


def test_many_classes_have_their_most_confused_pairs_instead_of_a_matrix(make_run, tmp_path):
    count = MATRIX + 1
    labels = np.arange(count).repeat(4).astype(np.int32)
    predicted = labels.copy()
    predicted[:3] = 5
    predicted[8] = 0
    make_run(classes=tuple(map(str, range(count))), labels=labels, probabilities=np.eye(count)[predicted])
    _, content = collected(tmp_path)
    assert content["predictions"][0]["confusion"]["pairs"] == [(0, 5, 3), (2, 0, 1)]


def test_a_regression_has_its_predicted_values_and_tables(make_run, tmp_path):
    targets, outputs = close_values(5_000, 7, scale=1000)
    outputs[:, 2] = np.nan
    targets[:, 3], outputs[:, 3] = targets[:, 3] / 100 + 2000, outputs[:, 3] / 100 + 2000  # of a deviation of 10
    rows = np.arange(5_000) + 1_001
    as_task(make_run(), "regression", targets, outputs, tuple(f"t{i}" for i in range(7)), rows=rows)
    report(Which([tmp_path / "outputs"], every=True), tmp_path / "report.html")
    (found,) = Parsed((tmp_path / "report.html").read_text()).data["predictions"]
    assert list(found) == ["predicted", "residuals"]
    examples, panels = np.array(found["predicted"]["places"]) - 1_001, found["predicted"]["panels"]
    assert found["predicted"]["place"] == "row"
    assert [panel["target"] for panel in panels] == [f"t{i}" for i in range(6)]
    assert 6 * len(examples) <= ALL_OF_A_RUN
    assert panels[1]["true"] == pytest.approx(targets[examples, 1], rel=1e-3)
    assert panels[1]["predicted"] == pytest.approx(outputs[examples, 1], rel=1e-3)
    assert set(panels[2]["predicted"]) == {None}
    assert panels[3]["true"] == pytest.approx(targets[examples, 3], abs=1e-3)
    assert panels[3]["predicted"] == pytest.approx(outputs[examples, 3], abs=1e-3)
    (table,) = found["predicted"]["tables"]
    assert (table["title"], table["heads"]) == ("Per target", ["target", "MAE", "RMSE", "R2", "bias"])
    assert [row[0] for row in table["rows"]] == [f"t{i}" for i in range(7)]
    (table,) = found["residuals"]["tables"]
    assert table["title"] == "Largest errors (predicted - true), relative to the sd of their target"
    assert table["heads"][0] == "row"
    assert min(int(row[0]) for row in table["rows"]) >= 1_001


def test_several_labels_have_their_table(make_run, tmp_path):
    as_task(make_run(), "multilabel", *several_labels(40, 3), (HOSTILE, "b", "c"), 0.25)
    report(Which([tmp_path / "outputs"], every=True), tmp_path / "report.html")
    parsed = Parsed((tmp_path / "report.html").read_text())
    (found,) = parsed.data["predictions"]
    (table,) = found["labels"]["tables"]
    assert table["title"] == "Per label at the threshold 0.25"
    assert table["text"] == [True, False, False, False, False]
    assert len(table["rows"]) == 4
    assert "img" not in parsed.tags


def cells(metric):
    """The texts of a comparison, by the names of the columns' values."""
    return {name: column["cells"] for column in metric["columns"] for name in column["values"]}


def values(metric):
    return {name: values for column in metric["columns"] for name, values in column["values"].items()}


def test_the_comparison_has_the_columns_of_the_command(sweep, tmp_path, capsys):
    _, content = collected(tmp_path)
    found = content["groups"]
    assert found["by"] == ["model.name"]
    assert found["names"] == ["mlp", "softmax"]
    assert found["of"] == [0, 0, 0, 1, 1, 1]
    (metric,) = [metric for metric in found["metrics"] if metric["name"] == ACCURACY.column]
    compare(Which([str(tmp_path / "outputs")], every=True), "model.name", None, None, None, tmp_path, None, "csv")
    printed = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    shown = values(metric)
    for name in ("model.name", "rank", "n", "mean", "sd", "low", "high", "difference", "p_holm"):
        expected = [row[name] for row in printed]
        assert ["" if value is None else value for value in shown[name]] == [
            pytest.approx(float(text)) if text and isinstance(value, (int, float)) else text
            for value, text in zip(shown[name], expected, strict=True)
        ]
    assert cells(metric)["mean"] == ["0.9100 ± 0.0100", "0.8100 ± 0.0100"]
    assert [[content["folders"][run] for run in runs] for runs in metric["runs"]] == [
        [str(folder) for folder in sweep[:3]], [str(folder) for folder in sweep[3:]]
    ]  # fmt: skip
    assert metric["answer"].startswith(
        "Highest test accuracy: 0.9100 ± 0.0100 over 3 runs with mlp. Next: softmax (-0.1"
    )


def test_groups_by_other_columns_say_what_they_mix(sweep, make_run, tmp_path):
    make_run("model=mlp", "seed=9", finished=False)
    _, content = collected(tmp_path, by=["optimizer"])
    (metric,) = [metric for metric in content["groups"]["metrics"] if metric["name"] == ACCURACY.column]
    assert content["groups"]["names"] == ["adam"]
    assert content["groups"]["of"] == [0] * 7
    assert metric["groups"] == [0]
    details = " ".join(metric["details"])
    assert "model.name: mlp, softmax" in details
    assert "1 interrupted" in details
    assert ". Not counted: 1 interrupted. 1 group mixes runs that differ in model, " in metric["method"]


def test_a_mean_curve_ends_where_its_first_run_ends(make_run, tmp_path):
    for seed, epochs in enumerate((3, 5, 4)):
        history = make_run.curves(epochs)
        for epoch in history:
            epoch["accuracy"] = 0.5 + 0.1 * seed
        make_run(f"seed={seed}", history=history)
    _, content = collected(tmp_path)
    (curve,) = content["groups"]["curves"]["accuracy"]
    assert curve["epochs"] == [1, 2, 3]
    assert curve["mean"] == [0.6, 0.6, 0.6]
    low, high = statistics.mean_interval([0.5, 0.6, 0.7], 0, 1)
    assert curve["low"] == pytest.approx([low] * 3, rel=1e-3)
    assert curve["high"] == pytest.approx([high] * 3, rel=1e-3)
    assert curve["tails"] == [([3, 4, 5], [0.6, 0.6, 0.6]), ([3, 4], [0.7, 0.7])]


def test_runs_in_every_state_are_there(make_run, tmp_path):
    make_run()
    make_run("seed=1", finished=False)
    failed = make_run("seed=2", finished=False, history=[])
    (failed / "error.txt").write_text("Traceback\nValueError: <b>no</b>\n")
    _, content = collected(tmp_path)
    assert dict(content["states"]) == {"finished": 1, "interrupted": 1, "failed": 1}
    assert content["errors"] == [None, None, "ValueError: <b>no</b>"]
    assert [bool(history) for history in content["histories"]] == [True, True, False]
    assert [bool(found) for found in content["predictions"]] == [True, False, False]


def test_groups_of_one_run_have_no_intervals_and_no_tests(make_run, tmp_path):
    for rate in (0.1, 0.01, 0.001):
        folder = make_run(f"optimizer.learning_rate={rate}")
        edit(folder, lambda result, a=0.8 + rate: result["metrics"].update(test_accuracy=a))
    make_run("optimizer.learning_rate=0.5", finished=False)
    _, content = collected(tmp_path)
    (metric,) = [metric for metric in content["groups"]["metrics"] if metric["name"] == ACCURACY.column]
    heads = [column["head"] for column in metric["columns"]]
    assert heads == ["#", "learning_rate", "test_accuracy", "plot", "parameters", "median fit s"]
    best, second = "learning_rate 0.1", "learning_rate 0.01"
    assert metric["answer"] == f"Highest test accuracy: 0.9000 in one run with {best}. Next: {second} (-0.0900)."
    expected = "One run for each group, so there are no intervals and no tests. Not counted: 1 interrupted."
    assert metric["method"] == expected


def test_groups_of_two_runs_have_no_intervals(make_run, tmp_path):
    for seed in (0, 1):
        for model in ("mlp", "softmax"):
            make_run(f"model={model}", f"seed={seed}")
    _, content = collected(tmp_path)
    (metric,) = [metric for metric in content["groups"]["metrics"] if metric["name"] == ACCURACY.column]
    assert metric["method"].startswith("Means over 2 runs each; an interval needs 3.")


def test_a_column_of_tags_is_shown_where_a_run_has_one(sweep, tmp_path):
    frame = load_runs(tmp_path / "outputs")
    frame["tags"] = None
    assert "tags" not in [column["name"] for column in collect(frame, [], ACCURACY)["columns"]]
    frame["tags"] = ['["good", "paper"]', *[None] * 5]
    tags = column(collect(frame, [], ACCURACY), "tags")
    assert (tags["values"], tags["shown"]) == (["good, paper", *[None] * 5], True)


# -- several studies --------------------------------------------------------------------------------------------------


def finished(folder: Path, day: int) -> Path:
    edit(folder, lambda result: result.update(finished_at=f"2026-01-{day:02}T00:00:00Z"))
    return folder


@pytest.fixture
def studies(make_run):
    """A study of two tasks, of which the regression is newer, and a newer one with another model."""
    for seed in range(2):
        finished(make_run("study=first", f"seed={seed}"), 1)
        for model in ("mlp", "softmax"):
            finished(make_run("study=second", f"model={model}", f"seed={seed}"), 9)
    as_task(
        finished(make_run("study=first", "data=digits", "data.name=houses"), 3),
        "regression",
        *close_values(40),
        ("price",),
    )


def paged(tmp_path, by=None, metric=None, together=False):
    frame = load_runs(tmp_path / "outputs")
    page = collect_studies(frame, by, metric, (), together)
    return frame, json.loads(json.dumps(page, allow_nan=False))


def test_each_study_has_what_its_runs_alone_give_and_the_newest_is_first(studies, tmp_path):
    frame, page = paged(tmp_path)
    assert [study["name"] for study in page["studies"]] == ["second", "first"]
    assert page["every"] is None
    (second,) = page["studies"][0]["sets"]
    alone = json.loads(json.dumps(collect(frame[frame["study"] == "second"], [], ACCURACY)))
    assert {key: second[key] for key in alone if key != "left_out"} == {
        key: value for key, value in alone.items() if key != "left_out"
    }
    assert second["groups"]["by"] == ["model.name"]


def test_runs_of_different_tasks_or_data_are_in_different_sets(studies, make_run, tmp_path):
    unknown = make_run("study=first", "seed=7", finished=False)
    _, page = paged(tmp_path)
    (first,) = [study for study in page["studies"] if study["name"] == "first"]
    (houses, digits) = first["sets"]
    assert (houses["label"], houses["metric"]) == ("houses", "metrics.test_mae")
    assert digits["metric"] == "metrics.test_accuracy"
    assert [houses["count"], digits["count"]] == [1, 3]
    assert str(unknown) in digits["folders"]


def test_all_studies_together_hold_nothing_twice(studies, tmp_path):
    _, page = paged(tmp_path, together=True)
    held = [each for study in page["studies"] for each in study["sets"]]
    by_label = {each["label"]: each for each in page["every"]}
    mnist = by_label["mnist_5k"]
    assert mnist["count"] == 6
    assert not {"histories", "predictions", "folders"} & set(mnist)
    names = [held[number]["folders"][place] for number, place in mnist["from"]]
    assert names == sorted(names)
    accuracy, model = column(mnist, "metrics.test_accuracy"), column(mnist, "model.name")
    assert accuracy["values"] is None
    assert model["values"] == ["mlp", "mlp", "mlp", "mlp", "softmax", "softmax"]  # the first study has no such column


def test_a_study_without_the_metric_is_ranked_by_its_primary_metric(studies, tmp_path):
    _, page = paged(tmp_path, metric="test_loss")
    assert {each["metric"] for study in page["studies"] for each in study["sets"]} == {"metrics.test_loss"}
    _, page = paged(tmp_path, metric="fit_seconds")
    assert {each["metric"] for study in page["studies"] for each in study["sets"]} == {"timing.fit_seconds"}
    _, page = paged(tmp_path, metric="mae")
    assert [each["metric"] for each in page["studies"][1]["sets"]] == ["metrics.test_mae", "metrics.test_accuracy"]


def test_of_different_primary_metrics_that_of_the_newest_run_counts(studies, make_run, tmp_path):
    newest = finished(make_run("study=second", "seed=8"), 10)
    record_metrics(newest, {"kappa": KAPPA}, {"test_kappa": 0.5}, primary="kappa")
    _, page = paged(tmp_path)
    assert page["studies"][0]["sets"][0]["metric"] == "metrics.test_kappa"


def test_a_study_whose_primary_metric_has_two_definitions_is_left_out_and_said_to_be(studies, make_run, tmp_path):
    for seed, definition in ((7, "one"), (8, "two")):
        folder = finished(make_run("study=second", f"seed={seed}"), 10)
        record_metrics(folder, {"kappa": KAPPA | {"definition": definition}}, {"test_kappa": 0.5}, primary="kappa")
    _, page = paged(tmp_path, together=True)
    assert [study["name"] for study in page["studies"]] == ["first"]
    ((study, reason),) = page["left_out"]
    assert study == "second"
    assert reason.startswith("test_kappa has different definitions")


def test_one_study_is_on_the_page_where_it_is_asked_for(studies, tmp_path):
    out = tmp_path / "report.html"
    for which, names in ((Which(study="first"), ["first"]), (Which(), ["second", "first"])):
        report(replace(which, paths=[tmp_path / "outputs"]), out)
        page = Parsed(out.read_text()).page
        assert [study["name"] for study in page["studies"]] == names
        assert page["every"] is None
    report(Which([tmp_path / "outputs/first", tmp_path / "outputs/second"]), out)
    assert Parsed(out.read_text()).page["every"]


def test_page_is_not_written_into_a_file_of_another_suffix(studies, tmp_path):
    which = Which([tmp_path / "outputs"])
    with pytest.raises(RequestError, match=r"^-o .*report\.pdf: the name must end in one of \.html, \.htm$"):
        report(which, tmp_path / "report.pdf")
    assert not (tmp_path / "report.pdf").exists()
    for name in ("report.HTM", "report"):
        report(which, tmp_path / name)
        assert Parsed((tmp_path / name).read_text()).page


# -- metrics that fitbench does not supply ----------------------------------------------------------------------------


@pytest.fixture
def measured(sweep):
    """The sweep, of which the first five runs also record kappa, and the first four in their history; one is of 0.1."""
    for i, folder in enumerate(sweep[:5]):
        epochs = {"val_kappa": [-0.5, -0.4, -0.3, -0.2, 0.1 * i]} if i < 4 else None
        record_metrics(folder, {"kappa": KAPPA | {"direction": "min"}}, {"test_kappa": 0.1 * i - 0.3}, epochs)
    return sweep


def test_the_page_knows_of_every_recorded_metric_what_it_asks(measured, tmp_path):
    _, content = collected(tmp_path)
    kappa = column(content, "metrics.test_kappa")
    about = {key: kappa[key] for key in ("title", "better", "digits", "low", "high", "kind")}
    assert about == {
        "title": "test Cohen's kappa", "better": "lower", "digits": 3, "low": -1.0, "high": 1.0,
        "kind": "metric",
    }  # fmt: skip
    assert kappa["values"][-1] is None
    loss = column(content, "metrics.test_loss")
    assert (loss["low"], loss["high"]) == (0.0, None)
    assert [metric["label"] for metric in content["metrics"]] == ["accuracy", "Cohen's kappa", "loss"]
    series = {each["name"]: each["label"] for each in content["series"]}
    assert series["val_kappa"] == "validation Cohen's kappa"
    assert next(iter(series)) == "val_accuracy"
    assert content["notices"] == []


def test_groups_are_compared_in_every_recorded_metric(measured, tmp_path):
    _, content = collected(tmp_path)
    kappa = next(each for each in content["groups"]["metrics"] if each["name"] == "metrics.test_kappa")
    assert (kappa["label"], kappa["better"]) == ("test Cohen's kappa", "lower")
    shown = values(kappa)
    assert shown["mean"][0] == pytest.approx(-0.2)
    assert shown["n"] == [3, 2]
    mlp, softmax = content["groups"]["curves"]["val_kappa"]
    assert mlp["mean"][-1] == pytest.approx(0.1)
    expected = statistics.mean_interval([0.0, 0.1, 0.2], -1.0, 1.0)
    assert (mlp["low"][-1], mlp["high"][-1]) == pytest.approx(expected, rel=1e-3)
    assert softmax["low"] == [None] * 5  # one run


def test_a_mean_curve_has_the_resolution_of_a_proportion(make_run, tmp_path):
    for seed in range(3):
        make_run(f"seed={seed}")  # 20 validation examples
    _, content = collected(tmp_path)
    (curve,) = content["groups"]["curves"]["val_accuracy"]
    assert (curve["low"][2], curve["high"][2]) == pytest.approx((0.85, 0.95))
    (loss,) = content["groups"]["curves"]["val_loss"]
    assert loss["low"][2] == loss["high"][2] == 0.5


def test_different_definitions_are_listed_and_not_compared(measured, tmp_path):
    record_metrics(measured[5], {"kappa": KAPPA | {"definition": "other"}}, {"test_kappa": 0.9})
    _, content = collected(tmp_path)
    kappa = column(content, "metrics.test_kappa")
    assert kappa["values"][-1] == 0.9
    assert kappa["better"] is None
    assert "metrics.test_kappa" not in [each["name"] for each in content["groups"]["metrics"]]
    assert "val_kappa" not in content["groups"]["curves"]
    assert content["notices"] == [
        "kappa has different definitions in these runs. Its values are listed and not compared."
    ]
    with pytest.raises(RequestError, match="test_kappa has different definitions"):
        report(Which([tmp_path / "outputs"], every=True), tmp_path / "report.html", metric="test_kappa")


def test_the_primary_metric_ranks(measured, tmp_path):
    for folder in measured:
        record_metrics(folder, {"kappa": KAPPA | {"direction": "min"}}, primary="kappa")
    report(Which([tmp_path / "outputs"], every=True), tmp_path / "report.html")
    content = Parsed((tmp_path / "report.html").read_text()).data
    assert content["metric"] == "metrics.test_kappa"
    assert content["series"][0]["name"] == "val_kappa"


def test_a_running_run_has_its_curves_without_a_description(make_run, tmp_path):
    make_run()
    make_run("seed=1", finished=False, history=[{"epoch": 1, "val_gini": 0.5, "loss": 1.0}])
    _, content = collected(tmp_path)
    assert content["series"][-1] == {"name": "val_gini", "label": "val gini", "kind": "metric", "digits": 4}
    assert content["histories"][1]["series"] == {"loss": [1.0], "val_gini": [0.5]}


def test_a_history_of_very_many_columns_is_cut(make_run, tmp_path):
    make_run(history=[{"epoch": 1, **{f"x{i:03}": 0.5 for i in range(100)}}])
    _, content = collected(tmp_path)
    assert len(content["series"]) == len(content["histories"][0]["series"]) == SERIES
    assert content["notices"] == [f"{SERIES} of the 100 columns of the histories are on the page."]


# -- bad input --------------------------------------------------------------------------------------------------------


def test_damaged_folders_are_named_left_out_and_counted(make_run, tmp_path, capsys):
    make_run()
    truncated, damaged, without = (make_run(f"seed={seed}") for seed in (1, 2, 3))
    (truncated / "result.json").write_text('{"schema": 1, "run')
    (damaged / "predictions.npz").write_bytes(b"PK\x03\x04 cut short")
    (without / "predictions.npz").unlink()
    report(Which([tmp_path / "outputs"], every=True), tmp_path / "report.html")
    captured = capsys.readouterr()
    assert captured.out == f"{tmp_path / 'report.html'}\n"
    assert str(truncated) in captured.err
    assert str(damaged) in captured.err
    assert str(without) not in captured.err
    parsed = Parsed((tmp_path / "report.html").read_text())
    content = parsed.data
    assert content["count"] == 3
    assert [folder for folder, _ in parsed.page["left_out"]] == [str(truncated), str(damaged)]
    assert [isinstance(found, str) for found in content["predictions"]] == [False, True, True]
    assert "predictions.npz" in content["predictions"][1]


def test_a_fold_without_a_test_part_says_so_in_place_of_its_predictions(make_fold, tmp_path):
    folders = [make_fold(fold=fold) for fold in range(4)]
    page = tmp_path / "report.html"
    report(Which(list(map(str, folders)), every=True), page)
    parsed = Parsed(page.read_text(encoding="utf-8"))
    assert parsed.data["predictions"] == ["There is no test part."] * 4
    assert not parsed.page["left_out"]


@pytest.mark.parametrize(
    ("paths", "out", "options", "message"),
    [
        (["nowhere"], "report.html", {}, "'nowhere' fits none of the 1 runs in outputs"),
        (["empty"], "report.html", {}, "no runs below empty"),
        (["outputs"], "nowhere/report.html", {}, "there is no folder nowhere"),
        (["outputs"], "empty", {}, "is a folder"),
        (["outputs"], "link.html", {}, "-o link.html is a link; give the name of a file"),
        (["outputs"], "fifo", {}, "-o fifo is no regular file"),
        (["outputs"], "report.html", {"by": "model.nam"}, "model.name"),
        (["outputs"], "report.html", {"metric": "test_acuracy"}, "test_accuracy"),
        (["outputs"], "report.html", {"where": "seed == 99"}, "keeps none of the 1 runs"),
        (["outputs"], "report.html", {"where": "seed =="}, "seed =="),
    ],
)
def test_a_wrong_request_says_so_and_leaves_the_file_alone(
    make_run, tmp_path, monkeypatch, paths, out, options, message
):
    monkeypatch.chdir(tmp_path)
    make_run()
    (tmp_path / "empty").mkdir()
    (tmp_path / "report.html").write_text("before")
    (tmp_path / "link.html").symlink_to("report.html")
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(RequestError, match=re.escape(message)):
        report(Which(paths, options.pop("where", None), every=True), out, **options)
    assert (tmp_path / "report.html").read_text() == "before"


def test_only_damaged_runs_make_no_page(make_run, tmp_path, capsys):
    folder = make_run()
    (folder / "result.json").write_text("")
    with pytest.raises(RequestError, match="none of the runs can be read"):
        report(Which([tmp_path / "outputs"], every=True), tmp_path / "report.html")
    assert str(folder) in capsys.readouterr().err


def test_where_chooses_the_runs(sweep, make_run, tmp_path):
    damaged = make_run("seed=7")
    (damaged / "result.json").write_text("")
    report(Which([tmp_path / "outputs"], "model.name == 'mlp' and seed > 0", every=True), tmp_path / "report.html")
    parsed = Parsed((tmp_path / "report.html").read_text())
    assert column(parsed.data, "run_id")["values"] == [folder.name for folder in sweep[1:3]]
    assert [folder for folder, _ in parsed.page["left_out"]] == [str(damaged)]
