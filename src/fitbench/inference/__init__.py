"""A finished run at work: predict, serve, export, evaluate."""
