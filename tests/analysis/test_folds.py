"""Groups of runs with folds: averaged over the seeds of each fold, paired by fold, and what is said of them."""

import csv
import io
import json
import math
import re
import shutil

import numpy as np
import pytest
from scipy import stats
from typer.testing import CliRunner

from fitbench import cli, load_history, load_runs
from fitbench.analysis.comparison import against
from fitbench.analysis.filters import select
from fitbench.analysis.frame import quantities_of
from fitbench.analysis.groups import group
from fitbench.analysis.mean_curves import mean_curve
from fitbench.analysis.statistics import corrected, mean_interval, of_seeds
from fitbench.analysis.telling import default_keys
from fitbench.errors import RequestError

FOLDS = 5
# val_accuracy by fold and seed, as [fold][seed]
MLP = [[0.90, 0.92], [0.92, 0.94], [0.88, 0.88], [0.91, 0.93], [0.89, 0.91]]
LINEAR = [[0.87, 0.89], [0.90, 0.92], [0.87, 0.87], [0.86, 0.88], [0.88, 0.90]]


@pytest.fixture
def record(make_run, tmp_path):
    """Writes the runs of a model, one for each value by fold and seed (None: no run); gives the outputs folder."""

    def write(model, values, *overrides, study="default", test=0.5, **changes):
        kfold = ["training.validation=kfold", f"training.folds={len(values)}", "fold=0"]
        first = make_run(f"model={model}", *kfold, "seed=0", f"study={study}", *overrides)
        result, name = json.loads((first / "result.json").read_text()), first.name.removesuffix("-s0-f0")
        for fold, of_fold in enumerate(values):
            for seed, value in enumerate(of_fold):
                folder = first.parent / f"{name}-s{seed}-f{fold}"
                if folder != first:
                    shutil.copytree(first, folder)
                of_run = json.loads(json.dumps(result | changes))
                of_run |= {"run_id": folder.name, "seed": seed, "fold": fold}
                of_run["config"] |= {"seed": seed, "fold": fold}
                of_run["metrics"] |= {"val_accuracy": value, "test_accuracy": test}
                of_run["data"] |= {"train": 80, "validation": 20} | ({} if test is not None else {"test": 0})
                (folder / "result.json").write_text(json.dumps(of_run))
                config = (first / "config.yaml").read_text()
                (folder / "config.yaml").write_text(re.sub(r"(?m)^fold: \d$", f"fold: {fold}", config))
        for fold, of_fold in enumerate(values):
            for seed in (seed for seed, value in enumerate(of_fold) if value is None):
                shutil.rmtree(first.parent / f"{name}-s{seed}-f{fold}")
        return tmp_path / "outputs"

    return write


@pytest.fixture
def two_models(record):
    record("mlp", MLP)
    return record("softmax", LINEAR)


def run(*arguments):
    result = CliRunner().invoke(cli.app, list(map(str, arguments)))
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def means(values):
    return [np.mean(of_fold) for of_fold in values]


# -- the frame --------------------------------------------------------------------------------------------------------


def test_the_fold_is_a_column_and_no_configuration(record, make_run):
    outputs = record("mlp", MLP)
    make_run("model=mlp", "study=plain", "seed=7")
    make_run("model=mlp", "study=going", "training.validation=kfold", "training.folds=5", "fold=3", finished=False)
    frame = load_runs(outputs)
    assert frame["fold"].dropna().value_counts().to_dict() == {0: 2, 1: 2, 2: 2, 3: 3, 4: 2}
    going = frame[frame["state"] == "interrupted"].iloc[0]
    assert (going["fold"], going["config_id"]) == (3, frame["config_id"][0])
    assert math.isnan(frame.loc[frame["study"] == "plain", "fold"].iloc[0])
    assert "fold" not in default_keys(frame)
    assert select(frame, "fold == 2")["fold"].tolist() == [2, 2]
    assert select(frame, "fold == None")["seed"].tolist() == [7]
    history = load_history(outputs)
    assert set(history.loc[history["fold"] == 3, "run_id"]) == set(frame.loc[frame["fold"] == 3, "run_id"])


