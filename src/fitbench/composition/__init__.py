"""Composing configurations with Hydra, from files and overrides that may hold anything."""

# ruff: noqa: F401 - other packages import these names from here

from fitbench.composition.composer import Composer, beside_hydra, search_path, stop_clock
from fitbench.composition.continuing import names_parent
from fitbench.composition.errors import explain, explained_errors
from fitbench.composition.files import read_yaml
from fitbench.composition.loader import hydra_with_metrics
from fitbench.composition.overrides import quoted, read_overrides
from fitbench.composition.start import by_folder, configuration_of
from fitbench.config.folder import conf_folder
