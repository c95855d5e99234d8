import json
import shutil
import threading
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import fitbench
from fitbench.analysis.frame import configuration, histories, load_history, load_runs, say_left_out, varying
from fitbench.errors import RequestError
from fitbench.record import reading
from fitbench.record.claims import claim
from fitbench.record.reading import read_config, read_result

METRICS = [
    "train_loss",
    "train_accuracy",
    "val_loss",
    "val_accuracy",
    "test_loss",
    "test_accuracy",
    "best_epoch",
    "epochs",
]


def edit(folder: Path, **changes) -> None:
    """Change result.json: a key with dots spelled as __ gets a value, or goes if that is `...`."""
    path = folder / "result.json"
    result = json.loads(path.read_text())
    for key, value in changes.items():
        *sections, name = key.split("__")
        place = result
        for section in sections:
            place = place[section]
        if value is ...:
            del place[name]
        else:
            place[name] = value
    path.write_text(json.dumps(result))


def left_out(frame: pd.DataFrame) -> dict[str, str]:
    return {Path(folder).name: reason for folder, reason in frame.attrs["left_out"]}


@pytest.fixture
def outputs(tmp_path) -> Path:
    return tmp_path / "outputs"


# -- columns ----------------------------------------------------------------------------------------------------------


def test_a_row_says_what_the_run_is_and_what_came_out(make_run, outputs):
    folder = make_run("seed=3", "study=grid")
    result = json.loads((folder / "result.json").read_text())
    (row,) = load_runs(outputs).to_dict("records")
    assert row["folder"] == str(folder)
    assert [row[name] for name in ("study", "run_id", "seed", "state")] == ["grid", folder.name, 3, "finished"]
    assert row["config_id"] == result["config_id"]
    assert row["model.name"] == "mlp"
    assert row["model.hidden"] == "[64, 64]"
    assert row["model.pixel_range"] == "[0, 1]"
    assert row["optimizer.learning_rate"] == 0.001
    assert row["optimizer.schedule.kind"] == "constant"
    assert row["training.early_stopping.monitor"] == "val_loss"
    assert row["backend"] == "tensorflow"
    for name in METRICS:
        assert row[f"metrics.{name}"] == result["metrics"][name]
    for name, value in result["timing"].items():
        assert row[f"timing.{name.replace('images', 'examples')}"] == value
    assert (row["task"], row["primary"]) == ("classification", "accuracy")
    assert row["parameters"] == 12345
    assert [row[f"dataset.{name}"] for name in ("sha256", "train", "validation", "test")] == ["ab" * 32, 100, 20, 60]
    assert row["device"] == "cpu: Some Processor, 2 cores"
    assert row["versions.keras"] == "3"
    assert row["finished_at"] == pd.Timestamp("2026-01-02T03:04:05Z")
    assert pd.isna(row["git.commit"])
    assert pd.isna(row["error"])


def test_columns_come_in_the_documented_order(make_run, outputs):
    make_run()
    make_run("model=nearest_mean", history=[])
    names = list(load_runs(outputs).columns)
    assert names[:7] == ["folder", "study", "run_id", "config_id", "seed", "fold", "state"]
    after = names.index("task")
    sections = list(dict.fromkeys(name.partition(".")[0] for name in names[7:after]))
    assert sections == ["data", "model", "optimizer", "training", "distortion", "backend"]
    assert names[after:] == [
        *("task", "primary"),
        *(f"metrics.{name}" for name in METRICS),
        *("timing.fit_seconds", "timing.seconds", "timing.examples_per_second", "parameters"),
        *(
            "dataset.sha256",
            "dataset.train",
            "dataset.validation",
            "dataset.test",
            "dataset.fold_sha256",
            "dataset.test_sha256",
            "dataset.test_inputs_sha256",
            "dataset.names",
        ),
        *("device", "threads", "code"),
        *("attempts", "trial", "git.commit", "git.dirty", "versions.keras", "finished_at", "error", "tags", "note"),
    ]


