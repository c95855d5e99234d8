"""Tables of other metrics than accuracy, from table.yaml to the verdict."""

import json
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from fitbench import metrics
from fitbench.composition import Composer
from fitbench.errors import RequestError
from fitbench.tables import launching, measured, rendering, results_file
from fitbench.tables.bootstrap import deviation
from fitbench.tables.committed import with_committed
from fitbench.tables.composing import configurations
from fitbench.tables.reading import read
from fitbench.tables.record import readme
from fitbench.tables.remarks import remarks

COMMON = {"test_examples": 1000, "seeds": 3}
KAPPA = "metrics.kappa={_target_: table_metric.kappa, direction: max, low: -1, high: 1, label: Cohen kappa}"
CODE = """
import numpy as np

def kappa(labels, outputs):
    predicted, classes = outputs.argmax(axis=1), range(outputs.shape[1])
    chance = sum(np.mean(labels == i) * np.mean(predicted == i) for i in classes)
    return (np.mean(labels == predicted) - chance) / (1 - chance)
"""


@pytest.fixture
def own_metric(tmp_path, monkeypatch):
    """The file of a module on PYTHONPATH with the metric `kappa`."""
    path = tmp_path / "modules" / "table_metric.py"
    path.parent.mkdir()
    path.write_text(CODE)
    monkeypatch.syspath_prepend(path.parent)
    monkeypatch.delitem(__import__("sys").modules, "table_metric", raising=False)
    return path


@pytest.fixture
def table_of(define):
    """Reads a table with one row, and with changed keys."""

    def of(claimed: str | list[str], **changed):
        row = {"label": "net", "claimed": claimed, "overrides": ["model=mlp"]}
        return read(define(rows=[row], **{**COMMON, "tolerance": 0.5, **changed}))

    return of


