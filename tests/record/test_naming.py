import json
import os
import re
import time
from pathlib import Path

import pytest

from fitbench import metrics
from fitbench.errors import RequestError
from fitbench.record import naming, newest
from fitbench.record.naming import find_folder, find_run
from fitbench.record.run_group import find_group


def bare_run(outputs: Path, study: str, run_id: str) -> Path:
    folder = outputs / study / run_id
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text("seed: 0\n")
    return folder


@pytest.fixture
def outputs(tmp_path):
    for study, run_id in (
        ("default", "mnist-mlp-adam-11111111-s0"),
        ("default", "mnist-mlp-adam-11111111-s1"),
        ("default", "mnist-mlp-adam-11111111-s10"),
        ("default", "mnist-lenet5-sgd-22222222-s0"),
        ("paper", "mnist-lenet5-sgd-22222222-s0"),
    ):
        bare_run(tmp_path, study, run_id)
    (tmp_path / "default" / "notes").mkdir()
    (tmp_path / "default" / "multirun.yaml").write_text("")
    return tmp_path


def lines_of(error: pytest.ExceptionInfo) -> list[list[str]]:
    """The cells of the candidates, below the headings."""
    *rows, last = str(error.value).splitlines()
    assert last == "give one of these names, or @latest"
    head, *lines = [re.split(r" {2,}", line.strip()) for line in rows[1:]]
    assert [each for each in head[:5] if each != "study"][:4] == ["name", "run", "state", "age"]
    assert ("study" in head) == any("/" not in name for name, *_ in lines)
    return lines


# -- names and parts of them ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("mnist-mlp-adam-11111111-s1", "default/mnist-mlp-adam-11111111-s1"),  # the same, though a part of another
        ("11111111-s1", "default/mnist-mlp-adam-11111111-s1"),  # the words at its end
        ("s10", "default/mnist-mlp-adam-11111111-s10"),
        ("1-s10", "default/mnist-mlp-adam-11111111-s10"),  # no word, but a part
        ("paper/", "paper/mnist-lenet5-sgd-22222222-s0"),
        ("paper/mnist-lenet5", "paper/mnist-lenet5-sgd-22222222-s0"),
        ("paper/22222222-s0", "paper/mnist-lenet5-sgd-22222222-s0"),
        ("paper/sgd", "paper/mnist-lenet5-sgd-22222222-s0"),
        ("default/mnist-lenet5-sgd-22222222-s0/", "default/mnist-lenet5-sgd-22222222-s0"),
    ],
)
def test_a_run_is_found_by_its_id_or_a_part_of_it(outputs, text, expected):
    assert find_run(text, outputs) == outputs / expected
    assert find_run(f"{outputs}/{text}", outputs) == outputs / expected


def test_a_run_is_found_by_its_path_wherever_it_is(outputs, tmp_path_factory):
    elsewhere = bare_run(tmp_path_factory.mktemp("elsewhere"), "study", "some-run")
    assert find_run(str(elsewhere), outputs) == elsewhere


def test_an_ambiguous_part_lists_the_candidates_by_names_that_can_be_copied(outputs, make_run):
    finished = make_run("study=paper", "seed=3", outputs=outputs)
    with pytest.raises(RequestError, match="'mlp-adam' fits 4 runs") as caught:
        find_run("mlp-adam", outputs)
    rows = lines_of(caught)
    for name, *_ in rows:
        assert "mlp-adam" in str(find_run(name, outputs))
    assert {name for name, *_ in rows} >= {"11111111-s0", "11111111-s1", "11111111-s10"}
    [row] = [row for row in rows if row[1] == "paper"]
    assert finished.name.endswith(row[0])
    assert row[2:4] == ["digits-mlp-adam" if "digits" in finished.name else "mnist_5k-mlp-adam", "finished"]
    assert re.fullmatch(r"\d+ d", row[4])
    assert row[5] == "0.8600"
    assert "val_accuracy" in str(caught.value).splitlines()[1]


def test_a_candidate_whose_short_name_is_ambiguous_is_named_with_its_study(outputs):
    with pytest.raises(RequestError, match="fits 2 runs") as caught:
        find_run("mnist-lenet5-sgd-22222222-s0", outputs)
    names = {name for name, *_ in lines_of(caught)}
    assert names == {"default/22222222-s0", "paper/22222222-s0"}
    assert {find_run(name, outputs).parent.name for name in names} == {"default", "paper"}