def test_what_is_no_part_of_the_identity_is_no_column(make_run, outputs):
    make_run("training.steps_per_execution=5", "device=cpu")
    names = load_runs(outputs).columns
    for absent in ("outputs", "force", "progress", "training.checkpoint_seconds", "training.steps_per_execution"):
        assert absent not in names
    assert not [name for name in names if name.endswith("_target_")]


def test_dtypes_where_all_runs_have_a_value_and_where_some_lack_it(make_run, outputs):
    flag = "training.early_stopping.restore_best_weights"
    assert load_runs(make_run())[flag].dtype == bool
    make_run("model=nearest_mean", history=[])
    whole = load_runs(outputs)
    assert {
        name: str(whole[name].dtype) for name in ("seed", "metrics.epochs", "parameters", "attempts")
    } == dict.fromkeys(("seed", "metrics.epochs", "parameters", "attempts"), "int64")
    for name in (
        "metrics.test_accuracy",
        "metrics.val_loss",
        "metrics.best_epoch",
        "timing.fit_seconds",
        "model.dropout",
    ):
        assert whole[name].dtype == np.float64, name
    for name in ("folder", "state", "model.name", "model.hidden", "error", "git.commit"):
        assert whole[name].dtype == "str", name
    assert str(whole["finished_at"].dtype) == "datetime64[us, UTC]"
    assert whole[flag].tolist() == [True, None]
    assert whole["metrics.val_loss"].isna().tolist() == [False, True]
    assert whole["model.hidden"].isna().tolist() == [False, True]

    make_run("seed=7", finished=False)
    partly = load_runs(outputs)
    assert partly["seed"].dtype == np.int64
    assert partly["metrics.epochs"].dtype == np.float64
    assert partly["finished_at"].isna().sum() == 1


def test_columns_are_there_with_their_dtypes_where_no_run_has_a_value(make_run, outputs):
    make_run(finished=False)
    unfinished = load_runs(outputs)
    assert unfinished["metrics.test_accuracy"].dtype == np.float64
    assert unfinished["parameters"].dtype == np.float64
    assert unfinished["device"].dtype == "str"
    shutil.copytree(outputs, outputs.parent / "damaged")
    for path in (outputs.parent / "damaged").glob("*/*/config.yaml"):
        path.write_text("")
    empty = load_runs(outputs.parent / "damaged")
    assert len(empty) == 0
    assert len(empty.attrs["left_out"]) == 1
    assert set(empty.columns) >= {"folder", "seed", "metrics.test_accuracy", "finished_at", "error"}
    assert empty["seed"].dtype == np.int64
    assert varying(empty) == []


def test_a_target_is_a_column_only_where_one_name_has_several(make_run, outputs):
    make_run()
    make_run("model=lenet5")
    assert "model._target_" not in load_runs(outputs).columns
    own = make_run("seed=1")
    edit(own, config__model___target_="mine.mlp")
    frame = load_runs(outputs)
    assert sorted(frame["model._target_"]) == [
        "fitbench.models.convolutional.lenet5",
        "fitbench.models.dense.mlp",
        "mine.mlp",
    ]
    assert "optimizer._target_" not in frame.columns


@pytest.mark.parametrize("finished", [True, False])
def test_a_run_of_0_1_has_the_current_names_of_models(make_run, outputs, finished):
    make_run()
    old = make_run("seed=1", finished=finished)
    for name in ("config.yaml", "result.json") if finished else ("config.yaml",):
        text = (old / name).read_text()
        assert "fitbench.models.dense.mlp" in text
        (old / name).write_text(text.replace("fitbench.models.dense.mlp", "fitbench.training.models.mlp"))
    assert "model._target_" not in load_runs(outputs).columns
    read = read_result(old)["config"] if finished else read_config(old)
    assert read["model"]["_target_"] == "fitbench.models.dense.mlp"


