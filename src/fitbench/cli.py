"""The commands, a few lines each. Every import stands inside its command, so that `--help` answers at once."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

app = typer.Typer(
    name="fitbench",
    help="From a configuration to a finished, recorded Keras run, and from runs to a sweep that cannot be lost.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

HYDRA = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}


@app.command(context_settings=HYDRA, add_help_option=False)
def train(context: typer.Context) -> None:
    """One run, or with -m a sweep: fitbench train model=mlp training.epochs=5; every Hydra flag works."""
    from fitbench.launch.command import launch

    raise typer.Exit(launch(context.args, report=_print_run))


def _print_run(folder: Path, _result: dict[str, Any], reused: bool) -> None:
    """Draw and print a run that has finished; one that was recorded before is only printed."""
    from fitbench.analysis.show import print_summary
    from fitbench.charts.pictures import write_plots

    if not reused:
        write_plots(folder)
    print_summary(folder, reused)


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def search(context: typer.Context) -> None:
    """Optuna over the same configurations: fitbench search 'optimizer.learning_rate=tag(log,interval(1e-4,1e-1))'.

    KEY=interval(a,b), range(a,b), choice(a,b,..) or a,b state the space, other overrides what all trials share.
    search.trials, search.timeout, search.sampler, search.pruner, search.objective, search.seeds, search.workers and
    the rest of conf/search/default.yaml say how; search=NAME reads a file beside it. Launched again, it goes on.
    """
    from fitbench.search.command import search as run_search

    raise typer.Exit(run_search(context.args))


@app.command()
def runs(
    paths: Annotated[
        list[Path] | None, typer.Argument(metavar="PATH", help="outputs, studies or run folders; default outputs")
    ] = None,
    where: Annotated[
        str | None,
        typer.Option(help="""only runs that fit: "model.name == 'mlp' and test_accuracy > 0.97 and seed in [0, 1]" """),
    ] = None,
    sort: Annotated[
        str | None, typer.Option(help="columns to sort by, with commas; - before one for falling values")
    ] = None,
    columns: Annotated[str | None, typer.Option(help="columns to print, with commas")] = None,
    state: Annotated[
        str | None, typer.Option(help="only finished, failed, pruned, running or interrupted; with commas")
    ] = None,
    study: Annotated[str | None, typer.Option(help="only runs of this study")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="print so many runs at most")] = None,
    format: Annotated[str, typer.Option(help="table, csv, json, markdown or latex")] = "table",
) -> None:
    """The runs below some paths, one per line: state, what varies in the configuration, results."""
    from fitbench.analysis.listing import list_runs

    list_runs(
        paths or [], where=where, sort=sort, columns=columns, state=state, study=study, limit=limit, format=format
    )


@app.command()
def show(
    run: Annotated[str, typer.Argument(metavar="RUN", help="a run folder, a run_id, or an unambiguous part of one")],
    plots: Annotated[
        bool, typer.Option(help="write curves.png, confusion.png and mistakes.png into the folder")
    ] = False,
    outputs: Annotated[Path, typer.Option(help="where runs are looked for")] = Path("outputs"),
    metric: Annotated[str | None, typer.Option(help="whose curves are shown; default the primary one")] = None,
    format: Annotated[str, typer.Option(help="table or json")] = "table",
) -> None:
    """One run: result, configuration, curves, per-class figures, mistakes."""
    from fitbench.analysis.show import show as show_run
    from fitbench.charts.pictures import draw_run

    show_run(run, outputs, format, draw=draw_run if plots else None, metric=metric)


@app.command()
def compare(
    paths: Annotated[
        list[str] | None,
        typer.Argument(metavar="PATH", help="outputs, studies or run folders; or two runs, A and B, by any name"),
    ] = None,
    by: Annotated[
        str | None,
        typer.Option(help="columns that make a group, as model.name,optimizer.name; default those that vary"),
    ] = None,
    metric: Annotated[
        str | None,
        typer.Option(help="any recorded number, as val_macro_f1; default the primary metric on the test part"),
    ] = None,
    baseline: Annotated[
        str | None, typer.Option(help="the group to compare with, as mlp,adam or model=mlp; default the best")
    ] = None,
    where: Annotated[str | None, typer.Option(help="only runs that fit, as in fitbench runs")] = None,
    study: Annotated[str | None, typer.Option(help="only runs of this study")] = None,
    outputs: Annotated[Path, typer.Option(help="where runs are looked for by name")] = Path("outputs"),
    limit: Annotated[
        int | None, typer.Option(min=1, help="rows of a table at most; default 50, of disagreements 20")
    ] = None,
    format: Annotated[str, typer.Option(help="table, csv, json, markdown or latex")] = "table",
) -> None:
    """Groups of runs over their seeds: which is best, by how much, is it real. Two runs: where they disagree."""
    from fitbench.analysis.compare import compare as compare_runs

    compare_runs(paths or [], by, metric, baseline, where, study, outputs, limit, format)


@app.command()
def diff(
    run_a: Annotated[str, typer.Argument(metavar="RUN", help="a run folder, a run_id, or an unambiguous part of one")],
    run_b: Annotated[str, typer.Argument(metavar="RUN", help="the other run")],
    outputs: Annotated[Path, typer.Option(help="where runs are looked for")] = Path("outputs"),
    format: Annotated[str, typer.Option(help="table or json")] = "table",
) -> None:
    """What differs between two runs: configuration, versions, device and data, results."""
    from fitbench.analysis.diff import diff as diff_runs

    diff_runs(run_a, run_b, outputs, format=format)


@app.command()
def data(
    format: Annotated[str, typer.Option(help="table or json")] = "table",
    verify: Annotated[bool, typer.Option(help="read each set and check its SHA-256")] = False,
) -> None:
    """Which data sets are here, where from, their size and checksum."""
    from fitbench.data.listing import list_data

    raise typer.Exit(list_data(format=format, verify=verify))


@app.command()
def plot(
    output: Annotated[Path, typer.Option("-o", "--output", help="the file: .png, .svg or .pdf")],
    paths: Annotated[
        list[Path] | None, typer.Argument(metavar="PATH", help="outputs, studies or run folders; default outputs")
    ] = None,
    kind: Annotated[str, typer.Option(help="curves, bars, scatter or parallel")] = "curves",
    by: Annotated[
        str | None,
        typer.Option(help="columns that make a group, as model.name,optimizer.name; default those that vary"),
    ] = None,
    metric: Annotated[
        str | None,
        typer.Option(help="any recorded number; default the primary metric, for curves on the validation part"),
    ] = None,
    x: Annotated[
        str | None, typer.Option(help="the cost in a scatter, as timing.fit_seconds; default parameters")
    ] = None,
    where: Annotated[str | None, typer.Option(help="only runs that fit, as in fitbench runs")] = None,
    width: Annotated[
        str | None, typer.Option(help="column or full, of a paper; default column, for parallel full")
    ] = None,
) -> None:
    """A chart for a paper: learning curves, means with intervals, accuracy against cost, parallel coordinates."""
    from fitbench.charts.plotting import plot as plot_runs

    plot_runs(paths or [], kind, output, by, metric, x, where, width)


@app.command()
def report(
    output: Annotated[Path, typer.Option("-o", "--output", help="the file, as report.html")],
    paths: Annotated[
        list[Path] | None, typer.Argument(metavar="[PATH]..", help="outputs, studies or run folders; default outputs")
    ] = None,
    by: Annotated[
        str | None, typer.Option(help="columns that make a group, as model,optimizer; default what varies")
    ] = None,
    metric: Annotated[
        str | None, typer.Option(help="what groups are ranked by; default the primary metric on the test part")
    ] = None,
    where: Annotated[str | None, typer.Option(help="only runs that fit, as in fitbench runs")] = None,
) -> None:
    """Everything about the runs on one HTML page that needs no network: tables, charts, confusion, mistakes."""
    from fitbench.report.report import report as write_report

    write_report(paths or [], output, by, metric, where)


@app.command(context_settings={"allow_extra_args": True})
def table(
    context: typer.Context,
    experiment: Annotated[
        str, typer.Argument(metavar="EXPERIMENT", help="a folder with a table.yaml, or its name below experiments/")
    ],
    run: Annotated[bool, typer.Option("--run", help="train what is missing first; overrides may follow")] = False,
    write: Annotated[
        bool, typer.Option("--write", help="bring README.md, results.csv and the plot beside table.yaml up to date")
    ] = False,
    rows: Annotated[
        str | None, typer.Option(metavar="TEXT,..", help="only rows with one of these texts in their label")
    ] = None,
    seeds: Annotated[int | None, typer.Option(help="so many seeds of each row at most")] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="with --run: so many runs at a time")] = None,
    outputs: Annotated[Path, typer.Option(help="where runs are recorded")] = Path("outputs"),
    format: Annotated[str, typer.Option(help="table, markdown, latex, html, csv or json")] = "table",
) -> None:
    """A published table: claimed beside measured, with a verdict."""
    from fitbench.tables.table import table as show_table

    status = show_table(experiment, run, write, rows, seeds, workers, outputs, format, context.args)
    raise typer.Exit(status)


@app.command()
def predict(
    run: Annotated[str, typer.Argument(metavar="RUN", help="a run folder, a run_id, or an unambiguous part of one")],
    images: Annotated[
        list[str],
        typer.Argument(
            metavar="IMAGE", help="image files, folders, quoted globs, .npy .npz IDX arrays; - for paths on stdin"
        ),
    ],
    prepare: Annotated[
        str | None,
        typer.Option(help="auto: a photo or scan of a digit is made to look like MNIST's; none: only resized"),
    ] = None,
    labels: Annotated[
        str | None,
        typer.Option(help="the true classes: a CSV of paths and labels, an array, or folder, by the folders' names"),
    ] = None,
    confusion: Annotated[Path | None, typer.Option(help="with --labels: draw the confusions into this .png")] = None,
    array: Annotated[str | None, typer.Option(help="which array of an .npz; default x_test, or the only one")] = None,
    format: Annotated[
        str | None, typer.Option(help="table, csv, json (an object per line) or parquet; default by -o, or table")
    ] = None,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="the file to write")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="go on with the -o file where it was interrupted")] = False,
    force: Annotated[bool, typer.Option("--force", help="replace the files of -o and --confusion")] = False,
    batch_size: Annotated[
        int | None, typer.Option(min=1, help="images that the model reads at a time; default by their size")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=0, help="processes that decode images; default one per core if there are many")
    ] = None,
    null: Annotated[bool, typer.Option("-0", "--null", help="paths on stdin end with null characters")] = False,
    trust: Annotated[bool, typer.Option("--trust", help="load a model that has code of its own")] = False,
    outputs: Annotated[Path, typer.Option(help="where runs are looked for")] = Path("outputs"),
) -> None:
    """Classify images: path, label, probability and the next two of each, however many there are.

    --prepare auto finds dark on light or light on dark, evens the light out, leaves
    noise and lines of forms away, crops, scales the digit into 20x20 pixels and
    centres it by its mass in 28x28, as MNIST was made. It is the default of models
    of MNIST's digits, but for arrays of their own image size. Others get none, and
    models of colour images have no auto.
    """
    from fitbench.inference.predict import predict as predict_images

    status = predict_images(
        run, images, prepare=prepare, labels_from=labels, confusion=confusion, array=array, format=format,
        output=output, resume=resume, force=force, batch_size=batch_size, workers=workers, null=null, trust=trust,
        outputs=outputs,
    )  # fmt: skip
    raise typer.Exit(status)


@app.command()
def serve(
    runs: Annotated[
        list[str], typer.Argument(metavar="RUN..", help="run folders, run_ids, or unambiguous parts of one")
    ],
    host: Annotated[
        str, typer.Option(help="the name or address to listen at; others than this computer's are open")
    ] = ("127.0.0.1"),
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any that is free")] = 8000,
    outputs: Annotated[Path, typer.Option(help="where runs are looked for")] = Path("outputs"),
    trust: Annotated[bool, typer.Option("--trust", help="load models that have code of their own")] = False,
    open: Annotated[bool, typer.Option("--open", help="open the page in a browser")] = False,
    max_bytes: Annotated[int, typer.Option(min=1, help="of a request")] = 10_000_000,
    max_pixels: Annotated[int, typer.Option(min=1, help="of the images of a request, together")] = 30_000_000,
    max_images: Annotated[int, typer.Option(min=1, help="of a request")] = 1000,
    max_requests: Annotated[int, typer.Option(min=1, help="at a time; more are told to come back")] = 256,
    read_timeout: Annotated[float, typer.Option(min=0.1, help="seconds for a request to arrive")] = 10,
    answer_timeout: Annotated[float, typer.Option(min=0.1, help="seconds for it to be answered")] = 30,
) -> None:
    """Draw a digit in the browser and watch the models read it; the same as a JSON API."""
    from fitbench.inference.serve import serve as serve_runs

    limits = {
        "bytes": max_bytes, "pixels": max_pixels, "images": max_images, "requests": max_requests,
        "read_seconds": read_timeout, "answer_seconds": answer_timeout,
    }  # fmt: skip
    raise typer.Exit(serve_runs(runs, outputs, host, port, trust, open, limits))


@app.command()
def export(
    run: Annotated[str, typer.Argument(metavar="RUN", help="a run folder, a run_id, or an unambiguous part of one")],
    format: Annotated[str, typer.Option(help="saved_model, onnx, litert or keras")],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="DIR", help="a new folder")],
    check: Annotated[
        str, typer.Option(help="test: on the run's test images; random: on noise, where these are not here")
    ] = "test",
    trust: Annotated[bool, typer.Option("--trust", help="load a model that has code of its own")] = False,
    outputs: Annotated[Path, typer.Option(help="where runs are looked for")] = Path("outputs"),
) -> None:
    """The model for another runtime, checked there on the test images, with a predict.py that needs nothing else."""
    from fitbench.inference.export import export as export_run

    export_run(run, outputs, format, output, check, trust)


@app.command(context_settings={"allow_extra_args": True})
def evaluate(
    context: typer.Context,
    run: Annotated[str, typer.Argument(metavar="RUN", help="a run folder, a run_id, or an unambiguous part of one")],
    data: Annotated[str, typer.Option(help="a data set, as in fitbench train; data.KEY=VALUE may follow")],
    part: Annotated[str, typer.Option(help="test or train, of the data set")] = "test",
    trust: Annotated[bool, typer.Option("--trust", help="load a model that has code of its own")] = False,
    outputs: Annotated[Path, typer.Option(help="where runs are looked for")] = Path("outputs"),
    format: Annotated[str, typer.Option(help="table or json")] = "table",
) -> None:
    """A finished run's model on other data of the same shape and classes, recorded beside the run."""
    from fitbench.inference.evaluate import evaluate as evaluate_run

    evaluate_run(run, outputs, data, context.args, part, format, trust)


def _print_version(wanted: bool) -> None:
    if wanted:
        from fitbench.version import __version__

        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def before_any_command(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Read before any command."""


def main() -> None:
    """What `fitbench` runs: a command, with known failures as a line on stderr and an exit status."""
    from fitbench.errors import FitbenchError

    try:
        app()
    except FitbenchError as error:
        sys.stderr.write(f"fitbench: {error}\n")
        sys.exit(error.exit_status)