def recognised(examples: int, right: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Labels of two classes, and probabilities that recognise this share of them."""
    random = np.random.default_rng(seed)
    labels = random.integers(2, size=examples)
    predicted = np.where(random.random(examples) < right, labels, 1 - labels)
    first = np.where(predicted == 0, 0.8, 0.2)
    return labels, np.stack([first, 1 - first], axis=1).astype(np.float32)


# -- from the definition to the page ----------------------------------------------------------------------------------


def test_macro_f1_in_percent(table_of, measure, look, composed):
    table = table_of("84.3", metric="macro_f1", unit="percent")
    assert (table.rows[0].measure.name, table.heading) == ("test_macro_f1", "test macro F1, %")
    assert table.rows[0].measure.tolerance == pytest.approx(0.005)
    measure(table, "net", {0: 0.843, 1: 0.844, 2: 0.842}, test=1000)
    outcome = look(table)[0]
    assert outcome.verdict == "reproduced"
    assert rendering.mean_sd(outcome) == "84.30 ± 0.10"
    assert rendering.difference(outcome) == "+0.00"
    page = readme(table, measured.read_runs(table, composed(table)))
    assert "\nTest macro F1, %. 1 row: 1 reproduced.\n" in page
    assert "The tolerance is 0.5." in page


def test_the_note_says_of_which_metric_a_row_has_a_larger_tolerance(define):
    units = {"accuracy": ("accuracy", 0.02), "macro_f1": ("value", 0.01)}
    two = [{"metric": name, "unit": unit, "tolerance": tolerance} for name, (unit, tolerance) in units.items()]
    row = {"claimed": {"accuracy": "0.9", "macro_f1": "0.9"}, "overrides": ["model=mlp"]}
    rows = [{**row, "label": "many"}, {**row, "label": "few", "test_examples": 10, "overrides": ["model=softmax"]}]
    table = read(define(rows, metrics=two, metric=..., unit=..., tolerance=...))
    text = rendering.rule(table, [])
    assert "The tolerance is 0.02 (accuracy), or one test example where that is more; 0.01 (macro F1)." in text


def test_a_metric_of_the_users_in_its_own_unit(own_metric, table_of, measure, look):
    table = table_of(["-0.05", "0.1"], metric="kappa", unit="value", tolerance=0.2, overrides=["data=digits", KAPPA])
    claim = table.rows[0].claim
    assert table.heading == "test Cohen kappa"
    assert (claim.low, claim.high, claim.lowest, claim.highest) == pytest.approx((-0.05, 0.1, -0.055, 0.15))
    measure(table, "net", {0: 0.60, 1: 0.61, 2: 0.62}, test=1000)
    outcome = look(table)[0]
    assert outcome.verdict == "better"
    assert rendering.claimed(claim) == "-0.05 to 0.1"
    assert rendering.difference(outcome) == "+0.4600"


def test_the_runs_that_a_table_launches_record_its_metric(own_metric, table_of, tmp_path, launched):
    for claimed, changed in (
        ("50", {"metric": "macro_f1", "unit": "percent"}),
        ("0.5", {"metric": "kappa", "unit": "value", "overrides": ["data=digits", KAPPA]}),
        ("0.5", {"metric": "loss", "unit": "value"}),
    ):
        table = table_of(claimed, **changed)
        launching.train(table, configurations(table, tmp_path))
    own = ["data=digits", "training.epochs=2", "model=mlp"]
    jobs = [job for _, jobs in launched for job in jobs]
    assert [job["overrides"] for job in jobs] == [
        [*own, "metrics.macro_f1=null"],
        ["data=digits", KAPPA, "model=mlp"],
        own,
    ]
    recorded = Composer().configuration(jobs[0]["overrides"]).metrics
    assert recorded == {"default": None, "macro_f1": None}


def test_finished_runs_that_lack_the_metric_are_launched(table_of, measure, composed, launched):
    table = table_of("84", metric="macro_f1", unit="percent")
    folders = measure(table, "net", dict.fromkeys(range(3), 0.84), test=1000)
    launching.train(table, composed(table))
    assert not launched
    path = folders[2] / "result.json"
    path.write_text(path.read_text().replace("macro_f1", "something"))
    launching.train(table, composed(table))
    assert [[job["seeds"] for job in jobs] for _, jobs in launched] == [[[0, 1, 2]]]


@pytest.mark.parametrize(("values", "verdict"), [((0.20, 0.21, 0.22), "better"), ((0.50, 0.51, 0.52), "worse")])
def test_of_a_loss_the_smaller_is_better(table_of, measure, look, values, verdict):
    table = table_of("0.35", metric="log_loss", unit="value", tolerance=0.01)
    measure(table, "net", dict(enumerate(values)), test=1000)
    outcome = look(table)[0]
    assert outcome.verdict == verdict
    assert rendering.mean_sd(outcome) == f"{values[1]:.4f} ± 0.0100"


@pytest.mark.parametrize(
    ("metric", "claimed", "values", "verdict"),
    [
        ("test_mae", "2.500", (2.0, 2.01, 1.99), "better"),
        ("val_rmse", "2.500", (3.0, 3.01, 2.99), "worse"),
        ("r2", "0.710", (0.2, 0.21, 0.19), "worse"),
        ("r2", "-0.100", (-0.1, -0.11, -0.09), "reproduced"),
        ("loss", "8.000", (8.0, 8.01, 7.99), "reproduced"),
    ],
)
def test_a_table_of_a_regression(table_of, measure, look, metric, claimed, values, verdict):
    examples = 20 if metric.startswith("val_") else 1000  # of the part, as `measure` records them
    overrides = ["data=boston_housing"]
    table = table_of(claimed, metric=metric, unit="value", tolerance=0.3, overrides=overrides, test_examples=examples)
    measure(table, "net", dict(enumerate(values)), test=1000)
    outcome = look(table)[0]
    assert outcome.verdict == verdict
    expected = values[0] - float(claimed)
    assert float(rendering.difference(outcome)) == pytest.approx(expected, abs=0.00051)  # as printed


@pytest.mark.parametrize(
    ("claimed", "difference"), [("0.0000312", "+0.0000088"), ("0.0", "+0.0000000"), ("none stated", "-")]
)
def test_small_values_are_shown_with_the_decimals_of_the_claim_or_of_the_tolerance(
    table_of, measure, look, claimed, difference
):
    table = table_of(claimed, metric="mse", unit="value", tolerance=4e-7, overrides=["data=boston_housing"])
    measure(table, "net", {0: 4.0e-5, 1: 4.03e-5, 2: 3.97e-5})
    outcome = look(table)[0]
    assert rendering.mean_sd(outcome) == "0.0000400 ± 0.0000003"
    cells = {column.head: column.cells[0] for column in rendering.columns(table, [outcome])}
    assert cells["95% interval"] == "0.0000393 to 0.0000408"
    assert "The tolerance is 0.0000004." in rendering.rule(table, [outcome])
    assert rendering.difference(outcome) == difference


def test_a_metric_of_the_users_stands_beside_those_of_a_regression(define, tmp_path):
    own = "metrics.worst={_target_: sklearn.metrics.max_error, direction: min, low: 0, unit: kEUR}"
    rows = [{"label": "net", "claimed": "20.1", "overrides": ["model=mlp"]}]
    overrides = ["data=boston_housing", "metrics=[mae]", own]
    table = read(define(rows, metric="val_worst", unit="value", tolerance=1.0, overrides=overrides))
    assert (table.heading, table.rows[0].measure.metric.higher_is_better) == ("validation worst, kEUR", False)
    assert list(configurations(table, tmp_path)["net"].metrics) == ["mae", "worst"]


def test_a_table_of_several_labels(table_of, measure, look):
    labels = ["data=npz", "data.path=songs.npz", "task=multilabel", "distortion=none"]
    table = table_of("25.0", metric="hamming_loss", unit="percent", overrides=labels)
    measure(table, "net", {0: 0.20, 1: 0.201, 2: 0.199}, test=1000)
    outcome = look(table)[0]
    assert (outcome.verdict, rendering.difference(outcome)) == ("better", "-4.95")  # of 24.95
    table = table_of("25.0", metric="subset_accuracy", unit="error_percent", overrides=labels)
    assert (table.heading, table.rows[0].claim.low) == ("test subset error, %", 0.75)


def test_values_of_the_validation_part_and_errors_of_other_proportions(table_of, measure, look):
    table = table_of("2.0", metric="val_top_3_accuracy", unit="error_percent")
    assert (table.rows[0].measure.name, table.heading) == ("val_top_3_accuracy", "validation top-3 error, %")
    measure(table, "net", {0: 0.98, 1: 0.981, 2: 0.979}, test=1000)
    outcome = look(table)[0]
    assert rendering.mean_sd(outcome) == "2.00 ± 0.10"
    assert outcome.records[0].test_examples == 20


# -- wrong definitions ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"metric": "macro_f2"}, r"metric: there is no metric 'macro_f2'; did you mean macro_f1"),
        ({"metric": "val_hamming"}, r"metric: there is no metric 'hamming'; did you mean hamming_loss"),
        ({"metric": "mean_absolute_error"}, r"'mean_absolute_error'; there are accuracy, .* mae, .* top_5_accuracy"),
        ({"metric": "kappa"}, r"metric: .*'kappa'.* defined in overrides, as metrics\.NAME=\{_target_: mine"),
        ({"metric": "kappa", "overrides": ["metrics.kappa={_target_: kappa, direction: max}"]},
         r"metric: metrics\.kappa\._target_ is 'kappa'; expected a dotted name"),
        ({"metric": "macro_f1", "unit": "accuracy"}, "unit is 'accuracy'; it must be one of percent, value "),
        ({"metric": "macro_f1", "unit": "error_percent"}, "unit is 'error_percent'; it must be one of percent, "),
        ({"metric": "log_loss", "unit": "percent"}, "unit is 'percent'; it must be value for test log loss"),
        ({"metric": "test_accuracy", "unit": "value"},
         "unit is 'value'; it must be one of accuracy, error_percent, percent for"),
        ({"metric": "macro_f1", "unit": "percent", "tolerance": ...},
         r"tolerance is missing; it must be the difference in macro F1, % that does not matter: macro F1 has no def"),
        ({"metric": "macro_f1", "unit": "percent", "rows": [{"label": "a", "claimed": "-1", "measured": False}]},
         "claimed is '-1'; it must be macro F1, % from 0 to 100$"),
        ({"metric": "log_loss", "unit": "value", "rows": [{"label": "a", "claimed": "-1", "measured": False}]},
         "claimed is '-1'; it must be log loss of at least 0$"),
        ({"rows": [{"label": "a", "claimed": "1", "deviation": "-1", "trainings": 2, "measured": False}]},
         "deviation is '-1'; it must be at least 0"),
    ],
)  # fmt: skip
def test_a_metric_and_a_unit_that_do_not_exist_or_fit_are_refused(define, changed, message):
    with pytest.raises(RequestError, match=message) as refusal:
        read(define(**{"tolerance": 0.5, **changed}))
    assert "table.yaml: " in str(refusal.value)


def test_a_row_cannot_define_the_metric_otherwise(define, tmp_path):
    rows = [{"label": "a", "claimed": "0.5", "overrides": ["metrics.kappa.direction=min"]}]
    table = read(define(rows, metric="kappa", unit="value", tolerance=0.1, overrides=["data=digits", KAPPA]))
    with pytest.raises(RequestError, match=r"row 'a': overrides: metrics\.kappa is not as the table defines it"):
        configurations(table, tmp_path)


def test_a_metric_of_another_task_than_that_of_a_row_is_refused(define, tmp_path):
    table = read(define(rows=[{"label": "a", "claimed": "8.4", "overrides": ["data=boston_housing", "model=mlp"]}]))
    message = r"row 'a': metric is accuracy, but the task is regression, which has mae, "
    with pytest.raises(RequestError, match=message):
        configurations(table, tmp_path)


# -- the records ------------------------------------------------------------------------------------------------------


def test_runs_of_different_definitions_are_not_aggregated(own_metric, table_of, measure, look):
    table = table_of("0.6", metric="kappa", unit="value", overrides=["data=digits", KAPPA])
    measure(table, "net", {0: 0.60, 1: 0.61}, test=1000)
    own_metric.write_text(CODE + "# changed\n")
    measure(table, "net", {2: 0.62}, test=1000)
    with pytest.raises(RequestError, match=r"kappa has different definitions in the runs of this table:\n.*sha256.*\n"):
        look(table)


def test_a_run_that_lacks_the_metric_or_has_no_value_of_it_does_not_count(table_of, measure, look, tmp_path):
    table = table_of("84", metric="macro_f1", unit="percent")
    folders = measure(table, "net", {0: 0.84, 1: None, 2: 0.84}, test=1000)
    path = folders[2] / "result.json"
    path.write_text(path.read_text().replace("macro_f1", "something"))
    outcome = look(table)[0]
    assert [record.state for record in outcome.records] == ["finished", "undefined", "not evaluated"]
    assert remarks([outcome])[:2] == [
        "net: seed 1 undefined (test_macro_f1 is null in result.json)",
        "net: seed 2 not evaluated (test_macro_f1 is not in result.json; fitbench table --run adds it)",
    ]
    measure(table, "net", {0: None}, test=1000)
    assert look(table)[0].verdict == "no value"  # and not 'not run'
    measure(table, "net", {0: 0.84}, test=1000)
    [config] = configurations(table, tmp_path / "outputs").values()
    assert measured.is_measured(folders[0], "test_macro_f1", config)
    assert not measured.is_measured(folders[2], "test_macro_f1", config)
    elsewhere = json.loads(folders[0].joinpath("result.json").read_text())
    elsewhere["config"]["data"]["path"] = "elsewhere/digits.csv"
    folders[0].joinpath("result.json").write_text(json.dumps(elsewhere))
    assert not measured.is_measured(folders[0], "test_macro_f1", config)


def test_a_run_with_another_direction_of_the_metric_is_damaged(table_of, measure, look, capsys):
    table = table_of("84", metric="macro_f1", unit="percent")
    [folder] = measure(table, "net", {0: 0.84}, test=1000)
    path = folder / "result.json"
    info = '"label": "macro F1",\n      "direction": '
    assert info in path.read_text()
    path.write_text(path.read_text().replace(f'{info}"max"', f'{info}"min"'))
    assert look(table)[0].records[0].state == "damaged"
    assert "direction of metric_info.macro_f1 is min; the table has max" in capsys.readouterr().err


# -- other test examples ----------------------------------------------------------------------------------------------


@pytest.fixture
def predicted(measure):
    """Records three runs with the predictions of 1,000 test examples; gives labels and probabilities by seed."""

    def record(table, metric):
        pairs = [recognised(1000, 0.9, seed) for seed in range(3)]
        folders = measure(table, "net", {i: metric(*pair) for i, pair in enumerate(pairs)}, test=1000)
        for folder, (labels, probabilities) in zip(folders, pairs, strict=True):
            np.savez(folder / "predictions.npz", labels=labels, probabilities=probabilities, data_sha256="ab" * 32)
        return pairs

    return record


def test_on_other_test_examples_the_bootstraps_variance_counts_and_is_stored(
    table_of, predicted, look, tmp_path, composed
):
    table = table_of("88", metric="macro_f1", unit="percent", test_set="other", test_examples=500)
    metric = metrics.get("macro_f1")
    pairs = predicted(table, metric.evaluate)
    deviations = [deviation(metric.evaluate, *pair) for pair in pairs]
    outcome = look(table)[0]
    assert [record.bootstrap_deviation for record in outcome.records] == deviations
    assert deviations[0] == pytest.approx(0.0095, rel=0.1)  # sqrt(0.9 * 0.1 / 1000) of a balanced accuracy
    sampling = np.mean(np.square(deviations)) * (1 + 1000 / 500)
    training = np.var(outcome.values, ddof=1) * (1 + 1 / 3)
    expected = np.sqrt(stats.t.ppf(0.975, 2) ** 2 * training + stats.norm.ppf(0.975) ** 2 * sampling)
    assert outcome.judgement.half_width == pytest.approx(expected)
    assert "net: the variance between test sets is that of a bootstrap with 1,000 resamples of ours" in remarks(
        [outcome]
    )
    (tmp_path / "results.csv").write_text(results_file.as_csv(outcome.records))
    assert results_file.read_csv(tmp_path / "results.csv") == outcome.records


@pytest.mark.parametrize("changed", [{}, {"value": 0.5}, {"data_sha256": "cd" * 32}, {"definition": "another"}])
def test_a_bootstrap_that_cannot_be_computed_is_taken_from_the_same_value_in_results_csv(
    table_of, predicted, look, composed, tmp_path, changed
):
    table = table_of("88", metric="macro_f1", unit="percent", test_set="other", test_examples=500)
    predicted(table, metrics.get("macro_f1").evaluate)
    before = look(table)[0]
    stated = [replace(record, **changed) for record in before.records]
    (table.folder / "results.csv").write_text(results_file.as_csv(stated))
    for path in tmp_path.rglob("predictions.npz"):
        path.unlink()
    records = look(table)[0].records
    assert {record.bootstrap_deviation for record in records} == {None}
    expected = records if changed else before.records
    assert with_committed(table, records, composed(table)) == expected


def test_the_bootstrap_scores_values_of_a_regression(table_of, measure, look):
    table = table_of("1.0", metric="mae", unit="value", test_set="other", overrides=["data=boston_housing"])
    random = np.random.default_rng(0)
    targets = random.normal(size=(1000, 2)).astype(np.float32)
    values = targets + random.normal(size=(1000, 2)).astype(np.float32)
    folders = measure(table, "net", dict.fromkeys(range(3), 0.8), test=1000)
    for folder in folders:
        np.savez(folder / "predictions.npz", targets=targets, values=values, data_sha256="ab" * 32)
    expected = np.abs(values - targets).mean(axis=1).std() / np.sqrt(1000)
    assert look(table)[0].records[0].bootstrap_deviation == pytest.approx(expected, rel=0.1)


def test_the_bootstrap_decides_labels_by_the_threshold_of_the_run(table_of, measure, look):
    multilabel = ["data=npz", "data.path=songs.npz", "task=multilabel", "training.threshold=auto"]
    table = table_of("0.25", metric="hamming_loss", unit="value", test_set="other", overrides=multilabel)
    labels = np.zeros((1000, 2), np.int8)
    probabilities = np.full((1000, 2), 0.2, np.float32)
    probabilities[:500] = 0.4  # at 0.3 the labels of every second example are wrong, at 0.5 none
    for folder in measure(table, "net", dict.fromkeys(range(3), 0.5), test=1000):
        np.savez(folder / "predictions.npz", labels=labels, probabilities=probabilities, data_sha256="ab" * 32)
        path = folder / "result.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | {"threshold": 0.3}))
    assert look(table)[0].records[0].bootstrap_deviation == pytest.approx(0.5 / np.sqrt(1000), rel=0.1)


def test_on_the_same_test_examples_there_is_no_bootstrap(table_of, predicted, look):
    table = table_of("88", metric="macro_f1", unit="percent", test_set="same")
    predicted(table, metrics.get("macro_f1").evaluate)
    assert {record.bootstrap_deviation for record in look(table)[0].records} == {None}


def test_a_metric_that_cannot_be_imported_has_no_bootstrap_and_the_remark_says_so(
    own_metric, table_of, predicted, look
):
    from fitbench import user_metrics

    table = table_of("0.8", metric="kappa", unit="value", test_set="other", overrides=["data=digits", KAPPA])
    kappa = user_metrics.load("kappa", {"_target_": "table_metric.kappa", "direction": "max"})
    predicted(table, kappa.evaluate)
    assert look(table)[0].records[0].bootstrap_deviation == pytest.approx(0.019, rel=0.1)
    own_metric.unlink()
    __import__("sys").modules.pop("table_metric")
    __import__("importlib").invalidate_caches()
    outcome = look(table)[0]
    assert (outcome.verdict, outcome.judgement.half_width) == ("inconclusive", None)
    text = "\n".join(remarks([outcome]))
    assert "net: inconclusive, because the sampling of the test examples is unknown" in text
    assert "net: seeds 0, 1, 2: no bootstrap: metrics.kappa._target_ is table_metric.kappa, which cannot be lo" in text


def test_a_metric_that_has_changed_since_the_run_has_no_bootstrap(own_metric, table_of, predicted, look):
    table = table_of("0.8", metric="kappa", unit="value", test_set="other", overrides=["data=digits", KAPPA])
    predicted(table, lambda labels, probabilities: 0.8)
    own_metric.write_text(CODE + "# changed\n")
    assert look(table)[0].records[0].reason == "no bootstrap: kappa is defined otherwise in the run than here"


def test_the_loss_has_no_bootstrap(table_of, predicted, look):
    table = table_of("0.3", metric="loss", unit="value", test_set="other")
    predicted(table, lambda labels, probabilities: 0.3)
    assert look(table)[0].records[0].reason == "no bootstrap: loss is not computed from predictions"


# -- other definitions ------------------------------------------------------------------------------------------------


def test_a_metric_of_another_target_does_not_take_the_values_of_the_former_one(own_metric, table_of, predicted, look):
    settings = {"metric": "kappa", "unit": "value", "test_set": "same"}
    predicted(table_of("0.8", overrides=["data=digits", KAPPA], **settings), lambda labels, probabilities: 0.8)
    own_metric.write_text(f"{CODE}\nother = kappa\n")
    table = table_of("0.8", overrides=["data=digits", KAPPA.replace("metric.kappa", "metric.other")], **settings)
    with pytest.raises(RequestError, match=r"the metric kappa was table_metric\.kappa \{\} and is table_metric\.other"):
        look(table)


def test_values_of_results_csv_are_not_mixed_with_those_of_another_definition(
    own_metric, table_of, predicted, composed
):
    table = table_of("0.8", metric="kappa", unit="value", overrides=["data=digits", KAPPA])
    predicted(table, lambda labels, probabilities: 0.8)
    configs = composed(table)
    records = measured.read_runs(table, configs)
    path, former = table.folder / "results.csv", [replace(one, definition=f"{one.definition}0") for one in records]
    path.write_text(results_file.as_csv(former))
    assert with_committed(table, records, configs) == records
    missing = [replace(records[0], state="missing", value=None, definition=""), *records[1:]]
    message = r"kappa has different definitions in the runs of this table; --run --anew .*:\n.*, such as results\.csv\n"
    with pytest.raises(RequestError, match=message):
        with_committed(table, missing, configs)
    path.write_text(results_file.as_csv([replace(one, definition="") for one in records]))  # of an earlier version
    assert with_committed(table, missing, configs)[0].committed