def test_a_callback_without_a_name_is_told_by_its_target(make_run, outputs):
    make_run("+training.callbacks.csv={_target_: keras.callbacks.CSVLogger, filename: epochs.csv}")
    (row,) = load_runs(outputs).to_dict("records")
    assert row["training.callbacks.csv._target_"] == "keras.callbacks.CSVLogger"
    assert row["training.callbacks.csv.filename"] == "epochs.csv"


def test_a_configuration_cannot_pose_as_a_result(make_run, outputs):
    edit(make_run(), config__timing={"seconds": 1.0}, config__state="finished", config__age=3)
    (row,) = load_runs(outputs).to_dict("records")
    assert row["timing.seconds"] == 83.0
    assert row["config.timing.seconds"] == 1.0
    assert row["config.state"] == "finished"
    assert row["config.age"] == 3


def test_settings_that_identity_counts_as_one_are_one_value(make_run, outputs):
    make_run("seed=0")
    edit(make_run("seed=1"), config__model__pixel_range=[0, 1], config__model__dropout=0)
    frame = load_runs(outputs)
    assert varying(frame) == []


WEIGHTS = "{common:1,rare:5}"


def test_a_mapping_where_others_have_one_value_is_one_value(make_run, outputs):
    """As training.class_weight: null, balanced, or a weight for each class. A section of known keys is flattened."""
    make_run("seed=0", finished=False)
    make_run("seed=1", "training.class_weight=balanced")
    make_run("seed=2", "training.class_weight={common: 1, rare: 5}")
    make_run("seed=3", "training.class_weight={rare: 5.0, common: 1.0}", "training.early_stopping=null", finished=False)
    frame = load_runs(outputs).set_index("seed")
    assert frame["training.class_weight"].fillna("-").to_dict() == {0: "-", 1: "balanced", 2: WEIGHTS, 3: WEIGHTS}
    assert not [name for name in frame if name.startswith("training.class_weight.")]
    assert frame["training.early_stopping.monitor"].isna().to_dict() == {0: False, 1: False, 2: False, 3: True}
    assert "training.early_stopping" not in frame
    assert {"training.class_weight"} <= set(varying(load_runs(outputs)))


@pytest.mark.parametrize(
    ("weights", "text"),
    [
        ({"b c": 1.5, "a": 2}, '{a:2,"b c":1.5}'),
        ({"x,y:1": 0, "0": [1, None]}, '{0:[1, null],"x,y:1":0}'),
        ({}, None),
        ({str(i): i for i in range(1000)}, "1,000 values, SHA-256 "),
    ],
)
def test_the_text_of_a_mapping_tells_it_from_others(make_run, outputs, weights, text):
    edit(make_run(), config__training__class_weight=weights)
    (row,) = load_runs(outputs).to_dict("records")
    assert row.get("training.class_weight") == text or text in row["training.class_weight"]


def test_a_loss_of_the_users_own_is_named_by_its_target_beside_its_arguments(make_run, outputs):
    make_run("seed=0")
    make_run("seed=1", "training.loss={_target_: keras.losses.CategoricalFocalCrossentropy, gamma: 3.0}")
    frame = load_runs(outputs).set_index("seed")
    assert frame["training.loss"].to_dict() == {0: "auto", 1: "keras.losses.CategoricalFocalCrossentropy"}
    assert frame["training.loss.gamma"].fillna(0).to_dict() == {0: 0, 1: 3}
    assert "training.loss._target_" not in frame


def test_values_of_several_types_and_huge_numbers_are_kept(make_run, outputs):
    make_run("seed=0", "training.jit_compile=true")
    make_run("seed=1")
    edit(make_run("seed=2"), config__model__width=10**30)
    frame = load_runs(outputs).set_index("seed")
    assert frame["training.jit_compile"].to_dict() == {0: True, 1: "auto", 2: "auto"}
    assert frame["model.width"][2] == 10**30


