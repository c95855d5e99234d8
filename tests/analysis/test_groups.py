import json
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from fitbench.analysis import comparison, groups, telling
from fitbench.analysis.frame import load_runs
from fitbench.errors import RequestError
from fitbench.quantities import of_schema_1, quantities


def run(model="mlp", optimizer="adam", seed=0, accuracy=0.9, **values):
    """A row as `load_runs` makes it; a run without accuracy is not finished unless it is said to be."""
    row = {
        "folder": f"outputs/grid/{model}-{optimizer}-s{seed}",
        "study": "grid",
        "run_id": f"{model}-{optimizer}-s{seed}",
        "config_id": f"{model}-{optimizer}",
        "seed": seed,
        "fold": None,
        "state": "running" if accuracy is None else "finished",
        "model.name": model,
        "model.hidden": "[300, 100]" if model == "mlp" else None,
        "optimizer.name": optimizer,
        "optimizer.learning_rate": {"adam": 0.001, "sgd": 0.01}[optimizer],
        "training.batch_size": 128,
        "metrics.test_loss": 0.5,
        "metrics.test_accuracy": accuracy,
        "timing.fit_seconds": 10.0 + seed,
        "timing.seconds": 20.0 + seed,
        "parameters": 1000 * len(model),
        "dataset.sha256": "ab" * 32,
        **dict.fromkeys(("dataset.train", "dataset.validation", "dataset.test"), math.nan),
        "finished_at": None if accuracy is None else pd.Timestamp("2026-01-01", tz="UTC"),
    }
    return row | values


def frame(rows):
    made = pd.DataFrame(rows)
    made["metrics.test_accuracy"] = made["metrics.test_accuracy"].astype(float)
    made["finished_at"] = pd.to_datetime(made["finished_at"], utc=True)
    return made


def seeds(model, optimizer, accuracies, **values):
    return [run(model, optimizer, seed, accuracy, **values) for seed, accuracy in enumerate(accuracies)]


BY = ["model.name", "optimizer.name"]
ACCURACY, LOSS = (quantities([of_schema_1()])[f"metrics.test_{name}"] for name in ("accuracy", "loss"))
GRID = [
    *seeds("mlp", "adam", [0.92, 0.93, 0.925]),
    *seeds("mlp", "sgd", [0.84, 0.83, 0.85]),
    *seeds("softmax", "adam", [0.9, 0.89, 0.91]),
]


# -- groups -----------------------------------------------------------------------------------------------------------


def test_a_group_holds_its_runs_in_order_of_their_seeds():
    best = groups.group(frame(reversed(GRID)), BY, "test_accuracy")[0]
    assert best.keys == {"model.name": "mlp", "optimizer.name": "adam"}
    assert (best.label, best.rank) == ("mlp, adam", 1)
    assert best.seeds == (0, 1, 2)
    assert best.values == (0.92, 0.93, 0.925)
    assert best.folders == tuple(f"outputs/grid/mlp-adam-s{seed}" for seed in range(3))
    assert best.summary.mean == pytest.approx(0.925)
    assert best.summary.sd == pytest.approx(np.std([0.92, 0.93, 0.925], ddof=1))
    assert best.summary.interval[0] < 0.925 < best.summary.interval[1] < 1
    assert (best.best, best.worst) == (0.93, 0.92)
    assert (best.parameters, best.seconds) == (3000, 11.0)
    assert (best.uncounted, best.repeated, best.mixed) == ({}, (), {})


def test_the_direction_of_the_metric_ranks():
    by_accuracy = groups.group(frame(GRID), BY, "test_accuracy")
    assert [one.label for one in by_accuracy] == ["mlp, adam", "softmax, adam", "mlp, sgd"]
    rows = [row | {"metrics.test_loss": 1 - row["metrics.test_accuracy"]} for row in GRID]
    by_loss = groups.group(frame(rows), BY, "test_loss")
    assert [one.label for one in by_loss] == ["mlp, adam", "softmax, adam", "mlp, sgd"]
    assert by_loss[0].best < by_loss[0].worst


