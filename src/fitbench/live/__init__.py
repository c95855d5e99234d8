"""The live page: the report of runs that are being trained. It reads run folders and writes nothing. No Keras."""