def test_runs_without_folds_have_a_column_of_missing_numbers(make_run, tmp_path):
    make_run()
    assert load_runs(tmp_path)["fold"].dtype == float
    assert load_history(tmp_path)["fold"].dtype == float


def test_runs_that_continue_runs_of_their_own_seeds_are_one_group(record):
    outputs = record("mlp", MLP)
    for path in outputs.glob("*/*/result.json"):
        result = json.loads(path.read_text())
        result["config"]["parent"] = {
            "run_id": f"parent-s{result['seed']}-f{result['fold']}", "folder": "somewhere", "config_id": "ab" * 4,
            "sha256": f"{result['seed']}{result['fold']}" * 32,
        }  # fmt: skip
        result["config"]["training"]["start"] = {
            "run_id": f"start-s{result['seed']}", "folder": f"{result['seed']}", "sha256": "cd" * 32,
        }  # fmt: skip
        path.write_text(json.dumps(result))
    frame = load_runs(outputs)
    [only] = group(frame, default_keys(frame), "val_accuracy")
    assert (only.summary.n, only.mixed, only.repeated) == (FOLDS, {}, ())


# -- groups -----------------------------------------------------------------------------------------------------------


def test_values_are_averaged_over_the_seeds_of_each_fold(record):
    [only] = group(load_runs(record("mlp", MLP)), ["model"], "val_accuracy")
    assert only.means == pytest.approx(means(MLP))
    assert (only.summary.n, len(only.values), only.sample.text) == (FOLDS, 10, "5 folds x 2 seeds")
    assert only.summary.mean == pytest.approx(np.mean(MLP))
    assert only.summary.sd == pytest.approx(np.std(means(MLP), ddof=1))
    assert (only.best, only.worst) == pytest.approx((0.93, 0.88))
    assert (only.repeated, only.mixed) == ((), {})


def test_the_interval_of_one_seed_has_the_corrected_resampled_variance_and_says_that_it_is_of_this_seed(record):
    outputs, values = record("mlp", [of_fold[:1] for of_fold in MLP]), [of_fold[0] for of_fold in MLP]
    [only] = group(load_runs(outputs), ["model"], "val_accuracy")
    low, high = only.summary.interval
    mean, t = np.mean(values), stats.t.ppf(0.975, FOLDS - 1)
    error = math.sqrt(1 / FOLDS + 20 / 80) * np.std(values, ddof=1)
    size = mean * (1 - mean) / error**2
    ends = [abs(end - mean) - t * math.sqrt(end * (1 - end) / size) for end in (low, high)]
    assert ends == pytest.approx([0, 0], abs=1e-12)
    out = run("compare", outputs, "--by", "model", "--explain").stdout
    assert "The interval holds for the seeds of these runs alone, as there is only one: mlp." in out
    assert "with k - 1 degrees of freedom" in out


def test_the_interval_covers_how_the_seeds_vary(record):
    outputs = record("mlp", MLP)
    [only] = group(load_runs(outputs), ["model"], "val_accuracy")
    expected = mean_interval(means(MLP), 0.0, 1.0, 1 / 100, 20 / 80, of_seeds(np.mean(MLP, axis=0).tolist()))
    assert only.summary.interval == pytest.approx(expected)
    out = run("compare", outputs, "--by", "model", "--explain").stdout
    assert "plus s_seed^2 / S of the means of the S seeds" in out
    assert "of these runs alone" not in out


def test_where_no_fold_has_all_seeds_the_interval_says_that_it_leaves_them_out(record):
    out = run("compare", record("mlp", [[0.9, None], [None, 0.8], [0.7, None]]), "--by", "model", "--explain").stdout
    assert "The interval holds for the seeds of these runs alone, as no fold has all of them: mlp." in out


