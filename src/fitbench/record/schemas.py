"""The files of a run folder, and search.json and sweep.json of a study: every key with its type, unit and meaning.

Readers check a file with `check` and then use the dictionary that it holds, so keys that a later version adds stay in
place. A number is finite; a value that does not exist is null. Times of day are UTC in ISO 8601, such as
2026-01-02T03:04:05Z.
"""

import marshal
import re
import sys
from collections.abc import Iterable
from functools import lru_cache
from typing import Annotated, Any, Literal, Self, TypeVar

from annotated_types import Ge, Gt, Le, Len, Lt
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    FailFast,
    Field,
    InstanceOf,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    model_validator,
)

from fitbench import metrics, quantities
from fitbench.config.annotations import Allowed
from fitbench.config.errors import Explained, explain, refusal
from fitbench.errors import FitbenchError
from fitbench.tasks import TASKS
from fitbench.text import clean

Schema = TypeVar("Schema", bound=BaseModel)


def check(schema: type[Schema], values: Any, where: str = "", advice: str = "") -> Schema:
    """The values as an instance of a schema.

    Args:
        schema: one of this module.
        values: what a file holds, as `json.loads` gives it.
        where: what the message begins with, such as `search.json: `.
        advice: what it ends with, such as `; evaluate it again`.

    Raises:
        FitbenchError: a value is missing or not allowed; the message names its key, the value and what is allowed.
    """
    try:
        return schema.model_validate(values)
    except ValidationError as error:
        raise FitbenchError(where + explain(error, schema, values) + advice) from None


class Record(BaseModel):
    """A file, or a section of one. Further keys are allowed, because a later version may write them."""

    model_config = ConfigDict(strict=True, extra="ignore", allow_inf_nan=False, defer_build=True)


def _short_text(text: str) -> str:
    if len(text) > 80 or not text.isprintable():
        raise ValueError("expected a short text")
    return text


Whole = Annotated[int, Ge(0), Lt(2**53), Allowed("a whole number from 0, below 2^53")]  # tables take them for floats
Count = Annotated[int, Ge(1), Lt(2**53), Allowed("a whole number from 1, below 2^53")]
Seed = Annotated[int, Ge(0), Lt(2**32), Allowed("a whole number from 0 to 4294967295")]
TrialNumber = Annotated[int, Ge(0), Lt(2**31), Allowed("a whole number from 0, below 2^31")]
ShortText = Annotated[str, AfterValidator(_short_text), Allowed("text of at most 80 printable characters")]
Names = Annotated[list[str], Len(2), FailFast(), Allowed("the names of two or more classes")]
OutputNames = Annotated[list[str], Len(1), FailFast(), Allowed("a list of one or more names")]
ABSENT: Any = None  # the default of keys that need not be there
Settings = InstanceOf[dict]  # it is not copied; keys of YAML need not be text

# -- config.yaml, and `config` of result.json -------------------------------------------------------------------------


class Configuration(Record):
    """The sections of a resolved configuration. `fitbench.config` describes their keys; reading a run needs none."""

    data: Settings = Field(description="the data set")
    model: Settings = Field(description="the model's builder under `_target_`, and its settings")
    optimizer: Settings = Field(description="the optimizer under `_target_`, and its settings")
    training: Settings = Field(description="epochs, batch size, loss, validation and early stopping")
    distortion: Settings = Field(description="random changes of the training examples")


class RunConfiguration(Configuration):
    """config.yaml of a run that has not finished: what is taken from it beside its sections."""

    study: str = Field(description="the study, which is the folder that the run folder is in")
    seed: Seed = Field(description="the seed of everything random in the run")
    fold: Whole | None = Field(None, description="the number of the fold, from 0; null without folds")


# -- result.json and pruned.json --------------------------------------------------------------------------------------


