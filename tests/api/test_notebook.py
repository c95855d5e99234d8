"""The notebook of the handbook runs, and progress in a notebook is one line that is replaced in place."""

import importlib
import re
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("nbclient", reason="needs pip install -e '.[dev]'")

ROOT = Path(__file__).parents[2]
ACCURACY = re.compile(r"test accuracy (0\.\d{4})")
TIME = r"[\d:]+( s)?"
CLOSE = 0.03  # between the accuracies of two processors: 30 of 1,000 test examples
MORE = (  # cells that the notebook does not have
    # many updates: few are sent
    """
import time
from fitbench import notebook
line, end = notebook.line(), time.monotonic() + 1.0
count = 0
while time.monotonic() < end:
    line.show([f"step {count}", "<b>"], 0.5)
    count += 1
line.close([f"{count} steps", "<b>"])
""",
    # a run that fails
    """
try:
    fitbench.train("model=mlp", "optimizer=sgd", "optimizer.learning_rate=1e30", "training.epochs=3")
except fitbench.FitbenchError:
    print("failed")
""",
    # a sweep in this process, of which one run fails
    """
try:
    fitbench.sweep(["optimizer.learning_rate=1e30", "optimizer.learning_rate=0.1"], "optimizer=sgd", model="mlp",
                   training={"epochs": 1}, study="broken")
except fitbench.SweepFailed as error:
    print(len(error.runs))
""",
    """
fitbench.search({"optimizer.learning_rate": "interval(0.001,0.01)"}, model="softmax", trials=2, training={"epochs": 1})
print("searched")
""",
    # with pyplot's figures inline, a figure is shown once
    "%matplotlib inline\nimport matplotlib.pyplot\nrun.plot()",
)


@pytest.fixture(scope="module")
def handbook() -> Any:
    sys.path.insert(0, str(ROOT))
    yield importlib.import_module("docs.notebook")
    sys.path.remove(str(ROOT))


@pytest.fixture(scope="module")
def notebook(handbook, tmp_path_factory) -> SimpleNamespace:
    """The committed notebook; the same after it was executed, with the messages of each cell; and the cells of MORE."""
    from nbclient import NotebookClient
    from nbformat.v4 import new_code_cell

    messages: dict[int, list[str]] = {}

    class Client(NotebookClient):
        def process_message(self, message, cell, index):
            messages.setdefault(index, []).append(message["msg_type"])
            return super().process_message(message, cell, index)

    committed, again = handbook.read(), handbook.read()
    count = len(again.cells)
    again.cells += map(new_code_cell, MORE)
    handbook.execute(again, tmp_path_factory.mktemp("notebook"), Client)
    more = again.cells[count:]
    del again.cells[count:]
    return SimpleNamespace(committed=committed, again=again, more=more, messages=messages)


def outputs_of(notebook) -> list[list[str]]:
    """The types of the outputs of each cell, the richest of each output."""
    return [
        [next(iter(sorted(output.get("data", {"stream": ""}), key=RICHEST.index))) for output in cell.outputs]
        for cell in notebook.cells
        if cell.cell_type == "code"
    ]


RICHEST = ("image/png", "text/html", "text/plain", "stream")


def test_every_cell_runs_and_has_outputs_of_the_committed_kinds(notebook):
    kinds = outputs_of(notebook.again)
    assert kinds == outputs_of(notebook.committed)
    assert "image/png" in kinds[1]
    html = notebook.again.cells[1].outputs[-1].data["text/html"]
    assert html.count("<svg") == 2
    assert [
        output.text
        for cell in notebook.again.cells
        for output in cell.get("outputs", [])
        if output.get("name") == "stderr"
    ] == []


def test_the_printed_accuracies_are_the_committed_ones(notebook):
    printed, committed = (ACCURACY.findall(str(one.cells)) for one in (notebook.again, notebook.committed))
    assert len(committed) == 3
    assert [float(value) for value in printed] == pytest.approx([float(value) for value in committed], abs=CLOSE)


def test_progress_is_one_line_that_is_replaced_and_stays(notebook):
    trained, swept = (notebook.again.cells[place].outputs[0].data for place in (1, 7))
    values = r"loss 0\.\d{4}  accuracy 0\.\d{4}"
    assert re.fullmatch(rf"epoch 5/5  {values}  val {values}  {TIME}", trained["text/plain"])
    assert re.fullmatch(rf"4/4 runs  best val 0\.\d{{4}}  {TIME}", swept["text/plain"])
    assert notebook.messages[7].count("display_data") == 1
    assert notebook.messages[7].count("update_display_data") >= 1


def test_the_committed_notebook_is_small_and_says_nothing_of_the_machine_that_made_it(handbook):
    text = handbook.NOTEBOOK.read_text("utf-8")
    assert len(text) < 300_000
    assert re.findall(r"(?<![\w.])/(?:home|root|tmp|work|Users)\b", text) == []


def test_the_page_of_the_handbook_is_that_of_the_notebook(handbook):
    """If this fails, run `python -m docs.notebook`."""
    assert handbook.PAGE.read_text("utf-8") == handbook.page(handbook.read())


def test_updates_are_few_and_their_text_is_no_markup(notebook):
    (output,) = notebook.more[0].outputs
    assert re.fullmatch(r"\d+ steps  <b>", output.data["text/plain"])
    assert "steps  &lt;b&gt;" in output.data["text/html"]
    sent = notebook.messages[len(notebook.again.cells)]
    assert 1 <= sent.count("update_display_data") <= 6


def test_a_run_that_fails_says_how_far_it_came(notebook):
    line, printed = notebook.more[1].outputs
    assert re.fullmatch(r"(epoch \d/3)?.*  not finished", line.data["text/plain"])
    assert printed.text == "failed\n"


def test_a_sweep_says_how_many_runs_failed(notebook):
    line, printed = notebook.more[2].outputs
    assert re.fullmatch(rf"2/2 runs  best val 0\.\d{{4}}  1 failed  {TIME}", line.data["text/plain"])
    assert printed.text == "2\n"


def test_a_search_ends_with_the_best_trial(notebook):
    line, printed = notebook.more[3].outputs
    assert re.fullmatch(rf"2/2 trials  best val_accuracy 0\.\d{{4}} \(trial [01]\)  {TIME}", line.data["text/plain"])
    assert printed.text == "searched\n"


def test_a_figure_is_shown_once_also_where_figures_of_pyplot_are_inline(notebook):
    assert [sorted(output.data) for output in notebook.more[4].outputs] == [["image/png", "text/plain"]]
