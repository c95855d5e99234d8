"""`fitbench search`: Optuna chooses configurations, and each trial is a run like any other."""