def test_equal_means_share_a_rank_and_groups_without_values_come_last():
    rows = [
        *seeds("mlp", "sgd", [0.8, 0.9]),
        *seeds("mlp", "adam", [0.9, 0.8]),
        *seeds("lenet5", "adam", [0.1 + 0.2, 0.3]),
        *seeds("lenet5", "sgd", [0.3, 0.3]),
        *seeds("softmax", "sgd", [0.2, 0.2]),
        *seeds("convnet", "sgd", [None]),
    ]
    found = groups.group(frame(rows), BY, "test_accuracy")
    assert [(one.label, one.rank) for one in found] == [
        ("mlp, adam", 1),
        ("mlp, sgd", 1),
        ("lenet5, adam", 3),
        ("lenet5, sgd", 3),
        ("softmax, sgd", 5),
        ("convnet, sgd", None),
    ]
    assert (found[-1].summary.n, found[-1].summary.mean, found[-1].best, found[-1].seconds) == (0, None, None, None)


def test_runs_that_are_not_finished_or_lack_the_metric_are_counted_apart():
    rows = [
        *seeds("mlp", "adam", [0.9, 0.8, None]),
        run(seed=3, accuracy=None, state="failed"),
        run(seed=4, accuracy=None, state="failed"),
        run(seed=5, accuracy=math.nan, state="finished"),
    ]
    (only,) = groups.group(frame(rows), BY, "test_accuracy")
    assert only.values == (0.9, 0.8)
    assert only.uncounted == {"failed": 2, "running": 1, "without test_accuracy": 1}


def test_a_run_that_two_studies_recorded_counts_once_as_it_was_last():
    later = pd.Timestamp("2026-02-01", tz="UTC")
    again = run(accuracy=0.7, folder="outputs/again/x", study="again", finished_at=later)
    (only,) = groups.group(frame([*seeds("mlp", "adam", [0.9, 0.8]), again]), BY, "test_accuracy")
    assert only.values == (0.7, 0.8)
    assert only.repeated == ("outputs/grid/mlp-adam-s0",)
    by_study = groups.group(frame([*seeds("mlp", "adam", [0.9, 0.8]), again]), [*BY, "study"], "test_accuracy")
    assert [one.values for one in by_study] == [(0.9, 0.8), (0.7,)]


def test_other_data_make_it_another_run_and_are_pointed_out():
    other = run(accuracy=0.7, folder="outputs/other/x", **{"dataset.sha256": "cd" * 32})
    (only,) = groups.group(frame([*seeds("mlp", "adam", [0.9, 0.8]), other]), BY, "test_accuracy")
    assert sorted(only.values) == [0.7, 0.8, 0.9]
    assert only.repeated == ()
    assert only.mixed == {"dataset.sha256": ("ab" * 32, "cd" * 32)}


def test_what_varies_beyond_the_keys_is_pointed_out():
    by_model = {one.label: one for one in groups.group(frame(GRID), ["model"], "test_accuracy")}
    assert by_model["mlp"].mixed == {"optimizer.name": ("adam", "sgd"), "optimizer.learning_rate": (0.001, 0.01)}
    assert by_model["softmax"].mixed == {}
    assert by_model["mlp"].seeds == (0, 0, 1, 1, 2, 2)
    by_optimizer = {one.label: one for one in groups.group(frame(GRID), ["optimizer"], "test_accuracy")}
    assert by_optimizer["adam"].mixed == {"model.name": ("mlp", "softmax"), "model.hidden": ("[300, 100]", None)}
    assert by_optimizer["adam"].parameters is None


def test_a_missing_value_is_a_key_of_its_own():
    found = groups.group(frame(GRID), ["hidden"], "test_accuracy")
    assert {one.label: one.keys["model.hidden"] for one in found} == {"[300, 100]": "[300, 100]", "null": None}


def test_without_keys_all_runs_are_one_group_and_without_runs_there_is_none():
    (everything,) = groups.group(frame(GRID), [], "test_accuracy")
    assert (everything.label, everything.summary.n) == ("all runs", 9)
    assert groups.group(frame(GRID).iloc[:0], BY, "test_accuracy") == []


def test_unknown_keys_and_metrics_are_refused():
    with pytest.raises(RequestError, match=r"did you mean optimizer\.name"):
        groups.group(frame(GRID), ["optimizer.nam"], "test_accuracy")
    with pytest.raises(RequestError, match="did you mean test_accuracy"):
        groups.group(frame(GRID), BY, "test_acuracy")


