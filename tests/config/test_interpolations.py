"""Interpolations: which are refused, and which stand for the folder of a run."""

import re

import pytest

from fitbench.config import config_id
from fitbench.config.interpolations import RUN_DIR, with_run_dir
from fitbench.errors import RequestError

CALLBACK = "+training.callbacks.log={_target_: keras.callbacks.CSVLogger, filename: '%s'}"


@pytest.mark.parametrize(
    ("override", "key", "name"),
    [
        ("model.name=${now:%S}", "model.name", "now"),
        ("outputs=outputs-${now:%Y}", "outputs", "now"),
        ("study=${hydra:job.num}", "study", "hydra"),
        (CALLBACK % "${hydra:runtime.output_dir}/log.csv", "training.callbacks.log.filename", "hydra"),
        (CALLBACK % "s${seed}/log.csv", "training.callbacks.log.filename", "seed"),
        (
            "+training.callbacks.own={_target_: mine.Own, names: ['${ seed }']}",
            "training.callbacks.own.names.0",
            "seed",
        ),
    ],
)
def test_value_that_is_no_constant_is_refused_by_the_name_of_its_resolver(configure, override, key, name):
    with pytest.raises(RequestError, match=rf"^{re.escape(key)} is '.*: {name} "):
        configure(override)


def test_constants_may_be_interpolated(configure, monkeypatch):
    monkeypatch.setenv("OWN_OUTPUTS", "elsewhere")
    config = configure("outputs=${oc.env:OWN_OUTPUTS}", "training.batch_size=${training.epochs}", "study=s${seed}")
    assert (config.outputs, config.training.batch_size, config.study) == ("elsewhere", config.training.epochs, "s0")


def test_references_that_double_at_each_level_are_refused(configure):
    levels = [f"x{n}: '${{.x{n + 1}}}${{training.callbacks.x{n + 1}}}'" for n in range(30)]
    with pytest.raises(RequestError, match=r"^training\.callbacks\.x\d+ takes more than 10,000 values of other keys"):
        configure(f"+training.callbacks={{{', '.join([*levels, 'x30: a'])}}}")


def test_run_dir_stays_literal_and_every_seed_is_the_same_configuration(configure):
    configs = [configure(CALLBACK % "${run_dir:}/log.csv", f"seed={seed}") for seed in (0, 1)]
    assert len({config_id(config) for config in configs}) == 1
    callbacks = configs[0].training.callbacks
    assert callbacks["log"]["filename"] == f"{RUN_DIR}/log.csv"
    assert with_run_dir([callbacks], "outputs/a")[0]["log"]["filename"] == "outputs/a/log.csv"
