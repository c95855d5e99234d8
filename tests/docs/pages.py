"""Runs the examples of a Markdown page in one folder and one process, and compares their output with the page's.

On README.md every block is run, on other pages those with `<!-- run -->` in the line before:

- `sh`: commands. Those of fitbench run in this process, others in a shell; setting up the environment is skipped.
- `python` and `yaml` with a path in the comment of the first line, such as `# mine/nets.py`: the file is written.
- other `python`: is run in this process.
- a block without a language: what the example before it prints, on a terminal of 80 columns. A line of `...` stands
  for any number of lines. With `<!-- varies -->` in the line before, the digits of a machine decide more than digits.

`<!-- refused -->` is for commands that end with an error, `<!-- mnist -->` and `<!-- ucr -->` for those that need these
folders of $FITBENCH_DATA, `<!-- serves -->` for one that serves a page until Ctrl-C (its page is asked for once), and
`<!-- tests -->` for the command that runs the suite itself.

    python tests/docs/pages.py FOLDER PAGE..     prints each example and what it prints, to write pages from
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from fitbench.config.builders import settings_schema
from fitbench.config.sources import source_of

ROOT = Path(__file__).parents[2]
WHOLE = ROOT / "README.md"  # of which every block is run
FENCE = re.compile(r"(?:^<!-- (\w+) -->\n)?^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"(?:# @package .*\n)?# (\w[\w./-]*\.(?:py|yaml|toml))\b")
SETUP = re.compile(r"\b(pip install|venv) ")
ENTER = re.compile(r"^cd (\S+)\n", re.MULTILINE)  # ends a block; what follows runs in that folder
TRANSIENT = re.compile(r"^(epoch +[0-9]+/[0-9]+ .*|\S+: starting \w+.*)\n", re.MULTILINE)  # disappears on a terminal
ELLIPSIS = re.compile(r"^ *\.\.\.$", re.MULTILINE)


@dataclass(frozen=True)
class Example:
    """Commands or Python of a page, and what the page says that they print: None for nothing."""

    mark: str
    language: str
    text: str
    folder: str = "."
    output: str | None = None
    varies: bool = False


def examples(page: Path) -> list[Example]:
    """Return the examples of a page that are run, in their order."""
    found: list[Example] = []
    is_run, folder = False, "."
    for mark, language, text in FENCE.findall(page.read_text("utf-8")):
        if mark == "tests":
            continue
        if language:
            is_run = page == WHOLE or mark in ("run", "refused", "serves", "mnist", "ucr")
            found += [Example(mark, language, ENTER.sub("", text), folder)] * is_run
            if is_run and language == "sh" and (entered := ENTER.search(text)):
                folder = f"{folder}/{entered[1]}"
        elif is_run:
            found[-1] = replace(found[-1], output=text, varies=mark == "varies")
    return found


def run(example: Example, folder: Path) -> str:
    """Run an example in a folder and return what it prints on stdout and stderr.

    Raises:
        AssertionError: a command fails, or one that should be refused does not.
    """
    folder = folder / example.folder
    if example.mark == "serves":
        return _serve(example.text, folder)
    if example.language == "sh":
        commands = _commands(example.text)
        return "".join(_run_command(command, folder, example.mark == "refused") for command in commands)
    if file := FILE.match(example.text):
        (folder / file[1]).parent.mkdir(parents=True, exist_ok=True)
        (folder / file[1]).write_text(example.text, "utf-8")
        return ""
    assert example.language == "python", f"there is no way to run {example.language}"
    with _process(folder, {}) as terminal:
        exec(example.text, {})
    return terminal.getvalue()


def _commands(text: str) -> Iterator[str]:
    for line in text.replace("\\\n", " ").splitlines():
        for command in line.split(" && "):
            if command and not command.startswith("#") and not SETUP.search(command):
                yield command


def _run_command(command: str, folder: Path, is_refused: bool) -> str:
    """Run a command and return what it prints. In a shell if it is none of fitbench's alone."""
    words = shlex.split(os.path.expandvars(command), comments=True)
    environment = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    while "=" in words[0]:
        name, _, value = words.pop(0).partition("=")
        environment[name] = value
    if words[0].removeprefix(".venv/bin/") != "fitbench" or {"|", ">", "&"} & set(words):
        shell = ["bash", "-euo", "pipefail", "-c", command]
        done = subprocess.run(
            shell, cwd=folder, env=os.environ | environment, capture_output=True, text=True, check=False
        )
        status, printed = done.returncode, done.stdout + done.stderr
    else:
        with _process(folder, environment) as terminal:
            status = _call(words[1:])
        printed = TRANSIENT.sub("", terminal.getvalue())
    assert bool(status) == is_refused, f"{command}\nended with status {status}:\n{printed}"
    return printed


