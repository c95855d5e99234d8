"""The commands. They parse arguments and call functions, which are imported late so that `--help` is fast."""

import os
import re
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fitbench.single_options import SingleOptions

if TYPE_CHECKING:
    from fitbench.formats import Look
    from fitbench.launch.summary import SweepSummary

app = typer.Typer(
    name="fitbench",
    help="Train recorded Keras runs from configurations, launch sweeps that can be resumed, and compare the runs.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

HYDRA = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}

flag = partial(typer.Option, metavar="")  # an option without a value


def _with_source(trust: bool) -> bool:
    """The option --trust: the code that may run is also searched in the source of the current project."""
    if trust:
        from fitbench.project.settings import find_settings, use_source

        use_source(find_settings())
    return trust


# Arguments and options of several commands.
AT_NAMES = (
    "@latest: the run that changed last, or that finished last where a model is needed; @best: the best on the "
    "validation part, of the newest study; STUDY/@best: of a study"
)
Run = Annotated[
    str, typer.Argument(metavar="RUN", help=f"a run folder, a run_id or an unambiguous part of one; {AT_NAMES}")
]
Paths = Annotated[
    list[Path] | None,
    typer.Argument(metavar="PATH", help=f"folders of runs, or names of studies or runs; default outputs; {AT_NAMES}"),
]
Where = Annotated[
    str | None,
    typer.Option(help="only runs that fit, in Python's grammar: \"model == 'mlp' and test_accuracy > 0.97\""),
]
Study = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="only runs of this study, or of several: NAME,NAME; default the newest"),
]
All = Annotated[bool, flag("--all", help="runs of all studies")]
ChosenRuns = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="RUN",
        help=f"run folders, run_ids or unambiguous parts; a folder or a study stands for all runs in it; {AT_NAMES}",
    ),
]
ChosenStudy = Annotated[str | None, typer.Option(metavar="NAME", help="only runs of this study")]
By = Annotated[
    str | None,
    typer.Option(help="columns that define the groups, as model.name,optimizer.name; default the columns that vary"),
]
Outputs = Annotated[Path, typer.Option(help="the folder that is searched for runs")]
ConfigDirs = Annotated[
    list[Path] | None,
    typer.Option("--config-dir", "-cd", metavar="DIR", help="a folder with configurations of your own; repeatable"),
]
Trust = Annotated[
    bool,
    flag(
        "--trust",
        callback=_with_source,
        help="run code that the run names: layers, metrics, losses, data of a function",
    ),
]
TableOrJson = Annotated[str, typer.Option("--format", help="table or json")]
NoCaption = Annotated[bool, flag("--no-caption", help="leave out the title")]
NoNotes = Annotated[bool, flag("--no-notes", help="leave out what stands below the table")]
TableFormat = Annotated[str, typer.Option("--format", help="table, csv, json, markdown, latex or html")]


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="a new folder, whose name becomes the project's")],
    data: Annotated[str, typer.Option(help="the kind of its data: images, csv or signals")] = "images",
) -> None:
    """Make a project of your own: configurations, a model, data, a table, a test. fitbench train works in it at once.

    Its pyproject.toml names the folders of configurations and of code, so that commands find them without options.
    """
    from fitbench.config.folder import conf_folder
    from fitbench.project.init import init as init_project

    typer.echo(init_project(folder, data, conf_folder()), nl=False)


@app.command(context_settings=HYDRA, add_help_option=False)
def train(context: typer.Context) -> None:
    """Train one run, or with -m a sweep: fitbench train model=mlp training.epochs=5.

    Every Hydra flag but --shell-completion works. --dry-run prints the jobs, what is recorded of each, and the
    estimated time. It trains and writes nothing.
    """
    from fitbench.launch.command import DRY_RUN, dry_run, launch

    if DRY_RUN in context.args:
        from fitbench.launch.plan_table import print_plan

        raise typer.Exit(dry_run([word for word in context.args if word != DRY_RUN], print_plan))
    raise typer.Exit(launch(context.args, report_run=_print_run, report_sweep=_print_sweep))


