"""The commands, a few lines each. Every import stands inside its command, so that `--help` answers at once."""

import sys
from pathlib import Path
from typing import Annotated

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
    from fitbench.sweeps.launch import launch

    raise typer.Exit(launch(context.args))


@app.command()
def show(
    run: Annotated[str, typer.Argument(metavar="RUN", help="a run folder, a run_id, or an unambiguous part of one")],
    plots: Annotated[
        bool, typer.Option(help="write curves.png, confusion.png and mistakes.png into the folder")
    ] = False,
    outputs: Annotated[Path, typer.Option(help="where runs are looked for")] = Path("outputs"),
    format: Annotated[str, typer.Option(help="table or json")] = "table",
) -> None:
    """One run: result, configuration, curves, per-class figures, mistakes."""
    from fitbench.analysis.show import show as show_run

    show_run(run, outputs, plots=plots, format=format)


@app.command()
def data(
    format: Annotated[str, typer.Option(help="table or json")] = "table",
    verify: Annotated[bool, typer.Option(help="read each set and check its SHA-256")] = False,
) -> None:
    """Which data sets are here, where from, their size and checksum."""
    from fitbench.analysis.datasets import list_data

    raise typer.Exit(list_data(format=format, verify=verify))


def _print_version(wanted: bool) -> None:
    if wanted:
        import fitbench

        typer.echo(fitbench.__version__)
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
