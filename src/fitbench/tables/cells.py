"""The numbers of an outcome as text, in the unit of the table."""

from __future__ import annotations

from fitbench.analysis.statistics import Interval
from fitbench.tables.definition import Claim
from fitbench.tables.outcome import Outcome
from fitbench.tables.schema import NONE_STATED
from fitbench.tables.units import Unit


def claimed(claim: Claim | None) -> str:
    """A claim with the digits of its source: '0.9203', '0.92 to 0.93', '84.3 ± 1.5', or 'none stated'."""
    return NONE_STATED if claim is None else claim.printed


def mean_sd(outcome: Outcome, digits: int | None = None) -> str:
    """The mean and the standard deviation over the seeds, '-' where none has finished.

    `digits` are behind the point; None stands for those of the row.
    """
    summary, unit = outcome.judgement.measured, outcome.row.measure.unit
    digits = outcome.row.digits if digits is None else digits
    if summary.mean is None:
        return "-"
    spread = "" if summary.sd is None else f" ± {unit.scale * summary.sd:.{digits}f}"
    return f"{unit.number(summary.mean):.{digits}f}{spread}"


def difference(outcome: Outcome) -> str:
    """The measured mean less the claim, in the unit of the table."""
    value, unit = outcome.judgement.difference, outcome.row.measure.unit
    return "-" if value is None else f"{unit.difference(value):+z.{outcome.row.digits}f}"


def ends(interval: Interval, unit: Unit) -> tuple[float, float]:
    """An interval in the unit of the table, the lower number first."""
    low, high = sorted(map(unit.number, interval))
    return low, high


def seconds(value: float | None) -> str:
    """A time as '12 s' or '1.2 h'."""
    if value is None:
        return "-"
    if value < 10:
        return f"{value:.1f} s"
    return f"{value:.0f} s" if value < 100 else f"{value / 60:.0f} min" if value < 6000 else f"{value / 3600:.1f} h"
