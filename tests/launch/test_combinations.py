"""Which jobs a sweep has: keys that go together, combinations that are left out, cases, and where these are written."""

import re
import shlex
import sys
from collections.abc import Callable

import pytest
from omegaconf import OmegaConf

from fitbench.composition import conf_folder, read_overrides
from fitbench.config import Sweep
from fitbench.errors import RequestError
from fitbench.launch import sweep
from fitbench.launch.combinations import combinations
from fitbench.launch.command import launch
from fitbench.tables.launching import _check
from fitbench.tuning.request import read_request

Jobs = Callable[..., list[str]]


def combined(*command: str, file: tuple[str, ...] = (), **section: object) -> list[str]:
    """The overrides of each combination in one line."""
    found = combinations(file, command, Sweep.model_validate(section), read_overrides)
    lines = [" ".join(overrides) for overrides in found.overrides()]
    assert len(found) == len(lines)
    return lines


# -- what is combined -------------------------------------------------------------------------------------------------


def test_every_value_is_combined_with_those_of_the_other_keys_and_the_last_varies_fastest():
    assert combined("a.x=1,2", "b=3", "seed=range(2)") == [
        "a.x=1 b=3 seed=0",
        "a.x=1 b=3 seed=1",
        "a.x=2 b=3 seed=0",
        "a.x=2 b=3 seed=1",
    ]


def test_keys_of_a_zip_walk_together_and_are_combined_with_the_others():
    lines = combined("a.x=[1],[2,3],[4]", "seed=0,1", "+b=range(3)", zip=[["b", "a.x"]])
    assert lines == [f"+b={b} a.x={x} seed={seed}" for b, x in enumerate(("[1]", "[2,3]", "[4]")) for seed in (0, 1)]
    assert combined("a=1,2", "b=3,4", zip=["a", "b"]) == ["a=1 b=3", "a=2 b=4"]  # one list may stand alone
    assert len(combined("a=1,2", "b=3,4", "c=5,6,7", "d=8,9,10", zip=[["a", "b"], ["c", "d"]])) == 6


def test_cases_are_combined_with_all_else():
    cases = [{"model": "mlp", "model.hidden": [3, 4], "+x": None}, ["model=softmax", "y=0.1"], {}]
    assert combined("seed=0,1", cases=cases) == [
        *("model=mlp model.hidden=[3,4] +x=null seed=0", "model=mlp model.hidden=[3,4] +x=null seed=1"),
        *("model=softmax y=0.1 seed=0", "model=softmax y=0.1 seed=1", "seed=0", "seed=1"),
    ]


@pytest.mark.parametrize(
    "value",
    ["a b", "it's, {x}: \\", "null", "1e-3", 1e-05, 3, True, None, "${seed}", [1, "a,b"], {"epochs": 3, "x": [None]}],
)
def test_value_of_a_case_stays_what_it_is_in_the_grammar_of_hydra(value):
    [line] = combined(cases=[{"key": value}])
    [override] = read_overrides([line])
    assert override.value() == value
    assert type(override.value()) is type(value)


def test_grid_and_parameters_of_a_file_are_swept_unless_the_command_has_the_key():
    file, grid = ("a=1,2",), {"b": "range(2)", "c": 7}
    assert combined("d=x", file=file, grid=grid) == [f"a={a} b={b} c=7 d=x" for a in (1, 2) for b in (0, 1)]
    assert combined("b=5", "+a=6", file=file, grid=grid) == ["c=7 b=5 +a=6"]
    assert combined(file=file, grid={"b": "3,4"}, zip=[["a", "b"]]) == ["a=1 b=3", "a=2 b=4"]


