"""Write the cars of the data set Auto MPG, which the package mlxtend has, into CSV files of the current folder.

cars.csv has a text, numbers of which some are missing, weights, and the number to predict, `mpg`, the miles per gallon.
The models of a make that were built in several years have one `name`. labels.csv has three labels in place of it, and
new_cars.csv some cars without `mpg`.
"""

import importlib.util
from pathlib import Path

import pandas as pd

package = importlib.util.find_spec("mlxtend")
file = Path(package.origin).parent / "data" / "data" / "autompg.csv.gz"
names = ["cylinders", "displacement", "horsepower", "weight", "acceleration", "year", "origin", "name", "mpg"]
cars = pd.read_csv(file, names=names)
cars["origin"] = cars["origin"].map({1: "USA", 2: "Europe", 3: "Japan"})

table = cars.copy()
table.loc[::40, "horsepower"] = None  # gaps, as most tables have them
table["importance"] = 1 + (table["year"] >= 76)  # newer cars count twice
table.to_csv("cars.csv", index=False)

labels = cars.assign(
    economical=(cars["mpg"] >= 25).astype(int),
    light=(cars["weight"] < 2500).astype(int),
    powerful=(cars["horsepower"] > 120).astype(int),
)
labels.drop(columns=["mpg", "weight", "horsepower", "name"]).to_csv("labels.csv", index=False)

table[::60].drop(columns=["mpg", "importance"]).to_csv("new_cars.csv", index=False)
