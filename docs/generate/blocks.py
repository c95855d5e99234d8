"""The generated blocks of a page: each is replaced by what the function of its name returns."""

import re
from collections.abc import Callable

from docs.generate import claims, commands, configuration, metrics, python, records

BLOCKS: dict[str, Callable[..., str]] = {
    "choices": configuration.choices,
    "settings": configuration.settings,
    "union": configuration.union,
    "models": configuration.models,
    "optimizers": configuration.optimizers,
    "launcher": configuration.launcher,
    "table.yaml": configuration.table_file,
    "metrics": metrics.supplied,
    "own-metric": metrics.own,
    "commands": commands.commands,
    "hydra-flags": commands.hydra_flags,
    "python": python.functions,
    "record": records.record,
    "claims": claims.counts,
    "claims-left": claims.left,
}
BLOCK = re.compile(r"(<!-- generated: (\S+)(?: (\S+))? -->\n).*?(<!-- end -->)", re.DOTALL)


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
