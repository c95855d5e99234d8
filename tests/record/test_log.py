"""What is logged, and how it reaches the terminal."""

import logging
from logging.config import dictConfig

import pytest
from omegaconf import OmegaConf

from fitbench.composition import conf_folder


@pytest.fixture
def terminal_only():
    """Logging as `fitbench train` sets it up, but for train.log."""
    settings = OmegaConf.to_container(OmegaConf.load(conf_folder() / "hydra/job_logging/fitbench.yaml"), resolve=False)
    assert isinstance(settings, dict)
    del settings["handlers"]["file"], settings["loggers"]
    settings["root"]["handlers"] = ["terminal"]
    root = logging.getLogger()
    level, handlers = root.level, list(root.handlers)
    dictConfig(settings)
    yield
    root.setLevel(level)
    root.handlers[:] = handlers


def test_warnings_of_fitbench_have_the_form_of_its_notes_and_others_their_level(terminal_only, capsys):
    logging.getLogger("fitbench.data.split").warning("the validation part has no example of class %s", "bee")
    logging.getLogger("fitbench.training.run").info("attempt 1")
    logging.getLogger("other").error("it is of a library")
    assert capsys.readouterr().err == (
        "fitbench: the validation part has no example of class bee\nERROR: it is of a library\n"
    )