def _print_run(folder: Path, _result: dict[str, Any], reused: bool) -> None:
    """Print a finished run. If it was trained now, also draw its charts."""
    from fitbench.analysis.summary import print_summary
    from fitbench.charts.pictures import write_plots

    if not reused:
        write_plots(folder)
    print_summary(folder, reused)


def _look(no_caption: bool, no_notes: bool, columns: str | None) -> "Look":
    """What people see of a table; `columns` are names with commas between them."""
    from fitbench.formats import Look

    return Look(not no_caption, not no_notes, None if columns is None else tuple(map(str.strip, columns.split(","))))


def _print_sweep(summary: "SweepSummary") -> None:
    print(summary, flush=True)


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def search(context: typer.Context) -> None:
    """Search for the best configuration with Optuna.

    Example: fitbench search 'optimizer.learning_rate=tag(log,interval(1e-4,1e-1))'. KEY=interval(a,b), range(a,b),
    choice(a,b,..) or a,b define the search space. Other overrides apply to all trials. search.trials, search.timeout,
    search.sampler, search.pruner, search.objective, search.seeds and the other keys of conf/search/default.yaml
    configure the search. workers=N starts N processes. search=NAME reads another file of that folder. Run the same
    command again to resume. --config-dir DIR adds a folder with configurations of your own. --dry-run prints the space,
    the trials that are recorded and to come, and the estimated time. It writes nothing.
    """
    from fitbench.tuning.command import search as run_search

    raise typer.Exit(run_search(context.args))


@app.command()
def runs(
    paths: Paths = None,
    where: Where = None,
    study: Study = None,
    all: All = False,
    sort: Annotated[
        str | None, typer.Option(help="columns to sort by, separated by commas; -COLUMN for descending order")
    ] = None,
    columns: Annotated[str | None, typer.Option(help="columns to print, separated by commas")] = None,
    state: Annotated[
        str | None,
        typer.Option(help="only runs in these states: finished, failed, pruned, running, interrupted"),
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="the largest number of runs to print")] = None,
    format: TableFormat = "table",
) -> None:
    """List runs, one per line: state, the configuration keys that vary, results."""
    from fitbench.analysis.listing import list_runs
    from fitbench.analysis.request import Which

    which = Which(paths or [], where, study, all)
    list_runs(which, sort=sort, columns=columns, state=state, limit=limit, format=format)


@app.command()
def show(
    run: Run,
    plots: Annotated[
        bool, flag(help="write curves.png and pictures of the predictions into the folder of the run")
    ] = False,
    outputs: Outputs = Path("outputs"),
    metric: Annotated[str | None, typer.Option(help="the metric of the curves; default the primary metric")] = None,
    trust: Trust = False,
    format: TableOrJson = "table",
) -> None:
    """Show one run: result, configuration, curves, metrics per class, label or target, mistakes."""
    from fitbench.analysis.show import show as show_run
    from fitbench.charts.pictures import draw_run

    show_run(run, outputs, format, draw=partial(draw_run, trust=trust) if plots else None, metric=metric)


@app.command()
def note(
    runs: ChosenRuns = None,
    text: Annotated[str | None, typer.Option("--text", "-m", help="the note; '' removes it")] = None,
    add: Annotated[list[str] | None, typer.Option(metavar="TAG,..", help="tags to add")] = None,
    remove: Annotated[list[str] | None, typer.Option(metavar="TAG,..", help="tags to remove")] = None,
    replace: Annotated[bool, flag("--replace", help="replace the notes that several runs have already")] = False,
    where: Where = None,
    study: ChosenStudy = None,
    outputs: Outputs = Path("outputs"),
    format: TableOrJson = "table",
) -> None:
    """Give runs tags and a note, or show them: fitbench note RUN 'diverges at epoch 12' --add bad.

    The last argument is the note if it has a space and is no path, as no
    run_id has one. A note of one word needs --text. Without a text and tags,
    the notes are shown; without a run, those of all runs.

    Notes never change a result or an identity. Training a run again keeps
    them. They are columns: fitbench runs --where "'bad' in tags".
    """
    from fitbench.analysis.chosen_runs import Choice
    from fitbench.analysis.note import note as note_runs
    from fitbench.analysis.studies import Which

    note_runs(
        Choice(runs or [], Which(where=where, study=study), outputs), text, add or [], remove or [], format, replace
    )


