"""The runs of results.csv beside table.yaml: what they stand in for, and what --write keeps of them."""

import csv
import json
import shutil
from dataclasses import replace

import pytest

from fitbench.config import config_id
from fitbench.errors import FitbenchError, RequestError
from fitbench.tables import choosing, launching, measured, results_file
from fitbench.tables.committed import committed_runs, read_committed, with_committed, with_kept
from fitbench.tables.outcome import about_committed, outcomes
from fitbench.tables.reading import read
from fitbench.tables.table import table as show_table


@pytest.fixture
def committed(small, composed, measure, tmp_path):
    """The table `small`, of which results.csv has four runs of 'softmax', and no run folder is left."""
    folders = measure(small, "softmax", {0: 0.916, 1: 0.917, 2: 0.915, 3: 0.916})
    (small.folder / "results.csv").write_text(results_file.as_csv(measured.read_runs(small, composed(small))))
    shutil.rmtree(folders[0].parent)
    return small


def shown(capsys):
    return json.loads(capsys.readouterr().out)["rows"]


def test_committed_runs_count_where_no_run_folder_is(committed, composed, measure, capsys, tmp_path):
    measure(committed, "softmax", {0: 0.5})  # a folder counts before results.csv
    outputs = tmp_path / "outputs"
    show_table(str(committed.folder), outputs=outputs, format="json")
    softmax, _, _ = shown(capsys)
    assert [(run["value"], run["committed"]) for run in softmax["runs"]] == [
        (pytest.approx(50.0), False), (pytest.approx(8.3), True), (pytest.approx(8.5), True),
        (pytest.approx(8.4), True), (None, False),
    ]  # fmt: skip
    show_table(str(committed.folder), outputs=outputs)
    expected = "3 of 4 finished runs are from results.csv, without a run folder here; --anew leaves them out."
    assert expected in capsys.readouterr().out
    show_table(str(committed.folder), outputs=outputs, format="json", anew=True)
    assert [run["state"] for run in shown(capsys)[0]["runs"]] == ["finished", *["missing"] * 4]


def test_nothing_is_said_where_every_run_has_a_folder(small, composed, measure):
    measure(small, "softmax", {0: 0.9})
    assert about_committed(outcomes(small, measured.read_runs(small, composed(small)))) is None


def test_run_and_dry_run_leave_committed_runs_out(committed, composed, dry_call, launched, capsys, tmp_path):
    show_table(str(committed.folder), run=True, outputs=tmp_path / "outputs")
    said = "4 runs are in results.csv and not trained; --anew trains them too"
    assert said in capsys.readouterr().err
    show_table(str(committed.folder), run=True, anew=True, outputs=tmp_path / "outputs")
    assert said not in capsys.readouterr().err
    every = [0, 1, 2, 3, 4]
    assert [[job["seeds"] for job in jobs] for _, jobs in launched] == [[[4], every], [every, every]]
    _, printed, _ = dry_call("table", "small", "--dry-run")
    assert printed.splitlines()[1:4] == [
        "          runs   committed   new   time",
        "softmax      5           4     1      ?",
        "mlp          5           -     5      ?",
    ]
    assert printed.splitlines()[-1] == said
    assert "10 jobs: 10 new" in dry_call("table", "small", "--dry-run", "--anew")[1]


def test_nothing_is_launched_where_everything_is_committed(committed, composed, dry_call, capsys):
    row = {**vars(committed.rows[0]), "seeds": (0, 1)}
    table = replace(committed, rows=(type(committed.rows[0])(**row),))
    left_out = committed_runs(table, composed(committed))
    assert left_out == {("softmax", 0, None), ("softmax", 1, None)}
    assert launching.train(table, composed(committed), [], left_out) == 0
    assert "every run of this table is finished" in capsys.readouterr().err
    _, printed, _ = dry_call("table", "small", "--dry-run", "--rows", "softmax", "--seeds", "2")
    assert printed.splitlines()[1:] == [
        "          runs   committed   time",
        "softmax      2           2      -",
        "nothing to train",
        "2 runs are in results.csv and not trained; --anew trains them too",
    ]


