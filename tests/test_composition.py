"""Composing configurations: files of the user's that cannot be read are refused in a line or two."""

import pytest
from omegaconf import OmegaConf

from fitbench.composition import Composer, explained_errors
from fitbench.errors import RequestError


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            b"name: a\nb: [\n",
            r"model/mine\.yaml, line 3: expected the node content, but found '<stream end>'; expected",
        ),
        (b"name: a\nsize: 1\nname: b\n", r"model/mine\.yaml, line 3: found duplicate key name; expected YAML"),
        (b"\xff\xfe", r"a file of the configuration is no UTF-8 text: .* can't decode byte 0xff in position 0"),
        (b"name: ${oops\n", r"no viable alternative at input '\$\{oops'"),
        (b"name: ${oops}\n", r"model\.name: Interpolation key 'oops' not found"),
        (b"- a\n", r"model is \['a'\]; it must be a section"),
    ],
)
def test_file_that_cannot_be_read_is_refused_in_a_line_or_two(tmp_path, content, message):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "mine.yaml").write_bytes(content)
    with pytest.raises(RequestError, match=message) as refusal:
        Composer([tmp_path]).configuration(["model=mine"])
    assert len(str(refusal.value).splitlines()) <= 2


def test_value_error_of_other_code_is_no_wrong_request():
    def fail() -> None:
        with explained_errors():
            OmegaConf.create({"a": 1})
            int("one")

    with pytest.raises(ValueError, match="invalid literal"):
        fail()