@app.command()
def trash(
    runs: ChosenRuns = None,
    list: Annotated[bool, flag("--list", help="show what is in the trash, and the space that it takes")] = False,
    restore: Annotated[bool, flag("--restore", help="put runs back to where they were")] = False,
    empty: Annotated[bool, flag("--empty", help="delete what is in the trash for good")] = False,
    yes: Annotated[bool, flag("--yes", "-y", help="with --empty: do not ask")] = False,
    where: Where = None,
    study: ChosenStudy = None,
    outputs: Outputs = Path("outputs"),
    format: TableOrJson = "table",
) -> None:
    """Put runs away, so that no command shows them: fitbench trash old_study. They can be restored.

    They are moved to outputs/.trash, with the time, their study and their
    name. The files of a search go with the last run of its study; other files
    stay. A run that is being trained is refused.

    With --list, --restore and --empty, RUN and --where are about the runs in
    the trash. There RUN may also be a study, or a time as --list shows it.
    """
    from fitbench.analysis import trash as commands
    from fitbench.analysis.chosen_runs import Choice
    from fitbench.analysis.studies import Which
    from fitbench.errors import RequestError

    choice = Choice(runs or [], Which(where=where, study=study), outputs)
    if list + restore + empty > 1:
        raise RequestError("--list, --restore and --empty exclude each other")
    if list:
        commands.show(choice, format)
    elif restore:
        commands.restore(choice)
    elif empty:
        commands.empty(choice, yes)
    else:
        commands.put_away(choice)


@app.command()
def compare(
    paths: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="PATH", help=f"folders of runs, or names of studies or runs; or exactly two runs; {AT_NAMES}"
        ),
    ] = None,
    by: By = None,
    metric: Annotated[
        str | None,
        typer.Option(
            help="any recorded number, as val_macro_f1; several with commas, of which the first ranks; of two runs a "
            "metric of their task, as macro_f1; default the primary metric on the test part, with folds "
            "and of searches on the validation part"
        ),
    ] = None,
    pivot: Annotated[
        str | None,
        typer.Option(
            metavar="KEY", help="put one key into the columns, as data.name: models down, data sets across, with ranks"
        ),
    ] = None,
    baseline: Annotated[
        str | None, typer.Option(help="the group to compare with, as mlp,adam or model=mlp; default the best")
    ] = None,
    where: Where = None,
    study: Study = None,
    all: All = False,
    outputs: Outputs = Path("outputs"),
    limit: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="the largest number of rows; default the screen, in a file 50, for disagreements 20, in CSV and JSON "
            "all",
        ),
    ] = None,
    explain: Annotated[bool, flag("--explain", help="say how the numbers are computed, and name every group")] = False,
    columns: Annotated[
        str | None, typer.Option(help="columns of a ranking, behind the groups, by their names in CSV: n,mean,p_holm")
    ] = None,
    format: TableFormat = "table",
    no_caption: NoCaption = False,
    no_notes: NoNotes = False,
) -> None:
    """Compare groups of runs over their seeds and folds, with tests of differences; or the predictions of two runs."""
    from fitbench.analysis.compare import compare as compare_runs
    from fitbench.analysis.request import Which

    which, look = Which(paths or [], where, study, all), _look(no_caption, no_notes, columns)
    compare_runs(which, by, metric, baseline, pivot, outputs, limit, format, explain, look)


@app.command()
def diff(
    run_a: Run,
    run_b: Annotated[str, typer.Argument(metavar="RUN", help="the other run, named in the same way")],
    outputs: Outputs = Path("outputs"),
    format: TableOrJson = "table",
) -> None:
    """Show what differs between two runs: configuration, versions, device, data, results."""
    from fitbench.analysis.diff import diff as diff_runs

    diff_runs(run_a, run_b, outputs, format=format)


@app.command()
def data(
    format: TableOrJson = "table",
    verify: Annotated[bool, flag(help="read each data set and check its SHA-256")] = False,
) -> None:
    """List the data sets, their place on this machine, size and checksum."""
    from fitbench.data.listing import list_data

    raise typer.Exit(list_data(format=format, verify=verify))


