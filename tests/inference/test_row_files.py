import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest

from fitbench.errors import FitbenchError, RequestError
from fitbench.inference.row_files import RowFile
from fitbench.inference.rows import columns

NAMES = columns(True)
PROVENANCE = {"schema": 1, "run_id": "a-run", "prepare": "none"}
ROWS = [
    ("plain.png", "7", 0.98765432, "1", 0.01, "2", 1e-9, "7", True, None),
    ('odd, "name"\nof two lines.png', "a,b", 0.5, "c", 0.25, None, None, None, None, None),
    ("caf\udce9.png", None, None, None, None, None, None, "3", None, "not a known image format"),
    ("last.png", "3", 1.0, "5", 0.0, "8", 0.0, "5", False, None),
]


def opened(path, format, resume=False, force=False, provenance=PROVENANCE) -> RowFile:
    return RowFile(NAMES, format, path, provenance, resume, force)


def write(file: RowFile, rows) -> None:
    file.begin()
    file.write(rows)
    file.close(complete=True)


def texts(row) -> list:
    return [row[0], row[1], row[-3], row[-1]]


def test_csv_is_readable_by_other_programs(tmp_path):
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


def test_json_has_one_object_per_line(tmp_path):
    path = tmp_path / "x.jsonl"
    write(opened(path, "json"), ROWS)
    read = [json.loads(line) for line in path.read_text().splitlines()]
    assert [row["path"] for row in read] == [row[0] for row in ROWS]
    assert list(read[0]) == list(NAMES)
    assert (read[0]["probability"], read[0]["correct"], read[1]["third_probability"]) == (0.987654, True, None)


@pytest.mark.parametrize("format", ["csv", "json"])
def test_resuming_a_file_cut_anywhere_gives_the_same_file(tmp_path, format):
    path = tmp_path / "x"
    write(opened(path, format), ROWS)
    whole = path.read_bytes()
    for length in [*range(0, len(whole), 3), len(whole) - 1, len(whole)]:
        path.write_bytes(whole[:length])
        file = opened(path, format, resume=True)
        recorded = list(file.recorded())
        assert [texts(row) for row in recorded] == [texts(row) for row in ROWS[: len(recorded)]]
        write(file, ROWS[len(recorded) :])
        assert path.read_bytes() == whole
    path.write_bytes(whole + b"torn" * 1000)
    file = opened(path, format, resume=True)
    assert len(list(file.recorded())) == len(ROWS)
    write(file, [])
    assert path.read_bytes() == whole
    assert len(recorded) == len(ROWS)


def test_file_that_is_there_is_neither_lost_nor_mixed_up(tmp_path):
    path = tmp_path / "x.csv"
    write(opened(path, "csv"), ROWS)
    before = path.read_bytes()
    with pytest.raises(RequestError, match=r"x\.csv already exists; --resume continues it, --force replaces it"):
        opened(path, "csv")
    with pytest.raises(RequestError, match="was made with prepare none, now auto; --force"):
        opened(path, "csv", resume=True, provenance=PROVENANCE | {"prepare": "auto"})
    assert path.read_bytes() == before
    write(opened(path, "csv", force=True), ROWS[:1])
    assert path.read_bytes().count(b"\n") == 2


def test_nothing_is_changed_before_begin(tmp_path):
    path = tmp_path / "x.csv"
    opened(path, "csv").close(complete=False)
    assert list(tmp_path.iterdir()) == []
    write(opened(path, "csv"), ROWS)
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    assert set(before) == {"x.csv", "x.csv.made.json"}
    file = opened(path, "csv", force=True, provenance=PROVENANCE | {"run_id": "another"})
    assert list(file.recorded()) == []
    file.close(complete=False)
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before
    write(opened(path, "csv", force=True, provenance=PROVENANCE | {"run_id": "another"}), [])
    assert json.loads((tmp_path / "x.csv.made.json").read_text())["run_id"] == "another"


def test_file_of_another_program_is_refused(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("a,b\n1,2\n")
    with pytest.raises(RequestError, match=r"x\.csv\.made\.json, which records its run and options, is missing"):
        opened(path, "csv", resume=True)
    (tmp_path / "x.csv.made.json").write_text(json.dumps(PROVENANCE))
    with pytest.raises(FitbenchError, match="its header is not path,label"):
        list(opened(path, "csv", resume=True).recorded())
    path.write_text(",".join(NAMES) + "\n1,2\n")
    with pytest.raises(FitbenchError, match="row 1 is damaged"):
        list(opened(path, "csv", resume=True).recorded())


def test_two_processes_cannot_write_one_file(tmp_path):
    path = tmp_path / "x.csv"
    first = opened(path, "csv")
    with pytest.raises(FitbenchError, match="another process is writing it"):
        opened(path, "csv", resume=True)
    first.close(complete=True)
    opened(path, "csv", resume=True).close(complete=True)


def test_error_names_an_output_that_cannot_be_written(tmp_path):
    with pytest.raises(FitbenchError, match=r"none/x\.csv: cannot be written"):
        opened(tmp_path / "none" / "x.csv", "csv")
    with pytest.raises(FitbenchError, match="cannot be written"):
        opened(tmp_path, "csv", force=True)
    file = opened(tmp_path / "x.csv", "csv")
    file.begin()
    with (
        Path("/dev/full").open("wb", buffering=0) as file.file,
        pytest.raises(FitbenchError, match=r"no space left.*--resume"),
    ):
        file.write(ROWS)


@pytest.mark.parametrize("output", ["RowFile(names, 'csv', None, {}, False, False)", "Table(names)"])
def test_error_names_stdout_if_it_cannot_be_written(output):
    program = (
        "import sys; from fitbench import cli; from fitbench.inference.rows import columns\n"
        "from fitbench.inference.row_files import RowFile; from fitbench.inference.table import Table\n"
        "def app():\n"
        f"    names = columns(True); out = {output}; out.begin()\n"
        f"    out.write({ROWS[:1]!r}); out.close(True)\n"
        "cli.app = app; cli.main()"
    )
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-c", program], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert (done.returncode, done.stderr) == (1, "fitbench: stdout: cannot be written (no space left on device)\n")
