"""What fitbench's launchers have in common: each has a published Hydra plugin's, and says of its own what is lost."""

from __future__ import annotations

import importlib
from typing import Any, ClassVar

from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from fitbench.errors import RequestError


class PluginLauncher(Launcher):
    """Has a plugin's launcher, `self.plugin`, with the plugin's own parameters. A subclass names it, and launches.

    Raises:
        RequestError: the plugin is not installed.
    """

    choice: ClassVar[str]  # as in hydra/launcher=joblib
    extra: ClassVar[str]  # what brings the plugin, as in fitbench[joblib]
    of: ClassVar[tuple[str, str]]  # the plugin's module and its class

    def __init__(self, **parameters: Any) -> None:
        module, name = self.of
        try:
            plugin = getattr(importlib.import_module(module), name)
        except ModuleNotFoundError as error:
            needs = f"hydra/launcher={self.choice} needs pip install 'fitbench[{self.extra}]'"
            raise RequestError(needs) from error
        self.plugin: Any = plugin(**parameters)

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """What Hydra calls before the first launch."""
        self.plugin.setup(hydra_context=hydra_context, task_function=task_function, config=config)
