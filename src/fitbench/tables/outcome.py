"""The outcome of each row of a table: the verdict on the runs that were measured for it."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from fitbench.metrics import is_held_back
from fitbench.record.folder import State
from fitbench.tables.definition import Row, Table
from fitbench.tables.results_file import FILE, Record
from fitbench.tables.verdict import FALSE_VERDICT_RATE, JUDGED, EvaluationSets, Judgement, Verdict, judge
from fitbench.text import counted


@dataclass(frozen=True)
class Outcome:
    """A row of the table with its records and the judgement of those that have finished.

    `wanted` is how many seeds the table asks for. While some are missing, a verdict is preliminary. `alone` says
    whether no other row has the label. `explaining` is the outcome of the row that `explained_by` names.
    """

    row: Row
    records: list[Record]
    judgement: Judgement
    alone: bool = True
    explaining: Outcome | None = None

    @property
    def name(self) -> str:
        """The label, with the metric where a configuration has several."""
        return self.row.label if self.alone else f"{self.row.label} ({self.row.measure.name})"

    @property
    def finished(self) -> list[Record]:
        """The records of the runs that have finished."""
        return [record for record in self.records if record.state == State.finished.value]

    @property
    def values(self) -> list[float]:
        """The metric's value of each seed; the mean over its folds where there are folds."""
        return seed_values(self.records)

    @property
    def wanted(self) -> int:
        """How many seeds the table asks for."""
        return self.row.wanted if self.row.measured else 0

    @property
    def wanted_runs(self) -> int:
        """How many runs the table asks for."""
        return self.wanted * self.row.runs_per_seed

    @property
    def complete(self) -> bool:
        """Whether every seed that the table asks for has finished."""
        return len(self.values) >= self.wanted

    @property
    def seeds(self) -> str:
        """How many seeds of how many, '-' for a row that is only quoted."""
        return f"{len(self.values)} of {self.wanted}" if self.row.measured else "-"

    @property
    def verdict(self) -> str:
        """The verdict in words, with the row that explains it."""
        if not self.explained:
            return self.own_verdict
        assert self.explaining is not None and self.row.explanation is not None
        return f"{self.own_verdict}; reproduced by row {self.explaining.row.number} with {self.row.explanation.group}"

    @property
    def own_verdict(self) -> str:
        """The verdict in words, without what explains it. One that missing seeds may change says 'so far'."""
        verdict = self.judgement.verdict
        return f"{verdict.value} so far" if verdict in JUDGED and not self.complete else verdict.value

    @property
    def deviates(self) -> bool:
        """Whether the verdict is one that another row can explain: 'better' or 'worse'."""
        return self.judgement.verdict in (Verdict.better, Verdict.worse)

    @property
    def explained(self) -> bool:
        """Whether the row is better or worse, and the row that explains it is reproduced with every seed."""
        other = self.explaining
        return self.deviates and other is not None and other.complete and other.judgement.verdict is Verdict.reproduced

    @property
    def parameters(self) -> int | None:
        """The trainable parameters of the model."""
        return self.finished[0].parameters if self.finished else None

    @property
    def seconds(self) -> float | None:
        """The median time of a run: the first one of a process takes longer, as it starts Keras."""
        times = [record.seconds for record in self.finished if record.seconds is not None]
        return statistics.median(times) if times else None


def outcomes(table: Table, records: Sequence[Record]) -> list[Outcome]:
    """The outcome of each row of a table, in its order, from what was measured for it."""
    by_row = of_rows(table, records)
    labels = Counter(row.label for row in table.rows)
    results = {
        row.key: Outcome(row, by_row[row.key], _judgement(row, by_row[row.key]), labels[row.label] == 1)
        for row in table.rows
    }
    return [replace(one, explaining=_explaining(one.row, results)) for one in results.values()]


def _explaining(row: Row, results: Mapping[tuple[str, str], Outcome]) -> Outcome | None:
    """The outcome of the row that explains this one."""
    return None if row.explanation is None else results.get((row.explanation.label, row.measure.name))


def of_rows(table: Table, records: Sequence[Record]) -> dict[tuple[str, str], list[Record]]:
    """The records of each row by its key. Those of seeds and of metrics that the table does not have are left out."""
    by_row: dict[tuple[str, str], list[Record]] = {row.key: [] for row in table.rows}
    seeds = {row.key: row.seeds for row in table.rows}
    for record in records:
        key = record.row, record.metric
        if record.seed in seeds.get(key, ()):
            by_row[key].append(record)
    return by_row


def seed_values(records: Sequence[Record]) -> list[float]:
    """The value of each seed whose runs have all finished; the mean over the folds where there are folds.

    The folds of a seed are no sample of trainings of their own: they share most of their examples.
    """
    values = [[record.value for record in runs if record.value is not None] for runs in _by_seed(records)]
    return [math.fsum(folds) / len(folds) for folds in values]


