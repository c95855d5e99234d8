"""The base class of fitbench's launchers. Each of them wraps the launcher of a published Hydra plugin."""

from __future__ import annotations

import importlib
from typing import Any, ClassVar

from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from fitbench.errors import RequestError


class PluginLauncher(Launcher):
    """Wraps the launcher of a plugin, `self.plugin`. A subclass names the plugin and implements `launch`.

    Raises:
        RequestError: the plugin is not installed.
    """

    choice: ClassVar[str]  # as in hydra/launcher=ray
    extra: ClassVar[str]  # the extra that installs the plugin, as in fitbench[ray]
    wraps: ClassVar[tuple[str, str]]  # the module and the class of the plugin

    def __init__(self, **parameters: Any) -> None:
        module, name = self.wraps
        try:
            plugin = getattr(importlib.import_module(module), name)
        except ModuleNotFoundError as error:
            message = f"hydra/launcher={self.choice} needs pip install 'fitbench[{self.extra}]'"
            raise RequestError(message) from error
        self.plugin: Any = plugin(**parameters)

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Prepare the plugin. Hydra calls this before the first launch."""
        self.plugin.setup(hydra_context=hydra_context, task_function=task_function, config=config)