def test_folds_that_agree_have_an_interval_of_one_example_of_all_folds_together(record):
    [only] = group(load_runs(record("mlp", [[0.9]] * FOLDS)), ["model"], "val_accuracy")
    assert only.summary.interval == pytest.approx((0.89, 0.91))  # 5 folds of 20 examples
    [only] = group(load_runs(record("mlp", [[0.9]] * FOLDS, study="again")), ["model"], "test_accuracy")
    assert only.summary.interval == pytest.approx((0.5 - 1 / 60, 0.5 + 1 / 60))  # one test part of 60


def test_a_fold_with_fewer_seeds_counts_once_and_what_is_missing_is_named(record):
    [only] = group(
        load_runs(record("mlp", [[0.9, None], [0.8, 0.7], [None, None], [0.6, 0.5]])), ["model"], "val_accuracy"
    )
    assert only.means == pytest.approx((0.9, 0.75, 0.55))
    assert only.sample.text == "3 of 4 folds x 1 to 2 seeds"
    assert only.sample.missing == ["fold 0 with seed 1", "fold 2"]


def test_a_run_that_is_recorded_twice_counts_once_and_another_fold_is_no_repetition(record):
    record("mlp", MLP)
    [only] = group(load_runs(record("mlp", [MLP[0][:1], *[[None]] * 4], study="again")), ["model"], "val_accuracy")
    assert (len(only.values), len(only.repeated)) == (10, 1)


def test_different_folds_in_one_group_have_no_interval_and_no_test(record, two_models):
    frame = load_runs(record("mlp", MLP[:3], study="three"))
    mixed, other = sorted(group(frame, ["model"], "val_accuracy"), key=lambda each: each.label)
    assert (mixed.summary.n, mixed.summary.interval) == (8, None)
    assert "several partitions" in mixed.summary.no_interval
    assert mixed.sample.text == "16 runs with different folds"
    assert other.summary.interval
    found = against([mixed, other], 0, _val_accuracy(frame))[1]
    assert (found.difference.test, found.difference.p, found.probability) == ("not tested", None, None)
    by_folds = group(frame, default_keys(frame), "val_accuracy")
    assert sorted(each.label for each in by_folds) == ["mlp, 3", "mlp, 5", "softmax, 5"]


def _val_accuracy(frame):
    return quantities_of(frame)["metrics.val_accuracy"]


# -- comparisons ------------------------------------------------------------------------------------------------------


def test_groups_are_paired_by_fold_with_the_corrected_test(two_models):
    frame = load_runs(two_models)
    groups = group(frame, ["model"], "val_accuracy")
    found = against(groups, 0, _val_accuracy(frame))[1]
    differences = np.subtract(means(LINEAR), means(MLP))
    t = differences.mean() / math.sqrt((1 / FOLDS + 20 / 80) * differences.var(ddof=1))
    assert (found.difference.test, found.difference.n) == ("corrected t", (FOLDS,))
    assert found.difference.estimate == pytest.approx(differences.mean())
    assert found.difference.p == pytest.approx(2 * stats.t.sf(abs(t), FOLDS - 1))
    wins = [[(a > b) + (a == b) / 2 for a in low for b in high] for low, high in zip(LINEAR, MLP, strict=True)]
    assert found.probability == pytest.approx(np.mean(wins))


# Other values of the model: its seeds differ by 0.1 in every fold.
FAR = [[value - 0.05, value + 0.05] for value, _ in LINEAR]


