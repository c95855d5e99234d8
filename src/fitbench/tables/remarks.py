"""Remarks on the rows of a table: missing seeds, inconclusive verdicts, and data that are not what they seem."""

from __future__ import annotations

from collections.abc import Sequence

from fitbench.record.folder import State
from fitbench.tables.bootstrap import resamples
from fitbench.tables.outcome import Outcome, evaluation_sets, example_numbers
from fitbench.tables.results_file import DAMAGED, MISSING, Record
from fitbench.tables.verdict import Verdict

MANY_SEEDS = 1_000  # a larger number of seeds is no advice
NAMED = 10  # seeds that a remark names at most


def remarks(results: Sequence[Outcome]) -> list[str]:
    """The remarks on rows, each behind the names of all rows that it is on, as 'softmax; mlp: seed 4 not run yet'."""
    rows: dict[str, list[Outcome]] = {}
    for outcome, remark in remarks_on_rows(results):
        rows.setdefault(remark, []).append(outcome)
    return [f"{_names(of_remark, results)}: {remark}" for remark, of_remark in rows.items()]


def remarks_on_rows(results: Sequence[Outcome]) -> list[tuple[Outcome, str]]:
    """Each row with each remark on it."""
    return [(outcome, remark) for outcome in results for remark in _on_row(outcome)]


def _names(some: Sequence[Outcome], results: Sequence[Outcome]) -> str:
    """What some of the rows are called together: a label names all rows of its configuration."""
    if len(some) == len(results) > 2:
        return f"all {len(results)} rows"
    keys = {outcome.row.key for outcome in some}
    divided = {outcome.row.label for outcome in results if outcome.row.key not in keys}
    return "; ".join(dict.fromkeys(one.name if one.row.label in divided else one.row.label for one in some))


def _on_row(outcome: Outcome) -> list[str]:
    """The remarks on a row; none where no run has begun, as its verdict says that."""
    if all(record.state == MISSING for record in outcome.records):
        return []
    return [
        *_about_states(outcome),
        *_about_seeds(outcome),
        *_about_folds(outcome),
        *_about_data(outcome),
        *_about_explanation(outcome),
    ]


def _about_states(outcome: Outcome) -> list[str]:
    """Which seeds have not finished, and why."""
    states: dict[str, list[Record]] = {}
    for record in outcome.records:
        if record.state != State.finished.value:
            states.setdefault(record.state, []).append(record)
    texts = []
    for state, records in states.items():
        reasons = "; ".join(dict.fromkeys(record.reason for record in records[:NAMED] if record.reason))
        word = "not run yet" if state == MISSING else "cannot be read" if state == DAMAGED else state
        texts.append(f"{_seeds(records)} {word}" + (f" ({reasons})" if reasons else ""))
    if outcome.row.measured and len(outcome.row.seeds) < outcome.wanted:
        texts.append(f"only {len(outcome.row.seeds)} of the {outcome.wanted} seeds of this table are planned")
    return texts


def _seeds(records: Sequence[Record]) -> str:
    """The seeds of some records with their folds, as 'seeds 0, 3' and 'seeds 0 (folds 1, 2), 3 (fold 0)'."""
    folds: dict[int, list[str]] = {}
    for record in records:
        folds.setdefault(record.seed, []).extend([] if record.fold is None else [str(record.fold)])
    texts = [
        f"{seed}" + (f" (fold{'s' * (len(of_seed) > 1)} {', '.join(of_seed)})" if of_seed else "")
        for seed, of_seed in folds.items()
    ]
    return f"seed{'s' * (len(folds) > 1)} {', '.join(texts[:NAMED])}" + ", .." * (len(folds) > NAMED)


def _about_folds(outcome: Outcome) -> list[str]:
    folds = outcome.row.folds
    return [] if folds is None else [f"{folds} folds; the value of a seed is the mean over them"]


