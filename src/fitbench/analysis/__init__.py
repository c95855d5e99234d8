"""From run folders to tables of runs, groups and differences. Imports no Keras."""
