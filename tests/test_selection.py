"""The two forms of `metrics`: on the command line, in files, together and in any order; and what is refused."""

import pytest

from fitbench import metrics, selection
from fitbench.composition import Composer
from fitbench.config import config_id, recorded_metrics
from fitbench.errors import RequestError
from fitbench.tasks import task_of

CLASSIFICATION = task_of("classification")
KAPPA = {"_target_": "mine.kappa", "direction": "max"}
ADDED = "metrics.kappa={_target_: mine.kappa, direction: max}"
EXPERIMENTS = {
    "listed": "metrics: [accuracy, macro_f1]\n",
    "added": "metrics:\n  kappa: {_target_: mine.kappa, direction: max}\n",
    "both": "defaults: [listed]\nmetrics:\n  kappa: {_target_: mine.kappa, direction: max}\n",
}


@pytest.fixture(scope="module")
def composer(tmp_path_factory):
    folder = tmp_path_factory.mktemp("conf")
    (folder / "experiment").mkdir()
    for name, text in EXPERIMENTS.items():
        (folder / "experiment" / f"{name}.yaml").write_text(f"# @package _global_\n{text}")
    return Composer([folder])


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        ([], {"default": None}),
        (["metrics=[macro_f1,accuracy]"], {"macro_f1": None, "accuracy": None}),
        ([ADDED], {"default": None, "kappa": KAPPA}),
        ([f"+{ADDED}"], {"default": None, "kappa": KAPPA}),
        ([ADDED, "metrics=[macro_f1]"], {"macro_f1": None, "kappa": KAPPA}),
        (["metrics=[macro_f1]", ADDED], {"macro_f1": None, "kappa": KAPPA}),
        (["metrics=[kappa,accuracy]", ADDED], {"kappa": KAPPA, "accuracy": None}),
        ([ADDED, "metrics.kappa.weights=linear"], {"default": None, "kappa": KAPPA | {"weights": "linear"}}),
        (["+experiment=listed"], {"accuracy": None, "macro_f1": None}),
        (["+experiment=added"], {"default": None, "kappa": KAPPA}),
        (["+experiment=both"], {"accuracy": None, "macro_f1": None, "kappa": KAPPA}),
        (["+experiment=both", "metrics=[log_loss]"], {"log_loss": None, "kappa": KAPPA}),
        (["+experiment=listed", ADDED], {"accuracy": None, "macro_f1": None, "kappa": KAPPA}),
    ],
)
def test_a_list_replaces_and_a_section_adds_in_this_order(composer, overrides, expected):
    config = composer.configuration(overrides)
    assert list(config.metrics.items()) == list(expected.items())
    assert config_id(config) == config_id(composer.configuration([]))


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("metrics=[macro_f2]", "metrics: there is no metric 'macro_f2'; did you mean macro_f1"),
        ("metrics=[val_accuracy]", "metrics: there is no metric 'val_accuracy'; did you mean accuracy"),
        (
            "metrics=[epoch]",
            "metrics: there is no metric 'epoch'; there are accuracy, balanced_accuracy, macro_f1, "
            "macro_precision, macro_recall, roc_auc, log_loss, top_5_accuracy",
        ),
        ("metrics=[loss]", "metrics: the loss is recorded in any case"),
        ("metrics=[mae]", "metrics: mae is a metric of regression, but the task is classification, which has accuracy"),
        ("metrics=[]", "metrics is empty; it must name at least one metric"),
        ("metrics=accuracy", "metrics is 'accuracy'; it must be a list of names such as [accuracy,macro_f1]"),
        ("metrics=null", "metrics is None; it must be a list of names"),
        ("metrics=[3]", "metrics is [3]; it must be a list of names"),
        ("metrics=[accuracy,accuracy]", "metrics is [accuracy, accuracy]; it names accuracy more than once"),
        ("metrics.kappa={_target_: mine.kappa}", "metrics.kappa.direction is missing; expected max or min"),
        ("metrics.kappa=mine.kappa", "metrics.kappa is 'mine.kappa'; expected a section with _target_ and direction"),
        ("metrics.loss={_target_: a.b, direction: min}", "metrics.loss: fitbench has a metric of this name"),
        ("metrics.seconds={_target_: a.b, direction: min}", "metrics.seconds: expected a name other than"),
        ("training.early_stopping.monitor=val_f1", "training.early_stopping.monitor: 'val_f1' cannot be monitored"),
        ("training.early_stopping.monitor=val_mae", "training.early_stopping.monitor: 'val_mae' cannot be monitored"),
        ("training.early_stopping.monitor=test_loss", "the test part is read once"),
        ("training.early_stopping.monitor=log_loss", "epochs measure loss and accuracy; use val_log_loss"),
    ],
)
def test_what_cannot_be_recorded_or_monitored_is_refused(composer, override, message):
    with pytest.raises(RequestError) as caught:
        composer.configuration([override])
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("monitor", "names"),
    [
        ("val_loss", ["accuracy", "kappa"]),
        ("val_kappa", ["accuracy", "kappa"]),
        ("val_roc_auc", ["accuracy", "kappa", "roc_auc"]),
        ("train_accuracy", ["accuracy", "kappa"]),
    ],
)
def test_what_early_stopping_monitors_is_recorded_behind_what_is_selected(composer, monitor, names):
    config = composer.configuration([ADDED, f"training.early_stopping.monitor={monitor}"])
    assert list(recorded_metrics(config, CLASSIFICATION)) == names