def test_what_varies_are_configuration_columns_with_several_values(make_run, outputs):
    make_run("seed=0")
    make_run("seed=1", "study=other", "optimizer=sgd")
    frame = load_runs(outputs)
    assert varying(frame) == [
        *("optimizer.name", "optimizer.learning_rate", "optimizer.beta_1", "optimizer.beta_2", "optimizer.epsilon")
    ]
    assert set(varying(frame)) < set(configuration(frame))
    assert not {"seed", "study", "device", "versions.keras"} & set(configuration(frame))


# -- states -----------------------------------------------------------------------------------------------------------


def test_states_and_what_a_run_without_a_result_still_says(make_run, outputs):
    done, broken, busy, stopped = (
        make_run(f"seed={seed}", "optimizer.learning_rate=1e-5", finished=seed == 0) for seed in range(4)
    )
    (broken / "error.txt").write_text(
        "Traceback (most recent call last):\n"
        '  File "a.py", line 1, in a\n    inner()\nKeyError: 1\n\n'
        "During handling of the above exception, another exception occurred:\n\n"
        "Traceback (most recent call last):\n"
        '  File "b.py", line 2, in b\n    outer()\n    ^^^^^^^\n'
        "ValueError: shapes differ\nDetected at node x defined at (most recent call last):\n"
        '  File "c.py", line 3, in c\nwhich says nothing\n'
    )
    (busy / "claim.json").write_text(json.dumps({"host": "elsewhere", "pid": 1, "start": "1"}))
    frame = load_runs(outputs).set_index("seed")
    assert frame["state"].tolist() == ["finished", "failed", "running", "interrupted"]
    assert frame["error"].fillna("-").tolist() == ["-", "ValueError: shapes differ", "-", "-"]
    assert frame["metrics.test_accuracy"].notna().tolist() == [True, False, False, False]
    assert frame["config_id"].nunique() == 1
    assert frame["optimizer.learning_rate"].tolist() == [1e-5] * 4
    assert frame["run_id"].tolist() == [folder.name for folder in (done, broken, busy, stopped)]
    assert varying(frame.reset_index()) == []  # config.yaml and result.json are read alike
    assert frame.attrs["left_out"] == []


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", "error.txt is empty"),
        ("out of memory\nKilled\n", "Killed"),
        ('Traceback (most recent call last):\n  File "a.py", line 1\n', 'File "a.py", line 1'),
        ("Traceback (most recent call last):\n  x\nRuntimeError: \x1b[31m\xff\n", "RuntimeError: \x1b[31m\xff"),
    ],
)
def test_the_error_of_a_failed_run_is_one_line(make_run, outputs, text, error):
    (make_run(finished=False) / "error.txt").write_text(text)
    assert load_runs(outputs)["error"].tolist() == [error]


# -- from paths to runs -----------------------------------------------------------------------------------------------


def test_a_path_may_be_anything_from_a_run_to_what_is_above_it(make_run, outputs, monkeypatch):
    first, second = make_run("study=a"), make_run("study=b")
    assert load_runs(first)["folder"].tolist() == [str(first)]
    assert load_runs(outputs / "b")["folder"].tolist() == [str(second)]
    assert len(load_runs(outputs.parent)) == 2
    monkeypatch.chdir(outputs.parent)
    assert load_runs()["folder"].tolist() == [f"outputs/a/{first.name}", f"outputs/b/{second.name}"]
    assert load_runs("outputs/")["folder"].tolist() == load_runs("./outputs")["folder"].tolist()


def test_rows_are_sorted_by_folder_whatever_the_order_of_the_paths(make_run, outputs):
    for seed in (5, 1, 3):
        make_run(f"seed={seed}", "study=b")
    make_run("study=a")
    frame = load_runs(outputs / "b", outputs / "a")
    assert frame["folder"].is_monotonic_increasing
    pd.testing.assert_frame_equal(frame, load_runs(outputs))