def test_only_a_finished_run_among_several_is_meant_where_it_must_be_finished(outputs):
    text, folder = "mnist-lenet5-sgd-22222222-s0", outputs / "default/mnist-lenet5-sgd-22222222-s0"
    (outputs / "paper" / text / "error.txt").write_text("failed\n")
    for finished in (False, True):
        with pytest.raises(RequestError, match="fits 2 runs") as caught:
            find_run(text, outputs, finished)
        assert {row[2] for row in lines_of(caught)} == {"interrupted", "failed"}
    (folder / "result.json").write_text("{}")
    assert find_run(text, outputs, finished=True) == folder
    assert find_run("lenet5", outputs, finished=True) == folder
    assert find_run("paper/", outputs, finished=True).parent.name == "paper"
    with pytest.raises(RequestError, match=r" finished "):
        find_run(text, outputs)
    (outputs / "paper" / text / "result.json").write_text("{}")
    with pytest.raises(RequestError, match=r"fits 2 runs"):
        find_run(text, outputs, finished=True)


def test_the_ten_candidates_that_changed_last_are_named(outputs):
    for seed in range(30):
        path = bare_run(outputs, "many", f"many-{seed}") / "config.yaml"
        os.utime(path, (0, 1_000_000_000 + seed))
    with pytest.raises(RequestError, match="fits 30 runs") as caught:
        find_run("many-", outputs)
    *rows, more = lines_of(caught)
    assert [name for name, *_ in rows] == [f"many-{seed}" for seed in range(29, 19, -1)]
    assert more == ["and 20 more"]


def test_an_unknown_run_says_what_was_searched_and_what_is_near(outputs):
    with pytest.raises(RequestError, match=f"none of the 5 runs in {outputs}") as caught:
        find_run("mnits-mlp", outputs)
    assert "Did you mean mnist-mlp" in str(caught.value)
    with pytest.raises(RequestError) as caught:
        find_run("zzzzzzzzzz", outputs)
    assert str(caught.value).endswith("; fitbench runs --all lists them")
    with pytest.raises(RequestError, match=r"\nDid you mean paper\?"):
        find_run("papr", outputs)


@pytest.mark.parametrize("find", [find_run, find_folder])
def test_of_a_path_that_does_not_exist_the_studies_are_named(outputs, find):
    with pytest.raises(RequestError) as caught:
        find(f"{outputs}/zzzzzzzzzz", outputs)
    advice = f"give a run folder, a run_id or a part of one; the studies in {outputs} are default, paper"
    assert str(caught.value) == f"{outputs}/zzzzzzzzzz does not exist; {advice}"


def test_the_name_of_a_study_says_how_a_run_of_it_is_named(outputs):
    message = "'default' is a study of 4 runs: give default/NAME, or default/@best, the best of it"
    for text in ("default", "default/", f"{outputs}/default"):
        with pytest.raises(RequestError, match=message.replace("default'", ".*default/?'")):
            find_run(text, outputs)


def test_a_study_is_meant_where_a_folder_of_its_name_holds_no_runs(outputs, tmp_path_factory, monkeypatch):
    here = tmp_path_factory.mktemp("here")
    monkeypatch.chdir(here)
    (here / "default").mkdir()
    (here / "empty").mkdir()
    assert find_folder("default", outputs) == outputs / "default"
    assert find_folder("empty", outputs) == Path("empty")
    bare_run(outputs, ".trash/20261130T000000Z/default", "mnist-mlp-adam-00000000-s0")
    with pytest.raises(RequestError, match=r"'\.trash' fits none"):
        find_folder(".trash", outputs)
    bare_run(here, "default", "mnist-mlp-adam-00000000-s0")
    assert find_folder("default", outputs) == Path("default")


def test_without_an_outputs_folder_that_is_what_is_said(tmp_path):
    with pytest.raises(RequestError, match=r"no folder .*nowhere"):
        find_run("mlp", tmp_path / "nowhere")


# -- @latest ----------------------------------------------------------------------------------------------------------