class MetricInfo(Record):
    """What `Metric.info` states of a metric: all that is needed to compare its values, without its function."""

    label: ShortText | None = Field(None, description="for tables and axes; null: the name with spaces for _")
    direction: Literal["max", "min"] = Field(description="whether the largest or the smallest value is the best")
    range: Annotated[list[float | None], Len(2, 2), Allowed("[low, high], with null for an infinite end")] = Field(
        description="[low, high] of possible values; null stands for an infinite end"
    )
    digits: Annotated[int, Ge(0), Le(12)] | None = Field(None, description="decimals that tables show; null: 4")
    unit: ShortText | None = Field(None, description="of the values, such as s; empty or null if they have none")
    proportion: bool | None = Field(None, description="whether it is a proportion of the examples, from 0 to 1")
    definition: Annotated[str, Len(1)] = Field(
        description="what computes it; values of different definitions are never aggregated"
    )

    def check_ends(self, key: str) -> None:
        """Refuse a range that has no values or does not suit a proportion; `key` has this section."""
        low, high = self.range
        if low is not None and high is not None and low >= high:
            raise Explained(refusal(f"{key}.range", self.range, "[low, high] with low below high"))
        if self.proportion and self.range != [0, 1]:
            raise Explained(refusal(f"{key}.range", self.range, "[0, 1] for a proportion"))


_checked_infos: dict[bytes, dict[str, MetricInfo]] = {}


def _check_infos(values: Any, validate: ValidatorFunctionWrapHandler) -> dict[str, MetricInfo]:
    """Check the `metric_info` of a run. The runs of a sweep have the same one, which is checked once."""
    content = marshal.dumps(values, 2)  # a ValueError of what is nested too deeply refuses it
    if content not in _checked_infos:
        infos: dict[str, MetricInfo] = validate(values)
        for name, info in infos.items():
            key = f"metric_info.{clean(name):.80}"
            metrics.check_name(name, key, Explained)
            info.check_ends(key)
        if len(_checked_infos) >= 1000:
            _checked_infos.clear()
        _checked_infos[content] = infos
    return _checked_infos[content]


MetricInfos = Annotated[dict[str, MetricInfo], WrapValidator(_check_infos)]


class Metrics(Record):
    """The values of the metrics, null where undefined or not measured; `<part>_<metric>` beside the keys below.

    The parts are train, val and test, and the metrics are those of `metric_info`. `train_loss` and `val_loss` include
    the regularisation of weights, and `test_loss` does not.
    """

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, float | None]

    best_epoch: Count | None = Field(description="the epoch, from 1, with the best value of the monitored metric")
    epochs: Whole = Field(description="how many epochs were trained; 0 for a model that a solver computes")


_PARTS = tuple(metrics.PARTS)
_INFO_1 = quantities.of_schema_1()


class _Measured(Record):
    """What result.json and pruned.json have in common."""

    run_id: str = Field(description="<data>-<model>-<optimizer>-<config_id>-s<seed>, the name of the run folder")
    metrics: Metrics

    def _check_metrics(self, names: Iterable[str], parts: tuple[str, ...]) -> None:
        values = self.metrics.model_extra or {}
        for key in _keys(tuple(names), parts):
            if key not in values:
                raise Explained(f"metrics.{key} is missing; it must be a number, or null")


@lru_cache(maxsize=1000)
def _keys(names: tuple[str, ...], parts: tuple[str, ...]) -> list[str]:
    """The keys of `metrics` for metrics of these names."""
    return [metrics.join(part, name) for name in names for part in parts]


class TrainedData(Record):
    """The data set of a run."""

    name: str = Field(description="the name of the data set")
    sha256: str = Field(description="SHA-256 of the arrays, 64 hexadecimal digits")
    fingerprint: str | None = Field(
        None, description="SHA-256 of the names, sizes and times of the user's files; null for a built-in data set"
    )
    fold_sha256: str | None = Field(
        None,
        description="SHA-256 of the numbers and the targets of the rows that the fold held back; null without folds",
    )
    test_sha256: str | None = Field(
        None,
        description="SHA-256 of the targets of the test part, before them the numbers of its rows where these are "
        "known, and after them its weights where it has some; null without a test part, and where it was not recorded",
    )
    test_inputs_sha256: str | None = Field(
        None, description="SHA-256 of the inputs of the test part; null where test_sha256 is"
    )
    train: Whole = Field(description="the number of training examples")
    validation: Whole = Field(description="the number of examples that were held back for validation")
    test: Whole = Field(description="the number of test examples")
    classes: Names = Field(
        ABSENT, description="of classification: the names of the classes, in the order of their numbers"
    )
    targets: OutputNames = Field(ABSENT, description="of a regression: the names of the targets")
    labels: OutputNames = Field(ABSENT, description="of several labels: their names")
    skipped: Whole = Field(0, description="the number of unreadable files that were left out")
    weighted: bool | None = Field(
        None,
        description="whether the examples of the test part have weights in the loss; null where it was not recorded",
    )


