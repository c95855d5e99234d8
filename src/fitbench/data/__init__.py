"""Data sets: the known ones, files of each format, checks, splits. No Keras."""
