"""Charts for a paper, and pictures of runs and searches. No Keras."""
