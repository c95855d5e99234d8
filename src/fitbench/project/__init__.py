"""A project of the user's: its settings in pyproject.toml, and making a new one."""
