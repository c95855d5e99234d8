import pytest

from fitbench.composition import Composer, conf_folder
from fitbench.config import config_id
from fitbench.errors import RequestError
from fitbench.tables.composing import configurations
from fitbench.tables.reading import read
from fitbench.tables.table import table as show_table

OVERRIDES = (
    ["model=softmax"],
    ["model=mlp", "model.hidden=[20,10]", "training.epochs=3"],
    ["model=mlp", "+training.callbacks.csv={_target_: keras.callbacks.CSVLogger, filename: a}"],
    ["optimizer/schedule=cosine", "optimizer.schedule.warmup_epochs=2", "optimizer=momentum"],
    ["+experiment=tutorial_softmax", "model.pixel_range=[0,1]"],
    ["+experiment=tutorial_mlp", "data=digits", "optimizer.learning_rate=1e-2"],
    ["model=softmax", "seed=3", "backend=jax", "study=other"],
)


def test_what_is_shared_between_compositions_changes_none_of_them(configure):
    composer = Composer()
    alone = [configure(*overrides) for overrides in OVERRIDES]
    for overrides, expected in [*zip(OVERRIDES, alone, strict=True), *zip(OVERRIDES[::-1], alone[::-1], strict=True)]:
        assert composer.configuration(overrides) == expected, overrides


def test_value_that_is_forced_in_one_composition_is_in_no_other():
    composer = Composer()
    assert composer.configuration(["++seed=5"]).seed == 5
    assert composer.configuration(["model=softmax"]).seed == 0


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["model=mpl"], "there is no such choice; .* Did you mean mlp"),
        (["model=mlp", "model.hiden=[3]"], r"model\.hiden: there is no such key. Did you mean model\.hidden"),
        (["model=mlp", "model.dropout=2"], "model.dropout is 2; it must be a number of at least 0 and below 1"),
        (["model=mlp", "model.dropout=0.1,0.2"], r"model\.dropout=0\.1,0\.2: several values; here a key has one value"),
        (["model=mlp", "model.hidden=[1"], r"model.hidden=\[1: a bracket is not closed"),
        (["model=[", "model.hidden=[1]"], r"model=\[: "),
    ],
)
def test_a_wrong_configuration_is_named_with_its_row(define, tmp_path, overrides, message):
    table = read(define(rows=[{"label": "the row", "claimed": "1", "overrides": overrides}]))
    with pytest.raises(RequestError, match=message) as refusal:
        configurations(table, tmp_path)
    assert f"{table.folder / 'table.yaml'}: row 'the row': " in str(refusal.value)


def test_a_mistake_in_the_overrides_of_all_rows_is_not_reported_for_one_of_them(define, tmp_path):
    rows = [{"label": "a", "claimed": "1", "overrides": ["model=mlp"]}]
    table = read(define(rows=rows, overrides=["optimizer.learning_rte=0.1"]))
    with pytest.raises(RequestError, match=r"table.yaml: overrides: optimizer.learning_rte.*learning_rate"):
        configurations(table, tmp_path)


def test_a_row_overrides_the_table_and_both_the_experiment(define, tmp_path):
    rows = [{"label": "a", "claimed": "1", "experiment": "tutorial_softmax", "overrides": ["training.epochs=7"]}]
    made = configurations(read(define(rows=rows)), tmp_path)["a"]
    assert (made.training.epochs, made.data.name, made.study, made.outputs) == (7, "digits", "small", str(tmp_path))


def test_every_experiment_is_composed():
    composer = Composer()
    for file in sorted((conf_folder() / "experiment").glob("*.yaml")):
        assert composer.configuration([f"+experiment={file.stem}"]), file.stem


def test_recipe_of_series_keeps_the_id_of_its_runs():
    assert config_id(Composer().configuration(["+experiment=series_fcn"])) == "c56ca67f"


CSV = ["data=csv", "model=mlp", "data.target=label"]
PLACES = [["data.path=x/d.csv"], ["data.path=y/d.csv"]]
TEST_PLACES = [["data.path=x/d.csv", f"data.test_path={name}/t.csv"] for name in "xy"]


@pytest.mark.parametrize(("places", "key"), [(PLACES, "data.path"), (TEST_PLACES, "data.test_path")])
def test_rows_that_differ_in_a_path_alone_are_refused(define, tmp_path, places, key):
    rows = [{"label": label, "claimed": "1", "overrides": place} for label, place in zip("ab", places, strict=True)]
    with pytest.raises(RequestError, match=rf"'a' and 'b' differ in {key} alone.*set data\.name=NAME"):
        configurations(read(define(rows=rows, overrides=CSV)), tmp_path)
    rows[1]["overrides"] = [*rows[1]["overrides"], "data.name=other"]
    assert len(configurations(read(define(rows=rows, overrides=CSV)), tmp_path)) == 2


def test_a_metric_that_a_callback_watches_is_in_the_identity_of_the_row_and_of_its_runs(define, tmp_path, launched):
    watching = "+training.callbacks={rate: {_target_: keras.callbacks.ReduceLROnPlateau, monitor: val_roc_auc}}"
    rows = [{"label": "a", "claimed": "80", "overrides": ["model=softmax", watching]}]
    table = read(define(rows=rows, metric="roc_auc", unit="percent", tolerance=1.0))
    [made] = configurations(table, tmp_path / "outputs").values()
    show_table(str(table.folder), run=True, outputs=tmp_path / "outputs")
    [(_, [job])] = launched
    assert "metrics.roc_auc=null" in job["overrides"]
    assert config_id(Composer().configuration(job["overrides"])) == config_id(made)
    assert "metrics.roc_auc=null" not in table.overrides_of(table.rows[0])


def test_rows_of_one_configuration_record_the_metrics_of_both(define, tmp_path, launched):
    entries = [{"metric": name, "unit": "percent", "tolerance": 1.0} for name in ("roc_auc", "top_2_accuracy")]
    rows = [
        {"label": label, "claimed": {entry["metric"]: "80"}, "overrides": ["model=softmax"]}
        for label, entry in zip("ab", entries, strict=True)
    ]
    show_table(str(read(define(rows=rows, unit=..., metrics=entries)).folder), run=True, outputs=tmp_path / "outputs")
    [(_, jobs)] = launched
    for job in jobs:
        assert job["overrides"][-2:] == ["metrics.roc_auc=null", "metrics.top_2_accuracy=null"]