@app.command()
def doctor(
    fast: Annotated[bool, flag("--fast", help="import no backend, which takes about 10 seconds")] = False,
    format: TableOrJson = "table",
    outputs: Annotated[Path, typer.Option(help="the folder where runs are recorded")] = Path("outputs"),
) -> None:
    """Report what this machine has and lacks, with remedies: Python, packages, backends, GPUs, limits, data, rights.

    The exit status is 1 if there is a problem. If fitbench itself does not start, use python -m fitbench.doctor.
    """
    from fitbench.doctor.doctor import doctor as examine

    raise typer.Exit(examine(format, fast, outputs))


@app.command()
def plot(
    output: Annotated[Path, typer.Option("-o", "--output", help="the file to write: .png, .svg or .pdf")],
    paths: Paths = None,
    kind: Annotated[str, typer.Option(help="curves, bars, scatter or parallel")] = "curves",
    by: By = None,
    metric: Annotated[
        str | None,
        typer.Option(help="any recorded number; default the primary metric, for curves on the validation part"),
    ] = None,
    x: Annotated[
        str | None, typer.Option(help="the cost axis of a scatter chart, as timing.fit_seconds; default parameters")
    ] = None,
    where: Where = None,
    study: Study = None,
    all: All = False,
    width: Annotated[
        str | None, typer.Option(help="column or full width of a paper; default column, for parallel full")
    ] = None,
) -> None:
    """Draw a chart for a paper: learning curves, means with intervals, metric against cost, parallel coordinates."""
    from fitbench.analysis.request import Which
    from fitbench.charts.plotting import plot as plot_runs

    plot_runs(Which(paths or [], where, study, all), kind, output, by, metric, x, width)


@app.command()
def report(
    paths: Paths = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="the file to write, as report.html; this or --live")
    ] = None,
    by: By = None,
    metric: Annotated[
        str | None,
        typer.Option(
            help="the metric that ranks the groups; default the primary metric on the test part, with folds "
            "and of searches on the validation part"
        ),
    ] = None,
    where: Where = None,
    study: Study = None,
    all: All = False,
    live: Annotated[
        bool, flag("--live", help="serve the page, which shows runs while they are trained; nothing is written")
    ] = False,
    host: Annotated[
        str, typer.Option(help="with --live: the name or address to listen at; 0.0.0.0 lets other computers in")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="with --live: the port; 0 chooses a free one")] = 8080,
    interval: Annotated[
        float, typer.Option(help="with --live: seconds between two looks at the runs, from 0.1 to 3600")
    ] = 2.0,
    open: Annotated[bool, flag("--open", help="with --live: open the page in a browser")] = False,
) -> None:
    """Write one self-contained HTML page that shows one study at a time: tables, charts, predictions.

    With --live the page is served instead. Its curves grow while runs are
    trained, and it shows how far sweeps and searches are. A PATH/STUDY need
    not exist yet.
    """
    from fitbench.analysis.request import Which
    from fitbench.errors import RequestError

    which = Which(paths or [], where, study, all)
    if output is not None and live:
        raise RequestError("-o and --live exclude each other: -o FILE writes the page, --live serves it; leave one out")
    if live:
        from fitbench.live.command import serve as serve_live

        raise typer.Exit(serve_live(which, by, metric, host, port, interval, open))
    if output is None:
        raise RequestError(
            "report needs -o or --live: -o report.html writes the page, and --live serves it while runs are trained"
        )
    from fitbench.report.report import report as write_report

    write_report(which, output, by, metric)


@app.command()
def publish(
    to: Annotated[str, typer.Option(metavar="NAME", help="mlflow, tensorboard or wandb")],
    runs: ChosenRuns = None,
    uri: Annotated[
        str | None,
        typer.Option(
            help="mlflow: a server or a database, default $MLFLOW_TRACKING_URI or sqlite:///mlflow.db; tensorboard: a "
            "folder, default tensorboard"
        ),
    ] = None,
    where: Where = None,
    study: ChosenStudy = None,
    outputs: Outputs = Path("outputs"),
    no_model: Annotated[bool, flag("--no-model", help="leave out model.keras")] = False,
    dry_run: Annotated[bool, flag("--dry-run", help="list the runs and what there is to send; send nothing")] = False,
    format: TableOrJson = "table",
) -> None:
    """Send recorded runs to MLflow, TensorBoard or Weights & Biases: fitbench publish --to mlflow.

    Parameters, metrics per epoch, results, tags, the note, the model and
    pictures are sent, each once: a second call changes nothing, and a run that
    went on is updated. Without RUN, the runs of the newest study are sent.
    """
    from fitbench.analysis.chosen_runs import Choice
    from fitbench.analysis.studies import Which
    from fitbench.publish.publish import publish as publish_runs

    choice = Choice(runs or [], Which(where=where, study=study), outputs)
    raise typer.Exit(publish_runs(choice, to, uri, not no_model, dry_run, format))