def _serve(command: str, folder: Path) -> str:
    """Start a server at a free port, ask for its page, end it with Ctrl-C, and return what it printed."""
    words = [sys.executable, "-m", *shlex.split(command), "--port", "0"]
    with subprocess.Popen(words, cwd=folder, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        address = server.stdout.readline()
        try:
            with urllib.request.urlopen(address.strip(), timeout=60) as page:
                assert page.status == 200
        finally:
            server.send_signal(signal.SIGINT)
        printed = address + server.stdout.read()
    assert server.returncode in (0, 130), printed
    return printed


def _call(arguments: Sequence[str]) -> int:
    from fitbench import cli

    sys.argv = ["fitbench", *arguments]
    try:
        cli.main()
    except SystemExit as ended:
        return int(ended.code or 0)
    return 0


class _Terminal(io.StringIO):
    """What a terminal shows that knows neither colours nor moving the cursor."""

    def isatty(self) -> bool:
        return True


@contextlib.contextmanager
def _process(folder: Path, environment: dict[str, str]) -> Iterator[_Terminal]:
    """Let this process look like a new one in a folder, within the block; gives what it prints.

    Stdout is a terminal. Stderr is a pipe that ends in the same terminal, so that there are no progress bars.
    """
    terminal = _Terminal()
    before = os.environ.copy(), list(sys.path), Path.cwd(), list(sys.argv), set(sys.modules)
    os.environ.update({"COLUMNS": "80", "TERM": "dumb"} | environment)
    sys.path[:0] = [str(folder / path) for path in environment.get("PYTHONPATH", "").split(":") if path]
    os.chdir(folder)
    try:
        with contextlib.redirect_stdout(terminal), contextlib.redirect_stderr(_Pipe(terminal)):
            yield terminal
    finally:
        variables, sys.path[:], where, sys.argv[:], modules = before
        os.environ.clear()
        os.environ.update(variables)
        os.chdir(where)
        for name in set(sys.modules) - modules:
            if str(getattr(sys.modules[name], "__file__", None)).startswith(str(folder)):
                del sys.modules[name]
        settings_schema.cache_clear()  # of functions of modules that have the same names in another folder
        source_of.cache_clear()


class _Pipe(io.TextIOBase):
    """Writes into another stream, and is no terminal."""

    def __init__(self, stream: io.StringIO) -> None:
        self.write = stream.write  # type: ignore[method-assign]


# -- comparison -------------------------------------------------------------------------------------------------------

STABLE: list[tuple[str, str | Callable[[re.Match[str]], str]]] = [
    (r"\b[0-9]{8}T[0-9]{6}Z\b", "TIME"),
    (r"\ba\s+few\s+seconds\b|\babout\s+[0-9.,]+\s+(s|min|h|d)\b", "TIME"),  # an estimate
    (r"\b[0-9][0-9.,]* (s|ms|min|h|d|examples/s|images/s)\b|\b[0-9]+(:[0-9]{2})+\b", "TIME"),
    (r"(?<=device ) *\S.*", "DEVICE"),
    (r"(?<=best epoch) +[0-9]+ of [0-9]+", " EPOCHS"),
    (r"[─│╭╮╰╯├┤┬┴┼]+", " "),
    (r"[+-]?\b[0-9]+(\.[0-9]+)?e[+-]?[0-9]+\b", "0.0"),
    (r"[+-]?\b[0-9][0-9,]*\.([0-9]+)", lambda found: "0." + "0" * len(found[1])),
]
VARYING = [
    (r"(?<=[-…])[0-9a-f]{8}\b", "ID"),
    (r"(?<![\w.])[+-]?[0-9][0-9,]*(\.[0-9]+)?(?!\w)", "0"),
]


def normalised(text: str, varies: bool) -> str:
    """The lines of a text without what another machine prints differently: digits, times, devices, lines of tables.

    Words, names of runs, whole numbers and the number of decimals remain. If more varies, only words remain.
    """
    for pattern, replacement in [*STABLE, *(VARYING if varies else ())]:
        text = re.sub(pattern, replacement, text)
    lines = (" ".join(line.split()) for line in text.splitlines())
    return "".join(f"{line}\n" for line in lines if line)


def agrees(printed: str, expected: str, varies: bool) -> bool:
    """Whether the expected output, in which a line of `...` stands for any lines, is that which was printed.

    Sentences may be wrapped elsewhere.
    """
    parts = [normalised(part, varies).split() for part in ELLIPSIS.split(expected)]
    patterns = [r"\s+".join(map(re.escape, words)) + "\n" if words else "" for words in parts]
    return re.fullmatch(r"(?:.*\n)*".join(patterns), normalised(printed, varies)) is not None


if __name__ == "__main__":
    for name in sys.argv[2:]:
        for each in examples(Path(name).resolve()):
            print(f"$ {each.text}", flush=True)
            shown = run(each, Path(sys.argv[1]).resolve())
            print(shown)
            if each.output is not None and not agrees(shown, each.output, each.varies):
                print(f"-- DIFFERS\n{normalised(each.output, each.varies)}\n{normalised(shown, each.varies)}\n")