def record(folder: Path, finished_at: str = "", **metrics) -> Path:
    path = folder / "result.json"
    result = json.loads(path.read_text())
    result["metrics"].update(metrics)
    result["finished_at"] = finished_at or result["finished_at"]
    path.write_text(json.dumps(result))
    return folder


@pytest.fixture
def dated(make_run) -> dict[str, Path]:
    """Finished runs of two studies; that of seed 1 finished last, and was written first."""
    days = {"seed=0": 1, "seed=1": 9, "seed=2": 5}
    runs = {}
    for i, (seed, day) in enumerate(days.items()):
        study = "a" if i < 2 else "b"
        runs[seed] = record(make_run(seed, f"study={study}"), f"2026-03-0{day}T00:00:00Z")
        os.utime(runs[seed] / "result.json", (0, time.time() - 100 * (i == 1)))
    return runs


def test_the_latest_run_finished_last_whatever_was_written_into_its_folder_later(dated, make_run, capsys):
    outputs = dated["seed=0"].parents[1]
    for name in ("curves.png", "notes.json"):
        (dated["seed=2"] / name).write_text("{}")
    assert find_run("@latest", outputs) == dated["seed=1"]
    assert find_run("b/@latest", outputs) == dated["seed=2"]
    err = capsys.readouterr().err
    assert f"fitbench: @latest is {dated['seed=1']} (finished)\n" in err


def test_the_latest_run_may_be_one_in_training_unless_it_must_be_finished(dated, make_run):
    at_work = make_run("seed=7", "study=c", finished=False)
    assert find_run("@latest", at_work.parents[1]) == at_work
    assert find_run("@latest", at_work.parents[1], finished=True) == dated["seed=1"]
    with pytest.raises(RequestError, match=r"'c/@latest': there is no finished run in .*/c$"):
        find_run("c/@latest", at_work.parents[1], finished=True)


def test_few_results_are_read_to_find_the_latest(make_run, monkeypatch):
    for seed in range(20):
        folder = record(make_run(f"seed={seed}"), f"2026-03-01T00:00:{seed:02}Z")
        os.utime(folder / "result.json", (0, 1_772_323_200 + seed))
    read = []
    monkeypatch.setattr(
        newest, "read_result", lambda path: read.append(path) or json.loads((path / "result.json").read_text())
    )
    assert find_run("@latest", folder.parents[1]) == folder
    assert len(read) <= 2


@pytest.mark.parametrize("time", [0, 315_532_800])
def test_the_latest_run_is_found_where_all_files_have_the_time_of_an_archive(make_run, time):
    for seed, month in enumerate((2, 3, 1)):
        folder = record(make_run(f"seed={seed}"), f"2026-0{month}-01T00:00:00Z")
        os.utime(folder / "result.json", (time, time))
    assert find_run("@latest", folder.parents[1]).name.endswith("-s1")


def test_a_folder_of_that_name_is_found_by_its_path(tmp_path, monkeypatch, make_run):
    folder = make_run()
    monkeypatch.chdir(tmp_path)
    bare_run(tmp_path, ".", "@latest")
    assert find_run("./@latest", Path("outputs")) == Path("./@latest")
    assert find_run("@latest", Path("outputs")).name == folder.name


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("@newest", "'@newest' is no name of a run; @latest and @best are, also as STUDY/@best"),
        ("papr/@latest", "did you mean paper?"),
        ("@best", "'@best': there is no finished run in"),
    ],
)
def test_what_means_no_run_is_refused(outputs, text, message):
    with pytest.raises(RequestError, match=re.escape(message)):
        find_run(text, outputs)


# -- @best ------------------------------------------------------------------------------------------------------------


def with_primary(folder: Path, name: str, **values: float) -> Path:
    path = folder / "result.json"
    result = json.loads(path.read_text())
    result["metric_info"][name] = metrics.get(name).info()
    result["metrics"] |= {f"{part}_{name}": values.get(part) for part in ("train", "val", "test")}
    result["primary"] = name
    path.write_text(json.dumps(result))
    return folder


