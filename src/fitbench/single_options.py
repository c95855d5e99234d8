"""Commands that refuse an option which is given twice and takes one value, of which the last would win."""

from __future__ import annotations

from collections import Counter
from typing import Any

from typer.core import TyperCommand

from fitbench.errors import RequestError


class SingleOptions(TyperCommand):
    """A command each of whose options is given once, but for those that take a list or no value."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the words of the command line.

        Raises:
            RequestError: an option that takes one value is given several times.
        """
        words = list(args)
        rest = list(super().parse_args(ctx, args))
        _, _, order = self.make_parser(ctx).parse_args(args=words)
        for parameter, count in Counter(order).items():
            is_single = not (getattr(parameter, "is_flag", True) or parameter.multiple)  # an argument is no flag
            if count > 1 and is_single:
                raise RequestError(f"{max(parameter.opts, key=len)} is given {count} times; give it once")
        return rest
