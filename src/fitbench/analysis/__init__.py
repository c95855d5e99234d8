"""From run folders to tables and plots. Imports no Keras."""
