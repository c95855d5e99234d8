"""Launching runs through Hydra. Importing this package imports no Keras."""
