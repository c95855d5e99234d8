"""What `fitbench table` is asked to do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fitbench.errors import RequestError
from fitbench.formats import Look
from fitbench.tables.results_file import FILE


@dataclass(frozen=True)
class Options:
    """What `fitbench table` does.

    Attributes:
        run: train what is missing first.
        write: bring README.md, results.csv and the plot beside table.yaml up to date.
        dry_run: print what `run` would launch, and write nothing.
        check: train one seed of each row anew, and compare it with the recorded value.
        anew: as if there were no results.csv.
    """

    run: bool = False
    write: bool = False
    dry_run: bool = False
    check: bool = False
    anew: bool = False

    def refuse_contradictions(
        self, format: str, look: Look, rows: Sequence[str] | None, seeds: int | None, overrides: Sequence[str]
    ) -> None:
        """Refuse options that contradict each other, or those of `fitbench table` beside them.

        Raises:
            RequestError: the message says what to leave out.
        """
        part = rows is not None or seeds is not None
        words = [override for override in overrides if "=" not in override]
        refused = [
            (bool(words), f"{next(iter(words), '')}: expected KEY=VALUE; fitbench table takes one table"),
            (
                bool(overrides) and not (self.run or self.dry_run or self.check),
                f"{next(iter(overrides), '')} is for what --run launches; add --run",
            ),
            (self.write and self.dry_run, "--dry-run writes nothing; leave out --write"),
            (self.write and part, "--write records the whole table; leave out --rows and --seeds"),
            (self.write and self.anew, f"--write keeps the runs of {FILE} without a run folder here; leave out --anew"),
            (
                self.check and (self.run or self.write or self.dry_run),
                "--check trains for a comparison only; leave out --run, --write and --dry-run",
            ),
            (self.check and seeds is not None, "--check trains one seed of each row; leave out --seeds"),
            (
                look.columns is not None and (self.check or self.dry_run),
                "--columns is for the table itself; leave it out with --check and --dry-run",
            ),
        ]
        for wrong, message in refused:
            if wrong:
                raise RequestError(message)
        look.refuse_for_scripts(format)