def test_write_keeps_runs_of_rows_and_names_those_it_drops(committed, composed, measure, capsys):
    path = committed.folder / "results.csv"
    known = results_file.read_csv(path)[:4]
    further = replace(known[0], seed=7, row="former label")
    path.write_text(results_file.as_csv([*known, further, replace(known[0], row="gone", config_id="00000000")]))
    measure(committed, "softmax", {4: 0.9})
    records = with_committed(committed, measured.read_runs(committed, composed(committed)), composed(committed))
    written = with_kept(committed, records, composed(committed))
    assert "no row has the configuration 00000000 of 'gone' now; its 1 run is left out" in capsys.readouterr().err
    kept = [(record.seed, record.value) for record in written if record.value is not None]
    assert kept == [(0, 0.916), (1, 0.917), (2, 0.915), (3, 0.916), (4, 0.9), (7, 0.916)]
    assert written[-1].row == "softmax"  # the row that has the configuration now
    assert len(outcomes(committed, written)[0].values) == 5  # the table has no seed 7


def test_write_loses_no_result_of_a_row_whose_settings_have_changed(committed, composed, measure):
    path = committed.folder / "results.csv"
    known = [replace(one, config_id="00000000") for one in results_file.read_csv(path)[:4]]
    path.write_text(results_file.as_csv(known))
    records = measured.read_runs(committed, composed(committed))
    with pytest.raises(
        RequestError, match=r"results\.csv has 4 runs of 'softmax' with other settings, and no run .* give --run"
    ):
        with_kept(committed, records, composed(committed))
    measure(committed, "softmax", {0: 0.9})
    records = measured.read_runs(committed, composed(committed))
    assert [one.value for one in with_kept(committed, records, composed(committed)) if one.value] == [0.9]


def test_a_mixed_page_says_the_same_as_the_file_it_is_made_of(committed, composed, measure):
    from fitbench.tables.record import readme

    measure(committed, "softmax", {4: 0.9})
    records = with_committed(committed, measured.read_runs(committed, composed(committed)), composed(committed))
    assert sum(record.committed for record in records) == 4
    path = committed.folder / "results.csv"
    path.write_text(results_file.as_csv(records))
    assert readme(committed, records) == readme(committed, results_file.read_csv(path))


def first(text, old, new):
    return text.replace(old, new, 1)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda text: first(text, ",0.916,", ",1.916,"), "line 2, value is 1.916; expected a number from 0 to 1"),
        (lambda text: first(text, ",0.916,", ",,"), "line 2, value is None; expected a number from 0 to 1"),
        (lambda text: first(text, ",0.916,", ",high,"), "line 2, value: "),
        (lambda text: text + "<<<<<<< HEAD\n", "line 12 has fewer fields than the first line"),
        (lambda text: first(text, "\nsoftmax", ",x\nsoftmax").replace(",0.916,", ",0.916,1,2,3,", 1), "line 2"),
        (lambda text: text + text.splitlines()[1] + "\n", "line 12 is of the same run as another line"),
        (lambda text: first(text, "softmax,", "another label,") + text.splitlines()[1].replace("0.916", "0.9") + "\n",
         "line 12, value is 0.9; another line of the same run has 0.916"),
        (lambda text: text.rstrip()[: text.rstrip().index("0.917") + 4], "line 3 has fewer fields than the first line"),
        (lambda text: first(text, ",finished,", ",Finished,"), "line 2 has a value, and its state is 'Finished'; exp"),
        (lambda text: first(text, ",10000,", ",-3,"), "line 2, test_examples: Input should be greater than 0"),
        (lambda text: first(text, ",83.0,", ",inf,"), "line 2, seconds: Input should be a finite number"),
        (lambda text: first(text, ",10000,,", ",10000,nan,"), "line 2, bootstrap_deviation: Input should be a fini"),
        (lambda text: text.splitlines()[0] + "\n", None),
        (lambda text: "", "not a results.csv: its first line lacks row, config_id, seed"),
        (lambda text: "\x00" + text, "not a results.csv: its first line lacks row;"),
    ],
)  # fmt: skip
def test_a_damaged_file_is_one_clear_error(committed, tmp_path, damage, message):
    path = committed.folder / "results.csv"
    path.write_text(damage(path.read_text()))
    if message is None:
        assert with_committed(committed, [], {}) == []
        return
    with pytest.raises(FitbenchError) as error:
        with_committed(committed, [], {})
    assert f"{path}: {message}" in str(error.value)
    assert str(error.value).endswith(
        "restore it from git, or remove it: fitbench table --write writes it anew, from the run folders"
    )


