"""The lines of a table: each row with what was measured for it, judged, and what has to be said of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from fitbench.analysis.statistics import Interval
from fitbench.record.folder import State
from fitbench.tables.definition import Row, Table
from fitbench.tables.measured import DAMAGED, MISSING, Record
from fitbench.tables.verdict import Judged, Verdict, judge

NAMED = 10  # seeds that a line names at most


@dataclass(frozen=True)
class Line:
    """A row of the table, judged by the seeds that have finished.

    `wanted` is how many seeds the table asks for. While some are missing, a verdict is one so far.
    """

    row: Row
    records: list[Record]
    judged: Judged

    @property
    def finished(self) -> list[Record]:
        """The records of the seeds that have finished."""
        return [record for record in self.records if record.state == State.finished.value]

    @property
    def values(self) -> list[float]:
        """The accuracies of these seeds."""
        return [record.value for record in self.finished if record.value is not None]

    @property
    def wanted(self) -> int:
        """How many seeds the table asks for."""
        return self.row.wanted if self.row.measured else 0

    @property
    def complete(self) -> bool:
        """Whether every seed that the table asks for has finished."""
        return len(self.finished) == self.wanted

    @property
    def seeds(self) -> str:
        """How many seeds of how many, '-' for a row that is only quoted."""
        return f"{len(self.finished)} of {self.wanted}" if self.row.measured else "-"

    @property
    def verdict(self) -> str:
        """The verdict in words. One that missing seeds may change says 'so far'."""
        verdict = self.judged.verdict
        may_change = verdict in (Verdict.reproduced, Verdict.better, Verdict.worse) and not self.complete
        return f"{verdict.value} so far" if may_change else verdict.value

    @property
    def parameters(self) -> int | None:
        """Of the trained model."""
        return self.finished[0].parameters if self.finished else None

    @property
    def seconds(self) -> float | None:
        """The mean time of a run."""
        times = [record.seconds for record in self.finished if record.seconds is not None]
        return sum(times) / len(times) if times else None


def lines(table: Table, records: Sequence[Record]) -> list[Line]:
    """The lines of a table, in its order, from what was measured for it."""
    made = []
    for row in table.rows:
        own = [record for record in records if record.row == row.label]
        made.append(Line(row, own, _judged(table, row, own)))
    return made


def _judged(table: Table, row: Row, records: Sequence[Record]) -> Judged:
    values = [record.value for record in records if record.value is not None]
    images = {record.test_examples for record in records if record.value is not None}
    other = min(filter(None, images), default=None) if row.claim and images - {row.claim.test_examples} else None
    judged = judge(row.claim, values, table.margin, row.deterministic, other)
    return judged if row.measured else Judged(Verdict.not_measured, judged.claimed, judged.measured)


def counts(made: Sequence[Line]) -> str:
    """How many rows have which verdict, as '2 reproduced, 1 worse', and how many seeds are left."""
    verdicts = Counter(line.verdict for line in made)
    text = ", ".join(f"{count} {verdict}" for verdict, count in verdicts.items())
    left = sum(line.wanted - len(line.finished) for line in made)
    return f"{len(made)} row{'s' * (len(made) != 1)}: {text}" + (
        f"; {left} run{' is' if left == 1 else 's are'} not finished" if left else ""
    )


def remarks(table: Table, made: Sequence[Line]) -> list[str]:
    """What has to be said of single rows: seeds that are not there, and results that are not what they seem."""
    untouched = [line for line in made if line.records and all(record.state == MISSING for record in line.records)]
    said = [f"not run yet: {'; '.join(line.row.label for line in untouched)}"] if untouched else []
    for line in made:
        if line in untouched:
            continue
        said += [f"{line.row.label}: {remark}" for remark in _remarks(table, line)]
    return said


def _remarks(table: Table, line: Line) -> list[str]:
    said = []
    states: dict[str, list[Record]] = {}
    for record in line.records:
        if record.state != State.finished.value:
            states.setdefault(record.state, []).append(record)
    for state, records in states.items():
        seeds = ", ".join(str(record.seed) for record in records[:NAMED]) + ", .." * (len(records) > NAMED)
        reasons = "; ".join(dict.fromkeys(record.reason for record in records[:NAMED] if record.reason))
        word = "not run yet" if state == MISSING else "cannot be read" if state == DAMAGED else state
        said.append(f"seed{'s' * (len(records) > 1)} {seeds} {word}" + (f" ({reasons})" if reasons else ""))
    if line.row.measured and len(line.row.seeds) < line.wanted:
        said.append(f"only {len(line.row.seeds)} of the {line.wanted} seeds of this table are planned for it")
    values = line.values
    if line.row.deterministic and values:
        said.append("deterministic: one run says everything, and its interval has no width")
    elif len(values) > 1 and min(values) == max(values):
        said.append(f"all {len(values)} seeds gave the same result, so that the interval has no width")
    judged = line.judged
    if judged.verdict is Verdict.too_few_seeds and judged.bounds is not None:
        said.append("its seeds scatter too much for a verdict; more of them would give one")
    elif judged.verdict is Verdict.reproduced and _width(judged.measured.interval) > _width(judged.claimed):
        said.append("its seeds scatter so much that their interval is wider than that of the claim")
    elif judged.verdict in (Verdict.better, Verdict.worse) and judged.claimed:
        low, high = judged.claimed
        if inside := sum(low <= value <= high for value in values):
            lie = f"{inside} of its {len(values)} seeds {'lies' if inside == 1 else 'lie'}"
            said.append(f"{lie} in the interval of the claim, which may have been one of such")
    if len({record.data_sha256 for record in line.finished}) > 1:
        said.append("the seeds were trained on different data")
    images = sorted({record.test_examples for record in line.finished if record.test_examples})
    if line.row.claim and images and images != [line.row.claim.test_examples]:
        said.append(
            f"tested on {' and '.join(f'{count:,}' for count in images)} images, claimed on "
            f"{line.row.claim.test_examples:,}; the verdict takes our images for a sample too"
        )
    return said


def _width(interval: Interval | None) -> float:
    return interval[1] - interval[0] if interval else 0.0
