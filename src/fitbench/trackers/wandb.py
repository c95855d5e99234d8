"""Runs in Weights & Biases, recorded in files that `wandb sync` sends, or sent at once."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fitbench.errors import RequestError
from fitbench.record.folder import State
from fitbench.text import first_line, in_sentence
from fitbench.trackers import wandb_files
from fitbench.trackers.description import Description
from fitbench.trackers.tracker import Epoch, Tracker, TrackerError

ONLINE, OFFLINE, DISABLED = "online", "offline", "disabled"
MODES = (ONLINE, OFFLINE, DISABLED)  # of WANDB_MODE
KEYS = ("WANDB_API_KEY", "WANDB_IDENTITY_TOKEN_FILE")  # of the environment
SETTINGS = {"WANDB_ERROR_REPORTING": "false"}  # of W&B, where the user has set none
STATE = "state"  # of the summary
SECONDS = 30  # that a server has to answer
SECONDS_OF_UPLOADS = 120  # at the end of a run; W&B's own default is to wait for ever
SECONDS_OF_FILES = 5  # that W&B's process has to write its file to the end
ENDED_WELL = (State.finished, State.pruned)


class WandbTracker(Tracker):
    """One run of W&B, whose id follows from study, run_id and folder. Each attempt adds files; W&B joins them.

    A step of W&B is the number of an epoch. Undefined values are left out. What W&B has is read from its files.

    Args:
        run: what W&B is told of the run.
        folder: W&B's files are in `<folder>/wandb/`.
        project: None: the name of the study.
        entity: the user or the team; None: as W&B is set.
        mode: online or offline; None: that of WANDB_MODE, or else online if there is a key, and offline without one.

    Raises:
        RequestError: WANDB_MODE is wrong, or the mode is online and there is no key.
    """

    name = "wandb"
    modules = ("wandb",)

    def __init__(
        self,
        run: Description,
        folder: Path,
        project: str | None = None,
        entity: str | None = None,
        mode: str | None = None,
    ) -> None:
        for name, value in SETTINGS.items():
            os.environ.setdefault(name, value)
        if (wanted := os.environ.get("WANDB_MODE") or OFFLINE) not in MODES:
            raise RequestError(f"WANDB_MODE is {wanted!r}; it must be {in_sentence(MODES)}")
        has_key = _has_key()
        self.run = run
        self.folder = folder
        self.project = project or run.study
        self.entity = entity
        self.mode: Any = mode or os.environ.get("WANDB_MODE") or (ONLINE if has_key else OFFLINE)
        self.where = str(folder / "wandb") if self.mode != ONLINE else self.project
        if self.mode == ONLINE and not has_key:
            raise RequestError(
                "the mode of W&B is online, but it has no key; run 'wandb login', set WANDB_API_KEY, or set "
                "logger.wandb.mode=offline or WANDB_MODE=offline"
            )
        self.session: Any = None  # W&B's run, once something is sent
        self.generation = self._latest()
        self._look()

    @classmethod
    def for_training(cls, run: Description, folder: Path, settings: Any) -> WandbTracker:
        """See `Tracker`."""
        files = folder if settings.folder is None else Path(settings.folder)
        return cls(run, files, settings.project, settings.entity, settings.mode)

    @classmethod
    def for_publishing(cls, run: Description, uri: str | None) -> WandbTracker:
        """See `Tracker`. The run is in the project that its logger was set to, or else in that of its study."""
        project, entity = (run.logged_text(cls.name, key) for key in ("project", "entity"))
        return cls(run, Path(uri or "."), project, entity)

    @property
    def run_id(self) -> str:
        """W&B's id of the run. A run that was trained again has another one, as W&B never removes points."""
        digest = hashlib.sha256(f"{self.run.key}\n{self.run.folder}".encode()).hexdigest()[:16]
        return digest if self.generation == 1 else f"{digest}-{self.generation}"

    def _latest(self) -> int:
        self.generation = 1
        while True:
            self.generation += 1
            if not self._files():
                return self.generation - 1

    def _files(self) -> list[Path]:
        """W&B's files of the run, here or in its run folder, in which `logger=wandb` writes them."""
        return wandb_files.run_files({self.folder.absolute(), Path(self.run.folder).absolute()}, self.run_id)

    def _look(self) -> None:
        with self._client_errors():
            self.steps, self.summary = wandb_files.read(self._files())

    def losses(self) -> dict[int, float | None]:
        """See `Tracker`."""
        return {step: values.get("loss") for step, values in self.steps.items()}

    def finished_at(self) -> str | None:
        """See `Tracker`."""
        return self.summary.get("finished_at")

    def restart(self) -> None:
        """Begin another run of W&B."""
        self.close()
        self.generation += 1
        self.steps, self.summary = {}, {}

    def describe(self) -> None:
        """See `Tracker`. W&B gets the description with the first value."""

    def epoch(self, epoch: Epoch) -> None:
        """See `Tracker`. An epoch that W&B's server has is left out: it takes no earlier step."""
        values = {key: value for key, value in epoch.values.items() if value is not None}
        with self._client_errors():
            session = self._begun()
            if epoch.number >= session.starting_step:
                session.log(values, step=epoch.number, commit=True)
                self.sent["epochs"] += 1

    def result(self, values: Mapping[str, float], ended: float) -> None:
        """See `Tracker`. The values are in W&B's summary."""
        self._summarize(values, "metrics")

    def facts(self, facts: Mapping[str, str | None]) -> None:
        """See `Tracker`. They are in the summary, and so are the tags and the note."""
        noted = {"tags": ", ".join(self.run.tags) or None, "note": self.run.note or None}
        self._summarize(noted | dict(facts), "tags")

    def file(self, path: Path) -> None:
        """See `Tracker`. W&B gets a copy, as the file may go before W&B sends it."""
        if self.mode == DISABLED:  # it has no folder
            return
        with self._client_errors():
            content = path.read_bytes()
            before = self._copies().get(path.name)
            if before is not None and before.read_bytes() == content:
                return
            session = self._begun()
            copy = Path(session.dir) / path.name
            copy.write_bytes(content)
            session.save(str(copy), base_path=session.dir, policy="now")
        self.sent["files"] += 1

    def files(self) -> Collection[str]:
        """See `Tracker`. W&B's own files are among them."""
        return self._copies().keys()

    def _copies(self) -> dict[str, Path]:
        """The latest copy of each file by its name."""
        return {path.name: path for file in self._files() for path in file.parent.glob("files/*.*")}

    def state(self, state: State, since: float) -> None:
        """See `Tracker`. It is a value of the summary; W&B's own state is finished or failed."""
        self._summarize({STATE: state.value}, "tags")

    def _summarize(self, values: Mapping[str, Any], counted: str) -> None:
        new = {key: value for key, value in values.items() if self.summary.get(key) != value}
        self.sent[counted] += len(new)
        if new:
            with self._client_errors():
                self._begun().summary.update(new)
            self.summary |= new

    def close(self) -> None:
        """See `Tracker`."""
        if self.session is not None:
            session, self.session = self.session, None
            ended_well = self.summary.get(STATE) in [state.value for state in ENDED_WELL]
            with self._client_errors():
                path = Path(session.settings.sync_file)
                session.finish(exit_code=0 if ended_well else 1)
                last = time.monotonic() + SECONDS_OF_FILES
                while self.mode != DISABLED and not wandb_files.is_ended(path) and time.monotonic() < last:
                    time.sleep(0.01)

    def _begun(self) -> Any:
        """W&B's run, begun or resumed with the first value."""
        if self.session is None:
            import wandb

            self.sent["runs"] += not self._files()
            self.folder.mkdir(parents=True, exist_ok=True)
            self.session = wandb.init(
                id=self.run_id,
                resume="allow",
                project=self.project,
                entity=self.entity,
                name=self.run.run_id,
                group=self.run.study,
                tags=list(self.run.tags),
                notes=self.run.note or None,
                config=self.run.parameters,
                dir=str(self.folder.absolute()),
                mode=self.mode,
                settings=wandb.Settings(
                    console="off",
                    silent=True,
                    save_code=False,
                    reinit="create_new",
                    init_timeout=SECONDS,
                    login_timeout=SECONDS,
                    finish_timeout=SECONDS_OF_UPLOADS,
                    finish_timeout_raises=True,
                ),
            )
        return self.session

    @contextmanager
    def _client_errors(self) -> Iterator[None]:
        """Raise what the client raises as a `TrackerError`."""
        from google.protobuf.message import DecodeError
        from wandb.errors import Error
        from wandb.sdk.mailbox import HandleAbandonedError, MailboxClosedError

        try:
            yield
        except (HandleAbandonedError, MailboxClosedError) as error:
            raise TrackerError(f"wandb at {self.where}: its process wandb-core has ended") from error
        except (Error, DecodeError, OSError) as error:
            raise TrackerError(f"wandb at {self.where}: {first_line(error)}") from error


def _has_key() -> bool:
    """Whether W&B finds a key for its server: in the environment or in .netrc."""
    import wandb
    from requests.utils import get_netrc_auth

    return any(os.environ.get(name) for name in KEYS) or get_netrc_auth(wandb.Settings().base_url) is not None