@pytest.mark.parametrize("option", ["run", "dry_run", "write"])
def test_a_damaged_file_ends_the_command_before_anything_is_trained_or_written(committed, tmp_path, option):
    path = committed.folder / "results.csv"
    path.write_text("damaged")
    with pytest.raises(FitbenchError, match=r"results\.csv: not a results\.csv"):
        show_table(str(committed.folder), outputs=tmp_path / "outputs", **{option: True})
    assert path.read_text() == "damaged"
    assert not (tmp_path / "outputs" / "small").exists()


def test_a_file_that_is_no_text_is_named(committed):
    path = committed.folder / "results.csv"
    path.write_bytes(b"row,metric\n\xff\xfe,x\n")
    with pytest.raises(FitbenchError, match=r"results\.csv: cannot be read"):
        with_committed(committed, [], {})


def test_an_installed_table_is_not_written(small, monkeypatch, tmp_path):
    shipped = small.folder.parent
    monkeypatch.setattr(choosing, "shipped", lambda: shipped)
    choosing.refuse_shipped(small.folder)  # a source tree
    monkeypatch.setattr(choosing, "PACKAGE", shipped.parent)
    with pytest.raises(RequestError, match=r"ships with fitbench, .* copy the folder to experiments/small of your pro"):
        show_table(str(small.folder), write=True, outputs=tmp_path)
    choosing.refuse_shipped(tmp_path)


def test_shipped_tables_are_found_from_anywhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = choosing.find("tutorials")
    assert read(folder).name == "tutorials"
    assert results_file.read_csv(folder / "results.csv")


def test_runs_of_a_configuration_of_another_label_count(committed, composed, define):
    renamed = read(define([{"label": "new name", "claimed": "8.4", "overrides": ["model=softmax"]}]))
    [config] = composed(renamed).values()
    records = with_committed(renamed, measured.read_runs(renamed, {"new name": config}), {"new name": config})
    assert [record.row for record in records if record.committed] == ["new name"] * 4
    assert records[0].config_id == config_id(config)


def without(path, *columns):
    """Take columns out of a results.csv."""
    with path.open(newline="") as file:
        reader = csv.DictReader(file)
        rows, names = list(reader), [name for name in reader.fieldnames if name not in columns]
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, names, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)


def test_a_file_of_version_0_1_has_the_metric_of_the_row_and_one_of_a_spreadsheet_a_mark_at_its_beginning(
    committed, composed, define
):
    path = committed.folder / "results.csv"
    without(path, "metric", "fold", "bootstrap_deviation", "threads", "definition")
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    configs = composed(committed)
    records = with_committed(committed, measured.read_runs(committed, configs), configs)
    assert [(record.metric, record.value) for record in records if record.committed] == [
        ("test_accuracy", value) for value in (0.916, 0.917, 0.915, 0.916)
    ]
    entry = {"unit": "percent", "tolerance": 1.0}
    metrics = [{"metric": "accuracy", **entry}, {"metric": "macro_f1", **entry}]
    claimed = {"accuracy": "91.6", "macro_f1": "91"}
    rows = [{"label": "softmax", "claimed": claimed, "overrides": ["model=softmax"]}]
    several = read(define(rows, unit=..., metrics=metrics))
    with pytest.raises(FitbenchError, match="line 2 has no metric, of which this table has several"):
        read_committed(several)


TWINS = [
    {"label": "other examples", "claimed": "0.5", "overrides": ["model=mlp"], "test_set": "other"},
    {"label": "same examples", "claimed": "0.5", "overrides": ["model=mlp"]},
]


@pytest.fixture
def twins(define, composed):
    """Two rows of one configuration, of which one has a bootstrap, with results.csv; and the same rows renamed."""
    settings = {"metric": "macro_f1", "unit": "value", "tolerance": 0.05, "seeds": 3}
    renamed = read(define([{**row, "label": f"renamed: {row['label']}"} for row in TWINS], **settings))
    table = read(define(TWINS, **settings))
    records = [
        results_file.Record(row.label, "test_macro_f1", config_id(composed(table)[row.label]), seed, None, "finished",
                        0.5 + seed / 1000, 10_000, deviation)
        for row, deviation in zip(table.rows, (0.01, None), strict=True) for seed in (0, 1, 2, 7)
    ]  # fmt: skip
    (table.folder / "results.csv").write_text(results_file.as_csv(records))
    return table, renamed