def test_a_run_that_several_paths_lead_to_is_one_row(make_run, outputs):
    folder = make_run("study=a")
    (outputs / "b").mkdir()
    (outputs / "b" / "link").symlink_to(folder)
    (outputs / "b" / "loop").symlink_to(outputs)
    (outputs / "b" / "nowhere").symlink_to("gone")
    frame = load_runs(outputs, folder, outputs / "a")
    assert frame["folder"].tolist() == [str(folder)]
    assert frame.attrs["left_out"] == []


def test_a_link_to_itself_is_left_out_and_hides_nothing(make_run, outputs):
    folder = make_run()
    (folder.parent / "itself").symlink_to("itself")
    frame = load_runs(outputs)
    assert frame["folder"].tolist() == [str(folder)]
    assert left_out(frame) == {"itself": "cannot be read (Too many levels of symbolic links)"}


def test_nothing_is_looked_for_in_run_folders_or_hidden_ones(make_run, outputs):
    folder = make_run()
    for place in (folder / "checkpoint" / "inner", outputs / ".trash" / "run", folder / ".hydra"):
        place.mkdir(parents=True)
        shutil.copy(folder / "config.yaml", place)
    assert load_runs(outputs)["folder"].tolist() == [str(folder)]


def test_without_runs_the_paths_that_were_searched_are_named(tmp_path, monkeypatch):
    (tmp_path / "empty" / "study").mkdir(parents=True)
    with pytest.raises(RequestError, match=r"no runs below .*/empty, .*/study;"):
        load_runs(tmp_path / "empty", tmp_path / "empty" / "study")
    with pytest.raises(RequestError, match="nowhere does not exist"):
        load_runs(tmp_path / "empty", tmp_path / "nowhere")
    (tmp_path / "file").write_text("")
    with pytest.raises(RequestError, match="file is no folder"):
        load_runs(tmp_path / "file")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RequestError, match=r"^outputs does not exist"):
        load_history()


# -- bad input --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "result.json: not JSON"),
        (b'{"schema": 1, "run_', "result.json: not JSON"),
        (b"\xff\xfe\x00", "result.json: not JSON"),
        (b"[" * 100_000, "nested too deeply"),
        (b"[1, 2]", "schema 'list'; this fitbench reads schema 1 and 2"),
        (b'{"loss": 0.1}', "schema None"),
        (b'{"schema": 3}', "schema 3; this fitbench reads schema 1 and 2"),
    ],
    ids=["empty", "truncated", "no text", "deep", "a list", "foreign", "newer"],
)
def test_a_result_that_cannot_be_read_is_left_out_with_its_reason(make_run, outputs, content, reason):
    good, bad = make_run("seed=0"), make_run("seed=1")
    (bad / "result.json").write_bytes(content)
    frame = load_runs(outputs)
    assert frame["folder"].tolist() == [str(good)]
    ((folder, said),) = frame.attrs["left_out"]
    assert folder == str(bad)
    assert reason in said
    assert str(bad) not in said


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"metrics__test_accuracy": float("nan")}, "metrics.test_accuracy is nan"),
        ({"metrics__test_loss": ...}, "metrics.test_loss is missing"),
        ({"metrics__val_accuracy": "0.9"}, "metrics.val_accuracy is '0.9'"),
        ({"metrics": None}, "metrics is null; it must be a section"),
        ({"config__model": "mlp"}, "config.model is 'mlp'"),
        ({"config__optimizer__learning_rate": float("inf")}, "config.optimizer.learning_rate is inf"),
        ({"config__training__epochs": 10**400}, "config.training.epochs is 1000"),
        ({"parameters": 10**400}, "parameters is 1000"),
        ({"seed": -1}, "seed is -1"),
        ({"seed": 2**40}, "seed is 1099511627776"),
        ({"seed": True}, "seed is true"),
        ({"git": [1]}, r"git is \[1\]"),
        ({"versions": {"keras": 3}}, "versions.keras is 3; it must be text, or null"),
        ({"git": {"dirty": "no"}}, "git.dirty is 'no'; it must be true or false, or null"),
        ({"finished_at": "yesterday"}, "finished_at is 'yesterday'"),
    ],
)
def test_a_result_with_a_wrong_value_is_left_out_and_the_key_named(make_run, outputs, changes, reason):
    make_run("seed=0")
    bad = make_run("seed=1")
    edit(bad, **changes)
    frame = load_runs(outputs)
    assert frame["seed"].tolist() == [0]
    (said,) = left_out(frame).values()
    assert said.startswith("result.json: ")
    assert pd.Series([said]).str.contains(reason).all(), said


