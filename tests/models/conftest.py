"""Models are built with TensorFlow here; some are trained."""

from ..training.conftest import tensorflow, trained  # noqa: F401
