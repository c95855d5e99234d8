"""What a tracker is told of a run before its values."""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fitbench.config.identity import NOT_IDENTITY
from fitbench.config.nested import leaves
from fitbench.config.run_names import parse_run_id
from fitbench.text import encodable

LONGEST_NAME = 200  # characters of an experiment or a project


@dataclass(frozen=True)
class Description:
    """What a tracker is told of a run before its values.

    Attributes:
        study: of the run.
        run_id: of the run.
        config: the resolved configuration, nested, as config.yaml and result.json hold it.
        tags: further texts by name, as a person gave them to the run.
        note: a person's remark, empty if there is none.
        folder: the absolute path of the run folder.
        host: the name of the machine, on which the path counts.
        began: when the run began, in seconds since 1970; None: now.
        losses: the training loss of each epoch that is recorded so far, None where it is undefined.
        finished_at: of result.json; None if there is none yet.
    """

    study: str
    run_id: str
    config: Mapping[str, Any]
    tags: Sequence[str] = ()
    note: str = ""
    folder: str = ""
    host: str = field(default_factory=socket.gethostname)
    began: float | None = None
    losses: Mapping[int, float | None] = field(default_factory=dict)
    finished_at: str | None = None

    @property
    def key(self) -> str:
        """What names the run in every tracker, in each attempt and when it is published: `<study>/<run_id>`."""
        return f"{self.study}/{self.run_id}"

    @property
    def facts(self) -> dict[str, str]:
        """Texts by which a tracker finds and groups runs: study, data, model, optimizer, seed, fold, config_id."""
        name = parse_run_id(self.run_id)
        facts = {
            "study": self.study,
            **{section: self.config[section].get("name") for section in ("data", "model", "optimizer")},
            "seed": self.config.get("seed"),
            "fold": self.config.get("fold"),
            "config_id": None if name is None else name.config_id,
        }
        return {key: encodable(str(value)) for key, value in facts.items() if value is not None}

    @property
    def parameters(self) -> dict[str, Any]:
        """The values of the configuration that make the run what it is, by their full keys, the seed and fold too."""
        left_out = set(NOT_IDENTITY) - {"seed", "fold"}
        return {
            encodable(key): encodable(value) if isinstance(value, str) else value
            for key, value in leaves(self.config, lists=False)
            if key not in left_out and key.split(".")[0] not in left_out and value not in (None, {}, [])
        }

    def logger(self, name: str) -> Mapping[str, Any]:
        """The settings that the run's logger had for a tracker, empty if there are none. They may be a stranger's."""
        logger = self.config.get("logger")
        settings = logger.get(name) if isinstance(logger, dict) else None
        return settings if isinstance(settings, dict) else {}

    def logged_text(self, name: str, key: str) -> str | None:
        """One of these settings, such as the experiment of MLflow."""
        text = self.logger(name).get(key)
        return str(text)[:LONGEST_NAME] if text else None
