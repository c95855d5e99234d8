import copy
import csv
import io
import json
import shutil
import zlib
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from fitbench import cli
from fitbench.analysis import group_columns
from fitbench.analysis.groups import group
from fitbench.errors import RequestError

ADAM, SGD = [0.95, 0.96, 0.955, 0.965, 0.96], [0.85, 0.86, 0.84, 0.87, 0.85]


@pytest.fixture(scope="module")
def template(configure):
    """The result of a finished run."""
    from fitbench.config import plain

    config = plain(configure("model=mlp", "training.epochs=5"))
    metrics = dict.fromkeys(("train_loss", "train_accuracy", "val_loss", "val_accuracy", "test_loss", "test_accuracy"))
    return {
        "schema": 1, "config": config, "metrics": metrics | {"best_epoch": 3, "epochs": 5},
        "timing": {"fit_seconds": 2.5, "seconds": 83.0, "images_per_second": 8123.4}, "parameters": 12345,
        "data": {"name": "mnist_5k", "sha256": "ab" * 32, "train": 100, "validation": 20, "test": 1000,
                 "classes": ["0", "1"], "skipped": 0},
        "versions": {}, "git": {}, "device": "cpu", "attempts": 1, "finished_at": "2026-01-02T03:04:05Z",
    }  # fmt: skip


@pytest.fixture
def record(template, tmp_path):
    """Writes finished runs of a configuration, one for each accuracy, the seeds from 0."""

    def write(model, optimizer, accuracies, study="grid", **changes):
        for seed, accuracy in enumerate(accuracies):
            result = copy.deepcopy(template)
            result["config"]["model"]["name"], result["config"]["optimizer"]["name"] = model, optimizer
            result["metrics"] |= {"test_accuracy": accuracy, "test_loss": 1 - accuracy}
            config_id = f"{zlib.crc32(f'{model}-{optimizer}'.encode()):08x}"
            run_id = f"mnist_5k-{model}-{optimizer}-{config_id}-s{seed}"
            result |= {"run_id": run_id, "config_id": config_id, "seed": seed, "study": study} | changes
            folder = tmp_path / "outputs" / study / run_id
            folder.mkdir(parents=True)
            (folder / "result.json").write_text(json.dumps(result))
            (folder / "config.yaml").write_text(yaml.safe_dump(result["config"] | {"seed": seed, "study": study}))
        return folder

    return write


@pytest.fixture
def grid(record):
    record("mlp", "adam", ADAM)
    record("mlp", "sgd", SGD)
    record("softmax", "adam", [0.9, 0.91])


