"""fitbench: from a configuration to a recorded Keras run, a sweep, a comparison, a published table."""

__version__ = "0.1.0"
