"""Make every picture in docs/, with the commands that a user would use."""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from docs.pictures import browser, distortions

DOCS = Path(__file__).parents[1]
GRID = ("-m", "model=softmax,mlp,lenet5", "optimizer=sgd,adam", "seed=range(5)", "study=grid")
SEARCH = (
    "model=mlp",
    "optimizer.learning_rate=tag(log,interval(1e-5,1e-1))",
    "training.batch_size=choice(32,64,128,256)",
    "model.dropout=interval(0,0.5)",
    "optimizer=adam,sgd",
    "search.trials=30",
    "study=first_search",
)
LIVE = (
    *("-m", "model=lenet5", "optimizer=sgd", "optimizer.learning_rate=1e6,0.1,0.03,0.01", "seed=0,1"),
    *("training.epochs=30", "training.early_stopping=null", "workers=2", "study=rates"),
)  # the first two runs fail


def main(outputs: Path) -> None:
    """Train in `outputs` and draw."""
    distortions.draw(DOCS / "distortions.png")
    fitbench("train", f"outputs={outputs}")
    run = only(outputs / "default")
    fitbench("show", str(run), "--plots")
    shutil.copy(run / "curves.png", DOCS)
    shutil.copy(run / "confusion.png", DOCS)
    fitbench("search", *SEARCH, f"outputs={outputs}")
    for name in ("history", "slices"):
        shutil.copy(outputs / "first_search" / f"search_{name}.png", DOCS / f"search-{name}.png")
    fitbench("train", *GRID, f"outputs={outputs}")
    grid = outputs / "grid"
    fitbench("plot", str(grid), "-o", str(DOCS / "plot-curves.png"))
    scatter = ("--kind", "scatter", "--x", "timing.fit_seconds")
    fitbench("plot", str(grid), *scatter, "-o", str(DOCS / "plot-scatter.png"))
    fitbench("report", str(grid), "-o", str(outputs / "grid.html"))
    browser.report(outputs / "grid.html", DOCS / "report.png")
    live(outputs / "live")
    browser.serve([only(grid, f"*-{model}-adam-*-s0") for model in ("lenet5", "mlp")], DOCS / "serve.png")


def live(outputs: Path) -> None:
    """Launch a sweep anew, and take the picture while it is trained."""
    shutil.rmtree(outputs, ignore_errors=True)
    outputs.mkdir(parents=True)
    browser.live(outputs, ("train", *LIVE, f"outputs={outputs}"), DOCS / "live.png")


def fitbench(*arguments: str) -> None:
    """Run a command of fitbench."""
    subprocess.run([sys.executable, "-m", "fitbench", *arguments], check=True)


def only(folder: Path, pattern: str = "*-s0") -> Path:
    """The only run of a study that fits a pattern."""
    (run,) = folder.glob(pattern)
    return run


if len(sys.argv) > 1:
    main(Path(sys.argv[1]).absolute())
else:
    with tempfile.TemporaryDirectory() as temporary:
        main(Path(temporary))