@pytest.mark.parametrize(
    ("command", "section", "message"),
    [
        (
            ["a=1,2", "b=1,2,3"],
            {"zip": [["a", "b"]]},
            r"sweep\.zip: a has 2, b has 3 values; zipped keys need the same number",
        ),
        (["a=1,2", "b=3"], {"zip": [["a", "b"]]}, r"sweep\.zip: b has no list of values; .* several values of a$"),
        (["a=1,2", "b=3,4"], {"zip": [["a", "b"], ["b", "a"]]}, r"sweep\.zip: b is listed twice"),
        (["a=1,2"], {"zip": [["a", "a"]]}, r"sweep\.zip: a is listed twice"),
        (["a=1,2"], {"cases": [{"b": 1}], "zip": [["a", "b"]]}, r"sweep\.zip: b has no list of values"),
        (["a=1,2"], {"cases": [{"a": 1}]}, r"sweep\.cases\[0\]: a is also given as a=1,2; leave out one"),
        ([], {"cases": [{}, ["a=1", "+a=2"]]}, r"sweep\.cases\[1\]: a is given twice"),
        ([], {"cases": [["a=1,2"]]}, r"sweep\.cases\[0\]: a=1,2: several values; a case has one value of a key"),
        ([], {"cases": [["a"]]}, r"sweep\.cases\[0\]: 'a': expected KEY=VALUE"),
        (
            [],
            {"cases": [["hydra.verbose=true"]]},
            r"hydra\.verbose applies to the whole sweep; remove it from this case",
        ),
        ([], {"cases": [{"sweep.zip": []}]}, r"sweep\.zip applies to the whole sweep; remove it from this case"),
        ([], {"grid": {"sweep.zip": "1,2"}}, r"sweep\.grid: .* applies to the whole sweep; remove it from sweep\.grid"),
        ([], {"grid": {"a": "range(0)"}}, "this sweep has no jobs"),
        (["a=range(1000)"], {"grid": {"b": "range(1000)"}}, "1,000,000 jobs; it may have 100,000"),
        (
            ["a=1,2", "+a=3"],
            {},
            r"^a is given twice, as a=1,2 in the command and as \+a=3 in the command; leave out one",
        ),
        (["a=interval(0,1)"], {}, "an interval is for fitbench search"),
    ],
)
def test_what_cannot_be_combined_is_refused(command, section, message):
    with pytest.raises(RequestError, match=message):
        combined(*command, **section)


@pytest.mark.parametrize("value", ["1", "2,3"])
def test_key_of_the_parameters_and_of_the_grid_is_refused_unless_the_command_has_it(value):
    file, grid = ("a=0,1", "b=5"), {"a": value}
    with pytest.raises(
        RequestError, match=f"^a is given twice, as a=0,1 in hydra.sweeper.params and as a={value} in sweep.grid"
    ):
        combined(file=file, grid=grid)
    assert combined("a=4", file=file, grid=grid) == ["b=5 a=4"]


# -- of a whole command -----------------------------------------------------------------------------------------------


@pytest.fixture
def jobs(process_state_restored, tmp_path, monkeypatch) -> Jobs:
    """A function that gives the overrides of the jobs of `fitbench train ARGUMENTS`, which are not launched."""
    monkeypatch.chdir(tmp_path)
    found: list[str] = []
    monkeypatch.setattr(
        sweep, "run_sweep", lambda jobs, train, report: found.extend(" ".join(job.overrides) for job in jobs)
    )

    def composed(*arguments: str) -> list[str]:
        found.clear()
        assert launch(["data=digits", *arguments]) == 0
        return [" ".join(word for word in line.split() if word != "data=digits") for line in found]

    return composed


