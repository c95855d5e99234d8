import logging
import sys

import pytest


@pytest.fixture
def process_state_restored(monkeypatch):
    """Restore the root logger, to which Hydra adds handlers, and sys.argv, which `launch` changes."""
    monkeypatch.setattr(sys, "argv", ["pytest"])
    if "absl.logging" in sys.modules:  # its handler would close a stream of pytest when logging is configured
        sys.modules["absl.logging"].get_absl_handler().python_handler.stream = sys.__stderr__
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    for handler in set(root.handlers) - set(handlers):
        handler.close()
    root.handlers[:] = handlers
    root.setLevel(level)