def test_the_same_seeds_vary_by_their_differences_and_other_seeds_by_their_own_means(record):
    record("mlp", MLP)
    outputs = record("softmax", FAR)
    frame = load_runs(outputs)
    groups = group(frame, ["model"], "val_accuracy")
    found = against(groups, 0, _val_accuracy(frame))[1].difference
    a, b = (np.mean(values, axis=0) for values in (FAR, MLP))
    same = corrected(means(FAR), means(MLP), 20 / 80, 0, 1, of_seeds((a - b).tolist()))
    assert (found.p, *found.interval) == pytest.approx((same.p, *same.interval))
    for path in outputs.glob("*/*-softmax-*/result.json"):
        result = json.loads(path.read_text())
        result["seed"] += 7
        path.write_text(json.dumps(result))
    frame = load_runs(outputs)
    groups = group(frame, ["model"], "val_accuracy")
    found = against(groups, 0, _val_accuracy(frame))[1].difference
    other = corrected(means(FAR), means(MLP), 20 / 80, 0, 1, [*of_seeds(a.tolist()), *of_seeds(b.tolist())])
    assert (found.p, *found.interval) == pytest.approx((other.p, *other.interval))
    assert other.p > same.p


def test_the_pairs_are_the_folds_that_both_groups_have(record):
    record("mlp", [[None, None], *MLP[1:]])
    frame = load_runs(record("softmax", [*LINEAR[:4], [None, None]]))
    groups = group(frame, ["model"], "val_accuracy")
    found = against(groups, 0, _val_accuracy(frame))[1].difference
    assert found.n == (3,)
    assert found.estimate == pytest.approx(np.subtract(means(LINEAR[1:4]), means(MLP[1:4])).mean())


@pytest.mark.parametrize(
    "other",
    [("training.fold_seed=1",), ("training.fold_order=consecutive",), ("data.path=x.csv",)],
    ids=["seed", "order", "data"],
)
def test_other_folds_are_never_paired(record, other):
    record("mlp", MLP)
    changes = {}
    if other[0].startswith("data"):
        other, changes = (), {"data": _data("cd" * 32)}
    frame = load_runs(record("softmax", LINEAR, *other, **changes))
    groups = group(frame, ["model"], "val_accuracy")
    found = against(groups, 0, _val_accuracy(frame))[1].difference
    assert (found.test, found.p, found.interval) == ("not tested", None, None)
    assert "different folds" in found.note


def test_folds_without_numbers_of_examples_have_no_interval_and_no_test(two_models):
    for path in two_models.glob("*/*-softmax-*/result.json"):
        result = json.loads(path.read_text())
        result["data"]["train"] = 0
        path.write_text(json.dumps(result))
    frame = load_runs(two_models)
    groups = group(frame, ["model"], "val_accuracy")
    assert groups[0].summary.interval
    assert groups[1].summary.interval is None
    assert "numbers of training and validation examples" in groups[1].summary.no_interval
    found = against(groups, 0, _val_accuracy(frame))[1].difference
    assert (found.test, found.p) == ("not tested", None)
    assert "numbers of training and validation examples" in found.note


@pytest.fixture
def held_back(record):
    """Records two models on data of other checksums, with checksums of what their folds held back; gives the frame."""

    def write(ours, theirs):
        outputs = record("mlp", MLP)
        record("softmax", LINEAR, data=_data("cd" * 32))
        for model, checksums in (("mlp", ours), ("softmax", theirs)):
            for path in outputs.glob(f"*/*-{model}-*/result.json"):
                result = json.loads(path.read_text())
                result["data"]["fold_sha256"] = checksums[result["fold"]]
                path.write_text(json.dumps(result))
        return load_runs(outputs)

    return write


def test_folds_that_held_back_the_same_rows_are_paired_whatever_their_columns(held_back, tmp_path):
    outputs = tmp_path / "outputs"
    frame = held_back("abcde", "abcde")
    found = against(group(frame, ["model"], "val_accuracy"), 0, _val_accuracy(frame))[1]
    assert (found.difference.test, found.difference.n) == ("corrected t", (FOLDS,))
    assert found.probability is not None
    [together] = group(frame, ["study"], "val_accuracy")
    assert (together.summary.n, together.sample.text, together.summary.no_interval) == (5, "5 folds x 4 runs", None)
    assert "dataset.sha256" in together.mixed
    assert default_keys(frame) == ["model.name"]
    assert "same examples" not in run("compare", outputs, "--by", "model").stdout