def test_real_run_folders_are_grouped(make_run, tmp_path):
    for seed in (0, 1, 2):
        make_run(f"seed={seed}", "training.epochs=5")
        make_run(f"seed={seed}", "model=softmax", "training.epochs=5")
    make_run("seed=3", "training.epochs=5", finished=False)
    found = groups.group(load_runs(tmp_path), ["model"], "seconds")
    assert {one.label: one.summary.n for one in found} == {"mlp": 3, "softmax": 3}
    assert {one.label: one.uncounted for one in found} == {"mlp": {"interrupted": 1}, "softmax": {}}
    assert found[0].summary.mean == 83.0
    assert all(one.mixed == {} for one in found)


def test_pruned_runs_are_not_counted_but_said(make_run, tmp_path):
    make_run("seed=0", trial=0)
    make_run("seed=1", trial=1, pruned=True)
    (found,) = groups.group(load_runs(tmp_path), ["model"], "val_accuracy")
    assert found.values == (0.86,)
    assert found.uncounted == {"pruned": 1}


rows_of_runs = st.lists(
    st.builds(
        run,
        model=st.sampled_from(["mlp", "softmax"]),
        optimizer=st.sampled_from(["adam", "sgd"]),
        seed=st.integers(0, 7),
        accuracy=st.one_of(st.none(), st.integers(0, 1000).map(lambda right: right / 1000)),
        study=st.sampled_from(["a", "b"]),
    ),
    min_size=1,
    max_size=30,
)


@settings(max_examples=40, deadline=None)
@given(rows_of_runs, st.randoms(use_true_random=False))
def test_groups_and_comparisons_do_not_depend_on_the_order_of_runs(rows, random):
    rows = [row | {"folder": f"outputs/{i}"} for i, row in enumerate(rows)]
    found = groups.group(frame(rows), BY, "test_accuracy")
    shuffled = groups.group(frame(random.sample(rows, len(rows))), BY, "test_accuracy")
    assert shuffled == found
    assert comparison.against(shuffled, 0, ACCURACY) == comparison.against(found, 0, ACCURACY)


@settings(max_examples=40, deadline=None)
@given(rows_of_runs)
def test_means_and_deviations_are_those_of_pandas(rows):
    rows = [row | {"folder": f"outputs/{i}", "config_id": str(i)} for i, row in enumerate(rows)]
    expected = frame(rows).groupby(BY)["metrics.test_accuracy"].agg(["count", "mean", "std", "max", "min"])
    for one in groups.group(frame(rows), BY, "test_accuracy"):
        count, *others = expected.loc[tuple(one.keys.values())]
        assert one.summary.n == count
        ours = [one.summary.mean, one.summary.sd, one.best, one.worst]
        np.testing.assert_allclose(np.array(ours, dtype=float), others, atol=1e-12)


# -- keys -------------------------------------------------------------------------------------------------------------


def test_the_default_keys_are_the_fewest_that_tell_configurations_apart():
    assert telling.default_keys(frame(GRID)) == ["model.name", "optimizer.name"]
    assert telling.default_keys(frame([*GRID, run(**{"training.batch_size": 32})])) == [*BY, "training.batch_size"]
    assert telling.default_keys(frame(seeds("mlp", "adam", [0.9, 0.8]))) == BY
    rates = [run(**{"optimizer.learning_rate": rate}) for rate in (0.1, 0.2)]
    assert telling.default_keys(frame(rates)) == ["optimizer.learning_rate"]


def test_the_default_keys_leave_nothing_mixed():
    rows = [run(model, "adam", 0, **{"training.batch_size": size}) for model in ("mlp", "softmax") for size in (1, 2)]
    found = groups.group(frame(rows), telling.default_keys(frame(rows)), "test_accuracy")
    assert len(found) == 4
    assert all(one.mixed == {} for one in found)


# -- a group against others -------------------------------------------------------------------------------------------


def test_five_common_seeds_are_paired():
    a, b = [0.92, 0.93, 0.925, 0.91, 0.94, 0.9], [0.91, 0.93, 0.92, 0.9, 0.92]
    found = groups.group(frame([*seeds("mlp", "adam", a), *seeds("mlp", "sgd", b)]), BY, "test_accuracy")
    reference, other = comparison.against(found, 0, ACCURACY)
    expected = stats.ttest_rel(b, a[:5])
    assert reference is None
    assert (other.difference.test, other.difference.n) == ("paired t", (5,))
    assert other.difference.estimate == pytest.approx(np.mean(b) - np.mean(a[:5]))
    assert other.difference.p == other.p_holm == pytest.approx(expected.pvalue)
    assert other.difference.interval == pytest.approx(tuple(expected.confidence_interval()))
    assert other.probability == pytest.approx(stats.mannwhitneyu(b, a).statistic / 30)


