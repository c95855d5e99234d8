"""The section `optimizer` of the configuration: the optimizer, its settings and its learning-rate schedule."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from annotated_types import Ge, Gt, Le, Lt, MinLen
from pydantic import ConfigDict, Field, Strict, model_validator

from fitbench.config.annotations import (
    NUMBER,
    NUMBER_NOT_TEXT,
    Allowed,
    Count,
    Dotted,
    Name,
    NonNegative,
    Positive,
    Steps,
)
from fitbench.config.section import Section

UpTo1 = Annotated[float, Ge(0), Le(1), NUMBER]


class Constant(Section):
    """The learning rate stays as it is."""

    kind: Literal["constant"]


class Cosine(Section):
    """A linear warm-up from 0, then half a cosine down to `final_fraction` of the learning rate."""

    kind: Literal["cosine"]
    warmup_epochs: NonNegative = Field(description="epochs of the rise from 0; fewer than training.epochs")
    final_fraction: UpTo1 = Field(description="the learning rate at the end, as a fraction of the learning rate")


class Step(Section):
    """The learning rate is multiplied by `factor` after every `every_epochs`."""

    kind: Literal["step"]
    every_epochs: Positive = Field(description="epochs between two steps")
    factor: Annotated[float, Gt(0), Le(1), NUMBER] = Field(description="what each step multiplies the learning rate by")


class Piecewise(Section):
    """The learning rate is multiplied by another factor from each of some epochs on."""

    kind: Literal["piecewise"]
    after_epochs: Annotated[list[Positive], MinLen(1), Allowed("a list of rising numbers above 0")] = Field(
        description="the epochs after which the factor changes, rising"
    )
    factors: Annotated[list[Positive], MinLen(1), Allowed("a list of numbers above 0")] = Field(
        description="what the learning rate is multiplied by after each of `after_epochs`, in place of the factor "
        "before; 1 at the beginning"
    )

    @model_validator(mode="after")
    def _check_epochs(self) -> Self:
        if len(self.factors) != len(self.after_epochs):
            raise ValueError(
                f"optimizer.schedule.factors has {len(self.factors)} numbers; it must have one for each of the "
                f"{len(self.after_epochs)} in optimizer.schedule.after_epochs"
            )
        if sorted(set(self.after_epochs)) != self.after_epochs:
            raise ValueError(f"optimizer.schedule.after_epochs is {self.after_epochs}; the epochs must rise")
        return self


class Plateau(Section):
    """The learning rate is multiplied by `factor` after `patience` epochs without an improvement of `monitor`."""

    kind: Literal["plateau"]
    monitor: str = Field(
        description="loss, accuracy, or val_ and any metric, as in history.jsonl; its direction decides what is better"
    )
    factor: Annotated[float, Gt(0), Lt(1), NUMBER] = Field(
        description="what the learning rate is multiplied by; above 0 and below 1"
    )
    patience: Count = Field(description="epochs without an improvement before the learning rate falls")
    min_delta: NonNegative = Field(description="the smallest change that counts as an improvement")
    min_learning_rate: NonNegative = Field(description="the learning rate falls no further than this")


Schedule = Annotated[Constant | Cosine | Step | Piecewise | Plateau, Field(discriminator="kind")]

# These settings go to Keras as they are; text in their place is a mistake.
OptimizerFraction = Annotated[float, Ge(0), Lt(1), NUMBER_NOT_TEXT]
OptimizerPositive = Annotated[float, Gt(0), NUMBER_NOT_TEXT]
OptimizerNonNegative = Annotated[float, Ge(0), NUMBER_NOT_TEXT]
ABSENT: Any = None  # the default of keys that need not be there


class Optimizer(Section):
    """An optimizer of Keras's or the user's, with the ranges of the settings that Keras's have in common."""

    model_config = ConfigDict(extra="allow")

    target: Annotated[Dotted, Allowed("the dotted name of an optimizer")] = Field(
        alias="_target_", description="the class of the optimizer"
    )
    name: Annotated[Name, Strict()] = Field(description="the name of the optimizer, which is a part of run_id")
    learning_rate: OptimizerPositive = Field(description="the learning rate, which the schedule multiplies")
    momentum: OptimizerFraction = Field(ABSENT, description="the fraction of the last step that the next one repeats")
    beta_1: OptimizerFraction = Field(ABSENT, description="the decay of the running mean of gradients")
    beta_2: OptimizerFraction = Field(ABSENT, description="the decay of the running mean of squared gradients")
    rho: OptimizerFraction = Field(ABSENT, description="the decay of the running mean of squared gradients")
    epsilon: OptimizerPositive | None = Field(ABSENT, description="what is added to a divisor to keep it above 0")
    clipnorm: OptimizerPositive | None = Field(
        ABSENT, description="the largest norm of the gradient of each weight array"
    )
    clipvalue: OptimizerPositive | None = Field(ABSENT, description="the largest absolute value in a gradient")
    global_clipnorm: OptimizerPositive | None = Field(ABSENT, description="the largest norm of all gradients together")
    weight_decay: OptimizerNonNegative | None = Field(
        ABSENT, description="each step also subtracts weight_decay * learning_rate * weight from every weight and bias"
    )
    initial_accumulator_value: OptimizerNonNegative | None = Field(
        ABSENT, description="where the sums of squared gradients begin"
    )
    use_ema: Annotated[bool, Strict()] = Field(
        ABSENT, description="true: validation, test and the saved model have averages of the weights over the steps"
    )
    ema_momentum: OptimizerFraction = Field(
        ABSENT, description="the fraction of the average that a step keeps; Keras's default is 0.99"
    )
    ema_overwrite_frequency: Count | None = Field(
        ABSENT, description="steps after which the weights are set to their averages, again and again; null: never"
    )
    gradient_accumulation_steps: Steps | None = Field(
        ABSENT,
        description="steps whose gradients are averaged for one update; it may go on in the next epoch, and steps that "
        "are left at the end of training change nothing",
    )
    schedule: Schedule

    @model_validator(mode="after")
    def _check_clipping(self) -> Self:
        ways = [name for name in ("clipnorm", "clipvalue", "global_clipnorm") if getattr(self, name) is not None]
        if len(ways) > 1:
            raise ValueError(
                f"optimizer.{ways[0]} and optimizer.{ways[1]}: gradients are clipped in one way; leave one of them out"
            )
        return self

    @model_validator(mode="after")
    def _check_schedule(self) -> Self:
        least = getattr(self.schedule, "min_learning_rate", 0.0)
        if least > self.learning_rate:
            raise ValueError(
                f"optimizer.schedule.min_learning_rate is {least}; it must be at most optimizer.learning_rate, "
                f"which is {self.learning_rate}"
            )
        return self
