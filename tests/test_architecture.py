"""The imports between modules run in one direction, and none of them runs in a circle."""

import ast
from pathlib import Path

import pytest

import fitbench

SOURCE = Path(fitbench.__file__).parents[1]

# From low to high: a module may import from the packages before its own, and from its own.
ORDER = (
    "fitbench.errors",
    "fitbench.version",
    "fitbench.streams",
    "fitbench.stderr",
    "fitbench.text",
    "fitbench.notebook",
    "fitbench.untrusted",
    "fitbench.columns",
    "fitbench.tex",
    "fitbench.latex",
    "fitbench.markdown",
    "fitbench.html",
    "fitbench.formats",
    "fitbench.metrics",
    "fitbench.user_code",
    "fitbench.user_metrics",
    "fitbench.quantities",
    "fitbench.kinds",
    "fitbench.tasks",
    "fitbench.selection",
    "fitbench.web",
    "fitbench.project",
    "fitbench.config",
    "fitbench.record",
    "fitbench.composition",
    "fitbench.data",
    "fitbench.trackers",
    "fitbench.analysis",
    "fitbench.charts",
    "fitbench.report",
    "fitbench.live",
    "fitbench.publish",
    "fitbench.exclusion",
    "fitbench.models",
    "fitbench.training",
    "fitbench.launch",
    "fitbench.tuning",
    "fitbench.tables",
    "fitbench.inference",
    "fitbench.doctor",
    "fitbench.api",
    "hydra_plugins",
    "fitbench.single_options",
    "fitbench.cli",
    "fitbench.__main__",
    "fitbench",  # the Python API, which no module imports
)
# Training and analysis know each other by the run folder alone.
TRAINS = ("fitbench.models", "fitbench.training", "fitbench.launch", "hydra_plugins")
LOOKS = ("fitbench.analysis", "fitbench.charts", "fitbench.report", "fitbench.live", "fitbench.publish")


def modules_in(source: Path) -> dict[str, Path]:
    """The modules below a folder by their dotted names."""
    return {
        ".".join(path.relative_to(source).with_suffix("").parts).removesuffix(".__init__"): path
        for path in sorted(source.rglob("*.py"))
    }


def imports_of(name: str, modules: dict[str, Path]) -> set[str]:
    """The modules that a module imports: at its top, inside functions and under TYPE_CHECKING."""
    package = name if modules[name].name == "__init__.py" else name.rpartition(".")[0]
    imported = set()
    for node in ast.walk(ast.parse(modules[name].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            names = {f"{base}.{alias.name}" for alias in node.names}
            imported |= {one if one in modules else base for one in names}
    return {one for one in imported if one in modules}


def package_of(name: str) -> str:
    """The entry of ORDER that a module belongs to."""
    fitting = [entry for entry in ORDER if name == entry or name.startswith(f"{entry}.")]
    assert fitting, f"{name} belongs to no package of ORDER"
    package = max(fitting, key=len)
    assert package != "fitbench" or name == "fitbench", f"{name} belongs to no package of ORDER"
    return package


def backward(imports: dict[str, set[str]]) -> list[str]:
    """The imports that ORDER, or the division of training and analysis, does not allow."""
    refused = []
    for name, imported in imports.items():
        for other in sorted(imported):
            package, target = package_of(name), package_of(other)
            apart = package in TRAINS and target in LOOKS
            if apart or ORDER.index(package) < ORDER.index(target):
                refused.append(f"{name} imports {other}")
    return refused


def cycle(imports: dict[str, set[str]]) -> list[str]:
    """The modules of one import cycle in order, the first one again at the end; empty if there is none."""
    finished: set[str] = set()

    def visit(name: str, path: list[str]) -> list[str]:
        if name in path:
            return [*path[path.index(name) :], name]
        if name in finished:
            return []
        for other in sorted(imports[name]):
            if found := visit(other, [*path, name]):
                return found
        finished.add(name)
        return []

    return next((found for name in sorted(imports) if (found := visit(name, []))), [])


def imports_below(source: Path) -> dict[str, set[str]]:
    modules = modules_in(source)
    return {name: imports_of(name, modules) for name in modules}


def test_no_import_runs_backwards():
    imports = imports_below(SOURCE)
    assert len(imports) > 100
    assert backward(imports) == []


def test_no_imports_run_in_a_circle():
    assert cycle(imports_below(SOURCE)) == []


# -- the check itself -------------------------------------------------------------------------------------------------

TREE = {
    "fitbench/__init__.py": "",
    "fitbench/errors.py": "import json\n",
    "fitbench/analysis/__init__.py": "",
    "fitbench/analysis/frame.py": "from fitbench.errors import FitbenchError\n",
    "fitbench/training/__init__.py": "",
    "fitbench/training/run.py": "from fitbench import errors\n",
}


def planted(folder: Path, path: str, text: str) -> dict[str, set[str]]:
    """The imports of a small tree with one more module."""
    for name, content in (TREE | {path: text}).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    return imports_below(folder)


def test_small_tree_without_a_fault_passes(tmp_path):
    imports = planted(tmp_path, "fitbench/cli.py", "from fitbench.training.run import train\n")
    assert imports["fitbench.cli"] == {"fitbench.training.run"}
    assert (backward(imports), cycle(imports)) == ([], [])


@pytest.mark.parametrize(
    "text",
    [
        "from fitbench.training.run import train\n",
        "from fitbench.training import run\n",
        "import fitbench.training.run\n",
        "def late():\n    from ..training import run\n",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from fitbench.training.run import train\n",
    ],
)
def test_backward_import_is_found_wherever_it_stands(tmp_path, text):
    imports = planted(tmp_path, "fitbench/analysis/show.py", text)
    assert backward(imports) == ["fitbench.analysis.show imports fitbench.training.run"]


def test_training_that_imports_analysis_is_found(tmp_path):
    imports = planted(tmp_path, "fitbench/training/fit.py", "from fitbench.analysis.frame import load\n")
    assert backward(imports) == ["fitbench.training.fit imports fitbench.analysis.frame"]


def test_cycle_inside_a_package_is_found(tmp_path):
    (tmp_path / "fitbench" / "training").mkdir(parents=True)
    (tmp_path / "fitbench" / "training" / "fit.py").write_text("from fitbench.training import loop\n")
    imports = planted(tmp_path, "fitbench/training/loop.py", "def f():\n    from fitbench.training.fit import fit\n")
    assert backward(imports) == []
    assert cycle(imports) == ["fitbench.training.fit", "fitbench.training.loop", "fitbench.training.fit"]


def test_module_that_belongs_nowhere_is_named(tmp_path):
    imports = planted(tmp_path, "fitbench/utils.py", "from fitbench import errors\n")
    with pytest.raises(AssertionError, match=r"fitbench\.utils belongs to no package"):
        backward(imports)
