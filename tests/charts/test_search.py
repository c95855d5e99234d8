"""The pictures of a search, drawn from contents of search.json that are written down here."""

import json
import math
import random
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from fitbench.charts import paper, search_slices
from fitbench.charts.search import write_plots

from ..run_folders import KAPPA

HISTORY, SLICES = "search_history.png", "search_slices.png"
ACCURACY = {"val_accuracy": "maximize"}


def floats(low: float, high: float, log: bool = False) -> dict[str, Any]:
    return {"kind": "float", "low": low, "high": high, "log": log, "step": None}


def integers(low: int, high: int) -> dict[str, Any]:
    return {"kind": "int", "low": low, "high": high, "log": False, "step": 1}


def choices(*values: Any) -> dict[str, Any]:
    return {"kind": "choice", "values": list(values)}


def trial(number: int, params: dict[str, Any], *values: float, state: str = "finished") -> dict[str, Any]:
    return {"number": number, "state": state, "values": list(values) or None, "params": params, "epochs": 3,
            "run_ids": [f"run-{number}"], "history": [], "error": None, "began": 1.0, "ended": 2.0}  # fmt: skip


def record(
    space: dict[str, Any],
    trials: list[dict[str, Any]],
    objectives: dict[str, str] = ACCURACY,
    importance: dict[str, dict[str, float]] | None = None,
    study: str = "mine",
) -> dict[str, Any]:
    """What search.json holds of these trials; the best are those that no other surpasses."""
    signs = [1 if direction == "minimize" else -1 for direction in objectives.values()]
    keys = {one["number"]: [s * v for s, v in zip(signs, one["values"], strict=True)]
            for one in trials if one["state"] == "finished"}  # fmt: skip
    best = sorted(keys, key=lambda number: (keys[number], number))
    if len(objectives) > 1:
        best = [one for one in best if not any(
            other != keys[one] and all(a <= b for a, b in zip(other, keys[one], strict=True)) for other in keys.values()
        )]  # fmt: skip
    return {
        "schema": 1, "study": study, "space": space, "trials": trials, "best": best,
        "objectives": [{"name": name, "direction": direction} for name, direction in objectives.items()],
        "importance": {name: {} for name in objectives} | (importance or {}),
        "sampler": "tpe", "pruner": "median", "seed": 0, "seeds": 1, "versions": {},
    }  # fmt: skip


RATE = {"optimizer.learning_rate": floats(1e-5, 1e-1, log=True)}


def of_rates(*values: float, **kwargs: Any) -> dict[str, Any]:
    """Finished trials with these accuracies."""
    return record(RATE, [trial(i, {"optimizer.learning_rate": 10.0 ** -(1 + i % 4)}, value)
                         for i, value in enumerate(values)], **kwargs)  # fmt: skip


@pytest.fixture
def drawn(tmp_path, monkeypatch):
    """Gives the figures of a record by the name of their file, instead of writing them."""

    def draw(content: dict[str, Any]) -> dict[str, Figure]:
        figures: dict[str, Figure] = {}
        monkeypatch.setattr(paper, "write", lambda figure, path: figures.update({path.name: figure}))
        write_plots(content, tmp_path)
        return figures

    return draw


def marks(axes, gid):
    """The places of the marks of a kind."""
    return [(x, y) for line in axes.lines if line.get_gid() == gid for x, y in zip(*line.get_data(), strict=True)]


def assert_nothing_is_cut(figure):
    figure.draw_without_rendering()
    box = figure.get_tightbbox(figure.canvas.get_renderer())  # in inches
    width, height = figure.get_size_inches()
    assert min(box.x0, box.y0) >= -0.01
    assert box.x1 <= width + 0.01
    assert box.y1 <= height + 0.01


# -- the files --------------------------------------------------------------------------------------------------------


def test_two_pictures_are_written_and_nothing_else(tmp_path):
    (tmp_path / "search_parallel.png").touch()  # as version 0.1 drew it
    content = of_rates(0.8, 0.9, 0.85, importance={"val_accuracy": {"optimizer.learning_rate": 1.0}})
    assert write_plots(content, tmp_path) == [HISTORY, SLICES]
    (tmp_path / "search_parallel.png").unlink()
    assert {path.name for path in tmp_path.iterdir()} == {HISTORY, SLICES}
    for path in tmp_path.iterdir():
        assert Image.open(path).format == "PNG"


