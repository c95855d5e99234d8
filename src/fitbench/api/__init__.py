"""fitbench from Python: the functions and the class that `fitbench/__init__.py` exports."""
