"""`fitbench table --write`: what was measured, committed beside table.yaml.

results.csv holds the values of the seeds. README.md is written from it and from table.yaml alone, so that anybody can
check that the three agree.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace

from fitbench.markdown import as_markdown, escaped
from fitbench.record.files import write_whole, writing
from fitbench.stderr import write_note
from fitbench.tables import cells, rendering, results_file
from fitbench.tables.chart import chart, matrix_chart
from fitbench.tables.definition import FILE, FOLDER, Table
from fitbench.tables.outcome import Outcome, counts, outcomes
from fitbench.tables.recipes import recipes
from fitbench.tables.remarks import remarks
from fitbench.tables.results_file import MISSING, Record
from fitbench.text import counted

README, PLOT, MATRIX = "README.md", "claimed_measured.png", "matrix.png"
NAMED = 3  # devices or sets of versions that are named at most


def write_record(table: Table, records: Sequence[Record]) -> None:
    """Write results.csv, the plots and README.md into the folder of the table, and name them on stderr.

    A table that is a matrix has matrix.png besides claimed_measured.png. A run that is not over counts as missing: it
    says something about this machine, now.

    Raises:
        FitbenchError: a file cannot be written.
    """
    from fitbench.charts import paper

    records = [one if one.over else replace(one, state=MISSING) for one in records]
    results, text = outcomes(table, records), readme(table, records)
    figures = {PLOT: chart(results)} | ({MATRIX: matrix_chart(table, results)} if table.matrix else {})
    with writing(table.folder):
        write_whole(table.folder / results_file.FILE, results_file.as_csv(records))
        for name, figure in figures.items():
            paper.write(figure, table.folder / name)
        write_whole(table.folder / README, text)
    write_note(f"wrote {', '.join((README, results_file.FILE, *figures))} into {table.folder}")


def readme(table: Table, records: Sequence[Record]) -> str:
    """README.md of these records: the matrix if it is one, the rows, the plot, the recipes, and how it was measured."""
    results = outcomes(table, records)
    parts = [
        f"# {escaped(table.title)}",
        f"<!-- made by fitbench table --write from {FILE} and {results_file.FILE}; do not edit -->",
        table.about,
        f"{escaped(table.heading[0].upper() + table.heading[1:])}. {escaped(counts(results))}.",
        f"![the table]({MATRIX})\n\n{rendering.matrix_markdown(table, results)}" if table.matrix else "",
        as_markdown(rendering.columns(table, results, numbered=True)),
        f"![claimed against measured]({PLOT})",
        escaped(rendering.rule(table, results)),
        "\n".join(f"- {escaped(remark)}" for remark in remarks(results)),
        "## Sources and recipes",
        recipes(table),
        "## How it was measured",
        _how(table, results),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _how(table: Table, results: Sequence[Outcome]) -> str:
    by_run = {(one.config_id, one.seed, one.fold): one for outcome in results for one in outcome.finished}
    finished = list(by_run.values())  # of several metrics of a run, the last
    where = FOLDER / table.name
    command = (
        f"```sh\nfitbench table {where} --run      # trains what is missing, and goes on where it was interrupted\n"
        f"fitbench table {where} --write    # wrote this page\n```"
    )
    if not finished:
        return f"Nothing has been measured yet.\n\n{command}"
    days = sorted({record.finished_at[:10] for record in finished})
    when = days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"
    spent = sum(record.seconds or 0 for record in finished)
    facts = [
        f"- when: {escaped(when)} (UTC), {counted(len(finished), 'run')}, {cells.seconds(spent)} of training in all",
        *(f"- on: {text}" for text in _most(record.device for record in finished)),
        *(f"- CPU threads of a run: {text}" for text in _most(record.threads for record in finished)),
        *(f"- with: {text}" for text in _most(record.versions for record in finished)),
        *(f"- at commit: {text}" for text in _most(record.commit for record in finished)),
        *(f"- data: SHA-256 {text}" for text in _most(record.data_sha256[:16] for record in finished)),
    ]
    return "\n".join(facts) + f"\n\n{command}"


def _most(texts: Iterable[str]) -> list[str]:
    """The texts that occur most, each with the number of runs where there are several; nothing if all are empty."""
    numbers = Counter(text or "not recorded" for text in texts).most_common()
    if [text for text, _ in numbers] == ["not recorded"]:
        return []
    named = [
        escaped(text) + (f" ({counted(number, 'run')})" if len(numbers) > 1 else "") for text, number in numbers[:NAMED]
    ]
    return [*named, *([f"and {len(numbers) - NAMED} more"] if len(numbers) > NAMED else [])]
