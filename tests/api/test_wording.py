"""Messages that commands share, as users of Python read them."""

import pytest

import fitbench
from fitbench.api.wording import in_python, named_data, of_python
from fitbench.stderr import write_note


@pytest.mark.parametrize(
    ("text", "worded"),
    [
        ("If you trust the origin of the run, add --trust", "If you trust the origin of the run, add trust=True"),
        ("no file in the folder of --config-dir", "no file in the folder of config_dir"),
        ("rank by --metric val_loss or --metric x; --by a", "rank by metric val_loss or metric x; by a"),
        ("fits none of 5 runs; fitbench runs --all lists them", "fits none of 5 runs; fitbench.runs() lists them"),
        (
            "x: fitbench train +continue=RUN training.epochs=9 goes on",
            'x: fitbench.train("+continue=RUN", "training.epochs=9") goes on',
        ),
        ("pip install --no-deps x; --whereabouts; a--by", "pip install --no-deps x; --whereabouts; a--by"),
    ],
)
def test_options_are_keyword_arguments(text, worded):
    assert of_python(text) == worded


def test_notes_and_errors_are_worded_within_the_block_alone(capsys):
    cause = ValueError("a")
    refused = pytest.raises(fitbench.NotTrustedError, match=r"^data: add trust=True$")
    with refused as caught, in_python(), named_data(["/o/.arrays/1f.npz"]):
        write_note("/o/.arrays/1f.npz: without --trust")
        raise fitbench.NotTrustedError("/o/.arrays/1f.npz: add --trust") from cause
    assert caught.value.__cause__ is cause
    write_note("/o/.arrays/1f.npz: add --trust")
    assert capsys.readouterr().err.splitlines() == [
        "fitbench: data: without trust=True",
        "fitbench: /o/.arrays/1f.npz: add --trust",
    ]


def test_a_run_that_is_not_found_is_looked_for_from_python(make_run, tmp_path):
    make_run("study=one")
    with pytest.raises(fitbench.RequestError, match=r"; fitbench\.runs\(\) lists them$"):
        fitbench.Run("zzzzzzzzzz", outputs=tmp_path / "outputs")