def test_the_best_run_is_that_of_the_newest_study_by_the_validation_part_alone(make_run, capsys):
    make_run("seed=9", "study=old")
    record(make_run("seed=0", "study=new"), "2026-03-01T00:00:00Z", val_accuracy=0.7, test_accuracy=0.99)
    best = record(make_run("seed=1", "study=new"), "2026-03-02T00:00:00Z", val_accuracy=0.8, test_accuracy=0.1)
    record(make_run("seed=2", "study=new"), "2026-03-03T00:00:00Z", val_accuracy=None)
    assert find_run("@best", best.parents[1]) == best
    assert capsys.readouterr().err == (
        f"fitbench: @best is {best}: its val_accuracy 0.8000 is the best of 3 finished runs of new on mnist_5k\n"
    )
    assert find_run("old/@best", best.parents[1]).parent.name == "old"


def test_of_a_metric_that_is_to_be_small_the_smallest_is_the_best(make_run):
    runs = [with_primary(make_run(f"seed={seed}"), "loss", val=value) for seed, value in enumerate((0.3, 0.2, 0.4))]
    assert find_run("@best", runs[0].parents[1]) == runs[1]


def test_a_tie_is_said_and_the_first_by_name_is_taken(make_run, capsys):
    first, *_ = [record(make_run(f"seed={seed}"), val_accuracy=0.5) for seed in range(3)]
    assert find_run("@best", first.parents[1]) == first
    assert capsys.readouterr().err.endswith("; 2 other runs have the same value\n")


def test_runs_of_other_data_and_metrics_are_not_ranked_with_the_newest(make_run):
    last = record(make_run("seed=0"), "2026-05-01T00:00:00Z", val_accuracy=0.5)
    record(make_run("data=digits", sha256="cd" * 32), val_accuracy=0.9)
    with_primary(make_run("seed=2"), "macro_f1", val=0.99)
    assert find_run("@best", last.parents[1]) == last


def test_runs_of_another_test_part_are_not_ranked_with_the_newest(make_run, capsys):
    def tested_on(folder, part, day, value):
        result = json.loads((folder / "result.json").read_text())
        result["data"] |= {"sha256": part * 64, "test_sha256": part * 64, "test_inputs_sha256": part * 64}
        (folder / "result.json").write_text(json.dumps(result))
        return record(folder, f"2026-05-0{day}T00:00:00Z", val_accuracy=value)

    tested_on(make_run("seed=0"), "a", 1, 0.9)
    best = tested_on(make_run("seed=1"), "b", 2, 0.6)
    tested_on(make_run("seed=2"), "b", 3, 0.5)
    assert find_run("@best", best.parents[1]) == best
    said = capsys.readouterr().err
    assert "is the best of 2 finished runs of default on mnist_5k, compared with its newest run; 1 run on other" in said


def test_the_best_run_is_of_the_newest_study_that_has_a_value(make_run, capsys):
    best = record(make_run("study=old"), "2026-03-01T00:00:00Z", val_accuracy=0.7)
    record(make_run("study=small"), "2026-03-02T00:00:00Z", val_accuracy=None)
    make_run("study=running", finished=False)
    assert find_run("@best", best.parents[1]) == best
    assert "of old on mnist_5k; without a value on the validation part: small\n" in capsys.readouterr().err


def test_without_a_validation_value_there_is_no_best_run(make_run):
    folder = record(make_run("study=small"), val_accuracy=None)
    with pytest.raises(
        RequestError, match="no finished run of small has a value of its primary metric on the validation part"
    ):
        find_run("@best", folder.parents[1])


def test_a_run_that_cannot_be_read_is_named_and_does_not_count(make_run, capsys):
    good = make_run("seed=0")
    bad = make_run("seed=1")
    (bad / "result.json").write_text("{")
    for name in (naming.LATEST, naming.BEST):
        assert find_run(name, good.parents[1]) == good
        assert f"fitbench: left out {bad}/result.json: not JSON" in capsys.readouterr().err


def test_a_group_of_folds_is_that_of_the_run(make_run):
    folder = make_run("seed=4")
    assert find_group("@latest", folder.parents[1]).runs == {(4, None): folder}


@pytest.mark.parametrize("text", ["", " ", "\t\n"])
def test_an_empty_name_is_not_the_current_folder(make_run, monkeypatch, text):
    run = make_run()
    monkeypatch.chdir(run)
    with pytest.raises(RequestError, match="names no run; give a run folder, a run_id or a part of one"):
        find_run(text, run.parents[1])
