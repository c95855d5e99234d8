import contextlib
import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from fitbench.errors import FitbenchError, RequestError
from fitbench.inference import outputs
from fitbench.inference.layout import Layout
from fitbench.inference.outputs import open_output
from fitbench.tasks import task_of

LAYOUT = Layout.of(("path",), "image", task_of("classification"), (), labelled=True)
NAMES = LAYOUT.heads
ROWS = [
    dict(zip(NAMES, cells, strict=True))
    for cells in (
        ("plain.png", "7", 0.987654, "1", 0.01, "2", 1e-9, "7", True, None),
        ('odd, "name"\nof two lines.png', "a,b", 0.5, "c", 0.25, None, None, None, None, None),
        ("caf\udce9.png", None, None, None, None, None, None, "3", None, "not a known image format"),
        ("carriage\rreturn.png", "1", 0.5, "2", 0.25, "3", 0.125, "1", True, None),
        ("last.png", "3", 1.0, "5", 0.0, "8", 0.0, "5", False, None),
    )
]


def write(path: Path | None, format: str | None = None, force: bool = False, rows=ROWS) -> None:
    with open_output(format, path, LAYOUT, force) as write_rows:
        write_rows(rows)


def test_csv_is_readable_by_other_programs(tmp_path):
    path = tmp_path / "x.csv"
    write(path)
    with path.open(newline="", errors="surrogateescape") as file:
        read = list(csv.DictReader(file))
    assert [row["path"] for row in read] == [row["path"] for row in ROWS]
    assert read[0] | {"path": ""} == {
        "path": "", "label": "7", "probability": "0.987654", "second": "1", "second_probability": "0.01",
        "third": "2", "third_probability": "1e-09", "true": "7", "correct": "true", "error": "",
    }  # fmt: skip
    assert read[2]["error"] == "not a known image format"
    assert (read[1]["label"], read[1]["third"], read[-1]["correct"]) == ("a,b", "", "false")


def test_table_leaves_out_a_column_without_values(capsys):
    of_two = [row | {"third": None, "third_probability": None} for row in ROWS[:2]]
    write(None, "table", rows=of_two)
    heads = capsys.readouterr().out.splitlines()[0].split()
    assert "second" in heads and "third" not in heads
    write(None, "csv", rows=of_two)
    assert capsys.readouterr().out.startswith("path,label,probability,second,second_probability,third,")


def test_json_has_one_object_per_line(tmp_path):
    path = tmp_path / "x.jsonl"
    write(path)
    assert [json.loads(line) for line in path.read_text().splitlines()] == ROWS


def test_rows_reach_stdout_at_once(capfdbinary):
    with open_output("json", None, LAYOUT, False) as write_rows:
        write_rows(ROWS[:1])
        assert json.loads(capfdbinary.readouterr().out) == ROWS[0]


def test_existing_file_is_only_replaced_with_force_and_only_by_a_complete_one(tmp_path):
    path = tmp_path / "x.csv"
    write(path)
    before = path.read_bytes()
    with pytest.raises(RequestError, match=r"x\.csv already exists; --force replaces it"):
        write(path)
    with pytest.raises(KeyboardInterrupt), open_output(None, path, LAYOUT, True) as write_rows:
        write_rows(ROWS[:1])
        raise KeyboardInterrupt
    assert path.read_bytes() == before
    write(path, force=True, rows=ROWS[:1])
    assert path.read_bytes().count(b"\n") == 2
    assert list(tmp_path.iterdir()) == [path]


def test_error_names_an_output_that_cannot_be_written(tmp_path, monkeypatch):
    with pytest.raises(RequestError, match=r"-o .*none/x\.csv: there is no folder .*none; make it first"):
        write(tmp_path / "none" / "x.csv")

    @contextlib.contextmanager
    def full(path: Path):
        with Path("/dev/full").open("wb", buffering=0) as file:
            yield file

    monkeypatch.setattr(outputs, "replacing", full)
    with pytest.raises(FitbenchError, match=r"x\.csv: cannot be written \(no space left on device\)"):
        write(tmp_path / "x.csv")


@pytest.mark.parametrize("format", ["csv", "table"])
def test_error_names_stdout_if_it_cannot_be_written(format):
    program = (
        "from fitbench import cli; from fitbench.inference.outputs import open_output\n"
        "from fitbench.inference.layout import Layout\n"
        "def app():\n"
        f"    with open_output({format!r}, None, {LAYOUT!r}, False) as write: write({ROWS[:1]!r})\n"
        "cli.app = app; cli.main()"
    )
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-c", program], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert (done.returncode, done.stderr) == (1, "fitbench: stdout: cannot be written (no space left on device)\n")


def test_labels_stay_whole_in_a_narrow_terminal_and_probabilities_are_left_out(monkeypatch):
    names = ("indoors", "at_night", "with_people")
    layout = Layout.of(("row",), "row", task_of("multilabel"), names)
    answers = ([list(names), 0.9, 0.8, 0.7], [[], 0.1, 0.2, 0.00001])
    rows = [dict(zip(layout.heads, [i, *cells, None], strict=True)) for i, cells in enumerate(answers, start=1)]
    for width, lacking in ((100, []), (60, ["people"])):
        text = io.StringIO()
        terminal = Console(file=text, force_terminal=True, color_system=None, width=width)
        monkeypatch.setattr(outputs, "console", lambda terminal=terminal: terminal)
        with open_output("table", None, layout, False) as write_rows:
            write_rows(rows)
        lines = text.getvalue().splitlines()
        assert "indoors, at_night, with_people" in text.getvalue() and "probability" not in text.getvalue()
        assert [cell.strip() for cell in lines[-2 - bool(lacking)].split("│")][1:4] == ["2", "-", "0.1000"]
        assert [name for name in ("indoors", "night", "people") if name not in lines[2] + lines[1]] == lacking
        assert ("Too narrow here for: with_people." in lines) == bool(lacking)