@pytest.mark.parametrize(
    ("ours", "theirs", "why"),
    [
        ("abcde", "abXdY", r"other examples or targets in fold 2, 4$"),
        ("abcde", "vwxyz", r"other examples or targets in fold 0, 1, 2, 3, 4 \(they differ in dataset\.sha256\)"),
        ("abcde", [None] * 5, r"differ in dataset\.sha256, and not all have recorded their examples"),
    ],
    ids=["some", "all", "unknown"],
)
def test_folds_that_held_back_other_examples_are_not_tested_and_the_reason_is_true(held_back, ours, theirs, why):
    frame = held_back(ours, theirs)
    found = against(group(frame, ["model"], "val_accuracy"), 0, _val_accuracy(frame))[1].difference
    assert (found.test, found.p) == ("not tested", None)
    assert re.search(why, found.note)
    [together] = group(frame, ["study"], "val_accuracy")
    assert together.summary.interval is None
    expected = "in the same fold" if ours[0] == theirs[0] else "several partitions"
    assert expected in together.summary.no_interval


def _data(sha256):
    return {"name": "mnist_5k", "sha256": sha256, "train": 80, "validation": 20, "test": 60, "classes": ["a", "b"]}


def test_groups_with_and_without_folds_are_never_tested_against_each_other(record, make_run):
    outputs = record("mlp", MLP)
    for seed in range(5):
        make_run("model=softmax", f"seed={seed}")
    out = run("compare", outputs, "--metric", "val_accuracy", "--by", "model", "--explain").stdout
    assert "No p-value, only one of the two has folds: softmax." in out
    assert "Against" not in out
    assert "Means over mlp: 5 folds x 2 seeds; softmax: 5 runs." in out
    assert "P(better):" not in out


# -- what is printed --------------------------------------------------------------------------------------------------


def test_compare_ranks_by_the_validation_part_where_all_runs_have_folds(two_models):
    out = run("compare", two_models, "--explain").stdout
    assert out.startswith("val_accuracy, higher is better: 20 runs in 2 groups (5 folds x 2 seeds each) by model")
    assert "corrected t, n = 5" in out
    assert "p: corrected resampled t-test, paired by fold" in out
    assert "(Nadeau and Bengio 2003, Machine Learning 52, 239-281)" in out
    assert "over seeds" not in out
    assert "nan" not in out.lower()


def test_beside_runs_without_folds_the_test_part_is_compared_if_all_have_one(record, make_run):
    outputs = record("mlp", MLP)
    make_run("model=softmax")
    assert run("compare", outputs).stdout.startswith("test_accuracy,")
    record("softmax", LINEAR, study="untested", test=None)
    assert run("compare", outputs).stdout.startswith("val_accuracy,")


def test_an_incomplete_grid_is_said_and_how_it_counts(record):
    out = run("compare", record("mlp", [[0.9, None], *MLP[1:4], [None, None]]), "--explain").stdout
    assert "(4 of 5 folds x 1 to 2 seeds)" in out
    assert "Missing: mlp, adam (fold 0 with seed 1; fold 4)." in out
    assert "each of them counts once" in out


def test_json_and_csv_have_the_folds(two_models):
    best = json.loads(run("compare", two_models, "--format", "json").stdout)["comparisons"][0]["groups"][0]
    assert (best["n"], best["mean_over"], best["missing"]) == (5, "5 folds x 2 seeds", [])
    assert list(zip(best["folds"], best["seeds"], strict=True))[:3] == [(0, 0), (1, 0), (2, 0)]
    assert best["means"] == pytest.approx(means(MLP))
    rows = list(csv.DictReader(io.StringIO(run("compare", two_models, "--format", "csv").stdout)))
    assert [row["test"] for row in rows] == ["", "corrected t"]
    listed = run("runs", two_models, "--where", "fold == 2", "--format", "csv").stdout
    assert [row["fold"] for row in csv.DictReader(io.StringIO(listed))] == ["2"] * 4


