"""`python -m fitbench` is `fitbench`."""

from fitbench.cli import main

main()