@app.command(context_settings={"allow_extra_args": True})
def table(
    context: typer.Context,
    experiment: Annotated[
        str, typer.Argument(metavar="EXPERIMENT", help="a folder with a table.yaml, or its name in experiments/")
    ],
    run: Annotated[
        bool,
        flag("--run", help="train missing runs first; overrides such as workers=2 may follow, also behind --check"),
    ] = False,
    write: Annotated[
        bool, flag("--write", help="update README.md, results.csv and the charts beside table.yaml")
    ] = False,
    rows: Annotated[
        list[str] | None,
        typer.Option(metavar="ROWS", help="only these rows: 3 or 1,5-7, a part of a label or a pattern; repeatable"),
    ] = None,
    seeds: Annotated[int | None, typer.Option(help="the largest number of seeds per row")] = None,
    outputs: Annotated[Path, typer.Option(help="the folder where runs are recorded")] = Path("outputs"),
    config_dir: ConfigDirs = None,
    dry_run: Annotated[
        bool, flag("--dry-run", help="print what --run would train and how long it takes; write nothing")
    ] = False,
    check: Annotated[
        bool, flag("--check", help="train one seed of each row anew, apart from the others, and compare the values")
    ] = False,
    anew: Annotated[bool, flag("--anew", help="leave out the runs of results.csv; --run trains them too")] = False,
    columns: Annotated[
        str | None, typer.Option(help="columns of a list of rows, behind the labels, as claimed,measured,verdict")
    ] = None,
    format: Annotated[str, typer.Option(help="table, markdown, latex, html, csv or json")] = "table",
    no_caption: NoCaption = False,
    no_notes: NoNotes = False,
) -> None:
    """Show a published table: claimed beside measured values, with a verdict.

    Runs that have no folder in --outputs are taken from results.csv beside table.yaml. --check records its runs in the
    study STUDY-check; its exit status is 1 if a value differs by more than the tolerance.
    """
    from fitbench.tables.table import table as show_table

    asked = {"run": run, "write": write, "dry_run": dry_run, "check": check, "anew": anew}
    look = _look(no_caption, no_notes, columns)
    status = show_table(experiment, rows, seeds, outputs, format, context.args, config_dir or (), look, **asked)
    raise typer.Exit(status)


