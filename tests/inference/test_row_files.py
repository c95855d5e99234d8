import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest

from fitbench.errors import FitbenchError, RequestError
from fitbench.inference import answers
from fitbench.inference.row_files import Lines

NAMES = answers.columns(True)
MADE = {"schema": 1, "run_id": "a-run", "prepare": "none"}
ROWS = [
    ("plain.png", "7", 0.98765432, "1", 0.01, "2", 1e-9, "7", True, None),
    ('odd, "name"\nof two lines.png', "a,b", 0.5, "c", 0.25, None, None, None, None, None),
    ("caf\udce9.png", None, None, None, None, None, None, "3", None, "not a known image format"),
    ("last.png", "3", 1.0, "5", 0.0, "8", 0.0, "5", False, None),
]


def opened(path, format, resume=False, force=False, made=MADE) -> Lines:
    return Lines(NAMES, format, path, made, resume, force)


def write(lines: Lines, rows) -> None:
    lines.begin()
    lines.write(rows)
    lines.close(whole=True)


def texts(row) -> list:
    return [row[0], row[1], row[-3], row[-1]]


def test_csv_is_what_other_programs_read(tmp_path):
    path = tmp_path / "x.csv"
    write(opened(path, "csv"), ROWS)
    with path.open(newline="", errors="surrogateescape") as file:
        read = list(csv.DictReader(file))
    assert [row["path"] for row in read] == [row[0] for row in ROWS]
    assert read[0] | {"path": ""} == {
        "path": "", "label": "7", "probability": "0.987654", "second": "1", "second_probability": "0.01",
        "third": "2", "third_probability": "1e-09", "true": "7", "correct": "true", "error": "",
    }  # fmt: skip
    assert read[2]["error"] == "not a known image format"
    assert (read[1]["label"], read[1]["third"], read[3]["correct"]) == ("a,b", "", "false")


def test_json_is_an_object_per_line(tmp_path):
    path = tmp_path / "x.jsonl"
    write(opened(path, "json"), ROWS)
    read = [json.loads(line) for line in path.read_text().splitlines()]
    assert [row["path"] for row in read] == [row[0] for row in ROWS]
    assert list(read[0]) == list(NAMES)
    assert (read[0]["probability"], read[0]["correct"], read[1]["third_probability"]) == (0.987654, True, None)


@pytest.mark.parametrize("format", ["csv", "json"])
def test_file_cut_anywhere_goes_on_to_the_same_file(tmp_path, format):
    path = tmp_path / "x"
    write(opened(path, format), ROWS)
    whole = path.read_bytes()
    for length in [*range(0, len(whole), 3), len(whole) - 1, len(whole)]:
        path.write_bytes(whole[:length])
        lines = opened(path, format, resume=True)
        recorded = list(lines.recorded())
        assert [texts(row) for row in recorded] == [texts(row) for row in ROWS[: len(recorded)]]
        write(lines, ROWS[len(recorded) :])
        assert path.read_bytes() == whole
    path.write_bytes(whole + b"torn" * 1000)
    lines = opened(path, format, resume=True)
    assert len(list(lines.recorded())) == len(ROWS)
    write(lines, [])
    assert path.read_bytes() == whole
    assert len(recorded) == len(ROWS)


def test_file_that_is_there_is_neither_lost_nor_mixed_up(tmp_path):
    path = tmp_path / "x.csv"
    write(opened(path, "csv"), ROWS)
    before = path.read_bytes()
    with pytest.raises(RequestError, match=r"x\.csv is there already; --resume goes on with it, --force replaces it"):
        opened(path, "csv")
    with pytest.raises(RequestError, match="was made with prepare none, now auto; --force"):
        opened(path, "csv", resume=True, made=MADE | {"prepare": "auto"})
    assert path.read_bytes() == before
    write(opened(path, "csv", force=True), ROWS[:1])
    assert path.read_bytes().count(b"\n") == 2


def test_nothing_is_changed_before_the_rows_begin(tmp_path):
    path = tmp_path / "x.csv"
    opened(path, "csv").close(whole=False)
    assert list(tmp_path.iterdir()) == []
    write(opened(path, "csv"), ROWS)
    before = {one.name: one.read_bytes() for one in tmp_path.iterdir()}
    assert set(before) == {"x.csv", "x.csv.made.json"}
    lines = opened(path, "csv", force=True, made=MADE | {"run_id": "another"})
    assert list(lines.recorded()) == []
    lines.close(whole=False)
    assert {one.name: one.read_bytes() for one in tmp_path.iterdir()} == before
    write(opened(path, "csv", force=True, made=MADE | {"run_id": "another"}), [])
    assert json.loads((tmp_path / "x.csv.made.json").read_text())["run_id"] == "another"


def test_file_of_somebody_else_s(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("a,b\n1,2\n")
    with pytest.raises(RequestError, match=r"no x\.csv\.made\.json lies beside it"):
        opened(path, "csv", resume=True)
    (tmp_path / "x.csv.made.json").write_text(json.dumps(MADE))
    with pytest.raises(FitbenchError, match="its header is not path,label"):
        list(opened(path, "csv", resume=True).recorded())
    path.write_text(",".join(NAMES) + "\n1,2\n")
    with pytest.raises(FitbenchError, match="row 1 is damaged"):
        list(opened(path, "csv", resume=True).recorded())


def test_two_processes_do_not_write_one_file(tmp_path):
    path = tmp_path / "x.csv"
    first = opened(path, "csv")
    with pytest.raises(FitbenchError, match="another process is writing it"):
        opened(path, "csv", resume=True)
    first.close(whole=True)
    opened(path, "csv", resume=True).close(whole=True)


def test_output_that_cannot_be_written(tmp_path):
    with pytest.raises(FitbenchError, match=r"none/x\.csv: cannot be written"):
        opened(tmp_path / "none" / "x.csv", "csv")
    with pytest.raises(FitbenchError, match="cannot be written"):
        opened(tmp_path, "csv", force=True)
    lines = opened(tmp_path / "x.csv", "csv")
    lines.begin()
    with (
        Path("/dev/full").open("wb", buffering=0) as lines.file,
        pytest.raises(FitbenchError, match=r"no space left.*--resume"),
    ):
        lines.write(ROWS)


@pytest.mark.parametrize("made", ["Lines(names, 'csv', None, {}, False, False)", "Table(names)"])
def test_stdout_that_cannot_be_written(made):
    program = (
        "import sys; from fitbench import cli; from fitbench.inference import answers\n"
        "from fitbench.inference.row_files import Lines; from fitbench.inference.table import Table\n"
        "def app():\n"
        f"    names = answers.columns(True); out = {made}; out.begin()\n"
        f"    out.write({ROWS[:1]!r}); out.close(True)\n"
        "cli.app = app; cli.main()"
    )
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-c", program], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert (done.returncode, done.stderr) == (1, "fitbench: stdout: cannot be written (no space left on device)\n")
