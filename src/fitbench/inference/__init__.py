"""Uses the models of finished runs: predict, serve, export, evaluate."""