def test_runs_show_the_fold_where_there_are_folds(record, make_run, tmp_path):
    make_run("study=plain")
    assert " fold " not in run("runs", tmp_path / "outputs").stdout
    outputs = record("mlp", MLP)
    head = next(line for line in run("runs", outputs, "--all").stdout.splitlines() if line.startswith("state"))
    assert " fold " in head


def test_show_and_diff_name_the_fold(record):
    outputs = record("mlp", MLP, test=None)
    [two], [three] = (list(outputs.glob(f"*/*-s1-f{fold}")) for fold in (2, 3))
    out = run("show", two).stdout
    assert "fold 2 of 5 (0 to 4)" in out
    assert "nan" not in out.lower()
    assert "predictions.npz" not in out
    out = run("diff", two, three).stdout
    assert "A and B have different validation parts: they are of different folds." in out
    assert "no part of a run's identity" not in out
    assert "same configuration and seed gave other results" not in out
    (three / "result.json").unlink()
    assert "fold 3 of 5 (0 to 4)" in run("show", three).stdout


def test_two_folds_are_compared_on_the_test_part_alone(record):
    outputs = record("mlp", MLP)
    [two], [three] = (list(outputs.glob(f"*/*-s1-f{fold}")) for fold in (2, 3))
    assert "McNemar's exact test" in run("compare", two, three).stdout
    with pytest.raises(RequestError, match="two runs are compared on the test part"):
        run("compare", two, three, "--metric", "val_accuracy")


# -- charts and the page ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["curves", "bars", "scatter"])
def test_charts_are_of_means_over_folds_and_seeds(two_models, tmp_path, kind):
    out = run("plot", two_models, "--kind", kind, "-o", tmp_path / "chart.svg").stdout
    assert "20 runs in 2 groups" in out
    assert "mean over 5 folds x 2 seeds each" in " ".join(out.split())
    assert "corrected for the overlap of the folds' training parts" in " ".join(out.split())


def test_bars_have_a_dot_for_each_fold(two_models):
    from fitbench.charts.bars import chart_of_bars

    frame = load_runs(two_models)
    chart = chart_of_bars(group(frame, ["model"], "val_accuracy"), _val_accuracy(frame), "column")
    dots = [line for line in chart.figure.axes[0].lines if line.get_gid() == "run"]
    assert list(dots[0].get_xdata()) == pytest.approx(means(MLP))
    assert "small dots are single folds" in chart.caption


def test_a_mean_curve_weighs_folds_the_same_whatever_their_seeds(record):
    [only] = group(load_runs(record("mlp", [[0.9, 0.7], [0.5, None], [0.4, None]])), ["model"], "val_accuracy")
    runs = [(np.arange(1, 3), np.array([value, 1 - value])) for value in only.values]
    curve = mean_curve(runs, only.sample, (0.0, 1.0), 0.0)
    mean = (0.8 + 0.5 + 0.4) / 3
    assert curve.mean == pytest.approx([mean, 1 - mean])
    of_both = of_seeds([0.9, 0.7])  # in the only fold that has both seeds
    expected = mean_interval([0.8, 0.5, 0.4], 0.0, 1.0, overlap=20 / 80, more=of_both)
    assert (curve.low[0], curve.high[0]) == pytest.approx(expected)


def test_the_page_aggregates_as_compare_does(two_models):
    from fitbench.analysis import request
    from fitbench.report.content import collect

    frame = load_runs(two_models)
    content = collect(frame, [], request.measured(frame, None))
    assert content["metric"] == "metrics.val_accuracy"
    first = content["groups"]["metrics"][0]
    assert "over 5 folds x 2 seeds with mlp." in first["answer"]
    assert first["method"].startswith("Means over 5 folds x 2 seeds each")
    assert {"name": "fold", "shown": True}.items() <= next(
        column for column in content["columns"] if column["name"] == "fold"
    ).items()
    curve = content["groups"]["curves"]["val_accuracy"][0]
    assert len(curve["mean"]) == 5