@pytest.fixture
def mine(tmp_path):
    """A folder of a user's own files, which state sweeps."""
    files = {
        "sweep/paper.yaml": """
            grid: {seed: range(2)}
            cases:
              - {model: mlp, "model.hidden": [8]}
              - [model=softmax]
            exclude: model == 'softmax' and seed == 1
            """,
        "experiment/widths.yaml": """
            # @package _global_
            defaults: [override /model: mlp]
            sweep:
              grid:
                model.hidden: '[5],[6]'
                optimizer.learning_rate: 0.1,0.01
              zip: [model.hidden, optimizer.learning_rate]
            """,
        "experiment/both.yaml": """
            # @package _global_
            defaults: [override /sweep: paper]
            hydra:
              mode: MULTIRUN
              sweeper: {params: {training.epochs: '1,2'}}
            """,
    }
    for name, text in files.items():
        path = tmp_path / "mine" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(line[12:] for line in text.splitlines()[1:]))
    return f"--config-dir={tmp_path}/mine"


def test_section_of_the_command_line(jobs):
    assert jobs("-m", "model.hidden=[3],[4]", "seed=0,1", "model=mlp", "sweep.zip=[[model.hidden,seed]]") == [
        "model.hidden=[3] seed=0 model=mlp",
        "model.hidden=[4] seed=1 model=mlp",
    ]
    of_cases = 'sweep.cases=[{model:mlp,optimizer.learning_rate:0.1},["model=softmax","optimizer=sgd"]]'
    assert jobs(of_cases, "seed=3", "-m") == [
        "model=mlp optimizer.learning_rate=0.1 seed=3",
        "model=softmax optimizer=sgd seed=3",
    ]
    assert jobs("-m", 'sweep.grid={seed:"1,2"}') == ["seed=1", "seed=2"]
    assert jobs("-m", 'sweep.grid.model="softmax,mlp"') == ["model=softmax", "model=mlp"]


def test_examples_of_the_help_are_sweeps(jobs):
    text = OmegaConf.load(conf_folder() / "config.yaml").hydra.help.template
    examples = [re.split(r"  +", line.strip())[0] for line in text.splitlines() if line.startswith("  -m ")]
    assert [len(jobs(*shlex.split(example))) for example in examples] == [10, 2, 2, 4]


@pytest.mark.parametrize(
    "text",
    [
        "model == 'softmax' and optimizer == 'adam'",
        "\"model == 'softmax' and optimizer == 'adam'\"",
        "not model == 'mlp' and not optimizer.learning_rate > 0.005",
        """["model == 'softmax' and optimizer.name == 'adam'"]""",
    ],
)
def test_filter_leaves_combinations_out_however_it_is_quoted(jobs, text):
    kept = jobs("-m", "model=mlp,softmax", "optimizer=adam,sgd", f"sweep.exclude={text}")
    assert kept == ["model=mlp optimizer=adam", "model=mlp optimizer=sgd", "model=softmax optimizer=sgd"]


def test_filter_that_fits_nothing_is_named(jobs, capsys):
    assert len(jobs("-m", "seed=0,1", """sweep.exclude=["seed == 1", "model == 'sofmax'"]""")) == 1
    assert "sweep.exclude: no combination fits model == 'sofmax'" in capsys.readouterr().err


def test_pandas_is_not_imported_without_a_filter(jobs, monkeypatch):
    for name in [name for name in sys.modules if name == "pandas" or name.startswith("fitbench.exclusion")]:
        monkeypatch.delitem(sys.modules, name)
    assert len(jobs("-m", "seed=0,1", "model=mlp,softmax", "sweep.zip=[seed,model]")) == 2
    assert "pandas" not in sys.modules


def test_files_state_sweeps(jobs, mine):
    paper = ["model=mlp model.hidden=[8] seed=0", "model=mlp model.hidden=[8] seed=1", "model=softmax seed=0"]
    assert jobs("-m", mine, "sweep=paper") == paper
    assert len(jobs("-m", mine, "sweep=paper", "fold=range(2)", "training.validation=kfold", "training.folds=2")) == 6
    assert jobs("-m", mine, "+experiment=widths") == [
        "model.hidden=[5] optimizer.learning_rate=0.1 +experiment=widths",
        "model.hidden=[6] optimizer.learning_rate=0.01 +experiment=widths",
    ]
    assert len(jobs("-m", mine, "+experiment=widths", "sweep.zip=[]")) == 4
    assert len(jobs(mine, "+experiment=both")) == 6


