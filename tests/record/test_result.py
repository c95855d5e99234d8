"""result.json as it is written and read."""

import json
import time

import pytest

from fitbench.errors import FitbenchError
from fitbench.record.folder import State, state_of
from fitbench.record.reading import read_result
from fitbench.record.result import SCHEMA, utc_now, write_result

from .other_processes import names


def test_result_is_written_as_json_and_finishes_the_run(tmp_path):
    result = {"schema": SCHEMA, "data": {"classes": ["grün", "blau"]}, "metrics": {"test_loss": 0.1 + 0.2}}
    assert state_of(tmp_path) is State.interrupted
    write_result(tmp_path, result)
    assert state_of(tmp_path) is State.finished
    assert json.loads((tmp_path / "result.json").read_text(encoding="utf-8")) == result
    assert names(tmp_path) == {"result.json"}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "not JSON"),
        (b'{"schema": 1, "metr', "not JSON"),
        (b'\xff\xfe{"schema": 1}', "not JSON"),
        (b"[1, 2]", "schema 'list'"),
        (b'{"accuracy": 1.0}', "schema None"),
        (b'{"schema": 3}', "schema 3; this fitbench reads schema 1 and 2"),
        (b'{"schema": "1"}', "schema '1'"),
    ],
)
def test_damaged_or_foreign_result_is_refused_by_its_path(tmp_path, content, said):
    path = tmp_path / "result.json"
    path.write_bytes(content)
    with pytest.raises(FitbenchError) as caught:
        read_result(tmp_path)
    assert str(caught.value).startswith(f"{path}: {said}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("name", "state"), [("error.txt", "failed"), ("train.log", "interrupted")])
def test_run_without_a_result_says_its_state(tmp_path, name, state):
    (tmp_path / name).touch()
    with pytest.raises(FitbenchError, match=f"{tmp_path}: no result.json; the run is {state}"):
        read_result(tmp_path)


def test_time_is_utc_to_the_second():
    at = time.strptime(utc_now(), "%Y-%m-%dT%H:%M:%SZ")
    assert abs(time.time() - (time.mktime(at) - time.timezone)) < 3700
