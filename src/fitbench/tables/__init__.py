"""Published tables: claims beside what runs have measured, with a verdict by rule. Never imports Keras."""