def test_an_entry_for_a_name_of_the_list_stands_at_its_place():
    section = {"first": {"_target_": "a.b"}, selection.LIST: ["macro_f1", "kappa"], "kappa": KAPPA}
    assert list(selection.joined(section)) == ["macro_f1", "kappa", "first"]
    assert selection.joined(section)["kappa"] == KAPPA


def test_a_metric_of_every_task_may_be_selected():
    selection.check({"kappa": KAPPA, "top_2_accuracy": None}, CLASSIFICATION)


@pytest.mark.parametrize(
    ("task", "name", "part", "metric"),
    [
        ("classification", "loss", "train", "loss"),
        ("classification", "train_accuracy", "train", "accuracy"),
        ("classification", "accuracy", "train", "accuracy"),
        ("classification", "val_loss", "val", "loss"),
        ("classification", "val_macro_f1", "val", "macro_f1"),
        ("classification", "val_top_2_accuracy", "val", "top_2_accuracy"),
        ("classification", "val_kappa", "val", "kappa"),
        ("regression", "mae", "train", "mae"),
        ("regression", "val_r2", "val", "r2"),
        ("multilabel", "loss", "train", "loss"),
        ("multilabel", "val_hamming_loss", "val", "hamming_loss"),
    ],
)
def test_a_monitor_is_a_part_and_a_metric(task, name, part, metric):
    found = selection.monitored(name, {"default": None, "kappa": KAPPA}, task_of(task))
    assert (found[0], found[1].name) == (part, metric)
    assert metrics.history_key(part, metric) == name.removeprefix("train_")


@pytest.mark.parametrize(
    ("task", "name", "message"),
    [
        ("classification", "val_macro_f2", "'val_macro_f2' cannot be monitored; did you mean val_macro_f1"),
        ("classification", "val_mae", "'val_mae' cannot be monitored"),  # of another task
        ("classification", "macro_f1", "on the training part epochs measure loss and accuracy; use val_macro_f1"),
        ("classification", "kappa", "on the training part epochs measure loss and accuracy; use val_kappa"),
        ("classification", "test_accuracy", "the test part is read once, after training"),
        ("classification", "zzz", "there are loss, accuracy, val_accuracy, .*, val_kappa"),
        ("regression", "r2", "on the training part epochs measure loss and mae; use val_r2"),
        ("multilabel", "micro_f1", "on the training part epochs measure loss; use val_micro_f1"),
    ],
)
def test_what_epochs_do_not_measure_is_no_monitor(task, name, message):
    with pytest.raises(RequestError, match=message):
        selection.monitored(name, {"default": None, "kappa": KAPPA}, task_of(task))
