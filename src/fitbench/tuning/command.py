"""`fitbench search`: the part that does not need Optuna."""

import warnings

from fitbench.errors import RequestError


def search(arguments: list[str]) -> int:
    """Run the search, or with --dry-run print what it would do; gives the exit status.

    Raises:
        RequestError: Optuna is not installed.
    """
    check_installed()
    from fitbench.launch.command import DRY_RUN

    if DRY_RUN in arguments:
        from fitbench.tuning.planning import print_plan

        print_plan([word for word in arguments if word != DRY_RUN])
        return 0
    from fitbench.tuning.search import search as run_search

    return run_search(arguments)


def check_installed() -> None:
    """Refuse a search where Optuna is not installed.

    Raises:
        RequestError: it is not.
    """
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "IProgress not found")  # of a bar for notebooks, which nothing here draws
            import optuna  # noqa: F401
    except ModuleNotFoundError as error:
        raise RequestError("fitbench search needs pip install 'fitbench[search]'") from error
