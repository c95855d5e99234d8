"""`fitbench doctor`: runs the checks and prints what they found."""

from __future__ import annotations

import json
import os
import shutil
import sys
import textwrap
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from fitbench.doctor import backends, data_sets, folders, gpus, machine, packages, surroundings
from fitbench.doctor.finding import Finding, Status, problem
from fitbench.doctor.processes import Question
from fitbench.stderr import show_live
from fitbench.text import check_format, clean, console, counted, in_sentence

STYLES = {Status.ok: "green", Status.note: "yellow", Status.problem: "bold red"}
MARK, INDENT, WIDEST = 9, 27, 110  # columns of a mark, those before the text, and those of a line
Check = Callable[[], Finding | list[Finding]]
Report = list[tuple[str, list[Finding]]]  # the findings of each section


def doctor(format: str = "table", fast: bool = False, outputs: Path = Path("outputs")) -> int:
    """Print what this machine has and lacks, and return the exit status: 1 if there is a problem, otherwise 0.

    Args:
        format: 'table' or 'json'.
        fast: import no package, and so ask no backend for its GPUs.
        outputs: the folder of the runs, which may not exist yet. Nothing is left in it.

    Raises:
        RequestError: the format is unknown.
    """
    check_format(format, ("table", "json"))
    questions = ask(fast)
    try:
        report = [(section, _findings(checks)) for section, checks in _sections(questions, outputs).items()]
    finally:
        for question in questions.values():
            question.end()
    if format == "json":
        print(json.dumps([finding.as_json(section) for section, findings in report for finding in findings], indent=2))
    else:
        _print(report)
    return int(any(finding.status is Status.problem for _, findings in report for finding in findings))


def _sections(questions: Mapping[str, Question], outputs: Path) -> dict[str, dict[str, Check]]:
    """The checks by name, by section."""
    return {
        "Python": {
            "Python": packages.python,
            "packages": packages.needed,
            "conflicts": packages.conflicts,
            "imports": lambda: _imports(questions),
        },
        "Backends and GPUs": {"backends": lambda: _backends(questions), "GPU": lambda: _gpus(questions)},
        "Machine": {
            "platform": machine.system,
            "cores": machine.core_count,
            "memory": machine.memory,
            "workers": machine.workers,
            "shared memory": machine.shared_memory,
        },
        "Folders and data": {
            "outputs": partial(folders.outputs, outputs),
            "disk": partial(folders.space, outputs),
            "temporary files": folders.temporary,
            "downloads": folders.keras_home,
            "FITBENCH_DATA": partial(data_sets.data_folder, os.environ),
            "data sets": lambda: data_sets.data_sets(questions[DATA].answer()),
        },
        "Surroundings": {
            "variables": surroundings.changing_variables,
            "limits": surroundings.limits,
            "text": surroundings.encoding,
            "terminal": surroundings.terminal,
            "project": surroundings.project,
            "Slurm": lambda: surroundings.cluster(shutil.which("sbatch")),
        },
        "Extras": {"extras": packages.extras},
    }


def _findings(checks: Mapping[str, Check]) -> list[Finding]:
    """What the checks find. One that fails, as in an environment that is damaged, is a finding too."""
    findings: list[Finding] = []
    for name, check in checks.items():
        try:
            found = check()
        except ModuleNotFoundError as error:  # also of a package without metadata
            found = problem(name, f"cannot be checked: {error}", f"pip install {error.name}")
        except Exception as error:  # noqa: BLE001 - a damaged package may raise anything
            found = problem(name, f"cannot be checked: {type(error).__name__}: {error}", "repair what the error names")
        findings += found if isinstance(found, list) else [found]
    return findings


# -- processes that import what takes long or may be broken -----------------------------------------------------------

PACKAGES, DATA = "packages", "data sets"  # questions besides those to the backends
PROBE = "fitbench.doctor.probe"
BACKEND_SECONDS, OTHER_SECONDS = 60, 30  # in which an answer must come