def test_what_a_result_may_lack_is_missing(make_run, outputs):
    edit(make_run(), git=..., versions=..., metrics__val_loss=None, timing__fit_seconds=None)
    (row,) = load_runs(outputs).to_dict("records")
    for name in ("git.commit", "git.dirty", "metrics.val_loss", "timing.fit_seconds"):
        assert pd.isna(row[name])


def test_a_pruned_run_has_the_metrics_of_its_last_epoch_and_its_trial(make_run, outputs):
    make_run("seed=0", trial=3)
    folder = make_run("seed=1", history=make_run.curves(2), pruned=True, trial=7)
    make_run("seed=2")
    frame = load_runs(outputs)
    assert frame["state"].tolist() == ["finished", "pruned", "finished"]
    assert frame["trial"].fillna(-1).tolist() == [3, 7, -1]
    pruned = frame.to_dict("records")[1]
    assert (pruned["metrics.val_accuracy"], pruned["metrics.val_loss"]) == (0.88, 0.6)
    assert (pruned["metrics.epochs"], pruned["metrics.best_epoch"], pruned["timing.fit_seconds"]) == (2, 2, 1.5)
    assert [name for name in METRICS if pd.isna(pruned[f"metrics.{name}"])] == ["test_loss", "test_accuracy"]
    assert frame.loc[0, "config_id"] == pruned["config_id"]
    with claim(folder):  # it goes on
        row = load_runs(outputs).to_dict("records")[1]
    assert row["state"] == "running"
    assert pd.isna(row["metrics.val_accuracy"])
    assert pd.isna(row["trial"])


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "pruned.json: not JSON"),
        ("[]", "pruned.json: schema 'list'"),
        ('{"schema": 9}', "pruned.json: schema 9"),
        ('{"schema": 1}', "pruned.json: run_id is missing"),
        ('{"schema": 1, "run_id": "x", "metrics": METRICS, "timing": {"fit_seconds": 1}}', "trial is missing"),
        ('{"schema": 1, "trial": -1, "run_id": "x", "metrics": METRICS, "timing": {"fit_seconds": 1}}', "trial is -1"),
        ('{"schema": 1, "trial": true, "run_id": "x", "metrics": METRICS, "timing": {}}', "trial is true"),
        (
            '{"schema": 1, "trial": 1, "run_id": "x", "timing": {"fit_seconds": 1}, "metrics": '
            '{"best_epoch": 1, "epochs": 1, "train_accuracy": 1, "train_loss": 1, "val_loss": 1}}',
            "metrics.val_accuracy is missing",
        ),
        ('{"schema": 1, "trial": 1, "run_id": "x", "metrics": METRICS, "timing": {"fit_seconds": "1"}}', "fit_seconds"),
        ("[" * 100_000, "pruned.json: nested too deeply"),
    ],
)
def test_a_damaged_pruned_json_is_left_out_with_its_reason(make_run, outputs, content, reason):
    make_run("seed=0")
    bad = make_run("seed=1", pruned=True, trial=1)
    metrics = json.loads((bad / "pruned.json").read_text())["metrics"]
    (bad / "pruned.json").write_text(content.replace("METRICS", json.dumps(metrics)))
    frame = load_runs(outputs)
    assert frame["seed"].tolist() == [0]
    (said,) = left_out(frame).values()
    assert said.startswith("pruned.json: ")
    assert reason in said