class Git(Record):
    """The state of the repository that the run was launched from."""

    commit: str | None = Field(None, description="the commit's hash; null outside of a repository")
    dirty: bool | None = Field(None, description="whether files differed from the commit; null outside of a repository")


class TakenWeights(Record):
    """The weights that the model began with, of an earlier run that `training.start` names."""

    run_id: str = Field(description="of the earlier run")
    layers: list[str] = Field(
        description="the layers that began with its weights, as left/features in a model that has the model left"
    )
    left_out: list[str] = Field(description="the layers that began with new weights")


class _FinishedRun(_Measured):
    """What result.json has had since version 0.1."""

    config_id: str = Field(description="8 hexadecimal digits that identify the configuration without the seed")
    seed: Seed = Field(description="the seed of everything random in the run")
    study: str = Field(description="the study, which is the folder that the run folder is in")
    config: Configuration
    parameters: Whole = Field(description="the number of trainable parameters")
    data: TrainedData
    versions: dict[str, str | None] = Field({}, description="the versions of Python and of the packages, by name")
    git: Git | None = None
    device: str = Field(description="the processor that trained: cpu or gpu, and its name")
    attempts: Whole = Field(description="how often the run was launched until it had finished")
    trial: TrialNumber | None = Field(None, description="the number of the trial, from 0, if the run is of a search")
    finished_at: str = Field(description="when the run finished")

    def _check_names(self, task: str) -> None:
        """Refuse a run of a known task that does not name its outputs."""
        key = TASKS[task].names_key if task in TASKS else ""
        if key and getattr(self.data, key) is None:
            raise Explained(f"data.{key} is missing; it must be a list of names")


class Timing(Record):
    """How long a run took, over all its attempts."""

    fit_seconds: float | None = Field(description="seconds of training; null for a model that a solver computes")
    seconds: float = Field(description="seconds of the whole run, with loading of data and evaluation")
    examples_per_second: float | None = Field(description="training examples per second, the median over epochs")


class Result(_FinishedRun):
    """result.json: how a run ended."""

    schema_: Literal[2] = Field(alias="schema", description="the version of this schema")
    fold: Whole | None = Field(description="the number of the fold, from 0; null without folds")
    task: str = Field(description="the task, such as classification")
    primary: str = Field(description="the metric that names the best run")
    metric_info: MetricInfos = Field(description="what each recorded metric is, by its name")
    timing: Timing
    threshold: Annotated[float, Gt(0), Lt(1)] | None = Field(
        None, description="of several labels: the probability from which on a label counts as predicted"
    )
    start: TakenWeights | None = Field(
        None, description="of a run with training.start: the weights that the model began with"
    )
    threads: Count | None = Field(description="the number of CPU threads that the run computed with; null: unknown")
    environment: dict[str, str] = Field(description="the environment variables that change results, by name")
    code: dict[str, str] = Field(description="SHA-256 of the user's modules, by name")

    @model_validator(mode="after")
    def _check(self) -> Self:
        self._check_metrics(self.metric_info, _PARTS)
        self._check_names(self.task)
        if self.primary not in self.metric_info:
            raise Explained(refusal("primary", self.primary, "the name of a metric in metric_info"))
        return self


class Timing1(Record):
    """`Timing` as version 0.1 wrote it."""

    fit_seconds: float | None = Field(description="seconds of training; null for a model that a solver computes")
    seconds: float = Field(description="seconds of the whole run, with loading of data and evaluation")
    images_per_second: float | None = Field(description="training images per second, the median over epochs")


