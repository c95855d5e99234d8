"""Every command of README.md runs as it stands, in order, in one folder; the guides continue from there."""

import os
import re
import shutil
from pathlib import Path

import pytest

from fitbench.config.errors import fields_of
from fitbench.tables.schema import ExplanationFile, MatrixFile, MeasureFile, RowFile, TableFile

from .pages import ROOT, WHOLE, agrees, examples, normalised, run

ELSEWHERE = ("project", "notebook")  # see test_wheel, and test_notebook of the Python API
GUIDES = sorted(page for page in (ROOT / "docs" / "guides").glob("*.md") if page.stem not in ELSEWHERE)
TUTORIAL = ROOT / "docs" / "tutorial" / "index.md"
SCRIPTS = (Path("docs/guides/digits.py"), Path("docs/guides/cars.py"))  # which write sample data
# Guides that train the most. README.md and the tutorial have their commands, and unit tests have the rest.
LONG = (
    "comparing", "continue", "csv", "data", "folds", "own-code", "search", "signals", "sweeps", "tables", "trackers",
    "training", "using-a-model",
)  # fmt: skip
DATA = Path(os.environ.get("FITBENCH_DATA", "/nowhere"))


def check(page: Path, folder: Path) -> None:
    """Run the examples of a page, and compare each output with the page's."""
    for example in examples(page):
        if example.mark in ("mnist", "ucr") and not (DATA / example.mark).is_dir():
            continue
        printed = run(example, folder)
        if example.output is not None and not agrees(printed, example.output, example.varies):
            compared = [normalised(text, example.varies) for text in (example.output, printed)]
            pytest.fail(
                f"{page.name}: other output of\n{example.text}\nthe page has, as it is compared:\n{compared[0]}\n"
                f"printed was:\n{compared[1]}\nin full:\n{printed}",
                pytrace=False,
            )


@pytest.fixture(scope="module")
def readme(tmp_path_factory) -> Path:
    """A folder in which every command of README.md has run."""
    folder = tmp_path_factory.mktemp("readme").resolve()
    shutil.copytree(ROOT / "experiments", folder / "experiments")
    for script in SCRIPTS:
        (folder / script).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / script, folder / script)
    check(WHOLE, folder)
    return folder


def test_every_command_of_the_readme(readme):
    names = {path.name for path in (readme / "outputs" / "default").iterdir()}
    assert "mnist_5k-lenet5-adam-1b42f00c-s0" in names
    assert (readme / "report.html").exists()


@pytest.mark.parametrize(
    "page", [pytest.param(page, id=page.stem, marks=[pytest.mark.long] * (page.stem in LONG)) for page in GUIDES]
)
def test_marked_blocks_of_a_guide(page, readme, tmp_path):
    folder = tmp_path.resolve() / "folder"
    shutil.copytree(readme, folder)
    check(page, folder)


def test_every_command_of_the_tutorial_in_an_empty_folder(tmp_path):
    check(TUTORIAL, tmp_path.resolve())


OUTPUT = """\
│ 1 │ mlp │ adam │ 5 │ 0.9058 ± 0.0029 │  0.56 │
  ...
mnist_5k-lenet5-adam-1b42f00c-s0  20 runs, 7 s
a few seconds of training
"""


@pytest.mark.parametrize(
    ("old", "new", "agreeing"),
    [
        ("0.9058", "0.9111", True),
        ("  0.56 │", " 12.34 │", True),
        ("7 s", "1:03", True),
        ("a few seconds", "about 2 min", True),
        ("a few seconds", "a few hours", False),
        ("  ...\n", "2 more\nlines\n", True),
        ("20 runs, 7 s", "20\nruns, 7 s", True),
        ("0.9058", "0.906", False),
        ("mlp", "net", False),
        ("1b42f00c", "2b42f00c", False),
        ("20 runs", "19 runs", False),
        (" 0.56 │", " 0.56 │ new │", False),
        ("training\n", "training\nnew line\n", False),
    ],
)
def test_outputs_agree_but_for_what_another_machine_prints_differently(old, new, agreeing):
    assert OUTPUT.count(old) == 1
    assert agrees(OUTPUT.replace(old, new).replace("  ...\n", ""), OUTPUT, varies=False) is agreeing


def test_only_words_count_where_an_output_varies():
    assert agrees("trial 7 of study-4f3a2b1c  12 pruned", "trial 3 of study-00112233  2 pruned", varies=True)
    assert not agrees("trial 7  12 pruned", "trial 3  2 failed", varies=True)


def test_the_guide_to_tables_has_every_key():
    text = (ROOT / "docs" / "guides" / "tables.md").read_text("utf-8")
    blocks = "".join(re.findall(r"^```yaml\n(.*?)^```$", text, re.MULTILINE | re.DOTALL))
    listed = " ".join(re.findall(r"^\| (`.*?`) \|", text, re.MULTILINE))  # the first column of a table
    keys = {*re.findall(r"(?:^|[{ ])(\w+):", blocks, re.MULTILINE), *re.findall(r"`(\w+)`", listed)}
    parts = (TableFile, MeasureFile, RowFile, ExplanationFile, MatrixFile)
    fields = [name for part in parts for name in fields_of(part)]
    assert set(fields) - keys == set()