def test_file_that_some_combinations_choose_cannot_state_a_sweep_of_its_own(jobs, mine):
    with pytest.raises(RequestError, match=r"\+experiment=widths: a file .* of its own \(sweep\.grid, sweep\.zip\)"):
        jobs("-m", mine, "+experiment=widths,tutorial_mlp")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["sweep.zip=[[model,seed]]"], r"^sweep\.zip: only a sweep, fitbench train -m, has combinations; leave"),
        (["sweep=paper"], r"^sweep\.grid, sweep\.exclude, sweep\.cases: only a sweep, fitbench train -m, has"),
        (["+experiment=widths"], r"^sweep\.grid, sweep\.zip: only a sweep, fitbench train -m, has"),
        (["-m", "hydra/sweeper=basic", "sweep.grid={seed:3}"], r"^sweep\.grid: only a sweep, fitbench train -m, has"),
        (["-m", "sweep.zpi=[[a,b]]"], r"^sweep\.zpi: there is no such key. Did you mean sweep\.zip\?"),
        (["-m", "sweep.zip=[[a,b]],[[c,d]]"], r"section sweep does not vary in a sweep; give sweep\.zip one value"),
        (["-m", "sweep.zip=seed,training.epochs"], r"write 'sweep\.zip=\[\[seed,training\.epochs\]\]'$"),
        (
            ["-m", "sweep.grid.training.epochs='1,2'"],
            r"with points is written 'sweep\.grid=\{training\.epochs:\"5,10\"\}'",
        ),
        (["-m", "sweep.exclude=[{seed:1}]"], r"must be a filter such as \"model == 'mlp' and seed > 0\", or a list"),
        (["-m", "sweep.grid.seed=1,2"], r"sweep\.grid\.seed=1,2: .* write seed=A,B in the command"),
        (["-m", "sweep.grid={seed:[1,2]}"], r"^sweep\.grid\.seed is \[1, 2\]; it must be a text such as"),
        (["-m", "sweep.cases=[[model=mlp]]"], r"Hydra cannot read this; a case is \{model:mlp,optimizer:adam\}, or"),
        (["-m", "sweep.cases=[model]"], r"^sweep\.cases is \['model'\]; it must be a list, each item a section"),
        (["-m", "seed=0,1", "sweep.zip=seed"], r"^sweep\.zip is 'seed'; it must be a list of lists of two or more"),
        (["-m", "seed=0,1", "sweep.exclude=1 < 2"], r"^sweep\.exclude: '1 < 2' names no key"),
        (["-m", "seed=0,1", "sweep.exclude=sed == 1"], r"^sweep\.exclude: there is no column 'sed'; did you mean seed"),
        (["-m", "seed=0,1", "sweep.exclude=seed < 2"], r"^sweep\.exclude leaves out all combinations of this sweep, 2"),
        (
            ["-m", "+continue=a", "training.epochs=2,3", "sweep.zip=[seed,x]"],
            r"^sweep\.zip: seed has no list of values",
        ),
    ],
)
def test_section_is_refused(jobs, mine, arguments, message):
    with pytest.raises(RequestError, match=message):
        jobs(mine, *arguments)


def test_search_and_table_refuse_the_section(mine, jobs):
    for word in ("sweep=paper", "sweep.zip=[[model,seed]]", "+experiment=widths", "sweep.exclude=seed == 1"):
        with pytest.raises(RequestError, match=r"^sweep\.\w+.*: only a sweep, .* has combinations; leave them out"):
            read_request([mine, "data=digits", "optimizer.learning_rate=0.1,0.2", word])
    with pytest.raises(RequestError, match=r"sweep\.zip=\[\[a,b\]\]: would not launch the runs of this table"):
        _check("sweep.zip=[[a,b]]")