class Result1(_FinishedRun):
    """result.json as version 0.1 wrote it; the metrics are accuracy and loss."""

    schema_: Literal[1] = Field(alias="schema", description="the version of this schema")
    timing: Timing1

    @model_validator(mode="after")
    def _check(self) -> Self:
        self._check_metrics(_INFO_1, _PARTS)
        self._check_names(metrics.CLASSIFICATION)
        return self


class PrunedTiming(Record):
    """How long a pruned run took."""

    fit_seconds: float | None = Field(description="seconds of training, over all attempts")


class _PrunedRun(_Measured):
    """What pruned.json has had since version 0.1."""

    trial: TrialNumber = Field(description="the number of the trial, from 0")
    timing: PrunedTiming
    pruned_at: str | None = Field(None, description="when the search ended the run")


class Pruned(_PrunedRun):
    """pruned.json: how a run ended that a search ended early. The test part has not been read."""

    schema_: Literal[2] = Field(alias="schema", description="the version of this schema")
    metric_info: MetricInfos = Field(description="what each recorded metric is, by its name")

    @model_validator(mode="after")
    def _check(self) -> Self:
        self._check_metrics(self.metric_info, ("train", "val"))
        return self


class Pruned1(_PrunedRun):
    """pruned.json as version 0.1 wrote it; the metrics are accuracy and loss."""

    schema_: Literal[1] = Field(alias="schema", description="the version of this schema")

    @model_validator(mode="after")
    def _check(self) -> Self:
        self._check_metrics(_INFO_1, ("train", "val"))
        return self


# -- history.jsonl ----------------------------------------------------------------------------------------------------


class Epoch(Record):
    """A line of history.jsonl: what was measured in an epoch; metrics by `<metric>` and `val_<metric>`.

    Readers need no more than the epoch. They take whatever else is not a finite number for null.
    """

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, float | None]

    epoch: Count = Field(description="the epoch's number, from 1; of two lines for one epoch the later counts")
    seconds: float = Field(description="seconds that the epoch took, with validation")
    learning_rate: float = Field(description="the learning rate at the beginning of the epoch")
    loss: float | None = Field(description="the mean loss over the training examples, with regularisation")


# -- claim.json -------------------------------------------------------------------------------------------------------


class Claim(Record):
    """claim.json: the process that works on a run. The file's time of modification is the heartbeat."""

    host: InstanceOf[str] = Field(description="the name of the host; it may hold characters that UTF-8 does not have")
    boot: str | None = Field(None, description="the identity of the host's boot; null: unknown")
    namespace: str | None = Field(None, description="the process namespace in which `pid` counts; null: unknown")
    pid: Annotated[int, Ge(1), Lt(2**31)] = Field(description="the process's number in its namespace")
    start: str = Field(description="when the process began, in clock ticks since the host's boot")
    job: str | None = Field(None, description="<cluster>:<number> of the Slurm job")
    restarts: Whole = Field(0, description="how often Slurm has requeued the job")


# -- notes.json -------------------------------------------------------------------------------------------------------

LONGEST_TAG, MOST_TAGS = 50, 100
TAG = rf"[^\W_][\w.:/+@-]{{0,{LONGEST_TAG - 1}}}"


def is_tag(text: str) -> bool:
    """Whether a text can be a tag."""
    return re.fullmatch(TAG, text) is not None


def _tag(text: str) -> str:
    if not is_tag(text):
        raise ValueError("expected a tag")
    return text


Tag = Annotated[str, AfterValidator(_tag)]
Tags = Annotated[
    list[Tag],
    Len(0, MOST_TAGS),
    FailFast(),
    Allowed(f"a list of up to {MOST_TAGS} tags, each of up to {LONGEST_TAG} letters, digits and _ - . : / + @"),
]


class NotesFile(Record):
    """notes.json: the tags and the note that people gave a run. Nothing that is computed depends on them."""

    schema_: Literal[1] = Field(alias="schema", description="the version of this schema")
    tags: Tags = Field([], description="the tags, in alphabetical order")
    note: str | None = Field(None, description="the note; it may have several lines")


# -- evaluations/<data>-<sha256>-<part>.json --------------------------------------------------------------------------


class EvaluatedData(Record):
    """The examples that a model was evaluated on."""

    name: str = Field(description="the name of the data set")
    sha256: str = Field(description="SHA-256 of the arrays, 64 hexadecimal digits")
    part: str = Field(description="test or train, or all for a table of which all rows were evaluated")
    count: Whole = Field(description="the number of examples")


