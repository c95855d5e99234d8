"""The section `logger`: one place, several, or none; it may not hold a password, and a continued run has its own."""

import pytest

from fitbench.composition import Composer
from fitbench.config import from_values, plain
from fitbench.errors import RequestError

BASE = ["data=digits", "model=softmax"]


@pytest.fixture(scope="module")
def composer():
    return Composer()


@pytest.mark.parametrize(
    ("overrides", "options"),
    [
        ([], None),
        (["logger=none"], None),
        (["logger=mlflow"], ["--to mlflow"]),
        (["logger=mlflow", "logger.mlflow.uri=http://here:5000"], ["--to mlflow --uri http://here:5000"]),
        (["logger=[wandb,tensorboard]", "logger.tensorboard.folder=events"],
         ["--to tensorboard --uri events", "--to wandb"]),
    ],
)  # fmt: skip
def test_places_are_chosen_as_files_and_have_keys(composer, overrides, options):
    config = composer.configuration([*BASE, *overrides])
    assert (config.logger and list(config.logger.publishing().values())) == options
    assert from_values(plain(config)) == config


def test_runs_that_were_recorded_without_the_key_have_no_logger(composer):
    values = plain(composer.configuration(BASE))
    del values["logger"]
    assert from_values(values).logger is None


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["logger=mlflow", "logger.mlflow.uri=postgresql://me:secret@here/runs"], "an address without a password"),
        (["logger=mlflow", "logger.mlflow.uri='postgresql://me:p/w@here/runs'"], "an address without a password"),
        (["logger=mlflow", "logger.mlflow.uri='https://me@here.org:secret@there'"], "an address without a password"),
        (["logger=mlflow", "logger.mlflow.url=x"], "logger.mlflow.url: there is no such key"),
        (["logger=wandb", "logger.wandb.mode=sometimes"], "it must be one of online, offline, or null"),
        (["logger=neptune"], "logger has mlflow, none, tensorboard, wandb"),
    ],
)
def test_other_values_are_refused(composer, overrides, message):
    with pytest.raises(RequestError, match=message):
        composer.configuration([*BASE, *overrides])
