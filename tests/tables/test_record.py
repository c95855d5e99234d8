"""What --write commits, and the tables that are committed in this repository."""

from dataclasses import replace
from pathlib import Path

import pytest
from matplotlib.image import imread

from fitbench.config import config_id
from fitbench.tables import measured, results_file
from fitbench.tables.chart import chart
from fitbench.tables.composing import configurations
from fitbench.tables.outcome import outcomes
from fitbench.tables.reading import read
from fitbench.tables.record import readme, write_record

EXPERIMENTS = Path(__file__).parents[2] / "experiments"
TABLES = sorted(path.parent for path in EXPERIMENTS.glob("*/table.yaml"))


@pytest.fixture
def records(small, composed, measure):
    measure(small, "softmax", {0: 0.895, 1: 0.90, 2: 0.905, 3: 0.90, 4: 0.90})
    measure(small, "mlp", {0: 0.99, 2: 0.991, 3: 0.9905})
    return measured.read_runs(small, composed(small))


def test_the_readme_is_made_of_the_definition_and_the_csv_alone(small, records, capsys):
    write_record(small, records)
    written = (small.folder / "README.md").read_text()
    assert readme(read(small.folder), results_file.read_csv(small.folder / "results.csv")) == written
    assert "wrote README.md, results.csv, claimed_measured.png" in capsys.readouterr().err


@pytest.mark.parametrize("state", ["running", "interrupted"])
def test_a_run_that_is_not_over_is_committed_as_missing(small, records, state):
    write_record(small, records)
    before = [(small.folder / name).read_text() for name in ("results.csv", "README.md")]
    write_record(small, [replace(one, state=state) if one.state == "missing" else one for one in records])
    assert [(small.folder / name).read_text() for name in ("results.csv", "README.md")] == before
    assert ",missing," in before[0]


def test_the_readme_says_what_when_where_and_how(small, records):
    text = readme(small, records)
    for part in (
        "# A table\n", "Test error, %.", "10.00 ± 0.35", "| worse |", "| better so far |", "3 of 5",
        "seeds 1, 4 not run", "Nobody 2000", "As written",
        "- source of the rows that name none: Somebody 1998, p. 5",
        "- claims of the rows that do not say otherwise: on the same 10,000 test examples",
        "- configuration of all rows, before what the row states: `data=digits training.epochs=2`",
        "1. softmax: `model=softmax`\n2. mlp: As written. `model=mlp model.hidden=[20]`\n3. human: Nobody 2000\n",
        "2026-01-02 (UTC), 8 runs", "Some Processor", "keras 3.15.1", "fitbench table experiments/small --run",
        "![claimed against measured](claimed_measured.png)",
    ):  # fmt: skip
        assert part in text, part


def test_devices_of_different_runs_are_each_named_with_the_number_of_theirs(small, records):
    moved = [replace(records[0], device="gpu: another"), *records[1:]]
    assert "- on: cpu: Some Processor, 2 cores (7 runs)\n- on: gpu: another (1 run)\n" in readme(small, moved)


def test_threads_are_stated_where_a_run_has_recorded_them(small, records):
    assert "- CPU threads of a run: 2\n" in readme(small, records)
    unknown = [replace(record, threads="") for record in records]
    assert "threads" not in readme(small, unknown).split("## How")[1]
    mixed = [*records[:3], *unknown[3:]]
    assert "- CPU threads of a run: not recorded (5 runs)\n- CPU threads of a run: 2 (3 runs)" in readme(small, mixed)


def test_how_settings_were_chosen_is_stated_once_for_all_rows_and_for_those_that_differ(define):
    rows = [
        {"label": "a", "claimed": "8.4", "overrides": ["model=mlp"]},
        {"label": "b", "claimed": "8.4", "overrides": ["model=softmax"],
         "chosen": {"optimizer.learning_rate": "validation, of 3 rates", "training.patience": "first guess"}},
    ]  # fmt: skip
    chosen = {"training.epochs": "source", "training.batch_size": "first guess"}
    text = readme(read(define(rows, chosen=chosen)), [])
    assert "- open settings of all rows: by the source: `training.epochs`; first guess: `training.batch_size`\n" in text
    assert (
        "1. a: `model=mlp`\n2. b: open settings: by validation: `optimizer.learning_rate` (of 3 rates); first guess: "
        "`training.patience`. `model=softmax`\n" in text
    )


def test_the_page_names_the_row_that_explains_another(define):
    rows = [
        {"label": "a", "claimed": "8.4", "overrides": ["model=mlp"], "explained_by": {"row": "b", "with": "its steps"}},
        {"label": "b", "claimed": "8.4", "overrides": ["model=mlp", "optimizer=sgd"]},
    ]
    text = readme(read(define(rows, settings={"its steps": ["optimizer"]})), [])
    assert (
        "1. a: row 2 has the same claim and differs in its steps alone (`optimizer`)\n2. b: `optimizer=sgd`\n" in text
    )


def test_what_the_rows_of_a_line_or_a_column_share_is_stated_once(matrix):
    def with_more(row):
        line, column = row.cell
        examples = 28 if column == "Coffee" else 1000
        claim = row.claim and replace(row.claim, test_examples=examples)
        notes = "As in the source." * (line == "FCN")
        return replace(row, claim=claim, notes=notes, source="Other" if column == "Trace" else row.source)

    text = readme(replace(matrix, rows=tuple(map(with_more, matrix.rows))), []).split("## Sources")[1]
    assert text.count("28 test examples") == text.count("As in the source") == 1
    assert "- rows of Coffee: claimed on the same 28 test examples\n" in text
    assert "- rows of Trace: Other\n" in text
    assert text.count("Somebody 1998") == text.count("1,000 test examples") - 1 == 1  # one claim is a mean
    assert "\n5. GunPoint, MLP: `model=mlp model.hidden=[9]`\n" in text