def test_fewer_common_seeds_are_not_paired():
    rows = [*seeds("mlp", "adam", [0.9, 0.91, 0.92, 0.93]), *seeds("mlp", "sgd", [0.8, 0.81, 0.79, 0.83])]
    other = comparison.against(groups.group(frame(rows), BY, "test_accuracy"), 0, ACCURACY)[1]
    expected = stats.ttest_ind([0.8, 0.81, 0.79, 0.83], [0.9, 0.91, 0.92, 0.93], equal_var=False)
    assert (other.difference.test, other.difference.n) == ("Welch", (4, 4))
    assert other.difference.p == pytest.approx(expected.pvalue)


def test_a_group_of_two_runs_has_neither_a_test_nor_a_probability():
    rows = [*seeds("mlp", "adam", [0.9, 0.91, 0.92]), *seeds("mlp", "sgd", [0.8, 0.81])]
    other = comparison.against(groups.group(frame(rows), BY, "test_accuracy"), 0, ACCURACY)[1]
    assert (other.difference.p, other.probability) == (None, None)


def test_a_seed_that_a_group_has_twice_is_not_paired():
    rows = [*seeds("mlp", "adam", [0.9] * 6), *seeds("mlp", "sgd", [0.8, 0.81, 0.79, 0.83, 0.84, 0.86])]
    rows += seeds("softmax", "adam", [0.7, 0.71, 0.72, 0.73, 0.74, 0.75])
    mixed = groups.group(frame(rows), ["model"], "test_accuracy")
    assert comparison.against(mixed, 0, ACCURACY)[1].difference.test == "Welch"


def test_holm_counts_the_comparisons_that_were_made():
    rows = [
        *seeds("mlp", "adam", [0.9, 0.91, 0.92]),
        *seeds("mlp", "sgd", [0.8, 0.82, 0.81]),
        *seeds("softmax", "adam", [0.7, 0.75, 0.8]),
        *seeds("softmax", "sgd", [0.5, 0.6]),
        *seeds("lenet5", "sgd", [None]),
    ]
    found = groups.group(frame(rows), BY, "test_accuracy")
    _, second, third, fourth, fifth = comparison.against(found, 0, ACCURACY)
    low, high = sorted((second.difference.p, third.difference.p))
    assert sorted((second.p_holm, third.p_holm)) == pytest.approx([2 * low, max(2 * low, high)])
    assert (fourth.difference.p, fourth.p_holm) == (None, None)
    assert "fewer than 3" in fourth.difference.note
    assert fifth is None


def test_any_group_can_be_the_reference():
    found = groups.group(frame(GRID), BY, "test_accuracy")
    compared = comparison.against(found, 2, ACCURACY)
    assert compared[2] is None
    assert compared[0].difference.estimate == pytest.approx(0.925 - 0.84)
    assert compared[0].probability == 1.0


def test_a_reference_without_values_leaves_nothing_to_compare():
    rows = [*seeds("mlp", "adam", [0.9, 0.91, 0.92]), *seeds("mlp", "sgd", [None])]
    found = groups.group(frame(rows), BY, "test_accuracy")
    assert comparison.against(found, 1, ACCURACY) == [None, None]


def test_better_is_lower_for_a_loss():
    rows = [row | {"metrics.test_loss": 1 - row["metrics.test_accuracy"]} for row in GRID]
    found = groups.group(frame(rows), BY, "test_loss")
    compared = comparison.against(found, 0, LOSS)
    assert compared[1].difference.estimate > 0
    assert compared[1].probability == 0.0


@pytest.mark.parametrize(
    "wanted", ["mlp,sgd", "mlp, sgd", "model.name=mlp,optimizer.name=sgd", "optimizer=sgd", "optimizer.name='sgd'"]
)
def test_a_baseline_is_found_by_its_values(wanted):
    found = groups.group(frame(GRID), BY, "test_accuracy")
    assert found[comparison.find(found, wanted)].label == "mlp, sgd"


