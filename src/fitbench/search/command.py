"""`fitbench search`: the part that does not need Optuna."""

from fitbench.errors import RequestError


def search(arguments: list[str]) -> int:
    """Run the search; gives the exit status.

    Raises:
        RequestError: Optuna is not installed.
    """
    try:
        import optuna  # noqa: F401
    except ModuleNotFoundError as error:
        raise RequestError("fitbench search needs pip install 'fitbench[search]'") from error
    from fitbench.search.search import search as run_search

    return run_search(arguments)