@app.command()
def predict(
    run: Run,
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="FILE",
            help="image files, folders, .npy .npz arrays, - for paths on stdin; tables as CSV, TSV or Parquet files; "
            "series as .ts .tsv .txt files or arrays; tokens and others as arrays",
        ),
    ],
    prepare: Annotated[
        str | None,
        typer.Option(help="auto: turn a photo or scan of a digit into an image like MNIST's; none: only resize"),
    ] = None,
    labels: Annotated[
        str | None,
        typer.Option(
            help="the true classes: a CSV with the columns path and label, or 'folder' for the names of the folders"
        ),
    ] = None,
    confusion: Annotated[
        Path | None, typer.Option(help="with --labels: draw the confusion matrix into this .png file")
    ] = None,
    array: Annotated[str | None, typer.Option(help="the array of an .npz; default x_test, or the only one")] = None,
    format: Annotated[
        str | None, typer.Option(help="table, csv or json (one object per line); default by -o, or table")
    ] = None,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="the file to write")] = None,
    force: Annotated[bool, flag("--force", help="replace the files of -o and --confusion")] = False,
    batch_size: Annotated[int | None, typer.Option(min=1, help="examples per batch; default by their size")] = None,
    null: Annotated[bool, flag("-0", "--null", help="paths on stdin end with null characters")] = False,
    trust: Trust = False,
    outputs: Outputs = Path("outputs"),
) -> None:
    """Write what the model of a run says of new images, rows of tables, series, tokens or arrays.

    Classes: label, probability, and the next two classes. Regression: the
    value of each target. Several labels: those that apply at the threshold of
    the run, and the probability of each. Columns of a table are found by name,
    in any order and among others. A row that cannot be read has an error, and
    the exit status is 1. --prepare, --labels, --confusion and -0 are for
    images, and --array for arrays; fitbench evaluate scores other examples.

    The label of a series in a file is not used. Series of other lengths are
    interpolated if the run has data.lengths, and else have an error. So have
    examples with a missing number, or with a token that the run does not know.

    --prepare auto accepts dark digits on light ground and the reverse. It
    evens out the lighting, removes noise, crops the digit, scales it into
    20x20 pixels and centres it by its mass in 28x28 pixels, as MNIST was
    made. It is the default for models of MNIST's digits, except for arrays
    that have the image size of the model. Other models default to none.
    Models of colour images have no auto.
    """
    from fitbench.inference.options import Options
    from fitbench.inference.predict import predict as predict_files

    options = Options(
        prepare=prepare, labels_from=labels, confusion=confusion, array=array, format=format, output=output,
        force=force, batch_size=batch_size, null=null, trust=trust, outputs=outputs,
    )  # fmt: skip
    raise typer.Exit(predict_files(run, files, options))


@app.command()
def serve(
    runs: Annotated[
        list[str],
        typer.Argument(metavar="RUN..", help=f"run folders, run_ids or unambiguous parts of them; {AT_NAMES}"),
    ],
    host: Annotated[
        str, typer.Option(help="the name or address to listen at; the default is not reachable from other computers")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any free port")] = 8000,
    outputs: Outputs = Path("outputs"),
    trust: Trust = False,
    open: Annotated[bool, flag("--open", help="open the page in a browser")] = False,
    max_bytes: Annotated[int, typer.Option(min=1, help="bytes of a request")] = 10_000_000,
    max_pixels: Annotated[
        int, typer.Option(min=1, help="pixels of all images, or numbers of all other examples, of a request")
    ] = 30_000_000,
    max_images: Annotated[int, typer.Option(min=1, help="images, or other examples, of a request")] = 1000,
) -> None:
    """Serve models as a page on which people try them, and as a JSON API.

    The page has a pad to draw images on, a form for the row of a table, or a plot for a series. Runs that are served
    together take images of any size, or rows with the same columns, or series or arrays of the same shape.
    """
    from fitbench.inference.api import RequestLimits
    from fitbench.inference.serve import serve as serve_runs

    limits = RequestLimits(bytes=max_bytes, pixels=max_pixels, images=max_images)
    raise typer.Exit(serve_runs(runs, outputs, host, port, trust, open, limits))


@app.command()
def export(
    run: Run,
    format: Annotated[str, typer.Option(help="saved_model, onnx, litert or keras")],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="DIR", help="a new folder")],
    trust: Trust = False,
    outputs: Outputs = Path("outputs"),
) -> None:
    """Export a model for another runtime, check it there on the test part, and add a self-contained predict.py."""
    from fitbench.inference.export import export as export_run

    export_run(run, outputs, format, output, trust)


