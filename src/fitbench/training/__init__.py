"""From a configuration to a finished, recorded run. Importing this package imports no Keras."""
