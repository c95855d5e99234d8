"""Data sets: built-in ones, readers of file formats, checks, splits. No Keras."""