def ask(fast: bool) -> dict[str, Question]:
    """Start the processes; with `fast` none that imports a backend or all packages."""
    questions = {DATA: Question(["fitbench", "data", "--format", "json"], OTHER_SECONDS)}
    if not fast:
        questions |= {name: Question([PROBE, name], BACKEND_SECONDS) for name in backends.present()}
        if names := _importable():
            questions[PACKAGES] = Question([PROBE, PACKAGES, *names], OTHER_SECONDS)
    return questions


def _importable() -> list[str]:
    """The packages to import: those that are needed and installed; the backends are asked for themselves."""
    try:
        names = [each.name for each in packages.requirements()]
    except ImportError:  # the check of the packages says so
        return []
    return [name for name in names if name not in (*backends.BACKENDS, "keras") and packages.installed(name)]


def _imports(questions: Mapping[str, Question]) -> list[Finding]:
    return backends.imports(questions[PACKAGES].answer()) if PACKAGES in questions else []


def _backends(questions: Mapping[str, Question]) -> list[Finding]:
    here = backends.present()
    if sys.stderr.isatty() and not {*here}.isdisjoint(questions):
        show_live(f"importing {in_sentence(here)}; this takes about 10 s, and at most {BACKEND_SECONDS}")
    try:
        answers = {name: questions[name].answer() if name in questions else None for name in here}
    finally:
        if sys.stderr.isatty():
            show_live("")
    return [backends.backend(name, answer) for name, answer in answers.items()]


def _gpus(questions: Mapping[str, Question]) -> list[Finding]:
    graphics = gpus.graphics()
    findings = [gpus.hardware(graphics)]
    if not graphics.usable:
        return findings
    hidden = gpus.hidden(os.environ)
    findings += hidden.values()
    for name in backends.BACKENDS:
        answer = questions[name].answer() if name in questions else {"error": "not asked"}
        if "error" not in answer and name not in hidden and "" not in hidden:
            findings.append(gpus.used(name, answer["gpus"], graphics))
    return findings


# -- the table --------------------------------------------------------------------------------------------------------


def _print(report: Report) -> None:
    """Print a line for each finding, and its remedy below it; in a terminal, long lines are broken."""
    write = _writer()
    width = min(shutil.get_terminal_size().columns, WIDEST) if sys.stdout.isatty() else None
    for section, findings in report:
        write(section, "bold", len(section))
        for finding in findings:
            style = STYLES[finding.status]
            mark = finding.status.upper() if finding.status is Status.problem else finding.status
            head = f"  {mark:<{MARK}}{finding.name:<{INDENT - MARK - 2}}"
            for i, line in enumerate(_wrapped(clean(finding.found), width)):
                write(f"{'' if i else head:<{INDENT}}{line}", style, 0 if i else MARK + 2)
            for line in _wrapped(f"Remedy: {clean(finding.remedy)}", width) if finding.remedy else ():
                write(f"{'':<{INDENT}}{line}", style, INDENT + len(line))
    statuses = [finding.status for _, findings in report for finding in findings]
    counts = [counted(statuses.count(status), status) for status in (Status.problem, Status.note)]
    text = f"{counts[0]}, {counts[1]}" if Status.problem in statuses else f"No problem, {counts[1]}"
    write(text, "bold", len(text))


def _wrapped(text: str, width: int | None) -> list[str]:
    """A text in the lines that stand beside the names."""
    if width is None:
        return [text]
    return textwrap.wrap(text, max(width - INDENT, 30), break_long_words=False, break_on_hyphens=False)


def _writer() -> Callable[[str, str, int], None]:
    """A function that prints a line whose first characters have a style of Rich's; plain where Rich is missing."""
    try:
        from rich.text import Span, Text

        out = console()
    except ImportError:
        return lambda line, style, styled: print(line)
    return lambda line, style, styled: out.print(Text(line, spans=[Span(0, styled, style)]), soft_wrap=True)