def test_an_empty_table_has_a_readme_too(small, composed):
    assert "Nothing has been measured yet." in readme(small, measured.read_runs(small, composed(small)))


def test_the_plot_shows_each_claim_mean_interval_and_seed_where_it_is(small, records):
    axes = chart(outcomes(small, records)).axes[0]
    drawn = {}
    for line in axes.lines:
        drawn.setdefault(line.get_gid(), []).append([round(float(x), 6) for x in line.get_xdata()])
    assert drawn["claim"] == [[8.4], [1.5, 1.7], [1.2]]
    assert drawn["mean"] == [[10.0], [pytest.approx(0.95)]]
    assert drawn["seed"] == [[10.5, 10, 9.5, 10, 10], [pytest.approx(1), pytest.approx(0.9), pytest.approx(0.95)]]
    assert len(drawn["interval"]) == 2
    assert drawn["interval"][0] == pytest.approx([10 - 1.0748, 10 + 1.0748], abs=1e-3)  # t(4) s sqrt(1 + 1/5)
    bands = [patch for patch in axes.collections if patch.get_gid() == "tolerance"]
    assert [round(float(x), 6) for x in bands[0].get_paths()[0].get_extents().intervalx] == [7.85, 8.95]
    assert axes.get_xscale() == "log"


def test_an_accuracy_of_zero_keeps_the_axis_of_the_plot_linear(define, composed, measure):
    rows = [{"label": "a", "claimed": "0.9", "overrides": ["model=mlp"]}]
    table = read(define(rows, unit="accuracy"))
    measure(table, "a", {0: 0.0, 1: 0.05})
    results = outcomes(table, measured.read_runs(table, composed(table)))
    assert chart(results).axes[0].get_xscale() == "linear"


@pytest.mark.parametrize(("unit", "claimed", "scale"), [("accuracy", "0.9", "linear"), ("error_percent", "10", "log")])
def test_the_axis_of_the_plot_is_logarithmic_for_errors_alone(define, composed, measure, unit, claimed, scale):
    table = read(define([{"label": "a", "claimed": claimed, "overrides": ["model=mlp"]}], unit=unit))
    measure(table, "a", {0: 0.05, 1: 0.995})
    assert chart(outcomes(table, measured.read_runs(table, composed(table)))).axes[0].get_xscale() == scale


def test_an_interval_and_the_axis_of_the_plot_end_where_the_metric_does(define, composed, measure):
    rows = [{"label": "a", "claimed": "0.80", "overrides": ["model=mlp"]}]
    table = read(define(rows, unit="accuracy"))
    measure(table, "a", {0: 0.6667, 1: 0.9556, 2: 0.4222})
    results = outcomes(table, measured.read_runs(table, composed(table)))
    assert results[0].judgement.half_width > 1
    assert results[0].judgement.interval == pytest.approx((-0.795, 0.195))  # 0.80 stands for 0.795 to 0.805
    axes = chart(results).axes[0]
    assert [list(line.get_xdata()) for line in axes.lines if line.get_gid() == "interval"] == [[0, 1]]
    assert 0 <= axes.get_xlim()[0] < axes.get_xlim()[1] <= 1


def test_the_plot_is_a_png(small, records):
    write_record(small, records)
    assert imread(small.folder / "claimed_measured.png").shape[1] == 2100


@pytest.mark.parametrize("folder", TABLES, ids=lambda folder: folder.name)
def test_a_committed_table_agrees_with_its_results_and_still_composes(folder):
    table = read(folder)
    composed = configurations(table, Path("outputs"))
    assert set(composed) == {row.label for row in table.rows if row.measured}
    if not (folder / "results.csv").exists():
        assert not (folder / "README.md").exists()
        return
    records = results_file.read_csv(folder / "results.csv")
    assert (folder / "README.md").read_text() == readme(table, records)
    assert [(record.row, record.seed, record.fold) for record in records] == [
        (row.label, seed, fold)
        for row in table.rows
        if row.measured
        for seed, fold, _ in measured.runs(composed[row.label], row)
    ]
    drifted = {record.row for record in records if record.config_id != config_id(composed[record.row])}
    assert not drifted, "their configurations are no longer those that were measured"


def test_the_tutorials_hold_every_claim():
    rows = read(EXPERIMENTS / "tutorials").rows
    stated = [(round(row.claim.low, 4), round(row.claim.high, 4)) for row in rows if row.claim]
    assert {(0.8203, 0.8203), (0.92, 0.93), (0.9698, 0.9698), (0.9858, 0.9858)} <= set(stated)
    assert sum(row.claim is None for row in rows) == 2


def test_the_tables_of_1998_and_of_fashion_mnist_hold_every_claim():
    tables = {name: read(EXPERIMENTS / name) for name in ("lecun1998", "fashion_mnist")}
    stated = {
        name: sorted({round(row.measure.unit.number(row.claim.low), 4) for row in table.rows})
        for name, table in tables.items()
    }
    assert stated == {
        "lecun1998": [
            0.4, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 1.1, 1.53, 1.6, 1.7, 2.45, 2.5, 2.95, 3.05, 3.6, 3.8, 4.5, 4.7, 8.4,
            12.0,
        ],
        "fashion_mnist": [0.835, 0.836, 0.839, 0.841, 0.842, 0.8833, 0.916, 0.922, 0.925],
    }  # fmt: skip
