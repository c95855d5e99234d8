"""The version of fitbench."""

__version__ = "0.1.0"