@app.command(context_settings={"allow_extra_args": True})
def evaluate(
    context: typer.Context,
    run: Annotated[
        str,
        typer.Argument(
            metavar="RUN",
            help=f"a run folder, a run_id or an unambiguous part of one; {AT_NAMES}; with --out-of-fold also the "
            "beginning of the names of all folds and seeds, such as cars-mlp-adam-1a2b3c4d, and others may follow",
        ),
    ],
    data: Annotated[
        str | None, typer.Option(help="a data set, as in fitbench train; data.KEY=VALUE may follow")
    ] = None,
    part: Annotated[str, typer.Option(help="the part of the data set: test or train")] = "test",
    out_of_fold: Annotated[
        bool, flag("--out-of-fold", help="evaluate the recorded predictions of all folds and seeds of RUN together")
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            help="the CSV file of the out-of-fold predictions; default RUN-out-of-fold.csv in the folder of the study",
        ),
    ] = None,
    force: Annotated[bool, flag("--force", help="replace the file of -o")] = False,
    config_dir: ConfigDirs = None,
    trust: Trust = False,
    outputs: Outputs = Path("outputs"),
    format: Annotated[
        str, typer.Option("--format", help="table or json; with --out-of-fold also csv, markdown, latex or html")
    ] = "table",
) -> None:
    """Evaluate the model of a finished run on other data with the same outputs, and record the metrics.

    Images must have the shape that the model takes. For a run of a table, --data csv data.path=FILE evaluates all rows
    of a file, and of the run's own file its test rows. In another file, data.target=COLUMN names the column of the
    targets if it is not that of the run. Columns are found by name, and categories have the codes of the run. Arrays
    are taken for what the run takes. Series are interpolated to its length if it has data.lengths, and tokens must be
    among those of the run. For a run of series, --data signals data.path=FILE evaluates all series of a file that has
    no test part of its own, and of the run's own file its test part.

    With --out-of-fold, no model is loaded: each training example has the prediction of the fold that held it back. The
    metrics of these predictions are printed for each seed and over the seeds, and those of the mean of all models on
    the test part. The predictions are written as CSV.
    """
    from fitbench.errors import RequestError

    if out_of_fold:
        from fitbench.inference.out_of_fold_report import evaluate_out_of_fold

        if data is not None or part != "test":
            raise RequestError("--out-of-fold evaluates recorded predictions; leave out --data and --part")
        evaluate_out_of_fold([run, *context.args], outputs, format, output, force, trust)
        return
    if output is not None or force:
        raise RequestError("-o and --force are for --out-of-fold; an evaluation is recorded in the folder of the run")
    from fitbench.inference.evaluate import evaluate as evaluate_run

    evaluate_run(run, outputs, data, context.args, part, format, trust, config_dir or ())


def _print_version(requested: bool) -> None:
    if requested:
        from fitbench.version import __version__

        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def before_any_command(
    version: Annotated[
        bool, flag("--version", callback=_print_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Handle options that stand before the command."""


for _command in app.registered_commands:
    _command.cls = SingleOptions


def main() -> None:
    """Run a command. A `FitbenchError` becomes a message on stderr and an exit status.

    Raises:
        SystemExit: always, with the exit status.
    """
    from fitbench.errors import FitbenchError
    from fitbench.stderr import wrapped
    from fitbench.streams import open_standard_streams
    from fitbench.text import clean

    open_standard_streams()
    _remove_unusable_variables()
    try:
        _run_command()
    except FitbenchError as error:
        first, *others = map(clean, str(error).split("\n"))  # it may hold names from a stranger's folder
        sys.stderr.write("\n".join(map(wrapped, [f"fitbench: {first}", *others])) + "\n")
        sys.exit(error.exit_status)


def _run_command() -> None:
    """Run the command of `sys.argv`.

    Raises:
        FitbenchError: the command failed, or its output cannot be written.
        SystemExit: in every other case.
    """
    from fitbench.errors import CURRENT_FOLDER_REMOVED, FitbenchError, RequestError
    from fitbench.streams import check_stdout

    try:
        app()
    except SystemExit as end:
        if not end.code:
            check_stdout()
        raise
    except MemoryError as error:
        raise FitbenchError("memory has run out") from error
    except RuntimeError as error:
        if str(error) != "can't start new thread":
            raise
        raise FitbenchError("no thread can be started: the limit of processes is reached; see 'ulimit -u'") from error
    except OSError as error:
        if isinstance(error.filename, str | bytes) and error.strerror:
            raise FitbenchError(f"{os.fsdecode(error.filename)}: {error.strerror}") from error
        if isinstance(error, FileNotFoundError):  # of `os.getcwd`
            raise RequestError(CURRENT_FOLDER_REMOVED) from error
        raise


def _remove_unusable_variables() -> None:
    """Remove environment variables that libraries would fail with, and that nothing here needs."""
    os.environ.pop("MPLBACKEND", None)  # charts are files; a notebook names a backend that may not be installed
    if not re.fullmatch("[1-9][0-9]{1,3}", os.environ.get("COLUMNS", "")):
        os.environ.pop("COLUMNS", None)  # Rich writes nothing into 0 columns
