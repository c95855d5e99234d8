import logging
import sys

import pytest


@pytest.fixture
def process_left_as_it_was(monkeypatch):
    """Hydra puts its own handlers on the root logger, and `launch` its own words into sys.argv."""
    monkeypatch.setattr(sys, "argv", ["pytest"])
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    for handler in set(root.handlers) - set(handlers):
        handler.close()
    root.handlers[:] = handlers
    root.setLevel(level)