@pytest.fixture
def fitbench(tmp_path, monkeypatch):
    """Runs `fitbench compare` where outputs/ is; gives its result, with stdout and stderr apart."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments):
        result = CliRunner().invoke(cli.app, ["compare", *arguments])
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return call


def lines_with(text, *words):
    return [line for line in text.splitlines() if all(word in line for word in words)]


def test_groups_are_ranked_with_mean_deviation_and_interval(grid, fitbench):
    out = fitbench().stdout
    assert out.startswith("test_accuracy, higher is better: 12 runs in 3 groups by model, optimizer")
    first, second, third = (line.split() for line in out.splitlines()[2:5])
    assert first[:7] == ["1", "mlp", "adam", "5", "0.9580", "±", "0.0057"]
    assert first[7:10] == ["0.9503", "to", "0.9645"]
    assert first[10:12] == ["0.9650", "0.9500"]
    assert first[12:] == ["12,345", "2.50"]
    assert second[:4] == ["2", "softmax", "adam", "2"]
    assert third[:4] == ["3", "mlp", "sgd", "5"]


def test_each_group_is_compared_with_the_best(grid, fitbench):
    out = fitbench("--explain").stdout
    (against,) = lines_with(out, "Against the best, mlp, adam")
    below = out[out.index(against) :]
    (sgd,) = lines_with(below, "paired t, n = 5")
    assert sgd.split()[:4] == ["3", "mlp,", "sgd", "-0.1040"]
    assert "<0.001" in sgd
    assert "0.00" in sgd
    assert "corrected for 1 comparison." in out
    assert "chosen as the best of these very means" in out


def test_the_table_says_why_there_is_no_interval_and_no_p(grid, fitbench):
    out = fitbench("--explain").stdout
    assert len(lines_with(out, "softmax", "n < 3")) == 1
    assert "No interval, fewer than 3 values: softmax, adam." in out
    assert "No p-value, fewer than 3 values in one of the two: softmax, adam." in out


def test_a_baseline_takes_the_place_of_the_best(grid, fitbench):
    out = fitbench("--baseline", "mlp,sgd").stdout
    assert "Against the baseline, mlp, sgd" in out
    assert len(lines_with(out, "mlp, adam", "+0.1040")) == 1
    assert "chosen as the best" not in out


def test_explain_says_which_interval_and_which_tests(grid, fitbench):
    accuracy, loss = fitbench("--explain").stdout, fitbench("--metric", "test_loss", "--explain").stdout
    assert "Wilson's score interval with Student's t" in accuracy
    assert "To select a configuration, rank by --metric val_accuracy" in accuracy
    assert "interval of the logarithm of the mean" in loss
    assert "paired over the common seeds" in loss
    assert "test_loss, lower is better" in loss
    assert [line.split()[1:3] for line in loss.splitlines()[2:5]] == [
        ["mlp", "adam"],
        ["softmax", "adam"],
        ["mlp", "sgd"],
    ]


def test_a_number_that_never_varies_has_a_difference_and_no_test(record, fitbench):
    record("mlp", "adam", ADAM, parameters=20_000)
    record("softmax", "adam", ADAM, parameters=7_850)
    out = fitbench("--metric", "parameters", "--explain").stdout
    assert len(lines_with(out, "mlp", "+12,150", "12,150 to 12,150")) == 1
    assert "No p-value, without variance there is no t-test: mlp" in out
    assert "the interval has no width: softmax; mlp." in out
    assert "Welch's" not in out


def test_groups_that_mix_configurations_are_pointed_out(grid, fitbench):
    out = fitbench("--by", "model").stdout
    assert "12 runs in 2 groups by model" in out
    assert "1 group mixes runs that differ in optimizer: --explain" in out.splitlines()
    (line,) = lines_with(fitbench("--by", "model", "--explain").stdout, "Mixed")
    assert "(optimizer.name: adam, sgd): mlp." in line
    assert "mixes" not in fitbench().stdout


def test_runs_that_do_not_count_are_said(grid, record, fitbench, tmp_path):
    folder = next((tmp_path / "outputs" / "grid").glob("*sgd*s4"))
    (folder / "result.json").unlink()
    (folder / "error.txt").write_text("ValueError: no\n")
    record("mlp", "adam", ADAM[:2], study="again")
    short = fitbench("--all").stdout.splitlines()
    assert {"not counted: 1 failed", "2 runs recorded more than once: the latest counts: --explain"} <= set(short)
    out = fitbench("--all", "--explain").stdout
    assert "Not counted: mlp, sgd (1 failed)." in out
    (line,) = lines_with(out, "Recorded more than once")
    assert "outputs/again/mnist_5k-mlp-adam" in line
    assert len(lines_with(out, "Welch, n = 4 and 5")) == 1
    only = fitbench("outputs/again").stdout
    assert "2 runs in 1 group" in only
    assert "Recorded" not in only


def test_a_metric_that_no_run_has_gives_no_comparison(grid, fitbench):
    result = fitbench("--metric", "val_accuracy", "--explain")
    assert result.exit_code == 0
    assert "Not counted: mlp, adam (5 without val_accuracy)" in result.stdout
    assert "Against" not in result.stdout


def test_damaged_runs_are_named_on_stderr_left_out_and_counted(grid, fitbench, tmp_path):
    folder = next((tmp_path / "outputs" / "grid").glob("*sgd*s4"))
    (folder / "result.json").write_text("{")
    result = fitbench()
    assert folder.name in result.stderr
    assert "not JSON" in result.stderr
    assert "11 runs in 3 groups by model, optimizer; 1 left out" in result.stdout
    assert json.loads(fitbench("--format", "json").stdout)["left_out"][0]["folder"].endswith(folder.name)


def test_json_holds_every_number(grid, fitbench):
    (content,) = json.loads(fitbench("--format", "json").stdout)["comparisons"]
    assert content["by"] == ["model.name", "optimizer.name"]
    assert content["reference"] == {
        "keys": {"model.name": "mlp", "optimizer.name": "adam"},
        "chosen_by": "best mean",
    }
    best, few, sgd = content["groups"]
    assert (best["rank"], best["n"], best["values"], best["seeds"]) == (1, 5, ADAM, [0, 1, 2, 3, 4])
    assert best["mean"] == pytest.approx(0.958)
    assert 0.95 < best["low"] < best["mean"] < best["high"] < 0.965
    assert best["comparison"] is None
    assert (few["low"], few["no_interval"]) == (None, "fewer than 3 values")
    assert sgd["comparison"]["difference"] == pytest.approx(-0.104)
    assert sgd["comparison"]["p"] == sgd["comparison"]["p_holm"] < 0.001
    assert (sgd["comparison"]["test"], sgd["comparison"]["n"]) == ("paired t", [5])


def test_csv_has_a_line_for_each_group(grid, fitbench):
    rows = list(csv.DictReader(io.StringIO(fitbench("--format", "csv").stdout)))
    assert [row["model.name"] for row in rows] == ["mlp", "softmax", "mlp"]
    assert float(rows[2]["difference"]) == pytest.approx(-0.104)
    assert rows[1]["low"] == rows[1]["p"] == rows[0]["difference"] == ""


def test_markdown_is_two_tables(grid, fitbench):
    out = fitbench("--format", "markdown").stdout
    assert "| 1 | mlp | adam | 5 | 0.9580 ± 0.0057 | 0.9503 to 0.9645 |" in out
    assert "| 3 | mlp, sgd | -0.1040 |" in out
    assert len({line.count("|") for line in lines_with(out, "---")}) == 2


def test_a_limit_shortens_tables_and_says_so(grid, fitbench):
    out = fitbench("--limit", "2").stdout
    assert "and 1 more group" in out
    assert "mlp     sgd" not in out
    assert "mlp, sgd" not in out


def test_a_limit_holds_for_csv_and_json_too(grid, fitbench):
    options = ("--limit", "2", "--baseline", "mlp,sgd")
    rows = list(csv.DictReader(io.StringIO(fitbench(*options, "--format", "csv").stdout)))
    assert [(row["model.name"], row["optimizer.name"]) for row in rows] == [("mlp", "adam"), ("softmax", "adam")]
    (content,) = json.loads(fitbench(*options, "--format", "json").stdout)["comparisons"]
    assert [group["rank"] for group in content["groups"]] == [1, 2]
    assert content["reference"]["keys"] == {"model.name": "mlp", "optimizer.name": "sgd"}


def test_names_of_strangers_stay_text(record, fitbench):
    hostile = "\x1b[31m|[x](y)\n"
    record(hostile, "adam", [0.9, 0.8, 0.85])
    record("mlp", "adam", [0.95, 0.9, 0.92])
    for format in ("table", "markdown"):
        out = fitbench("--format", format).stdout
        assert "\x1b" not in out
        assert r"\x1b" in out.replace("\\\\", "\\")
    assert r"\|[x]\(y)" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--format", "xml"], "--format is 'xml'"),
        (["--metric", "test_acc"], "did you mean test_accuracy"),
        (["--by", "optimizer.nam"], r"did you mean optimizer\.name"),
        (["--baseline", "mlp,rmsprop"], "fits none of the 3 groups"),
        (["--baseline", "mlp,adam", "--metric", "val_loss"], "none of its runs has finished with val_loss"),
        (["--where", "seed > 99"], "--where 'seed > 99' keeps none of the 12 runs"),
        (["--where", "seed >"], "seed >"),
        (["no-such-run"], "fits none of the 12 runs"),
        (["outputs/gird", "outputs/x"], "outputs/gird does not exist; did you mean outputs/grid"),
    ],
)
def test_wrong_requests_are_refused(grid, fitbench, arguments, message):
    with pytest.raises(RequestError, match=message):
        fitbench(*arguments)


def test_folders_that_do_not_exist_and_folders_without_runs_are_refused(fitbench, tmp_path):
    with pytest.raises(RequestError, match="outputs"):
        fitbench()
    (tmp_path / "outputs").mkdir()
    with pytest.raises(RequestError, match="no runs below outputs"):
        fitbench()


def test_options_of_groups_are_refused_for_two_single_runs(grid, fitbench):
    with pytest.raises(RequestError, match="--by, --where is for groups of runs"):
        fitbench(*map(str, _two_runs()), "--by", "model", "--where", "seed < 9")


def _two_runs():
    return sorted(Path("outputs/grid").glob("*mlp-adam*"))[:2]


def test_a_run_and_a_study_are_groups(grid, fitbench, tmp_path):
    shutil.copytree(tmp_path / "outputs" / "grid", tmp_path / "more")
    one = str(_two_runs()[0])
    assert "1 run in 1 group by" in fitbench(one).stdout
    assert "13 runs in 3 groups by" in fitbench(one, "more").stdout


# -- numbers and columns ----------------------------------------------------------------------------------------------


def test_digits_follow_the_spread(record, tmp_path):
    from fitbench.analysis.frame import load_runs, quantities_of

    record("mlp", "adam", [0.99951, 0.99957, 0.99954])
    runs = load_runs(tmp_path)
    metrics = quantities_of(runs)
    found = group(runs, ["model"], "test_accuracy")
    assert group_columns.decimals(metrics["metrics.test_accuracy"], found) == 6
    assert group_columns.decimals(metrics["parameters"], group(runs, ["model"], "parameters")) == 0
    runs["timing.fit_seconds"] = [10.0, 20.0, 35.0]
    assert group_columns.decimals(metrics["timing.fit_seconds"], group(runs, ["model"], "fit_seconds")) == 0
    runs["timing.fit_seconds"] = [1.0, 1.2, 1.1]
    assert group_columns.decimals(metrics["timing.fit_seconds"], group(runs, ["model"], "fit_seconds")) == 2


def test_p_values_as_text():
    texts = {
        None: "-", 1.0: "1.000", 0.0504: "0.050", 0.05: "0.050", 0.04951: "0.0495", 0.04999: "0.04999", 0.0494: "0.049",
        0.001: "0.001", 0.00099: "<0.001", 0.0: "<0.001",
    }  # fmt: skip
    assert {p: group_columns.p_text(p) for p in texts} == texts
