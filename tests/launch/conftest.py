import logging
import sys

import pytest


@pytest.fixture
def process_state_restored(monkeypatch):
    """Restore the root logger, to which Hydra adds handlers, and sys.argv, which `launch` changes."""
    monkeypatch.setattr(sys, "argv", ["pytest"])
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    for handler in set(root.handlers) - set(handlers):
        handler.close()
    root.handlers[:] = handlers
    root.setLevel(level)