class EvaluatedMetrics(Record):
    """The values of the metrics, null where undefined."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, float | None]

    loss: float | None = Field(description="the loss, in the units that training computes it in")


class Evaluation(Record):
    """evaluations/*.json: what a finished run's model does on other data.

    Beside the keys below it holds `<metric>_interval`, the 95% interval [low, high], for each metric that is a
    proportion of the examples.
    """

    model_config = ConfigDict(extra="allow")

    schema_: Literal[1] = Field(alias="schema", description="the version of this schema")
    run_finished_at: str = Field(description="`finished_at` of the run whose model was evaluated")
    data: EvaluatedData
    metrics: EvaluatedMetrics
    evaluated_at: str = Field(description="when it was evaluated")

    @model_validator(mode="after")
    def _check(self) -> Self:
        for key, value in (self.model_extra or {}).items():
            if key.endswith("_interval") and not _is_interval(value):
                raise Explained(refusal(clean(key)[:80], value, "[low, high]"))
        return self


def _is_interval(value: Any) -> bool:
    return (
        isinstance(value, list)
        and len(value) == 2
        and all(type(end) in (int, float) and -1e300 < end < 1e300 for end in value)
    )


# -- search.json ------------------------------------------------------------------------------------------------------

Value = str | bool | float
Direction = Literal["maximize", "minimize"]
TrialState = Literal["finished", "pruned", "failed", "running", "interrupted"]


class Objective(Record):
    """What a search makes large or small."""

    name: str = Field(description="a metric of a run, such as val_accuracy, or parameters, fit_seconds or seconds")
    direction: Direction
    label: str | None = Field(None, description="for tables and axes")
    info: MetricInfo | None = Field(None, description="what the metric is, as `metric_info` of result.json")


class Choice(Record):
    """A parameter that is chosen from a list."""

    kind: Literal["choice"]
    values: Annotated[list[Value], Len(1), Allowed("a list of texts, numbers, true and false")] = Field(
        description="the values to choose from"
    )
    when: list[str] = Field([], description="the choices, such as optimizer=adam, that the parameter belongs to")


class Interval(Record):
    """A parameter that is a number from an interval."""

    kind: Literal["float", "int"]
    low: float = Field(description="the smallest value")
    high: float = Field(description="the largest value")
    log: bool = Field(description="whether values are drawn uniformly on a logarithmic scale")
    step: float | None = Field(None, description="the distance between values; null: any value")
    when: list[str] = Field([], description="the choices, such as optimizer=adam, that the parameter belongs to")


class Trial(Record):
    """One configuration that a search has tried."""

    number: Whole = Field(description="the trial's number, from 0")
    state: TrialState
    values: list[float] | None = Field(description="the value of each objective; null if there are none")
    params: dict[str, Annotated[Value, Allowed("text, a number, true or false")]] = Field(
        description="the value of each parameter, by its name in `space`"
    )
    run_ids: list[str] = Field(description="the runs of the trial, one for each seed and fold")
    epochs: Annotated[int, Ge(0), Lt(2**53)] | None = Field(
        description="the epochs that the trial has reported; null if none"
    )
    history: list[float | None] = Field([], description="the objective after each epoch that was reported")
    error: str | None = Field(description="the line that says what failed")
    began: float | None = Field(description="when the trial began, in seconds since 1970-01-01T00:00Z")
    ended: float | None = Field(description="when it ended, likewise")


class Search(Record):
    """search.json: a search's objectives, space and trials, the best trials and the importances of parameters."""

    schema_: Literal[1] = Field(alias="schema", description="the version of this schema")
    study: str = Field(description="the study, which is the folder that the file is in")
    objectives: Annotated[list[Objective], Len(1, 20), Allowed("a list of 1 to 20 objectives")]
    space: Annotated[
        dict[str, Annotated[Choice | Interval, Field(discriminator="kind")]],
        Len(1),
        Allowed("a section with one or more parameters"),
    ] = Field(description="the parameters, by name")
    sampler: str = Field(description="what proposes trials, such as tpe")
    pruner: str = Field(description="what ends trials early, such as median")
    seed: Annotated[int, Ge(0), Lt(2**53)] = Field(description="the seed of the sampler")
    seeds: Count | None = Field(None, description="how many runs, each with a seed of its own, a trial has")
    folds: Count | None = Field(None, description="how many runs, each with a fold of its own, each seed has; or null")
    versions: dict[str, str | None] = Field({}, description="the versions of packages, by name")
    total: Whole | None = Field(None, description="how many trials the search has in the end; null: unknown")
    trials: Annotated[list[Trial], FailFast()] = Field(description="the trials, in the order of their numbers")
    best: list[Whole] = Field(description="the numbers of the finished trials, the best first, or of the Pareto front")
    importance: dict[str, dict[str, Annotated[float, Ge(0)]]] = Field(
        description="for each objective the share of each parameter in what makes trials good (PED-ANOVA)"
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        names = [objective.name for objective in self.objectives]
        if len(set(names)) < len(names):
            raise Explained(refusal("objectives", names, "objectives that differ in their names"))
        for place, objective in enumerate(self.objectives):
            if objective.info is not None:
                key = f"objectives[{place}]"
                metrics.check_name(metrics.split(objective.name)[1], f"{key}.name", Explained)
                objective.info.check_ends(f"{key}.info")
        for name, parameter in self.space.items():
            if isinstance(parameter, Interval):
                _check_interval(parameter, f"space.{clean(name):.80}")
        for place, trial in enumerate(self.trials):
            self._check_trial(trial, place)
        finished = {trial.number for trial in self.trials if trial.state == "finished"}
        if not finished.issuperset(self.best):
            raise Explained(refusal("best", self.best, "a list of the numbers of finished trials"))
        if not set(names).issuperset(self.importance):
            raise Explained(refusal("importance", list(self.importance), "a section with names of objectives"))
        return self

    def _check_trial(self, trial: Trial, place: int) -> None:
        key = f"trials[{place}]"
        if trial.number != place:
            raise Explained(refusal(f"{key}.number", trial.number, f"{place}, its place in the list"))
        if trial.values is None and trial.state == "finished":
            raise Explained(refusal(f"{key}.values", None, "a list of one number for each objective"))
        if trial.values is not None and len(trial.values) != len(self.objectives):
            raise Explained(refusal(f"{key}.values", trial.values, "a list of one number for each objective, or null"))
        for name, value in trial.params.items():
            parameter = self.space.get(name)
            if parameter is None:
                raise Explained(refusal(f"{key}.params", trial.params, "a section with parameters of `space`"))
            if isinstance(parameter, Interval):
                _check_number(value, parameter.log, f"{key}.params.{clean(name):.80}")


def _check_interval(parameter: Interval, key: str) -> None:
    least = sys.float_info.min if parameter.log else -sys.float_info.max
    if not least <= parameter.low <= parameter.high:
        expected = f"{'above 0 and ' if parameter.log else ''}at most high, which is {parameter.high}"
        raise Explained(refusal(f"{key}.low", parameter.low, expected))


def _check_number(value: Any, log: bool, key: str) -> None:
    if not isinstance(value, float) or (log and value <= 0):
        raise Explained(refusal(key, value, "a number above 0" if log else "a number"))


# -- sweep.json -------------------------------------------------------------------------------------------------------


class SweepLaunch(Claim):
    """A launch of a sweep: its process and its runs in a study."""

    run_ids: list[str] = Field(description="the runs of the launch")


class Sweep(Record):
    """sweep.json: which runs the sweeps have that are at work in a study. It is removed when the last of them ends."""

    schema_: Literal[1] = Field(alias="schema", description="the version of this schema")
    began: float = Field(description="when the newest sweep was launched, in seconds since 1970-01-01T00:00Z")
    run_ids: Annotated[list[str], Len(1), FailFast(), Allowed("a list of one or more names")] = Field(
        description="the runs of the newest sweep, and those of the others that had not begun when it was launched"
    )
    launches: list[SweepLaunch] = Field(
        [],
        description="the same runs by the process that launched them, as in claim.json; absent in older files",
    )