@pytest.mark.parametrize("trial", [-1, "3", 2**40, 1.5])
def test_a_trial_that_is_no_number_is_left_out(make_run, outputs, trial):
    make_run("seed=0")
    edit(make_run("seed=1"), trial=trial)
    frame = load_runs(outputs)
    assert frame["seed"].tolist() == [0]
    assert list(left_out(frame).values()) == [
        f"result.json: trial is {trial!r}; it must be a whole number from 0, below 2^31, or null"
    ]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "config.yaml: it is null"),
        ("data: {name: x", "config.yaml: not YAML (line 2: did not find expected"),
        ("- 1\n- 2\n", "config.yaml: it is [1, 2]; it must be a section with keys of its own"),
        ("defaults: [x]\n", "config.yaml: data is missing; it must be a section"),
        ("a: &a [1, 1]\nb: [*a, *a]\n", "config.yaml: line 2 holds an alias (*a)"),
        ("[" * 5_000, "config.yaml: not YAML"),
        ("a: !!python/object/apply:os.abort []\n", "config.yaml: not YAML"),
    ],
    ids=["empty", "truncated", "a list", "not ours", "alias", "deep", "code"],
)
def test_a_configuration_that_cannot_be_read_is_left_out_with_its_reason(make_run, outputs, content, reason):
    make_run("seed=0")
    bad = make_run("seed=1", finished=False)
    (bad / "config.yaml").write_text(content)
    frame = load_runs(outputs)
    assert frame["seed"].tolist() == [0]
    assert reason in left_out(frame)[bad.name]


@pytest.mark.parametrize("key", ["seed", "study"])
def test_a_configuration_without_seed_or_study_is_left_out(make_run, outputs, key):
    bad = make_run(finished=False)
    lines = (bad / "config.yaml").read_text().splitlines(keepends=True)
    (bad / "config.yaml").write_text("".join(line for line in lines if not line.startswith(f"{key}:")))
    assert left_out(load_runs(outputs))[bad.name].startswith(f"config.yaml: {key} is missing; it must be ")


def test_a_folder_in_the_place_of_a_file_is_left_out(make_run, outputs):
    make_run("seed=0")
    bad = make_run("seed=1", finished=False)
    (bad / "result.json").mkdir()
    assert left_out(load_runs(outputs)) == {
        bad.name: "result.json: a folder, not a regular file; train the run again with force=true"
    }


def test_text_that_no_encoding_has_is_replaced(make_run, outputs):
    edit(make_run("seed=0"), config__model__name="\ud800x")
    make_run("seed=1")
    frame = load_runs(outputs)
    assert frame.groupby("model.name").size().to_dict() == {r"\ud800x": 1, "mlp": 1}


def test_a_run_that_starts_anew_while_it_is_read_is_not_finished(make_run, outputs, monkeypatch):
    folder = make_run()
    read = reading.read_result

    def read_after_force(path: Path):
        (folder / "result.json").unlink()
        return read(path)

    monkeypatch.setattr(reading, "read_result", read_after_force)
    frame = load_runs(outputs)
    assert frame["state"].tolist() == ["interrupted"]
    assert frame.attrs["left_out"] == []


def test_runs_that_come_and_go_while_they_are_read_do_no_harm(make_run, outputs, tmp_path):
    still = make_run("seed=0")
    template = make_run("seed=1", outputs=tmp_path / "template")
    busy = outputs / "default" / template.name
    stop = threading.Event()

    def write_and_remove() -> None:
        while not stop.is_set():
            shutil.copytree(template, busy)
            (busy / "result.json").rename(busy / ".new")
            (busy / ".new").rename(busy / "result.json")
            shutil.rmtree(busy)

    writer = threading.Thread(target=write_and_remove)
    writer.start()
    try:
        for _ in range(25):
            assert str(still) in load_runs(outputs)["folder"].tolist()
            assert str(still) in load_history(outputs)["folder"].tolist()
    finally:
        stop.set()
        writer.join()