def test_a_baseline_may_be_a_list_or_missing():
    found = groups.group(frame(GRID), ["hidden", "optimizer"], "test_accuracy")
    assert found[comparison.find(found, "[300,100],sgd")].label == "[300, 100], sgd"
    for key in ("model.hidden", "hidden"):
        assert found[comparison.find(found, f"{key}=null")].label == "null, adam"
    with pytest.raises(RequestError, match=r"there is no column 'hiden'; did you mean model\.hidden"):
        comparison.find(found, "hiden=null")


@pytest.mark.parametrize(
    ("wanted", "label"),
    [
        ("0.0,[300, 100]", "0, [300, 100]"),
        ("0.20,[300, 100]", "0.2, [300, 100]"),
        ("2e-1,[300.0, 1e2]", "0.2, [300, 100]"),
        ("dropout=0.20", "0.2, [300, 100]"),
        ("model.dropout=.0", "0, [300, 100]"),
        ("hidden=[64.0]", "0.5, [64]"),
    ],
)
def test_the_numbers_of_a_baseline_may_be_written_in_any_way(wanted, label):
    rows = [
        row
        for value, hidden in ((0.0, "[300, 100]"), (0.2, "[300, 100]"), (0.5, "[64]"))
        for row in seeds("mlp", "adam", [0.9, 0.91, 0.92], **{"model.dropout": value, "model.hidden": hidden})
    ]
    found = groups.group(frame(rows), ["model.dropout", "model.hidden"], "test_accuracy")
    assert found[comparison.find(found, wanted)].label == label


def test_a_baseline_is_first_the_group_that_is_written_like_it():
    rows = [row for name in ("1", "01") for row in seeds(name, "adam", [0.9, 0.91, 0.92])]
    found = groups.group(frame(rows), BY, "test_accuracy")
    assert found[comparison.find(found, "01,adam")].keys["model.name"] == "01"
    with pytest.raises(RequestError, match=r"'1\.0,adam' fits 2 of the 2 groups"):
        comparison.find(found, "1.0,adam")


def test_a_baseline_that_is_none_or_several_is_refused_with_the_candidates():
    found = groups.group(frame(GRID), BY, "test_accuracy")
    with pytest.raises(RequestError, match=r"fits none of the 3 groups by model.name, optimizer.name(.|\n)*softmax, "):
        comparison.find(found, "lenet5,adam")
    with pytest.raises(RequestError, match=r"fits 2 of the 3 groups") as error:
        comparison.find(found, "model=mlp")
    assert "softmax" not in str(error.value)


# -- weights to begin with --------------------------------------------------------------------------------------------


def started(make_run, tmp_path, starts):
    """A frame with a run for each pair of the run_id of its start and the SHA-256 of the weights."""
    for seed, (run_id, sha256) in enumerate(starts):
        path = make_run(f"seed={seed}") / "result.json"
        result = json.loads(path.read_text())
        result["config"]["training"]["start"] = {"run_id": run_id, "folder": "somewhere", "sha256": sha256}
        path.write_text(json.dumps(result))
    return load_runs(tmp_path / "outputs")


def test_groups_that_begin_with_other_weights_are_named_by_the_run_of_these(make_run, tmp_path):
    runs = started(make_run, tmp_path, [("base-s0", "ab" * 32), ("base-s0", "ab" * 32), ("base-s1", "cd" * 32)])
    keys = telling.default_keys(runs)
    assert keys == ["training.start"]
    found = groups.group(runs, keys, "test_accuracy")
    assert sorted((each.label, each.summary.n, each.mixed) for each in found) == [
        ("base-s0", 2, {}),
        ("base-s1", 1, {}),
    ]


@pytest.mark.parametrize("names", [("base-s0", "base-s0", "base-s0"), ("base-s0", "base-s1", "base-s2")])
def test_weights_that_no_run_id_tells_apart_are_named_by_8_digits(make_run, tmp_path, names):
    runs = started(make_run, tmp_path, list(zip(names, ("ab" * 32, "ab" * 32, "cd" * 32), strict=True)))
    found = groups.group(runs, telling.default_keys(runs), "test_accuracy")
    assert sorted((each.label, each.summary.n) for each in found) == [("ab" * 4, 2), ("cd" * 4, 1)]
