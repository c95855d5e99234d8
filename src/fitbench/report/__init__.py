"""The report: everything about a set of runs on one page that needs nothing else. No Keras."""
