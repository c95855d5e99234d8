"""Which runs belong together by default: those of one identity, and no others."""

import json

import pytest

import fitbench
from fitbench.config.identity import NEUTRAL

KAPPA = "metrics={{accuracy:null,kappa:{{_target_:mine.kappa,direction:max,weights:{}}}}}"
WATCHING = ("training.early_stopping.patience=3", "training.early_stopping.monitor=val_kappa")
CALLBACK = "+training.callbacks.c={_target_: mine.Callback}"


@pytest.fixture
def record(make_run):
    """Writes three runs of a configuration with these test accuracies about a mean; `change` edits their results."""

    def write(mean, *overrides, first=0, change=None, **options):
        for seed in range(first, first + 3):
            folder = make_run("model=mlp", f"seed={seed}", *overrides, **options)
            path = folder / "result.json"
            result = json.loads(path.read_text())
            result["metrics"]["test_accuracy"] = mean + (seed - first - 1) / 100
            if change is not None:
                change(result, seed)
            path.write_text(json.dumps(result))

    return write


@pytest.fixture
def means(tmp_path):
    """The size and the mean of each group, the best first."""

    def compared(**options):
        frame = fitbench.compare(str(tmp_path / "outputs"), **options)
        return [(row.n, pytest.approx(row.mean)) for row in frame.itertuples()]

    return compared


def same_test_part(result, seed):
    result["data"] |= {"test_sha256": "cc" * 32, "test_inputs_sha256": "dd" * 32}


def without_newer_keys(result, seed):
    for key in NEUTRAL:
        *sections, name = key.split(".")
        target = result["config"]
        for section in sections:
            target = target.get(section) or {}
        target.pop(name, None)


def test_runs_that_are_older_than_a_key_are_of_the_group_of_newer_ones(record, means, tmp_path):
    record(0.91)
    record(0.94, "study=old", first=3, change=without_newer_keys)
    assert means() == [(6, 0.925)]
    runs = fitbench.runs(
        str(tmp_path / "outputs"), where="training.threshold == 0.5 and training.fold_order == 'drawn'"
    )
    assert len(runs) == 6


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ((KAPPA.format("linear"), *WATCHING), (KAPPA.format("quadratic"), *WATCHING)),
        ((CALLBACK, "training.steps_per_execution=1"), (CALLBACK, "training.steps_per_execution=10")),
        (("+optimizer.amsgrad=true",), ("+optimizer.amsgrad=1.0",)),
    ],
    ids=["arguments of a watched metric", "steps between callbacks", "true and 1.0"],
)
def test_configurations_of_other_identity_are_groups_of_their_own(record, means, one, other):
    record(0.91, *one)
    record(0.61, *other)
    assert means() == [(3, 0.91), (3, 0.61)]


def test_a_chosen_group_of_several_identities_is_mixed(record, tmp_path):
    for mean, weights in ((0.91, "linear"), (0.61, "quadratic")):
        record(mean, KAPPA.format(weights), *WATCHING)
    frame = fitbench.compare(str(tmp_path / "outputs"), by="model")
    assert frame[["n", "mixed"]].values.tolist() == [[6, "config_id"]]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("training.loss=auto", "training.loss=cross_entropy"),
        ("training.freeze=[a,b]", "training.freeze=[b,a]"),
    ],
)
def test_two_spellings_of_one_identity_are_one_group(record, means, one, other):
    record(0.91, one, "study=a")
    record(0.91, other, "study=b")
    assert means() == [(3, 0.91)]


def test_the_checksum_tells_data_apart_whose_size_varies_with_the_seed(record, means):
    for mean, examples, sha256 in ((0.81, 96, "aa"), (0.86, 190, "bb")):

        def held_back(result, seed, examples=examples):
            same_test_part(result, seed)
            result["data"]["train"] = examples + seed

        record(mean, f"study={sha256}", change=held_back, sha256=sha256 * 32)
    assert means() == [(3, 0.86), (3, 0.81)]


def test_groups_that_were_trained_on_other_data_are_named(record, tmp_path, capsys):
    from fitbench.analysis.compare import compare
    from fitbench.analysis.request import Which

    record(0.81, sha256="aa" * 32, change=same_test_part)
    record(0.86, "model=softmax", sha256="bb" * 32, change=same_test_part)
    compare(Which([str(tmp_path / "outputs")]), "model", None, None, None, tmp_path, None, "table")
    assert "also differ between the groups: training data bbbbbbbb, aaaaaaaa" in capsys.readouterr().out
    compare(Which([str(tmp_path / "outputs")]), "model,dataset.sha256", None, None, None, tmp_path, None, "table")
    assert "also differ" not in capsys.readouterr().out


def differences(folders, capsys):
    from fitbench.analysis.diff import diff

    diff(*map(str, folders), outputs=folders[0], format="json")
    return {row["key"]: (row["a"], row["b"]) for row in json.loads(capsys.readouterr().out)["config"]}


def test_diff_names_the_identity_where_no_setting_says_what_differs(make_run, capsys):
    runs = [make_run("model=mlp", KAPPA.format(weights), *WATCHING) for weights in ("linear", "quadratic")]
    assert differences(runs, capsys) == {"config_id": tuple(folder.name.split("-")[-2] for folder in runs)}


def test_diff_of_a_run_that_is_older_than_a_key_shows_no_difference(make_run, capsys):
    runs = [make_run("model=mlp", f"study={study}") for study in ("new", "old")]
    result = json.loads((runs[1] / "result.json").read_text())
    without_newer_keys(result, 0)
    (runs[1] / "result.json").write_text(json.dumps(result))
    assert differences(runs, capsys) == {"study": ("new", "old")}
