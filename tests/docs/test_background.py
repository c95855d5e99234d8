"""What the background pages state and the code can confirm: modules, constants, simulations, commands."""

import re
from pathlib import Path

import numpy as np
import pytest

import fitbench
from fitbench.analysis import statistics
from fitbench.composition import conf_folder
from fitbench.launch import signals
from fitbench.record import claims, heartbeats
from fitbench.tables import bootstrap, reading, verdict
from fitbench.tuning import pruning, record, storage

from ..tables.calibration import false_verdicts, simulate

PACKAGE = Path(fitbench.__file__).parent
ROOT = Path(__file__).parents[2]
PAGES = ROOT / "docs" / "background"


def text_of(page: str) -> str:
    """The page with its lines joined."""
    return " ".join((PAGES / page).read_text(encoding="utf-8").split())


def rows_of(page: str) -> list[list[str]]:
    """The cells of all rows of tables of the page."""
    lines = (PAGES / page).read_text(encoding="utf-8").splitlines()
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines if line.startswith("|")]


# -- architecture -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "package", ["", *sorted(path.parent.name for path in PACKAGE.glob("*/__init__.py"))], ids=lambda name: name or "top"
)
def test_every_module_is_listed_and_no_other(package):
    heading = f"### `{package}/`" if package else "### The top level"
    section = (PAGES / "architecture.md").read_text(encoding="utf-8").partition(heading)[2].partition("\n#")[0]
    listed = re.findall(r"`(\w+\.py)`", "".join(line.split("|")[1] for line in section.splitlines() if "|" in line))
    modules = [path.name for path in (PACKAGE / package).glob("*.py") if not path.name.startswith("__")]
    assert sorted(listed) == sorted(modules)


def test_private_interfaces_are_used_as_the_page_says():
    source = "".join(path.read_text(encoding="utf-8") for path in PACKAGE.parent.rglob("*.py"))
    for package, part in (
        ("Hydra", "hydra._internal"),
        ("Hydra", "_return_value"),
        ("OmegaConf", "get_yaml_loader"),
        ("Optuna", "_suggest"),
        ("Optuna", "_storage"),
        ("Keras", "_flatten_layers"),
        ("submitit", "Job.results"),
        ("Ray", "ray.get"),
    ):
        [row] = [row for row in rows_of("limits.md") if row[0] == package]
        assert part in row[1]
        assert part in source


# -- numbers ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("page", "stated"),
    [
        ("survival.md", f"renews every {claims.HEARTBEAT_SECONDS:g} seconds"),
        ("survival.md", f"has not changed for {claims.CLAIM_TIMEOUT_SECONDS:g} seconds"),
        ("survival.md", f"waits for {claims.FORMER_SELF_SECONDS:g} seconds of silence"),
        ("survival.md", f"counts for at most {heartbeats.LONGEST_GAP_SECONDS:g} seconds"),
        ("survival.md", f"are killed after {signals.ENDING_SECONDS} s"),
        ("survival.md", f"taken over after {storage.DEAD_LOCK_SECONDS} seconds"),
        ("statistics.md", f"{bootstrap.resamples(1):,} of them, or {bootstrap.resamples(bootstrap.LARGE)} of"),
        ("statistics.md", f"of {bootstrap.LARGE:,} examples or more"),
        ("statistics.md", f"bisection up to {verdict.MOST_SEEDS:,} seeds"),
        ("statistics.md", f"the default tolerance of {reading.TOLERANCE}"),
        (
            "statistics.md",
            f"false verdicts instead: {verdict.FALSE_VERDICT_RATE:.2f} times",
        ),
    ],
)
def test_constants_are_as_stated(page, stated):
    assert stated in text_of(page)


def test_constants_that_pages_state_in_words():
    assert (statistics.CONFIDENCE, statistics.FEWEST, statistics.FEWEST_PAIRS) == (0.95, 3, 5)
    assert (pruning.STARTUP_TRIALS, pruning.WARMUP_EPOCHS, record.FEWEST) == (5, 1, 10)
    assert "checkpoint_seconds: 15.0" in (conf_folder() / "training" / "default.yaml").read_text(encoding="utf-8")


def test_speed_states_the_constants_of_the_loop():
    """Read from the source: these modules import Keras."""
    loops, passes = ((PACKAGE / "training" / f"{name}.py").read_text(encoding="utf-8") for name in ("loops", "passes"))
    assert "steps >= 3_000" in loops
    assert "SLICE_SECONDS = 0.2" in passes
    assert "BLOCK_BYTES = 64 * 2**20" in passes


# -- simulations ------------------------------------------------------------------------------------------------------

EXAMPLES = 10_000


def test_the_interval_of_a_mean_covers_as_often_as_the_page_says():
    """The page has 4,000 groups for each entry; here are 1,000."""
    random = np.random.default_rng(0)
    groups = 1_000
    rows = [row for row in rows_of("statistics.md") if re.fullmatch(r"0\.\d+, 0\.\d+", row[0]) and len(row) == 4]
    assert len(rows) == 6
    for cell, *stated in rows:
        accuracy, deviation = map(float, cell.split(", "))
        size = accuracy * (1 - accuracy) / deviation**2 - 1
        for seeds, share in zip((3, 5, 10), stated, strict=True):
            draws = random.beta(accuracy * size, (1 - accuracy) * size, (groups, seeds))
            values = np.clip(np.rint(draws * EXAMPLES) / EXAMPLES, 0, 1).tolist()
            limits = np.array([statistics.mean_interval(each, 0, 1, 1 / EXAMPLES) for each in values])
            covered = 100 * np.mean((limits[:, 0] <= accuracy) & (accuracy <= limits[:, 1]))
            assert covered == pytest.approx(float(share.strip("%")), abs=2.5), (cell, seeds)


def test_the_table_of_false_verdicts_is_what_the_simulation_gives():
    """One column of it; `python tests/tables/calibration.py` prints all."""
    rows = {row[0]: row[4] for row in rows_of("statistics.md") if len(row) == 6}
    shares = simulate(0.985, 0.002, 5, repeats=4000)
    assert rows["false 'better' or 'worse', 5 seeds"] == f"{false_verdicts(shares):.1%}"
    assert rows["'inconclusive', 5 seeds"] == f"{shares[verdict.Verdict.inconclusive]:.1%}"
    better = simulate(0.985, 0.002, 5, 4000, 0.01)[verdict.Verdict.better]
    assert rows["'better' at a difference of 0.01, 5 seeds"] == f"{better:.0%}"


# -- benchmarks -------------------------------------------------------------------------------------------------------


def test_every_benchmark_has_its_command_with_options_that_exist():
    text = (PAGES / "benchmarks.md").read_text(encoding="utf-8")
    for script in sorted((ROOT / "tests" / "benchmarks").glob("bench_*.py")):
        section = text.partition(f"## `{script.name}`")[2].partition("\n## ")[0]
        [commands] = re.findall(r"```sh\n(.*?)```", section, re.DOTALL)
        assert f"tests/benchmarks/{script.name}" in commands
        source = script.read_text(encoding="utf-8")
        assert [option for option in re.findall(r"\[(--[a-z-]+)", commands) if f'"{option}"' not in source] == []