def test_the_same_record_makes_the_same_bytes(tmp_path):
    content = of_rates(0.8, 0.9, 0.85)
    write_plots(content, tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    write_plots(content, tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize("values", [(), (0.9,)])
def test_without_two_finished_trials_old_pictures_go_and_none_come(tmp_path, values):
    for name in (HISTORY, SLICES, "search.json"):
        (tmp_path / name).write_text("old")
    content = of_rates(*values)
    content["trials"] += [trial(len(values), {"optimizer.learning_rate": 0.01}, 0.5, state="pruned")]
    write_plots(content, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["search.json"]


def test_neither_tensorflow_nor_keras_nor_optuna_is_imported(tmp_path):
    (tmp_path / "search.json").write_text(json.dumps(of_rates(0.8, 0.9, 0.85)))
    script = (
        "import json, pathlib, sys\n"
        "from fitbench.charts.search import write_plots\n"
        f"folder = pathlib.Path({str(tmp_path)!r})\n"
        "write_plots(json.loads((folder / 'search.json').read_text()), folder)\n"
        "assert not {'tensorflow', 'keras', 'jax', 'optuna', 'pandas'} & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert (tmp_path / HISTORY).exists()


# -- the history ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("direction", "best", "so_far"),
    [("maximize", 2, [0.7, 0.7, 0.9, 0.9, 0.9]), ("minimize", 1, [0.7, 0.6, 0.6, 0.6, 0.6])],
)
def test_the_best_so_far_only_gets_better(drawn, direction, best, so_far):
    content = of_rates(0.7, 0.6, 0.9, 0.8, objectives={"val_accuracy": direction})
    content["trials"].append(trial(4, {"optimizer.learning_rate": 0.1}, state="running"))
    (axes,) = drawn(content)[HISTORY].axes
    assert marks(axes, "best") == list(zip(range(5), so_far, strict=True))
    assert marks(axes, "finished") == list(enumerate([0.7, 0.6, 0.9, 0.8]))
    (text,) = [text.get_text() for text in axes.texts]
    assert text.splitlines() == [f"{[0.7, 0.6, 0.9, 0.8][best]:.4f}", f"trial {best}"]


def test_pruned_and_failed_trials_are_marked(drawn):
    content = of_rates(0.8, 0.82, 0.84)
    params = {"optimizer.learning_rate": 0.01}
    content["trials"] += [trial(3, params, 0.83, state="pruned"), trial(4, params, state="failed")]
    figure = drawn(content)[HISTORY]
    (axes,) = figure.axes
    assert marks(axes, "pruned") == [(3, 0.83)]
    assert marks(axes, "failed") == [(4, axes.get_ylim()[0])]
    said = [text.get_text() for text in figure.legends[0].get_texts()]
    assert said == ["best so far", "finished", "pruned, at its best epoch", "failed"]
    assert figure.legends[0].get_title().get_text() == "mine: 5 trials, 3 finished, 1 pruned, 1 failed"


def test_values_far_below_the_rest_are_shown_and_do_not_flatten_it(drawn):
    values = [0.1, 0.90, 0.91, 0.92, 0.93, 0.11]
    figure = drawn(of_rates(*values))[HISTORY]
    (axes,) = figure.axes
    assert marks(axes, "finished") == list(enumerate(values))
    assert not marks(axes, "outside")
    heights = axes.transAxes.inverted().transform(axes.transData.transform([(0, value) for value in values]))[:, 1]
    assert 0 <= heights[0] < 0.1
    assert heights[4] - heights[1] > 0.25  # 0.93 and 0.90
    texts = [float(text.get_text()) for text in axes.get_yticklabels()]
    assert len(texts) >= 3
    assert texts == sorted(set(texts))


def test_a_value_below_all_finished_ones_is_no_further_than_the_axis_goes(drawn):
    content = of_rates(0.1887, 0.89, 0.875, 0.8938, 0.8925)
    content["trials"].append(trial(5, {"optimizer.learning_rate": 0.01}, 0.0712, state="pruned"))
    (axes,) = drawn(content)[HISTORY].axes
    assert axes.get_ylim()[0] < 0.0712
    assert marks(axes, "pruned") == [(5, 0.0712)]
    assert not marks(axes, "outside")


def test_the_legend_shows_the_mark_of_pruned_trials_that_are_all_beyond_the_axis(drawn):
    content = of_rates(0.80, 0.82, 0.81)
    content["trials"].append(trial(3, {"optimizer.learning_rate": 0.01}, 0.1, state="pruned"))
    figure = drawn(content)[HISTORY]
    legend = figure.legends[0]
    handles = dict(zip([text.get_text() for text in legend.get_texts()], legend.legend_handles, strict=True))
    assert marks(figure.axes[0], "outside")
    assert handles["pruned, at its best epoch"].get_marker() == "v"


def test_a_heading_is_broken_between_words(drawn):
    content = of_rates(0.80, 0.82, 0.81, importance={"val_accuracy": {"optimizer.learning_rate": 1.0}})
    content["trials"].append(trial(3, {"optimizer.learning_rate": 0.01}, state="failed"))
    figure = drawn(content)[SLICES]
    lines = figure.legends[0].get_title().get_text().splitlines()
    assert len(lines) > 1
    assert " ".join(lines) == "mine: 4 trials, 3 finished, 1 failed; beside names: importance"
    assert_nothing_is_cut(figure)


def test_a_loss_that_diverged_is_above_the_axis(drawn):
    figure = drawn(of_rates(0.30, 1e300, 0.32, 0.31, objectives={"val_loss": "minimize"}))[HISTORY]
    (axes,) = figure.axes
    assert marks(axes, "outside") == [(1, axes.get_ylim()[1])]
    assert "above the axis" in [text.get_text() for text in figure.legends[0].get_texts()]


def test_an_accuracy_has_no_axis_beyond_one(drawn):
    (axes,) = drawn(of_rates(0.9, 1.0))[HISTORY].axes
    assert axes.get_ylim()[1] == 1


# -- several objectives -----------------------------------------------------------------------------------------------

TWO = {"val_accuracy": "maximize", "parameters": "minimize"}
HIDDEN = {"model.hidden": choices("[32]", "[300,100]")}


def test_two_objectives_are_a_plane_with_the_front(drawn):
    values = [(0.9, 1000), (0.95, 20_000), (0.89, 1500), (0.95, 90_000), (0.93, 5000)]
    content = record(HIDDEN, [trial(i, {"model.hidden": "[32]"}, *pair) for i, pair in enumerate(values)], TWO)
    (axes,) = drawn(content)[HISTORY].axes
    assert marks(axes, "front") == [(1000, 0.9), (5000, 0.93), (20_000, 0.95)]
    assert sorted(marks(axes, "dominated")) == [(1500, 0.89), (90_000, 0.95)]
    assert axes.get_xscale() == "log"
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("parameters", "validation accuracy")
    assert {text.get_text() for text in axes.texts if text.get_gid() == "label"} >= {"trial 0", "trial 1", "trial 4"}


def test_a_trial_far_off_is_not_in_the_plane_but_said(drawn):
    values = [(0.1, 5000), (0.90, 5000), (0.91, 6000), (0.92, 7000), (0.93, 8000)]
    content = record(HIDDEN, [trial(i, {"model.hidden": "[32]"}, *pair) for i, pair in enumerate(values)], TWO)
    figure = drawn(content)[HISTORY]
    assert 0.1 not in [y for gid in ("front", "dominated") for _, y in marks(figure.axes[0], gid)]
    assert "1 with validation accuracy below 0.9 not shown" in figure.legends[0].get_title().get_text()


def test_three_objectives_have_a_plane_for_each_further_one(drawn):
    objectives = TWO | {"fit_seconds": "minimize"}
    values = [(0.9, 1000, 5.0), (0.95, 20_000, 4.0), (0.89, 1500, 6.0), (0.90, 1500, 3.0)]
    content = record(HIDDEN, [trial(i, {"model.hidden": "[32]"}, *three) for i, three in enumerate(values)], objectives)
    figures = drawn(content)
    assert [axes.get_xlabel() for axes in figures[HISTORY].axes] == ["parameters", "training time (s)"]
    assert sorted(marks(figures[HISTORY].axes[0], "front")) == [(1000, 0.9), (1500, 0.9), (20_000, 0.95)]
    assert [axes.get_ylabel() for axes in figures[SLICES].axes] == [
        "validation accuracy", "parameters", "training time (s)"
    ]  # fmt: skip


# -- slices -----------------------------------------------------------------------------------------------------------


def test_a_slice_has_the_axis_that_its_space_says(drawn):
    space = RATE | {"model.dropout": floats(0, 0.5), "batch": choices(128, 32, 64)}
    trials = [
        trial(i, {"optimizer.learning_rate": rate, "model.dropout": 0.1 * i, "batch": (128, 32)[i % 2]}, 0.91 + i / 100)
        for i, rate in enumerate([0.1, 1e-2, 1e-3])
    ]
    rate, dropout, batch = drawn(record(space, trials))[SLICES].axes
    assert [axes.get_title("left") for axes in (rate, dropout, batch)] == ["learning_rate", "dropout", "batch"]
    assert [axes.get_xscale() for axes in (rate, dropout, batch)] == ["log", "linear", "linear"]
    assert sorted(marks(rate, "finished")) == [(1e-3, 0.93), (1e-2, 0.92), (0.1, 0.91)]
    assert [text.get_text() for text in batch.get_xticklabels()] == ["128", "32"]
    assert [line.get_xdata()[0] for line in batch.lines if line.get_gid() == "between choices"] == [0.5]
    assert "trials of the same choice stand side by side" in batch.figure.legends[0].get_title().get_text()
    by_choice = {y: round(x) for x, y in marks(batch, "finished")}
    assert by_choice == {0.91: 0, 0.92: 1, 0.93: 0}
    assert rate.get_xlim()[0] < 1e-5
    assert marks(rate, "best") == [(1e-3, 0.93)]


def test_the_parameter_that_matters_most_comes_first_with_its_share(drawn):
    space = {"a": floats(0, 1), "b": floats(0, 1)}
    trials = [trial(i, {"a": 0.1 * i, "b": 0.2}, 0.9 - 0.01 * i) for i in range(4)]
    figure = drawn(record(space, trials, importance={"val_accuracy": {"b": 0.7, "a": 0.3}}))[SLICES]
    assert [axes.get_title("left") for axes in figure.axes] == ["b  0.70", "a  0.30"]


def test_a_trial_without_a_parameter_is_not_in_its_slice(drawn):
    space = {"optimizer": choices("sgd", "momentum"), "optimizer.momentum": floats(0.5, 0.99)}
    trials = [trial(i, {"optimizer": "sgd"}, 0.8 + i / 100) for i in range(3)]
    trials.append(trial(3, {"optimizer": "momentum", "optimizer.momentum": 0.9}, 0.82))
    figures = drawn(record(space, trials))
    kind, momentum = figures[SLICES].axes
    assert len(marks(kind, "finished")) == 4
    assert marks(momentum, "finished") == [(0.9, 0.82)]


def test_of_many_parameters_those_that_matter_most_are_shown_and_it_is_said(drawn):
    space = {f"p{i}": floats(0, 1) for i in range(search_slices.PANELS + 6)}
    trials = [trial(i, dict.fromkeys(space, i / 10), 0.9 + i / 100) for i in range(3)]
    figure = drawn(record(space, trials, importance={"val_accuracy": {"p29": 0.9, "p28": 0.1}}))[SLICES]
    assert len(figure.axes) == search_slices.PANELS
    assert figure.axes[0].get_title("left") == "p29  0.90"
    assert "the 24 parameters of 30 that matter most" in figure.legends[0].get_title().get_text()


# -- odd searches -----------------------------------------------------------------------------------------------------


def odd() -> dict[str, dict[str, Any]]:
    """Searches that are unlike the usual."""
    dice = random.Random(0)
    many = {}
    for i in range(20):
        of = (floats(1e-5, 0.1, log=True), integers(1, 5), choices("[300,100]", str([128] * 30)), floats(0, 0.5))[i % 4]
        many[f"model.some_section.a_rather_long_name_of_a_parameter_{i}"] = of

    def drawn(of: dict[str, Any]) -> Any:
        if of["kind"] == "choice":
            return dice.choice(of["values"])
        if of["kind"] == "int":
            return dice.randint(of["low"], of["high"])
        return math.exp(dice.uniform(math.log(max(of["low"], 1e-9)), math.log(of["high"])))

    states = ["finished"] * 6 + ["pruned"] * 2 + ["failed"]
    trials = []
    for i in range(60):
        state = dice.choice(states)
        values = [] if state == "failed" else [dice.choice([0.1, 0.9]) + dice.random() / 20]
        trials.append(trial(i, {key: drawn(of) for key, of in many.items()}, *values, state=state))
    shares = {key: 1 / (i + 2) for i, key in enumerate(many)}
    hostile = {"$\\frac{1}{2$ \x1b[31m</svg>": choices("$\\frac", "\u202eabc", "W" * 300, "日本", True, 3),
               "b": floats(1e-300, 1e300, log=True), "c": floats(-1e308, 1e308)}  # fmt: skip
    return {
        "many parameters with long names": record(many, trials, importance={"val_accuracy": shares}, study="x" * 300),
        "one parameter": of_rates(0.8, 0.9, 0.85, importance={"val_accuracy": {"optimizer.learning_rate": 1.0}}),
        "equal values": record({"a": floats(0, 1)}, [trial(i, {"a": 0.5}, 0.25) for i in range(3)]),
        "values that are the same but for rounding": of_rates(0.5, 0.5 + 1e-10, 0.5 + 2e-10),
        "an accuracy of zero": of_rates(0.0, 0.0),
        "texts that are no names": record(hostile, [
            trial(i, {"$\\frac{1}{2$ \x1b[31m</svg>": value, "b": 10.0 ** (100 * i - 300), "c": 1e308 * (-1) ** i},
                  0.8 + i / 100)
            for i, value in enumerate(hostile["$\\frac{1}{2$ \x1b[31m</svg>"]["values"])
        ], study="</script>\x1b[31m$"),
        "a hundred choices": record({"seed": choices(*range(100))},
                                    [trial(i, {"seed": i}, 1e4 * i) for i in range(100)], {"seconds": "minimize"}),
        "a parameter that only failed trials have": record(
            {"a": floats(0, 1), "b": floats(0, 1)},
            [*(trial(i, {"a": i / 3}, i / 3) for i in range(3)), trial(3, {"a": 0.1, "b": 0.1}, state="failed")]),
        "enormous losses": of_rates(1e308, -1e308, 1e307, 0.5, objectives={"val_loss": "minimize"}),
    }  # fmt: skip


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", odd())
def test_an_odd_search_has_pictures_too(drawn, name):
    content = odd()[name]
    json.dumps(content)
    figures = drawn(content)
    assert set(figures) >= {HISTORY, SLICES}
    for figure in figures.values():
        with paper.style():
            figure.draw_without_rendering()
        limits = [axes.get_position().bounds for axes in figure.axes]
        assert np.isfinite(limits).all()
        assert min(width for _, _, width, _ in limits) > 0


@pytest.mark.parametrize("name", ["many parameters with long names", "one parameter", "equal values"])
def test_nothing_is_cut(drawn, name):
    for figure in drawn(odd()[name]).values():
        assert_nothing_is_cut(figure)


# -- objectives that fitbench does not supply -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("direction", "so_far"), [("maximize", [-1.0, -0.2, -0.2]), ("minimize", [-0.95, -0.95, -1.0])]
)
def test_an_objective_has_the_label_the_direction_and_the_range_that_search_json_states(drawn, direction, so_far):
    values = (-1.0, -0.2, -0.95) if direction == "maximize" else (-0.95, -0.2, -1.0)
    content = of_rates(*values, objectives={"val_kappa": direction})
    content["objectives"][0]["info"] = KAPPA
    figures = drawn(content)
    axes = figures[HISTORY].axes[0]
    assert axes.get_ylabel() == "validation Cohen's kappa"
    assert axes.get_ylim()[0] == -1  # a margin would go beyond the range
    (best,) = [line for line in axes.lines if line.get_gid() == "best"]
    assert list(best.get_ydata())[:3] == so_far
    (text,) = [text.get_text() for text in axes.texts]
    assert text.startswith(f"{so_far[-1]:.3f}")


def test_an_objective_that_nothing_describes_is_named_by_its_words(drawn):
    figures = drawn(of_rates(-3.0, 2.0, 5.0, objectives={"val_mean_lag": "minimize"}))
    assert figures[HISTORY].axes[0].get_ylabel() == "validation mean lag"