def _about_seeds(outcome: Outcome) -> list[str]:
    """What the number and the scatter of the seeds mean for the verdict."""
    values, judgement = outcome.values, outcome.judgement
    width = ""
    if judgement.measured.interval is not None:
        reaches = "reaches one test example to each side" if outcome.row.measure.metric.proportion else "has no width"
        width = f"; the interval of the mean {reaches}"
    texts = []
    if outcome.row.deterministic and values:
        texts.append(f"deterministic, so one run is enough{width}")
    elif len(values) > 1 and min(values) == max(values):
        texts.append(f"all {len(values)} seeds gave the same result{width}")
    if judgement.verdict is not Verdict.inconclusive:
        return texts
    needed = judgement.seeds_needed
    if needed is not None and judgement.half_width is None:
        texts.append(f"a verdict needs at least {needed} seeds")
    elif judgement.half_width is None:
        texts.append("inconclusive, because the sampling of the test examples is unknown")
    elif needed is not None:
        number = f"about {needed}" if needed <= MANY_SEEDS else f"more than {MANY_SEEDS:,}"
        texts.append(f"inconclusive; {number} seeds would decide")
    else:
        texts.append(f"inconclusive, and no number of seeds can decide: {_undecidable(outcome)}")
    return texts


def _undecidable(outcome: Outcome) -> str:
    """Why more seeds do not help: what remains of the half-width with any number of them."""
    claim, limit = outcome.row.claim, outcome.judgement.limit
    assert claim is not None and limit is not None
    width = f"{outcome.row.measure.unit.scale * limit.half_width:.{outcome.row.digits}f}"
    if limit.cause == "resolution":
        return f"one test example is worth {width}, more than the tolerance"
    if limit.sampled:
        part = "sampling of the test examples" if limit.cause == "sampling" else "training of the claim"
        return f"± {width} remains, mostly from the {part}, and is more than the tolerance"
    if claim.trainings == 1:
        return f"the claim is one training, and 95% of trainings scatter by ± {width}, more than the tolerance"
    return f"the mean of the claim's {claim.trainings} trainings is uncertain by ± {width}, more than the tolerance"


def _about_data(outcome: Outcome) -> list[str]:
    """Where the data of the runs differ among themselves or from those of the claim."""
    claim, finished = outcome.row.claim, outcome.finished
    texts = []
    if len({record.data_sha256 for record in finished}) > 1:
        texts.append("the seeds were trained on different data")
    if claim is None or not finished or evaluation_sets(outcome.row, outcome.records).same:
        return texts
    numbers = example_numbers(outcome.row, outcome.records)
    if numbers != [claim.test_examples]:
        ours = " and ".join(f"{number:,}" for number in numbers)
        texts.append(f"measured on {ours} examples, claimed on {claim.test_examples:,}")
    texts.append("claimed on other test examples; the verdict takes both test sets for samples")
    if not outcome.row.measure.metric.proportion:
        texts += _about_bootstrap(finished)
    return texts


def _about_bootstrap(finished: Sequence[Record]) -> list[str]:
    """How the variance over samples of the test examples was computed, and for which seeds it could not be."""
    texts = [
        f"the variance between test sets is that of a bootstrap with {count:,} resamples of ours"
        for count in sorted(
            {
                resamples(record.test_examples)
                for record in finished
                if record.test_examples and record.bootstrap_deviation is not None
            }
        )
    ]
    reasons: dict[str, list[Record]] = {}
    for record in finished:
        if record.bootstrap_deviation is None:
            reasons.setdefault(record.reason or "no bootstrap", []).append(record)
    return texts + [f"{_seeds(records)}: {reason}" for reason, records in reasons.items()]


def _about_explanation(outcome: Outcome) -> list[str]:
    """Why the row that would explain a verdict 'better' or 'worse' does not."""
    other, explanation = outcome.explaining, outcome.row.explanation
    if other is None or explanation is None or not outcome.deviates or outcome.explained:
        return []
    return [
        f"row {other.row.number} ({other.row.label}) would explain it with {explanation.group}, but is "
        f"'{other.own_verdict}' itself"
    ]
