"""The generated blocks of a page: each is replaced by what the function of its name returns."""

import re
from collections.abc import Callable

from docs.generate import commands, configuration, records

BLOCKS: dict[str, Callable[..., str]] = {
    "settings": configuration.settings,
    "choices": configuration.choices,
    "kinds": configuration.kinds,
    "models": configuration.models,
    "optimizers": configuration.optimizers,
    "metrics": configuration.metrics_of_fitbench,
    "own metric": configuration.own_metric,
    "launcher": configuration.launcher,
    "search": configuration.search,
    "table": configuration.table_file,
    "commands": commands.commands,
    "hydra": commands.hydra_flags,
    "record": records.record,
}
BLOCK = re.compile(r"(<!-- generated: ([a-z ]+?)(?: ([A-Z]\w*|[a-z_]+/[a-z_]*))? -->\n).*?(<!-- end -->)", re.DOTALL)


def filled(page: str) -> str:
    """The page with the content of each block as it is now.

    Raises:
        KeyError: there is no block of that name.
    """

    def fill(match: re.Match[str]) -> str:
        begin, name, argument, end = match.groups()
        content = BLOCKS[name](*filter(None, [argument]))
        return f"{begin}\n{content.strip()}\n\n{end}"

    return BLOCK.sub(fill, page)
