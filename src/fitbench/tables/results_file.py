"""results.csv, committed beside table.yaml: a record for each run of each row, from which the table can be shown."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated

from pydantic import Field, NonNegativeInt, PositiveInt, TypeAdapter, ValidationError

from fitbench import columns
from fitbench.columns import Column
from fitbench.errors import FitbenchError
from fitbench.record.folder import State
from fitbench.text import clean

FILE = "results.csv"
REMEDY = "restore it from git, or remove it: fitbench table --write writes it anew, from the run folders"
NEEDED = ("row", "config_id", "seed", "state", "value")  # columns of every results.csv
MISSING, DAMAGED, NOT_EVALUATED, UNDEFINED = "missing", "damaged", "not evaluated", "undefined"

Amount = Annotated[float, Field(ge=0, allow_inf_nan=False)]


@dataclass(frozen=True)
class Record:
    """One run of a row: of a seed, or of a seed and a fold.

    Attributes:
        row: the label.
        metric: the name in result.json, as 'test_accuracy'; '' in a results.csv of version 0.1.
        config_id, seed, fold: of the run.
        state: that of the run; or 'missing' without a folder (in results.csv also of a run that was not over),
            'damaged' if the run is finished and result.json cannot be read, 'not evaluated' if it lacks the metric,
            'undefined' if the metric is null there.
        value: the metric's value. It and all that follows is None or '' where the run has not finished.
        test_examples: how many examples the value was measured on.
        bootstrap_deviation: the standard deviation of the value over samples of the test examples; None for a
            proportion, and where the claim is on the same test examples.
        threads: how many CPU threads the run computed with; '' where it has not recorded them.
        definition: of the metric, as in `metric_info` of result.json; '' where results.csv does not have it.
        reason: why a run failed or is damaged, or why there is no bootstrap.
        committed: whether it is from results.csv, and not from a run folder; no column of results.csv.
    """

    row: str
    metric: str
    config_id: str
    seed: NonNegativeInt
    fold: NonNegativeInt | None
    state: str
    value: float | None = None
    test_examples: PositiveInt | None = None
    bootstrap_deviation: Amount | None = None
    parameters: NonNegativeInt | None = None
    seconds: Amount | None = None
    epochs: NonNegativeInt | None = None
    data_sha256: str = ""
    device: str = ""
    threads: str = ""
    versions: str = ""
    commit: str = ""
    finished_at: str = ""
    definition: str = ""
    reason: str = ""
    committed: bool = False

    @property
    def over(self) -> bool:
        """Whether the run has ended, with a value or without."""
        return self.state not in (MISSING, State.running.value, State.interrupted.value)


COLUMNS = tuple(field.name for field in fields(Record) if field.name != "committed")


def as_csv(records: Sequence[Record]) -> str:
    """The records as CSV, one line each; numbers in full."""
    values = {name: [getattr(record, name) for record in records] for name in COLUMNS}
    return columns.as_csv([Column("", [], values=values)], clean)


def unknown_columns(path: Path) -> list[str]:
    """The columns of a results.csv that a record does not have, as those that a newer version writes."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        return [name for name in next(csv.reader(file), []) if name not in COLUMNS]


def read_csv(path: Path) -> list[Record]:
    """The records of a results.csv. An empty field, and a column that is not there, is the default of its attribute.

    Raises:
        FitbenchError: it cannot be read, or it is not what fitbench wrote.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            if missing := [name for name in NEEDED if name not in (reader.fieldnames or ())]:
                raise FitbenchError(f"{path}: not a results.csv: its first line lacks {', '.join(missing)}; {REMEDY}")
            lines = list(reader)
        for number, line in enumerate(lines, 2):
            if None in line or None in line.values():
                kind = "more" if None in line else "fewer"
                raise FitbenchError(f"{path}: line {number} has {kind} fields than the first line; {REMEDY}")
        stated = [{key: value for key, value in line.items() if value} for line in lines]
        return TypeAdapter(list[Record]).validate_python([{"metric": "", "fold": None, **line} for line in stated])
    except (OSError, UnicodeError, csv.Error) as error:
        raise FitbenchError(f"{path}: cannot be read ({error}); {REMEDY}") from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = f"line {int(first['loc'][0]) + 2}, {first['loc'][-1]}"
        raise FitbenchError(f"{path}: {place}: {first['msg']}; {REMEDY}") from error
