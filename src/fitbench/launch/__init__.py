"""Launches runs and sweeps through Hydra. Importing this package does not import Keras."""