def test_rows_of_one_configuration_have_each_its_own_bootstrap(twins, composed):
    for table in twins:
        configs = composed(table)
        records = with_committed(table, measured.read_runs(table, configs), configs)
        assert [outcome.verdict for outcome in outcomes(table, records)] == ["reproduced", "reproduced"]


def test_what_is_written_after_both_rows_of_one_configuration_are_renamed_can_be_read(twins, composed):
    _, renamed = twins
    configs = composed(renamed)
    records = with_committed(renamed, measured.read_runs(renamed, configs), configs)
    (renamed.folder / "results.csv").write_text(results_file.as_csv(with_kept(renamed, records, configs)))
    assert {record.seed for record in read_committed(renamed)} == {0, 1, 2, 7}


def test_a_column_of_a_newer_version_is_not_lost(committed, tmp_path):
    path = committed.folder / "results.csv"
    head, *lines = path.read_text().splitlines()
    newer = "\n".join([f"{head},energy", *(f"{line},7" for line in lines)])
    path.write_text(newer)
    show_table(str(committed.folder), outputs=tmp_path)
    with pytest.raises(FitbenchError, match=r"columns that this version of fitbench does not know.*: energy; use"):
        show_table(str(committed.folder), outputs=tmp_path, write=True)
    assert path.read_text() == newer


def test_a_metric_that_is_only_in_results_csv_needs_no_launch(define, composed, measure):
    entry = {"unit": "percent", "tolerance": 1.0}
    row = {"label": "net", "claimed": "91", "overrides": ["model=softmax"]}
    single = read(define([row], seeds=1, metric="accuracy", **entry))
    measure(single, "net", {0: 0.9})
    claimed = {"accuracy": "91", "log_loss": "0.3"}
    table = read(define([{**row, "claimed": claimed}], seeds=1, unit=..., metrics=[
        {"metric": "accuracy", **entry}, {"metric": "log_loss", "unit": "value", "tolerance": 0.1}
    ]))  # fmt: skip
    [folder] = (run for run in measured.runs(composed(table)["net"], table.rows[0]))
    result = json.loads((folder[2] / "result.json").read_text())
    result["metrics"].pop("test_log_loss", None)
    (folder[2] / "result.json").write_text(json.dumps(result))
    assert committed_runs(table, composed(table)) == set()
    known = results_file.Record("net", "test_log_loss", config_id(composed(table)["net"]), 0, None, "finished", 0.3)
    (table.folder / "results.csv").write_text(results_file.as_csv([known]))
    assert committed_runs(table, composed(table)) == {("net", 0, None)}


def test_runs_without_a_value_are_kept_with_their_reason(committed, composed, dry_call, launched, capsys, tmp_path):
    path = committed.folder / "results.csv"
    first, *others = results_file.read_csv(path)[:4]
    lost = replace(first, seed=4, state="failed", value=None, reason="ValueError: loss is NaN")
    empty = replace(others[0], state="undefined", value=None, reason="test_accuracy is null in result.json")
    path.write_text(results_file.as_csv([first, empty, *others[1:], lost]))
    records = with_committed(committed, measured.read_runs(committed, composed(committed)), composed(committed))
    states = ["finished", "undefined", "finished", "finished", "failed"]
    assert [record.state for record in records if record.row == "softmax"] == states
    written = with_kept(committed, records, composed(committed))
    assert [(each.state, each.reason) for each in written[:5]] == [
        ("finished", ""), ("undefined", empty.reason), ("finished", ""), ("finished", ""), ("failed", lost.reason)
    ]  # fmt: skip
    show_table(str(committed.folder), run=True, outputs=tmp_path / "outputs")
    [(_, jobs)] = launched
    assert jobs[0]["seeds"] == [4]  # a failed run is tried again; an undefined value is a result


def test_a_run_of_two_metrics_has_a_folder_if_one_of_them_has(define, composed, measure):
    row = {"label": "net", "claimed": {"accuracy": "0.9", "macro_f1": "0.9"}, "overrides": ["model=softmax"]}
    entries = [{"metric": name, "unit": "value", "tolerance": 0.1} for name in ("accuracy", "macro_f1")]
    entries[0]["unit"] = "accuracy"
    table = read(define([row], seeds=1, unit=..., metrics=entries))
    for places in ((True, False), (False, True)):
        records = [
            replace(record, state="finished", value=0.9, committed=committed)
            for record, committed in zip(measured.read_runs(table, composed(table)), places, strict=True)
        ]
        assert about_committed(outcomes(table, records)) is None