def test_what_is_left_out_is_said_on_stderr_cleanly_and_briefly(make_run, outputs, capsys):
    make_run()
    for number in range(25):
        (outputs / f"bad\x1b[31m-{number:02}").mkdir()
        (outputs / f"bad\x1b[31m-{number:02}" / "config.yaml").write_text("")
    say_left_out(load_runs(outputs).attrs["left_out"])
    printed = capsys.readouterr()
    assert printed.out == ""
    lines = printed.err.splitlines()
    assert lines[0].startswith(f"fitbench: left out {outputs}/bad\\x1b[31m-00: config.yaml: it is null; ")
    assert lines[20:] == ["fitbench: left out 5 more"]


# -- history ----------------------------------------------------------------------------------------------------------


def test_history_has_a_row_per_run_and_epoch(make_run, outputs):
    finished = make_run("seed=0", history=make_run.curves(4))
    going = make_run("seed=1", history=make_run.curves(2, validation=False), finished=False)
    make_run("seed=2", "model=nearest_mean", history=[])
    history = load_history(outputs)
    assert list(history.columns) == [
        *("folder", "study", "run_id", "seed", "fold", "epoch", "seconds", "learning_rate", "loss", "accuracy"),
        *("val_loss", "val_accuracy"),
    ]
    assert list(zip(history["folder"], history["epoch"], strict=True)) == [
        *((str(finished), epoch) for epoch in (1, 2, 3, 4)),
        *((str(going), epoch) for epoch in (1, 2)),
    ]
    assert history["run_id"].unique().tolist() == [finished.name, going.name]
    assert history["loss"].tolist() == [2.0, 1.0, 2 / 3, 0.5, 2.0, 1.0]
    assert history["val_loss"].isna().tolist() == [False] * 4 + [True] * 2
    assert (history["seed"].dtype, history["epoch"].dtype, history["val_loss"].dtype) == ("int64", "int64", "float64")


def test_history_takes_the_later_of_two_lines_and_no_torn_or_foreign_one(make_run, outputs):
    folder = make_run(history=make_run.curves(2))
    with (folder / "history.jsonl").open("a") as file:
        file.write('{"epoch": 2, "loss": 9.0, "accuracy": NaN, "other": [1]}\n[]\n{"epoch": 0}\n{"epoch": 3, "lo')
    history = load_history(outputs)
    assert history["epoch"].tolist() == [1, 2]
    assert history["loss"].tolist() == [2.0, 9.0]
    assert history["accuracy"].isna().tolist() == [False, True]
    assert "other" not in history.columns


def test_history_of_runs_without_epochs_is_empty_and_typed(make_run, outputs):
    make_run("model=nearest_mean", history=[])
    history = load_history(outputs)
    assert len(history) == 0
    assert (history["epoch"].dtype, history["loss"].dtype, history["run_id"].dtype) == ("int64", "float64", "str")


def test_history_that_cannot_be_read_is_left_out(make_run, outputs):
    folder = make_run("seed=0")
    (folder / "history.jsonl").unlink()
    (folder / "history.jsonl").mkdir()
    make_run("seed=1")
    history = load_history(outputs)
    assert history["seed"].unique().tolist() == [1]
    assert history.attrs["left_out"] == [(str(folder), "history.jsonl: a folder, not a regular file")]


def test_histories_of_a_part_of_the_runs(make_run, outputs):
    make_run("seed=0")
    make_run("seed=1")
    frame = load_runs(outputs)
    assert histories(frame[frame["seed"] == 1])["seed"].unique().tolist() == [1]


# -- the package ------------------------------------------------------------------------------------------------------


def test_the_package_has_no_other_name():
    with pytest.raises(AttributeError, match="no attribute 'load_run'"):
        fitbench.load_run  # noqa: B018
