"""The run folder: where it is, who works on it, what it holds and which state that makes. No Keras."""
