"""`python -m fitbench.doctor`: `fitbench doctor` where even the packages that read the command line are missing."""

import argparse
import sys

from fitbench.doctor.doctor import doctor
from fitbench.streams import open_standard_streams

parser = argparse.ArgumentParser("python -m fitbench.doctor", description="Report what this machine has and lacks.")
parser.add_argument("--fast", action="store_true", help="import no backend")
parser.add_argument("--format", choices=("table", "json"), default="table")

if __name__ == "__main__":
    open_standard_streams()
    options = parser.parse_args()
    sys.exit(doctor(options.format, options.fast))