def _by_seed(records: Sequence[Record]) -> list[list[Record]]:
    """The records of each seed whose runs have all finished."""
    seeds: dict[int, list[Record]] = {}
    for record in records:
        seeds.setdefault(record.seed, []).append(record)
    return [runs for runs in seeds.values() if all(record.value is not None for record in runs)]


def _judgement(row: Row, records: Sequence[Record]) -> Judgement:
    sets, measure = evaluation_sets(row, records), row.measure
    judgement = judge(row.claim, seed_values(records), measure.tolerance, sets, row.deterministic, measure.metric)
    if not row.measured:
        return Judgement(Verdict.not_measured, judgement.measured)
    ended = judgement.verdict is Verdict.not_run and any(record.over for record in records)
    return replace(judgement, verdict=Verdict.no_value) if ended else judgement


def example_numbers(row: Row, records: Sequence[Record]) -> list[int]:
    """The numbers of examples that the finished seeds were measured on, ascending.

    The validation parts of the folds of a seed are one set of examples together. All folds have the same test part.
    """
    of_seeds = ([record.test_examples or 0 for record in runs] for runs in _by_seed(records))
    return sorted({sum(numbers) if is_held_back(row.measure.part) else max(numbers) for numbers in of_seeds} - {0})


def evaluation_sets(row: Row, records: Sequence[Record]) -> EvaluationSets:
    """The test examples of a row's claim and of its seeds that have finished.

    They are the same where the table states it or the checksum of the data agrees, and different where the number of
    examples differs, whatever the table states. The bootstrap's variance is the mean over the runs. Where each fold has
    examples of its own, it is divided by the number of folds, for the mean of a seed's folds.
    """
    claim, numbers = row.claim, example_numbers(row, records)
    if claim is None:
        return EvaluationSets(min(numbers, default=1), same=True)
    finished = [record for runs in _by_seed(records) for record in runs]
    stated = claim.test_set == "same" or (
        claim.test_set != "other" and all(record.data_sha256.startswith(claim.test_set) for record in finished)
    )
    deviations = [record.bootstrap_deviation for record in finished if record.bootstrap_deviation is not None]
    sets = row.runs_per_seed if is_held_back(row.measure.part) else 1
    variance = math.fsum(deviation**2 for deviation in deviations) / len(deviations) / sets if deviations else None
    return EvaluationSets(
        ours=min(numbers, default=claim.test_examples),
        same=stated and set(numbers) <= {claim.test_examples},
        bootstrap_variance=variance,
    )


def counts(results: Sequence[Outcome]) -> str:
    """How many rows have which verdict, as '2 reproduced, 1 worse', and how many runs are not finished.

    With several metrics, the values of the rows are counted, each of which has a verdict.
    """
    verdicts = Counter(one.own_verdict + " and explained by another row" * one.explained for one in results)
    text = ", ".join(f"{count} {verdict}" for verdict, count in verdicts.items())
    of_label: dict[str, int] = {}
    for one in results:
        of_label[one.row.label] = max(of_label.get(one.row.label, 0), one.wanted_runs - len(one.finished))
    unfinished = sum(of_label.values())
    rows = counted(len(of_label), "row")
    rows += f" with {counted(len(results), 'value')}" * (len(of_label) < len(results))
    return f"{rows}: {text}" + (
        f"; {counted(unfinished, 'run')} {'is' if unfinished == 1 else 'are'} not finished" if unfinished else ""
    )


def about_committed(results: Sequence[Outcome]) -> str | None:
    """How many runs are from results.csv; None where none is."""
    runs: dict[tuple[str, int, int | None], bool] = {}
    for record in (record for one in results for record in one.finished):
        run = (record.row, record.seed, record.fold)
        runs[run] = runs.get(run, True) and record.committed  # of any metric, a folder here is enough
    if not (committed := sum(runs.values())):
        return None
    return (
        f"{committed} of {counted(len(runs), 'finished run')} {'is' if committed == 1 else 'are'} from {FILE}, without "
        "a run folder here; --anew leaves them out"
    )


def judged_by_chance(results: Sequence[Outcome]) -> list[Outcome]:
    """The judged rows whose verdict may be false by chance; not those that nothing random decides."""
    return [
        outcome
        for outcome in results
        if outcome.judgement.half_width is not None
        and not (outcome.row.deterministic and evaluation_sets(outcome.row, outcome.records).same)
    ]


def expected_false_verdicts(results: Sequence[Outcome]) -> float:
    """How many verdicts 'better' or 'worse' are false on average if the claim of every judged row is true."""
    return FALSE_VERDICT_RATE * len(judged_by_chance(results))
